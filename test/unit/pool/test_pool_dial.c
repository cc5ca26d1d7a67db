/* SPDX-License-Identifier: PostgreSQL */
/* When another server may be opened, and when one must go. */
#include "pool/pool.h"

#include "pool_fixture.h"

#define N 8
#define SECOND 1000000ULL

struct scene {
    struct pool *p;
    struct pool_server s[N];
    struct pool_waiter c[N];
};

static struct scene scene_of(struct pool_settings set)
{
    struct scene sc = {.p = pool_with(1, set, NULL)};

    for (unsigned i = 0; i < N; i++)
        sc.c[i] = client_of(100 + i, 0);
    return sc;
}

static void scene_end(struct scene *sc)
{
    for (unsigned i = 0; i < N; i++)
        pool_cancel_wait(sc->p, &sc->c[i]);
    close_all(sc->p, sc->s, N);
    pool_free(&sc->p);
}

/* Each of the first n clients wants a server; each of the first n servers gets one. */
static void scene_link(struct scene *sc, unsigned n, uint64_t now_us)
{
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(acquire(sc->p, &sc->c[i], now_us).what, POOL_WAIT);
        assert_int_equal(opened(sc->p, &sc->s[i], 1 + i, 0, now_us).what, POOL_GIVE_LOCAL);
    }
}

static enum pool_dial dial(struct pool *p, uint64_t now_us, struct pool_dial_answer *a)
{
    bool reserved = pool_reserve_dial(p, now_us, a);

    assert_sound(p);
    assert_int_equal(reserved, a->what == POOL_DIAL_RESERVED);
    return a->what;
}

static void test_as_many_are_opened_as_clients_wait_and_no_more(void **state)
{
    (void)state;
    struct scene sc = scene_of(sized(5));
    struct pool_dial_answer a;

    assert_int_equal(dial(sc.p, 10, &a), POOL_DIAL_NOT_NEEDED);
    for (unsigned i = 0; i < 2; i++)
        assert_true(acquire(sc.p, &sc.c[i], 20).dial);
    assert_int_equal(dial(sc.p, 21, &a), POOL_DIAL_RESERVED);
    assert_int_equal(dial(sc.p, 21, &a), POOL_DIAL_RESERVED);
    assert_false(a.from_reserve);
    assert_int_equal(dial(sc.p, 21, &a), POOL_DIAL_NOT_NEEDED);
    assert_int_equal(numbers(sc.p, 21).opening, 2);
    assert_true(pool_unreserve_dial(sc.p, 22));
    assert_int_equal(dial(sc.p, 22, &a), POOL_DIAL_RESERVED);
    pool_unreserve_dial(sc.p, 23);
    pool_unreserve_dial(sc.p, 23);
    scene_end(&sc);
}

static void test_the_size_is_exact_while_connections_are_being_opened(void **state)
{
    (void)state;
    struct scene sc = scene_of(sized(2));
    struct pool_dial_answer a;

    scene_link(&sc, 1, 10);
    for (unsigned i = 1; i < 4; i++)
        acquire(sc.p, &sc.c[i], 20);
    assert_int_equal(dial(sc.p, 21, &a), POOL_DIAL_RESERVED);
    assert_int_equal(dial(sc.p, 21, &a), POOL_DIAL_FULL);
    assert_int_equal(a.retry_us, 0);
    assert_false(acquire(sc.p, &sc.c[4], 22).dial);
    assert_true(pool_unreserve_dial(sc.p, 23));
    scene_end(&sc);
}

static void test_a_pool_of_size_zero_opens_nothing_and_an_unlimited_one_all(void **state)
{
    (void)state;
    struct scene none = scene_of(sized(0)), all = scene_of(sized(POOL_UNLIMITED));
    struct pool_dial_answer a;

    assert_false(acquire(none.p, &none.c[0], 10).dial);
    assert_int_equal(dial(none.p, 10, &a), POOL_DIAL_FULL);
    scene_link(&all, N, 10);
    scene_end(&none);
    scene_end(&all);
}

static void test_the_reserve_is_for_those_who_waited_long_enough(void **state)
{
    (void)state;
    struct pool_settings set = sized(1);
    set.reserve = 1;
    set.reserve_timeout_us = 5 * SECOND;
    struct scene sc = scene_of(set);
    struct pool_dial_answer a;

    scene_link(&sc, 1, 10);
    acquire(sc.p, &sc.c[1], 100);
    acquire(sc.p, &sc.c[2], 200);
    acquire(sc.p, &sc.c[3], 300);
    assert_int_equal(dial(sc.p, 100 + 5 * SECOND - 1, &a), POOL_DIAL_FULL);
    assert_int_equal(a.retry_us, 100 + 5 * SECOND);
    assert_int_equal(dial(sc.p, a.retry_us, &a), POOL_DIAL_RESERVED);
    assert_true(a.from_reserve);
    assert_int_equal(numbers(sc.p, 10 * SECOND).reserve_used, 1);
    assert_int_equal(dial(sc.p, 10 * SECOND, &a), POOL_DIAL_FULL);
    assert_int_equal(a.retry_us, 0);
    pool_unreserve_dial(sc.p, 10 * SECOND);
    scene_end(&sc);
}

