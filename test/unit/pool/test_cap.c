/* SPDX-License-Identifier: PostgreSQL */
/* Bounds shared by pools: exact, in turn, and nobody starves. */
#include "pool/cap.h"

#include "pool/limits.h"
#include "pool_fixture.h"

#define POOLS 3
#define N 6

/* Pools of one worker under one cap over all, and for each pool its servers and clients. */
struct scene {
    struct cap *total;
    struct pool *p[POOLS];
    struct pool_server s[POOLS][N];
    struct pool_waiter c[POOLS][N];
};

static struct cap *capped(uint32_t max)
{
    struct cap_settings set = {.max_servers = max, .max_clients = POOL_UNLIMITED};

    return cap_new("", &set);
}

static struct scene scene_of(uint32_t max)
{
    struct scene sc = {.total = capped(max)};
    struct cap *caps[POOL_CAPS] = {[POOL_CAP_TOTAL] = sc.total};

    for (unsigned i = 0; i < POOLS; i++) {
        struct pool_settings set = sized(N);

        set.min = 0;
        sc.p[i] = pool_with(1, set, caps);
        for (unsigned k = 0; k < N; k++)
            sc.c[i][k] = client_of(k, 0);
    }
    return sc;
}

static void scene_end(struct scene *sc)
{
    struct pool *hungry;

    for (unsigned i = 0; i < POOLS; i++) {
        for (unsigned k = 0; k < N; k++)
            pool_cancel_wait(sc->p[i], &sc->c[i][k]);
    }
    for (unsigned i = 0; i < POOLS; i++) {
        close_all(sc->p[i], sc->s[i], N);
        while ((hungry = pool_next_hungry(sc->p[i])) != NULL)
            pool_unref(&hungry);
        pool_free(&sc->p[i]);
    }
    cap_free(&sc->total);
}

static enum pool_dial dial(struct pool *p, uint64_t now_us)
{
    struct pool_dial_answer a;

    pool_reserve_dial(p, now_us, &a);
    assert_sound(p);
    return a.what;
}

/* Client k of pool i wants a server, which must be opened for it and may be. */
static void link_new(struct scene *sc, unsigned i, unsigned k, uint64_t now_us)
{
    assert_int_equal(acquire(sc->p[i], &sc->c[i][k], now_us).what, POOL_WAIT);
    assert_int_equal(opened(sc->p[i], &sc->s[i][k], 1 + k, 0, now_us).what, POOL_GIVE_LOCAL);
}

/* ... and may not be. */
static void starve(struct scene *sc, unsigned i, unsigned k, uint64_t now_us)
{
    assert_int_equal(acquire(sc->p[i], &sc->c[i][k], now_us).what, POOL_WAIT);
    assert_int_equal(dial(sc->p[i], now_us), POOL_DIAL_CAP_FULL);
}

static void assert_next_hungry(struct pool *from, struct pool *expected)
{
    struct pool *hungry = pool_next_hungry(from);

    assert_ptr_equal(hungry, expected);
    pool_unref(&hungry);
}

static void test_a_cap_is_exact_over_all_its_pools(void **state)
{
    (void)state;
    struct scene sc = scene_of(3);
    struct cap_numbers n;

    link_new(&sc, 0, 0, 10);
    link_new(&sc, 0, 1, 10);
    link_new(&sc, 1, 0, 10);
    starve(&sc, 2, 0, 20);
    starve(&sc, 0, 2, 21);
    cap_inspect(sc.total, &n);
    assert_int_equal(n.servers, 3);
    assert_int_equal(n.starving, 2);
    assert_false(cap_take_server(sc.total));
    scene_end(&sc);
}

