/* SPDX-License-Identifier: PostgreSQL */
#include "proto/frontend.h"

#include "proto/message.h"

#include "proto_fixture.h"

static bool is_query(struct span body)
{
    struct span text;
    return frontend_parse_query(body, &text) && span_is(text, "SELECT 1");
}

static bool is_parse(struct span body)
{
    struct frontend_parse m;
    return frontend_parse_parse(body, &m) && span_is(m.name, "s1") &&
           span_is(m.query, "SELECT $1") && m.n_oids == 2 &&
           span_equal(m.oids, LITERAL("\0\0\0\x17\0\0\0\x19"));
}

static bool is_object(struct span body)
{
    struct frontend_object m;
    return frontend_parse_object(body, &m) && m.kind == 'P' && span_is(m.name, "c1");
}

static bool is_execute(struct span body)
{
    struct frontend_execute m;
    return frontend_parse_execute(body, &m) && span_is(m.portal, "c1") && m.max_rows == -7;
}

static bool is_copy_fail(struct span body)
{
    struct span reason;
    return frontend_parse_copy_fail(body, &reason) && span_is(reason, "enough");
}

static bool is_password(struct span body)
{
    struct span password;
    return frontend_parse_password(body, &password) && span_is(password, "md5abc");
}

static bool is_sasl_initial(struct span body)
{
    struct frontend_sasl_initial m;
    return frontend_parse_sasl_initial(body, &m) && span_is(m.mechanism, "SCRAM-SHA-256") &&
           m.has_data && span_is(m.data, "n,,n=,r=x");
}

static void test_frontend_gives_back_what_was_built(void **state)
{
    (void)state;
    struct buf b = {0};
    frontend_build_query(&b, span_str("SELECT 1"));
    parse_exactly(body_of(&b, FE_QUERY), is_query);
    buf_clear(&b);
    frontend_build_parse(&b, span_str("s1"), span_str("SELECT $1"), LITERAL("\0\0\0\x17\0\0\0\x19"),
                         2);
    parse_exactly(body_of(&b, FE_PARSE), is_parse);
    buf_clear(&b);
    frontend_build_describe(&b, 'P', span_str("c1"));
    parse_exactly(body_of(&b, FE_DESCRIBE), is_object);
    buf_clear(&b);
    frontend_build_close(&b, 'P', span_str("c1"));
    parse_exactly(body_of(&b, FE_CLOSE), is_object);
    buf_clear(&b);
    frontend_build_execute(&b, span_str("c1"), -7);
    parse_exactly(body_of(&b, FE_EXECUTE), is_execute);
    buf_clear(&b);
    frontend_build_copy_fail(&b, span_str("enough"));
    parse_exactly(body_of(&b, FE_COPY_FAIL), is_copy_fail);
    buf_clear(&b);
    frontend_build_password(&b, span_str("md5abc"));
    parse_exactly(body_of(&b, FE_PASSWORD), is_password);
    buf_clear(&b);
    frontend_build_sasl_initial(&b, span_str("SCRAM-SHA-256"), span_str("n,,n=,r=x"));
    parse_exactly(body_of(&b, FE_PASSWORD), is_sasl_initial);
    buf_clear(&b);
    frontend_build_sasl_response(&b, LITERAL("c=\0x"));
    assert_span_is(body_of(&b, FE_PASSWORD), "c=\0x");
    buf_clear(&b);
    frontend_build_copy_data(&b, LITERAL("1\t2\n"));
    assert_span_is(body_of(&b, FE_COPY_DATA), "1\t2\n");
    buf_reset(&b);
}

static void test_frontend_builds_messages_without_a_body(void **state)
{
    (void)state;
    struct buf b = {0};
    frontend_build_sync(&b);
    frontend_build_flush(&b);
    frontend_build_copy_done(&b);
    frontend_build_terminate(&b);
    assert_span_is(buf_span(&b), "S\0\0\0\4H\0\0\0\4c\0\0\0\4X\0\0\0\4");
    buf_reset(&b);
}

static void test_frontend_refuses_an_object_that_is_neither_statement_nor_portal(void **state)
{
    (void)state;
    struct frontend_object m;
    assert_true(frontend_parse_object(LITERAL("S\0"), &m));
    assert_true(frontend_parse_object(LITERAL("Px\0"), &m));
    assert_false(frontend_parse_object(LITERAL("sx\0"), &m));
    assert_false(frontend_parse_object(LITERAL("\0x\0"), &m));
}

static void test_frontend_refuses_counts_that_the_body_does_not_hold(void **state)
{
    (void)state;
    struct frontend_parse m;
    assert_true(frontend_parse_parse(LITERAL("\0\0\0\0"), &m));
    assert_false(frontend_parse_parse(LITERAL("\0\0\0\1"), &m));
    assert_false(frontend_parse_parse(LITERAL("\0\0\xff\xff\0\0\0\0"), &m));
}

