/* SPDX-License-Identifier: PostgreSQL */
/* Streams that change loops, and streams that are read inside another's callback. */
#include "base/list.h"
#include "net/mailbox.h"
#include "net/stream.h"
#include "tls_fixture.h"

#include <pthread.h>

static struct cert cert;
static struct tls_context *server, *client;
static uint8_t bytes[100000];

static int set_up(void **state)
{
    (void)state;
    cert = cert_make((struct cert_terms){.name = "localhost", .san = "DNS:localhost"});
    server = server_context(&cert);
    client = client_context(TLS_VERIFY_NONE, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_context_unref(&server);
    tls_context_unref(&client);
    cert_free(&cert);
    return 0;
}

/* ---- moving --------------------------------------------------------------------------- */

static void test_stream_detaches_only_when_it_is_quiet(void **state)
{
    (void)state;
    struct loop *l = loop_new(), *other = loop_new();
    struct party a, b;
    int fds[2];
    open_unix_pair(fds, true);
    party_open(&a, l, fds[0]);
    party_open(&b, l, fds[1]);
    b.forget = true;
    fill_pattern(bytes, 0, 100000);
    stream_write(&a.stream, bytes, 100000);
    assert_false(stream_detach(&a.stream));
    UNTIL(l, a.drained);
    assert_true(stream_detach(&a.stream));
    assert_false(stream_detach(&a.stream));
    assert_int_equal(stream_write(&a.stream, "x", 1), STREAM_SEND_FAILED);
    stream_attach(&a.stream, other, &a);
    stream_write(&b.stream, "x", 1);
    UNTIL(other, a.n_in == 1);
    assert_true(stream_detach(&a.stream));
    party_close(&a); /* by whoever holds it */
    UNTIL(l, b.ends);
    assert_false(stream_detach(&b.stream)); /* it has ended */
    party_close(&b);
    loop_free(&l);
    loop_free(&other);
}

static void test_tls_detaches_only_without_a_half_read_record(void **state)
{
    (void)state;
    struct tls_pair p;
    uint8_t record[256];
    pair_up(&p, server, client);
    run_for(p.loop, 1000);
    assert_true(stream_detach(&p.server.stream));
    stream_attach(&p.server.stream, p.loop, &p.server);
    stream_write(&p.client.stream, "hello", 5);
    ssize_t n = recv(p.fds[0], record, sizeof record, 0);
    assert_true(n > 10);
    /* Put back in two pieces, by a third party: the peer's own descriptor. */
    assert_int_equal(send(p.fds[1], record, 7, 0), 7);
    run_for(p.loop, 1000);
    assert_false(stream_detach(&p.server.stream));
    assert_int_equal(send(p.fds[1], record + 7, (size_t)n - 7, 0), n - 7);
    UNTIL(p.loop, p.server.n_in == 5);
    assert_true(stream_detach(&p.server.stream));
    stream_attach(&p.server.stream, p.loop, &p.server);
    pair_close(&p);
}

#define TRIPS 200

struct place {
    struct loop *loop;
    struct mailbox box;
    struct place *other;
};

struct traveller {
    struct message message;
    struct party party;
    struct place *at;
    int trips;
};

static void traveller_arrive(struct message *m, void *receiver)
{
    struct traveller *t = container_of(m, struct traveller, message);
    t->at = receiver;
    stream_attach(&t->party.stream, t->at->loop, &t->party);
    stream_write(&t->party.stream, "ping", 4);
}

static void stop_place(struct message *m, void *receiver)
{
    struct place *p = receiver;
    (void)m;
    if (p)
        loop_stop(p->loop);
}

/* Moves on in the callback that brings the answer, as a server does that is released. */
static void traveller_event(struct party *p, enum party_event e)
{
    struct traveller *t = p->data;
    if (e == PARTY_HANDSHAKE) {
        stream_write(&p->stream, "ping", 4);
        return;
    }
    assert_int_equal(e, PARTY_INPUT);
    if (buf_len(&p->in) < 4)
        return;
    buf_reset(&p->in);
    assert_true(stream_detach(&p->stream));
    struct place *next = t->at->other;
    t->message.deliver = ++t->trips == TRIPS ? stop_place : traveller_arrive;
    if (t->trips == TRIPS)
        loop_stop(t->at->loop);
    mailbox_post(&next->box, &t->message);
}

static void echo(struct party *p, enum party_event e)
{
    if (e != PARTY_INPUT)
        return;
    stream_write(&p->stream, buf_span(&p->in).p, buf_len(&p->in));
    buf_reset(&p->in);
}

static void *run_loop(void *arg)
{
    loop_run(arg);
    return NULL;
}

static void travel(bool tls)
{
    struct place places[2], home = {.loop = loop_new()};
    struct traveller t = {0};
    struct party host;
    struct error err;
    struct message stop = {.deliver = stop_place};
    pthread_t threads[3];
    int fds[2];
    open_tcp_pair(fds);
    mailbox_init(&home.box, home.loop, &home);
    for (int i = 0; i < 2; i++) {
        places[i] = (struct place){.loop = loop_new(), .other = &places[1 - i]};
        mailbox_init(&places[i].box, places[i].loop, &places[i]);
    }
    t.at = &places[0];
    party_open(&t.party, t.at->loop, fds[0]);
    party_open(&host, home.loop, fds[1]);
    host.also = echo;
    t.party.also = traveller_event;
    t.party.data = &t;
    if (tls) {
        assert_true(stream_start_tls_client(&t.party.stream, client, "localhost", false, &err));
        assert_true(stream_start_tls_server(&host.stream, server, span_of(NULL, 0), &err));
    } else {
        stream_write(&t.party.stream, "ping", 4);
    }
    pthread_create(&threads[2], NULL, run_loop, home.loop);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, run_loop, places[i].loop);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    mailbox_post(&home.box, &stop);
    pthread_join(threads[2], NULL);
    assert_int_equal(t.trips, TRIPS);
    party_close(&t.party);
    party_close(&host);
    for (int i = 0; i < 2; i++) {
        mailbox_fini(&places[i].box);
        loop_free(&places[i].loop);
    }
    mailbox_fini(&home.box);
    loop_free(&home.loop);
}