static void test_a_free_place_goes_to_the_pool_that_starved_first(void **state)
{
    (void)state;
    struct scene sc = scene_of(1);

    link_new(&sc, 0, 0, 10);
    starve(&sc, 1, 0, 20);
    starve(&sc, 2, 0, 30);
    assert_next_hungry(sc.p[0], NULL);
    assert_false(pool_closed(sc.p[0], &sc.s[0][0], 40));
    assert_next_hungry(sc.p[0], sc.p[1]);
    assert_next_hungry(sc.p[0], NULL);

    /* Its turn is kept, whoever asks meanwhile. */
    assert_int_equal(dial(sc.p[2], 41), POOL_DIAL_CAP_FULL);
    acquire(sc.p[0], &sc.c[0][1], 42);
    assert_int_equal(dial(sc.p[0], 42), POOL_DIAL_CAP_FULL);
    assert_false(cap_take_server(sc.total));
    assert_int_equal(dial(sc.p[1], 43), POOL_DIAL_RESERVED);

    /* The dial fails: the next one's turn. */
    assert_true(pool_unreserve_dial(sc.p[1], 44));
    assert_next_hungry(sc.p[1], sc.p[2]);
    assert_int_equal(dial(sc.p[2], 45), POOL_DIAL_RESERVED);
    pool_unreserve_dial(sc.p[2], 46);
    scene_end(&sc);
}

static void test_a_called_pool_that_needs_nothing_passes_its_turn_on(void **state)
{
    (void)state;
    struct scene sc = scene_of(1);

    link_new(&sc, 0, 0, 10);
    starve(&sc, 1, 0, 20);
    starve(&sc, 2, 0, 30);
    pool_closed(sc.p[0], &sc.s[0][0], 40);
    assert_next_hungry(sc.p[0], sc.p[1]);
    pool_cancel_wait(sc.p[1], &sc.c[1][0]);
    assert_int_equal(dial(sc.p[1], 41), POOL_DIAL_NOT_NEEDED);
    assert_next_hungry(sc.p[1], sc.p[2]);
    assert_int_equal(dial(sc.p[2], 42), POOL_DIAL_RESERVED);
    pool_unreserve_dial(sc.p[2], 43);
    scene_end(&sc);
}

static void test_a_called_pool_may_decline(void **state)
{
    (void)state;
    struct scene sc = scene_of(1);

    link_new(&sc, 0, 0, 10);
    starve(&sc, 1, 0, 20);
    starve(&sc, 2, 0, 30);
    pool_closed(sc.p[0], &sc.s[0][0], 40);
    assert_next_hungry(sc.p[0], sc.p[1]);
    pool_decline(sc.p[1]);
    assert_next_hungry(sc.p[1], sc.p[2]);
    /* It may ask again when it can: behind the others. */
    assert_int_equal(dial(sc.p[1], 41), POOL_DIAL_CAP_FULL);
    assert_int_equal(dial(sc.p[2], 42), POOL_DIAL_RESERVED);
    pool_unreserve_dial(sc.p[2], 43);
    assert_next_hungry(sc.p[2], sc.p[1]);
    scene_end(&sc);
}

static void test_a_pool_whose_clients_left_starves_no_more(void **state)
{
    (void)state;
    struct scene sc = scene_of(1);

    link_new(&sc, 0, 0, 10);
    starve(&sc, 1, 0, 20);
    assert_true(numbers(sc.p[1], 20).starving);
    pool_cancel_wait(sc.p[1], &sc.c[1][0]);
    assert_false(numbers(sc.p[1], 20).starving);
    assert_int_equal(release(sc.p[0], &sc.s[0][0], 30).what, POOL_KEEP);
    scene_end(&sc);
}

static void test_a_free_server_gives_way_when_nobody_waits_for_it(void **state)
{
    (void)state;
    struct scene sc = scene_of(2);
    struct pool_release r;

    link_new(&sc, 0, 0, 10);
    link_new(&sc, 0, 1, 10);
    starve(&sc, 1, 0, 20);
    r = release(sc.p[0], &sc.s[0][0], 21);
    assert_int_equal(r.what, POOL_CLOSE);
    assert_int_equal(r.reason, POOL_CLOSE_PASSED_ON);
    /* One place was wanted: the other server stays. */
    assert_int_equal(release(sc.p[0], &sc.s[0][1], 22).what, POOL_KEEP);
    assert_int_equal(dial(sc.p[1], 23), POOL_DIAL_CAP_COMING);
    pool_closed(sc.p[0], &sc.s[0][0], 24);
    assert_next_hungry(sc.p[0], sc.p[1]);
    assert_int_equal(dial(sc.p[1], 25), POOL_DIAL_RESERVED);
    pool_unreserve_dial(sc.p[1], 26);
    scene_end(&sc);
}

