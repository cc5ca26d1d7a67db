/* SPDX-License-Identifier: PostgreSQL */
/* rows.h - the answer to a SHOW while it is being gathered: columns and rows, one after the other.
 *
 * Each SHOW has a struct for its rows; a table of columns says for each what it is called, of which
 * type it is, and where in the struct it stands. A row is encoded when it is added (so the struct's
 * texts need not last) in the form of a DataRow's body, which is also what leaves in the end. */
#ifndef ADMIN_ROWS_H
#define ADMIN_ROWS_H

#include "base/buf.h"
#include "proto/backend.h"

#include <stdbool.h>
#include <stdint.h>

enum column_field {
    COLUMN_TEXT,   /* const char *; NULL is SQL's NULL */
    COLUMN_NUMBER, /* int64_t; COLUMN_NULL is SQL's NULL */
};

#define COLUMN_NULL INT64_MIN

struct column {
    const char *name;
    enum backend_oid type;
    enum column_field field;
    size_t offset;
};

struct columns {
    const struct column *at;
    uint16_t n; /* at most COLUMNS_MAX */
};

#define COLUMNS_MAX 32

struct rows {
    struct columns columns;
    struct buf cells;
    size_t *starts; /* of each row in cells */
    size_t n, room;
};

void rows_init(struct rows *r, struct columns columns);
void rows_fini(struct rows *r);

/* `row` is the struct that the columns' offsets are about. */
void rows_add(struct rows *r, const void *row);
/* By the columns with these numbers, texts byte by byte and numbers by value; rows that are equal
 * in them keep their order. */
void rows_sort(struct rows *r, const uint8_t *keys, unsigned n_keys);
/* Keeps those `n` rows, in that order; each at most once. */
void rows_pick(struct rows *r, const size_t *rows, size_t n);

/* The value as text; NULL is a span whose pointer is NULL. Borrowed until the next rows_add. */
struct span rows_cell(const struct rows *r, size_t row, unsigned column);
/* The value of a cell that is a number and not NULL. */
int64_t rows_number(struct span cell);
/* Below, at or above 0, as memcmp. NULLs last. */
int rows_compare(struct span a, struct span b, enum column_field field);

/* ---- as messages ---- */

/* Result format codes of a Bind: none (all text), one for all, or one per column. */
struct formats {
    uint16_t n;
    uint16_t codes[COLUMNS_MAX];
};

void rows_build_description(struct buf *b, struct columns columns, const struct formats *f);
void rows_build_data_row(struct buf *b, const struct rows *r, size_t row, const struct formats *f);

#endif
