/* SPDX-License-Identifier: PostgreSQL */
#include "proto/backend.h"

#include "proto/message.h"
#include "proto/startup.h"

#include "proto_fixture.h"

/* ---- authentication -------------------------------------------------------------------------- */

static bool is_md5(struct span body)
{
    struct backend_authentication a;
    return backend_parse_authentication(body, &a) && a.code == AUTHENTICATION_MD5 &&
           memcmp(a.salt, "\1\2\0\4", 4) == 0 && a.data.n == 0;
}

static bool is_sasl(struct span body)
{
    struct backend_authentication a;
    struct span name;
    return backend_parse_authentication(body, &a) && a.code == AUTHENTICATION_SASL &&
           backend_mechanism_next(&a.data, &name) && span_is(name, "SCRAM-SHA-256-PLUS") &&
           backend_mechanism_next(&a.data, &name) && span_is(name, "SCRAM-SHA-256") &&
           !backend_mechanism_next(&a.data, &name);
}

static bool is_ok(struct span body)
{
    struct backend_authentication a;
    return backend_parse_authentication(body, &a) && a.code == AUTHENTICATION_OK;
}

static bool is_cleartext(struct span body)
{
    struct backend_authentication a;
    return backend_parse_authentication(body, &a) && a.code == AUTHENTICATION_CLEARTEXT;
}

static void test_backend_gives_back_the_authentication_that_was_built(void **state)
{
    (void)state;
    static const char *const names[] = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"};
    struct backend_authentication a;
    struct buf b = {0};
    backend_build_authentication_ok(&b);
    parse_exactly(body_of(&b, BE_AUTHENTICATION), is_ok);
    buf_clear(&b);
    backend_build_authentication_cleartext(&b);
    parse_exactly(body_of(&b, BE_AUTHENTICATION), is_cleartext);
    buf_clear(&b);
    backend_build_authentication_md5(&b, (const uint8_t *)"\1\2\0\4");
    parse_exactly(body_of(&b, BE_AUTHENTICATION), is_md5);
    buf_clear(&b);
    backend_build_authentication_sasl(&b, names, ROWS(names));
    parse_exactly(body_of(&b, BE_AUTHENTICATION), is_sasl);
    buf_clear(&b);
    backend_build_authentication_sasl_continue(&b, LITERAL("r=\0x"));
    assert_true(backend_parse_authentication(body_of(&b, BE_AUTHENTICATION), &a));
    assert_int_equal(a.code, AUTHENTICATION_SASL_CONTINUE);
    assert_span_is(a.data, "r=\0x");
    buf_clear(&b);
    backend_build_authentication_sasl_final(&b, LITERAL("v=abc"));
    assert_true(backend_parse_authentication(body_of(&b, BE_AUTHENTICATION), &a));
    assert_int_equal(a.code, AUTHENTICATION_SASL_FINAL);
    assert_span_is(a.data, "v=abc");
    buf_reset(&b);
}

static void test_backend_judges_the_body_of_every_authentication_code(void **state)
{
    (void)state;
    static const struct {
        struct span body;
        bool good;
    } rows[] = {
        {BYTES("\0\0\0"), false},
        {BYTES("\0\0\0\2"), true},
        {BYTES("\0\0\0\2x"), false},
        {BYTES("\0\0\0\7"), true},
        {BYTES("\0\0\0\x09"), true},
        {BYTES("\0\0\0\x08token"), true},
        {BYTES("\0\0\0\x0a"), false},
        {BYTES("\0\0\0\x0a\0"), false}, /* no mechanism at all */
        {BYTES("\0\0\0\x0aX\0"), false},
        {BYTES("\0\0\0\x0aX\0\0"), true},
        {BYTES("\0\0\0\x0aX\0\0Y"), false},
        {BYTES("\0\0\0\x0b"), true},
        {BYTES("\0\0\0\x63new"), true}, /* the caller says that it can't */
        {BYTES("\xff\xff\xff\xff"), true},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct backend_authentication a;
        uint8_t *copy = guard_copy(rows[i].body.p, rows[i].body.n);
        if (backend_parse_authentication(span_of(copy, rows[i].body.n), &a) != rows[i].good)
            fail_msg("row %zu", i);
        guard_free(copy, rows[i].body.n);
    }
}

/* ---- session --------------------------------------------------------------------------------- */

