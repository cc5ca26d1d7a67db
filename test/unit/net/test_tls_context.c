/* SPDX-License-Identifier: PostgreSQL */
#include "net/tls_context.h"

#include "net/tls_context_impl.h"
#include "tls_fixture.h"

#include <openssl/err.h>
#include <pthread.h>

static struct cert ca, other_ca, good, expired, early, wrong_name, address, stranger, selfsigned;

static int set_up(void **state)
{
    (void)state;
    ca = cert_make((struct cert_terms){.name = "Test CA", .is_ca = true});
    other_ca = cert_make((struct cert_terms){.name = "Other CA", .is_ca = true});
    good = cert_make((struct cert_terms){.issuer = &ca, .name = "x", .san = "DNS:*.db.example"});
    expired = cert_make((struct cert_terms){
        .issuer = &ca, .name = "x", .san = "DNS:a.db.example", .from_s = -7200, .to_s = -3600});
    early = cert_make((struct cert_terms){
        .issuer = &ca, .name = "x", .san = "DNS:a.db.example", .from_s = 3600, .to_s = 7200});
    wrong_name = cert_make((struct cert_terms){.issuer = &ca, .name = "x", .san = "DNS:b.example"});
    address = cert_make((struct cert_terms){.issuer = &ca, .name = "x", .san = "IP:127.0.0.1"});
    stranger =
        cert_make((struct cert_terms){.issuer = &other_ca, .name = "x", .san = "DNS:a.db.example"});
    selfsigned = cert_make((struct cert_terms){.name = "x", .san = "DNS:a.db.example"});
    return 0;
}

static int tear_down(void **state)
{
    struct cert *all[] = {&ca,         &other_ca, &good,     &expired,   &early,
                          &wrong_name, &address,  &stranger, &selfsigned};
    (void)state;
    for (size_t i = 0; i < ROWS(all); i++)
        cert_free(all[i]);
    return 0;
}

/* ---- verification ---------------------------------------------------------------------- */

static void test_verification_accepts_what_it_should_and_names_the_failing_check(void **state)
{
    (void)state;
    static const struct {
        enum tls_verify verify;
        const struct cert *cert;
        const char *host;
        const char *failure; /* NULL: accepted */
    } rows[] = {
        {TLS_VERIFY_NONE, &stranger, "a.db.example", NULL},
        {TLS_VERIFY_NONE, &expired, "nobody", NULL},
        {TLS_VERIFY_CA, &good, "elsewhere.example", NULL},
        {TLS_VERIFY_CA, &stranger, "a.db.example", "unable to get local issuer certificate"},
        {TLS_VERIFY_CA, &selfsigned, "a.db.example", "self-signed certificate"},
        {TLS_VERIFY_CA, &expired, "a.db.example", "certificate has expired"},
        {TLS_VERIFY_CA, &early, "a.db.example", "certificate is not yet valid"},
        {TLS_VERIFY_FULL, &good, "a.db.example", NULL},
        {TLS_VERIFY_FULL, &good, "a.db.example.", NULL},
        {TLS_VERIFY_FULL, &good, "A.DB.Example", NULL},
        {TLS_VERIFY_FULL, &good, "db.example", "hostname mismatch: it is not for \"db.example\""},
        {TLS_VERIFY_FULL, &good, "b.a.db.example",
         "hostname mismatch: it is not for \"b.a.db.example\""},
        {TLS_VERIFY_FULL, &wrong_name, "a.db.example",
         "hostname mismatch: it is not for \"a.db.example\""},
        {TLS_VERIFY_FULL, &address, "127.0.0.1", NULL},
        {TLS_VERIFY_FULL, &address, "127.0.0.2",
         "IP address mismatch: it is not for \"127.0.0.2\""},
        {TLS_VERIFY_FULL, &good, "127.0.0.1", "IP address mismatch: it is not for \"127.0.0.1\""},
        {TLS_VERIFY_FULL, &stranger, "a.db.example", "unable to get local issuer certificate"},
    };
    struct tls_trust *trust = trust_in(&ca);
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct tls_context *server = server_context(rows[i].cert);
        struct tls_context *client = client_context(rows[i].verify, trust);
        struct tls_pair p;
        char want[200];
        pair_open(&p, server, client, rows[i].host, false);
        pair_settle(&p);
        if (!rows[i].failure && !p.client.handshakes)
            fail_msg("row %zu: %s", i, p.client.error.text);
        if (rows[i].failure) {
            snprintf(want, sizeof want, "certificate verify failed: %s", rows[i].failure);
            assert_string_equal(p.client.error.text, want);
            assert_int_equal(p.client.how, STREAM_FAILED);
            UNTIL(p.loop, p.server.ends); /* it was told by an alert */
            assert_int_equal(p.server.how, STREAM_FAILED);
        } else {
            assert_int_equal(stream_peer_verified(&p.client.stream),
                             rows[i].verify != TLS_VERIFY_NONE);
        }
        pair_close(&p);
        tls_context_unref(&server);
        tls_context_unref(&client);
    }
    tls_trust_unref(&trust);
    assert_int_equal(ERR_peek_error(), 0); /* nothing is left behind for others */
}

