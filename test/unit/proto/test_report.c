/* SPDX-License-Identifier: PostgreSQL */
#include "proto/report.h"

#include "proto/message.h"

#include "proto_fixture.h"

static const char every_field[] = "Sa\0Vb\0Cc\0Md\0De\0Hf\0Pg\0ph\0qi\0Wj\0sk\0tl\0cm\0dn\0no\0"
                                  "Fp\0Lq\0Rr\0";

static bool is_every_field(struct span body)
{
    struct report r;
    if (!report_parse(body, &r))
        return false;
    const struct span got[] = {r.severity,       r.severity_nonlocalized,
                               r.sqlstate,       r.message,
                               r.detail,         r.hint,
                               r.position,       r.internal_position,
                               r.internal_query, r.where,
                               r.schema,         r.table,
                               r.column,         r.data_type,
                               r.constraint,     r.file,
                               r.line,           r.routine};
    for (size_t i = 0; i < ROWS(got); i++) {
        if (got[i].n != 1 || got[i].p[0] != 'a' + i)
            return false;
    }
    return true;
}

static void test_report_finds_every_field(void **state)
{
    (void)state;
    /* The literal's own NUL is the terminator. */
    parse_exactly(span_of(every_field, sizeof every_field), is_every_field);
}

static void test_report_ignores_fields_it_does_not_know(void **state)
{
    (void)state;
    struct report r;
    assert_true(report_parse(LITERAL("Xnew\0Mtext\0\xffx\0\0"), &r));
    assert_span_is(r.message, "text");
    assert_null(r.severity.p);
    assert_true(report_parse(LITERAL("\0"), &r));
    assert_false(report_parse(LITERAL(""), &r));
    assert_false(report_parse(LITERAL("Mtext\0\0\0"), &r));
}

static void test_report_builds_errors_and_notices(void **state)
{
    (void)state;
    static const struct {
        struct error err;
        const char *severity, *detail, *hint;
        bool notice;
        struct span body;
    } rows[] = {
        {{"28P01", "no"}, "FATAL", NULL, NULL, false, BYTES("SFATAL\0VFATAL\0C28P01\0Mno\0\0")},
        {{"", "no"}, "ERROR", NULL, "h", false, BYTES("SERROR\0VERROR\0CXX000\0Mno\0Hh\0\0")},
        {{"", "wait"}, "NOTICE", "d", NULL, true, BYTES("SNOTICE\0VNOTICE\0C00000\0Mwait\0Dd\0\0")},
        {{"57P03", "no"},
         "FATAL",
         "d",
         "h",
         false,
         BYTES("SFATAL\0VFATAL\0C57P03\0Mno\0Dd\0Hh\0\0")},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf b = {0};
        struct report r;
        if (rows[i].notice)
            report_notice(&b, rows[i].severity, &rows[i].err, rows[i].detail, rows[i].hint);
        else
            report_error(&b, rows[i].severity, &rows[i].err, rows[i].detail, rows[i].hint);
        struct span body = body_of(&b, rows[i].notice ? BE_NOTICE : BE_ERROR);
        assert_same_bytes(body, rows[i].body);
        assert_true(report_parse(body, &r));
        assert_true(span_is(r.message, rows[i].err.text));
        assert_int_equal(report_is_fatal(&r), strcmp(rows[i].severity, "FATAL") == 0);
        buf_reset(&b);
    }
}

static void test_report_is_relayed_with_all_of_its_fields(void **state)
{
    (void)state;
    static const struct error err = {"57P01", "ours"};
    static const struct {
        struct span kept;
        const char *hint;
        struct span result;
    } rows[] = {
        {BYTES("SFEHLER\0VFATAL\0C28P01\0Mtheirs\0Dd\0Hh\0Fauth.c\0\0"), "more",
         BYTES("SERROR\0VERROR\0C57P01\0Mtheirs\0Dd\0Hh\0Fauth.c\0\0")},
        {BYTES("SFATAL\0C28P01\0Mtheirs\0\0"), "more",
         BYTES("SERROR\0VERROR\0C57P01\0Mtheirs\0Hmore\0\0")},
        {BYTES("Mopen"), "more", BYTES("SERROR\0VERROR\0C57P01\0Mours\0Hmore\0\0")},
        {{NULL, 0}, NULL, BYTES("SERROR\0VERROR\0C57P01\0Mours\0\0")},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf b = {0};
        report_relay(&b, "ERROR", &err, rows[i].kept, rows[i].hint);
        assert_same_bytes(body_of(&b, BE_ERROR), rows[i].result);
        buf_reset(&b);
    }
}

