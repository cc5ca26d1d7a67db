/* SPDX-License-Identifier: PostgreSQL */
#include "proto/reader.h"

#include "proto_fixture.h"

static const char fields[] = "\x81\x80\x01\xfe\xdc\xba\x98\xff\xff\xff\xffname\0rest";

static bool read_all(struct span body)
{
    struct reader r = reader_of(body);
    bool same = reader_u8(&r) == 0x81;
    same = reader_u16(&r) == 0x8001 && same;
    same = reader_u32(&r) == 0xfedcba98 && same;
    same = reader_i32(&r) == -1 && same;
    same = span_is(reader_cstr(&r), "name") && same;
    same = span_is(reader_bytes(&r, 4), "rest") && same;
    return reader_done(&r) && same;
}

static void test_reader_reads_every_kind_of_field(void **state)
{
    (void)state;
    parse_exactly(LITERAL(fields), read_all);
}

static void test_reader_stays_bad_and_gives_nothing_more(void **state)
{
    (void)state;
    struct reader r = reader_of(LITERAL("\0\0\1"));
    assert_int_equal(reader_u32(&r), 0);
    assert_true(r.bad);
    assert_int_equal(reader_u8(&r), 0);
    assert_int_equal(reader_rest(&r).n, 0);
    assert_int_equal(reader_cstr(&r).n, 0);
    assert_false(reader_done(&r));
}

static void test_reader_wants_the_nul_of_a_string(void **state)
{
    (void)state;
    uint8_t *copy = guard_copy("open", 4);
    struct reader r = reader_of(span_of(copy, 4));
    reader_cstr(&r);
    assert_true(r.bad);
    guard_free(copy, 4);
}

static void test_reader_of_nothing_is_at_its_end(void **state)
{
    (void)state;
    struct reader r = reader_of(span_of(NULL, 0));
    assert_true(reader_at_end(&r));
    assert_int_equal(reader_rest(&r).n, 0);
    assert_true(reader_done(&r));
    reader_cstr(&r);
    assert_true(r.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_reads_every_kind_of_field),
        cmocka_unit_test(test_reader_stays_bad_and_gives_nothing_more),
        cmocka_unit_test(test_reader_wants_the_nul_of_a_string),
        cmocka_unit_test(test_reader_of_nothing_is_at_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
