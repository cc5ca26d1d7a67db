/* SPDX-License-Identifier: PostgreSQL */
#include "net/stream.h"

#include "net_fixture.h"

#include <errno.h>
#include <time.h>

static void echo(struct party *p, enum party_event e)
{
    if (e != PARTY_INPUT)
        return;
    stream_write(&p->stream, buf_span(&p->in).p, buf_len(&p->in));
    buf_reset(&p->in);
}

/* ---- sending and receiving ------------------------------------------------------------- */

static void test_stream_hands_up_what_was_sent_in_one_piece(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct party a, b;
    struct outgoing o = {0};
    int fds[2];
    open_tcp_pair(fds);
    party_open(&a, l, fds[0]);
    party_open(&b, l, fds[1]);
    outgoing_ref(&o, "hello ", 6);
    buf_append(outgoing_buf(&o), "big ", 4);
    outgoing_ref(&o, "world", 5);
    assert_int_equal(stream_send(&a.stream, &o), STREAM_SEND_DONE);
    assert_int_equal(outgoing_bytes(&o), 0);
    assert_int_equal(stream_send(&a.stream, &o), STREAM_SEND_DONE); /* of nothing */
    UNTIL(l, b.n_in == 15);
    assert_true(party_has(&b, "hello big world"));
    assert_int_equal(b.inputs, 1);
    assert_false(stream_is_unix(&a.stream));
    outgoing_fini(&o);
    party_close(&a);
    UNTIL(l, b.ends);
    assert_int_equal(b.how, STREAM_EOF);
    assert_int_equal(b.ends, 1);
    party_close(&b);
    loop_free(&l);
}

struct flood {
    struct party *to;
    size_t sent, total, chunk;
    int blocked;
};

static uint8_t flood_bytes[200000];

static void flood_on(struct party *p)
{
    struct flood *f = p->data;
    while (f->sent < f->total && !stream_is_blocked(&p->stream)) {
        size_t n = f->total - f->sent < f->chunk ? f->total - f->sent : f->chunk;
        fill_pattern(flood_bytes, f->sent, n);
        enum stream_sent r = stream_write(&p->stream, flood_bytes, n);
        assert_int_not_equal(r, STREAM_SEND_FAILED);
        assert_int_equal(r == STREAM_SEND_BLOCKED, stream_unsent(&p->stream) > 0);
        f->blocked += r == STREAM_SEND_BLOCKED;
        f->sent += n;
    }
}

static void flood(struct party *p, enum party_event e)
{
    if (e == PARTY_DRAINED)
        flood_on(p);
}

static void pause_now_and_then(struct party *p, enum party_event e)
{
    if (e == PARTY_INPUT && p->inputs % 7 == 0)
        stream_pause(&p->stream);
}

static void test_stream_carries_megabytes_through_a_small_socket_with_pauses(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct party a, b;
    int fds[2];
    open_unix_pair(fds, true);
    party_open(&a, l, fds[0]);
    party_open(&b, l, fds[1]);
    struct flood f = {.to = &b, .total = 4 << 20, .chunk = 200000};
    a.data = &f;
    a.also = flood;
    b.forget = true;
    b.also = pause_now_and_then;
    flood_on(&a);
    while (b.n_in < f.total) {
        UNTIL(l, stream_is_paused(&b.stream) || b.n_in == f.total);
        run_for(l, 200); /* the sender fills the socket */
        stream_resume(&b.stream);
    }
    assert_true(f.blocked > 0);
    assert_true(a.drained > 0);
    assert_false(stream_is_blocked(&a.stream));
    party_close(&a);
    party_close(&b);
    loop_free(&l);
}

