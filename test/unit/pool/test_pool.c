/* SPDX-License-Identifier: PostgreSQL */
/* Who gets which server: every order of arrival, and either side dying in each state. */
#include "pool/pool.h"

#include "pool_fixture.h"

#include <string.h>

#define N 8

struct scene {
    struct pool *p;
    struct pool_server s[N];
    struct pool_waiter c[N];
};

/* Clients 0.. are of workers 0, 1, 0, 1 ...; no server yet. */
static struct scene scene_of(struct pool *p)
{
    struct scene sc = {.p = p};

    for (unsigned i = 0; i < N; i++)
        sc.c[i] = client_of(100 + i, i % 2);
    return sc;
}

static void scene_end(struct scene *sc)
{
    for (unsigned i = 0; i < N; i++)
        pool_cancel_wait(sc->p, &sc->c[i]);
    close_all(sc->p, sc->s, N);
    pool_free(&sc->p);
}

static void test_acquire_takes_the_newest_idle_server_of_its_own_worker(void **state)
{
    (void)state;
    struct scene sc = scene_of(pool_sized(2, 3));
    struct pool_decision d;

    opened_idle(sc.p, &sc.s[0], 1, 0, 10);
    opened_idle(sc.p, &sc.s[1], 2, 0, 20);
    opened_idle(sc.p, &sc.s[2], 3, 1, 30);
    d = acquire(sc.p, &sc.c[0], 40);
    assert_int_equal(d.what, POOL_TAKE);
    assert_ptr_equal(d.server, &sc.s[1]);
    assert_int_equal(sc.s[1].state, POOL_SERVER_LINKED);
    assert_int_equal(release(sc.p, &sc.s[1], 50).what, POOL_KEEP);
    scene_end(&sc);
}

static void test_acquire_asks_for_the_oldest_of_the_longest_foreign_list(void **state)
{
    (void)state;
    struct scene sc = scene_of(pool_sized(3, 4));
    struct pool_decision d;

    opened_idle(sc.p, &sc.s[0], 1, 1, 10);
    opened_idle(sc.p, &sc.s[1], 2, 2, 20);
    opened_idle(sc.p, &sc.s[2], 3, 2, 30);
    d = acquire(sc.p, &sc.c[0], 40);
    assert_int_equal(d.what, POOL_ASK);
    assert_int_equal(d.server_id, 2);
    assert_int_equal(d.server_worker, 2);
    assert_int_equal(sc.s[1].state, POOL_SERVER_PROMISED);
    assert_int_equal(sc.c[0].state, POOL_WAITER_PROMISED);

    assert_true(pool_wanted(sc.p, &sc.s[1]));
    assert_int_equal(sc.s[1].state, POOL_SERVER_MOVING);
    assert_true(pool_handed(sc.p, &sc.s[1], 0, &sc.c[0]));
    assert_int_equal(sc.s[1].state, POOL_SERVER_LINKED);
    assert_int_equal(sc.s[1].worker, 0);
    assert_int_equal(sc.c[0].state, POOL_WAITER_NONE);
    assert_int_equal(numbers(sc.p, 50).handovers, 1);
    scene_end(&sc);
}

static void test_with_round_robin_the_servers_of_all_workers_take_turns(void **state)
{
    (void)state;
    struct pool_settings set = sized(3);
    set.round_robin = true;
    struct scene sc = scene_of(pool_with(2, set, NULL));
    struct pool_decision d;

    opened_idle(sc.p, &sc.s[0], 1, 0, 10);
    opened_idle(sc.p, &sc.s[1], 2, 1, 20);
    opened_idle(sc.p, &sc.s[2], 3, 0, 30);
    d = acquire(sc.p, &sc.c[0], 40);
    assert_int_equal(d.what, POOL_TAKE);
    assert_ptr_equal(d.server, &sc.s[0]);
    assert_int_equal(release(sc.p, &sc.s[0], 50).what, POOL_KEEP);

    d = acquire(sc.p, &sc.c[0], 60);
    assert_int_equal(d.what, POOL_ASK);
    assert_int_equal(d.server_id, 2);
    assert_true(pool_wanted(sc.p, &sc.s[1]));
    assert_true(pool_handed(sc.p, &sc.s[1], 0, &sc.c[0]));
    assert_int_equal(release(sc.p, &sc.s[1], 70).what, POOL_KEEP);

    d = acquire(sc.p, &sc.c[0], 80);
    assert_int_equal(d.what, POOL_TAKE);
    assert_ptr_equal(d.server, &sc.s[2]);
    assert_int_equal(release(sc.p, &sc.s[2], 90).what, POOL_KEEP);
    scene_end(&sc);
}

