/* SPDX-License-Identifier: PostgreSQL */
/* parameters_welcome.c - what a login makes of two sets, remembered.
 *
 * Applications open their connections with the same few start-up parameters, and the servers of a
 * pool report the same settings: the answer to both was given a moment ago. */
#include "track/parameters_impl.h"

/* Pairs that are kept: some applications times some pools. What an entry holds is bounded by a
 * start-up packet and by what servers report. */
#define KEPT 64

/* All counted; base is NULL in an entry that was never used. */
struct kept {
    struct param_set *base, *over;
    struct param_set *laid;
    struct buf reports;
};

static struct {
    struct mutex m;
    struct kept each[KEPT];
} kept = {.m = MUTEX_INITIALIZER};

static struct kept *entry_of(const struct param_set *base, const struct param_set *over)
{
    return &kept.each[(base->intern.id * 31 + over->intern.id) % KEPT];
}

static struct param_set *find(struct param_set *base, struct param_set *over, struct buf *out)
{
    struct kept *e = entry_of(base, over);
    struct param_set *laid = NULL;
    mutex_lock(&kept.m);
    if (e->base == base && e->over == over) {
        laid = param_set_ref(e->laid);
        buf_append(out, buf_span(&e->reports).p, buf_len(&e->reports));
    }
    mutex_unlock(&kept.m);
    return laid;
}

static void keep(struct kept fresh)
{
    struct kept *e = entry_of(fresh.base, fresh.over);
    mutex_lock(&kept.m);
    struct kept old = *e;
    *e = fresh;
    mutex_unlock(&kept.m);
    param_set_unref(&old.base);
    param_set_unref(&old.over);
    param_set_unref(&old.laid);
    buf_reset(&old.reports);
}

struct param_set *params_welcome(struct param_set *base, struct param_set *over, struct buf *out)
{
    struct param_set *laid = over->count ? find(base, over, out) : param_set_ref(base);
    if (laid)
        return laid;
    struct kept fresh = {.base = param_set_ref(base), .over = param_set_ref(over)};
    laid = params_lay_over(base, over);
    fresh.laid = param_set_ref(laid);
    params_build_reports(over, base, &fresh.reports);
    buf_append(out, buf_span(&fresh.reports).p, buf_len(&fresh.reports));
    keep(fresh);
    return laid;
}
