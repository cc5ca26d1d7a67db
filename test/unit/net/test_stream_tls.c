/* SPDX-License-Identifier: PostgreSQL */
#include "net/stream.h"

#include "net/tls.h"
#include "tls_fixture.h"

static struct cert cert;
static struct tls_context *server, *client;

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

/* ---- data ------------------------------------------------------------------------------ */

static void echo(struct party *p, enum party_event e)
{
    if (e != PARTY_INPUT)
        return;
    stream_write(&p->stream, buf_span(&p->in).p, buf_len(&p->in));
    buf_reset(&p->in);
}

static void test_tls_streams_talk_both_ways(void **state)
{
    (void)state;
    struct tls_pair p;
    char text[64];
    pair_up(&p, server, client);
    p.server.also = echo;
    for (int i = 1; i <= 50; i++) {
        stream_write(&p.client.stream, "0123456789", 10);
        UNTIL(p.loop, p.client.n_in == 10 * (size_t)i);
    }
    assert_true(stream_is_tls(&p.client.stream));
    assert_string_equal(stream_tls_version(&p.client.stream), "TLSv1.3");
    assert_string_equal(stream_tls_text(&p.server.stream, text, sizeof text),
                        "TLSv1.3/TLS_AES_256_GCM_SHA384");
    assert_int_equal(stream_alpn(&p.client.stream).n, 0);
    assert_false(stream_peer_verified(&p.client.stream)); /* nobody looked */
    assert_false(stream_peer_verified(&p.server.stream));
    /* An orderly end. */
    stream_close(&p.client.stream);
    UNTIL(p.loop, p.server.ends);
    assert_int_equal(p.server.how, STREAM_EOF);
    pair_close(&p);
}

static uint8_t bytes[300000];

/* A burst of many small parts and one long one. */
static void test_tls_sends_a_composed_burst_in_order(void **state)
{
    (void)state;
    struct tls_pair p;
    struct outgoing o = {0};
    size_t at = 0;
    pair_up(&p, server, client);
    p.client.forget = true;
    fill_pattern(bytes, 0, sizeof bytes);
    for (int i = 0; i < 30; i++, at += 1000) {
        if (i % 2)
            buf_append(outgoing_buf(&o), bytes + at, 1000);
        else
            outgoing_ref(&o, bytes + at, 1000);
    }
    outgoing_ref(&o, bytes + at, 100000);
    at += 100000;
    buf_append(outgoing_buf(&o), bytes + at, 77);
    at += 77;
    assert_int_not_equal(stream_send(&p.server.stream, &o), STREAM_SEND_FAILED);
    UNTIL(p.loop, p.client.n_in == at);
    outgoing_fini(&o);
    pair_close(&p);
}

struct flood {
    size_t sent, total, chunk;
};

static void flood(struct party *p, enum party_event e)
{
    struct flood *f = p->data;
    if (!(e & (PARTY_DRAINED | PARTY_HANDSHAKE)))
        return;
    while (f->sent < f->total && !stream_is_blocked(&p->stream)) {
        size_t n = f->total - f->sent < f->chunk ? f->total - f->sent : f->chunk;
        fill_pattern(bytes, f->sent, n);
        assert_int_not_equal(stream_write(&p->stream, bytes, n), STREAM_SEND_FAILED);
        f->sent += n;
    }
}

static void pause_now_and_then(struct party *p, enum party_event e)
{
    if (e == PARTY_INPUT && p->inputs % 7 == 0)
        stream_pause(&p->stream);
}

/* Both directions at once, through sockets that take a few KiB, with readers that pause. */
static void test_tls_carries_records_of_all_sizes_through_a_small_socket(void **state)
{
    (void)state;
    const struct flood rows[] = {
        {.chunk = 1, .total = 20000},
        {.chunk = 1024, .total = 1 << 20},
        {.chunk = 16384, .total = 2 << 20},
        {.chunk = 200000, .total = 4 << 20},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct tls_pair p;
        struct flood there = rows[i], back = rows[i];
        open_unix_pair(p.fds, true);
        pair_open_on(&p, server, client, "localhost", false);
        p.server.forget = p.client.forget = true;
        p.server.also = p.client.also = flood;
        p.server.data = &there;
        p.client.data = &back;
        pair_settle(&p);
        UNTIL(p.loop, p.server.n_in == back.total && p.client.n_in == there.total);
        p.client.also = pause_now_and_then;
        there.sent = p.client.n_in = 0;
        there.total /= 4;
        p.server.also(&p.server, PARTY_DRAINED);
        while (p.client.n_in < there.total) {
            UNTIL(p.loop, stream_is_paused(&p.client.stream) || p.client.n_in == there.total);
            run_for(p.loop, 100);
            stream_resume(&p.client.stream);
        }
        pair_close(&p);
    }
}