static void test_verify_full_needs_a_host(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_in(&ca);
    struct tls_context *client = client_context(TLS_VERIFY_FULL, trust);
    struct loop *l = loop_new();
    struct party a;
    struct error err;
    int fds[2];
    open_unix_pair(fds, false);
    party_open(&a, l, fds[0]);
    assert_false(stream_start_tls_client(&a.stream, client, NULL, false, &err));
    assert_string_equal(err.text, "verify-full needs a host name");
    assert_false(stream_start_tls_server(&a.stream, client, span_of(NULL, 0), &err));
    party_close(&a);
    close(fds[1]);
    loop_free(&l);
    tls_context_unref(&client);
    tls_trust_unref(&trust);
}

/* ---- certificates of clients ----------------------------------------------------------- */

static struct tls_context *asking_server(enum tls_client_cert ask, struct tls_trust *trust)
{
    struct error err;
    struct tls_server_options o = {.terms = {.cert_pem = good.cert_pem, .key_pem = good.key_pem},
                                   .client_cert = ask,
                                   .trust = trust};
    struct tls_context *c = tls_context_new_server(&o, &err);
    assert_non_null(c);
    return c;
}

static void test_client_certificates_are_asked_for_and_verified(void **state)
{
    (void)state;
    struct cert alice = cert_make((struct cert_terms){.issuer = &ca, .name = "alice"});
    const struct {
        enum tls_client_cert ask;
        const struct cert *cert;
        const char *failure;
        const char *name;
    } rows[] = {
        {TLS_CLIENT_CERT_NONE, &alice, NULL, NULL},
        {TLS_CLIENT_CERT_OPTIONAL, NULL, NULL, NULL},
        {TLS_CLIENT_CERT_OPTIONAL, &alice, NULL, "alice"},
        {TLS_CLIENT_CERT_OPTIONAL, &selfsigned,
         "certificate verify failed: self-signed certificate", NULL},
        {TLS_CLIENT_CERT_REQUIRED, NULL, "TLS handshake failed: peer did not return a certificate",
         NULL},
        {TLS_CLIENT_CERT_REQUIRED, &alice, NULL, "alice"},
    };
    struct tls_trust *trust = trust_in(&ca);
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct tls_context *server = asking_server(rows[i].ask, trust);
        struct tls_client_options o = {.verify = TLS_VERIFY_NONE};
        struct error err;
        char name[64];
        if (rows[i].cert) {
            o.terms.cert_pem = rows[i].cert->cert_pem;
            o.terms.key_pem = rows[i].cert->key_pem;
        }
        struct tls_context *client = tls_context_new_client(&o, &err);
        struct tls_pair p;
        pair_open(&p, server, client, "localhost", false);
        UNTIL(p.loop, p.server.handshakes || p.server.ends);
        if (rows[i].failure)
            assert_string_equal(p.server.error.text, rows[i].failure);
        else
            assert_int_equal(p.server.handshakes, 1);
        assert_int_equal(stream_peer_name(&p.server.stream, name, sizeof name),
                         rows[i].name != NULL);
        assert_int_equal(stream_peer_verified(&p.server.stream), rows[i].name != NULL);
        if (rows[i].name)
            assert_string_equal(name, rows[i].name);
        pair_close(&p);
        tls_context_unref(&server);
        tls_context_unref(&client);
    }
    tls_trust_unref(&trust);
    cert_free(&alice);
}