static void test_no_reserve_timeout_means_no_reserve(void **state)
{
    (void)state;
    struct pool_settings set = sized(1);
    set.reserve = 1;
    struct scene sc = scene_of(set);
    struct pool_dial_answer a;

    scene_link(&sc, 1, 10);
    acquire(sc.p, &sc.c[1], 20);
    assert_int_equal(dial(sc.p, 3600 * SECOND, &a), POOL_DIAL_FULL);
    scene_end(&sc);
}

static void test_min_is_reached_without_clients_and_not_exceeded(void **state)
{
    (void)state;
    struct pool_settings set = sized(5);
    set.min = 2;
    struct scene sc = scene_of(set);
    struct pool_dial_answer a;

    assert_true(pool_reserve_min(sc.p, 10, &a));
    assert_true(pool_reserve_min(sc.p, 10, &a));
    assert_false(pool_reserve_min(sc.p, 10, &a));
    assert_int_equal(a.what, POOL_DIAL_NOT_NEEDED);
    pool_unreserve_dial(sc.p, 11);
    pool_unreserve_dial(sc.p, 11);
    /* More than the size is never kept. */
    set.size = 1;
    pool_set_limits(sc.p, &set, 12);
    assert_true(pool_reserve_min(sc.p, 12, &a));
    assert_false(pool_reserve_min(sc.p, 12, &a));
    assert_int_equal(a.what, POOL_DIAL_FULL);
    pool_unreserve_dial(sc.p, 13);
    scene_end(&sc);
}

static void test_a_server_without_slots_shrinks_the_pool_which_grows_again(void **state)
{
    (void)state;
    struct scene sc = scene_of(sized(5));
    struct pool_dial_answer a;

    scene_link(&sc, 2, 10);
    for (unsigned i = 2; i < 6; i++)
        acquire(sc.p, &sc.c[i], 20);
    assert_int_equal(dial(sc.p, 30, &a), POOL_DIAL_RESERVED);
    pool_shrink(sc.p, 40);
    pool_unreserve_dial(sc.p, 40);
    assert_int_equal(numbers(sc.p, 40).target_size, 2);
    assert_int_equal(dial(sc.p, 50, &a), POOL_DIAL_FULL);
    assert_int_equal(a.retry_us, 40 + POOL_GROW_US);
    /* Existing servers are kept. */
    assert_int_equal(release(sc.p, &sc.s[0], 60).what, POOL_GIVE_LOCAL);
    assert_int_equal(dial(sc.p, a.retry_us, &a), POOL_DIAL_RESERVED);
    assert_int_equal(dial(sc.p, 41 + POOL_GROW_US, &a), POOL_DIAL_FULL);
    assert_int_equal(dial(sc.p, 41 + 2 * POOL_GROW_US, &a), POOL_DIAL_RESERVED);
    assert_int_equal(dial(sc.p, 42 + 3 * POOL_GROW_US, &a), POOL_DIAL_RESERVED);
    assert_int_equal(numbers(sc.p, 1).target_size, 5);
    for (unsigned i = 0; i < 3; i++)
        pool_unreserve_dial(sc.p, 1);
    scene_end(&sc);
}

static void test_a_pool_without_any_server_shrinks_to_one(void **state)
{
    (void)state;
    struct scene sc = scene_of(sized(5));
    struct pool_dial_answer a;

    acquire(sc.p, &sc.c[0], 10);
    assert_int_equal(dial(sc.p, 10, &a), POOL_DIAL_RESERVED);
    pool_shrink(sc.p, 11);
    assert_true(pool_unreserve_dial(sc.p, 11));
    assert_int_equal(dial(sc.p, 12, &a), POOL_DIAL_RESERVED);
    pool_unreserve_dial(sc.p, 13);
    scene_end(&sc);
}