static void test_waiters_are_served_in_the_order_of_arrival(void **state)
{
    (void)state;
    struct pool_settings set = sized(1);
    set.window = 0;
    struct scene sc = scene_of(pool_with(2, set, NULL));

    opened_idle(sc.p, &sc.s[0], 1, 0, 10);
    assert_int_equal(acquire(sc.p, &sc.c[0], 20).what, POOL_TAKE);
    for (unsigned i = 1; i < N; i++) {
        struct pool_decision d = acquire(sc.p, &sc.c[i], 20 + i);

        assert_int_equal(d.what, POOL_WAIT);
        assert_false(d.dial);
    }
    for (unsigned i = 1; i < N; i++) {
        struct pool_release r = release(sc.p, &sc.s[0], 100);

        assert_int_equal(r.what, POOL_GIVE_AWAY);
        assert_int_equal(r.client_id, sc.c[i].id);
        assert_int_equal(r.client_worker, sc.c[i].worker);
        assert_true(pool_handed(sc.p, &sc.s[0], sc.c[i].worker, &sc.c[i]));
    }
    scene_end(&sc);
}

static void test_a_newcomer_does_not_overtake_those_who_wait(void **state)
{
    (void)state;
    struct scene sc = scene_of(pool_sized(1, 1));

    for (unsigned i = 0; i < N; i++)
        sc.c[i].worker = 0;
    opened_idle(sc.p, &sc.s[0], 1, 0, 10);
    acquire(sc.p, &sc.c[0], 20);
    acquire(sc.p, &sc.c[1], 30);
    /* The server comes free and goes to the waiter at once; the first client asks again. */
    assert_ptr_equal(release(sc.p, &sc.s[0], 40).waiter, &sc.c[1]);
    assert_int_equal(acquire(sc.p, &sc.c[0], 40).what, POOL_WAIT);
    assert_ptr_equal(release(sc.p, &sc.s[0], 50).waiter, &sc.c[0]);
    scene_end(&sc);
}

static void test_all_clients_on_one_worker_get_the_whole_pool(void **state)
{
    (void)state;
    struct scene sc = scene_of(pool_sized(4, N));
    unsigned got = 0;

    /* Servers were dialled by all four workers, clients live on the last: a pool whose size is
     * divided by the workers serves two of them. */
    for (unsigned i = 0; i < N; i++)
        opened_idle(sc.p, &sc.s[i], 1 + i, i % 4, 10 + i);
    for (unsigned i = 0; i < N; i++) {
        struct pool_decision d;

        sc.c[i].worker = 3;
        d = acquire(sc.p, &sc.c[i], 50);
        if (d.what == POOL_ASK) {
            assert_true(pool_wanted(sc.p, &sc.s[d.server_id - 1]));
            assert_true(pool_handed(sc.p, &sc.s[d.server_id - 1], 3, &sc.c[i]));
        }
        got += d.what == POOL_TAKE || d.what == POOL_ASK;
    }
    assert_int_equal(got, N);
    scene_end(&sc);
}

static void test_a_full_queue_refuses_with_its_length(void **state)
{
    (void)state;
    struct pool_settings set = sized(1);
    set.max_wait_queue = 2;
    struct scene sc = scene_of(pool_with(2, set, NULL));
    struct pool_decision d;

    opened_idle(sc.p, &sc.s[0], 1, 0, 10);
    acquire(sc.p, &sc.c[0], 20);
    assert_int_equal(acquire(sc.p, &sc.c[1], 21).what, POOL_WAIT);
    assert_int_equal(acquire(sc.p, &sc.c[2], 22).what, POOL_WAIT);
    d = acquire(sc.p, &sc.c[3], 23);
    assert_int_equal(d.what, POOL_REFUSE);
    assert_int_equal(d.reason, POOL_REFUSED_QUEUE_FULL);
    assert_string_equal(d.error.sqlstate, "53300");
    assert_non_null(strstr(d.error.text, "2 clients are waiting"));
    assert_int_equal(numbers(sc.p, 30).refused[POOL_REFUSED_QUEUE_FULL], 1);

    /* Who had a place keeps it even then. */
    sc.c[4].since_us = 5;
    pool_acquire_again(sc.p, &sc.c[4], 31, &d);
    assert_int_equal(d.what, POOL_WAIT);
    scene_end(&sc);
}

