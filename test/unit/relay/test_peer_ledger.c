/* SPDX-License-Identifier: PostgreSQL */
#include "relay/peer_ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { PEER = 2, QUEUE_MAX = 2 };

static struct peer_place places[5];

static int setup(void **state)
{
    memset(places, 0, sizeof places);
    for (unsigned i = 0; i < 5; i++)
        places[i] = (struct peer_place){.id = i, .worker = (int)i % 2};
    *state = peer_ledger_new();
    return 0;
}

static int teardown(void **state)
{
    struct peer_ledger *l = *state;
    peer_ledger_free(&l);
    return 0;
}

static enum peer_stage enter(struct peer_ledger *l, unsigned i, unsigned limit)
{
    return peer_ledger_enter(l, &places[i], PEER, limit, QUEUE_MAX);
}

/* Whose turn it is; -1: nobody's. */
static int served(struct peer_ledger *l)
{
    uint64_t id;
    int worker;
    if (!peer_ledger_serve(l, &id, &worker))
        return -1;
    assert_int_equal(worker, id % 2);
    assert_int_equal(peer_ledger_stage(l, &places[id]), PEER_CONNECTING);
    return (int)id;
}

static void add(const struct peer_numbers *n, void *arg)
{
    struct peer_numbers *sum = arg;
    assert_int_equal(n->peer, PEER);
    sum->peer++;
    sum->queued += n->queued;
    sum->connecting += n->connecting;
    sum->sent += n->sent;
}

static void assert_numbers(struct peer_ledger *l, int peers, int64_t queued, int64_t connecting,
                           int64_t sent)
{
    struct peer_numbers sum = {0};
    peer_ledger_each(l, add, &sum);
    assert_int_equal(sum.peer, peers);
    assert_int_equal(sum.queued, queued);
    assert_int_equal(sum.connecting, connecting);
    assert_int_equal(sum.sent, sent);
}

static void test_the_limit_holds_and_those_who_wait_are_served_in_order(void **state)
{
    struct peer_ledger *l = *state;
    assert_int_equal(enter(l, 0, 1), PEER_CONNECTING);
    assert_int_equal(enter(l, 1, 1), PEER_QUEUED);
    assert_int_equal(enter(l, 2, 1), PEER_QUEUED);
    assert_int_equal(enter(l, 3, 1), PEER_OUT);
    peer_ledger_sent(l, &places[0]);
    assert_numbers(l, 1, 2, 0, 1);
    assert_int_equal(served(l), -1);
    peer_ledger_leave(l, &places[0]);
    assert_int_equal(served(l), 1);
    assert_int_equal(served(l), -1);
    peer_ledger_leave(l, &places[2]);
    peer_ledger_leave(l, &places[1]);
    peer_ledger_leave(l, &places[3]);
    assert_numbers(l, 1, 0, 0, 0);
}

static void test_without_a_limit_nobody_waits(void **state)
{
    struct peer_ledger *l = *state;
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(enter(l, i, 0), PEER_CONNECTING);
    for (unsigned i = 0; i < 5; i++)
        peer_ledger_leave(l, &places[i]);
}

static bool two(int peer, unsigned *out, void *arg)
{
    (void)peer;
    (void)arg;
    *out = 2;
    return true;
}

static bool gone(int peer, unsigned *out, void *arg)
{
    (void)peer;
    (void)out;
    (void)arg;
    return false;
}

static void test_a_reload_raises_the_limit(void **state)
{
    struct peer_ledger *l = *state;
    for (unsigned i = 0; i < 3; i++)
        enter(l, i, 1);
    peer_ledger_follow(l, two, NULL);
    assert_int_equal(served(l), 1);
    assert_int_equal(served(l), -1);
    for (unsigned i = 0; i < 3; i++)
        peer_ledger_leave(l, &places[i]);
}

static void test_a_peer_that_is_gone_keeps_nobody_waiting_and_is_forgotten(void **state)
{
    struct peer_ledger *l = *state;
    for (unsigned i = 0; i < 3; i++)
        enter(l, i, 1);
    peer_ledger_follow(l, gone, NULL);
    assert_int_equal(served(l), 1);
    assert_int_equal(served(l), 2);
    for (unsigned i = 0; i < 3; i++)
        peer_ledger_leave(l, &places[i]);
    assert_numbers(l, 0, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_limit_holds_and_those_who_wait_are_served_in_order,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_a_limit_nobody_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_reload_raises_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_peer_that_is_gone_keeps_nobody_waiting_and_is_forgotten, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
