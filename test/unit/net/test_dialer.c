/* SPDX-License-Identifier: PostgreSQL */
#include "net/dialer.h"

#include "net/addr_list.h"
#include "net_fixture.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>

struct outcome {
    int calls;
    struct dialer_result result;
};

static void on_dialed(void *owner, const struct dialer_result *result)
{
    struct outcome *o = owner;
    o->calls++;
    o->result = *result;
}

/* A listener whose queue is full: further attempts get no answer. */
struct black_hole {
    struct addr addr;
    int fds[6];
};

static struct addr as_addr(const struct sockaddr_in *in)
{
    struct addr a = {.len = sizeof *in};
    memcpy(&a.u.in4, in, sizeof *in);
    return a;
}

static struct black_hole black_hole_open(void)
{
    struct black_hole h;
    struct sockaddr_in in;
    h.fds[0] = listen_on_loopback(&in);
    listen(h.fds[0], 0);
    h.addr = as_addr(&in);
    for (int i = 1; i < 6; i++) {
        h.fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(h.fds[i], &h.addr.u.sa, h.addr.len);
    }
    return h;
}

static void black_hole_close(struct black_hole *h)
{
    for (int i = 0; i < 6; i++)
        close(h->fds[i]);
}

static struct addr refusing(void)
{
    struct sockaddr_in in;
    close(listen_on_loopback(&in));
    return as_addr(&in);
}

static struct outcome dial(struct loop *l, const struct addr *addrs, size_t n,
                           struct dialer_options o)
{
    struct outcome got = {0};
    struct addr_list *list = addr_list_new(addrs, n);
    assert_non_null(dialer_start(l, list, &o, on_dialed, &got));
    addr_list_unref(&list); /* the dialer has its own */
    assert_int_equal(got.calls, 0);
    UNTIL(l, got.calls);
    run_for(l, 1000);
    assert_int_equal(got.calls, 1);
    return got;
}

static void test_dialer_connects_and_sets_the_options(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct sockaddr_in in;
    int listener = listen_on_loopback(&in);
    struct addr a = as_addr(&in);
    const struct dialer_options o = {.timeout_us = PATIENCE_US,
                                     .tcp = {.keepalive = true,
                                             .keepidle_s = 77,
                                             .keepintvl_s = 11,
                                             .keepcnt = 4,
                                             .user_timeout_ms = 5000,
                                             .buffer_bytes = 20000}};
    /* The kernel keeps room for its own book-keeping: twice of what was asked for (socket(7)). */
    static const struct {
        int level, name, value;
    } rows[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},      {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 77},    {IPPROTO_TCP, TCP_KEEPINTVL, 11},
        {IPPROTO_TCP, TCP_KEEPCNT, 4},      {IPPROTO_TCP, TCP_USER_TIMEOUT, 5000},
        {SOL_SOCKET, SO_SNDBUF, 2 * 20000}, {SOL_SOCKET, SO_RCVBUF, 2 * 20000},
    };
    struct outcome got = dial(l, &a, 1, o);
    assert_true(got.result.fd >= 0);
    assert_true(addr_equal(&got.result.addr, &a));
    assert_true(fcntl(got.result.fd, F_GETFL) & O_NONBLOCK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int value = 0;
        socklen_t len = sizeof value;
        getsockopt(got.result.fd, rows[i].level, rows[i].name, &value, &len);
        assert_int_equal(value, rows[i].value);
    }
    close(got.result.fd);
    close(listener);
    loop_free(&l);
}

static void test_dialer_tells_who_refused(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct addr two[2] = {refusing(), refusing()};
    char addr[ADDR_TEXT], want[200];
    struct outcome got = dial(l, two, 1, (struct dialer_options){0});
    assert_int_equal(got.result.fd, -1);
    snprintf(want, sizeof want, "could not connect to %s: Connection refused",
             addr_text(&two[0], addr, sizeof addr));
    assert_string_equal(got.result.error.text, want);
    got = dial(l, two, 2, (struct dialer_options){0});
    snprintf(want, sizeof want, "could not connect to %s: Connection refused (2 addresses tried)",
             addr_text(&two[1], addr, sizeof addr));
    assert_string_equal(got.result.error.text, want);
    loop_free(&l);
}

static void test_dialer_goes_on_at_once_when_an_address_refuses(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct sockaddr_in in;
    int listener = listen_on_loopback(&in);
    struct addr three[3] = {refusing(), refusing(), as_addr(&in)};
    /* The next address is not waited for: the stagger is longer than the test. */
    struct outcome got = dial(l, three, 3, (struct dialer_options){.stagger_us = 10 * PATIENCE_US});
    assert_true(got.result.fd >= 0);
    assert_true(addr_equal(&got.result.addr, &three[2]));
    close(got.result.fd);
    close(listener);
    loop_free(&l);
}