static void test_stream_appends_to_what_is_stuck(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct party a, b;
    int fds[2];
    open_unix_pair(fds, true);
    party_open(&a, l, fds[0]);
    party_open(&b, l, fds[1]);
    b.forget = true;
    size_t total = 0;
    for (int i = 0; i < 50; i++) {
        fill_pattern(flood_bytes, total, 3000);
        stream_write(&a.stream, flood_bytes, 3000);
        total += 3000;
    }
    assert_true(stream_is_blocked(&a.stream));
    UNTIL(l, b.n_in == total && !stream_is_blocked(&a.stream));
    assert_int_equal(a.drained, 1);
    party_close(&a);
    party_close(&b);
    loop_free(&l);
}

/* ---- endings --------------------------------------------------------------------------- */

static void test_stream_tells_of_a_reset(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct party b;
    int fds[2];
    open_tcp_pair(fds);
    party_open(&b, l, fds[1]);
    close_with_reset(fds[0]);
    UNTIL(l, b.ends);
    assert_int_equal(b.how, STREAM_RESET);
    assert_string_equal(b.error.text, "could not receive data: Connection reset by peer");
    assert_int_equal(stream_write(&b.stream, "x", 1), STREAM_SEND_FAILED);
    run_for(l, 1000);
    assert_int_equal(b.ends, 1);
    party_close(&b);
    assert_int_equal(stream_write(&b.stream, "x", 1), STREAM_SEND_FAILED);
    loop_free(&l);
}

/* A server that is shut down says why and hangs up; whoever writes to it meanwhile gets EPIPE. */
static void test_stream_reads_last_words_before_it_tells_that_sending_failed(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct party a;
    int fds[2];
    open_unix_pair(fds, false);
    party_open(&a, l, fds[0]);
    assert_int_equal(write(fds[1], "last words", 10), 10);
    close(fds[1]);
    assert_int_equal(stream_write(&a.stream, "x", 1), STREAM_SEND_FAILED);
    assert_int_equal(a.ends, 0); /* never from inside stream_write */
    UNTIL(l, a.ends);
    assert_true(party_has(&a, "last words"));
    assert_int_equal(a.ends, 1);
    party_close(&a);
    loop_free(&l);
}

static void test_stream_tells_why_sending_failed_if_there_is_nothing_to_read(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct party a;
    int fds[2];
    open_unix_pair(fds, false);
    party_open(&a, l, fds[0]);
    shutdown(fds[0], SHUT_WR);
    assert_int_equal(stream_write(&a.stream, "x", 1), STREAM_SEND_FAILED);
    UNTIL(l, a.ends);
    assert_int_equal(a.how, STREAM_RESET);
    assert_string_equal(a.error.text, "could not send data: Broken pipe");
    party_close(&a);
    close(fds[1]);
    loop_free(&l);
}

static void test_stream_can_still_send_after_the_peer_has_said_all(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct party a;
    int fds[2];
    char got[8];
    open_tcp_pair(fds);
    party_open(&a, l, fds[0]);
    shutdown(fds[1], SHUT_WR);
    UNTIL(l, a.ends);
    assert_int_equal(a.how, STREAM_EOF);
    assert_int_equal(stream_write(&a.stream, "bye", 3), STREAM_SEND_DONE);
    party_close(&a);
    assert_int_equal(fcntl(fds[1], F_SETFL, 0), 0);
    assert_int_equal(read(fds[1], got, sizeof got), 3);
    close(fds[1]);
    loop_free(&l);
}

/* An unread byte makes close send a reset, which would destroy an error report on its way. */
static void test_stream_close_lets_the_last_message_arrive_despite_unread_input(void **state)
{
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        struct loop *l = loop_new();
        struct party a;
        int fds[2];
        char got[16];
        if (tcp)
            open_tcp_pair(fds);
        else
            open_unix_pair(fds, false);
        party_open(&a, l, fds[0]);
        assert_int_equal(write(fds[1], "unread", 6), 6);
        stream_write(&a.stream, "FATAL", 5);
        party_close(&a);
        assert_int_equal(fcntl(fds[1], F_SETFL, 0), 0);
        assert_int_equal(read(fds[1], got, sizeof got), 5);
        assert_int_equal(read(fds[1], got, sizeof got), 0);
        close(fds[1]);
        loop_free(&l);
    }
}