/* ---- handshake ------------------------------------------------------------------------- */

struct ends {
    struct tls *tls[2]; /* the client first */
    struct buf to[2];
    bool up[2];
};

static void ends_make(struct ends *e)
{
    struct error err;
    *e = (struct ends){0};
    e->tls[0] = tls_new_client(client, "localhost", 0, false, &err);
    e->tls[1] = tls_new_server(server, span_of(NULL, 0), &err);
    assert_int_equal(tls_handshake(e->tls[0], span_of(NULL, 0), &e->to[1], &err), TLS_STEP_MORE);
}

static void ends_free(struct ends *e)
{
    for (int i = 0; i < 2; i++) {
        tls_free(&e->tls[i]);
        buf_reset(&e->to[i]);
    }
}

/* Gives `n` bytes of what is under way to one end. */
static void give(struct ends *e, int i, size_t n)
{
    struct error err;
    uint8_t plain[64];
    size_t n_plain;
    struct span in = span_of(buf_span(&e->to[i]).p, n);
    if (e->up[i]) {
        tls_give(e->tls[i], in);
        assert_int_equal(tls_read(e->tls[i], plain, sizeof plain, &n_plain, &e->to[1 - i], &err),
                         TLS_READ_ALL);
    } else {
        switch (tls_handshake(e->tls[i], in, &e->to[1 - i], &err)) {
        case TLS_STEP_FAILED:
            fail_msg("%s", err.text);
            break;
        case TLS_STEP_DONE:
            e->up[i] = true;
            break;
        case TLS_STEP_MORE:
            break;
        }
    }
    buf_consume(&e->to[i], n);
}

/* Runs the handshake with flights cut at `cut` (0: not), or into pieces of `piece` bytes. */
static size_t shake(struct ends *e, size_t cut, size_t piece)
{
    size_t longest = 0;
    while (!buf_is_empty(&e->to[0]) || !buf_is_empty(&e->to[1])) {
        int i = buf_is_empty(&e->to[0]) ? 1 : 0;
        size_t all = buf_len(&e->to[i]);
        longest = all > longest ? all : longest;
        if (cut && cut < all)
            give(e, i, cut);
        for (size_t n = buf_len(&e->to[i]); n; n -= piece < n ? piece : n)
            give(e, i, piece < n ? piece : n);
    }
    return longest;
}

static void test_tls_handshake_survives_being_split_at_every_byte(void **state)
{
    (void)state;
    struct ends e;
    ends_make(&e);
    size_t longest = shake(&e, 0, 1); /* every byte on its own */
    assert_true(e.up[0] && e.up[1]);
    ends_free(&e);
    for (size_t cut = 1; cut < longest; cut++) {
        ends_make(&e);
        shake(&e, cut, SIZE_MAX);
        assert_true(e.up[0] && e.up[1]);
        assert_true(tls_is_quiet(e.tls[0]) && tls_is_quiet(e.tls[1]));
        ends_free(&e);
    }
}

static void say_hello(struct party *p, enum party_event e)
{
    if (e == PARTY_HANDSHAKE)
        stream_write(&p->stream, "hello", 5);
}

/* The client's first data comes in one segment with its last handshake bytes. */
static void test_tls_hands_up_data_that_came_with_the_end_of_the_handshake(void **state)
{
    (void)state;
    struct tls_pair p;
    pair_open(&p, server, client, "localhost", false);
    p.client.also = say_hello;
    UNTIL(p.loop, p.server.n_in == 5);
    assert_true(party_has(&p.server, "hello"));
    pair_close(&p);
}

static struct party *direct_party;

static void start_on_first_byte(struct party *p, enum party_event e)
{
    struct error err;
    if (e != PARTY_INPUT || stream_is_tls(&p->stream))
        return;
    struct span hello = buf_span(&p->in);
    assert_int_equal(hello.p[0], 0x16);
    assert_true(stream_start_tls_server(&p->stream, server, hello, &err));
    buf_reset(&p->in);
    assert_false(stream_start_tls_server(&p->stream, server, hello, &err));
    direct_party = p;
}

