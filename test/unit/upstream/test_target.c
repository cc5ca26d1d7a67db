/* SPDX-License-Identifier: PostgreSQL */
#include "upstream/target.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/rand.h"

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

enum { START = 1000 };
static const uint64_t opens_us = 10 * US_PER_S;
static const struct target_limits limits = {
    .max_connects = 4, .breaker_failures = 3, .breaker_open_us = 10 * US_PER_S};
static const struct error down = {"57P03", "connect: Connection refused"};

static struct target *fresh(void)
{
    return target_new("db.example", 5432, &limits);
}

static enum target_answer ask(struct target *t, uint64_t now)
{
    uint64_t until;
    struct error err;
    return target_begin(t, now, &until, &err);
}

static struct target_numbers look(struct target *t)
{
    struct target_numbers n;
    target_inspect(t, &n);
    return n;
}

static struct target *awake(void)
{
    struct target *t = fresh();
    assert_int_equal(ask(t, START), TARGET_GO);
    target_succeeded(t, START, false);
    return t;
}

/* One attempt after the other fails as soon as it is allowed; returns the time of the last. */
static uint64_t fail_in_a_row(struct target *t, uint64_t now, int n)
{
    for (int i = 0; i < n; i++) {
        if (look(t).next_try_us > now)
            now = look(t).next_try_us;
        assert_int_equal(ask(t, now), TARGET_GO);
        target_failed(t, now, FAILURE_FAST, &down, 0);
    }
    return now;
}

static void test_one_attempt_at_a_time_until_the_target_is_known(void **state)
{
    (void)state;
    struct target *t = fresh();
    assert_string_equal(target_host(t), "db.example");
    assert_int_equal(target_port(t), 5432);
    assert_int_equal(look(t).state, TARGET_UNKNOWN);
    uint64_t until = 42;
    assert_int_equal(ask(t, START), TARGET_GO);
    assert_int_equal(look(t).state, TARGET_WAKING);
    assert_int_equal(target_begin(t, START, &until, NULL), TARGET_WAIT);
    assert_int_equal(until, 0);
    target_succeeded(t, START, false);
    assert_int_equal(look(t).state, TARGET_AWAKE);
    assert_int_equal(look(t).wakes, 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(t, START), TARGET_GO);
    assert_int_equal(ask(t, START), TARGET_WAIT);
    assert_int_equal(look(t).dialing, 4);
    target_free(&t);
    assert_null(t);
    target_free(&t);
}

static void test_a_sleeping_target_is_woken_by_one_attempt(void **state)
{
    (void)state;
    struct target *t = awake();
    target_slept(t);
    target_slept(t);
    assert_int_equal(look(t).state, TARGET_ASLEEP);
    assert_int_equal(look(t).failures, 0);
    assert_int_equal(ask(t, START), TARGET_GO);
    assert_int_equal(ask(t, START), TARGET_WAIT);
    target_succeeded(t, START, false);
    assert_int_equal(look(t).wakes, 2);
    assert_int_equal(ask(t, START), TARGET_GO);
    assert_int_equal(ask(t, START), TARGET_GO);
    target_free(&t);
}

static void test_an_attempt_that_was_given_up_says_nothing(void **state)
{
    (void)state;
    struct target *t = fresh();
    assert_int_equal(ask(t, START), TARGET_GO);
    target_abandoned(t);
    assert_int_equal(look(t).state, TARGET_UNKNOWN);
    assert_int_equal(look(t).failures, 0);
    uint64_t now = fail_in_a_row(t, START, 3) + 4 * opens_us;
    assert_int_equal(ask(t, now), TARGET_GO);
    assert_int_equal(look(t).breaker, BREAKER_HALF_OPEN);
    target_abandoned(t);
    assert_int_equal(look(t).breaker, BREAKER_OPEN);
    assert_int_equal(ask(t, now), TARGET_GO);
    assert_int_equal(ask(t, now), TARGET_WAIT);
    target_free(&t);
}

