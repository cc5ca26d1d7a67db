/* SPDX-License-Identifier: PostgreSQL */
#include "http/health.h"

#include "http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_a_database_that_nobody_asked_for_is_healthy(void **state)
{
    (void)state;
    struct scene s;
    const char *error;
    scene_init(&s);
    assert_int_equal(health_of(&s.snapshot, &error), HEALTH_NEVER_CONTACTED);
    assert_null(error);
    assert_true(health_is_good(HEALTH_NEVER_CONTACTED));
    scene_add_target(&s, "db", SNAPSHOT_TARGET_UNKNOWN);
    assert_int_equal(health_of(&s.snapshot, &error), HEALTH_NEVER_CONTACTED);
}

static const struct state_case {
    enum snapshot_target_state state;
    enum health health;
    bool good;
} states[] = {
    {SNAPSHOT_TARGET_AWAKE, HEALTH_CONNECTED, true},
    {SNAPSHOT_TARGET_ASLEEP, HEALTH_ASLEEP, true},
    {SNAPSHOT_TARGET_WAKING, HEALTH_WAKING, true},
    {SNAPSHOT_TARGET_FAILING, HEALTH_UNREACHABLE, false},
};

static void test_the_state_of_the_target_is_the_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        struct scene s;
        const char *error;
        scene_init(&s);
        scene_add_target(&s, "db", states[i].state);
        assert_int_equal(health_of(&s.snapshot, &error), states[i].health);
        assert_int_equal(health_is_good(states[i].health), states[i].good);
        assert_int_equal(error == NULL, states[i].good);
    }
}

static void test_one_failing_target_among_good_ones_is_told(void **state)
{
    (void)state;
    struct scene s;
    const char *error;
    scene_init(&s);
    scene_add_target(&s, "one", SNAPSHOT_TARGET_AWAKE);
    struct snapshot_target *bad = scene_add_target(&s, "two", SNAPSHOT_TARGET_FAILING);
    snprintf(bad->last_error, sizeof bad->last_error, "connection refused");
    assert_int_equal(health_of(&s.snapshot, &error), HEALTH_UNREACHABLE);
    assert_string_equal(error, "connection refused");
}

static void test_a_breaker_that_tries_again_is_not_healthy_yet(void **state)
{
    (void)state;
    struct scene s;
    const char *error;
    scene_init(&s);
    scene_add_target(&s, "db", SNAPSHOT_TARGET_WAKING)->breaker_closed = false;
    assert_int_equal(health_of(&s.snapshot, &error), HEALTH_UNREACHABLE);
}

static void test_an_old_error_of_a_good_target_is_not_the_answer(void **state)
{
    (void)state;
    struct scene s;
    const char *error;
    scene_init(&s);
    struct snapshot_target *t = scene_add_target(&s, "db", SNAPSHOT_TARGET_AWAKE);
    snprintf(t->last_error, sizeof t->last_error, "was restarted yesterday");
    assert_int_equal(health_of(&s.snapshot, &error), HEALTH_CONNECTED);
    assert_null(error);
}

static void test_refusing_everybody_is_unhealthy_but_one_user_is_not(void **state)
{
    (void)state;
    struct scene s;
    const char *error;
    scene_init(&s);
    scene_add_target(&s, "db", SNAPSHOT_TARGET_AWAKE);
    struct snapshot_pool *p = scene_add_pool(&s, "app", "app");
    snprintf(p->refusal, sizeof p->refusal, "password authentication failed");
    assert_int_equal(health_of(&s.snapshot, &error), HEALTH_REFUSED);
    assert_string_equal(error, "password authentication failed");
    scene_add_pool(&s, "app", "other")->accepted = true;
    assert_int_equal(health_of(&s.snapshot, &error), HEALTH_CONNECTED);
}

static void test_the_page_names_each_target_and_its_error(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    struct snapshot_target *t = scene_add_target(&s, "db\"1", SNAPSHOT_TARGET_FAILING);
    t->breaker_closed = false;
    t->breaker = "open";
    t->failures = 3;
    t->wakes = 7;
    t->next_try_ms = 1500;
    snprintf(t->last_error, sizeof t->last_error, "no \"route\"");
    s.snapshot.n_targets_all = 3;
    char *page = page_of(health_write, &s);
    assert_string_equal(page, "{\"status\":\"unhealthy\",\"database\":\"unreachable\","
                              "\"error\":\"no \\\"route\\\"\",\"targets\":[{\"host\":\"db\\\"1\","
                              "\"port\":5432,\"state\":\"failing\",\"breaker\":\"open\","
                              "\"connecting\":0,\"failures\":3,\"wakes\":7,\"next_try_ms\":1500,"
                              "\"last_error\":\"no \\\"route\\\"\"}],\"targets_not_listed\":2}\n");
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_database_that_nobody_asked_for_is_healthy),
        cmocka_unit_test(test_the_state_of_the_target_is_the_answer),
        cmocka_unit_test(test_one_failing_target_among_good_ones_is_told),
        cmocka_unit_test(test_a_breaker_that_tries_again_is_not_healthy_yet),
        cmocka_unit_test(test_an_old_error_of_a_good_target_is_not_the_answer),
        cmocka_unit_test(test_refusing_everybody_is_unhealthy_but_one_user_is_not),
        cmocka_unit_test(test_the_page_names_each_target_and_its_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
