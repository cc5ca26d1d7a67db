/* SPDX-License-Identifier: PostgreSQL */
#include "relay/lookups.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_AGE 100

/* Asks for `user` as client `id` of worker 1. */
static enum lookups_asked ask(struct lookups *l, const char *user, uint64_t id, uint64_t now,
                              struct lookup_answer *answer, struct lookup **k)
{
    const struct lookup_question q = {"db", "looker", "Q", user};
    const struct lookup_asker who = {.worker = 1, .client_id = id};
    *k = NULL;
    *answer = (struct lookup_answer){0};
    return lookups_ask(l, &q, &who, MAX_AGE, now, answer, k);
}

/* Ends it with the text of a secret, NULL: no such user; nobody must have followed. */
static void end(struct lookup **k, const char *user, const char *text, uint64_t now)
{
    struct lookup_answer answer = {0};
    struct error err;
    size_t n;
    (void)snprintf(answer.user, sizeof answer.user, "%s", user);
    answer.secret = text ? secret_new(span_str(text), &err) : NULL;
    free(lookup_end(*k, &answer, now, &n));
    assert_int_equal(n, 0);
    secret_unref(&answer.secret);
    lookup_unref(k);
}

static void learn(struct lookups *l, const char *user, const char *text, uint64_t now)
{
    struct lookup_answer answer;
    struct lookup *k;
    assert_int_equal(ask(l, user, 1, now, &answer, &k), LOOKUPS_LEAD);
    end(&k, user, text, now);
}

static void test_an_answer_is_believed_for_a_while(void **state)
{
    struct lookups *l = *state;
    struct lookup_answer answer;
    struct lookup *k;
    learn(l, "ann", "secret", 1000);
    assert_int_equal(ask(l, "ann", 2, 1099, &answer, &k), LOOKUPS_KNOWN);
    assert_string_equal(answer.user, "ann");
    assert_true(span_is(secret_text(answer.secret), "secret"));
    secret_unref(&answer.secret);
    assert_int_equal(ask(l, "ann", 2, 1100, &answer, &k), LOOKUPS_LEAD);
    end(&k, "ann", "secret", 1100);
    lookups_doubt_all(l);
    assert_int_equal(ask(l, "ann", 2, 1100, &answer, &k), LOOKUPS_LEAD);
    end(&k, "ann", "secret", 1100);
    const struct lookup_question q = {"db", "looker", "Q", "ann"},
                                 other = {"db", "looker", "R", "ann"};
    lookups_doubt(l, &other);
    assert_int_equal(ask(l, "ann", 2, 1100, &answer, &k), LOOKUPS_KNOWN);
    secret_unref(&answer.secret);
    lookups_doubt(l, &q);
    assert_int_equal(ask(l, "ann", 2, 1100, &answer, &k), LOOKUPS_LEAD);
    end(&k, "ann", NULL, 1100);
}

static void note(const char *user, void *arg)
{
    strcat(arg, user);
    strcat(arg, " ");
}

static void test_that_nobody_is_known_is_not_kept(void **state)
{
    struct lookups *l = *state;
    char users[64] = "";
    learn(l, "ann", "secret", 1000);
    learn(l, "nobody", NULL, 1000);
    learn(l, "nobody", NULL, 1000);
    learn(l, "bob", "", 1000); /* he exists */
    lookups_each_user(l, note, users);
    assert_string_equal(users, "ann bob ");
}

static void test_the_same_verifier_stays_the_same_object(void **state)
{
    struct lookups *l = *state;
    struct lookup_answer answer;
    struct lookup *k;
    learn(l, "ann", "one", 1000);
    ask(l, "ann", 2, 1000, &answer, &k);
    const struct secret *first = answer.secret;
    lookups_doubt_all(l);
    learn(l, "ann", "one", 1001);
    ask(l, "ann", 2, 1001, &answer, &k);
    assert_ptr_equal(answer.secret, first);
    secret_unref(&answer.secret);
    lookups_doubt_all(l);
    learn(l, "ann", "two", 1002);
    ask(l, "ann", 2, 1002, &answer, &k);
    assert_ptr_not_equal(answer.secret, first);
    secret_unref(&answer.secret);
    secret_unref(&first);
}

