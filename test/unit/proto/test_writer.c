/* SPDX-License-Identifier: PostgreSQL */
#include "proto/writer.h"

#include "proto_fixture.h"

static void test_writer_writes_every_kind_of_field_in_network_order(void **state)
{
    (void)state;
    struct buf b = {0};
    size_t mark = writer_begin(&b, 'T');
    writer_u8(&b, 0x81);
    writer_u16(&b, 0x8001);
    writer_u32(&b, 0xfedcba98);
    writer_cstr(&b, span_str("name"));
    writer_cstr(&b, span_of(NULL, 0));
    writer_bytes(&b, LITERAL("a\0b"));
    writer_bytes(&b, span_of(NULL, 0));
    writer_end(&b, mark);
    assert_span_is(buf_span(&b), "T\0\0\0\x14\x81\x80\x01\xfe\xdc\xba\x98name\0\0a\0b");
    buf_reset(&b);
}

static void test_writer_counts_the_length_of_a_packet_without_type(void **state)
{
    (void)state;
    struct buf b = {0};
    size_t mark = writer_begin_untyped(&b);
    writer_u16(&b, 7);
    writer_end(&b, mark);
    assert_span_is(buf_span(&b), "\0\0\0\6\0\7");
    buf_reset(&b);
}

/* The buffer moves its content to the front, or elsewhere, while a message is being written. */
static void test_writer_survives_a_buffer_that_moves(void **state)
{
    (void)state;
    struct buf b = {0};
    static const uint8_t filler[200];
    uint8_t large[1000];
    memset(large, 'x', sizeof large);
    buf_append(&b, filler, sizeof filler);
    buf_consume(&b, sizeof filler - 1);
    size_t mark = writer_begin(&b, 'd');
    writer_bytes(&b, span_of(large, 100));
    writer_bytes(&b, span_of(large, sizeof large));
    writer_end(&b, mark);
    buf_consume(&b, 1);
    struct span body = body_of(&b, 'd');
    assert_int_equal(body.n, 1100);
    for (size_t i = 0; i < body.n; i++)
        assert_int_equal(body.p[i], 'x');
    buf_reset(&b);
}

static void test_writer_finds_its_length_behind_consumed_bytes(void **state)
{
    (void)state;
    struct buf b = {0};
    writer_empty(&b, 'S');
    writer_empty(&b, 'H');
    buf_consume(&b, 5);
    size_t mark = writer_begin(&b, 'C');
    writer_cstr(&b, span_str("x"));
    writer_end(&b, mark);
    assert_true(b.start > 0);
    assert_span_is(buf_span(&b), "H\0\0\0\4C\0\0\0\6x\0");
    buf_reset(&b);
}

static void test_writer_appends_messages_one_behind_the_other(void **state)
{
    (void)state;
    struct buf b = {0};
    writer_empty(&b, 'S');
    size_t mark = writer_begin(&b, 'C');
    writer_cstr(&b, span_str("x"));
    writer_end(&b, mark);
    writer_empty(&b, 'H');
    assert_span_is(buf_span(&b), "S\0\0\0\4C\0\0\0\6x\0H\0\0\0\4");
    buf_reset(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writer_writes_every_kind_of_field_in_network_order),
        cmocka_unit_test(test_writer_counts_the_length_of_a_packet_without_type),
        cmocka_unit_test(test_writer_survives_a_buffer_that_moves),
        cmocka_unit_test(test_writer_finds_its_length_behind_consumed_bytes),
        cmocka_unit_test(test_writer_appends_messages_one_behind_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
