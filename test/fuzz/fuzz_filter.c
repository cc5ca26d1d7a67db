/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_filter: any text as the clauses of a SHOW. What is parsed can be applied; of the rows none
 * is shown both by a condition and by its opposite; what is sorted is in order; LIMIT holds. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "admin/filter.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct item {
    const char *name, *note;
    int64_t size, id;
};

static const struct column item_columns[] = {
    {"name", BACKEND_OID_TEXT, COLUMN_TEXT, offsetof(struct item, name)},
    {"note", BACKEND_OID_TEXT, COLUMN_TEXT, offsetof(struct item, note)},
    {"size", BACKEND_OID_INT4, COLUMN_NUMBER, offsetof(struct item, size)},
    {"id", BACKEND_OID_INT8, COLUMN_NUMBER, offsetof(struct item, id)},
};
static const struct columns items = {item_columns, 4};

static const struct item table[] = {
    {"app", "", 0, 0},       {"second", NULL, -1, 1},      {"app", "a%_\\", 10, 2},
    {NULL, "it's", 100, 3},  {"\xc3\xa4", "x", 7, 4},      {"App", "app", COLUMN_NULL, 5},
    {"a", "aaaaaaab", 1, 6}, {"", "second", INT32_MAX, 7},
};
#define N_ITEMS (sizeof table / sizeof table[0])

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void apply(const struct filter *f, struct rows *r)
{
    rows_init(r, items);
    for (size_t i = 0; i < N_ITEMS; i++)
        rows_add(r, &table[i]);
    filter_apply(f, r);
    check(r->n <= N_ITEMS);
}

static unsigned ids(const struct rows *r)
{
    unsigned set = 0;
    for (size_t i = 0; i < r->n; i++) {
        unsigned bit = 1U << rows_number(rows_cell(r, i, 3));
        check(!(set & bit));
        set |= bit;
    }
    return set;
}

static unsigned shown(struct filter f)
{
    struct rows r;
    f.n_keys = 0;
    f.has_limit = false;
    f.offset = 0;
    apply(&f, &r);
    unsigned set = ids(&r);
    rows_fini(&r);
    return set;
}

static void check_opposite(const struct filter *f)
{
    struct filter opposite = *f;
    if (!f->n_nodes || f->n_nodes == FILTER_NODES_MAX)
        return;
    opposite.nodes[opposite.n_nodes++] = (struct filter_node){.op = FILTER_NOT};
    check((shown(*f) & shown(opposite)) == 0);
}

static void check_order(const struct filter *f, const struct rows *r)
{
    if (f->n_keys == 0)
        return;
    const struct filter_key *key = &f->keys[0];
    for (size_t i = 1; i < r->n; i++) {
        struct span a = rows_cell(r, i - 1, key->column), b = rows_cell(r, i, key->column);
        if (!a.p || !b.p) {
            check(key->nulls_first ? !a.p || b.p : a.p || !b.p);
            continue;
        }
        int order = rows_compare(a, b, items.at[key->column].field);
        check(key->descending ? order >= 0 : order <= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct filter *f = xcalloc(1, sizeof *f);
    struct error err;
    struct rows r;
    if (filter_parse(span_of(data, size), items, f, &err)) {
        apply(f, &r);
        check((ids(&r) & ~shown(*f)) == 0);
        check(!f->has_limit || r.n <= f->limit);
        check_order(f, &r);
        check_opposite(f);
        rows_fini(&r);
    } else {
        check(err.text[0] != '\0' && strlen(err.text) < sizeof err.text);
    }
    free(f);
    return 0;
}