static void test_stream_moves_between_two_threads(void **state)
{
    (void)state;
    travel(false);
}

static void test_tls_stream_moves_between_two_threads(void **state)
{
    (void)state;
    travel(true);
}

/* ---- pulling -------------------------------------------------------------------------- */

/* p->data is a party on the same loop. Bytes for it arrive while p's are being looked at (`also`
 * sends them), and it is read then and there. */
static void pull_and_compare(void *owner, struct span in)
{
    struct party *p = owner;
    struct party *other = p->data;
    p->n_in += in.n;
    p->also(p, PARTY_INPUT);
    stream_pull(&p->stream); /* being read: nothing happens */
    stream_pull(&other->stream);
    assert_true(party_has(other, "from the database, overwriting"));
    assert_true(span_is(in, "from the client"));
}

static struct stream_ops pulling_ops(void)
{
    struct stream_ops ops = party_ops;
    ops.on_input = pull_and_compare;
    return ops;
}

static void send_to_other(struct party *p, enum party_event e)
{
    struct party *other = p->data;
    (void)e;
    assert_int_equal(write(*(int *)other->data, "from the database, overwriting", 30), 30);
}

static void test_stream_pull_inside_a_callback_leaves_the_callers_bytes_alone(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    const struct stream_ops ops = pulling_ops();
    struct party a, b;
    int x[2], y[2];
    open_unix_pair(x, false);
    open_unix_pair(y, false);
    party_open(&a, l, x[0]);
    party_open(&b, l, y[0]);
    a.stream.ops = &ops;
    a.also = send_to_other;
    a.data = &b;
    b.data = &y[1];
    assert_int_equal(write(x[1], "from the client", 15), 15);
    UNTIL(l, a.n_in == 15);
    party_close(&a);
    party_close(&b);
    close(x[1]);
    close(y[1]);
    loop_free(&l);
}

static void send_to_other_by_tls(struct party *p, enum party_event e)
{
    struct party *other = p->data;
    struct party *peer = other->data;
    (void)e;
    stream_write(&peer->stream, "from the database, overwriting", 30);
}

static void test_tls_pull_inside_a_callback_leaves_the_callers_bytes_alone(void **state)
{
    (void)state;
    struct tls_pair a, b;
    const struct stream_ops ops = pulling_ops();
    pair_up(&a, server, client);
    pair_up(&b, server, client);
    run_for(b.loop, 1000);
    /* One loop for both: the server of b moves over. */
    assert_true(stream_detach(&b.server.stream));
    stream_attach(&b.server.stream, a.loop, &b.server);
    a.server.stream.ops = &ops;
    a.server.also = send_to_other_by_tls;
    a.server.data = &b.server;
    b.server.data = &b.client;
    stream_write(&a.client.stream, "from the client", 15);
    UNTIL(a.loop, a.server.n_in == 15);
    party_close(&b.server);
    pair_close(&a);
    pair_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_detaches_only_when_it_is_quiet),
        cmocka_unit_test(test_tls_detaches_only_without_a_half_read_record),
        cmocka_unit_test(test_stream_moves_between_two_threads),
        cmocka_unit_test(test_tls_stream_moves_between_two_threads),
        cmocka_unit_test(test_stream_pull_inside_a_callback_leaves_the_callers_bytes_alone),
        cmocka_unit_test(test_tls_pull_inside_a_callback_leaves_the_callers_bytes_alone),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
