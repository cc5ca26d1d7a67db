/* SPDX-License-Identifier: PostgreSQL */
/* Clients that need a server of their own: they stand in the same queue, take no idle server, and
 * their servers never become idle. */
#include "pool/pool.h"

#include "pool_fixture.h"

static struct pool_waiter own_client(uint64_t id, unsigned worker)
{
    struct pool_waiter w = client_of(id, worker);
    w.own = true;
    return w;
}

static struct pool_dial_answer dial(struct pool *p, uint64_t now_us)
{
    struct pool_dial_answer a;

    pool_reserve_dial(p, now_us, &a);
    assert_sound(p);
    return a;
}

static void own_init(struct pool_server *s, uint64_t id, unsigned worker)
{
    pool_server_init(s, id, worker, 0);
    s->own = true;
}

/* The place that was granted is used, and the server is ready. */
static void own_opened(struct pool *p, struct pool_server *s, uint64_t id, struct pool_waiter *w)
{
    bool again;

    assert_true(pool_own_begin(p, w, 20, &again));
    own_init(s, id, w->worker);
    assert_int_equal(pool_own_opened(p, s, w, 30), POOL_CLOSE_NONE);
    assert_sound(p);
    assert_int_equal(s->state, POOL_SERVER_LINKED);
    assert_int_equal(w->state, POOL_WAITER_NONE);
}

static void test_an_idle_server_is_not_for_it_while_there_is_room(void **state)
{
    (void)state;
    struct pool *p = pool_sized(2, 2);
    struct pool_server s[2] = {0};
    struct pool_waiter own = own_client(7, 1);

    opened_idle(p, &s[0], 1, 0, 5);
    struct pool_decision d = acquire(p, &own, 10);
    assert_int_equal(d.what, POOL_WAIT);
    assert_true(d.dial);
    struct pool_dial_answer a = dial(p, 10);
    assert_int_equal(a.what, POOL_DIAL_RESERVED);
    assert_true(a.own);
    assert_int_equal(a.client_id, 7);
    assert_int_equal(a.client_worker, 1);
    assert_int_equal(dial(p, 10).what, POOL_DIAL_NOT_NEEDED);
    own_opened(p, &s[1], 2, &own);
    assert_int_equal(numbers(p, 30).idle, 1);
    close_all(p, s, 2);
    pool_free(&p);
}

static void test_an_idle_server_of_a_full_pool_makes_room(void **state)
{
    (void)state;
    struct pool *p = pool_sized(2, 1);
    struct pool_server s[2] = {0};
    struct pool_waiter own = own_client(7, 0);

    opened_idle(p, &s[0], 1, 1, 5);
    assert_true(acquire(p, &own, 10).dial);
    struct pool_dial_answer a = dial(p, 10);
    assert_int_equal(a.what, POOL_DIAL_FULL);
    assert_int_equal(a.sweep, 1 << 1);
    assert_int_equal(dial(p, 10).sweep, 0); /* one is enough */
    assert_ptr_equal(pool_take_expired(p, 1, 11), &s[0]);
    assert_int_equal(s[0].reason, POOL_CLOSE_EVICTED);
    assert_true(pool_closed(p, &s[0], 12));
    assert_true(dial(p, 12).own);
    own_opened(p, &s[1], 2, &own);
    close_all(p, s, 2);
    pool_free(&p);
}

static void test_a_released_server_makes_room_for_the_oldest_and_not_before_its_turn(void **state)
{
    (void)state;
    struct pool *p = pool_sized(1, 1);
    struct pool_server s[2] = {0};
    struct pool_waiter c[3] = {client_of(1, 0), client_of(2, 0), client_of(3, 0)};
    struct pool_waiter own = own_client(7, 0);

    acquire(p, &c[0], 1);
    assert_int_equal(opened(p, &s[0], 1, 0, 2).what, POOL_GIVE_LOCAL);
    acquire(p, &c[1], 3);
    acquire(p, &own, 4);
    acquire(p, &c[2], 5);
    assert_int_equal(dial(p, 6).what, POOL_DIAL_FULL);
    struct pool_release r = release(p, &s[0], 7);
    assert_int_equal(r.what, POOL_GIVE_LOCAL);
    assert_ptr_equal(r.waiter, &c[1]);
    r = release(p, &s[0], 8);
    assert_int_equal(r.what, POOL_CLOSE);
    assert_int_equal(r.reason, POOL_CLOSE_EVICTED);
    assert_true(pool_closed(p, &s[0], 9));
    struct pool_dial_answer a = dial(p, 9);
    assert_true(a.own);
    own_opened(p, &s[1], 2, &own);
    assert_int_equal(dial(p, 31).what, POOL_DIAL_FULL);
    pool_cancel_wait(p, &c[2]);
    close_all(p, s, 2);
    pool_free(&p);
}