static void close_peer_and_self(struct party *p, enum party_event e)
{
    (void)e;
    if (p->data)
        stream_close(p->data);
}

static void test_stream_may_be_closed_in_each_callback(void **state)
{
    (void)state;
    const unsigned events[] = {PARTY_INPUT, PARTY_DRAINED, PARTY_END, PARTY_HANGUP};
    for (size_t i = 0; i < ROWS(events); i++) {
        struct loop *l = loop_new();
        struct party a, b;
        int fds[2];
        open_unix_pair(fds, true);
        party_open(&a, l, fds[0]);
        party_open(&b, l, fds[1]);
        a.close_in = events[i];
        fill_pattern(flood_bytes, 0, sizeof flood_bytes);
        if (events[i] == PARTY_DRAINED)
            stream_write(&a.stream, flood_bytes, 100000);
        else
            stream_write(&b.stream, "x", 1);
        if (events[i] == PARTY_HANGUP)
            stream_pause(&a.stream);
        if (events[i] == PARTY_END || events[i] == PARTY_HANGUP)
            party_close(&b);
        UNTIL(l, !stream_is_open(&a.stream));
        run_for(l, 1000);
        stream_close(&a.stream); /* again: nothing */
        party_close(&a);
        party_close(&b);
        loop_free(&l);
    }
}

static void test_stream_may_be_closed_by_another_in_the_same_turn(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct party a, b;
    int x[2], y[2];
    open_unix_pair(x, false);
    open_unix_pair(y, false);
    party_open(&a, l, x[0]);
    party_open(&b, l, y[0]);
    a.also = b.also = close_peer_and_self;
    a.data = &b.stream;
    b.data = &a.stream;
    assert_int_equal(write(x[1], "x", 1), 1);
    assert_int_equal(write(y[1], "y", 1), 1);
    UNTIL(l, !stream_is_open(&a.stream) || !stream_is_open(&b.stream));
    run_for(l, 1000);
    assert_int_equal(a.inputs + b.inputs, 1);
    party_close(&a);
    party_close(&b);
    close(x[1]);
    close(y[1]);
    loop_free(&l);
}

/* ---- pausing --------------------------------------------------------------------------- */

static void test_stream_that_is_frozen_is_not_read_whatever_is_resumed(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct party a;
    int fds[2];
    open_unix_pair(fds, false);
    party_open(&a, l, fds[0]);
    stream_freeze(&a.stream, true);
    assert_int_equal(write(fds[1], "x", 1), 1);
    stream_pause(&a.stream);
    stream_resume(&a.stream);
    stream_pull(&a.stream);
    run_for(l, 10000);
    assert_int_equal(a.inputs, 0);
    stream_pause(&a.stream);
    stream_freeze(&a.stream, false);
    run_for(l, 10000);
    assert_int_equal(a.inputs, 0);
    stream_resume(&a.stream);
    UNTIL(l, a.inputs == 1);
    stream_freeze(&a.stream, true);
    assert_int_equal(write(fds[1], "x", 1), 1);
    stream_freeze(&a.stream, false);
    UNTIL(l, a.inputs == 2);
    party_close(&a);
    close(fds[1]);
    loop_free(&l);
}

static void test_stream_does_not_read_while_paused(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct party a;
    int fds[2];
    open_unix_pair(fds, false);
    party_open(&a, l, fds[0]);
    stream_pause(&a.stream);
    stream_pause(&a.stream);
    assert_int_equal(write(fds[1], "x", 1), 1);
    run_for(l, 10000);
    assert_int_equal(a.inputs, 0);
    stream_pull(&a.stream);
    assert_int_equal(a.inputs, 0);
    stream_resume(&a.stream);
    stream_resume(&a.stream);
    UNTIL(l, a.inputs);
    assert_int_equal(a.hangups, 0);
    party_close(&a);
    close(fds[1]);
    loop_free(&l);
}

