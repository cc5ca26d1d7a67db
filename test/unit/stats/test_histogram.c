/* SPDX-License-Identifier: PostgreSQL */
#include "stats/histogram.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rand.h"

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

static void test_buckets_follow_one_another_without_gap(void **state)
{
    (void)state;
    assert_true(histogram_bucket(HISTOGRAM_MAX_US) < HISTOGRAM_BUCKETS);
    for (size_t i = 1; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t low = histogram_bucket_low_us(i), high = histogram_bucket_high_us(i);
        assert_true(low <= high);
        assert_int_equal(histogram_bucket_low_us(i + 1), high + 1);
        if (high > HISTOGRAM_MAX_US)
            continue;
        assert_int_equal(histogram_bucket(low), i);
        assert_int_equal(histogram_bucket(high), i);
    }
}

static void test_values_outside_count_at_the_ends(void **state)
{
    (void)state;
    assert_int_equal(histogram_bucket(0), histogram_bucket(1));
    assert_int_equal(histogram_bucket(UINT64_MAX), histogram_bucket(HISTOGRAM_MAX_US));
    static struct histogram h;
    static struct histogram_sum sum;
    histogram_note(&h, 0);
    histogram_note(&h, 2 * HISTOGRAM_MAX_US);
    histogram_add(&sum, &h);
    assert_int_equal(sum.count, 2);
    assert_int_equal(sum.sum_us, 2 * HISTOGRAM_MAX_US);
    assert_int_equal(histogram_percentile_us(&sum, 0), 1);
}

static void test_a_value_comes_back_within_four_percent(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        static struct histogram h;
        struct histogram_sum sum = {.count = 0};
        uint64_t r = rand_next(&seed);
        uint64_t us = (r >> 8) % ((uint64_t)2 << (r % 31)) + 1;
        memset(&h, 0, sizeof h);
        histogram_note(&h, us);
        histogram_add(&sum, &h);
        uint64_t got = histogram_percentile_us(&sum, 50);
        uint64_t off = got > us ? got - us : us - got;
        assert_true(off * 100 <= us * 4);
        if (us < 32)
            assert_int_equal(got, us);
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static void test_percentiles_are_those_of_a_sorted_list(void **state)
{
    (void)state;
    enum { N = 10007 };
    static uint64_t values[N];
    static struct histogram workers[3];
    static struct histogram_sum sum, other;
    uint64_t seed = 99, total = 0;
    for (size_t i = 0; i < N; i++) {
        uint64_t r = rand_next(&seed);
        total += values[i] = (r >> 16) % (1ULL << (5 + r % 24)) + 1;
        histogram_note(&workers[i % 3], values[i]);
    }
    histogram_add(&sum, &workers[0]);
    histogram_add(&sum, &workers[1]);
    histogram_add(&other, &workers[2]);
    histogram_merge(&sum, &other);
    assert_int_equal(sum.count, N);
    assert_int_equal(sum.sum_us, total);
    qsort(values, N, sizeof values[0], by_value);
    static const double percents[] = {0, 1, 25, 50, 90, 99, 99.9, 99.99, 100};
    for (size_t i = 0; i < ROWS(percents); i++) {
        double exact = percents[i] / 100 * N;
        size_t rank = (size_t)exact + ((double)(size_t)exact < exact);
        uint64_t want = values[rank ? rank - 1 : 0];
        uint64_t got = histogram_percentile_us(&sum, percents[i]);
        assert_true((got > want ? got - want : want - got) * 100 <= want * 4);
    }
}

/* Worker A serves 900 quick requests, worker B 100 slow ones. Half of all requests took 1 ms, which
 * neither the average of the workers' medians nor the overall average tells. */
static void test_percentiles_from_averages_would_be_wrong(void **state)
{
    (void)state;
    static struct histogram a, b;
    static struct histogram_sum of_a, of_b, all;
    for (int i = 0; i < 900; i++)
        histogram_note(&a, 1000);
    for (int i = 0; i < 100; i++)
        histogram_note(&b, 1000000);
    histogram_add(&of_a, &a);
    histogram_add(&of_b, &b);
    histogram_merge(&all, &of_a);
    histogram_merge(&all, &of_b);
    uint64_t median = histogram_percentile_us(&all, 50);
    uint64_t p95 = histogram_percentile_us(&all, 95);
    assert_in_range(median, 960, 1040);
    assert_in_range(p95, 960000, 1040000);
    uint64_t averaged =
        (histogram_percentile_us(&of_a, 50) + histogram_percentile_us(&of_b, 50)) / 2;
    uint64_t mean = all.sum_us / all.count;
    assert_true(averaged > 400 * median);
    assert_true(mean > 90 * median);
    uint64_t averaged95 =
        (histogram_percentile_us(&of_a, 95) + histogram_percentile_us(&of_b, 95)) / 2;
    assert_true(averaged95 < p95 * 6 / 10);
}

static void test_a_period_is_the_difference_of_two_readings(void **state)
{
    (void)state;
    static struct histogram h;
    static struct histogram_sum before, after;
    for (int i = 0; i < 1000; i++)
        histogram_note(&h, 1000000);
    histogram_add(&before, &h);
    for (int i = 0; i < 10; i++)
        histogram_note(&h, 20);
    histogram_add(&after, &h);
    histogram_subtract(&after, &before);
    assert_int_equal(after.count, 10);
    assert_int_equal(after.sum_us, 200);
    assert_int_equal(histogram_percentile_us(&after, 99), 20);
}

static void test_nothing_noted_has_no_percentile(void **state)
{
    (void)state;
    static const struct histogram_sum none;
    assert_int_equal(histogram_percentile_us(&none, 50), 0);
}

enum { NOTES = 200000 };

static void *note_many(void *arg)
{
    struct histogram *h = arg;
    for (uint64_t i = 0; i < NOTES; i++)
        histogram_note(h, i % 5000);
    return NULL;
}

static void test_a_reader_never_counts_backwards(void **state)
{
    (void)state;
    static struct histogram h;
    pthread_t writer;
    uint64_t last = 0;
    assert_int_equal(pthread_create(&writer, NULL, note_many, &h), 0);
    for (int i = 0; i < 200; i++) {
        struct histogram_sum sum = {.count = 0};
        histogram_add(&sum, &h);
        assert_true(sum.count >= last);
        last = sum.count;
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    struct histogram_sum sum = {.count = 0};
    histogram_add(&sum, &h);
    assert_int_equal(sum.count, NOTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets_follow_one_another_without_gap),
        cmocka_unit_test(test_values_outside_count_at_the_ends),
        cmocka_unit_test(test_a_value_comes_back_within_four_percent),
        cmocka_unit_test(test_percentiles_are_those_of_a_sorted_list),
        cmocka_unit_test(test_percentiles_from_averages_would_be_wrong),
        cmocka_unit_test(test_a_period_is_the_difference_of_two_readings),
        cmocka_unit_test(test_nothing_noted_has_no_percentile),
        cmocka_unit_test(test_a_reader_never_counts_backwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