static void test_a_client_that_waits_again_keeps_its_place(void **state)
{
    (void)state;
    struct pool_settings set = sized(2);
    set.window = 0;
    struct scene sc = scene_of(pool_with(2, set, NULL));
    struct pool_decision d;

    opened_idle(sc.p, &sc.s[0], 1, 1, 10);
    opened_idle(sc.p, &sc.s[1], 2, 1, 11);
    assert_int_equal(acquire(sc.p, &sc.c[0], 20).what, POOL_ASK); /* server 1 */
    assert_int_equal(acquire(sc.p, &sc.c[1], 21).what, POOL_TAKE);
    assert_int_equal(acquire(sc.p, &sc.c[3], 22).what, POOL_WAIT);
    assert_int_equal(acquire(sc.p, &sc.c[5], 23).what, POOL_WAIT);

    assert_int_equal(pool_idle_died(sc.p, &sc.s[0]), POOL_DIED_PROMISED);
    assert_int_equal(pool_idle_died(sc.p, &sc.s[0]), POOL_DIED_PROMISED);
    assert_false(pool_wanted(sc.p, &sc.s[0]));
    assert_true(pool_closed(sc.p, &sc.s[0], 30));
    assert_true(pool_gone(sc.p, &sc.c[0], 1, 30, &d));
    assert_int_equal(d.what, POOL_WAIT);
    assert_int_equal(release(sc.p, &sc.s[1], 40).client_id, sc.c[0].id);
    assert_sound(sc.p);
    scene_end(&sc);
}

static void test_news_of_an_earlier_promise_is_ignored(void **state)
{
    (void)state;
    struct scene sc = scene_of(pool_sized(2, 2));
    struct pool_decision d;

    opened_idle(sc.p, &sc.s[0], 1, 1, 10);
    opened_idle(sc.p, &sc.s[1], 2, 1, 11);
    assert_int_equal(acquire(sc.p, &sc.c[0], 20).server_id, 1);
    assert_int_equal(pool_cancel_wait(sc.p, &sc.c[0]), POOL_WAIT_PROMISED);
    assert_int_equal(pool_cancel_wait(sc.p, &sc.c[0]), POOL_WAS_NOT_WAITING);
    assert_int_equal(acquire(sc.p, &sc.c[0], 30).server_id, 2);

    assert_false(pool_gone(sc.p, &sc.c[0], 1, 40, &d));
    assert_true(pool_wanted(sc.p, &sc.s[0]));
    assert_false(pool_handed(sc.p, &sc.s[0], 0, &sc.c[0]));
    assert_int_equal(release(sc.p, &sc.s[0], 50).what, POOL_KEEP);
    assert_true(pool_wanted(sc.p, &sc.s[1]));
    assert_true(pool_handed(sc.p, &sc.s[1], 0, &sc.c[0]));
    scene_end(&sc);
}