static void test_a_place_is_passed_on_to_a_client_that_is_older_by_the_patience(void **state)
{
    (void)state;
    struct scene sc = scene_of(1);

    link_new(&sc, 0, 0, 10);
    starve(&sc, 1, 0, 1000);
    acquire(sc.p[0], &sc.c[0][1], 1000 + CAP_PATIENCE_US - 1);
    acquire(sc.p[0], &sc.c[0][2], 1000 + CAP_PATIENCE_US);
    assert_int_equal(release(sc.p[0], &sc.s[0][0], 400000).what, POOL_GIVE_LOCAL);
    assert_int_equal(release(sc.p[0], &sc.s[0][0], 400001).reason, POOL_CLOSE_PASSED_ON);
    /* Now it starves itself, behind the other. */
    assert_true(pool_closed(sc.p[0], &sc.s[0][0], 400002));
    assert_next_hungry(sc.p[0], sc.p[1]);
    assert_int_equal(dial(sc.p[0], 400003), POOL_DIAL_CAP_FULL);
    assert_int_equal(dial(sc.p[1], 400004), POOL_DIAL_RESERVED);
    pool_unreserve_dial(sc.p[1], 400005);
    assert_next_hungry(sc.p[1], sc.p[0]);
    scene_end(&sc);
}

static void test_eviction_promises_the_place_of_the_longest_idle_server(void **state)
{
    (void)state;
    struct scene sc = scene_of(2);
    unsigned worker = 9;

    link_new(&sc, 0, 0, 10);
    link_new(&sc, 0, 1, 10);
    release(sc.p[0], &sc.s[0][1], 20);
    release(sc.p[0], &sc.s[0][0], 21);
    starve(&sc, 1, 0, 30);
    assert_true(pool_evict(sc.p[0], POOL_CAP_TOTAL, &worker));
    assert_int_equal(worker, 0);
    assert_int_equal(dial(sc.p[1], 31), POOL_DIAL_CAP_COMING);
    assert_ptr_equal(pool_take_expired(sc.p[0], 0, 32), &sc.s[0][1]);
    assert_int_equal(sc.s[0][1].reason, POOL_CLOSE_EVICTED);
    pool_closed(sc.p[0], &sc.s[0][1], 33);
    assert_next_hungry(sc.p[0], sc.p[1]);
    assert_int_equal(opened(sc.p[1], &sc.s[1][0], 1, 0, 34).what, POOL_GIVE_LOCAL);
    assert_false(pool_evict(sc.p[1], POOL_CAP_TOTAL, &worker));
    scene_end(&sc);
}

static void test_eviction_compares_the_idle_servers_of_all_workers(void **state)
{
    (void)state;
    struct cap *total = capped(3);
    struct cap *caps[POOL_CAPS] = {[POOL_CAP_TOTAL] = total};
    struct pool *p = pool_with(3, sized(3), caps);
    struct pool_server s[3] = {0};
    unsigned worker = 9;

    opened_idle(p, &s[0], 1, 0, 20);
    opened_idle(p, &s[1], 2, 1, 10);
    opened_idle(p, &s[2], 3, 2, 30);
    assert_true(pool_evict(p, POOL_CAP_TOTAL, &worker));
    assert_int_equal(worker, 1);
    assert_ptr_equal(pool_take_expired(p, 1, 40), &s[1]);
    close_all(p, s, 3);
    pool_free(&p);
    cap_free(&total);
}

static void test_no_more_servers_are_closed_than_those_who_starve_need(void **state)
{
    (void)state;
    struct scene sc = scene_of(3);

    for (unsigned k = 0; k < 3; k++)
        link_new(&sc, 0, k, 10);
    starve(&sc, 1, 0, 20);
    starve(&sc, 2, 0, 30);
    /* One place is free but not yet offered; two pools starve. */
    pool_closed(sc.p[0], &sc.s[0][0], 40);
    assert_int_equal(release(sc.p[0], &sc.s[0][1], 41).reason, POOL_CLOSE_PASSED_ON);
    assert_int_equal(release(sc.p[0], &sc.s[0][2], 41).what, POOL_KEEP);
    assert_next_hungry(sc.p[0], sc.p[1]);
    pool_closed(sc.p[0], &sc.s[0][1], 42);
    assert_next_hungry(sc.p[0], sc.p[2]);
    scene_end(&sc);
}