static void test_who_comes_later_follows_and_takes_the_lead_when_it_is_left(void **state)
{
    struct lookups *l = *state;
    struct lookup_answer answer;
    struct lookup *a, *b, *c, *d;
    struct lookup_asker next;
    assert_int_equal(ask(l, "ann", 1, 1000, &answer, &a), LOOKUPS_LEAD);
    assert_int_equal(ask(l, "ann", 2, 1000, &answer, &b), LOOKUPS_FOLLOW);
    assert_int_equal(ask(l, "ann", 3, 1000, &answer, &c), LOOKUPS_FOLLOW);
    assert_int_equal(ask(l, "ann", 4, 1000, &answer, &d), LOOKUPS_FOLLOW);
    assert_ptr_equal(a, d);
    assert_false(lookup_leave(b, 2, &next));
    assert_true(lookup_leave(a, 1, &next));
    assert_int_equal(next.client_id, 3);
    /* Before it has been told: the one behind it leads. */
    assert_true(lookup_leave(c, 3, &next));
    assert_int_equal(next.client_id, 4);
    lookup_unref(&a);
    lookup_unref(&b);
    lookup_unref(&c);
    assert_int_equal(ask(l, "ann", 5, 1000, &answer, &a), LOOKUPS_FOLLOW);
    size_t n;
    struct lookup_asker *followers = lookup_end(d, NULL, 1000, &n);
    assert_int_equal(n, 1);
    assert_int_equal(followers[0].client_id, 5);
    free(followers);
    /* It has failed: who has been told, and who leaves before, makes no difference. */
    assert_false(lookup_leave(a, 5, &next));
    lookup_unref(&a);
    lookup_unref(&d);
    assert_int_equal(ask(l, "ann", 6, 1000, &answer, &a), LOOKUPS_LEAD);
    assert_false(lookup_leave(a, 6, &next));
    lookup_unref(&a);
    assert_int_equal(ask(l, "ann", 7, 1000, &answer, &a), LOOKUPS_LEAD);
    end(&a, "ann", "secret", 1000);
}

static void count(const char *user, void *arg)
{
    (void)user;
    ++*(unsigned *)arg;
}

static void test_no_more_than_so_many_are_kept_and_none_that_is_under_way_goes(void **state)
{
    struct lookups *l = *state;
    struct lookup_answer answer;
    struct lookup *held, *k;
    char user[16];
    unsigned n = 0;
    assert_int_equal(ask(l, "held", 1, 1000, &answer, &held), LOOKUPS_LEAD);
    for (int i = 0; i < LOOKUPS_MAX + 10; i++) {
        (void)snprintf(user, sizeof user, "u%d", i);
        learn(l, user, "secret", 1000);
        if (i > 0) { /* the first is asked for all the time */
            assert_int_equal(ask(l, "u0", 2, 1000, &answer, &k), LOOKUPS_KNOWN);
            secret_unref(&answer.secret);
        }
    }
    lookups_each_user(l, count, &n);
    assert_int_equal(n, LOOKUPS_MAX - 1);
    assert_int_equal(ask(l, "u1", 2, 1000, &answer, &k), LOOKUPS_LEAD);
    end(&k, "u1", "secret", 1000);
    end(&held, "held", "secret", 1000);
}

static void test_questions_that_differ_are_told_apart(void **state)
{
    static const struct lookup_question questions[] = {
        {"db", "looker", "Q", "ann"}, {"d", "blooker", "Q", "ann"}, {"db", "looke", "rQ", "ann"},
        {"nndb", "looker", "Q", "a"}, {"db", "looker", "annQ", ""}, {"db", "looker", "Q", "ANN"},
    };
    struct lookups *l = *state;
    const struct lookup_asker who = {.client_id = 1};
    struct lookup *open[6];
    struct lookup_answer answer;
    struct lookup_asker next;
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(lookups_ask(l, &questions[i], &who, 1, 1, &answer, &open[i]),
                         LOOKUPS_LEAD);
    for (size_t i = 0; i < 6; i++) {
        assert_false(lookup_leave(open[i], 1, &next));
        lookup_unref(&open[i]);
    }
}

static int setup(void **state)
{
    *state = lookups_new();
    return 0;
}

static int teardown(void **state)
{
    struct lookups *l = *state;
    lookups_free(&l);
    return 0;
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_an_answer_is_believed_for_a_while),
        CASE(test_that_nobody_is_known_is_not_kept),
        CASE(test_the_same_verifier_stays_the_same_object),
        CASE(test_who_comes_later_follows_and_takes_the_lead_when_it_is_left),
        CASE(test_no_more_than_so_many_are_kept_and_none_that_is_under_way_goes),
        CASE(test_questions_that_differ_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
