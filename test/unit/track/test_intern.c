/* SPDX-License-Identifier: PostgreSQL */
/* Interning from several threads at once: for the thread sanitizer, and for the counts. */
#include "track_fixture.h"

#include <pthread.h>

#include "track/prepared.h"

#define THREADS 4
#define ROUNDS 4000
#define KINDS 5

static struct param_set *make_set(unsigned kind)
{
    char value[16];
    snprintf(value, sizeof value, "%u", kind);
    return SET("DateStyle", value, "application_name", "x");
}

static struct statement *make_statement(unsigned kind, struct param_set *params)
{
    char query[32];
    snprintf(query, sizeof query, "select %u", kind);
    return statement_intern(span_str(query), span_of(NULL, 0), 0, params, definitions_of("db"));
}

/* Makes, checks and drops a few things over and over; whatever is equal must be the same while
 * somebody holds it. Assertions of cmocka belong to the main thread, so faults are counted. */
static void *churn(void *arg)
{
    uint64_t seed = 1 + (uint64_t)(uintptr_t)arg;
    uintptr_t faults = 0;
    for (int i = 0; i < ROUNDS; i++) {
        unsigned kind = (unsigned)(rand_next(&seed) % KINDS);
        struct param_set *a = make_set(kind), *b = make_set(kind);
        struct statement *s = make_statement(kind, a), *t = make_statement(kind, b);
        struct param_set *copy = param_set_ref(a);
        struct statement *again = statement_ref(s);
        struct span v;
        faults += a != b || s != t || params_fingerprint(a) != params_fingerprint(b);
        faults += !params_get(copy, span_str("DateStyle"), &v) || v.p[0] != '0' + kind;
        faults += statement_query(again).p[7] != '0' + kind;
        param_set_unref(&a);
        param_set_unref(&b);
        statement_unref(&s);
        statement_unref(&t);
        faults += params_fingerprint(copy) != params_fingerprint(statement_params(again));
        param_set_unref(&copy);
        statement_unref(&again);
    }
    return (void *)faults;
}

static void test_equal_things_are_the_same_in_all_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)i), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        void *faults;
        assert_int_equal(pthread_join(threads[i], &faults), 0);
        assert_null(faults);
    }
    assert_int_equal(statement_count_total(), 0);
    assert_int_equal(statement_bytes_total(), 0);
}

static struct param_accepted *accepted;

static void *note(void *arg)
{
    uint64_t seed = 1 + (uint64_t)(uintptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        char value[16];
        snprintf(value, sizeof value, "%u", (unsigned)(rand_next(&seed) % 400));
        params_note_accepted(accepted, span_str("TimeZone"), span_str(value));
        (void)params_may_fence(accepted, span_str("TimeZone"), span_str(value));
    }
    return NULL;
}

static void test_what_was_accepted_is_noted_from_all_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    accepted = param_accepted_new();
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, note, (void *)i), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    params_note_accepted(accepted, span_str("TimeZone"), span_str("UTC"));
    assert_true(params_may_fence(accepted, span_str("TimeZone"), span_str("UTC")));
    param_accepted_free(&accepted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_things_are_the_same_in_all_threads),
        cmocka_unit_test(test_what_was_accepted_is_noted_from_all_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
