/* SPDX-License-Identifier: PostgreSQL */
#include "net/tls_selfsigned.h"

#include "tls_fixture.h"

#include <sys/stat.h>

static bool serves(const struct tls_selfsigned *c, const char *host)
{
    struct error err;
    struct tls_server_options o = {.terms = {.cert_pem = c->cert_pem, .key_pem = c->key_pem}};
    struct tls_trust *trust = tls_trust_new_pem(c->cert_pem, &err);
    struct tls_context *server = tls_context_new_server(&o, &err);
    struct tls_context *client = client_context(TLS_VERIFY_FULL, trust);
    struct tls_pair p;
    assert_non_null(server);
    assert_true(tls_context_can_bind(server));
    pair_open(&p, server, client, host, false);
    pair_settle(&p);
    bool ok = p.client.handshakes;
    pair_close(&p);
    tls_context_unref(&server);
    tls_context_unref(&client);
    tls_trust_unref(&trust);
    return ok;
}

static void test_selfsigned_certificate_passes_verify_full_for_its_hosts(void **state)
{
    (void)state;
    static const char *const hosts[] = {"db.local", "10.1.2.3"};
    struct tls_selfsigned c;
    struct error err;
    bool kept;
    assert_true(tls_selfsigned_make(&c, NULL, hosts, 2, &kept, &err));
    assert_false(kept);
    assert_true(serves(&c, "localhost"));
    assert_true(serves(&c, "127.0.0.1"));
    assert_true(serves(&c, "::1"));
    assert_true(serves(&c, "db.local"));
    assert_true(serves(&c, "10.1.2.3"));
    assert_false(serves(&c, "other.local"));
    tls_selfsigned_fini(&c);
    assert_null(c.key_pem);
}

static void test_selfsigned_certificate_is_kept_until_it_does_not_fit(void **state)
{
    (void)state;
    static const char *const hosts[] = {"db.local"};
    char dir[] = "/tmp/pgballast-state.XXXXXX";
    struct tls_selfsigned first, second, third;
    struct error err;
    struct stat st;
    bool kept;
    assert_non_null(mkdtemp(dir));
    char *path = xasprintf("%s/tls-selfsigned.pem", dir);
    assert_true(tls_selfsigned_make(&first, dir, NULL, 0, &kept, &err));
    assert_true(kept);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(tls_selfsigned_make(&second, dir, NULL, 0, &kept, &err));
    assert_string_equal(first.cert_pem, second.cert_pem);
    assert_string_equal(first.key_pem, second.key_pem);
    assert_true(tls_selfsigned_make(&third, dir, hosts, 1, &kept, &err)); /* a name more */
    assert_true(kept);
    assert_string_not_equal(first.cert_pem, third.cert_pem);
    tls_selfsigned_fini(&second);
    assert_int_equal(truncate(path, 100), 0); /* damaged */
    assert_true(tls_selfsigned_make(&second, dir, hosts, 1, &kept, &err));
    assert_true(kept);
    assert_string_not_equal(second.cert_pem, third.cert_pem);
    tls_selfsigned_fini(&second);
    unlink(path);
    rmdir(dir);
    assert_true(tls_selfsigned_make(&second, dir, NULL, 0, &kept, &err)); /* no directory */
    assert_false(kept);
    assert_non_null(strstr(err.text, "could not keep the certificate"));
    tls_selfsigned_fini(&first);
    tls_selfsigned_fini(&second);
    tls_selfsigned_fini(&third);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selfsigned_certificate_passes_verify_full_for_its_hosts),
        cmocka_unit_test(test_selfsigned_certificate_is_kept_until_it_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