static void test_report_that_is_kept_is_whole_or_cut_in_each_field(void **state)
{
    (void)state;
    struct buf kept = {0}, body = {0};
    struct report r;
    report_keep(&kept, LITERAL("SFATAL\0Mshort\0\0"));
    assert_same_bytes(buf_span(&kept), LITERAL("SFATAL\0Mshort\0\0"));
    report_keep(&kept, LITERAL("Mopen"));
    assert_true(buf_is_empty(&kept));
    buf_append(&body, "SFATAL\0M", 8);
    for (int i = 0; i < REPORT_KEPT_MAX; i++)
        buf_append(&body, "\xc3\xa4", 2);
    buf_append(&body, "\0Hhint\0\0", 8);
    report_keep(&kept, buf_span(&body));
    assert_true(buf_len(&kept) <= REPORT_KEPT_MAX);
    assert_true(report_parse(buf_span(&kept), &r));
    assert_int_equal(r.message.n % 2, 0);
    assert_true(r.message.n > 490);
    assert_true(span_is(r.hint, "hint"));
    buf_reset(&body);
    buf_reset(&kept);
}

static void test_report_takes_the_severity_that_is_not_translated(void **state)
{
    (void)state;
    static const struct {
        struct span body;
        bool fatal;
    } rows[] = {
        {BYTES("SFATAL\0\0"), true},          {BYTES("SPANIC\0\0"), true},
        {BYTES("SERROR\0\0"), false},         {BYTES("SFATAL\0VERROR\0\0"), false},
        {BYTES("SFEHLER\0VFATAL\0\0"), true}, {BYTES("\0"), false},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct report r;
        assert_true(report_parse(rows[i].body, &r));
        if (report_is_fatal(&r) != rows[i].fatal)
            fail_msg("row %zu", i);
    }
}

static void test_report_rewrites_one_field_and_keeps_the_rest(void **state)
{
    (void)state;
    static const struct {
        struct span body;
        enum report_field field;
        const char *value;
        struct span result;
    } rows[] = {
        {BYTES("SERROR\0Mold\0Xy\0\0"), REPORT_MESSAGE, "brand new",
         BYTES("SERROR\0Mbrand new\0Xy\0\0")},
        {BYTES("SERROR\0C57014\0Mm\0\0"), REPORT_SQLSTATE, "57P01",
         BYTES("SERROR\0C57P01\0Mm\0\0")},
        {BYTES("Mm\0\0"), REPORT_HINT, "", BYTES("H\0Mm\0\0")},
        {BYTES("\0"), REPORT_MESSAGE, "m", BYTES("Mm\0\0")},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf b = {0};
        assert_true(
            report_rewrite(&b, BE_ERROR, rows[i].body, rows[i].field, span_str(rows[i].value)));
        assert_same_bytes(body_of(&b, BE_ERROR), rows[i].result);
        buf_reset(&b);
    }
}

static void test_report_does_not_rewrite_what_it_cannot_read(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_false(report_rewrite(&b, BE_ERROR, LITERAL("Mopen"), REPORT_MESSAGE, span_str("x")));
    assert_true(buf_is_empty(&b));
    assert_false(report_rewrite(&b, BE_NOTICE, LITERAL("Ma\0\0y"), REPORT_MESSAGE, span_str("x")));
    assert_true(buf_is_empty(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report_finds_every_field),
        cmocka_unit_test(test_report_ignores_fields_it_does_not_know),
        cmocka_unit_test(test_report_builds_errors_and_notices),
        cmocka_unit_test(test_report_is_relayed_with_all_of_its_fields),
        cmocka_unit_test(test_report_that_is_kept_is_whole_or_cut_in_each_field),
        cmocka_unit_test(test_report_takes_the_severity_that_is_not_translated),
        cmocka_unit_test(test_report_rewrites_one_field_and_keeps_the_rest),
        cmocka_unit_test(test_report_does_not_rewrite_what_it_cannot_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
