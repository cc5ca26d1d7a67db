/* SPDX-License-Identifier: PostgreSQL */
#include "proto/frame.h"

#include <stdio.h>
#include <time.h>

#include "proto_fixture.h"

static void test_frame_judges_the_length_word(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        enum frame_result result;
    } rows[] = {
        {"", 0, FRAME_MORE},
        {"Q\0\0\0", 4, FRAME_MORE},
        {"Q\0\0\0\0", 5, FRAME_BAD},
        {"Q\0\0\0\3", 5, FRAME_BAD},
        {"Q\0\0\0\4", 5, FRAME_OK},
        {"Q\x3f\xff\xff\xff", 5, FRAME_OK},
        {"Q\x40\0\0\2", 5, FRAME_OK}, /* the longest message that PostgreSQL can build */
        {"Q\x40\0\0\3", 5, FRAME_BAD},
        {"Q\x80\0\0\0", 5, FRAME_BAD},
        {"Q\xff\xff\xff\xff", 5, FRAME_BAD},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct frame f = {0};
        uint8_t *copy = guard_copy(rows[i].bytes, rows[i].n);
        if (frame_next(span_of(copy, rows[i].n), &f) != rows[i].result)
            fail_msg("row %zu", i);
        guard_free(copy, rows[i].n);
    }
}

static void test_frame_tells_how_much_of_the_body_is_there(void **state)
{
    (void)state;
    static const char two[] = "C\0\0\0\x0cSELECT \0Z\0\0\0\5I";
    for (size_t n = 0; n <= sizeof two - 1; n++) {
        struct frame f = {0};
        uint8_t *copy = guard_copy(two, n);
        enum frame_result got = frame_next(span_of(copy, n), &f);
        assert_int_equal(got, n < FRAME_HEADER ? FRAME_MORE : FRAME_OK);
        if (got == FRAME_OK) {
            assert_int_equal(f.type, 'C');
            assert_int_equal(f.body_len, 8);
            assert_int_equal(f.total, 13);
            assert_int_equal(f.whole, n >= 13);
            assert_int_equal(f.body.n, n >= 13 ? 8 : n - FRAME_HEADER);
            assert_ptr_equal(f.body.p, copy + FRAME_HEADER);
        }
        guard_free(copy, n);
    }
}

static void test_frame_skips_whole_rows_of_one_type_only(void **state)
{
    (void)state;
    static const struct {
        struct span in;
        size_t skipped;
    } rows[] = {
        {BYTES(""), 0},
        {BYTES("D\0\0\0"), 0},
        {BYTES("D\0\0\0\4"), 5},
        {BYTES("D\0\0\0\6\0\0"), 7},
        {BYTES("D\0\0\0\6\0"), 0},
        {BYTES("D\0\0\0\6\0\0D\0\0\0\6\0\0"), 14},
        {BYTES("D\0\0\0\6\0\0D\0\0\0\6\0"), 7},
        {BYTES("D\0\0\0\6\0\0D\0\0"), 7},
        {BYTES("D\0\0\0\6\0\0d\0\0\0\4"), 7},
        {BYTES("d\0\0\0\4D\0\0\0\6\0\0"), 5},
        {BYTES("d\0\0\0\4d\0\0\0\3"), 5},
        {BYTES("d\0\0\0\4d\xff\xff\xff\xff"), 5},
        {BYTES("Z\0\0\0\5I"), 0},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        uint8_t *copy = guard_copy(rows[i].in.p, rows[i].in.n);
        if (frame_skip_rows(span_of(copy, rows[i].in.n), MESSAGE_LEN_MAX) != rows[i].skipped)
            fail_msg("row %zu", i);
        guard_free(copy, rows[i].in.n);
    }
}

/* The obvious way: one message after the other. */
static size_t skip_slowly(struct span in, uint32_t max_len)
{
    size_t at = 0;
    struct frame f = {0};
    while (frame_next(span_of(in.p + at, in.n - at), &f) == FRAME_OK && f.whole &&
           (f.type == BE_DATA_ROW || f.type == BE_COPY_DATA) && f.type == in.p[0] &&
           f.body_len + 4 <= max_len)
        at += f.total;
    return at;
}

static void test_frame_skips_what_the_slow_way_skips(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    for (int round = 0; round < 20000; round++) {
        uint8_t in[128];
        size_t n = 0;
        uint8_t type = rand_r(&seed) % 2 ? BE_DATA_ROW : BE_COPY_DATA;
        size_t want = (size_t)rand_r(&seed) % 64;
        while (n < want) {
            uint8_t body = (uint8_t)(rand_r(&seed) % 8);
            in[n++] = rand_r(&seed) % 16 ? type : BE_COMMAND_COMPLETE;
            memset(in + n, 0, 4 + body);
            in[n + 3] = rand_r(&seed) % 32 ? (uint8_t)(4 + body) : 3;
            n += 4 + (size_t)body;
        }
        if (n)
            n -= (size_t)rand_r(&seed) % n;
        uint8_t *copy = guard_copy(in, n);
        uint32_t max_len = rand_r(&seed) % 2 ? MESSAGE_LEN_MAX : 4 + (uint32_t)rand_r(&seed) % 8;
        assert_int_equal(frame_skip_rows(span_of(copy, n), max_len),
                         skip_slowly(span_of(copy, n), max_len));
        guard_free(copy, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_judges_the_length_word),
        cmocka_unit_test(test_frame_tells_how_much_of_the_body_is_there),
        cmocka_unit_test(test_frame_skips_whole_rows_of_one_type_only),
        cmocka_unit_test(test_frame_skips_what_the_slow_way_skips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
