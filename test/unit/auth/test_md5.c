/* SPDX-License-Identifier: PostgreSQL */
#include "auth/md5.h"

#include "auth_fixture.h"
#include "auth/digest.h"

/* From pg_authid of PostgreSQL 15: create role m password 'pencil'. */
#define STORED "md58bbf3f45673bf67d02e4214911f3417f"

static void test_md5_stored_form_is_postgresqls(void **state)
{
    (void)state;
    char out[MD5_TEXT_LEN + 1];
    assert_true(md5_stored(span_str("pencil"), span_str("m"), out, NULL));
    assert_string_equal(out, STORED);
}

static void test_md5_answer_covers_the_salt(void **state)
{
    (void)state;
    char out[MD5_TEXT_LEN + 1];
    assert_true(md5_answer(span_str(STORED), (const uint8_t *)"\x01\x02\x03\x04", out, NULL));
    assert_string_equal(out, "md5b102d64f0a7f8aa6cc98d60d13b48b72");
}

static void test_md5_recognises_its_stored_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is;
    } rows[] = {
        {STORED, true},
        {"", false},
        {"md5", false},
        {"md58bbf3f45673bf67d02e4214911f3417", false},
        {"md58bbf3f45673bf67d02e4214911f3417f0", false},
        {"md58BBF3f45673bf67d02e4214911f3417f", false},
        {"md58bbf3f45673bf67d02e4214911f3417g", false},
        {"MD58bbf3f45673bf67d02e4214911f3417f", false},
        {"8bbf3f45673bf67d02e4214911f3417fmd5", false},
    };
    for (size_t i = 0; i < ROWS(rows); i++)
        assert_int_equal(md5_is_stored_form(span_str(rows[i].text)), rows[i].is);
}

static void test_md5_answers_no_plain_password(void **state)
{
    (void)state;
    char out[MD5_TEXT_LEN + 1];
    struct error err;
    assert_false(md5_answer(span_str("pencil"), (const uint8_t *)"abcd", out, &err));
}

static void test_md5_says_so_where_it_is_not_available(void **state)
{
    (void)state;
    char out[MD5_TEXT_LEN + 1];
    struct error err;
    digest_fini();
    assert_false(md5_stored(span_str("pencil"), span_str("m"), out, &err));
    assert_string_equal(err.text, "md5 is not available in the OpenSSL library");
    assert_true(digest_init(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_md5_stored_form_is_postgresqls),
        cmocka_unit_test(test_md5_answer_covers_the_salt),
        cmocka_unit_test(test_md5_recognises_its_stored_form),
        cmocka_unit_test(test_md5_answers_no_plain_password),
        cmocka_unit_test(test_md5_says_so_where_it_is_not_available),
    };
    return cmocka_run_group_tests(tests, auth_set_up, auth_tear_down);
}
