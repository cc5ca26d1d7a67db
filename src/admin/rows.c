/* SPDX-License-Identifier: PostgreSQL */
/* rows.c - the answer to a SHOW while it is being gathered, and as messages. */
#include "admin/rows.h"

#include "base/mem.h"
#include "base/str.h"
#include "proto/frame.h"
#include "proto/message.h"
#include "proto/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NULL_LEN UINT32_MAX /* -1 on the wire */

void rows_init(struct rows *r, struct columns columns)
{
    *r = (struct rows){.columns = columns};
}

void rows_fini(struct rows *r)
{
    buf_reset(&r->cells);
    free(r->starts);
    *r = (struct rows){0};
}

/* ---- adding ---------------------------------------------------------------------------- */

static void add_cell(struct rows *r, const char *text)
{
    if (!text) {
        writer_u32(&r->cells, NULL_LEN);
        return;
    }
    struct span s = span_str(text);
    writer_u32(&r->cells, (uint32_t)s.n);
    writer_bytes(&r->cells, s);
}

/* What an int4 cannot hold is shown as the nearest it can: readers trust the type. */
static int64_t fit(int64_t value, enum backend_oid type)
{
    if (type != BACKEND_OID_INT4)
        return value;
    return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : value;
}

static void add_number(struct rows *r, int64_t value, enum backend_oid type)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, fit(value, type));
    add_cell(r, value == COLUMN_NULL ? NULL : text);
}

void rows_add(struct rows *r, const void *row)
{
    if (r->n == r->room) {
        r->room = r->room ? 2 * r->room : 16;
        r->starts = xrealloc(r->starts, r->room * sizeof *r->starts);
    }
    r->starts[r->n++] = buf_len(&r->cells);
    for (unsigned i = 0; i < r->columns.n; i++) {
        const struct column *c = &r->columns.at[i];
        const char *at = (const char *)row + c->offset;
        if (c->field == COLUMN_TEXT) {
            const char *text;
            memcpy(&text, at, sizeof text);
            add_cell(r, text);
        } else {
            int64_t value;
            memcpy(&value, at, sizeof value);
            add_number(r, value, c->type);
        }
    }
}

/* ---- reading --------------------------------------------------------------------------- */

/* Takes the cell at *at, which is moved behind it. */
static struct span take_cell(const uint8_t **at)
{
    uint32_t len = frame_u32(*at);
    *at += 4;
    if (len == NULL_LEN)
        return span_of(NULL, 0);
    struct span cell = span_of(*at, len);
    *at += len;
    return cell;
}

static const uint8_t *row_start(const struct rows *r, size_t row)
{
    return buf_span(&r->cells).p + r->starts[row];
}

static size_t row_len(const struct rows *r, size_t row)
{
    size_t end = row + 1 < r->n ? r->starts[row + 1] : buf_len(&r->cells);
    return end - r->starts[row];
}

struct span rows_cell(const struct rows *r, size_t row, unsigned column)
{
    const uint8_t *at = row_start(r, row);
    struct span cell = take_cell(&at);
    for (unsigned i = 0; i < column; i++)
        cell = take_cell(&at);
    return cell;
}

int64_t rows_number(struct span cell)
{
    char text[24];
    int64_t value = 0;
    if (!span_to_str(cell, text, sizeof text) || !str_to_i64(text, INT64_MIN, INT64_MAX, &value))
        return 0;
    return value;
}

/* ---- sorting --------------------------------------------------------------------------- */

struct sort_key {
    const struct rows *rows;
    const uint8_t *keys;
    unsigned n_keys;
    size_t row;
};