static void test_servers_for_those_in_front_are_opened_first(void **state)
{
    (void)state;
    struct pool *p = pool_sized(1, 3);
    struct pool_server s = {0};
    struct pool_waiter first = client_of(1, 0), own = own_client(7, 0), last = client_of(2, 0);

    acquire(p, &first, 1);
    acquire(p, &own, 2);
    acquire(p, &last, 3);
    assert_false(dial(p, 4).own);
    assert_true(dial(p, 4).own);
    assert_false(dial(p, 4).own);
    assert_int_equal(dial(p, 4).what, POOL_DIAL_NOT_NEEDED);
    own_opened(p, &s, 3, &own);
    pool_unreserve_dial(p, 5);
    pool_unreserve_dial(p, 5);
    pool_cancel_wait(p, &first);
    pool_cancel_wait(p, &last);
    close_all(p, &s, 1);
    pool_free(&p);
}

static void test_a_place_whose_client_has_gone_is_given_back(void **state)
{
    (void)state;
    struct pool *p = pool_sized(1, 1);
    struct pool_waiter own = own_client(7, 0), other = client_of(1, 0);
    bool again = false;

    acquire(p, &own, 1);
    acquire(p, &other, 2);
    assert_true(dial(p, 3).own);
    pool_cancel_wait(p, &own);
    assert_false(pool_own_begin(p, NULL, 4, &again));
    assert_true(again);
    assert_int_equal(numbers(p, 4).opening, 0);
    pool_cancel_wait(p, &other);
    pool_free(&p);
}

static void test_what_comes_up_in_a_pause_or_of_an_old_generation_is_closed(void **state)
{
    (void)state;
    struct pool *p = pool_sized(1, 1);
    struct pool_server s = {0};
    struct pool_waiter own = own_client(7, 0);
    bool again;

    acquire(p, &own, 1);
    for (int paused = 0; paused < 2; paused++) {
        assert_true(dial(p, 2).own);
        assert_true(pool_own_begin(p, &own, 3, &again));
        own_init(&s, 1, 0);
        if (paused)
            pool_pause(p, POOL_PAUSE_KEEP);
        else
            pool_recycle(p);
        assert_int_equal(pool_own_opened(p, &s, &own, 4),
                         paused ? POOL_CLOSE_PAUSED : POOL_CLOSE_RECYCLED);
        pool_closed(p, &s, 5);
        assert_int_equal(own.state, POOL_WAITER_QUEUED);
        pool_resume(p);
    }
    assert_true(dial(p, 6).own);
    assert_true(pool_own_give_up(p, &own, 7));
    pool_cancel_wait(p, &own);
    pool_free(&p);
}

/* A linked one is never released, so all workers are to look for it. */
static void test_a_new_generation_concerns_each_worker_where_one_is_open(void **state)
{
    (void)state;
    struct pool *p = pool_sized(3, 1);
    struct pool_server s = {0};
    struct pool_waiter own = own_client(7, 1);

    assert_int_equal(pool_recycle(p), 0);
    acquire(p, &own, 1);
    struct pool_dial_answer a = dial(p, 2);
    bool again;
    assert_true(pool_own_begin(p, &own, 3, &again));
    pool_server_init(&s, 1, 1, a.generation);
    s.own = true;
    assert_int_equal(pool_own_opened(p, &s, &own, 4), POOL_CLOSE_NONE);
    assert_int_equal(pool_recycle(p), 7);
    close_all(p, &s, 1);
    assert_int_equal(pool_recycle(p), 0);
    pool_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_idle_server_is_not_for_it_while_there_is_room),
        cmocka_unit_test(test_an_idle_server_of_a_full_pool_makes_room),
        cmocka_unit_test(test_a_released_server_makes_room_for_the_oldest_and_not_before_its_turn),
        cmocka_unit_test(test_servers_for_those_in_front_are_opened_first),
        cmocka_unit_test(test_a_place_whose_client_has_gone_is_given_back),
        cmocka_unit_test(test_what_comes_up_in_a_pause_or_of_an_old_generation_is_closed),
        cmocka_unit_test(test_a_new_generation_concerns_each_worker_where_one_is_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
