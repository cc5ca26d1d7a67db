/* SPDX-License-Identifier: PostgreSQL */
/* parameters.c - sets of settings: shared, built, compared. */
#include "track/parameters_impl.h"

#include "base/mem.h"
#include "base/str.h"
#include "proto/backend.h"

#include <stdlib.h>

/* ---- the table of sets ----------------------------------------------------------------- */

static bool same_content(const struct intern *member, const void *probe)
{
    const struct param_set *a = (const struct param_set *)member, *b = probe;
    return a->n_bytes == b->n_bytes && memcmp(a->bytes, b->bytes, a->n_bytes) == 0;
}

#define EMPTY_ID 1

static struct intern_table sets = INTERN_TABLE(same_content, EMPTY_ID + 1);

/* Of no table, so that it costs no lock, and not counted. */
static struct param_set empty = {
    .intern = {.id = EMPTY_ID, .refs = 1},
    .parsing = &empty,
    .bytes = (const uint8_t *)"",
};

struct param_set *param_set_empty(void)
{
    return param_set_ref(&empty);
}

struct param_set *param_set_ref(struct param_set *set)
{
    if (set != &empty)
        intern_ref(&set->intern);
    return set;
}

void param_set_unref(struct param_set **setp)
{
    struct param_set *set = *setp;
    *setp = NULL;
    if (!set || set == &empty || !intern_unref(&sets, &set->intern))
        return;
    if (set->parsing != set)
        param_set_unref(&set->parsing);
    free(set);
}

/* ---- reading --------------------------------------------------------------------------- */

unsigned param_set_count(const struct param_set *set)
{
    return set->count;
}

void param_set_at(const struct param_set *set, unsigned i, struct span *name_out,
                  struct span *value_out)
{
    *name_out = param_name_of(set, &set->params[i]);
    *value_out = param_value_of(set, &set->params[i]);
}