int rows_compare(struct span a, struct span b, enum column_field field)
{
    if (!a.p || !b.p)
        return (a.p == NULL) - (b.p == NULL);
    if (field == COLUMN_NUMBER) {
        int64_t x = rows_number(a), y = rows_number(b);
        return (x > y) - (x < y);
    }
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int compare_rows(const void *left, const void *right)
{
    const struct sort_key *a = left, *b = right;
    for (unsigned i = 0; i < a->n_keys; i++) {
        unsigned key = a->keys[i];
        int order = rows_compare(rows_cell(a->rows, a->row, key), rows_cell(b->rows, b->row, key),
                                 a->rows->columns.at[key].field);
        if (order)
            return order;
    }
    return (a->row > b->row) - (a->row < b->row);
}

void rows_sort(struct rows *r, const uint8_t *by, unsigned n_keys)
{
    if (r->n < 2 || !n_keys)
        return;
    struct sort_key *keys = xcalloc(r->n, sizeof *keys);
    size_t *order = xcalloc(r->n, sizeof *order);
    for (size_t i = 0; i < r->n; i++)
        keys[i] = (struct sort_key){.rows = r, .keys = by, .n_keys = n_keys, .row = i};
    qsort(keys, r->n, sizeof *keys, compare_rows);
    for (size_t i = 0; i < r->n; i++)
        order[i] = keys[i].row;
    rows_pick(r, order, r->n);
    free(order);
    free(keys);
}

void rows_pick(struct rows *r, const size_t *rows, size_t n)
{
    struct buf cells = {0};
    size_t *starts = xcalloc(n + 1, sizeof *starts);
    for (size_t i = 0; i < n; i++) {
        starts[i] = buf_len(&cells);
        buf_append(&cells, row_start(r, rows[i]), row_len(r, rows[i]));
    }
    buf_reset(&r->cells);
    free(r->starts);
    r->cells = cells;
    r->starts = starts;
    r->n = n;
    r->room = n + 1;
}

/* ---- messages -------------------------------------------------------------------------- */

static bool is_binary(const struct formats *f, unsigned column)
{
    if (!f || !f->n)
        return false;
    return f->codes[f->n == 1 ? 0 : column] == 1;
}

static uint16_t type_len(enum backend_oid type)
{
    switch (type) {
    case BACKEND_OID_BOOL:
        return 1;
    case BACKEND_OID_INT4:
        return 4;
    case BACKEND_OID_INT8:
    case BACKEND_OID_FLOAT8:
        return 8;
    case BACKEND_OID_BYTEA:
    case BACKEND_OID_TEXT:
    case BACKEND_OID_NUMERIC:
        break;
    }
    return UINT16_MAX; /* -1: it varies */
}

void rows_build_description(struct buf *b, struct columns columns, const struct formats *f)
{
    size_t mark = writer_begin(b, BE_ROW_DESCRIPTION);
    writer_u16(b, columns.n);
    for (unsigned i = 0; i < columns.n; i++) {
        const struct column *c = &columns.at[i];
        writer_cstr(b, span_str(c->name));
        writer_u32(b, 0); /* of no table */
        writer_u16(b, 0);
        writer_u32(b, (uint32_t)c->type);
        writer_u16(b, type_len(c->type));
        writer_u32(b, UINT32_MAX); /* type modifier: -1 */
        writer_u16(b, is_binary(f, i));
    }
    writer_end(b, mark);
}

/* numeric_send in PostgreSQL's numeric.c: Int16 n, weight, sign, scale, then n digits of base
 * 10000, the first of which has the given weight. */
static void write_numeric(struct buf *b, int64_t value)
{
    uint16_t digits[5];
    uint16_t n = 0;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    for (; rest; rest /= 10000)
        digits[n++] = (uint16_t)(rest % 10000);
    writer_u32(b, 8u + 2u * n);
    writer_u16(b, n);
    writer_u16(b, n ? (uint16_t)(n - 1) : 0);
    writer_u16(b, value < 0 ? 0x4000 : 0);
    writer_u16(b, 0);
    while (n)
        writer_u16(b, digits[--n]);
}

static void write_binary(struct buf *b, struct span cell, enum backend_oid type)
{
    int64_t value;
    switch (type) {
    case BACKEND_OID_INT4:
        value = rows_number(cell);
        writer_u32(b, 4);
        writer_u32(b, (uint32_t)value);
        return;
    case BACKEND_OID_INT8:
        value = rows_number(cell);
        writer_u32(b, 8);
        writer_u32(b, (uint32_t)((uint64_t)value >> 32));
        writer_u32(b, (uint32_t)(uint64_t)value);
        return;
    case BACKEND_OID_NUMERIC:
        write_numeric(b, rows_number(cell));
        return;
    case BACKEND_OID_BYTEA:
    case BACKEND_OID_TEXT:
    case BACKEND_OID_BOOL:
    case BACKEND_OID_FLOAT8:
        break;
    }
    writer_u32(b, (uint32_t)cell.n);
    writer_bytes(b, cell);
}

void rows_build_data_row(struct buf *b, const struct rows *r, size_t row, const struct formats *f)
{
    size_t mark = writer_begin(b, BE_DATA_ROW);
    writer_u16(b, r->columns.n);
    if (!f || !f->n) {
        writer_bytes(b, span_of(row_start(r, row), row_len(r, row)));
        writer_end(b, mark);
        return;
    }
    const uint8_t *at = row_start(r, row);
    for (unsigned i = 0; i < r->columns.n; i++) {
        struct span cell = take_cell(&at);
        if (cell.p && is_binary(f, i)) {
            write_binary(b, cell, r->columns.at[i].type);
            continue;
        }
        writer_u32(b, cell.p ? (uint32_t)cell.n : NULL_LEN);
        writer_bytes(b, cell);
    }
    writer_end(b, mark);
}