static void test_a_lowered_cap_closes_as_many_as_are_too_many(void **state)
{
    (void)state;
    struct scene sc = scene_of(4);
    struct cap_settings set = {.max_servers = 2, .max_clients = 1};

    for (unsigned k = 0; k < 4; k++)
        link_new(&sc, k % 2, k / 2, 10);
    cap_set(sc.total, &set);
    assert_int_equal(release(sc.p[0], &sc.s[0][0], 20).reason, POOL_CLOSE_TOO_MANY);
    assert_int_equal(release(sc.p[1], &sc.s[1][0], 20).reason, POOL_CLOSE_TOO_MANY);
    assert_int_equal(release(sc.p[1], &sc.s[1][1], 20).what, POOL_KEEP);
    pool_closed(sc.p[0], &sc.s[0][0], 21);
    pool_closed(sc.p[1], &sc.s[1][0], 21);
    assert_int_equal(release(sc.p[0], &sc.s[0][1], 22).what, POOL_KEEP);

    /* And once more. */
    acquire(sc.p[0], &sc.c[0][1], 23);
    set.max_servers = 1;
    cap_set(sc.total, &set);
    assert_int_equal(release(sc.p[0], &sc.s[0][1], 24).reason, POOL_CLOSE_TOO_MANY);
    scene_end(&sc);
}

static void test_a_promise_that_a_lowered_cap_broke_is_made_again(void **state)
{
    (void)state;
    struct scene sc = scene_of(2);
    struct cap_settings set = {.max_servers = 1, .max_clients = 1};

    link_new(&sc, 0, 0, 10);
    link_new(&sc, 0, 1, 10);
    starve(&sc, 1, 0, 20);
    assert_int_equal(release(sc.p[0], &sc.s[0][0], 21).reason, POOL_CLOSE_PASSED_ON);
    cap_set(sc.total, &set);
    pool_closed(sc.p[0], &sc.s[0][0], 22);
    assert_next_hungry(sc.p[0], NULL);
    assert_int_equal(release(sc.p[0], &sc.s[0][1], 23).reason, POOL_CLOSE_PASSED_ON);
    pool_closed(sc.p[0], &sc.s[0][1], 24);
    assert_next_hungry(sc.p[0], sc.p[1]);
    scene_end(&sc);
}

static void test_a_raised_cap_calls_those_who_starve(void **state)
{
    (void)state;
    struct scene sc = scene_of(1);
    struct cap_settings set = {.max_servers = POOL_UNLIMITED, .max_clients = 1};

    link_new(&sc, 0, 0, 10);
    starve(&sc, 1, 0, 20);
    starve(&sc, 2, 0, 30);
    cap_set(sc.total, &set);
    assert_next_hungry(sc.p[0], sc.p[1]);
    assert_next_hungry(sc.p[0], sc.p[2]);
    assert_next_hungry(sc.p[0], NULL);
    assert_int_equal(dial(sc.p[2], 40), POOL_DIAL_RESERVED);
    assert_int_equal(dial(sc.p[1], 40), POOL_DIAL_RESERVED);
    pool_unreserve_dial(sc.p[1], 41);
    pool_unreserve_dial(sc.p[2], 41);
    scene_end(&sc);
}

static void test_min_takes_no_place_from_those_who_starve(void **state)
{
    (void)state;
    struct scene sc = scene_of(1);
    struct pool_settings set = sized(N);
    struct pool_dial_answer a;

    pool_set_limits(sc.p[2], &set, 1);
    link_new(&sc, 0, 0, 10);
    starve(&sc, 1, 0, 20);
    assert_false(pool_reserve_min(sc.p[2], 21, &a));
    assert_int_equal(a.what, POOL_DIAL_CAP_FULL);
    pool_closed(sc.p[0], &sc.s[0][0], 22);
    assert_false(pool_reserve_min(sc.p[2], 23, &a));
    assert_next_hungry(sc.p[2], sc.p[1]);
    assert_false(pool_reserve_min(sc.p[2], 24, &a));
    assert_int_equal(dial(sc.p[1], 25), POOL_DIAL_RESERVED);
    pool_unreserve_dial(sc.p[1], 26);
    scene_end(&sc);
}