static void test_dialer_tries_the_next_address_when_one_does_not_answer(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct sockaddr_in in;
    int listener = listen_on_loopback(&in);
    struct black_hole hole = black_hole_open();
    struct addr two[2] = {hole.addr, as_addr(&in)};
    struct outcome got = dial(l, two, 2, (struct dialer_options){.stagger_us = 20000});
    assert_true(got.result.fd >= 0);
    assert_true(addr_equal(&got.result.addr, &two[1]));
    close(got.result.fd);
    got = dial(l, two, 1, (struct dialer_options){.timeout_us = 50000});
    assert_int_equal(got.result.fd, -1);
    assert_non_null(strstr(got.result.error.text, ": timeout after 0.05 s"));
    black_hole_close(&hole);
    close(listener);
    loop_free(&l);
}

static void test_dialer_alternates_between_families(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct sockaddr_in in;
    int good4 = listen_on_loopback(&in);
    struct black_hole hole = black_hole_open();
    struct addr six = {.len = sizeof six.u};
    assert_true(addr_from_literal(&six, "::1", 0));
    int good6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (good6 < 0 || bind(good6, &six.u.sa, six.len) != 0)
        skip(); /* no IPv6 here */
    listen(good6, 4);
    getsockname(good6, &six.u.sa, &six.len);
    struct addr three[3] = {hole.addr, as_addr(&in), six};
    struct outcome got = dial(l, three, 3, (struct dialer_options){.stagger_us = 20000});
    assert_true(got.result.fd >= 0);
    assert_true(addr_equal(&got.result.addr, &six)); /* second in turn, though last in the list */
    close(got.result.fd);
    black_hole_close(&hole);
    close(good4);
    close(good6);
    loop_free(&l);
}

static void test_dialer_can_be_cancelled_at_any_time(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    struct black_hole hole = black_hole_open();
    struct addr_list *list = addr_list_new(&hole.addr, 1);
    for (int turns = 0; turns < 2; turns++) {
        /* The second must not end by itself before it is cancelled, also on a busy machine. */
        const struct dialer_options o = {.timeout_us = turns ? 60000000 : 30000};
        struct outcome got = {0};
        struct dialer *d = dialer_start(l, list, &o, on_dialed, &got);
        if (turns)
            run_for(l, 5000);
        dialer_cancel(&d);
        assert_null(d);
        run_for(l, 50000);
        assert_int_equal(got.calls, 0);
    }
    struct dialer *none = NULL;
    dialer_cancel(&none);
    addr_list_unref(&list);
    black_hole_close(&hole);
    loop_free(&l);
}

static void accept_one(void *arg)
{
    close(accept(*(int *)arg, NULL, NULL));
}

static void test_dialer_reaches_unix_sockets_even_with_a_full_queue(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    char name[128];
    struct addr a;
    int fds[4];
    snprintf(name, sizeof name, "@pgballast-dial-%ld", (long)getpid());
    assert_true(addr_from_path(&a, name));
    struct outcome got = dial(l, &a, 1, (struct dialer_options){0});
    snprintf(name, sizeof name, "could not connect to unix:@pgballast-dial-%ld: Connection refused",
             (long)getpid());
    assert_string_equal(got.result.error.text, name);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, &a.u.sa, a.len), 0);
    listen(listener, 0);
    for (int i = 0; i < 4; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fds[i], &a.u.sa, a.len);
    }
    got = dial(l, &a, 1, (struct dialer_options){.timeout_us = 50000});
    assert_non_null(strstr(got.result.error.text, "its queue is full after 0.05 s"));
    struct timer later;
    timer_init(&later, l, accept_one, &listener);
    timer_set(&later, loop_now(l) + 30000);
    got = dial(l, &a, 1, (struct dialer_options){.timeout_us = PATIENCE_US});
    assert_true(got.result.fd >= 0);
    close(got.result.fd);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    close(listener);
    timer_fini(&later);
    loop_free(&l);
}

static void test_addr_list_is_counted_and_knows_its_members(void **state)
{
    (void)state;
    struct addr other;
    struct addr_list *l = addr_list_from_literal("127.0.0.1", 5432);
    assert_non_null(l);
    struct addr_list *again = addr_list_ref(l);
    addr_list_unref(&l);
    assert_null(l);
    assert_int_equal(again->n, 1);
    assert_true(addr_list_has(again, &again->each[0]));
    assert_true(addr_from_literal(&other, "127.0.0.1", 5433));
    assert_false(addr_list_has(again, &other));
    addr_list_unref(&again);
    assert_null(addr_list_from_literal("localhost", 1));
    l = addr_list_from_literal("/tmp/.s.PGSQL.5432", 1);
    assert_true(addr_is_unix(&l->each[0]));
    addr_list_unref(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialer_connects_and_sets_the_options),
        cmocka_unit_test(test_dialer_tells_who_refused),
        cmocka_unit_test(test_dialer_goes_on_at_once_when_an_address_refuses),
        cmocka_unit_test(test_dialer_tries_the_next_address_when_one_does_not_answer),
        cmocka_unit_test(test_dialer_alternates_between_families),
        cmocka_unit_test(test_dialer_can_be_cancelled_at_any_time),
        cmocka_unit_test(test_dialer_reaches_unix_sockets_even_with_a_full_queue),
        cmocka_unit_test(test_addr_list_is_counted_and_knows_its_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
