/* SPDX-License-Identifier: PostgreSQL */
#include "client/client_who.h"

#include "auth/auth.h"
#include "conf/conf_pairs.h"
#include "track/parameters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void report(void *owner, enum config_severity severity, const char *origin, const char *text)
{
    (void)owner;
    if (severity == CONFIG_ERROR)
        fail_msg("%s: %s", origin, text);
}

/* With the database "app", whose servers know the user "owner". */
static struct setup *some_setup(void)
{
    struct config_sink sink = {.report = report};
    struct config *cfg = config_new(CONFIG_INI);
    struct error err;
    assert_true(config_set(cfg, span_str("client_tls_sslmode"), "disable", "test", &err));
    assert_true(config_set(cfg, span_str("auth_type"), "any", "test", &err));
    assert_true(conf_pairs_database(cfg, "app", "host=127.0.0.1 user=owner", "test", &sink));
    struct setup *s = setup_build(cfg, NULL, &sink);
    assert_non_null(s);
    return s;
}

static struct client_who *get(struct client_known *k, struct setup *s, const char *user,
                              const char *database)
{
    return client_who_get(k, s, span_str(user), span_str(database));
}

static void test_equal_clients_share_as_long_as_one_is_left(void **state)
{
    (void)state;
    struct setup *s = some_setup();
    struct client_known *k = client_known_new();
    struct client_who *a = get(k, s, "ann", "app"), *b = get(k, s, "ann", "app");
    assert_ptr_equal(a, b);
    assert_string_equal(a->user, "ann");
    assert_string_equal(a->database, "app");
    assert_string_equal(a->login.pool_user, "owner");
    client_who_unref(&a);
    assert_null(a);
    a = get(k, s, "ann", "app");
    assert_ptr_equal(a, b);
    client_who_unref(&a);
    client_who_unref(&b);
    a = get(k, s, "ann", "app"); /* made anew: the sanitizer would see an old one */
    assert_string_equal(a->user, "ann");
    client_who_unref(&a);
    client_known_free(&k);
    setup_unref(&s);
}

static void test_others_and_other_setups_and_consoles_do_not_share(void **state)
{
    (void)state;
    struct setup *s = some_setup(), *next = some_setup();
    struct client_known *k = client_known_new();
    struct client_who *all[] = {
        get(k, s, "ann", "app"),       get(k, s, "bob", "app"),       get(k, s, "ann", "other"),
        get(k, s, "a", "nnapp"),       get(NULL, s, "ann", "app"),    get(k, next, "ann", "app"),
        get(k, s, "ann", "pgballast"), get(k, s, "ann", "pgballast"),
    };
    enum { N = sizeof all / sizeof all[0] };
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < i; j++)
            assert_ptr_not_equal(all[i], all[j]);
    }
    assert_non_null(all[0]->login.db);
    assert_null(all[2]->login.db);
    assert_true(all[6]->login.is_console);
    /* The newest setup is the one that is found; its predecessor dies without taking it along. */
    client_who_unref(&all[0]);
    struct client_who *again = get(k, next, "ann", "app");
    assert_ptr_equal(again, all[5]);
    client_who_unref(&again);
    for (size_t i = 0; i < N; i++)
        client_who_unref(&all[i]);
    client_known_free(&k);
    setup_unref(&s);
    setup_unref(&next);
}

static void test_many_more_than_there_is_room_for_are_all_right(void **state)
{
    (void)state;
    enum { N = 2000 };
    static struct client_who *all[N];
    struct setup *s = some_setup();
    struct client_known *k = client_known_new();
    char user[16];
    for (int i = 0; i < N; i++) {
        snprintf(user, sizeof user, "user%d", i);
        all[i] = get(k, s, user, "app");
        assert_string_equal(all[i]->user, user);
    }
    for (int i = 0; i < N; i++)
        client_who_unref(&all[(i * 7) % N]);
    struct client_who *w = get(k, s, "user0", "app");
    assert_string_equal(w->user, "user0");
    client_who_unref(&w);
    client_known_free(&k);
    setup_unref(&s);
}

static struct param_set *set_of(const char *name, const char *value)
{
    struct param_builder *b = param_builder_new(NULL);
    assert_true(param_builder_put(b, span_str(name), span_str(value)));
    return param_builder_finish(&b);
}

static void test_what_the_last_one_said_is_known_as_long_as_it_is_said_again(void **state)
{
    (void)state;
    struct setup *s = some_setup();
    struct client_known *k = client_known_new();
    struct client_who *w = get(k, s, "ann", "app");
    struct param_set *psql = set_of("application_name", "psql"), *jit = set_of("jit", "off");
    const struct span first = span_str("application_name psql"), second = span_str("jit off");
    assert_null(client_who_recall(w, first));
    client_who_keep(w, first, psql);
    struct param_set *found = client_who_recall(w, first);
    assert_ptr_equal(found, psql);
    param_set_unref(&found);
    assert_null(client_who_recall(w, second));
    assert_null(client_who_recall(w, span_of(first.p, first.n - 1)));
    client_who_keep(w, second, jit);
    assert_null(client_who_recall(w, first));
    found = client_who_recall(w, second);
    assert_ptr_equal(found, jit);
    param_set_unref(&found);
    static const char longer[600];
    client_who_keep(w, span_of(longer, sizeof longer), psql);
    assert_null(client_who_recall(w, span_of(longer, sizeof longer)));
    param_set_unref(&psql);
    param_set_unref(&jit);
    client_who_unref(&w);
    client_known_free(&k);
    setup_unref(&s);
}

/* auth_query knows him, under another name. */
static void test_who_was_found_is_shared_by_those_with_the_same_secret(void **state)
{
    (void)state;
    struct setup *s = some_setup();
    struct client_known *k = client_known_new();
    struct error err;
    const struct secret *one = secret_new(span_str("one"), &err);
    const struct secret *two = secret_new(span_str("two"), &err);
    struct client_who *a = get(k, s, "Ann", "app"), *b = get(k, s, "ann", "app");
    client_who_found(k, &a, span_str("ann"), one);
    assert_string_equal(a->user, "ann");
    assert_string_equal(a->database, "app");
    assert_ptr_equal(a->login.secret, one);
    assert_null(a->login.server_secret); /* the servers know the forced user */
    client_who_unref(&b);
    b = get(k, s, "ann", "app");
    client_who_found(k, &b, span_str("ann"), one);
    assert_ptr_equal(a, b);
    client_who_found(k, &b, span_str("ann"), two);
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(a->login.secret, one);
    assert_ptr_equal(b->login.secret, two);
    secret_unref(&one);
    secret_unref(&two);
    client_who_unref(&a);
    assert_true(span_is(secret_text(b->login.secret), "two"));
    client_who_unref(&b);
    client_known_free(&k);
    setup_unref(&s);
}

static int start(void **state)
{
    struct error err;
    (void)state;
    return auth_init(&err) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    auth_fini();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_clients_share_as_long_as_one_is_left),
        cmocka_unit_test(test_others_and_other_setups_and_consoles_do_not_share),
        cmocka_unit_test(test_who_was_found_is_shared_by_those_with_the_same_secret),
        cmocka_unit_test(test_what_the_last_one_said_is_known_as_long_as_it_is_said_again),
        cmocka_unit_test(test_many_more_than_there_is_room_for_are_all_right),
    };
    return cmocka_run_group_tests(tests, start, end);
}
