/* SPDX-License-Identifier: PostgreSQL */
#include "pool/registry.h"

#include "pool_fixture.h"

#include <string.h>

static const struct cap_settings no_bound = {POOL_UNLIMITED, POOL_UNLIMITED};

static struct registry_entry entry_of(uint32_t size)
{
    struct registry_entry e = {
        .settings = sized(size), .database_cap = no_bound, .user_cap = no_bound};

    e.settings.min = 0;
    return e;
}

static struct pool *add(struct registry *r, const char *database, const char *user)
{
    struct registry_entry e = entry_of(4);
    struct pool_key key = {database, user, ""};

    return registry_add(r, &key, &e);
}

static void count_owner(void *owner)
{
    ++*(int *)owner;
}

static void test_the_same_key_finds_the_same_pool_and_no_other_does(void **state)
{
    (void)state;
    static const struct pool_key keys[] = {
        {"a", "b", ""}, {"ab", "", ""}, {"", "ab", ""}, {"a", "b", "replication"}, {"b", "a", ""},
    };
    enum { KEYS = sizeof(keys) / sizeof(keys[0]) };
    struct registry *r = registry_new(2, &no_bound);
    struct registry_entry e = entry_of(4);
    struct pool *pools[KEYS];

    for (unsigned i = 0; i < KEYS; i++) {
        assert_null(registry_find(r, &keys[i]));
        pools[i] = registry_add(r, &keys[i], &e);
        assert_string_equal(pool_database(pools[i]), keys[i].database);
        assert_string_equal(pool_user(pools[i]), keys[i].user);
    }
    for (unsigned i = 0; i < KEYS; i++) {
        struct pool *found = registry_find(r, &keys[i]);

        assert_ptr_equal(found, pools[i]);
        assert_int_equal(pool_ref_count(found), 2);
        for (unsigned k = 0; k < i; k++)
            assert_ptr_not_equal(found, pools[k]);
        pool_unref(&found);
        pool_unref(&pools[i]);
    }
    registry_free(&r);
}

static void test_the_owner_of_a_pool_made_twice_is_freed(void **state)
{
    (void)state;
    struct registry *r = registry_new(1, &no_bound);
    struct registry_entry e = entry_of(1);
    struct pool_key key = {"shop", "app", ""};
    int first = 0, second = 0;

    e.owner_free = count_owner;
    e.owner = &first;
    struct pool *a = registry_add(r, &key, &e);
    e.owner = &second;
    struct pool *b = registry_add(r, &key, &e);
    assert_ptr_equal(a, b);
    assert_ptr_equal(pool_owner(a), &first);
    assert_int_equal(second, 1);
    assert_int_equal(first, 0);
    pool_unref(&a);
    pool_unref(&b);
    registry_free(&r);
    assert_int_equal(first, 1);
}

#define KEEP_US 100

static uint64_t keep(const struct pool *p, void *arg)
{
    (void)arg;
    return strcmp(pool_user(p), "ever") == 0 ? UINT64_MAX : KEEP_US;
}

static void note_end(const struct pool *p, uint64_t unused_us, void *arg)
{
    assert_true(unused_us >= KEEP_US);
    strcat(arg, pool_user(p));
}

static void test_a_pool_is_reaped_when_nobody_has_held_it_for_long_enough(void **state)
{
    (void)state;
    struct registry *r = registry_new(1, &no_bound);
    char ended[40] = "";
    const struct registry_keeper keeper = {keep, note_end, ended};
    struct pool_key key = {"shop", "app", ""};
    struct pool *p = add(r, "shop", "app"), *other = add(r, "shop", "ever");

    pool_unref(&other);
    assert_int_equal(registry_reap(r, 1000, &keeper), 0);
    pool_unref(&p);
    assert_int_equal(registry_reap(r, 1100, &keeper), 0);
    assert_int_equal(registry_reap(r, 1199, &keeper), 0);
    /* Somebody came by: it lives on. */
    p = registry_find(r, &key);
    pool_unref(&p);
    assert_int_equal(registry_reap(r, 1200, &keeper), 0);
    assert_int_equal(registry_reap(r, 1299, &keeper), 0);
    /* A visitor holds it for a moment, which one look may see. */
    p = registry_find(r, &key);
    assert_int_equal(registry_reap(r, 1300, &keeper), 0);
    pool_unref(&p);
    assert_int_equal(registry_reap(r, 1310, &keeper), 0);
    assert_int_equal(registry_reap(r, 1409, &keeper), 0);
    assert_int_equal(registry_reap(r, 1410, &keeper), 1);
    assert_string_equal(ended, "app");
    assert_null(registry_find(r, &key));
    registry_free(&r);
}