static bool is_parameter(struct span body)
{
    struct span name, value;
    return backend_parse_parameter_status(body, &name, &value) && span_is(name, "TimeZone") &&
           span_is(value, "");
}

static bool is_notification(struct span body)
{
    struct backend_notification n;
    return backend_parse_notification(body, &n) && n.pid == -5 && span_is(n.channel, "jobs") &&
           span_is(n.payload, "42");
}

static bool is_tag(struct span body)
{
    struct span tag;
    return backend_parse_command_complete(body, &tag) && span_is(tag, "INSERT 0 1");
}

static void test_backend_gives_back_the_reports_that_were_built(void **state)
{
    (void)state;
    struct buf b = {0};
    backend_build_parameter_status(&b, span_str("TimeZone"), span_str(""));
    parse_exactly(body_of(&b, BE_PARAMETER_STATUS), is_parameter);
    buf_clear(&b);
    const struct backend_notification n = {
        .pid = -5, .channel = span_str("jobs"), .payload = span_str("42")};
    backend_build_notification(&b, &n);
    parse_exactly(body_of(&b, BE_NOTIFICATION), is_notification);
    buf_clear(&b);
    backend_build_command_complete(&b, span_str("INSERT 0 1"));
    parse_exactly(body_of(&b, BE_COMMAND_COMPLETE), is_tag);
    buf_reset(&b);
}

static void test_backend_knows_a_tag_that_counts_rows(void **state)
{
    (void)state;
    assert_true(backend_counts_rows(span_of("SELECT 1", 9)));
    assert_true(backend_counts_rows(span_of("INSERT 0 10", 12)));
    assert_false(backend_counts_rows(span_of("COMMIT", 7)));
    assert_false(backend_counts_rows(span_of("SELECT 1", 8))); /* without its NUL */
    assert_false(backend_counts_rows(span_of("", 1)));
    assert_false(backend_counts_rows(span_of("", 0)));
}

static void test_backend_takes_keys_of_every_allowed_length(void **state)
{
    (void)state;
    uint8_t key[STARTUP_KEY_MAX + 1] = {0x80};
    struct span got;
    for (size_t n = 0; n <= sizeof key; n++) {
        bool good = n >= STARTUP_KEY_MIN && n <= STARTUP_KEY_MAX;
        assert_int_equal(backend_parse_key_data(span_of(key, n), &got), good);
        if (!good)
            continue;
        struct buf b = {0};
        backend_build_key_data(&b, span_of(key, n));
        assert_true(backend_parse_key_data(body_of(&b, BE_BACKEND_KEY_DATA), &got));
        assert_same_bytes(got, span_of(key, n));
        buf_reset(&b);
    }
}

static void test_backend_knows_three_transaction_states(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        uint8_t byte = (uint8_t)c;
        char status = 0;
        bool good = c == 'I' || c == 'T' || c == 'E';
        assert_int_equal(backend_parse_ready_for_query(span_of(&byte, 1), &status), good);
        if (good) {
            struct buf b = {0};
            backend_build_ready_for_query(&b, status);
            assert_same_bytes(body_of(&b, BE_READY_FOR_QUERY), span_of(&byte, 1));
            buf_reset(&b);
        }
    }
    char status;
    assert_false(backend_parse_ready_for_query(span_of(NULL, 0), &status));
    assert_false(backend_parse_ready_for_query(LITERAL("II"), &status));
}

static bool is_negotiation(struct span body)
{
    struct backend_negotiate n;
    return backend_parse_negotiate_version(body, &n) && n.version == STARTUP_VERSION_3_0 &&
           n.n_names == 2 && span_equal(n.names, LITERAL("_pq_.a\0_pq_.b\0"));
}

static void test_backend_counts_the_names_of_a_negotiation(void **state)
{
    (void)state;
    struct backend_negotiate n;
    parse_exactly(LITERAL("\0\3\0\0\0\0\0\2_pq_.a\0_pq_.b\0"), is_negotiation);
    assert_true(backend_parse_negotiate_version(LITERAL("\0\3\0\0\0\0\0\0"), &n));
    assert_false(backend_parse_negotiate_version(LITERAL("\0\3\0\0\xff\xff\xff\xff_pq_.a\0"), &n));
}

/* ---- answers --------------------------------------------------------------------------------- */

