/* SPDX-License-Identifier: PostgreSQL */
/* The queue and the threads; what PAM and LDAP then say is for test/integration. A directory on a
 * port where nobody listens is answered at once, which is all that is needed here. */
#include "auth/blocking.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "auth_fixture.h"

static bool left_behind;

struct tally {
    pthread_mutex_t m;
    pthread_cond_t changed;
    unsigned n[3];
    uint64_t tags; /* sum */
    char text[sizeof((struct error *)0)->text];
};

static void tally_init(struct tally *t)
{
    *t = (struct tally){0};
    pthread_mutex_init(&t->m, NULL);
    pthread_cond_init(&t->changed, NULL);
}

static void count(void *arg, uint64_t tag, enum blocking_verdict verdict, const struct error *err)
{
    struct tally *t = arg;
    pthread_mutex_lock(&t->m);
    t->n[verdict]++;
    t->tags += tag;
    snprintf(t->text, sizeof t->text, "%s", err->text);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->m);
}

static void wait_for(struct tally *t, enum blocking_verdict verdict, unsigned n)
{
    pthread_mutex_lock(&t->m);
    while (t->n[verdict] < n)
        pthread_cond_wait(&t->changed, &t->m);
    pthread_mutex_unlock(&t->m);
}

static const struct blocking_question nobody_listens = {
    .method = BLOCKING_LDAP,
    .user = "joe",
    .password = "secret",
    .options = "ldapserver=127.0.0.1 ldapport=1 ldapsuffix=@x",
};

static void test_blocking_answers_every_question_once(void **state)
{
    (void)state;
    struct tally t;
    struct error err;
    struct blocking *b = blocking_new();
    tally_init(&t);
    for (uint64_t i = 1; i <= 100; i++)
        assert_true(blocking_ask(b, &nobody_listens, count, &t, i, &err));
    wait_for(&t, BLOCKING_BROKEN, 100);
    assert_int_equal(t.n[BLOCKING_BROKEN], 100);
    assert_int_equal(t.tags, 5050);
    left_behind |= !blocking_free(&b);
}

static void test_blocking_never_asks_with_an_empty_password(void **state)
{
    (void)state;
    struct tally t;
    struct error err;
    struct blocking_question q = nobody_listens;
    struct blocking *b = blocking_new();
    tally_init(&t);
    q.password = "";
    assert_true(blocking_ask(b, &q, count, &t, 1, &err));
    wait_for(&t, BLOCKING_WRONG, 1);
    assert_string_equal(t.text, "empty password");
    left_behind |= !blocking_free(&b);
}

static void hold(void *arg, uint64_t tag, enum blocking_verdict verdict, const struct error *err)
{
    pthread_mutex_t *gate = arg;
    (void)tag, (void)verdict, (void)err;
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
}

static void test_blocking_refuses_what_its_queue_cannot_hold(void **state)
{
    (void)state;
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct error err;
    unsigned taken = 0;
    struct blocking *b = blocking_new();
    pthread_mutex_lock(&gate);
    while (taken < 2 * BLOCKING_QUEUE && blocking_ask(b, &nobody_listens, hold, &gate, 0, &err))
        taken++;
    assert_in_range(taken, BLOCKING_QUEUE, BLOCKING_QUEUE + BLOCKING_THREADS);
    assert_string_equal(err.sqlstate, "53300");
    pthread_mutex_unlock(&gate);
    left_behind |= !blocking_free(&b);
}

/* A thread may still be inside the library when the owner goes: the thread sanitizer would see it
 * use what is gone by then. */
static void test_blocking_calls_nobody_after_its_end(void **state)
{
    (void)state;
    struct tally t;
    struct error err;
    struct blocking *b = blocking_new();
    tally_init(&t);
    for (uint64_t i = 0; i < 50; i++)
        assert_true(blocking_ask(b, &nobody_listens, count, &t, i, &err));
    bool ended = blocking_free(&b);
    unsigned before = t.n[BLOCKING_BROKEN];
    memset(&t, 0xff, sizeof t);
    assert_null(b);
    assert_in_range(before, 0, 50);
    left_behind |= !ended;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocking_answers_every_question_once),
        cmocka_unit_test(test_blocking_never_asks_with_an_empty_password),
        cmocka_unit_test(test_blocking_refuses_what_its_queue_cannot_hold),
        cmocka_unit_test(test_blocking_calls_nobody_after_its_end),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    /* As the header says. */
    if (left_behind)
        _exit(failed);
    return failed;
}