static void test_a_client_may_leave_in_each_state(void **state)
{
    (void)state;
    struct scene sc = scene_of(pool_sized(2, 1));

    assert_int_equal(pool_cancel_wait(sc.p, &sc.c[0]), POOL_WAS_NOT_WAITING);
    opened_idle(sc.p, &sc.s[0], 1, 1, 10);

    /* A foreign server is promised; the next client waits; the first leaves. */
    assert_int_equal(acquire(sc.p, &sc.c[0], 20).what, POOL_ASK);
    assert_int_equal(acquire(sc.p, &sc.c[2], 21).what, POOL_WAIT);
    assert_int_equal(pool_cancel_wait(sc.p, &sc.c[0]), POOL_WAIT_PROMISED);
    assert_true(pool_wanted(sc.p, &sc.s[0]));
    assert_false(pool_handed(sc.p, &sc.s[0], 0, NULL));
    assert_ptr_equal(release(sc.p, &sc.s[0], 30).waiter, &sc.c[2]);

    /* In the queue. */
    assert_int_equal(acquire(sc.p, &sc.c[4], 40).what, POOL_WAIT);
    assert_int_equal(pool_cancel_wait(sc.p, &sc.c[4]), POOL_WAIT_REMOVED);
    assert_int_equal(release(sc.p, &sc.s[0], 50).what, POOL_KEEP);

    /* After a released server was sent to it. */
    acquire(sc.p, &sc.c[0], 60);
    acquire(sc.p, &sc.c[1], 61);
    assert_int_equal(release(sc.p, &sc.s[0], 62).what, POOL_GIVE_AWAY);
    assert_int_equal(pool_cancel_wait(sc.p, &sc.c[1]), POOL_WAIT_PROMISED);
    assert_false(pool_handed(sc.p, &sc.s[0], 1, NULL));
    assert_int_equal(release(sc.p, &sc.s[0], 63).what, POOL_KEEP);
    scene_end(&sc);
}

static void test_a_server_may_die_in_each_state(void **state)
{
    (void)state;
    struct scene sc = scene_of(pool_sized(2, 1));
    struct pool_dial_answer a;
    struct pool_decision d;

    /* OPENING, with a client waiting: the next dial is justified. */
    assert_true(acquire(sc.p, &sc.c[0], 10).dial);
    assert_true(pool_reserve_dial(sc.p, 10, &a));
    pool_server_init(&sc.s[0], 1, 0, a.generation);
    assert_true(pool_closed(sc.p, &sc.s[0], 11));
    assert_sound(sc.p);

    /* LINKED. */
    assert_ptr_equal(opened(sc.p, &sc.s[0], 2, 0, 12).waiter, &sc.c[0]);
    assert_false(pool_closed(sc.p, &sc.s[0], 13));

    /* IDLE. */
    opened_idle(sc.p, &sc.s[0], 3, 0, 14);
    assert_int_equal(pool_idle_died(sc.p, &sc.s[0]), POOL_DIED_REMOVED);
    assert_int_equal(acquire(sc.p, &sc.c[0], 15).what, POOL_WAIT);
    assert_true(pool_closed(sc.p, &sc.s[0], 15));

    /* MOVING, in a mailbox. */
    opened(sc.p, &sc.s[0], 4, 1, 16);
    assert_int_equal(sc.s[0].state, POOL_SERVER_MOVING);
    assert_false(pool_closed(sc.p, &sc.s[0], 17));
    assert_true(pool_gone(sc.p, &sc.c[0], 4, 17, &d));
    assert_int_equal(d.what, POOL_WAIT);
    assert_true(d.dial);
    pool_cancel_wait(sc.p, &sc.c[0]);

    /* CONDEMNED. */
    opened_idle(sc.p, &sc.s[0], 5, 1, 18);
    assert_int_equal(pool_condemn_idle(sc.p, POOL_CLOSE_ASKED_FOR), 1u << 1);
    assert_int_equal(pool_idle_died(sc.p, &sc.s[0]), POOL_DIED_REMOVED);
    assert_sound(sc.p);
    assert_null(pool_take_expired(sc.p, 1, 19));
    pool_closed(sc.p, &sc.s[0], 20);
    assert_int_equal(numbers(sc.p, 20).opening, 0);
    scene_end(&sc);
}

