/* SPDX-License-Identifier: PostgreSQL */
/* tls_fixture.h - two streams with TLS between them. */
#ifndef TEST_TLS_FIXTURE_H
#define TEST_TLS_FIXTURE_H

#include "net/tls_context.h"
#include "net_certs.h"
#include "net_fixture.h"

struct tls_pair {
    struct loop *loop;
    struct party server, client;
    int fds[2];
};

static MAYBE_UNUSED struct tls_context *server_context(const struct cert *c)
{
    struct error err = {.text = ""};
    struct tls_server_options o = {.terms = {.cert_pem = c->cert_pem, .key_pem = c->key_pem}};
    struct tls_context *ctx = tls_context_new_server(&o, &err);
    if (!ctx)
        fail_msg("%s", err.text);
    return ctx;
}

static MAYBE_UNUSED struct tls_context *client_context(enum tls_verify verify,
                                                       struct tls_trust *trust)
{
    struct error err = {.text = ""};
    struct tls_client_options o = {.verify = verify, .trust = trust};
    struct tls_context *ctx = tls_context_new_client(&o, &err);
    if (!ctx)
        fail_msg("%s", err.text);
    return ctx;
}

static MAYBE_UNUSED struct tls_trust *trust_in(const struct cert *ca)
{
    struct error err;
    struct tls_trust *t = tls_trust_new_pem(ca->cert_pem, &err);
    assert_non_null(t);
    return t;
}

/* fds[0] is the server's end. */
static void pair_open_on(struct tls_pair *p, struct tls_context *server, struct tls_context *client,
                         const char *host, bool direct)
{
    struct error err;
    p->loop = loop_new();
    party_open(&p->server, p->loop, p->fds[0]);
    party_open(&p->client, p->loop, p->fds[1]);
    assert_true(stream_start_tls_server(&p->server.stream, server, span_of(NULL, 0), &err));
    if (!stream_start_tls_client(&p->client.stream, client, host, direct, &err))
        fail_msg("%s", err.text);
}

static MAYBE_UNUSED void pair_open(struct tls_pair *p, struct tls_context *server,
                                   struct tls_context *client, const char *host, bool direct)
{
    open_tcp_pair(p->fds);
    pair_open_on(p, server, client, host, direct);
}

/* Both sides are up or have failed. */
static void pair_settle(struct tls_pair *p)
{
    UNTIL(p->loop,
          (p->server.handshakes || p->server.ends) && (p->client.handshakes || p->client.ends));
}

static MAYBE_UNUSED void pair_up(struct tls_pair *p, struct tls_context *server,
                                 struct tls_context *client)
{
    open_unix_pair(p->fds, false);
    pair_open_on(p, server, client, "localhost", false);
    pair_settle(p);
    assert_int_equal(p->server.handshakes, 1);
    assert_int_equal(p->client.handshakes, 1);
    assert_int_equal(p->server.ends + p->client.ends, 0);
}

static void pair_close(struct tls_pair *p)
{
    party_close(&p->client);
    party_close(&p->server);
    loop_free(&p->loop);
}

#endif