static void collect(struct pool *p, void *arg)
{
    strcat(arg, pool_database(p));
}

static void test_each_visits_all_pools_in_the_order_of_their_making(void **state)
{
    (void)state;
    struct registry *r = registry_new(1, &no_bound);
    struct pool *pools[3];
    char seen[8] = "";

    registry_each(r, collect, seen);
    assert_string_equal(seen, "");
    for (int i = 0; i < 3; i++)
        pools[i] = add(r, (const char *[]){"c", "a", "b"}[i], "app");
    registry_each(r, collect, seen);
    assert_string_equal(seen, "cab");
    for (int i = 0; i < 3; i++)
        pool_unref(&pools[i]);
    registry_free(&r);
}

static void test_eviction_chooses_the_least_recently_used_pool_under_the_same_cap(void **state)
{
    (void)state;
    struct registry_entry e = entry_of(4);
    struct registry *r = registry_new(1, &no_bound);
    struct pool *p[4], *victim = NULL;
    struct pool_server s[4] = {0};
    struct pool_waiter w = client_of(1, 0);
    struct pool_dial_answer a;
    unsigned worker = 9;

    /* Three pools of one database that may have two servers, and one of another database. */
    e.database_cap.max_servers = 2;
    for (int i = 0; i < 4; i++) {
        struct pool_key key = {i == 3 ? "other" : "shop", (const char *[]){"a", "b", "c", "d"}[i],
                               ""};
        p[i] = registry_add(r, &key, &e);
    }
    for (int i = 0; i < 4; i++) {
        struct pool_settings set = e.settings;

        set.min = i == 2 ? 0 : 1;
        pool_set_limits(p[i], &set, 1);
    }
    opened_idle(p[3], &s[3], 1, 0, 5);
    opened_idle(p[0], &s[0], 1, 0, 20);
    opened_idle(p[1], &s[1], 1, 0, 10);

    assert_int_equal(acquire(p[2], &w, 30).what, POOL_WAIT);
    assert_false(pool_reserve_dial(p[2], 30, &a));
    assert_int_equal(a.what, POOL_DIAL_CAP_FULL);
    assert_int_equal(a.cap, POOL_CAP_DATABASE);
    assert_true(registry_evict(r, p[2], a.cap, &victim, &worker));
    assert_ptr_equal(victim, p[1]);
    assert_int_equal(worker, 0);
    assert_ptr_equal(pool_take_expired(victim, worker, 31), &s[1]);
    pool_closed(victim, &s[1], 32);
    pool_unref(&victim);
    struct pool *hungry = pool_next_hungry(p[1]);
    assert_ptr_equal(hungry, p[2]);
    pool_unref(&hungry);
    assert_int_equal(opened(p[2], &s[2], 1, 0, 33).what, POOL_GIVE_LOCAL);

    /* The other database's idle server is no help; nor is the pool's own. */
    assert_int_equal(pool_condemn_idle(p[0], POOL_CLOSE_ASKED_FOR), 1);
    assert_false(registry_evict(r, p[2], POOL_CAP_DATABASE, &victim, &worker));
    for (int i = 0; i < 4; i++) {
        close_all(p[i], &s[i], 1);
        pool_unref(&p[i]);
    }
    registry_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_key_finds_the_same_pool_and_no_other_does),
        cmocka_unit_test(test_the_owner_of_a_pool_made_twice_is_freed),
        cmocka_unit_test(test_a_pool_is_reaped_when_nobody_has_held_it_for_long_enough),
        cmocka_unit_test(test_each_visits_all_pools_in_the_order_of_their_making),
        cmocka_unit_test(test_eviction_chooses_the_least_recently_used_pool_under_the_same_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