static void test_waiters_are_refused_when_every_server_is_pinned(void **state)
{
    (void)state;
    struct pool_settings set = sized(2);
    set.max_pinned = 1;
    struct scene sc = scene_of(pool_with(1, set, NULL));
    struct pool_decision d;

    for (unsigned i = 0; i < N; i++)
        sc.c[i].worker = 0;
    opened_idle(sc.p, &sc.s[0], 1, 0, 10);
    opened_idle(sc.p, &sc.s[1], 2, 0, 11);
    struct pool_server *first = acquire(sc.p, &sc.c[0], 20).server;
    struct pool_server *second = acquire(sc.p, &sc.c[1], 20).server;
    assert_true(pool_pin(sc.p, first));
    assert_true(pool_pin(sc.p, first));
    assert_int_equal(acquire(sc.p, &sc.c[2], 21).what, POOL_WAIT);
    assert_false(pool_all_pinned(sc.p, NULL));
    assert_false(pool_pin(sc.p, second)); /* beyond max_pinned, counted all the same */
    struct error err;
    assert_true(pool_all_pinned(sc.p, &err));
    assert_string_equal(err.sqlstate, "53300");
    d = acquire(sc.p, &sc.c[3], 22);
    assert_int_equal(d.what, POOL_REFUSE);
    assert_int_equal(d.reason, POOL_REFUSED_PINNED);
    assert_non_null(strstr(d.error.text, "pinned"));
    pool_unpin(sc.p, second);
    assert_int_equal(acquire(sc.p, &sc.c[3], 23).what, POOL_WAIT);
    assert_int_equal(release(sc.p, first, 24).what, POOL_GIVE_LOCAL);
    assert_int_equal(numbers(sc.p, 24).pinned, 0);
    scene_end(&sc);
}

static void test_pause_lets_clients_wait_and_resume_serves_them_in_order(void **state)
{
    (void)state;
    struct pool_settings set = sized(2);
    set.window = 0;
    struct scene sc = scene_of(pool_with(2, set, NULL));
    struct pool_release r;
    struct pool_server *s;

    opened_idle(sc.p, &sc.s[0], 1, 0, 10);
    opened_idle(sc.p, &sc.s[1], 2, 1, 11);
    assert_int_equal(acquire(sc.p, &sc.c[0], 20).what, POOL_TAKE);
    assert_int_equal(pool_pause(sc.p, POOL_PAUSE_KEEP), 0);
    assert_false(pool_is_quiet(sc.p));
    for (unsigned i = 1; i < 5; i++)
        assert_int_equal(acquire(sc.p, &sc.c[i], 20 + i).what, POOL_WAIT);
    assert_int_equal(reserve(sc.p, 25), POOL_DIAL_PAUSED);
    assert_int_equal(release(sc.p, &sc.s[0], 30).what, POOL_KEEP);
    assert_true(pool_is_quiet(sc.p));
    assert_false(pool_serve(sc.p, 0, 31, &s, &r));

    assert_int_equal(pool_resume(sc.p), 3);
    assert_sound(sc.p);
    /* Nobody slips in between. */
    assert_int_equal(acquire(sc.p, &sc.c[6], 32).what, POOL_WAIT);
    assert_true(pool_serve(sc.p, 1, 33, &s, &r));
    assert_ptr_equal(s, &sc.s[1]);
    assert_int_equal(r.what, POOL_GIVE_LOCAL);
    assert_ptr_equal(r.waiter, &sc.c[1]);
    assert_true(pool_serve(sc.p, 0, 33, &s, &r));
    assert_ptr_equal(r.waiter, &sc.c[2]);
    assert_false(pool_serve(sc.p, 0, 33, &s, &r));
    assert_sound(sc.p);
    scene_end(&sc);
}

static void test_pause_may_close_all_servers(void **state)
{
    (void)state;
    struct scene sc = scene_of(pool_sized(2, 2));

    opened_idle(sc.p, &sc.s[0], 1, 0, 10);
    opened_idle(sc.p, &sc.s[1], 2, 1, 11);
    acquire(sc.p, &sc.c[0], 20);
    assert_int_equal(pool_pause(sc.p, POOL_PAUSE_CLOSE), 1u << 1);
    struct pool_release r = release(sc.p, &sc.s[0], 21);
    assert_int_equal(r.what, POOL_CLOSE);
    assert_int_equal(r.reason, POOL_CLOSE_PAUSED);
    assert_ptr_equal(pool_take_expired(sc.p, 1, 22), &sc.s[1]);
    assert_int_equal(sc.s[1].reason, POOL_CLOSE_PAUSED);
    assert_null(pool_take_expired(sc.p, 1, 22));
    scene_end(&sc);
}

