/* SPDX-License-Identifier: PostgreSQL */
#include "admin/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/frame.h"
#include "proto/message.h"
#include "proto/reader.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

struct item {
    const char *name;
    int64_t small, large, exact;
};

static const struct column item_columns[] = {
    {"name", BACKEND_OID_TEXT, COLUMN_TEXT, offsetof(struct item, name)},
    {"small", BACKEND_OID_INT4, COLUMN_NUMBER, offsetof(struct item, small)},
    {"large", BACKEND_OID_INT8, COLUMN_NUMBER, offsetof(struct item, large)},
    {"exact", BACKEND_OID_NUMERIC, COLUMN_NUMBER, offsetof(struct item, exact)},
};
static const struct columns items = {item_columns, ROWS(item_columns)};

static const struct formats all_binary = {.n = 1, .codes = {1}};

static void assert_cell(const struct rows *r, size_t row, unsigned column, const char *want)
{
    struct span cell = rows_cell(r, row, column);
    if (!want) {
        assert_null(cell.p);
        return;
    }
    assert_non_null(cell.p);
    assert_int_equal(cell.n, strlen(want));
    assert_memory_equal(cell.p, want, cell.n);
}

static struct span body_of(const struct buf *b, uint8_t type)
{
    struct frame f = {0};
    assert_int_equal(frame_next(buf_span(b), &f), FRAME_OK);
    assert_int_equal(f.type, type);
    assert_true(f.whole);
    assert_int_equal(f.total, buf_len(b));
    return f.body;
}

static void test_rows_keep_texts_numbers_and_nulls(void **state)
{
    (void)state;
    struct rows r;
    rows_init(&r, items);
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "row %d", i);
        struct item row = {name, i, -i, COLUMN_NULL};
        rows_add(&r, &row);
    }
    struct item last = {NULL, INT64_MAX, INT64_MAX, INT64_MIN + 1};
    rows_add(&r, &last);
    struct item low = {"", INT32_MIN - 1LL, 0, 0};
    rows_add(&r, &low);
    assert_int_equal(r.n, 102);
    assert_cell(&r, 42, 0, "row 42");
    assert_cell(&r, 42, 1, "42");
    assert_cell(&r, 42, 2, "-42");
    assert_cell(&r, 42, 3, NULL);
    assert_cell(&r, 100, 0, NULL);
    assert_cell(&r, 100, 1, "2147483647");
    assert_cell(&r, 100, 2, "9223372036854775807");
    assert_cell(&r, 100, 3, "-9223372036854775807");
    assert_cell(&r, 101, 0, "");
    assert_cell(&r, 101, 1, "-2147483648");
    rows_fini(&r);
}

static void test_rows_are_sorted_by_columns_and_keep_their_order(void **state)
{
    (void)state;
    static const struct item unsorted[] = {
        {"b", 10, 0, 0}, {"a", 9, 1, 0},   {NULL, 1, 2, 0}, {"a", 10, 3, 0},
        {"a", 9, 4, 0},  {"ab", -1, 5, 0}, {"", 0, 6, 0},
    };
    static const char *const order[] = {"6", "1", "4", "3", "5", "0", "2"};
    static const uint8_t by_two[] = {0, 1}, by_third[] = {2};
    struct rows r;
    rows_init(&r, items);
    rows_sort(&r, by_two, 2);
    for (size_t i = 0; i < ROWS(unsorted); i++)
        rows_add(&r, &unsorted[i]);
    rows_sort(&r, NULL, 0);
    assert_cell(&r, 0, 0, "b");
    rows_sort(&r, by_two, 2);
    for (size_t i = 0; i < ROWS(order); i++)
        assert_cell(&r, i, 2, order[i]);
    rows_sort(&r, by_third, 1);
    for (size_t i = 0; i < ROWS(unsorted); i++)
        assert_int_equal(rows_number(rows_cell(&r, i, 2)), (int64_t)i);
    /* It can still grow. */
    rows_add(&r, &unsorted[0]);
    assert_cell(&r, ROWS(order), 0, "b");
    rows_fini(&r);
}