/* A flag would refuse everybody for ever, or let everybody in at once when the time is over. */
static void test_the_breaker_is_not_a_boolean(void **state)
{
    (void)state;
    struct target *t = awake();
    struct error err;
    uint64_t until;
    uint64_t now = fail_in_a_row(t, START, 2);
    assert_int_equal(look(t).breaker, BREAKER_CLOSED);
    now = fail_in_a_row(t, now, 1);
    assert_int_equal(look(t).breaker, BREAKER_OPEN);
    assert_int_equal(target_begin(t, now + 1, &until, &err), TARGET_REFUSE);
    assert_string_equal(err.sqlstate, "57P03");
    assert_non_null(strstr(err.text, "Connection refused (server_login_retry), next try in 9.9 s"));
    assert_int_equal(ask(t, now + opens_us - 1), TARGET_REFUSE);

    now += opens_us;
    assert_int_equal(look(t).breaker, BREAKER_OPEN); /* until somebody asks */
    assert_int_equal(ask(t, now), TARGET_GO);
    assert_int_equal(look(t).breaker, BREAKER_HALF_OPEN);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(t, now), TARGET_WAIT);

    target_failed(t, now, FAILURE_FAST, &down, 0);
    assert_int_equal(look(t).breaker, BREAKER_OPEN);
    assert_int_equal(ask(t, now + 2 * opens_us - 1), TARGET_REFUSE);
    now += 2 * opens_us;
    assert_int_equal(ask(t, now), TARGET_GO);
    target_succeeded(t, now, false);
    assert_int_equal(look(t).breaker, BREAKER_CLOSED);
    assert_int_equal(look(t).failures, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(t, now), TARGET_GO);
    target_free(&t);
}

static void test_the_breaker_stays_open_for_at_most_eight_times_its_time(void **state)
{
    (void)state;
    struct target *t = fresh();
    static const unsigned times[] = {1, 2, 4, 8, 8, 8};
    uint64_t now = fail_in_a_row(t, START, 3);
    for (size_t i = 0; i < ROWS(times); i++) {
        assert_int_equal(look(t).next_try_us, now + times[i] * opens_us);
        now = fail_in_a_row(t, now, 1);
    }
    now = look(t).next_try_us;
    assert_int_equal(ask(t, now), TARGET_GO);
    target_succeeded(t, now, false);
    now = fail_in_a_row(t, now, 3);
    assert_int_equal(look(t).next_try_us, now + opens_us);
    target_free(&t);
}

static void test_no_pause_is_longer_than_the_longest(void **state)
{
    (void)state;
    static const enum failure_class classes[] = {FAILURE_SLOW, FAILURE_FAST, FAILURE_LIMITER,
                                                 FAILURE_SLOTS};
    struct target_limits short_limits = limits;
    short_limits.longest_us = US_PER_S;
    for (size_t i = 0; i < ROWS(classes); i++) {
        struct target *t = target_new("db.example", 5432, &short_limits);
        uint64_t now = START;
        for (int n = 0; n < 9; n++) {
            assert_int_equal(ask(t, now), TARGET_GO);
            target_failed(t, now, classes[i], &down, UINT64_MAX);
            assert_in_range(look(t).next_try_us, now + 1, now + US_PER_S);
            now = look(t).next_try_us;
        }
        target_free(&t);
    }
}

static void test_attempts_in_parallel_that_fail_alike_count_once(void **state)
{
    (void)state;
    struct target *t = awake();
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(t, START), TARGET_GO);
    for (int i = 0; i < 4; i++)
        target_failed(t, START, FAILURE_FAST, &down, 0);
    assert_int_equal(look(t).failures, 1);
    assert_int_equal(look(t).breaker, BREAKER_CLOSED);
    assert_int_equal(look(t).dialing, 0);
    target_free(&t);
}

static void test_what_began_before_the_opening_neither_lengthens_nor_shortens_it(void **state)
{
    (void)state;
    static const struct error slow = {"57P03", "exceeded the quota"};
    static const struct error password = {"28P01", "password authentication failed for user 'b'"};
    static const enum failure_class classes[] = {FAILURE_PERMANENT, FAILURE_FAST, FAILURE_SLOW,
                                                 FAILURE_LIMITER, FAILURE_SLOTS};
    for (size_t i = 0; i < ROWS(classes); i++) {
        struct target *t = awake();
        struct error err;
        uint64_t until;
        assert_int_equal(ask(t, START), TARGET_GO);
        assert_int_equal(ask(t, START), TARGET_GO);
        target_failed(t, START, FAILURE_SLOW, &slow, 0);
        uint64_t next = look(t).next_try_us;
        assert_true(next >= START + 30 * US_PER_S);
        target_failed(t, START + 1, classes[i], &password, 0);
        assert_int_equal(look(t).next_try_us, next);
        assert_int_equal(look(t).breaker, BREAKER_OPEN);
        /* Nobody is told what happened to another user. */
        assert_int_equal(target_begin(t, START + 2, &until, &err), TARGET_REFUSE);
        assert_non_null(strstr(err.text, "exceeded the quota"));
        target_free(&t);
    }
}