static void test_drain_refuses_and_closes(void **state)
{
    (void)state;
    struct scene sc = scene_of(pool_sized(1, 2));
    struct pool_decision d;

    sc.c[1].worker = 0;
    opened_idle(sc.p, &sc.s[0], 1, 0, 10);
    opened_idle(sc.p, &sc.s[1], 2, 0, 11);
    struct pool_server *s = acquire(sc.p, &sc.c[0], 20).server;
    assert_int_equal(pool_drain(sc.p), 1);
    d = acquire(sc.p, &sc.c[1], 21);
    assert_int_equal(d.what, POOL_REFUSE);
    assert_string_equal(d.error.sqlstate, "57P01");
    assert_int_equal(release(sc.p, s, 22).reason, POOL_CLOSE_DRAINING);
    scene_end(&sc);
}

static void test_disable_refuses_newcomers_until_enabled(void **state)
{
    (void)state;
    struct scene sc = scene_of(pool_sized(1, 1));
    struct pool_decision d;

    opened_idle(sc.p, &sc.s[0], 1, 0, 10);
    acquire(sc.p, &sc.c[0], 20);
    assert_int_equal(acquire(sc.p, &sc.c[2], 21).what, POOL_WAIT);
    pool_disable(sc.p);
    d = acquire(sc.p, &sc.c[4], 22);
    assert_int_equal(d.reason, POOL_REFUSED_DISABLED);
    assert_string_equal(d.error.sqlstate, "57P03");
    assert_ptr_equal(release(sc.p, &sc.s[0], 23).waiter, &sc.c[2]);
    pool_enable(sc.p);
    assert_int_equal(acquire(sc.p, &sc.c[4], 24).what, POOL_WAIT);
    scene_end(&sc);
}

static void test_a_new_generation_closes_the_old_servers(void **state)
{
    (void)state;
    struct scene sc = scene_of(pool_sized(2, 4));
    struct pool_dial_answer a;
    struct pool_release r;

    opened_idle(sc.p, &sc.s[0], 1, 0, 10);
    opened_idle(sc.p, &sc.s[1], 2, 1, 11);
    acquire(sc.p, &sc.c[0], 20);
    assert_true(pool_reserve_min(sc.p, 20, &a));
    pool_server_init(&sc.s[2], 3, 0, a.generation);
    assert_int_equal(pool_recycle(sc.p), 1u << 1);
    assert_sound(sc.p);

    /* The condemned one is not used again. */
    assert_int_equal(acquire(sc.p, &sc.c[1], 21).what, POOL_WAIT);
    assert_int_equal(release(sc.p, &sc.s[0], 22).reason, POOL_CLOSE_NEEDED);
    /* Dialled before, ready after. */
    pool_opened(sc.p, &sc.s[2], 23, &r);
    assert_int_equal(r.reason, POOL_CLOSE_NEEDED);
    assert_ptr_equal(pool_take_expired(sc.p, 1, 24), &sc.s[1]);
    assert_string_equal(pool_close_text(sc.s[1].reason), "database configuration changed");
    assert_int_equal(opened(sc.p, &sc.s[3], 4, 1, 25).what, POOL_GIVE_LOCAL);
    scene_end(&sc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acquire_takes_the_newest_idle_server_of_its_own_worker),
        cmocka_unit_test(test_acquire_asks_for_the_oldest_of_the_longest_foreign_list),
        cmocka_unit_test(test_with_round_robin_the_servers_of_all_workers_take_turns),
        cmocka_unit_test(test_waiters_are_served_in_the_order_of_arrival),
        cmocka_unit_test(test_a_newcomer_does_not_overtake_those_who_wait),
        cmocka_unit_test(test_all_clients_on_one_worker_get_the_whole_pool),
        cmocka_unit_test(test_a_full_queue_refuses_with_its_length),
        cmocka_unit_test(test_a_client_that_waits_again_keeps_its_place),
        cmocka_unit_test(test_news_of_an_earlier_promise_is_ignored),
        cmocka_unit_test(test_a_client_may_leave_in_each_state),
        cmocka_unit_test(test_a_server_may_die_in_each_state),
        cmocka_unit_test(test_waiters_are_refused_when_every_server_is_pinned),
        cmocka_unit_test(test_pause_lets_clients_wait_and_resume_serves_them_in_order),
        cmocka_unit_test(test_pause_may_close_all_servers),
        cmocka_unit_test(test_drain_refuses_and_closes),
        cmocka_unit_test(test_disable_refuses_newcomers_until_enabled),
        cmocka_unit_test(test_a_new_generation_closes_the_old_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
