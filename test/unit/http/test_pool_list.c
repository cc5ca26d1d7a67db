/* SPDX-License-Identifier: PostgreSQL */
#include "http/pool_list.h"

#include "http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_without_pools_the_list_is_empty(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    char *page = page_of(pool_list_write, &s);
    assert_string_equal(page, "{\"clients\":0,\"servers\":0,\"max_servers\":null,\"pools\":[],\n"
                              "\"pools_not_listed\":0}\n");
    free(page);
}

static void test_a_pool_tells_what_is_out_in_and_queued(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    struct snapshot_pool *p = scene_add_pool(&s, "shop", "a\"b");
    p->size = 20;
    p->active = 3;
    p->idle = 2;
    p->waiting = 1;
    p->clients = 9;
    p->paused = 1;
    p->latency[LATENCY_QUERY] =
        (struct snapshot_latency){.recent = 7, .p50_us = 100, .p95_us = 200, .p99_us = 300};
    s.snapshot.max_servers = 40;
    char *page = page_of(pool_list_write, &s);
    static const char *const pieces[] = {
        "\"max_servers\":40",
        "\"database\":\"shop\",\"user\":\"a\\\"b\"",
        "\"size\":20",
        "\"checked_out\":3",
        "\"checked_in\":2",
        "\"queue\":1",
        "\"clients\":9",
        "\"paused\":true",
        "\"disabled\":false",
        "\"error\":null",
        "\"overflow\":0",
        "\"pool_mode\":\"transaction\"",
        "\"query\":{\"count\":7,\"p50_us\":100,\"p95_us\":200,\"p99_us\":300}",
        "\"latency\":{\"wait\":null,",
    };
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        assert_non_null(strstr(page, pieces[i]));
    free(page);
}

static void test_pools_without_limit_and_pools_refused_say_so(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    struct snapshot_pool *p = scene_add_pool(&s, "shop", "app");
    snprintf(p->refusal, sizeof p->refusal, "no such database");
    scene_add_pool(&s, "second", "app");
    s.snapshot.n_pools_all = 5;
    char *page = page_of(pool_list_write, &s);
    assert_non_null(strstr(page, "\"size\":null"));
    assert_non_null(strstr(page, "\"error\":\"no such database\"},\n{\"database\":\"second\""));
    assert_non_null(strstr(page, "\"pools_not_listed\":3}"));
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_pools_the_list_is_empty),
        cmocka_unit_test(test_a_pool_tells_what_is_out_in_and_queued),
        cmocka_unit_test(test_pools_without_limit_and_pools_refused_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
