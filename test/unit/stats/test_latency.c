/* SPDX-License-Identifier: PostgreSQL */
#include "stats/figures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"

#define PERIOD (60 * US_PER_S)

static void test_a_time_is_counted_and_noted(void **state)
{
    (void)state;
    struct figures *f = figures_new(2, 1);
    struct latency_sum total = {0};
    struct figures_reading reading = {0};
    assert_false(figures_read_latency(f, &total, NULL));
    stats_note(figures_row(f, 0), LATENCY_QUERY, 1000);
    stats_note(figures_row(f, 1), LATENCY_QUERY, 3000);
    stats_note(figures_row(f, 1), LATENCY_XACT, 7);
    assert_true(figures_read_latency(f, &total, NULL));
    figures_read(f, 2, &reading);
    assert_int_equal(total.each[LATENCY_QUERY].count, 2);
    assert_int_equal(total.each[LATENCY_QUERY].sum_us, 4000);
    assert_int_equal(reading.total.query_time, 4000);
    assert_int_equal(reading.total.xact_time, 7);
    assert_int_equal(total.each[LATENCY_WAIT].count, 0);
    figures_free(&f);
}

static void test_who_did_not_wait_waited_no_time(void **state)
{
    (void)state;
    struct figures *f = figures_new(1, 1);
    struct latency_sum total = {0};
    counter_add(&figures_row(f, 0)->server_assignment, 100);
    stats_note(figures_row(f, 0), LATENCY_WAIT, 5000);
    assert_true(figures_read_latency(f, &total, NULL));
    struct histogram_sum *waits = &total.each[LATENCY_WAIT];
    assert_int_equal(waits->count, 100);
    assert_int_equal(waits->sum_us, 5000);
    assert_int_equal(histogram_percentile_us(waits, 99), 0);
    assert_in_range(histogram_percentile_us(waits, 100), 4700, 5300);
    figures_free(&f);
}

static void test_recent_ones_are_those_since_the_previous_period_began(void **state)
{
    (void)state;
    struct figures *f = figures_new(1, 1);
    uint64_t now = 1;
    for (uint64_t period = 1; period <= 4; period++) {
        struct latency_sum total = {0}, since = {0};
        counter_add(&figures_row(f, 0)->server_assignment, 10);
        stats_note(figures_row(f, 0), LATENCY_QUERY, period * 1000);
        assert_true(figures_read_latency(f, &total, &since));
        assert_int_equal(total.each[LATENCY_QUERY].count, period);
        assert_int_equal(since.each[LATENCY_QUERY].count, period < 2 ? 1 : 2);
        assert_int_equal(since.each[LATENCY_QUERY].sum_us,
                         period < 2 ? 1000 : (2 * period - 1) * 1000);
        assert_int_equal(since.each[LATENCY_WAIT].count, period < 2 ? 10 : 20);
        now += PERIOD;
        figures_roll(f, now, PERIOD);
    }
    figures_free(&f);
}

static void test_sums_of_pools_add_up(void **state)
{
    (void)state;
    struct figures *a = figures_new(1, 1), *b = figures_new(1, 1);
    struct latency_sum total = {0}, since = {0};
    stats_note(figures_row(a, 0), LATENCY_XACT, 10);
    stats_note(figures_row(b, 0), LATENCY_XACT, 20);
    assert_true(figures_read_latency(a, &total, &since));
    assert_true(figures_read_latency(b, &total, &since));
    assert_int_equal(total.each[LATENCY_XACT].count, 2);
    assert_int_equal(since.each[LATENCY_XACT].sum_us, 30);
    figures_free(&a);
    figures_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_time_is_counted_and_noted),
        cmocka_unit_test(test_who_did_not_wait_waited_no_time),
        cmocka_unit_test(test_recent_ones_are_those_since_the_previous_period_began),
        cmocka_unit_test(test_sums_of_pools_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
