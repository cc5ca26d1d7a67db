/* SPDX-License-Identifier: PostgreSQL */
#include "stats/sums.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_sums_add_up_every_field_of_every_worker(void **state)
{
    (void)state;
    static struct stats workers[3];
    struct stats_sum sum = {.xact = 0};
    for (uint64_t w = 0; w < 3; w++) {
        uint64_t n = 1;
#define COUNT(field) counter_add(&workers[w].field, n++ *(w + 1));
        STATS_FIELDS(COUNT)
#undef COUNT
        stats_add(&sum, &workers[w]);
    }
    uint64_t n = 1;
#define CHECK(field) assert_int_equal(sum.field, n++ * 6);
    STATS_FIELDS(CHECK)
#undef CHECK
}

static void test_a_counter_keeps_adding_beyond_32_bits(void **state)
{
    (void)state;
    struct counter c = {.value = 0};
    counter_add(&c, UINT32_MAX);
    counter_add(&c, UINT32_MAX);
    assert_true(counter_get(&c) == 2 * (uint64_t)UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_add_up_every_field_of_every_worker),
        cmocka_unit_test(test_a_counter_keeps_adding_beyond_32_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