static void test_frontend_knows_an_initial_response_without_data(void **state)
{
    (void)state;
    static const struct {
        struct span body;
        bool good, has_data;
    } rows[] = {
        {BYTES("X\0\xff\xff\xff\xff"), true, false},  {BYTES("X\0\0\0\0\0"), true, true},
        {BYTES("X\0\0\0\0\1a"), true, true},          {BYTES("X\0\xff\xff\xff\xff?"), false, false},
        {BYTES("X\0\xff\xff\xff\xfe"), false, false}, {BYTES("X\0\x7f\xff\xff\xff?"), false, false},
        {BYTES("X\0\x80\0\0\0"), false, false},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct frontend_sasl_initial m;
        uint8_t *copy = guard_copy(rows[i].body.p, rows[i].body.n);
        bool good = frontend_parse_sasl_initial(span_of(copy, rows[i].body.n), &m);
        if (good != rows[i].good || (good && m.has_data != rows[i].has_data))
            fail_msg("row %zu", i);
        guard_free(copy, rows[i].body.n);
    }
}

static void test_frontend_finds_the_names_of_a_bind_as_soon_as_they_are_there(void **state)
{
    (void)state;
    struct buf b = {0};
    const struct span values[] = {span_str("1"), {NULL, 0}, span_str("")};
    frontend_build_bind(&b, span_str("c1"), span_str("s1"), values, 3);
    struct span body = body_of(&b, FE_BIND);
    for (size_t n = 0; n <= body.n; n++) {
        struct frontend_bind_head head;
        uint8_t *copy = guard_copy(body.p, n);
        enum frame_result got = frontend_parse_bind_head(span_of(copy, n), (uint32_t)body.n, &head);
        assert_int_equal(got, n < 6 ? FRAME_MORE : FRAME_OK);
        if (got == FRAME_OK) {
            assert_span_is(head.portal, "c1");
            assert_span_is(head.statement, "s1");
            assert_int_equal(head.len, 6);
        }
        /* The same bytes, but nothing follows. */
        got = frontend_parse_bind_head(span_of(copy, n), (uint32_t)n, &head);
        assert_int_equal(got, n < 6 ? FRAME_BAD : FRAME_OK);
        guard_free(copy, n);
    }
    assert_span_is(span_of(body.p + 6, body.n - 6),
                   "\0\0\0\3\0\0\0\0011\xff\xff\xff\xff\0\0\0\0\0\0");
    buf_reset(&b);
}

static void test_frontend_renames_the_statement_of_a_bind_and_nothing_else(void **state)
{
    (void)state;
    static const char *const names[] = {"", "s", "s1", "PGBALLAST_12345"};
    const struct span values[] = {span_str("value")};
    for (size_t i = 0; i < ROWS(names); i++) {
        for (size_t k = 0; k < ROWS(names); k++) {
            struct buf b = {0}, renamed = {0}, want = {0};
            struct frontend_bind_head head;
            frontend_build_bind(&b, span_str("c1"), span_str(names[i]), values, 1);
            frontend_build_bind(&want, span_str("c1"), span_str(names[k]), values, 1);
            struct span body = body_of(&b, FE_BIND);
            /* Only the head has arrived when it is rewritten. */
            struct span present = span_of(body.p, 3 + strlen(names[i]) + 1);
            assert_int_equal(frontend_parse_bind_head(present, (uint32_t)body.n, &head), FRAME_OK);
            frontend_rewrite_bind_head(&renamed, &head, (uint32_t)body.n, span_str(names[k]));
            buf_append(&renamed, body.p + head.len, body.n - head.len);
            assert_same_bytes(buf_span(&renamed), buf_span(&want));
            buf_reset(&b);
            buf_reset(&renamed);
            buf_reset(&want);
        }
    }
}

static void test_frontend_runs_a_command_without_sync(void **state)
{
    (void)state;
    struct buf b = {0};
    frontend_build_run(&b, span_str("st"), span_str("po"), span_str("SET x = 1"));
    assert_span_is(buf_span(&b), "P\0\0\0\x13st\0SET x = 1\0\0\0"
                                 "B\0\0\0\x10po\0st\0\0\0\0\0\0\0"
                                 "E\0\0\0\x0bpo\0\0\0\0\0");
    buf_reset(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frontend_gives_back_what_was_built),
        cmocka_unit_test(test_frontend_builds_messages_without_a_body),
        cmocka_unit_test(test_frontend_refuses_an_object_that_is_neither_statement_nor_portal),
        cmocka_unit_test(test_frontend_refuses_counts_that_the_body_does_not_hold),
        cmocka_unit_test(test_frontend_knows_an_initial_response_without_data),
        cmocka_unit_test(test_frontend_finds_the_names_of_a_bind_as_soon_as_they_are_there),
        cmocka_unit_test(test_frontend_renames_the_statement_of_a_bind_and_nothing_else),
        cmocka_unit_test(test_frontend_runs_a_command_without_sync),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