static void test_a_refusal_always_ends_with_the_time_of_the_next_try(void **state)
{
    (void)state;
    struct target *t = fresh();
    struct error longest = {.sqlstate = "57P03"}, err;
    uint64_t until;
    memset(longest.text, 'x', sizeof longest.text - 1);
    assert_int_equal(ask(t, START), TARGET_GO);
    target_failed(t, START, FAILURE_SLOW, &longest, 0);
    assert_int_equal(target_begin(t, START, &until, &err), TARGET_REFUSE);
    assert_non_null(strstr(err.text, ", next try in 30.0 s"));
    target_free(&t);
}

static void test_a_permanent_failure_stops_nobody_else(void **state)
{
    (void)state;
    static const struct error password = {"28P01", "password authentication failed"};
    struct target *t = fresh();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask(t, START), TARGET_GO);
        target_failed(t, START, FAILURE_PERMANENT, &password, 0);
    }
    assert_int_equal(look(t).state, TARGET_UNKNOWN);
    assert_int_equal(look(t).next_try_us, 0);
    assert_int_equal(ask(t, START), TARGET_GO);
    target_succeeded(t, START, false);
    assert_int_equal(ask(t, START), TARGET_GO);
    assert_int_equal(ask(t, START), TARGET_GO);
    target_failed(t, START, FAILURE_PERMANENT, &password, 0);
    assert_int_equal(look(t).state, TARGET_AWAKE);
    assert_string_equal(look(t).last_error.sqlstate, "28P01");
    target_free(&t);
}

static void test_a_probe_that_is_answered_closes_the_breaker(void **state)
{
    (void)state;
    static const enum failure_class classes[] = {FAILURE_PERMANENT, FAILURE_LIMITER, FAILURE_SLOTS};
    for (size_t i = 0; i < ROWS(classes); i++) {
        struct target *t = fresh();
        uint64_t now = fail_in_a_row(t, START, 3) + opens_us;
        assert_int_equal(ask(t, now), TARGET_GO);
        target_failed(t, now, classes[i], &down, 0);
        assert_int_equal(look(t).breaker, BREAKER_CLOSED);
        assert_int_not_equal(ask(t, now + 1), TARGET_REFUSE);
        target_free(&t);
    }
}

static void test_a_limiter_leaves_one_attempt_at_a_time(void **state)
{
    (void)state;
    static const enum failure_class classes[] = {FAILURE_LIMITER, FAILURE_SLOTS};
    for (size_t i = 0; i < ROWS(classes); i++) {
        struct target *t = awake();
        for (int k = 0; k < 3; k++)
            assert_int_equal(ask(t, START), TARGET_GO);
        target_failed(t, START, classes[i], &down, 0);
        /* These began in the crowd: they prove nothing. */
        target_succeeded(t, START, false);
        target_failed(t, START, classes[i], &down, 0);
        assert_int_equal(look(t).failures, 1);
        uint64_t until, now = look(t).next_try_us;
        assert_true(now >= START + US_PER_S);
        assert_int_equal(target_begin(t, START, &until, NULL), TARGET_WAIT);
        assert_int_equal(until, now);
        assert_int_equal(ask(t, now), TARGET_GO);
        assert_int_equal(ask(t, now), TARGET_WAIT);
        assert_int_equal(look(t).breaker, BREAKER_CLOSED);
        target_succeeded(t, now, false);
        for (int k = 0; k < 4; k++)
            assert_int_equal(ask(t, now), TARGET_GO);
        target_free(&t);
    }
}

static void test_limiters_never_open_the_breaker(void **state)
{
    (void)state;
    struct target *t = awake();
    uint64_t now = START;
    for (int i = 0; i < 50; i++) {
        if (look(t).next_try_us > now)
            now = look(t).next_try_us;
        assert_int_equal(ask(t, now), TARGET_GO);
        target_failed(t, now, i % 2 ? FAILURE_SLOTS : FAILURE_LIMITER, &down, 0);
    }
    fail_in_a_row(t, now, 1);
    assert_int_equal(look(t).breaker, BREAKER_CLOSED);
    target_free(&t);
}