static void test_a_pool_under_two_caps_takes_both_places_or_none(void **state)
{
    (void)state;
    struct cap *database = capped(5), *user = capped(1);
    struct cap *both[POOL_CAPS] = {[POOL_CAP_DATABASE] = database, [POOL_CAP_USER] = user};
    struct pool *p = pool_with(1, sized(5), both);
    struct pool_server s = {0};
    struct pool_waiter w[2] = {client_of(1, 0), client_of(2, 0)};
    struct pool_dial_answer a;
    struct cap_numbers n;

    acquire(p, &w[0], 10);
    assert_int_equal(opened(p, &s, 1, 0, 10).what, POOL_GIVE_LOCAL);
    acquire(p, &w[1], 20);
    assert_false(pool_reserve_dial(p, 20, &a));
    assert_int_equal(a.what, POOL_DIAL_CAP_FULL);
    assert_int_equal(a.cap, POOL_CAP_USER);
    cap_inspect(database, &n);
    assert_int_equal(n.servers, 1);
    assert_int_equal(n.starving, 0);
    pool_closed(p, &s, 30);
    assert_next_hungry(p, p);
    assert_true(pool_reserve_dial(p, 31, &a));
    pool_unreserve_dial(p, 32);
    pool_cancel_wait(p, &w[1]);
    assert_next_hungry(p, NULL);
    pool_free(&p);
    cap_free(&database);
    cap_free(&user);
}

/* Pools under cap a, one under a and b, one under b; each with a client and a server. */
enum { UNDER_BOTH, A1, A2, A3, A4, UNDER_B, CROSSED };

static void test_a_turn_is_kept_while_another_cap_is_full_and_ends_with_being_served(void **state)
{
    (void)state;
    struct cap *a = capped(1), *b = capped(1);
    struct pool *p[CROSSED];
    struct pool_server s[CROSSED] = {0};
    struct pool_waiter w[CROSSED];

    for (int i = 0; i < CROSSED; i++) {
        struct cap *caps[POOL_CAPS] = {[POOL_CAP_DATABASE] = i != UNDER_B ? a : NULL,
                                       [POOL_CAP_TOTAL] =
                                           i == UNDER_B || i == UNDER_BOTH ? b : NULL};
        p[i] = pool_with(1, sized(1), caps);
        w[i] = client_of(1, 0);
    }
    acquire(p[A1], &w[A1], 1);
    assert_int_equal(opened(p[A1], &s[A1], 1, 0, 1).what, POOL_GIVE_LOCAL);
    acquire(p[UNDER_B], &w[UNDER_B], 1);
    assert_int_equal(opened(p[UNDER_B], &s[UNDER_B], 1, 0, 1).what, POOL_GIVE_LOCAL);
    acquire(p[UNDER_BOTH], &w[UNDER_BOTH], 20);
    assert_int_equal(dial(p[UNDER_BOTH], 20), POOL_DIAL_CAP_FULL);
    acquire(p[A2], &w[A2], 40);
    assert_int_equal(dial(p[A2], 40), POOL_DIAL_CAP_FULL);

    /* Its turn at a comes while b is full: the next one has the place. */
    pool_closed(p[A1], &s[A1], 41);
    assert_next_hungry(p[A1], p[UNDER_BOTH]);
    assert_int_equal(dial(p[UNDER_BOTH], 41), POOL_DIAL_CAP_FULL);
    assert_next_hungry(p[UNDER_BOTH], p[A2]);
    assert_int_equal(opened(p[A2], &s[A2], 1, 0, 42).what, POOL_GIVE_LOCAL);

    /* b is free: it stands at a where it stood, before those who came later. */
    acquire(p[A3], &w[A3], 50);
    assert_int_equal(dial(p[A3], 50), POOL_DIAL_CAP_FULL);
    pool_closed(p[UNDER_B], &s[UNDER_B], 51);
    assert_next_hungry(p[UNDER_B], p[UNDER_BOTH]);
    assert_int_equal(dial(p[UNDER_BOTH], 51), POOL_DIAL_CAP_FULL);
    pool_closed(p[A2], &s[A2], 52);
    assert_next_hungry(p[A2], p[UNDER_BOTH]);
    assert_int_equal(dial(p[UNDER_BOTH], 53), POOL_DIAL_RESERVED);

    /* It had its place: the next time it is one of the last. */
    acquire(p[A4], &w[A4], 55);
    assert_int_equal(dial(p[A4], 55), POOL_DIAL_CAP_FULL);
    pool_unreserve_dial(p[UNDER_BOTH], 56);
    assert_next_hungry(p[UNDER_BOTH], p[A3]);
    assert_int_equal(dial(p[UNDER_BOTH], 57), POOL_DIAL_CAP_FULL);
    assert_int_equal(opened(p[A3], &s[A3], 1, 0, 58).what, POOL_GIVE_LOCAL);
    pool_closed(p[A3], &s[A3], 59);
    assert_next_hungry(p[A3], p[A4]);

    for (int i = 0; i < CROSSED; i++) {
        pool_cancel_wait(p[i], &w[i]);
        pool_free(&p[i]);
    }
    cap_free(&a);
    cap_free(&b);
}