static void test_backend_builds_answers_without_a_body(void **state)
{
    (void)state;
    struct buf b = {0};
    backend_build_parse_complete(&b);
    backend_build_bind_complete(&b);
    backend_build_close_complete(&b);
    backend_build_no_data(&b);
    backend_build_empty_query(&b);
    backend_build_portal_suspended(&b);
    assert_span_is(buf_span(&b), "1\0\0\0\0042\0\0\0\0043\0\0\0\4n\0\0\0\4I\0\0\0\4s\0\0\0\4");
    buf_clear(&b);
    backend_build_parameter_description(&b, LITERAL("\0\0\0\x17\0\0\0\x19"), 2);
    assert_span_is(body_of(&b, BE_PARAMETER_DESCRIPTION), "\0\2\0\0\0\x17\0\0\0\x19");
    buf_reset(&b);
}

static bool is_two_columns(struct span body)
{
    struct backend_column c[1];
    size_t n;
    return backend_parse_row_description(body, c, ROWS(c), &n) && n == 2 &&
           span_is(c[0].name, "database") && c[0].type_oid == BACKEND_OID_TEXT &&
           c[0].type_len == -1;
}

static void test_backend_gives_back_the_columns_that_were_built(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t oid;
        int16_t len;
    } rows[] = {{"database", BACKEND_OID_TEXT, -1}, {"n", BACKEND_OID_INT8, 8}};
    struct backend_column built[ROWS(rows)], got[ROWS(rows)];
    for (size_t i = 0; i < ROWS(rows); i++)
        built[i] = (struct backend_column){span_str(rows[i].name), rows[i].oid, rows[i].len};
    struct buf b = {0};
    size_t n;
    backend_build_row_description(&b, built, ROWS(rows));
    struct span body = body_of(&b, BE_ROW_DESCRIPTION);
    parse_exactly(body, is_two_columns);
    assert_true(backend_parse_row_description(body, got, ROWS(got), &n));
    assert_int_equal(n, ROWS(rows));
    for (size_t i = 0; i < n; i++) {
        assert_true(span_is(got[i].name, rows[i].name));
        assert_int_equal(got[i].type_oid, rows[i].oid);
        assert_int_equal(got[i].type_len, rows[i].len);
    }
    /* Table, attribute, type modifier and format, where no parser looks. */
    assert_span_is(span_of(body.p + body.n - 18, 18),
                   "\0\0\0\0\0\0\0\0\0\x14\0\x08\xff\xff\xff\xff\0\0");
    buf_reset(&b);
}

static bool is_row(struct span body)
{
    struct span v[3];
    size_t n;
    return backend_parse_data_row(body, v, ROWS(v), &n) && n == 3 && span_is(v[0], "one") &&
           !v[1].p && v[2].p && v[2].n == 0;
}

static void test_backend_tells_null_from_an_empty_text(void **state)
{
    (void)state;
    const struct span values[] = {span_str("one"), backend_null(), span_str("")};
    struct span one;
    size_t n;
    struct buf b = {0};
    backend_build_data_row(&b, values, ROWS(values));
    parse_exactly(body_of(&b, BE_DATA_ROW), is_row);
    assert_true(backend_parse_data_row(body_of(&b, BE_DATA_ROW), &one, 1, &n));
    assert_int_equal(n, 3);
    assert_false(backend_parse_data_row(LITERAL("\0\1\xff\xff\xff\xfe"), &one, 1, &n));
    assert_false(backend_parse_data_row(LITERAL("\0\1\x7f\xff\xff\xffx"), &one, 1, &n));
    assert_false(backend_parse_data_row(LITERAL("\xff\xff\xff\xff\xff\xff"), &one, 1, &n));
    buf_reset(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backend_gives_back_the_authentication_that_was_built),
        cmocka_unit_test(test_backend_judges_the_body_of_every_authentication_code),
        cmocka_unit_test(test_backend_gives_back_the_reports_that_were_built),
        cmocka_unit_test(test_backend_takes_keys_of_every_allowed_length),
        cmocka_unit_test(test_backend_knows_three_transaction_states),
        cmocka_unit_test(test_backend_counts_the_names_of_a_negotiation),
        cmocka_unit_test(test_backend_builds_answers_without_a_body),
        cmocka_unit_test(test_backend_knows_a_tag_that_counts_rows),
        cmocka_unit_test(test_backend_gives_back_the_columns_that_were_built),
        cmocka_unit_test(test_backend_tells_null_from_an_empty_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