const struct param *param_set_find(const struct param_set *set, struct span name)
{
    unsigned from = 0, to = set->count;
    while (from < to) {
        unsigned middle = (from + to) / 2;
        int order = param_name_compare(name, param_name_of(set, &set->params[middle]));
        if (order == 0)
            return &set->params[middle];
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

bool params_get(const struct param_set *set, struct span name, struct span *value_out)
{
    const struct param *p = param_set_find(set, name);
    if (p)
        *value_out = param_value_of(set, p);
    return p != NULL;
}

uint64_t params_fingerprint(const struct param_set *set)
{
    return set->parsing->intern.id;
}

struct param_set *params_parse_state(struct param_set *set)
{
    return param_set_ref(set->parsing);
}

/* ---- building -------------------------------------------------------------------------- */

struct param_item {
    char *name, *value; /* owned */
    size_t name_n, value_n;
    unsigned traits;
};

/* Items are sorted as in a set. */
struct param_builder {
    unsigned count, cap;
    unsigned from_startup; /* parameters that a client gave */
    struct param_item *items;
};

static struct span item_name(const struct param_item *i)
{
    return span_of(i->name, i->name_n);
}

struct param_builder *param_builder_new(const struct param_set *from)
{
    struct param_builder *b = xcalloc(1, sizeof *b);
    if (!from || !from->count)
        return b;
    b->count = b->cap = from->count;
    b->items = xmalloc(b->cap * sizeof *b->items);
    for (unsigned i = 0; i < from->count; i++) {
        struct span name, value;
        param_set_at(from, i, &name, &value);
        b->items[i] = (struct param_item){.name = xstrndup(name.p, name.n),
                                          .value = xstrndup(value.p, value.n),
                                          .name_n = name.n,
                                          .value_n = value.n,
                                          .traits = from->params[i].traits};
    }
    return b;
}

void param_builder_free(struct param_builder **bp)
{
    struct param_builder *b = *bp;
    *bp = NULL;
    if (!b)
        return;
    for (unsigned i = 0; i < b->count; i++) {
        free(b->items[i].name);
        free(b->items[i].value);
    }
    free(b->items);
    free(b);
}

/* Where the name is, or where it belongs. */
static unsigned builder_position(const struct param_builder *b, struct span name, bool *found_out)
{
    unsigned i = 0;
    int order = -1;
    while (i < b->count && (order = param_name_compare(name, item_name(&b->items[i]))) > 0)
        i++;
    *found_out = i < b->count && order == 0;
    return i;
}

static struct param_item *builder_insert(struct param_builder *b, unsigned at, struct span name,
                                         const struct param_name *row)
{
    char spelled[PARAM_NAME_MAX + 1];
    name = param_name_spell(name, row, spelled);
    if (b->count == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 16;
        b->items = xrealloc(b->items, b->cap * sizeof *b->items);
    }
    struct param_item *item = &b->items[at];
    memmove(item + 1, item, (b->count - at) * sizeof *item);
    b->count++;
    *item = (struct param_item){
        .name = xstrndup(name.p, name.n), .name_n = name.n, .traits = row ? row->traits : 0};
    return item;
}

/* `row` is that of the name. */
static bool builder_put(struct param_builder *b, struct span name, const struct param_name *row,
                        struct span value)
{
    bool found;
    if (!param_name_is_valid(name) || (value.n && memchr(value.p, 0, value.n)))
        return false;
    unsigned at = builder_position(b, name, &found);
    if (!found && b->count == PARAM_SET_MAX)
        return false;
    struct param_item *item = found ? &b->items[at] : builder_insert(b, at, name, row);
    free(item->value);
    item->value = xstrndup(value.p, value.n);
    item->value_n = value.n;
    return true;
}

bool param_builder_put(struct param_builder *b, struct span name, struct span value)
{
    return builder_put(b, name, param_name_find(name), value);
}

void param_builder_remove(struct param_builder *b, struct span name)
{
    bool found;
    unsigned at = builder_position(b, name, &found);
    if (!found)
        return;
    struct param_item *item = &b->items[at];
    free(item->name);
    free(item->value);
    b->count--;
    memmove(item, item + 1, (b->count - at) * sizeof *item);
}

/* ---- from builder to set --------------------------------------------------------------- */

/* One allocation: the struct, the pairs, the bytes. Not published yet; parsing is not set. */
static struct param_set *make_set(const struct param_builder *b)
{
    size_t n_bytes = 0;
    for (unsigned i = 0; i < b->count; i++)
        n_bytes += b->items[i].name_n + b->items[i].value_n + 2;
    size_t head = sizeof(struct param_set) + b->count * sizeof(struct param);
    struct param_set *set = xcalloc(1, head + n_bytes);
    uint8_t *bytes = (uint8_t *)set + head;
    set->count = b->count;
    set->n_bytes = n_bytes;
    set->bytes = bytes;
    uint32_t at = 0;
    for (unsigned i = 0; i < b->count; i++) {
        const struct param_item *item = &b->items[i];
        struct param *p = &set->params[i];
        p->traits = item->traits;
        p->name_at = at;
        p->name_n = (uint32_t)item->name_n;
        memcpy(bytes + at, item->name, item->name_n + 1);
        at += p->name_n + 1;
        p->value_at = at;
        p->value_n = (uint32_t)item->value_n;
        memcpy(bytes + at, item->value, item->value_n + 1);
        at += p->value_n + 1;
    }
    return set;
}

/* Puts the members of `from` that parsing depends on. They fit: they are few, and have been in a
 * set. */
static void put_parse_state(struct param_builder *b, const struct param_set *from)
{
    for (unsigned i = 0; i < from->count; i++) {
        const struct param *p = &from->params[i];
        if ((p->traits & PARAM_PARSING) &&
            !param_builder_put(b, param_name_of(from, p), param_value_of(from, p)))
            abort();
    }
}

static struct param_set *make_parse_state(const struct param_set *set)
{
    struct param_builder *b = param_builder_new(NULL);
    put_parse_state(b, set);
    return param_builder_finish(&b);
}

static bool is_all_parse_state(const struct param_set *set)
{
    for (unsigned i = 0; i < set->count; i++) {
        if (!(set->params[i].traits & PARAM_PARSING))
            return false;
    }
    return true;
}

struct param_set *param_builder_finish(struct param_builder **bp)
{
    struct param_builder *b = *bp;
    if (!b->count) {
        param_builder_free(bp);
        return param_set_empty();
    }
    struct param_set *fresh = make_set(b);
    param_builder_free(bp);
    uint64_t hash = hash_bytes(fresh->bytes, fresh->n_bytes, intern_seed());
    struct param_set *set = (struct param_set *)intern_find(&sets, hash, fresh);
    if (set) {
        free(fresh);
        return set;
    }
    fresh->parsing = is_all_parse_state(fresh) ? fresh : make_parse_state(fresh);
    set = (struct param_set *)intern_add(&sets, &fresh->intern, hash, fresh);
    if (set != fresh) {
        if (fresh->parsing != fresh)
            param_set_unref(&fresh->parsing);
        free(fresh);
    }
    return set;
}

/* ---- sets from sets -------------------------------------------------------------------- */

struct param_set *params_with_parse_state(struct param_set *set, struct param_set *state)
{
    if (set->parsing == state->parsing)
        return param_set_ref(set);
    struct param_builder *b = param_builder_new(set);
    for (unsigned i = 0; i < set->count; i++) {
        if (set->params[i].traits & PARAM_PARSING)
            param_builder_remove(b, param_name_of(set, &set->params[i]));
    }
    if (b->count + state->parsing->count > PARAM_SET_MAX) {
        /* A full set of placeholders: what parsing depends on matters more. */
        param_builder_free(&b);
        return param_set_ref(state->parsing);
    }
    put_parse_state(b, state);
    return param_builder_finish(&b);
}

struct param_set *params_with_report(struct param_set *set, struct span name, struct span value)
{
    const struct param *p = param_set_find(set, name);
    const struct param_name *row = param_name_find(name);
    if (p ? span_equal(param_value_of(set, p), value) : row && row->traits & PARAM_READ_ONLY)
        return NULL;
    if (!p && set->count >= PARAM_REPORT_MAX)
        return NULL;
    struct param_builder *b = param_builder_new(set);
    if (!builder_put(b, name, row, value)) {
        param_builder_free(&b);
        return NULL;
    }
    return param_builder_finish(&b);
}

/* The value of the i-th member of `over`, as a server that has `base` would report it. */
static struct span value_over(const struct param_set *over, unsigned i,
                              const struct param_set *base, char out[PARAM_CANONICAL_MAX])
{
    struct span name, value, before;
    param_set_at(over, i, &name, &value);
    bool has_before = params_get(base, name, &before);
    return param_value_canonical(name, value, has_before ? &before : NULL, out);
}

struct param_set *params_lay_over(struct param_set *base, struct param_set *over)
{
    if (!over->count)
        return param_set_ref(base);
    struct param_builder *b = param_builder_new(base);
    for (unsigned i = 0; i < over->count; i++) {
        char canonical[PARAM_CANONICAL_MAX];
        struct span value = value_over(over, i, base, canonical);
        /* It fits: PARAM_REPORT_MAX and PARAM_STARTUP_MAX add up to PARAM_SET_MAX. A setting lost
         * in silence would be worse than the end. */
        if (!param_builder_put(b, param_name_of(over, &over->params[i]), value))
            abort();
    }
    return param_builder_finish(&b);
}

void params_build_reports(struct param_set *over, struct param_set *base, struct buf *out)
{
    for (unsigned i = 0; i < over->count; i++) {
        char canonical[PARAM_CANONICAL_MAX];
        struct span name = param_name_of(over, &over->params[i]);
        struct span value = value_over(over, i, base, canonical), known;
        if (!(over->params[i].traits & PARAM_REPORTED) ||
            (params_get(base, name, &known) && span_equal(known, value)))
            continue;
        backend_build_parameter_status(out, name, value);
    }
}

/* ---- what a client brings along -------------------------------------------------------- */

/* A name from the wire, fit for an error text. */
static const char *printable(struct span name, char out[PARAM_NAME_MAX + 1])
{
    size_t n = name.n < PARAM_NAME_MAX ? name.n : PARAM_NAME_MAX;
    for (size_t i = 0; i < n; i++)
        out[i] = name.p[i] < 0x20 || name.p[i] > 0x7e ? '?' : (char)name.p[i];
    out[n] = '\0';
    return out;
}

/* The SQLSTATEs that PostgreSQL gives (errcodes.txt): guc.c, set_config_option. */
enum param_taken params_take_startup(struct param_builder *b, struct span name, struct span value,
                                     struct error *err)
{
    char shown[PARAM_NAME_MAX + 1];
    const struct param_name *row = param_name_find(name);
    unsigned traits = row ? row->traits : 0;
    if (traits & PARAM_DROP)
        return PARAM_DROPPED;
    if (!param_name_is_valid(name))
        error_set(err, "42704", "unrecognized configuration parameter \"%s\"",
                  printable(name, shown));
    else if (traits & PARAM_READ_ONLY)
        error_set(err, "55P02", "parameter \"%s\" cannot be changed", row->name);
    else if (value.n > PARAM_VALUE_MAX)
        error_set(err, SQLSTATE_PROGRAM_LIMIT, "value of parameter \"%s\" is longer than %d bytes",
                  printable(name, shown), PARAM_VALUE_MAX);
    else if (b->from_startup == PARAM_STARTUP_MAX)
        error_set(err, SQLSTATE_PROGRAM_LIMIT, "more than %d startup parameters",
                  PARAM_STARTUP_MAX);
    else if ((traits & PARAM_LIST) && !param_list_split(value, NULL, NULL))
        error_set(err, "22023", "invalid value for parameter \"%s\": list syntax is invalid",
                  row->name);
    else if (!builder_put(b, name, row, value))
        error_set(err, SQLSTATE_PROTOCOL_VIOLATION, "invalid value for parameter \"%s\"",
                  printable(name, shown));
    else {
        b->from_startup++;
        return PARAM_KEPT;
    }
    return PARAM_REFUSED;
}
