/* SPDX-License-Identifier: PostgreSQL */
#include "relay/id_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

static void test_what_was_added_is_found_until_it_is_removed(void **state)
{
    (void)state;
    enum { N = 5000 };
    static struct id_link links[N];
    struct id_table t = {0};
    assert_null(id_table_find(&t, 0));
    for (uint64_t i = 0; i < N; i++) {
        assert_null(id_table_find(&t, i));
        id_table_add(&t, &links[i], i);
    }
    for (uint64_t i = 0; i < N; i += 2)
        id_table_remove(&t, &links[i]);
    for (uint64_t i = 0; i < N; i++)
        assert_ptr_equal(id_table_find(&t, i), i % 2 ? &links[i] : NULL);
    assert_int_equal(t.n, N / 2);
    for (uint64_t i = 1; i < N; i += 2)
        id_table_remove(&t, &links[i]);
    assert_int_equal(t.n, 0);
    assert_null(id_table_find(&t, 1));
    id_table_fini(&t);
}

static void test_numbers_that_differ_in_one_end_spread(void **state)
{
    (void)state;
    enum { N = 1024 };
    static struct id_link links[2][N];
    for (int high = 0; high < 2; high++) {
        struct id_table t = {0};
        for (uint64_t i = 0; i < N; i++)
            id_table_add(&t, &links[high][i], high ? i << 54 : i);
        size_t longest = 0;
        for (size_t b = 0; b < t.n_buckets; b++) {
            size_t n = 0;
            for (struct id_link *l = t.buckets[b]; l; l = l->next)
                n++;
            longest = n > longest ? n : longest;
        }
        assert_in_range(longest, 1, 16);
        id_table_fini(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_added_is_found_until_it_is_removed),
        cmocka_unit_test(test_numbers_that_differ_in_one_end_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