static void test_tls_starts_from_a_hello_that_was_read_already(void **state)
{
    (void)state;
    struct tls_pair p;
    struct error err;
    int fds[2];
    open_tcp_pair(fds);
    p.loop = loop_new();
    party_open(&p.server, p.loop, fds[0]);
    party_open(&p.client, p.loop, fds[1]);
    p.server.also = start_on_first_byte;
    assert_true(stream_start_tls_client(&p.client.stream, client, "localhost", true, &err));
    pair_settle(&p);
    assert_ptr_equal(direct_party, &p.server);
    assert_true(span_is(stream_alpn(&p.server.stream), "postgresql"));
    assert_true(span_is(stream_alpn(&p.client.stream), "postgresql"));
    stream_write(&p.server.stream, "hello", 5);
    UNTIL(p.loop, p.client.n_in == 5);
    pair_close(&p);
}

static void test_tls_starts_after_bytes_in_clear(void **state)
{
    (void)state;
    struct tls_pair p;
    struct error err;
    int fds[2];
    open_tcp_pair(fds);
    p.loop = loop_new();
    party_open(&p.server, p.loop, fds[0]);
    party_open(&p.client, p.loop, fds[1]);
    stream_write(&p.server.stream, "S", 1);
    assert_true(stream_start_tls_server(&p.server.stream, server, span_of(NULL, 0), &err));
    UNTIL(p.loop, party_has(&p.client, "S"));
    assert_true(stream_start_tls_client(&p.client.stream, client, "localhost", false, &err));
    pair_settle(&p);
    assert_int_equal(p.client.handshakes, 1);
    pair_close(&p);
}

static void test_tls_says_nothing_in_a_handshake(void **state)
{
    (void)state;
    struct tls_pair p;
    pair_open(&p, server, client, "localhost", false);
    assert_int_equal(stream_write(&p.server.stream, "FATAL", 5), STREAM_SEND_FAILED);
    assert_false(stream_detach(&p.server.stream));
    UNTIL(p.loop, p.server.ends);
    assert_int_equal(p.server.how, STREAM_FAILED);
    pair_close(&p);
}

static void test_tls_refuses_what_is_not_tls_and_hellos_that_claim_too_much(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *text;
    } rows[] = {
        {"GET / HTTP/1.0\r\n\r\n", 18, "TLS handshake failed: http request"},
        {"\x16\3\1\2\0\1\0\x40\1", 9,
         "TLS handshake failed: ClientHello of 16385 bytes is too long"},
        {"\x16\3\1\2\0\1\xff\xff\xff", 9,
         "TLS handshake failed: ClientHello of 16777215 bytes is too long"},
        {"\x16\3\1\0\3\1\0\x40\x16", 9,
         "TLS handshake failed: it does not begin with a ClientHello"},
        {"\x16\3\1\2\0\2\0\0\x04", 9, "TLS handshake failed: it does not begin with a ClientHello"},
        {"\x16\3\1\xff\xff\1\0\1\0", 9, "TLS handshake failed: packet length too long"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        for (size_t piece = 1; piece <= rows[i].n; piece += rows[i].n - 1) {
            struct loop *l = loop_new();
            struct party a;
            struct error err;
            int fds[2];
            open_unix_pair(fds, false);
            party_open(&a, l, fds[0]);
            assert_true(stream_start_tls_server(&a.stream, server, span_of(NULL, 0), &err));
            for (size_t at = 0; at < rows[i].n && !a.ends; at += piece) {
                assert_int_equal(write(fds[1], rows[i].bytes + at, piece), piece);
                run_for(l, 1);
            }
            UNTIL(l, a.ends);
            assert_int_equal(a.how, STREAM_FAILED);
            assert_string_equal(a.error.text, rows[i].text);
            party_close(&a);
            close(fds[1]);
            loop_free(&l);
        }
    }
}

static void test_tls_tells_of_a_hangup_during_the_handshake(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct party a;
    struct error err;
    int fds[2];
    open_unix_pair(fds, false);
    party_open(&a, l, fds[0]);
    assert_true(stream_start_tls_client(&a.stream, client, "localhost", false, &err));
    run_for(l, 1000);
    close(fds[1]);
    UNTIL(l, a.ends);
    /* Either is what the kernel says about bytes that nobody read. */
    assert_true(a.how == STREAM_FAILED || a.how == STREAM_RESET);
    assert_int_equal(a.handshakes, 0);
    party_close(&a);
    loop_free(&l);
}

