/* SPDX-License-Identifier: PostgreSQL */
#include "stats/figures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"

#define PERIOD (60 * US_PER_S)

static struct figures_reading reading_at(struct figures *f, uint64_t now_us)
{
    struct figures_reading reading = {0};
    figures_read(f, now_us, &reading);
    return reading;
}

static struct stats_sum average_at(struct figures *f, uint64_t now_us)
{
    struct stats_sum average;
    struct figures_reading reading = reading_at(f, now_us);
    figures_average(&reading, &average);
    return average;
}

static void test_figures_are_the_sum_over_workers(void **state)
{
    (void)state;
    struct figures *f = figures_new(3, 1);
    for (unsigned i = 0; i < 3; i++) {
        counter_add(&figures_row(f, i)->query, i + 1);
        counter_add(&figures_row(f, i)->sent, 10);
    }
    struct figures_reading reading = reading_at(f, 1);
    assert_int_equal(reading.total.query, 6);
    assert_int_equal(reading.total.sent, 30);
    /* Nothing can be said about a rate over no time. */
    assert_int_equal(reading.rate.query, 0);
    figures_free(&f);
    assert_null(f);
}

static void test_figures_rows_do_not_share_a_cache_line(void **state)
{
    (void)state;
    struct figures *f = figures_new(2, 1);
    assert_int_equal((uintptr_t)figures_row(f, 0) % 64, 0);
    assert_int_equal((uintptr_t)figures_row(f, 1) % 64, 0);
    figures_free(&f);
}

static void test_figures_average_over_the_time_since_the_previous_period_began(void **state)
{
    (void)state;
    uint64_t start = 1000 * US_PER_S;
    struct figures *f = figures_new(1, start);
    struct stats *row = figures_row(f, 0);
    counter_add(&row->query, 6000);
    counter_add(&row->query_time, 6000 * 250);
    assert_int_equal(average_at(f, start + 30 * US_PER_S).query, 200);
    assert_int_equal(average_at(f, start + 30 * US_PER_S).query_time, 250);
    /* Too early: the period goes on. */
    figures_roll(f, start + PERIOD - 1, PERIOD);
    figures_roll(f, start + PERIOD, PERIOD);
    assert_int_equal(average_at(f, start + PERIOD).query, 100);
    counter_add(&row->query, 3000);
    assert_int_equal(average_at(f, start + 3 * PERIOD / 2).query, 100);
    /* The first period is forgotten now. */
    figures_roll(f, start + 2 * PERIOD, PERIOD);
    assert_int_equal(average_at(f, start + 2 * PERIOD).query, 50);
    figures_roll(f, start + 3 * PERIOD, PERIOD);
    assert_int_equal(average_at(f, start + 3 * PERIOD).query, 0);
    assert_int_equal(average_at(f, start + 3 * PERIOD).query_time, 0);
    assert_int_equal(reading_at(f, start + 3 * PERIOD).total.query, 9000);
    figures_free(&f);
}

static void test_figures_times_are_per_piece(void **state)
{
    (void)state;
    struct figures *f = figures_new(1, 1);
    struct stats *row = figures_row(f, 0);
    counter_add(&row->xact, 2);
    counter_add(&row->xact_time, 1000);
    counter_add(&row->query, 10);
    counter_add(&row->query_time, 900);
    counter_add(&row->server_assignment, 4);
    counter_add(&row->wait_time, 100);
    struct stats_sum average = average_at(f, 1 + US_PER_S);
    assert_int_equal(average.xact_time, 500);
    assert_int_equal(average.query_time, 90);
    assert_int_equal(average.wait_time, 25);
    figures_free(&f);
}

static void test_figures_of_several_pools_add_up(void **state)
{
    (void)state;
    struct figures *old = figures_new(1, 1), *young = figures_new(1, 1 + 9 * US_PER_S);
    struct figures_reading both = {0};
    struct stats_sum average;
    counter_add(&figures_row(old, 0)->query, 100);
    counter_add(&figures_row(old, 0)->query_time, 1000);
    counter_add(&figures_row(young, 0)->query, 100);
    counter_add(&figures_row(young, 0)->query_time, 3000);
    figures_read(old, 1 + 10 * US_PER_S, &both);
    figures_read(young, 1 + 10 * US_PER_S, &both);
    figures_average(&both, &average);
    assert_int_equal(both.total.query, 200);
    assert_int_equal(average.query, 10 + 100);
    assert_int_equal(average.query_time, 20);
    figures_free(&old);
    figures_free(&young);
}

static void test_figures_of_a_young_pool_are_over_the_same_time(void **state)
{
    (void)state;
    uint64_t start = 1000 * US_PER_S;
    struct figures *old = figures_new(2, start);
    figures_roll(old, start + PERIOD, PERIOD);
    struct figures *young = figures_new_beside(old);
    counter_add(&figures_row(young, 1)->query, 90);
    assert_int_equal(average_at(young, start + 3 * PERIOD / 2).query, 1);
    figures_roll(young, start + 2 * PERIOD - 1, PERIOD);
    assert_int_equal(average_at(young, start + 3 * PERIOD / 2).query, 1);
    figures_roll(young, start + 2 * PERIOD, PERIOD);
    assert_int_equal(average_at(young, start + 5 * PERIOD / 2).query, 1);
    figures_roll(young, start + 3 * PERIOD, PERIOD);
    assert_int_equal(average_at(young, start + 3 * PERIOD).query, 0);
    figures_free(&old);
    figures_free(&young);
}

static void test_figures_of_slow_pools_add_up_to_something(void **state)
{
    (void)state;
    struct figures_reading all = {0};
    struct stats_sum average;
    for (int i = 0; i < 10; i++) {
        struct figures *f = figures_new(1, 0);
        counter_add(&figures_row(f, 0)->query, 3);
        figures_read(f, 10 * US_PER_S, &all);
        figures_free(&f);
    }
    figures_average(&all, &average);
    assert_int_equal(average.query, 3);
}

static void test_figures_bear_a_clock_that_lags(void **state)
{
    (void)state;
    struct figures *f = figures_new(1, 100 * US_PER_S);
    counter_add(&figures_row(f, 0)->query, 5);
    figures_roll(f, 99 * US_PER_S, US_PER_S);
    struct figures_reading reading = reading_at(f, 99 * US_PER_S);
    assert_int_equal(reading.total.query, 5);
    assert_int_equal(reading.rate.query, 0);
    figures_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures_are_the_sum_over_workers),
        cmocka_unit_test(test_figures_of_a_young_pool_are_over_the_same_time),
        cmocka_unit_test(test_figures_of_slow_pools_add_up_to_something),
        cmocka_unit_test(test_figures_rows_do_not_share_a_cache_line),
        cmocka_unit_test(test_figures_average_over_the_time_since_the_previous_period_began),
        cmocka_unit_test(test_figures_times_are_per_piece),
        cmocka_unit_test(test_figures_of_several_pools_add_up),
        cmocka_unit_test(test_figures_bear_a_clock_that_lags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
