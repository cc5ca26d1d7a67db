/* SPDX-License-Identifier: PostgreSQL */
#include "auth/keycache.h"

#include <pthread.h>
#include <stdio.h>

#include "auth_fixture.h"

static struct keycache_query query(const char *role, const char *password, const char *salt,
                                   uint32_t iterations)
{
    return (struct keycache_query){.role = span_str(role),
                                   .password = span_str(password),
                                   .salt = span_str(salt),
                                   .iterations = iterations};
}

static void test_keycache_derives_once(void **state)
{
    (void)state;
    struct keycache *kc = keycache_new(8);
    const struct keycache_query q = query("app", "pencil", "salt", 100);
    struct scram_keys first, second, direct;
    uint64_t before = scram_derivations();

    assert_false(keycache_find(kc, &q, &first));
    for (int i = 0; i < 50; i++)
        assert_true(keycache_get(kc, &q, i ? &second : &first, NULL));
    assert_int_equal(keycache_derivations(kc), 1);
    assert_int_equal(scram_derivations() - before, 1);
    assert_int_equal(keycache_count(kc), 1);
    assert_memory_equal(&first, &second, sizeof first);
    assert_true(scram_derive(q.password, q.salt, q.iterations, &direct, NULL));
    assert_memory_equal(first.client_key, direct.client_key, SCRAM_KEY_LEN);
    keycache_free(&kc);
    assert_null(kc);
}

static void test_keycache_tells_every_part_of_the_question_apart(void **state)
{
    (void)state;
    const struct keycache_query different[] = {
        query("app", "pencil", "salt", 1),  query("ap", "ppencil", "salt", 1),
        query("app", "pencils", "alt", 1),  query("apps", "pencil", "alt", 1),
        query("app", "pencil", "salt", 2),  query("app", "pencil", "salt2", 1),
        query("", "apppencil", "salt", 1),  query("app", "Pencil", "salt", 1),
        query("app2", "pencil", "salt", 1), query("app", "", "salt", 1),
    };
    struct keycache *kc = keycache_new(64);
    for (size_t i = 0; i < ROWS(different); i++) {
        struct scram_keys keys;
        assert_false(keycache_find(kc, &different[i], &keys));
        assert_true(keycache_get(kc, &different[i], &keys, NULL));
    }
    assert_int_equal(keycache_count(kc), ROWS(different));
    keycache_free(&kc);
}

static void test_keycache_drops_what_was_unused_for_longest(void **state)
{
    (void)state;
    struct keycache *kc = keycache_new(3);
    const struct keycache_query q[] = {query("0", "p", "s", 1), query("1", "p", "s", 1),
                                       query("2", "p", "s", 1), query("3", "p", "s", 1)};
    struct scram_keys keys;
    for (int i = 0; i < 3; i++)
        assert_true(keycache_get(kc, &q[i], &keys, NULL));
    assert_true(keycache_find(kc, &q[0], &keys));
    assert_true(keycache_get(kc, &q[3], &keys, NULL));
    assert_int_equal(keycache_count(kc), 3);
    assert_true(keycache_find(kc, &q[0], &keys));
    assert_false(keycache_find(kc, &q[1], &keys));
    assert_true(keycache_find(kc, &q[2], &keys));
    assert_true(keycache_find(kc, &q[3], &keys));
    keycache_free(&kc);
}

static void test_keycache_of_one_entry_works(void **state)
{
    (void)state;
    struct keycache *kc = keycache_new(1);
    struct scram_keys keys;
    for (int i = 0; i < 10; i++) {
        char role[16];
        snprintf(role, sizeof role, "%d", i);
        const struct keycache_query q = query(role, "p", "s", 1);
        assert_true(keycache_get(kc, &q, &keys, NULL));
        assert_true(keycache_find(kc, &q, &keys));
        assert_int_equal(keycache_count(kc), 1);
    }
    keycache_free(&kc);
}

static void test_keycache_is_empty_after_clear_and_usable(void **state)
{
    (void)state;
    struct keycache *kc = keycache_new(4);
    const struct keycache_query q = query("app", "pencil", "salt", 1);
    struct scram_keys keys;
    assert_true(keycache_get(kc, &q, &keys, NULL));
    keycache_clear(kc);
    assert_int_equal(keycache_count(kc), 0);
    assert_false(keycache_find(kc, &q, &keys));
    assert_true(keycache_get(kc, &q, &keys, NULL));
    assert_int_equal(keycache_derivations(kc), 2);
    keycache_free(&kc);
}

static void test_keycache_takes_whole_keys_only_and_each_once(void **state)
{
    (void)state;
    struct keycache *kc = keycache_new(4);
    const struct keycache_query q = query("app", "pencil", "salt", 1);
    struct scram_keys keys = {.has_client_key = false}, found;
    keycache_put(kc, &q, &keys);
    assert_int_equal(keycache_count(kc), 0);
    keys.has_client_key = true;
    keys.server_key[0] = 42;
    keycache_put(kc, &q, &keys);
    keycache_put(kc, &q, &keys);
    assert_int_equal(keycache_count(kc), 1);
    assert_true(keycache_find(kc, &q, &found));
    assert_int_equal(found.server_key[0], 42);
    keycache_free(&kc);
}

static void test_keycache_keeps_nothing_that_could_not_be_derived(void **state)
{
    (void)state;
    struct keycache *kc = keycache_new(4);
    const struct keycache_query q = query("app", "pencil", "salt", 0);
    struct scram_keys keys;
    struct error err;
    assert_false(keycache_get(kc, &q, &keys, &err));
    assert_int_equal(keycache_count(kc), 0);
    keycache_free(&kc);
}

enum { THREADS = 4, ROUNDS = 400, ROLES = 12 };

static void *hammer(void *arg)
{
    struct keycache *kc = arg;
    for (int i = 0; i < ROUNDS; i++) {
        char role[16];
        struct scram_keys keys;
        snprintf(role, sizeof role, "%d", i * 7 % ROLES);
        const struct keycache_query q = query(role, role, "salt", 1);
        if (!keycache_get(kc, &q, &keys, NULL) || !keys.has_client_key)
            return kc;
        if (i % 100 == 99)
            keycache_clear(kc);
    }
    return NULL;
}

static void test_keycache_serves_threads(void **state)
{
    (void)state;
    struct keycache *kc = keycache_new(8);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, kc), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_true(keycache_count(kc) <= 8);
    keycache_free(&kc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keycache_derives_once),
        cmocka_unit_test(test_keycache_tells_every_part_of_the_question_apart),
        cmocka_unit_test(test_keycache_drops_what_was_unused_for_longest),
        cmocka_unit_test(test_keycache_of_one_entry_works),
        cmocka_unit_test(test_keycache_is_empty_after_clear_and_usable),
        cmocka_unit_test(test_keycache_takes_whole_keys_only_and_each_once),
        cmocka_unit_test(test_keycache_keeps_nothing_that_could_not_be_derived),
        cmocka_unit_test(test_keycache_serves_threads),
    };
    return cmocka_run_group_tests(tests, auth_set_up, auth_tear_down);
}