/* ---- endings --------------------------------------------------------------------------- */

static void test_tls_takes_an_end_without_close_notify_as_a_close(void **state)
{
    (void)state;
    struct tls_pair p;
    pair_up(&p, server, client);
    stream_write(&p.client.stream, "last", 4);
    shutdown(p.fds[1], SHUT_WR);
    UNTIL(p.loop, p.server.ends);
    assert_int_equal(p.server.how, STREAM_EOF);
    assert_true(party_has(&p.server, "last"));
    pair_close(&p);
}

static void test_tls_fails_on_a_damaged_record(void **state)
{
    (void)state;
    struct tls_pair p;
    pair_up(&p, server, client);
    assert_int_equal(write(p.fds[1], "\x17\3\3\0\x20................................", 37), 37);
    UNTIL(p.loop, p.server.ends);
    assert_int_equal(p.server.how, STREAM_FAILED);
    assert_string_equal(p.server.error.text, "TLS failed: decryption failed or bad record mac");
    UNTIL(p.loop, p.client.ends); /* it was told by an alert */
    assert_string_equal(p.client.error.text, "TLS failed: sslv3 alert bad record mac");
    pair_close(&p);
}

static void test_tls_stream_may_be_closed_in_each_callback(void **state)
{
    (void)state;
    const unsigned events[] = {PARTY_HANDSHAKE, PARTY_INPUT, PARTY_DRAINED, PARTY_END};
    for (size_t i = 0; i < ROWS(events); i++) {
        struct tls_pair p;
        open_unix_pair(p.fds, true);
        pair_open_on(&p, server, client, "localhost", false);
        p.server.close_in = events[i];
        p.client.also = say_hello;
        UNTIL(p.loop, p.client.handshakes);
        if (events[i] == PARTY_DRAINED) {
            UNTIL(p.loop, p.server.handshakes);
            stream_write(&p.server.stream, bytes, sizeof bytes);
        }
        if (events[i] == PARTY_END)
            stream_close(&p.client.stream);
        UNTIL(p.loop, !stream_is_open(&p.server.stream));
        run_for(p.loop, 1000);
        pair_close(&p);
    }
}

/* A reader of slow peers must not be held up by a burst of handshakes; all are served, though. */
static void test_tls_serves_many_handshakes_at_once(void **state)
{
    (void)state;
    enum { MANY = 30 };
    struct loop *l = loop_new();
    static struct party parties[2 * MANY];
    struct error err;
    for (int i = 0; i < MANY; i++) {
        int fds[2];
        open_unix_pair(fds, false);
        party_open(&parties[2 * i], l, fds[0]);
        party_open(&parties[2 * i + 1], l, fds[1]);
        assert_true(
            stream_start_tls_server(&parties[2 * i].stream, server, span_of(NULL, 0), &err));
        assert_true(
            stream_start_tls_client(&parties[2 * i + 1].stream, client, "localhost", false, &err));
    }
    for (int i = 0; i < 2 * MANY; i++)
        UNTIL(l, parties[i].handshakes);
    for (int i = 0; i < 2 * MANY; i++)
        party_close(&parties[i]);
    loop_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls_streams_talk_both_ways),
        cmocka_unit_test(test_tls_sends_a_composed_burst_in_order),
        cmocka_unit_test(test_tls_carries_records_of_all_sizes_through_a_small_socket),
        cmocka_unit_test(test_tls_handshake_survives_being_split_at_every_byte),
        cmocka_unit_test(test_tls_hands_up_data_that_came_with_the_end_of_the_handshake),
        cmocka_unit_test(test_tls_starts_from_a_hello_that_was_read_already),
        cmocka_unit_test(test_tls_starts_after_bytes_in_clear),
        cmocka_unit_test(test_tls_says_nothing_in_a_handshake),
        cmocka_unit_test(test_tls_refuses_what_is_not_tls_and_hellos_that_claim_too_much),
        cmocka_unit_test(test_tls_tells_of_a_hangup_during_the_handshake),
        cmocka_unit_test(test_tls_takes_an_end_without_close_notify_as_a_close),
        cmocka_unit_test(test_tls_fails_on_a_damaged_record),
        cmocka_unit_test(test_tls_stream_may_be_closed_in_each_callback),
        cmocka_unit_test(test_tls_serves_many_handshakes_at_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
