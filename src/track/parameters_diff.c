/* SPDX-License-Identifier: PostgreSQL */
/* parameters_diff.c - the commands that make one set into another. */
#include "track/parameters_impl.h"

struct diff {
    const struct param_set *want, *have, *base;
    params_diff_fn each;
    void *arg;
};

static bool differ(const struct span *a, const struct span *b)
{
    return a && b ? !span_equal(*a, *b) : a != b;
}

/* A pair, or NULL, as an optional value. */
static const struct span *value_in(const struct param_set *set, const struct param *p,
                                   struct span *room)
{
    if (!p)
        return NULL;
    *room = param_value_of(set, p);
    return room;
}

static const struct span *lookup(const struct param_set *set, struct span name, struct span *room)
{
    return value_in(set, param_set_find(set, name), room);
}

/* What a session of `want` has for a name: its own value or that of the login. */
static const struct span *wanted(const struct diff *d, struct span name, struct span *room)
{
    const struct span *v = lookup(d->want, name, room);
    return v ? v : lookup(d->base, name, room);
}

/* ---- identities ------------------------------------------------------------------------ */

/* In the order in which they are taken on; they are left in the opposite one. */
static const char *const identities[] = {"session_authorization", "role"};

static bool identity_changes(const struct diff *d)
{
    struct span a, b;
    for (unsigned i = 0; i < 2; i++) {
        struct span name = span_str(identities[i]);
        if (differ(wanted(d, name, &a), lookup(d->have, name, &b)))
            return true;
    }
    return false;
}

static void leave_identities(const struct diff *d)
{
    struct span a, b;
    for (unsigned i = 2; i-- > 0;) {
        struct span name = span_str(identities[i]);
        const struct span *has = lookup(d->have, name, &a);
        if (has && differ(has, lookup(d->base, name, &b)))
            d->each(d->arg, name, NULL);
    }
}

static void take_identities(const struct diff *d)
{
    struct span a, b;
    for (unsigned i = 0; i < 2; i++) {
        struct span name = span_str(identities[i]);
        const struct span *want = lookup(d->want, name, &a);
        if (want && differ(want, lookup(d->base, name, &b)))
            d->each(d->arg, name, want);
    }
}

/* ---- everything else ------------------------------------------------------------------- */

/* One name of the two sets; each of the pairs may be missing, not both. */
static void step(const struct diff *d, const struct param *w, const struct param *h)
{
    struct span a, b;
    const struct param *either = w ? w : h;
    struct span name = param_name_of(w ? d->want : d->have, either);
    if (either->traits & (PARAM_IDENTITY | PARAM_READ_ONLY))
        return;
    const struct span *want = w ? value_in(d->want, w, &a) : lookup(d->base, name, &a);
    if (differ(want, value_in(d->have, h, &b)))
        d->each(d->arg, name, want);
}

static void walk(const struct diff *d)
{
    unsigned w = 0, h = 0;
    while (w < d->want->count || h < d->have->count) {
        const struct param *pw = w < d->want->count ? &d->want->params[w] : NULL;
        const struct param *ph = h < d->have->count ? &d->have->params[h] : NULL;
        int order = !pw ? 1 : !ph ? -1 : 0;
        if (pw && ph)
            order = param_name_compare(param_name_of(d->want, pw), param_name_of(d->have, ph));
        step(d, order <= 0 ? pw : NULL, order >= 0 ? ph : NULL);
        w += order <= 0;
        h += order >= 0;
    }
}

void params_diff(const struct param_set *want, const struct param_set *have,
                 const struct param_set *base, params_diff_fn each, void *arg)
{
    struct diff d = {.want = want, .have = have, .base = base, .each = each, .arg = arg};
    if (want == have)
        return;
    bool identity = identity_changes(&d);
    if (identity)
        leave_identities(&d);
    walk(&d);
    if (identity)
        take_identities(&d);
}
