/* SPDX-License-Identifier: PostgreSQL */
#include "auth/secret.h"

#include <pthread.h>
#include <stdatomic.h>

#include "auth_fixture.h"

/* From pg_authid of PostgreSQL 15: the md5 form of role m, the SCRAM form, both of 'pencil'. */
#define MD5_FORM "md58bbf3f45673bf67d02e4214911f3417f"
#define SCRAM_FORM                                                                                 \
    "SCRAM-SHA-256$4096:k4C29PV3282VMvmTpSC4Uw==$PT3zPI+W4RqEmxfidqFa0AS6b/iV23ow3faTnMc9lsc=:"    \
    "nqkPPEQnoRbZEsH5BZv09ul3IHpLuYGTvU6+DSaUQ0E="
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static const uint8_t md5_salt[MD5_SALT_LEN] = {1, 2, 3, 4};

static const struct secret *secret_of(const char *text)
{
    const struct secret *s = secret_new(span_str(text), NULL);
    assert_non_null(s);
    return s;
}

static void test_secret_classifies_its_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum secret_kind kind;
        bool suspect;
    } rows[] = {
        {"", SECRET_NONE, false},
        {"pencil", SECRET_PLAIN, false},
        {MD5_FORM, SECRET_MD5, false},
        {MD5_FORM "0", SECRET_PLAIN, false},
        {"md58BBF3F45673BF67D02E4214911F3417F", SECRET_PLAIN, false},
        {SCRAM_FORM, SECRET_SCRAM, false},
        {SCRAM_FORM "=", SECRET_PLAIN, true},
        {"SCRAM-SHA-256$", SECRET_PLAIN, true},
        {"SCRAM-SHA-256", SECRET_PLAIN, false},
        {"SCRAM-SHA-1$4096:k4C29PV3282VMvmTpSC4Uw==$" KEY ":" KEY, SECRET_PLAIN, false},
        {" " MD5_FORM, SECRET_PLAIN, false},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        const struct secret *s = secret_of(rows[i].text);
        if (secret_kind_of(s) != rows[i].kind || secret_is_suspect(s) != rows[i].suspect)
            fail_msg("%s", rows[i].text);
        assert_span_is(secret_text(s), rows[i].text);
        secret_unref(&s);
        assert_null(s);
    }
}

static void test_secret_refuses_nul_and_excess(void **state)
{
    (void)state;
    static char text[SECRET_TEXT_MAX + 1];
    struct error err;
    memset(text, 'x', sizeof text);
    assert_null(secret_new(span_of("a\0b", 3), &err));
    assert_string_equal(err.text, "password contains a NUL byte");
    assert_null(secret_new(span_of(text, sizeof text), &err));
    const struct secret *s = secret_new(span_of(text, sizeof text - 1), &err);
    assert_non_null(s);
    secret_unref(&s);
}

static void test_secret_lives_until_its_last_reference(void **state)
{
    (void)state;
    const struct secret *a = secret_of("pencil"), *b = secret_ref(a), *none = NULL;
    secret_unref(&a);
    assert_span_is(secret_text(b), "pencil");
    secret_unref(&b);
    secret_unref(&none);
}

static void test_secret_equality_is_that_of_the_text(void **state)
{
    (void)state;
    const struct secret *a = secret_of("pencil"), *b = secret_of("pencil"),
                        *c = secret_of("Pencil");
    assert_true(secret_equal(a, b));
    assert_false(secret_equal(a, c));
    secret_unref(&a);
    secret_unref(&b);
    secret_unref(&c);
}