/* ---- ALPN ------------------------------------------------------------------------------ */

static void test_alpn_is_selected_when_offered_and_only_then(void **state)
{
    (void)state;
    for (int row = 0; row < 3; row++) {
        struct error err;
        struct tls_client_options o = {.alpn = row == 1};
        struct tls_context *server = server_context(&good);
        struct tls_context *client = tls_context_new_client(&o, &err);
        struct tls_pair p;
        pair_open(&p, server, client, "localhost", row == 2);
        pair_settle(&p);
        assert_int_equal(p.server.handshakes, 1);
        assert_int_equal(span_is(stream_alpn(&p.server.stream), "postgresql"), row > 0);
        pair_close(&p);
        tls_context_unref(&server);
        tls_context_unref(&client);
    }
}

static void test_alpn_without_our_name_is_refused_by_an_alert(void **state)
{
    (void)state;
    struct tls_context *server = server_context(&good);
    struct loop *l = loop_new();
    struct party a;
    struct error err;
    uint8_t hello[2048], answer[64];
    int fds[2];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *to = BIO_new(BIO_s_mem());
    assert_int_equal(SSL_set_alpn_protos(ssl, (const unsigned char *)"\2h2\x8http/1.1", 12), 0);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), to);
    assert_int_equal(SSL_connect(ssl), -1);
    int n = BIO_read(to, hello, sizeof hello);
    open_unix_pair(fds, false);
    party_open(&a, l, fds[0]);
    assert_true(stream_start_tls_server(&a.stream, server, span_of(hello, (size_t)n), &err));
    UNTIL(l, a.ends);
    assert_string_equal(a.error.text, "TLS handshake failed: no application protocol");
    assert_int_equal(read(fds[1], answer, sizeof answer), 7);
    assert_memory_equal(answer, "\x15\3\3\0\2\2\x78", 7); /* fatal no_application_protocol */
    party_close(&a);
    close(fds[1]);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    loop_free(&l);
    tls_context_unref(&server);
}

/* ---- resumption ------------------------------------------------------------------------ */

/* A server that gives tickets, as others do: ours, told to. */
static struct tls_context *ticket_server(int version)
{
    struct tls_context *c = server_context(&good);
    SSL_CTX_clear_options(c->ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(c->ctx, 2);
    SSL_CTX_set_session_id_context(c->ctx, (const unsigned char *)"test", 4);
    SSL_CTX_set_max_proto_version(c->ctx, version);
    return c;
}

static bool connect_resumed(struct tls_context *server, struct tls_context *client,
                            const char *host)
{
    struct tls_pair p;
    uint8_t hash[STREAM_BINDING_MAX];
    size_t len;
    open_unix_pair(p.fds, false);
    pair_open_on(&p, server, client, host, false);
    pair_settle(&p);
    assert_int_equal(p.client.handshakes, 1);
    stream_write(&p.server.stream, "x", 1); /* behind the tickets */
    UNTIL(p.loop, p.client.n_in);
    bool resumed = stream_is_resumed(&p.client.stream);
    /* What was proven in the first handshake holds in the others. */
    assert_true(stream_peer_verified(&p.client.stream));
    assert_true(stream_channel_binding(&p.client.stream, STREAM_PEER_CERT, hash, &len));
    pair_close(&p);
    return resumed;
}

static void test_sessions_are_resumed_for_the_same_host_only(void **state)
{
    (void)state;
    const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    struct tls_trust *trust = trust_in(&ca);
    for (size_t i = 0; i < ROWS(versions); i++) {
        struct tls_context *server = ticket_server(versions[i]);
        struct tls_context *client = client_context(TLS_VERIFY_FULL, trust);
        struct tls_context *reloaded = client_context(TLS_VERIFY_FULL, trust);
        assert_false(connect_resumed(server, client, "a.db.example"));
        for (int again = 0; again < 5; again++)
            assert_true(connect_resumed(server, client, "a.db.example"));
        assert_false(connect_resumed(server, client, "b.db.example"));
        assert_false(connect_resumed(server, reloaded, "a.db.example"));
        tls_context_unref(&server);
        tls_context_unref(&client);
        tls_context_unref(&reloaded);
    }
    tls_trust_unref(&trust);
}

static void test_session_cache_forgets_the_target_used_longest_ago(void **state)
{
    (void)state;
    struct session_cache c = {0};
    SSL_SESSION *session = SSL_SESSION_new();
    char key[32];
    SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION);
    session_cache_init(&c);
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "host%d:5432", i);
        for (int n = 0; n < 6; n++)
            session_cache_put(&c, key, session);
    }
    assert_null(session_cache_take(&c, "host0:5432"));
    for (int n = 0; n < 4; n++) {
        SSL_SESSION *got = session_cache_take(&c, "host99:5432");
        assert_non_null(got);
        assert_ptr_not_equal(got, session);
        SSL_SESSION_free(got);
    }
    assert_null(session_cache_take(&c, "host99:5432"));
    session_cache_fini(&c);
    SSL_SESSION_free(session);
}

