/* SPDX-License-Identifier: PostgreSQL */
#include "auth/scram.h"

#include <stdio.h>

#include "auth_fixture.h"
#include "auth/base64.h"
#include "../../support/guard.h"

/* What PostgreSQL 15 stored for these passwords: an independent implementation of all of it. */
static const struct {
    const char *password;
    const char *stored;
} stored[] = {
    {"pencil", "SCRAM-SHA-256$4096:k4C29PV3282VMvmTpSC4Uw==$PT3zPI+W4RqEmxfidqFa0AS6b/"
               "iV23ow3faTnMc9lsc=:nqkPPEQnoRbZEsH5BZv09ul3IHpLuYGTvU6+DSaUQ0E="},
    {"I\xc2\xadX", "SCRAM-SHA-256$4096:aZy1hf2GngMUPLd+soQfKA==$Ae3bU++b385ZIIZKF904piOqCCI6qVJQ+"
                   "IMe/dfm8xg=:aCDllAuTMN00D3cJ9X2eJAn+x52X3XWoIgLgU3TpR7w="},
    {"IX", "SCRAM-SHA-256$4096:aZy1hf2GngMUPLd+soQfKA==$Ae3bU++b385ZIIZKF904piOqCCI6qVJQ+IMe/"
           "dfm8xg=:aCDllAuTMN00D3cJ9X2eJAn+x52X3XWoIgLgU3TpR7w="},
    {"\xef\xac\x81x\xc2\xa0\xe2\x85\xa8",
     "SCRAM-SHA-256$4096:2yQx55yKazx80+lunyGz4Q==$JoH341FS1kJwayMhxrzxWND9FyAgXUqe9i1GzZnY2fs=:"
     "qmVEeiOFvLYf/4AoVu4CuwXtsti+LJCw7y3rCS4Tigk="},
    {"\xd8\xa7"
     "1",
     "SCRAM-SHA-256$4096:xo+ggbXjoi8IOudqLDBFSw==$u1HFL1qlfFPFe1hlx6tz6fwiuf4QpADxR3El35a+OFI=:"
     "ZYVg/+lrnwoEIEm92D1qtI+d+ySAjQkInsZ9H9Zeq3E="},
    {"\xc8\xa1q",
     "SCRAM-SHA-256$4096:uuXqFkJprUaB5F63E9JQjw==$9nvWcFSM/20JLpoSeQHIjDeXoSoMwKtBNp+nLDavfaw=:"
     "tvdJL0c+Xhk4zrZB5dXMsy/hIe8UBur/KUxdNLb+lrY="},
};

static void test_scram_derives_the_keys_that_postgresql_stores(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(stored); i++) {
        struct scram_verifier v;
        struct scram_keys keys;
        assert_true(scram_parse_verifier(span_str(stored[i].stored), &v));
        assert_int_equal(v.iterations, 4096);
        assert_int_equal(v.salt_len, 16);
        assert_true(scram_derive(span_str(stored[i].password), span_of(v.salt, v.salt_len),
                                 v.iterations, &keys, NULL));
        assert_true(keys.has_client_key);
        assert_memory_equal(keys.stored_key, v.stored_key, SCRAM_KEY_LEN);
        assert_memory_equal(keys.server_key, v.server_key, SCRAM_KEY_LEN);
    }
}

static void test_scram_counts_its_derivations(void **state)
{
    (void)state;
    struct scram_keys keys;
    struct scram_verifier v;
    uint64_t before = scram_derivations();
    assert_true(scram_derive(span_str("x"), span_str("salt"), 1, &keys, NULL));
    assert_true(scram_make_verifier(span_str("x"), 1, &v, NULL));
    assert_true(scram_mock_verifier(span_str("x"), 1, &v, NULL));
    assert_int_equal(scram_derivations() - before, 2);
}

static void test_scram_derives_nothing_from_zero_iterations(void **state)
{
    (void)state;
    struct scram_keys keys;
    struct error err;
    assert_false(scram_derive(span_str("x"), span_str("salt"), 0, &keys, &err));
    assert_string_equal(err.sqlstate, SQLSTATE_INTERNAL);
    assert_false(keys.has_client_key);
}

static void test_scram_made_verifiers_fit_the_password_and_differ_in_salt(void **state)
{
    (void)state;
    struct scram_verifier a, b;
    struct scram_keys keys;
    assert_true(scram_make_verifier(span_str("pencil"), 10, &a, NULL));
    assert_true(scram_make_verifier(span_str("pencil"), 10, &b, NULL));
    assert_memory_not_equal(a.salt, b.salt, SCRAM_SALT_LEN);
    assert_true(scram_derive(span_str("pencil"), span_of(a.salt, a.salt_len), 10, &keys, NULL));
    assert_memory_equal(keys.stored_key, a.stored_key, SCRAM_KEY_LEN);
    assert_memory_equal(keys.server_key, a.server_key, SCRAM_KEY_LEN);
}

