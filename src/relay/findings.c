/* SPDX-License-Identifier: PostgreSQL */
/* findings.c - what the servers of a pool have said of themselves, and refused. */
#include "relay/terms_impl.h"

#include "base/mem.h"

#include <stdlib.h>
#include <uthash.h>

/* A statement that some server has parsed. */
struct parsed {
    uint64_t id;
    UT_hash_handle hh;
};

/* Per place: 4096 entries are 300 KiB. */
#define PARSED_MAX 4096

/* ---- life ------------------------------------------------------------------------------ */

struct findings *findings_new(void)
{
    struct findings *f = xcalloc(1, sizeof *f);
    atomic_init(&f->refs, 1);
    f->accepted = param_accepted_new();
    mutex_init(&f->shared.m);
    return f;
}

struct findings *findings_ref(struct findings *f)
{
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}

static void forget_parsed(struct findings *f)
{
    struct parsed *e, *next;
    HASH_ITER(hh, f->shared.parsed, e, next)
    {
        HASH_DEL(f->shared.parsed, e);
        free(e);
    }
}

void findings_unref(struct findings **fp)
{
    struct findings *f = *fp;
    *fp = NULL;
    if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
        return;
    forget_parsed(f);
    param_set_unref(&f->shared.base);
    buf_reset(&f->shared.reports);
    param_accepted_free(&f->accepted);
    mutex_fini(&f->shared.m);
    free(f);
}

/* ---- what servers reported ------------------------------------------------------------- */

bool findings_welcome(struct findings *f, struct buf *reports_out, struct param_set **base_out)
{
    mutex_lock(&f->shared.m);
    bool known = f->shared.known;
    if (known) {
        struct span reports = buf_span(&f->shared.reports);
        buf_append(reports_out, reports.p, reports.n);
        *base_out = param_set_ref(f->shared.base);
    }
    mutex_unlock(&f->shared.m);
    return known;
}

bool findings_are_known(struct findings *f)
{
    mutex_lock(&f->shared.m);
    bool known = f->shared.known;
    mutex_unlock(&f->shared.m);
    return known;
}

void findings_learn(struct findings *f, const struct server *s)
{
    struct span reports = server_welcome(s);
    mutex_lock(&f->shared.m);
    buf_clear(&f->shared.reports);
    buf_append(&f->shared.reports, reports.p, reports.n);
    struct param_set *old = f->shared.base;
    f->shared.base = param_set_ref(server_base_params(s));
    f->shared.known = true;
    f->shared.refusals = 0;
    f->shared.not_before_us = 0;
    mutex_unlock(&f->shared.m);
    param_set_unref(&old);
}

void findings_note_parsed(struct findings *f, uint64_t statement)
{
    struct parsed *e, *made = xmalloc(sizeof *made);
    made->id = statement;
    mutex_lock(&f->shared.m);
    if (HASH_COUNT(f->shared.parsed) >= PARSED_MAX)
        forget_parsed(f);
    HASH_FIND(hh, f->shared.parsed, &statement, sizeof statement, e);
    if (!e)
        HASH_ADD(hh, f->shared.parsed, id, sizeof statement, made);
    mutex_unlock(&f->shared.m);
    if (e)
        free(made);
}

bool findings_have_parsed(struct findings *f, uint64_t statement)
{
    struct parsed *e;
    mutex_lock(&f->shared.m);
    HASH_FIND(hh, f->shared.parsed, &statement, sizeof statement, e);
    mutex_unlock(&f->shared.m);
    return e != NULL;
}

/* ---- refusals -------------------------------------------------------------------------- */

void findings_refused(struct findings *f, uint64_t now_us, const struct error *tell,
                      uint64_t jitter, uint64_t longest_us)
{
    mutex_lock(&f->shared.m);
    f->shared.refusals++;
    f->shared.refusal = *tell;
    uint64_t pause = target_pause_us(FAILURE_PERMANENT, f->shared.refusals, jitter);
    f->shared.not_before_us = now_us + (longest_us && pause > longest_us ? longest_us : pause);
    mutex_unlock(&f->shared.m);
}

void findings_forgive(struct findings *f)
{
    mutex_lock(&f->shared.m);
    f->shared.refusals = 0;
    f->shared.not_before_us = 0;
    mutex_unlock(&f->shared.m);
}

bool findings_may_dial(struct findings *f, uint64_t now_us, struct error *err)
{
    mutex_lock(&f->shared.m);
    bool may = f->shared.not_before_us <= now_us;
    if (!may)
        target_refusal(err, &f->shared.refusal, f->shared.not_before_us - now_us);
    mutex_unlock(&f->shared.m);
    return may;
}