static uint64_t cpu_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * US_PER_S + (uint64_t)ts.tv_nsec / 1000;
}

/* A peer may go in order or by a reset, with and without bytes that nobody has read. */
static void test_stream_notices_a_hangup_while_paused_and_does_not_spin(void **state)
{
    (void)state;
    for (int row = 0; row < 8; row++) {
        bool tcp = row & 1, reset = row & 2, unread = row & 4;
        if (reset && !tcp)
            continue; /* Unix sockets know no reset of this kind */
        struct loop *l = loop_new();
        struct party a;
        int fds[2];
        if (tcp)
            open_tcp_pair(fds);
        else
            open_unix_pair(fds, false);
        party_open(&a, l, fds[0]);
        stream_pause(&a.stream);
        if (unread)
            assert_int_equal(write(fds[1], "unread", 6), 6);
        run_for(l, 2000);
        if (reset)
            close_with_reset(fds[1]);
        else
            close(fds[1]);
        if (unread) {
            UNTIL(l, a.hangups);
            uint64_t before = cpu_us();
            run_for(l, 100000);
            assert_true(cpu_us() - before < 50000);
            assert_int_equal(a.hangups, 1);
            assert_int_equal(a.ends, 0);
            stream_resume(&a.stream);
            UNTIL(l, a.ends);
            assert_true(party_has(&a, "unread"));
        } else {
            UNTIL(l, a.ends);
            assert_int_equal(a.hangups, 0);
        }
        assert_int_equal(a.how, reset ? STREAM_RESET : STREAM_EOF);
        assert_int_equal(a.ends, 1);
        party_close(&a);
        loop_free(&l);
    }
}

static void test_stream_without_interest_in_hangups_keeps_all_bytes_for_later(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct stream_ops ops = party_ops;
    struct party a = {0};
    int fds[2];
    ops.on_hangup = NULL;
    open_tcp_pair(fds);
    stream_init(&a.stream, &ops, &a);
    stream_open(&a.stream, l, fds[0]);
    stream_pause(&a.stream);
    assert_int_equal(write(fds[1], "result", 6), 6);
    close(fds[1]);
    run_for(l, 10000);
    assert_int_equal(a.inputs + a.ends, 0);
    stream_resume(&a.stream);
    UNTIL(l, a.ends);
    assert_true(party_has(&a, "result"));
    party_close(&a);
    loop_free(&l);
}

/* ---- pulling --------------------------------------------------------------------------- */

static void test_stream_pull_reads_what_is_there_and_its_end(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct party a;
    int fds[2];
    open_unix_pair(fds, false);
    party_open(&a, l, fds[0]);
    stream_pull(&a.stream);
    assert_int_equal(a.inputs + a.ends, 0);
    assert_int_equal(write(fds[1], "goodbye", 7), 7);
    close(fds[1]);
    stream_pull(&a.stream);
    assert_true(party_has(&a, "goodbye"));
    assert_int_equal(a.ends, 1);
    party_close(&a);
    loop_free(&l);
}

static void test_stream_begins_with_what_has_been_said_and_goes_on_reading(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct party a = {0};
    int fds[2];
    open_unix_pair(fds, false);
    stream_init(&a.stream, &party_ops, &a);
    stream_open_unwatched(&a.stream, l, fds[0]);
    assert_int_equal(write(fds[1], "hello", 5), 5);
    run_for(l, 1000);
    assert_int_equal(a.inputs, 0);
    stream_begin(&a.stream, true);
    assert_true(party_has(&a, "hello"));
    assert_int_equal(write(fds[1], ", world", 7), 7);
    UNTIL(l, a.inputs == 2);
    assert_true(party_has(&a, "hello, world"));
    close(fds[1]);
    UNTIL(l, a.ends);
    party_close(&a);
    loop_free(&l);
}