/* Every form against every way in which a client can prove itself. */
static const struct {
    const char *text;
    const char *password;
    bool clear;
    bool md5;
    bool scram; /* a verifier exists */
} checks[] = {
    {"pencil", "pencil", true, true, true},
    {"pencil", "Pencil", false, false, true},
    {"pencil", "penci", false, false, true},
    {"pencil", "", false, false, true},
    {MD5_FORM, "pencil", true, true, false},
    {MD5_FORM, "pencils", false, false, false},
    {MD5_FORM, MD5_FORM, false, false, false},
    {SCRAM_FORM, "pencil", true, false, true},
    {SCRAM_FORM, "pencils", false, false, true},
    {SCRAM_FORM, SCRAM_FORM, false, false, true},
    {"", "", false, false, false},
    {"", "pencil", false, false, false},
};

static bool md5_of_client(const char *password, char out[MD5_TEXT_LEN + 1])
{
    char stored[MD5_TEXT_LEN + 1];
    return md5_stored(span_str(password), span_str("m"), stored, NULL) &&
           md5_answer(span_str(stored), md5_salt, out, NULL);
}

static void test_secret_checks_clients_in_every_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(checks); i++) {
        const struct secret *s = secret_of(checks[i].text);
        struct span user = span_str("m");
        char answer[MD5_TEXT_LEN + 1];
        struct scram_verifier v;
        struct error err = {0};

        assert_int_equal(secret_check_password(s, user, span_str(checks[i].password), NULL, &err),
                         checks[i].clear);
        assert_string_equal(err.sqlstate, checks[i].clear ? "" : SQLSTATE_INVALID_PASSWORD);
        assert_true(md5_of_client(checks[i].password, answer));
        assert_int_equal(secret_check_md5(s, user, md5_salt, span_str(answer), NULL),
                         checks[i].md5);
        assert_int_equal(secret_verifier(s, 1, &v, NULL), checks[i].scram);
        secret_unref(&s);
    }
}

static void test_secret_check_of_md5_wants_user_salt_and_length(void **state)
{
    (void)state;
    const struct secret *s = secret_of("pencil");
    char answer[MD5_TEXT_LEN + 1];
    assert_true(md5_of_client("pencil", answer));
    assert_true(secret_check_md5(s, span_str("m"), md5_salt, span_str(answer), NULL));
    assert_false(secret_check_md5(s, span_str("n"), md5_salt, span_str(answer), NULL));
    assert_false(
        secret_check_md5(s, span_str("m"), (const uint8_t *)"\1\2\3\5", span_str(answer), NULL));
    assert_false(secret_check_md5(s, span_str("m"), md5_salt, span_of(answer, 34), NULL));
    assert_false(secret_check_md5(s, span_str("m"), md5_salt, span_of(answer, 36), NULL));
    assert_false(secret_check_md5(s, span_str("m"), md5_salt, span_of(NULL, 0), NULL));
    secret_unref(&s);
}

static void test_secret_derives_the_verifier_of_a_plain_password_once(void **state)
{
    (void)state;
    const struct secret *s = secret_of("pencil");
    struct scram_verifier first, again;
    uint64_t before = scram_derivations();
    assert_true(secret_verifier(s, 10, &first, NULL));
    for (int i = 0; i < 20; i++)
        assert_true(secret_verifier(s, 10, &again, NULL));
    assert_int_equal(scram_derivations() - before, 1);
    assert_memory_equal(&first, &again, sizeof first);
    assert_true(secret_verifier(s, 11, &again, NULL));
    assert_int_equal(again.iterations, 11);
    assert_int_equal(scram_derivations() - before, 2);
    secret_unref(&s);
}

static void test_secret_checks_a_password_against_scram_without_deriving_twice(void **state)
{
    (void)state;
    const struct secret *s = secret_of(SCRAM_FORM);
    struct keycache *kc = keycache_new(4);
    struct span user = span_str("a");
    uint64_t before = scram_derivations();
    for (int i = 0; i < 5; i++)
        assert_true(secret_check_password(s, user, span_str("pencil"), kc, NULL));
    assert_int_equal(scram_derivations() - before, 1);
    /* Wrong ones cost the guesser, not the cache. */
    for (int i = 0; i < 6; i++)
        assert_false(secret_check_password(s, user, span_str("pencils"), kc, NULL));
    assert_int_equal(keycache_count(kc), 1);
    keycache_free(&kc);
    secret_unref(&s);
}

