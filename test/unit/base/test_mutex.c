/* SPDX-License-Identifier: PostgreSQL */
/* test_mutex.c - one thread at a time, and nobody sleeps for ever. */
#include "base/mutex.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS 20000

struct shared {
    struct mutex m;
    unsigned n; /* under m */
    unsigned inside;
    unsigned crowds; /* rounds in which somebody else was inside */
};

static void *add(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; i < ROUNDS; i++) {
        mutex_lock(&s->m);
        s->crowds += ++s->inside != 1;
        s->n++;
        if (i % 64 == 0)
            sched_yield(); /* held while others come: they have to sleep */
        s->inside--;
        mutex_unlock(&s->m);
    }
    return NULL;
}

static void threads_take_turns(void **state)
{
    struct shared s = {0};
    pthread_t threads[THREADS];
    (void)state;
    mutex_init(&s.m);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add, &s), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(s.n, THREADS * ROUNDS);
    assert_int_equal(s.crowds, 0);
    assert_int_equal(s.m.word, MUTEX_FREE);
    mutex_fini(&s.m);
}

static void *take_and_leave(void *arg)
{
    struct shared *s = arg;
    mutex_lock(&s->m);
    s->n++;
    mutex_unlock(&s->m);
    return NULL;
}

static void all_that_sleep_are_woken_one_after_the_other(void **state)
{
    static struct shared s = {.m = MUTEX_INITIALIZER};
    pthread_t threads[THREADS];
    (void)state;
    mutex_lock(&s.m);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_leave, &s), 0);
    while (atomic_load(&s.m.word) != MUTEX_AWAITED)
        sched_yield();
    mutex_unlock(&s.m);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(s.n, THREADS);
    mutex_fini(&s.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_take_turns),
        cmocka_unit_test(all_that_sleep_are_woken_one_after_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
