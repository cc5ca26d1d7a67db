/* SPDX-License-Identifier: PostgreSQL */
/* filter.c - which rows of a SHOW are wanted, and in which order. */
#include "admin/filter.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdlib.h>

/* ---- LIKE ------------------------------------------------------------------------------ */

static uint8_t fold(uint8_t c, bool any_case)
{
    return any_case && c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static void step(struct span *s, size_t n)
{
    s->p += n;
    s->n -= n;
}

/* One character of `text` against the front of `pattern`, which is not %. */
static bool like_one(struct span *text, struct span *pattern, bool any_case)
{
    if (!text->n || !pattern->n)
        return false;
    if (pattern->p[0] == '_') {
        size_t n = utf8_step(*text);
        step(text, n ? n : 1);
        step(pattern, 1);
        return true;
    }
    struct span p = *pattern;
    if (p.p[0] == '\\' && p.n > 1)
        step(&p, 1);
    if (fold(text->p[0], any_case) != fold(p.p[0], any_case))
        return false;
    step(text, 1);
    step(&p, 1);
    *pattern = p;
    return true;
}

/* After a mismatch only the last % can take more: what earlier ones took needs no second look. */
bool filter_like(struct span text, struct span pattern, bool any_case)
{
    struct span behind = {0}, from = {0}; /* the last %: the pattern behind it, and where it ends */
    bool has_percent = false;
    while (text.n || pattern.n) {
        if (pattern.n && pattern.p[0] == '%') {
            step(&pattern, 1);
            behind = pattern;
            from = text;
            has_percent = true;
            continue;
        }
        if (like_one(&text, &pattern, any_case))
            continue;
        if (!has_percent || !from.n)
            return false;
        step(&from, 1);
        text = from;
        pattern = behind;
    }
    return true;
}

/* ---- WHERE ----------------------------------------------------------------------------- */

/* SQL's three values, so that AND is the smaller, OR the larger of two. */
enum truth { IS_FALSE, IS_UNKNOWN, IS_TRUE };

static enum truth truth_of(bool holds)
{
    return holds ? IS_TRUE : IS_FALSE;
}

static enum truth compared(enum filter_op op, int order)
{
    switch (op) {
    case FILTER_EQUAL:
        return truth_of(order == 0);
    case FILTER_DIFFERS:
        return truth_of(order != 0);
    case FILTER_LESS:
        return truth_of(order < 0);
    case FILTER_LESS_OR_EQUAL:
        return truth_of(order <= 0);
    case FILTER_GREATER:
        return truth_of(order > 0);
    case FILTER_GREATER_OR_EQUAL:
        return truth_of(order >= 0);
    case FILTER_LIKE:
    case FILTER_ILIKE:
    case FILTER_IS_NULL:
    case FILTER_NOT:
    case FILTER_AND:
    case FILTER_OR:
        break;
    }
    return IS_UNKNOWN;
}

static enum truth test_row(const struct filter *f, const struct filter_node *node,
                           const struct rows *r, size_t row)
{
    struct span cell = rows_cell(r, row, node->column);
    struct span other = span_of(f->text + node->at, node->len);
    if (node->op == FILTER_IS_NULL)
        return truth_of(!cell.p);
    if (!cell.p)
        return IS_UNKNOWN;
    if (node->op == FILTER_LIKE || node->op == FILTER_ILIKE)
        return truth_of(filter_like(cell, other, node->op == FILTER_ILIKE));
    if (node->operand == FILTER_OPERAND_NUMBER) {
        int64_t number = rows_number(cell);
        return compared(node->op, (number > node->number) - (number < node->number));
    }
    if (node->operand == FILTER_OPERAND_COLUMN)
        other = rows_cell(r, row, node->other);
    if (!other.p)
        return IS_UNKNOWN;
    return compared(node->op, rows_compare(cell, other, r->columns.at[node->column].field));
}

/* The parser leaves one value on the stack. */
static bool is_wanted(const struct filter *f, const struct rows *r, size_t row)
{
    enum truth stack[FILTER_NODES_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < f->n_nodes; i++) {
        const struct filter_node *node = &f->nodes[i];
        if (node->op == FILTER_NOT) {
            stack[n - 1] = IS_TRUE - stack[n - 1];
        } else if (node->op == FILTER_AND) {
            n--;
            stack[n - 1] = stack[n] < stack[n - 1] ? stack[n] : stack[n - 1];
        } else if (node->op == FILTER_OR) {
            n--;
            stack[n - 1] = stack[n] > stack[n - 1] ? stack[n] : stack[n - 1];
        } else {
            stack[n++] = test_row(f, node, r, row);
        }
    }
    return n == 0 || stack[0] == IS_TRUE;
}

/* ---- ORDER BY -------------------------------------------------------------------------- */

struct sorted {
    const struct filter *filter;
    const struct rows *rows;
    size_t row;
};

static int compare_key(const struct sorted *a, const struct sorted *b, const struct filter_key *key)
{
    struct span x = rows_cell(a->rows, a->row, key->column);
    struct span y = rows_cell(b->rows, b->row, key->column);
    if (!x.p || !y.p) {
        int order = (x.p == NULL) - (y.p == NULL);
        return key->nulls_first ? -order : order;
    }
    int order = rows_compare(x, y, a->rows->columns.at[key->column].field);
    return key->descending ? -order : order;
}

static int compare(const void *left, const void *right)
{
    const struct sorted *a = left, *b = right;
    for (unsigned i = 0; i < a->filter->n_keys; i++) {
        int order = compare_key(a, b, &a->filter->keys[i]);
        if (order)
            return order;
    }
    return (a->row > b->row) - (a->row < b->row);
}

/* ---- all of it ------------------------------------------------------------------------- */

void filter_apply(const struct filter *f, struct rows *r)
{
    struct sorted *wanted = xcalloc(r->n + 1, sizeof *wanted);
    size_t *picked = xcalloc(r->n + 1, sizeof *picked);
    size_t n = 0, n_picked = 0;
    for (size_t row = 0; row < r->n; row++) {
        if (is_wanted(f, r, row))
            wanted[n++] = (struct sorted){.filter = f, .rows = r, .row = row};
    }
    if (f->n_keys)
        qsort(wanted, n, sizeof *wanted, compare);
    for (size_t i = f->offset < n ? (size_t)f->offset : n; i < n; i++) {
        if (f->has_limit && n_picked >= f->limit)
            break;
        picked[n_picked++] = wanted[i].row;
    }
    rows_pick(r, picked, n_picked);
    free(picked);
    free(wanted);
}