static void test_secret_does_not_compute_for_minutes(void **state)
{
    (void)state;
    const struct secret *s = secret_of("SCRAM-SHA-256$2147483647:c2FsdA==$" KEY ":" KEY);
    struct error err;
    assert_int_equal(secret_kind_of(s), SECRET_SCRAM);
    assert_false(secret_check_password(s, span_str("a"), span_str("pencil"), NULL, &err));
    assert_string_equal(err.sqlstate, SQLSTATE_PROGRAM_LIMIT);
    secret_unref(&s);
}

static void test_secret_answers_md5_to_servers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool can;
    } rows[] = {{"pencil", true}, {MD5_FORM, true}, {SCRAM_FORM, false}, {"", false}};
    char expected[MD5_TEXT_LEN + 1];
    assert_true(md5_of_client("pencil", expected));
    for (size_t i = 0; i < ROWS(rows); i++) {
        const struct secret *s = secret_of(rows[i].text);
        char answer[MD5_TEXT_LEN + 1] = "";
        struct error err = {0};
        assert_int_equal(secret_answer_md5(s, span_str("m"), md5_salt, answer, &err), rows[i].can);
        assert_string_equal(answer, rows[i].can ? expected : "");
        assert_string_equal(err.sqlstate, rows[i].can ? "" : SQLSTATE_INVALID_AUTHORIZATION);
        secret_unref(&s);
    }
}

static void test_secret_answers_scram_to_servers_at_the_price_of_one_derivation(void **state)
{
    (void)state;
    const struct secret *s = secret_of("pencil");
    struct keycache *kc = keycache_new(4);
    struct scram_keys keys, direct;
    struct span role = span_str("app"), salt = span_str("salt");
    assert_true(secret_can_answer_scram(s));
    assert_true(scram_derive(span_str("pencil"), salt, 4096, &direct, NULL));
    uint64_t before = scram_derivations();
    for (int i = 0; i < 20; i++) {
        assert_true(secret_answer_scram(s, role, salt, 4096, kc, &keys, NULL));
        assert_memory_equal(keys.client_key, direct.client_key, SCRAM_KEY_LEN);
    }
    assert_int_equal(scram_derivations() - before, 1);
    assert_true(secret_answer_scram(s, role, salt, 4096, NULL, &keys, NULL));
    assert_memory_equal(keys.client_key, direct.client_key, SCRAM_KEY_LEN);
    keycache_free(&kc);
    secret_unref(&s);
}

static void test_secret_says_why_it_cannot_answer_scram(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *because;
    } rows[] = {{"", "none is stored"}, {MD5_FORM, "only an md5 hash"}};
    for (size_t i = 0; i < ROWS(rows); i++) {
        const struct secret *s = secret_of(rows[i].text);
        struct scram_keys keys;
        struct error err;
        assert_false(secret_can_answer_scram(s));
        assert_false(
            secret_answer_scram(s, span_str("app"), span_str("salt"), 1, NULL, &keys, &err));
        assert_string_equal(err.sqlstate, SQLSTATE_INVALID_AUTHORIZATION);
        assert_non_null(strstr(err.text, rows[i].because));
        secret_unref(&s);
    }
}