static void test_rows_are_sent_as_text(void **state)
{
    (void)state;
    struct rows r;
    struct buf b = {0};
    struct span values[8];
    size_t n;
    struct item row = {"x", -1, 12, COLUMN_NULL};
    rows_init(&r, items);
    rows_add(&r, &row);
    rows_build_data_row(&b, &r, 0, NULL);
    assert_true(backend_parse_data_row(body_of(&b, BE_DATA_ROW), values, ROWS(values), &n));
    assert_int_equal(n, 4);
    assert_true(span_is(values[0], "x") && span_is(values[1], "-1") && span_is(values[2], "12"));
    assert_null(values[3].p);
    buf_reset(&b);
    rows_fini(&r);
}

static void test_rows_are_described_with_their_types_and_formats(void **state)
{
    (void)state;
    static const struct {
        struct formats formats;
        const char *codes;
    } rows[] = {
        {{.n = 0}, "0000"},
        {{.n = 1, .codes = {0}}, "0000"},
        {{.n = 1, .codes = {1}}, "1111"},
        {{.n = 4, .codes = {0, 1, 0, 1}}, "0101"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf b = {0};
        rows_build_description(&b, items, &rows[i].formats);
        struct reader r = reader_of(body_of(&b, BE_ROW_DESCRIPTION));
        assert_int_equal(reader_u16(&r), 4);
        for (unsigned c = 0; c < 4; c++) {
            assert_true(span_is(reader_cstr(&r), item_columns[c].name));
            assert_int_equal(reader_u32(&r), 0);
            assert_int_equal(reader_u16(&r), 0);
            assert_int_equal(reader_u32(&r), item_columns[c].type);
            (void)reader_u16(&r);
            assert_int_equal(reader_i32(&r), -1);
            assert_int_equal(reader_u16(&r), rows[i].codes[c] - '0');
        }
        assert_true(reader_done(&r));
        buf_reset(&b);
    }
}

/* The bytes are those of PostgreSQL's int4send, int8send and numeric_send. */
static void test_rows_are_sent_in_binary_as_postgresql_does(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        const char *bytes;
        size_t n;
    } rows[] = {
        {0, "\0\0\0\0\0\0\0\0", 8},
        {7, "\0\1\0\0\0\0\0\0\0\7", 10},
        {-10000, "\0\2\0\1\x40\0\0\0\0\1\0\0", 12},
        {123456789, "\0\3\0\2\0\0\0\0\0\1\x09\x29\x1a\x85", 14},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct rows r;
        struct buf b = {0};
        struct span values[8];
        size_t n;
        struct item row = {"x", -2, 1LL << 40, rows[i].value};
        rows_init(&r, items);
        rows_add(&r, &row);
        rows_build_data_row(&b, &r, 0, &all_binary);
        assert_true(backend_parse_data_row(body_of(&b, BE_DATA_ROW), values, ROWS(values), &n));
        assert_true(span_is(values[0], "x"));
        assert_true(span_equal(values[1], span_of("\xff\xff\xff\xfe", 4)));
        assert_true(span_equal(values[2], span_of("\0\0\1\0\0\0\0\0", 8)));
        assert_true(span_equal(values[3], span_of(rows[i].bytes, rows[i].n)));
        buf_reset(&b);
        rows_fini(&r);
    }
}

static void test_rows_send_null_alike_in_both_formats(void **state)
{
    (void)state;
    struct rows r;
    struct buf text = {0}, binary = {0};
    struct item row = {NULL, COLUMN_NULL, COLUMN_NULL, COLUMN_NULL};
    rows_init(&r, items);
    rows_add(&r, &row);
    rows_build_data_row(&text, &r, 0, NULL);
    rows_build_data_row(&binary, &r, 0, &all_binary);
    assert_true(span_equal(buf_span(&text), buf_span(&binary)));
    buf_reset(&text);
    buf_reset(&binary);
    rows_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_keep_texts_numbers_and_nulls),
        cmocka_unit_test(test_rows_are_sorted_by_columns_and_keep_their_order),
        cmocka_unit_test(test_rows_are_sent_as_text),
        cmocka_unit_test(test_rows_are_described_with_their_types_and_formats),
        cmocka_unit_test(test_rows_are_sent_in_binary_as_postgresql_does),
        cmocka_unit_test(test_rows_send_null_alike_in_both_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