static void test_our_server_gives_no_tickets(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_in(&ca);
    struct tls_context *server = server_context(&good);
    struct tls_context *client = client_context(TLS_VERIFY_FULL, trust);
    assert_false(connect_resumed(server, client, "a.db.example"));
    assert_false(connect_resumed(server, client, "a.db.example"));
    tls_context_unref(&server);
    tls_context_unref(&client);
    tls_trust_unref(&trust);
}

/* ---- channel binding ------------------------------------------------------------------- */

static void test_channel_binding_hashes_the_certificate_by_its_own_signature(void **state)
{
    (void)state;
    static const struct {
        struct cert_terms terms;
        const char *digest; /* NULL: undefined */
    } rows[] = {
        {{.name = "ec"}, "SHA256"},
        {{.name = "ec384", .digest = "SHA384"}, "SHA384"},
        {{.name = "rsa", .key_type = "RSA"}, "SHA256"},
        {{.name = "rsa512", .key_type = "RSA", .digest = "SHA512"}, "SHA512"},
        {{.name = "sha1", .key_type = "RSA", .digest = "SHA1"}, "SHA256"},
        {{.name = "pss", .key_type = "RSA", .pss = true}, NULL},
        {{.name = "ed25519", .key_type = "ED25519"}, NULL},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct cert c = cert_make(rows[i].terms);
        struct error err;
        /* SHA-1 signatures are below the default security level. */
        struct tls_server_options o = {.terms = {.cert_pem = c.cert_pem,
                                                 .key_pem = c.key_pem,
                                                 .ciphers = "DEFAULT@SECLEVEL=0"}};
        struct tls_client_options co = {.terms = {.ciphers = "DEFAULT@SECLEVEL=0"}};
        struct tls_context *server = tls_context_new_server(&o, &err);
        struct tls_context *client = tls_context_new_client(&co, &err);
        uint8_t mine[STREAM_BINDING_MAX], theirs[STREAM_BINDING_MAX], want[STREAM_BINDING_MAX];
        size_t n_mine, n_theirs;
        unsigned n_want;
        struct tls_pair p;
        assert_non_null(server);
        pair_up(&p, server, client);
        bool have = stream_channel_binding(&p.server.stream, STREAM_OWN_CERT, mine, &n_mine);
        assert_int_equal(
            stream_channel_binding(&p.client.stream, STREAM_PEER_CERT, theirs, &n_theirs), have);
        assert_int_equal(have, rows[i].digest != NULL);
        assert_int_equal(tls_context_can_bind(server), have);
        if (have) {
            unsigned char *der = NULL;
            int n = i2d_X509(c.x509, &der);
            EVP_Digest(der, (size_t)n, want, &n_want, EVP_get_digestbyname(rows[i].digest), NULL);
            OPENSSL_free(der);
            assert_int_equal(n_mine, n_want);
            assert_int_equal(n_theirs, n_want);
            assert_memory_equal(mine, want, n_want);
            assert_memory_equal(theirs, want, n_want);
        }
        assert_false(stream_channel_binding(&p.server.stream, STREAM_PEER_CERT, mine, &n_mine));
        pair_close(&p);
        tls_context_unref(&server);
        tls_context_unref(&client);
        cert_free(&c);
    }
}