/* A client proves "pencil" to us; then we can prove it to a server with the same verifier. */
static void test_secret_passes_a_scram_login_through(void **state)
{
    (void)state;
    const struct secret *s = secret_of(SCRAM_FORM);
    struct scram_verifier v;
    struct scram_keys keys, shown;
    struct error err;
    struct span role = span_str("a");
    for (uint32_t i = 1; i <= 2; i++) { /* read, then kept */
        assert_true(secret_verifier(s, i, &v, NULL));
        assert_int_equal(v.iterations, 4096);
    }
    struct span salt = span_of(v.salt, v.salt_len);

    assert_false(secret_can_answer_scram(s));
    assert_false(secret_answer_scram(s, role, salt, 4096, NULL, &keys, &err));
    assert_non_null(strstr(err.text, "no client has logged in"));

    assert_true(scram_derive(span_str("pencils"), salt, 4096, &shown, NULL));
    assert_false(secret_learn(s, &shown));
    assert_true(scram_derive(span_str("pencil"), salt, 4096, &shown, NULL));
    assert_true(secret_learn(s, &shown));

    assert_true(secret_can_answer_scram(s));
    uint64_t before = scram_derivations();
    assert_true(secret_answer_scram(s, role, salt, 4096, NULL, &keys, NULL));
    assert_int_equal(scram_derivations(), before);
    assert_memory_equal(&keys, &shown, sizeof keys);
    assert_false(secret_answer_scram(s, role, salt, 4095, NULL, &keys, &err));
    assert_non_null(strstr(err.text, "not the one stored here"));
    assert_false(secret_answer_scram(s, role, span_str("salt"), 4096, NULL, &keys, &err));
    secret_unref(&s);
}

static void test_secret_learns_for_scram_verifiers_only(void **state)
{
    (void)state;
    const struct secret *s = secret_of("pencil");
    struct scram_keys keys;
    assert_true(scram_derive(span_str("pencil"), span_str("salt"), 1, &keys, NULL));
    assert_false(secret_learn(s, &keys));
    secret_unref(&s);
}

enum { THREADS = 4 };

/* Returns the verifier that this thread was given. */
static void *ask(void *arg)
{
    static struct scram_verifier seen[THREADS];
    static atomic_int next;
    const struct secret *s = arg;
    struct scram_verifier *mine = &seen[atomic_fetch_add(&next, 1)];
    for (int i = 0; i < 100; i++) {
        const struct secret *held = secret_ref(s);
        if (!secret_verifier(held, 50, mine, NULL))
            return NULL;
        secret_unref(&held);
    }
    return mine;
}

static void test_secret_shows_all_threads_one_verifier(void **state)
{
    (void)state;
    const struct secret *s = secret_of("pencil");
    pthread_t threads[THREADS];
    struct scram_verifier expected;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, (void *)s), 0);
    assert_true(secret_verifier(s, 50, &expected, NULL));
    for (int i = 0; i < THREADS; i++) {
        void *seen;
        assert_int_equal(pthread_join(threads[i], &seen), 0);
        assert_non_null(seen);
        assert_memory_equal(seen, &expected, sizeof expected);
    }
    secret_unref(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret_classifies_its_text),
        cmocka_unit_test(test_secret_refuses_nul_and_excess),
        cmocka_unit_test(test_secret_lives_until_its_last_reference),
        cmocka_unit_test(test_secret_equality_is_that_of_the_text),
        cmocka_unit_test(test_secret_checks_clients_in_every_form),
        cmocka_unit_test(test_secret_check_of_md5_wants_user_salt_and_length),
        cmocka_unit_test(test_secret_derives_the_verifier_of_a_plain_password_once),
        cmocka_unit_test(test_secret_checks_a_password_against_scram_without_deriving_twice),
        cmocka_unit_test(test_secret_does_not_compute_for_minutes),
        cmocka_unit_test(test_secret_answers_md5_to_servers),
        cmocka_unit_test(test_secret_answers_scram_to_servers_at_the_price_of_one_derivation),
        cmocka_unit_test(test_secret_says_why_it_cannot_answer_scram),
        cmocka_unit_test(test_secret_passes_a_scram_login_through),
        cmocka_unit_test(test_secret_learns_for_scram_verifiers_only),
        cmocka_unit_test(test_secret_shows_all_threads_one_verifier),
    };
    return cmocka_run_group_tests(tests, auth_set_up, auth_tear_down);
}