static void test_scram_mock_salt_is_stable_for_a_name_and_differs_between_names(void **state)
{
    (void)state;
    struct scram_verifier a, again, b;
    assert_true(scram_mock_verifier(span_str("ann"), 4096, &a, NULL));
    assert_true(scram_mock_verifier(span_str("ann"), 4096, &again, NULL));
    assert_true(scram_mock_verifier(span_str("bob"), 4096, &b, NULL));
    assert_int_equal(a.salt_len, SCRAM_SALT_LEN);
    assert_int_equal(a.iterations, 4096);
    assert_memory_equal(a.salt, again.salt, SCRAM_SALT_LEN);
    assert_memory_not_equal(a.salt, b.salt, SCRAM_SALT_LEN);
    assert_true(auth_init(NULL)); /* a second time changes nothing */
    assert_true(scram_mock_verifier(span_str("ann"), 4096, &again, NULL));
    assert_memory_equal(a.salt, again.salt, SCRAM_SALT_LEN);
}

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static void test_scram_refuses_malformed_verifiers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"SCRAM-SHA-256$4096:c2FsdA==$" KEY ":" KEY, true},
        {"SCRAM-SHA-256$1:c2FsdA==$" KEY ":" KEY, true},
        {"SCRAM-SHA-256$0:c2FsdA==$" KEY ":" KEY, false},
        {"SCRAM-SHA-256$04:c2FsdA==$" KEY ":" KEY, false},
        {"SCRAM-SHA-256$-1:c2FsdA==$" KEY ":" KEY, false},
        {"SCRAM-SHA-256$:c2FsdA==$" KEY ":" KEY, false},
        {"SCRAM-SHA-256$2147483648:c2FsdA==$" KEY ":" KEY, false},
        {"SCRAM-SHA-256$99999999999:c2FsdA==$" KEY ":" KEY, false},
        {"SCRAM-SHA-256$4096:$" KEY ":" KEY, false},
        {"SCRAM-SHA-256$4096:c2FsdA=$" KEY ":" KEY, false},
        {"SCRAM-SHA-256$4096:c2FsdA==$c2FsdA==:" KEY, false},
        {"SCRAM-SHA-256$4096:c2FsdA==$" KEY ":c2FsdA==", false},
        {"SCRAM-SHA-256$4096:c2FsdA==$" KEY ":" KEY " ", false},
        {"SCRAM-SHA-256$4096:c2FsdA==$" KEY ":" KEY ":", false},
        {"SCRAM-SHA-256$4096:c2FsdA==$" KEY, false},
        {"SCRAM-SHA-256$4096:c2FsdA==", false},
        {"SCRAM-SHA-256$4096", false},
        {"SCRAM-SHA-256$", false},
        {"SCRAM-SHA-1$4096:c2FsdA==$" KEY ":" KEY, false},
        {"scram-sha-256$4096:c2FsdA==$" KEY ":" KEY, false},
        {"", false},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct scram_verifier v;
        size_t n = strlen(rows[i].text);
        uint8_t *copy = guard_copy(rows[i].text, n);
        if (scram_parse_verifier(span_of(copy, n), &v) != rows[i].good)
            fail_msg("row %zu: %s", i, rows[i].text);
        guard_free(copy, n);
    }
}

static void test_scram_refuses_every_truncation_of_a_verifier(void **state)
{
    (void)state;
    const char *text = stored[0].stored;
    for (size_t n = 0; n < strlen(text); n++) {
        struct scram_verifier v;
        uint8_t *copy = guard_copy(text, n);
        assert_false(scram_parse_verifier(span_of(copy, n), &v));
        guard_free(copy, n);
    }
}

static void test_scram_bounds_the_salt_of_a_verifier(void **state)
{
    (void)state;
    for (size_t size = SCRAM_STORED_SALT_MAX; size <= SCRAM_STORED_SALT_MAX + 1; size++) {
        uint8_t salt[SCRAM_STORED_SALT_MAX + 1] = {0};
        char salt_text[BASE64_TEXT(sizeof salt) + 1], text[1024];
        struct scram_verifier v;
        salt_text[base64_encode(span_of(salt, size), salt_text)] = '\0';
        snprintf(text, sizeof text, "SCRAM-SHA-256$1:%s$" KEY ":" KEY, salt_text);
        assert_int_equal(scram_parse_verifier(span_str(text), &v), size == SCRAM_STORED_SALT_MAX);
    }
}

static void test_scram_nonces_are_printable_and_differ(void **state)
{
    (void)state;
    char a[SCRAM_NONCE_TEXT + 1], b[SCRAM_NONCE_TEXT + 1];
    scram_nonce(a);
    scram_nonce(b);
    assert_int_equal(strlen(a), SCRAM_NONCE_TEXT);
    assert_null(strchr(a, ','));
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scram_derives_the_keys_that_postgresql_stores),
        cmocka_unit_test(test_scram_counts_its_derivations),
        cmocka_unit_test(test_scram_derives_nothing_from_zero_iterations),
        cmocka_unit_test(test_scram_made_verifiers_fit_the_password_and_differ_in_salt),
        cmocka_unit_test(test_scram_mock_salt_is_stable_for_a_name_and_differs_between_names),
        cmocka_unit_test(test_scram_refuses_malformed_verifiers),
        cmocka_unit_test(test_scram_refuses_every_truncation_of_a_verifier),
        cmocka_unit_test(test_scram_bounds_the_salt_of_a_verifier),
        cmocka_unit_test(test_scram_nonces_are_printable_and_differ),
    };
    return cmocka_run_group_tests(tests, auth_set_up, auth_tear_down);
}