static void test_a_lowered_size_closes_as_many_as_are_too_many(void **state)
{
    (void)state;
    struct pool_settings set = sized(6);
    struct scene sc = scene_of(set);
    unsigned n_closed = 0;

    scene_link(&sc, 6, 10);
    release(sc.p, &sc.s[0], 20);
    release(sc.p, &sc.s[1], 21);
    set.size = 3;
    set.min = 0;
    assert_false(pool_set_limits(sc.p, &set, 30));
    assert_sound(sc.p);
    while (pool_take_expired(sc.p, 0, 31) != NULL)
        n_closed++;
    assert_int_equal(n_closed, 2);
    assert_int_equal(release(sc.p, &sc.s[2], 32).reason, POOL_CLOSE_TOO_MANY);
    assert_int_equal(release(sc.p, &sc.s[3], 33).what, POOL_KEEP);
    scene_end(&sc);
}

static void test_a_raised_size_justifies_dials(void **state)
{
    (void)state;
    struct pool_settings set = sized(1);
    struct scene sc = scene_of(set);

    scene_link(&sc, 1, 10);
    assert_false(acquire(sc.p, &sc.c[1], 20).dial);
    set.size = 2;
    assert_true(pool_set_limits(sc.p, &set, 30));
    scene_end(&sc);
}

static void test_one_is_opened_to_wake_and_no_second(void **state)
{
    (void)state;
    struct scene sc = scene_of(sized(5));
    struct pool_settings set = sized(5);
    struct pool_dial_answer a;

    set.min = 0;
    pool_set_limits(sc.p, &set, 1);
    assert_true(pool_reserve_wake(sc.p, 10, &a));
    assert_false(pool_reserve_wake(sc.p, 10, &a));
    assert_int_equal(a.what, POOL_DIAL_NOT_NEEDED);
    pool_unreserve_dial(sc.p, 11);
    pool_pause(sc.p, POOL_PAUSE_CLOSE);
    assert_false(pool_reserve_wake(sc.p, 12, &a));
    assert_int_equal(a.what, POOL_DIAL_PAUSED);
    scene_end(&sc);
}

static void test_idle_servers_go_from_the_old_end_down_to_min(void **state)
{
    (void)state;
    struct pool_settings set = sized(4);
    struct scene sc = scene_of(set);

    for (unsigned i = 0; i < 4; i++)
        opened_idle(sc.p, &sc.s[i], 1 + i, 0, 10 + i);
    set.min = 2;
    set.idle_timeout_us = 100;
    pool_set_limits(sc.p, &set, 20);
    assert_null(pool_take_expired(sc.p, 0, 109));
    assert_ptr_equal(pool_take_expired(sc.p, 0, 110), &sc.s[0]);
    assert_int_equal(sc.s[0].reason, POOL_CLOSE_IDLE);
    assert_null(pool_take_expired(sc.p, 0, 110));
    assert_ptr_equal(pool_take_expired(sc.p, 0, 1000), &sc.s[1]);
    assert_null(pool_take_expired(sc.p, 0, 1000));
    scene_end(&sc);
}

static void test_lifetimes_of_servers_opened_together_end_apart(void **state)
{
    (void)state;
    struct pool_settings set = sized(4);
    set.lifetime_us = 400;
    struct scene sc = scene_of(set);

    scene_link(&sc, 4, 10);
    assert_int_equal(release(sc.p, &sc.s[0], 409).what, POOL_KEEP);
    assert_int_equal(release(sc.p, &sc.s[1], 410).reason, POOL_CLOSE_LIFETIME);
    assert_int_equal(release(sc.p, &sc.s[2], 420).what, POOL_KEEP);
    assert_null(pool_take_expired(sc.p, 0, 509));
    assert_ptr_equal(pool_take_expired(sc.p, 0, 510), &sc.s[0]);
    assert_null(pool_take_expired(sc.p, 0, 609));
    assert_int_equal(release(sc.p, &sc.s[3], 610).reason, POOL_CLOSE_LIFETIME);
    scene_end(&sc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_many_are_opened_as_clients_wait_and_no_more),
        cmocka_unit_test(test_the_size_is_exact_while_connections_are_being_opened),
        cmocka_unit_test(test_a_pool_of_size_zero_opens_nothing_and_an_unlimited_one_all),
        cmocka_unit_test(test_the_reserve_is_for_those_who_waited_long_enough),
        cmocka_unit_test(test_no_reserve_timeout_means_no_reserve),
        cmocka_unit_test(test_min_is_reached_without_clients_and_not_exceeded),
        cmocka_unit_test(test_a_server_without_slots_shrinks_the_pool_which_grows_again),
        cmocka_unit_test(test_a_pool_without_any_server_shrinks_to_one),
        cmocka_unit_test(test_a_lowered_size_closes_as_many_as_are_too_many),
        cmocka_unit_test(test_a_raised_size_justifies_dials),
        cmocka_unit_test(test_one_is_opened_to_wake_and_no_second),
        cmocka_unit_test(test_idle_servers_go_from_the_old_end_down_to_min),
        cmocka_unit_test(test_lifetimes_of_servers_opened_together_end_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