static void test_stream_begins_when_it_is_not_frozen_any_more(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct party a = {0};
    int fds[2];
    open_unix_pair(fds, false);
    stream_init(&a.stream, &party_ops, &a);
    stream_open_unwatched(&a.stream, l, fds[0]);
    stream_freeze(&a.stream, true);
    assert_int_equal(write(fds[1], "hello", 5), 5);
    stream_begin(&a.stream, true);
    run_for(l, 1000);
    assert_int_equal(a.inputs, 0);
    stream_freeze(&a.stream, false);
    UNTIL(l, a.inputs == 1);
    party_close(&a);
    close(fds[1]);
    loop_free(&l);
}

/* ---- peers ----------------------------------------------------------------------------- */

static void test_stream_knows_its_addresses_and_a_unix_peer(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct party a, b;
    struct addr mine, theirs;
    int fds[2];
    uid_t uid;
    pid_t pid;
    open_tcp_pair(fds);
    party_open(&a, l, fds[0]);
    party_open(&b, l, fds[1]);
    assert_true(stream_local_addr(&a.stream, &mine));
    assert_true(stream_peer_addr(&b.stream, &theirs));
    assert_true(addr_equal(&mine, &theirs));
    assert_false(stream_peer_cred(&a.stream, &uid, &pid));
    party_close(&a);
    party_close(&b);
    assert_false(stream_peer_addr(&b.stream, &theirs));
    open_unix_pair(fds, false);
    party_open(&a, l, fds[0]);
    assert_true(stream_is_unix(&a.stream));
    assert_true(stream_peer_cred(&a.stream, &uid, &pid));
    assert_int_equal(uid, getuid());
    assert_int_equal(pid, getpid());
    party_close(&a);
    close(fds[1]);
    loop_free(&l);
}

static void test_stream_is_small(void **state)
{
    (void)state;
    /* An idle client may cost 1.1 KiB in all. */
    assert_true(sizeof(struct stream) <= 320);
}

static void test_stream_echoes(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct party a, b;
    int fds[2];
    open_tcp_pair(fds);
    party_open(&a, l, fds[0]);
    party_open(&b, l, fds[1]);
    b.also = echo;
    for (int i = 1; i <= 100; i++) {
        stream_write(&a.stream, "0123456789", 10);
        UNTIL(l, a.n_in == 10 * (size_t)i);
    }
    party_close(&a);
    party_close(&b);
    loop_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_hands_up_what_was_sent_in_one_piece),
        cmocka_unit_test(test_stream_echoes),
        cmocka_unit_test(test_stream_carries_megabytes_through_a_small_socket_with_pauses),
        cmocka_unit_test(test_stream_appends_to_what_is_stuck),
        cmocka_unit_test(test_stream_tells_of_a_reset),
        cmocka_unit_test(test_stream_reads_last_words_before_it_tells_that_sending_failed),
        cmocka_unit_test(test_stream_tells_why_sending_failed_if_there_is_nothing_to_read),
        cmocka_unit_test(test_stream_can_still_send_after_the_peer_has_said_all),
        cmocka_unit_test(test_stream_close_lets_the_last_message_arrive_despite_unread_input),
        cmocka_unit_test(test_stream_may_be_closed_in_each_callback),
        cmocka_unit_test(test_stream_may_be_closed_by_another_in_the_same_turn),
        cmocka_unit_test(test_stream_does_not_read_while_paused),
        cmocka_unit_test(test_stream_that_is_frozen_is_not_read_whatever_is_resumed),
        cmocka_unit_test(test_stream_notices_a_hangup_while_paused_and_does_not_spin),
        cmocka_unit_test(test_stream_without_interest_in_hangups_keeps_all_bytes_for_later),
        cmocka_unit_test(test_stream_pull_reads_what_is_there_and_its_end),
        cmocka_unit_test(test_stream_begins_with_what_has_been_said_and_goes_on_reading),
        cmocka_unit_test(test_stream_begins_when_it_is_not_frozen_any_more),
        cmocka_unit_test(test_stream_knows_its_addresses_and_a_unix_peer),
        cmocka_unit_test(test_stream_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