static void test_clients_are_counted_up_to_the_bound(void **state)
{
    (void)state;
    struct cap_settings set = {.max_servers = 1, .max_clients = 2};
    struct limits *l = limits_new(&set);
    struct cap *user = limits_get(l, POOL_CAP_USER, "app", &set);

    assert_true(cap_take_client(user));
    assert_true(cap_take_client(user));
    assert_false(cap_take_client(user));
    cap_give_back_client(user);
    assert_true(cap_take_client(user));
    set.max_clients = 1;
    cap_set(user, &set);
    cap_give_back_client(user);
    assert_false(cap_take_client(user));
    cap_give_back_client(user);
    assert_true(cap_take_client(limits_total(l)));
    cap_give_back_client(limits_total(l));
    limits_release(l, &user);
    limits_free(&l);
}

static void test_caps_are_shared_by_kind_and_name(void **state)
{
    (void)state;
    struct cap_settings set = {.max_servers = 1, .max_clients = 2};
    struct limits *l = limits_new(&set);
    struct cap *a = limits_get(l, POOL_CAP_USER, "app", &set);
    struct cap *b = limits_get(l, POOL_CAP_DATABASE, "app", &set);
    struct cap *c = limits_get(l, POOL_CAP_USER, "other", &set);
    set.max_servers = 7;
    struct cap *again = limits_get(l, POOL_CAP_USER, "app", &set);

    assert_ptr_equal(a, again);
    assert_ptr_not_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_string_equal(cap_name(c), "other");
    assert_int_equal(cap_max_servers(a), 7);
    limits_release(l, &a);
    assert_null(a);
    assert_int_equal(cap_max_servers(again), 7);
    limits_release(l, &again);
    limits_release(l, &b);
    limits_release(l, &c);
    limits_release(l, &c);
    limits_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cap_is_exact_over_all_its_pools),
        cmocka_unit_test(test_a_free_place_goes_to_the_pool_that_starved_first),
        cmocka_unit_test(test_a_called_pool_that_needs_nothing_passes_its_turn_on),
        cmocka_unit_test(test_a_called_pool_may_decline),
        cmocka_unit_test(test_a_pool_whose_clients_left_starves_no_more),
        cmocka_unit_test(test_a_free_server_gives_way_when_nobody_waits_for_it),
        cmocka_unit_test(test_a_place_is_passed_on_to_a_client_that_is_older_by_the_patience),
        cmocka_unit_test(test_eviction_promises_the_place_of_the_longest_idle_server),
        cmocka_unit_test(test_no_more_servers_are_closed_than_those_who_starve_need),
        cmocka_unit_test(test_eviction_compares_the_idle_servers_of_all_workers),
        cmocka_unit_test(test_a_lowered_cap_closes_as_many_as_are_too_many),
        cmocka_unit_test(test_a_promise_that_a_lowered_cap_broke_is_made_again),
        cmocka_unit_test(test_a_raised_cap_calls_those_who_starve),
        cmocka_unit_test(test_min_takes_no_place_from_those_who_starve),
        cmocka_unit_test(test_a_pool_under_two_caps_takes_both_places_or_none),
        cmocka_unit_test(test_a_turn_is_kept_while_another_cap_is_full_and_ends_with_being_served),
        cmocka_unit_test(test_clients_are_counted_up_to_the_bound),
        cmocka_unit_test(test_caps_are_shared_by_kind_and_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