/* ---- building -------------------------------------------------------------------------- */

static void test_contexts_that_cannot_work_are_refused_with_the_reason(void **state)
{
    (void)state;
    const struct {
        struct tls_terms terms;
        const char *text;
    } rows[] = {
        {{0}, "TLS for clients needs a certificate and a private key"},
        {{.cert_file = "/nonexistent/c.pem", .key_file = "/nonexistent/k.pem"},
         "could not load certificate file \"/nonexistent/c.pem\": No such file or directory"},
        {{.cert_pem = "nonsense", .key_pem = good.key_pem},
         "could not load certificate: no start line"},
        {{.cert_pem = good.cert_pem, .key_pem = selfsigned.key_pem},
         "could not load private key: key values mismatch"},
        {{.cert_pem = good.cert_pem, .key_pem = good.key_pem, .ciphers = "NONSENSE"},
         "could not set the TLS ciphers \"NONSENSE\": no cipher match"},
        {{.cert_pem = good.cert_pem, .key_pem = good.key_pem, .ciphersuites = "NONSENSE"},
         "failed to set the TLSv1.3 cipher suites \"NONSENSE\": no cipher match"},
        {{.cert_pem = good.cert_pem,
          .key_pem = good.key_pem,
          .min_version = TLS_VERSION_1_3,
          .max_version = TLS_VERSION_1_2},
         "no TLS version lies between the lowest and the highest allowed"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct tls_server_options o = {.terms = rows[i].terms};
        struct error err = {.text = ""};
        assert_null(tls_context_new_server(&o, &err));
        assert_string_equal(err.text, rows[i].text);
        assert_int_equal(ERR_peek_error(), 0);
    }
    struct tls_client_options o = {.verify = TLS_VERIFY_CA};
    struct error err;
    assert_null(tls_context_new_client(&o, &err));
    assert_string_equal(err.text, "verifying certificates needs a CA file");
    o.terms.groups = "nonsense";
    assert_null(tls_context_new_client(&o, &err));
}

static void test_versions_and_groups_are_obeyed(void **state)
{
    (void)state;
    struct error err;
    struct tls_server_options so = {.terms = {.cert_pem = good.cert_pem,
                                              .key_pem = good.key_pem,
                                              .max_version = TLS_VERSION_1_2,
                                              .groups = "P-256"}};
    struct tls_client_options modern = {.terms = {.min_version = TLS_VERSION_1_3}};
    struct tls_client_options usual = {.terms = {.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"}};
    struct tls_context *server = tls_context_new_server(&so, &err);
    struct tls_context *client = tls_context_new_client(&usual, &err);
    struct tls_pair p;
    pair_up(&p, server, client);
    assert_string_equal(stream_tls_version(&p.server.stream), "TLSv1.2");
    assert_string_equal(stream_tls_cipher(&p.server.stream), "ECDHE-ECDSA-AES128-GCM-SHA256");
    pair_close(&p);
    tls_context_unref(&client);
    client = tls_context_new_client(&modern, &err);
    pair_open(&p, server, client, "localhost", false);
    pair_settle(&p);
    assert_int_equal(p.client.handshakes, 0);
    assert_string_equal(p.client.error.text, "TLS handshake failed: tlsv1 alert protocol version");
    pair_close(&p);
    tls_context_unref(&client);
    tls_context_unref(&server);
}

static void test_a_key_with_a_pass_phrase_fails_instead_of_asking_the_terminal(void **state)
{
    (void)state;
    struct error err;
    BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(b, good.key, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6,
                             NULL, NULL);
    char *locked = cert_text(b);
    struct tls_server_options o = {.terms = {.cert_pem = good.cert_pem, .key_pem = locked}};
    assert_null(tls_context_new_server(&o, &err));
    assert_non_null(strstr(err.text, "could not load private key"));
    free(locked);
}

static void test_trust_comes_from_files_text_and_the_system(void **state)
{
    (void)state;
    struct error err;
    char path[] = "/tmp/pgballast-trust.XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, ca.cert_pem, strlen(ca.cert_pem)), (ssize_t)strlen(ca.cert_pem));
    close(fd);
    struct tls_trust *t = tls_trust_new_file(path, &err);
    assert_non_null(t);
    tls_trust_unref(&t);
    assert_null(t);
    setenv("SSL_CERT_FILE", path, 1);
    t = tls_trust_new_system(&err);
    assert_non_null(t);
    unsetenv("SSL_CERT_FILE");
    struct tls_context *server = server_context(&good);
    struct tls_context *client = client_context(TLS_VERIFY_FULL, t);
    struct tls_pair p;
    pair_open(&p, server, client, "a.db.example", false);
    pair_settle(&p);
    assert_int_equal(p.client.handshakes, 1);
    pair_close(&p);
    tls_context_unref(&server);
    tls_context_unref(&client);
    tls_trust_unref(&t);
    assert_int_equal(truncate(path, 0), 0);
    assert_null(tls_trust_new_file(path, &err));
    unlink(path);
    assert_null(tls_trust_new_file(path, &err));
    assert_non_null(strstr(err.text, "No such file or directory"));
    assert_null(tls_trust_new_pem("nothing", &err));
}

struct verifier {
    pthread_t thread;
    pthread_barrier_t *together;
    struct tls_trust *trust;
    int verdict;
};

static void *verify_good(void *arg)
{
    struct verifier *v = arg;
    BIO *in = BIO_new_mem_buf(good.cert_pem, -1);
    X509 *cert = PEM_read_bio_X509(in, NULL, NULL, NULL);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    pthread_barrier_wait(v->together);
    if (X509_STORE_CTX_init(ctx, v->trust->store, cert, NULL))
        v->verdict = X509_verify_cert(ctx);
    X509_STORE_CTX_free(ctx);
    X509_free(cert);
    BIO_free(in);
    return NULL;
}

/* What the thread sanitizer says of it counts, too. */
static void test_workers_may_verify_with_new_trust_at_the_same_time(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct tls_trust *trust = trust_in(&ca);
        pthread_barrier_t together;
        struct verifier two[2];
        pthread_barrier_init(&together, NULL, ROWS(two));
        for (size_t i = 0; i < ROWS(two); i++) {
            two[i] = (struct verifier){.together = &together, .trust = trust};
            assert_int_equal(pthread_create(&two[i].thread, NULL, verify_good, &two[i]), 0);
        }
        for (size_t i = 0; i < ROWS(two); i++) {
            assert_int_equal(pthread_join(two[i].thread, NULL), 0);
            assert_int_equal(two[i].verdict, 1);
        }
        pthread_barrier_destroy(&together);
        tls_trust_unref(&trust);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verification_accepts_what_it_should_and_names_the_failing_check),
        cmocka_unit_test(test_verify_full_needs_a_host),
        cmocka_unit_test(test_client_certificates_are_asked_for_and_verified),
        cmocka_unit_test(test_alpn_is_selected_when_offered_and_only_then),
        cmocka_unit_test(test_alpn_without_our_name_is_refused_by_an_alert),
        cmocka_unit_test(test_sessions_are_resumed_for_the_same_host_only),
        cmocka_unit_test(test_session_cache_forgets_the_target_used_longest_ago),
        cmocka_unit_test(test_our_server_gives_no_tickets),
        cmocka_unit_test(test_channel_binding_hashes_the_certificate_by_its_own_signature),
        cmocka_unit_test(test_contexts_that_cannot_work_are_refused_with_the_reason),
        cmocka_unit_test(test_versions_and_groups_are_obeyed),
        cmocka_unit_test(test_a_key_with_a_pass_phrase_fails_instead_of_asking_the_terminal),
        cmocka_unit_test(test_trust_comes_from_files_text_and_the_system),
        cmocka_unit_test(test_workers_may_verify_with_new_trust_at_the_same_time),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