static void test_pauses_grow_within_their_bounds_and_vary(void **state)
{
    (void)state;
    static const struct {
        enum failure_class class;
        uint64_t first_low_ms, first_high_ms, low_ms, high_ms;
    } rows[] = {
        {FAILURE_PERMANENT, 1000, 2000, 30000, 60000}, {FAILURE_SLOW, 30000, 37500, 120000, 150000},
        {FAILURE_FAST, 100, 200, 2500, 5000},          {FAILURE_LIMITER, 1000, 2000, 5000, 10000},
        {FAILURE_SLOTS, 1000, 2000, 5000, 10000},
    };
    uint64_t seed = 7;
    for (size_t i = 0; i < ROWS(rows); i++) {
        uint64_t least = UINT64_MAX, most = 0;
        for (int k = 0; k < 1000; k++) {
            uint64_t first = target_pause_us(rows[i].class, 1, rand_next(&seed));
            uint64_t late = target_pause_us(rows[i].class, 1000000, rand_next(&seed));
            assert_in_range(first, rows[i].first_low_ms * US_PER_MS,
                            rows[i].first_high_ms * US_PER_MS);
            assert_in_range(late, rows[i].low_ms * US_PER_MS, rows[i].high_ms * US_PER_MS);
            least = late < least ? late : least;
            most = late > most ? late : most;
        }
        assert_true(most - least > (rows[i].high_ms - rows[i].low_ms) * US_PER_MS * 9 / 10);
        for (unsigned n = 1; n < 70; n++)
            assert_true(target_pause_us(rows[i].class, n, 0) <=
                        target_pause_us(rows[i].class, n + 1, 0));
    }
}

static void test_a_scram_success_is_remembered(void **state)
{
    (void)state;
    struct target *t = awake();
    assert_false(target_scram_seen(t));
    assert_int_equal(ask(t, START), TARGET_GO);
    target_succeeded(t, START, true);
    assert_int_equal(ask(t, START), TARGET_GO);
    target_succeeded(t, START, false);
    assert_true(target_scram_seen(t));
    target_free(&t);
}

enum { THREADS = 4, ROUNDS = 20000 };

struct crowd {
    struct target *t;
    _Atomic uint64_t now;
    _Atomic unsigned dialing;
    _Atomic unsigned crowded; /* more than one attempt where one is allowed */
    bool always_down;
};

static void *dial_and_fail(void *arg)
{
    struct crowd *c = arg;
    uint64_t seed = (uint64_t)(uintptr_t)&seed | 1;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t now = atomic_fetch_add(&c->now, 10 * US_PER_MS);
        if (ask(c->t, now) != TARGET_GO)
            continue;
        unsigned others = c->dialing++;
        if (others >= (c->always_down ? 1 : limits.max_connects))
            c->crowded++;
        uint64_t dice = rand_next(&seed);
        struct target_numbers n = look(c->t);
        if (n.dialing > limits.max_connects)
            c->crowded++;
        c->dialing--;
        if (c->always_down || dice % 4 == 0)
            target_failed(c->t, now, (enum failure_class)(dice / 4 % 5), &down, dice);
        else if (dice % 4 == 1)
            target_abandoned(c->t);
        else
            target_succeeded(c->t, now, dice & 16);
        if (dice % 64 == 0)
            target_slept(c->t);
    }
    return NULL;
}

static void crowd_run(bool always_down)
{
    struct crowd c = {.t = fresh(), .now = START, .always_down = always_down};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, dial_and_fail, &c), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(c.crowded, 0);
    assert_int_equal(look(c.t).dialing, 0);
    target_free(&c.t);
}

static void test_threads_never_exceed_what_is_allowed(void **state)
{
    (void)state;
    crowd_run(false);
    crowd_run(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_attempt_at_a_time_until_the_target_is_known),
        cmocka_unit_test(test_a_sleeping_target_is_woken_by_one_attempt),
        cmocka_unit_test(test_an_attempt_that_was_given_up_says_nothing),
        cmocka_unit_test(test_the_breaker_is_not_a_boolean),
        cmocka_unit_test(test_the_breaker_stays_open_for_at_most_eight_times_its_time),
        cmocka_unit_test(test_no_pause_is_longer_than_the_longest),
        cmocka_unit_test(test_attempts_in_parallel_that_fail_alike_count_once),
        cmocka_unit_test(test_what_began_before_the_opening_neither_lengthens_nor_shortens_it),
        cmocka_unit_test(test_a_refusal_always_ends_with_the_time_of_the_next_try),
        cmocka_unit_test(test_a_permanent_failure_stops_nobody_else),
        cmocka_unit_test(test_a_probe_that_is_answered_closes_the_breaker),
        cmocka_unit_test(test_a_limiter_leaves_one_attempt_at_a_time),
        cmocka_unit_test(test_limiters_never_open_the_breaker),
        cmocka_unit_test(test_pauses_grow_within_their_bounds_and_vary),
        cmocka_unit_test(test_a_scram_success_is_remembered),
        cmocka_unit_test(test_threads_never_exceed_what_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
