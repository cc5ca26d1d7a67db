/* SPDX-License-Identifier: PostgreSQL */
/* reload.c - another configuration takes the place of the one in force, or nothing changes. */
#include "main/reload.h"

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/listen.h"
#include "main/options.h"
#include "main/program.h"
#include "main/systemd.h"
#include "net/resolver.h"
#include "relay/refit.h"
#include "worker/visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As many as may ask while one runs; the console's users are few. */
#define REQUESTS_MAX 32

struct requests {
    struct process_reload *each[REQUESTS_MAX];
    size_t n;
};

struct reload {
    struct program *program;
    struct mailbox mailbox; /* where rounds through the workers end */
    struct setup *setup;    /* the new one; NULL: none runs */
    bool signalled;         /* a signal has asked for the one that runs */
    bool again;             /* one has asked meanwhile */
    struct requests now, later;
    struct error remark; /* on the one that runs; no text: none */
};

/* ---- answers --------------------------------------------------------------------------- */

static void take_request(struct requests *q, struct process_reload *request)
{
    struct error err;
    if (!request)
        return;
    if (q->n < REQUESTS_MAX) {
        q->each[q->n++] = request;
        return;
    }
    error_set(&err, SQLSTATE_TOO_MANY_CONNECTIONS, "too many reloads are waiting");
    process_answer(request, false, &err);
}

static void answer(struct requests *q, bool ok, const struct error *err)
{
    for (size_t i = 0; i < q->n; i++)
        process_answer(q->each[i], ok, err);
    q->n = 0;
}

static void drop(struct requests *q)
{
    for (size_t i = 0; i < q->n; i++)
        process_drop(q->each[i]);
    q->n = 0;
}

/* What is done next: one SET, or all the reloads that were asked for in a row. False: nothing. */
static bool take_batch(struct reload *r)
{
    const char *name, *value;
    size_t n = 0;
    while (n < r->later.n && !process_setting(r->later.each[n], &name, &value))
        n++;
    if (!r->again && n == 0 && r->later.n)
        n = 1;
    bool some = r->again || n > 0;
    r->signalled = r->again;
    r->again = false;
    memcpy(r->now.each, r->later.each, n * sizeof r->now.each[0]);
    r->now.n = n;
    r->later.n -= n;
    memmove(r->later.each, r->later.each + n, r->later.n * sizeof r->later.each[0]);
    return some;
}

/* ---- the next setup -------------------------------------------------------------------- */

/* All of it anew, from the file that conffile names by now. */
static struct setup *load_again(const struct program *p, struct error *err)
{
    struct options options = *p->options;
    options.request.started = p->started;
    if (options.request.ini_path)
        options.request.ini_path = setup_config(p->setup)->conffile;
    return program_load(&options, p->setup, err);
}

/* What runs is a SET. */
static bool is_set(const struct reload *r, const char **name_out, const char **value_out)
{
    return r->now.n && process_setting(r->now.each[0], name_out, value_out);
}

static struct setup *load(const struct reload *r, struct error *err)
{
    const struct program *p = r->program;
    const char *name, *value;
    if (is_set(r, &name, &value))
        return program_change(p->setup, name, value, err);
    return load_again(p, err);
}

/* ---- who is told ----------------------------------------------------------------------- */

/* The service manager follows reloads by signal, as it does them itself (systemctl reload). What
 * the console asks for is between it and its user, as in PgBouncer. */
static void tell_begin(const struct reload *r)
{
    if (r->signalled)
        systemd_notify_reloading();
}

/* err is NULL if all went well. The log has the SET of the console already. */
static void tell_end(const struct reload *r, const struct error *err)
{
    const char *name, *value;
    bool set = is_set(r, &name, &value);
    if (err)
        log_error("%s failed, nothing has changed: %s", set ? "SET" : "reload", err->text);
    else if (!set)
        log_info("configuration reloaded");
    if (r->signalled)
        systemd_notify("READY=1");
}

/* ---- settings that wait for a restart -------------------------------------------------- */

/* Named in the log, and to whom has asked for the reload. */
static void name_restart_only(const struct config *cfg, struct error *remark)
{
    remark->text[0] = '\0';
    if (!cfg->waiting)
        return;
    log_warning("changed, but only a restart makes it count: %s", cfg->waiting);
    error_set(remark, "00000", "changed, but only a restart makes it count: %s", cfg->waiting);
}

/* ---- rounds ---------------------------------------------------------------------------- */

struct round {
    struct message message;
    struct reload *reload;
    struct setup *setup; /* counted */
    void (*next)(struct reload *r);
};

static void deliver_round(struct message *m, void *receiver)
{
    struct round *round = container_of(m, struct round, message);
    struct reload *r = receiver;
    void (*next)(struct reload *) = round->next;
    setup_unref(&round->setup);
    free(round);
    if (r && next)
        next(r);
}

/* In the thread of a worker, or of the main thread when the program ends. */
static void round_is_over(struct client *c, void *arg)
{
    struct round *round = arg;
    (void)c;
    round->message.deliver = deliver_round;
    mailbox_post(&round->reload->mailbox, &round->message);
}

static void go_round(struct reload *r, void (*each)(struct relay *w, void *arg),
                     void (*next)(struct reload *r))
{
    struct round *round = xcalloc(1, sizeof *round);
    round->reload = r;
    round->setup = setup_ref(r->setup);
    round->next = next;
    visit_workers(r->program->shared.relays[0], 0, each, round_is_over, round);
}

/* ---- the steps ------------------------------------------------------------------------- */

static void each_serve(struct relay *w, void *arg)
{
    (void)arg;
    refit_serve(w);
}

static bool start(struct reload *r);

static void finish(struct reload *r)
{
    setup_unref(&r->setup);
    tell_end(r, NULL);
    answer(&r->now, true, &r->remark);
    while (take_batch(r) && !start(r))
        ;
}

static void workers_have_swapped(struct reload *r)
{
    struct program *p = r->program;
    refit_pools(&p->shared, r->setup, loop_now(p->loop));
    go_round(r, each_serve, finish);
}

static void each_swap(struct relay *w, void *arg)
{
    const struct round *round = arg;
    struct listeners *ls = round->reload->program->listeners;
    const struct config *cfg = setup_config(round->setup);
    struct tcp_options tcp;
    refit_worker(w, round->setup);
    if (!listen_is_here(w))
        return;
    listen_tcp_options(cfg, &tcp);
    listeners_set_tcp(ls, &tcp);
    listeners_defer_accept(ls, cfg->tcp_defer_accept);
}

struct resolver_times reload_resolver_times(const struct config *cfg)
{
    return (struct resolver_times){
        .max_ttl_us = cfg->dns_max_ttl_us,
        .failed_ttl_us = cfg->dns_nxdomain_ttl_us,
        .zone_check_us = cfg->dns_zone_check_period_us,
    };
}

/* What the main thread itself looks at. */
static void take_own_part(struct reload *r)
{
    struct program *p = r->program;
    const struct config *cfg = setup_config(r->setup);
    name_restart_only(cfg, &r->remark);
    const struct resolver_times names = reload_resolver_times(cfg);
    resolver_set_times(p->shared.resolver, &names);
    stats_line_follow(&p->stats_line, cfg);
    setup_unref(&p->setup);
    p->setup = setup_ref(r->setup);
}

static void refuse(struct reload *r, const struct error *err)
{
    tell_end(r, err);
    answer(&r->now, false, err);
}

/* For r->now; false: it was refused. */
static bool start(struct reload *r)
{
    struct program *p = r->program;
    struct error err;
    tell_begin(r);
    struct setup *setup = load(r, &err);
    /* The log file is opened anew also where nothing else has changed: it may have been rotated. */
    if (setup && !logging_apply(setup_config(setup), p->options, &err))
        setup_unref(&setup);
    if (!setup) {
        refuse(r, &err);
        return false;
    }
    r->setup = setup;
    take_own_part(r);
    go_round(r, each_swap, workers_have_swapped);
    return true;
}

void reload_begin(struct reload *r, struct process_reload *request)
{
    if (r->setup) {
        r->again = r->again || !request;
        take_request(&r->later, request);
        return;
    }
    r->signalled = !request;
    take_request(&r->now, request);
    (void)start(r);
}

/* ---- life ------------------------------------------------------------------------------ */

struct reload *reload_new(struct program *p)
{
    struct reload *r = xcalloc(1, sizeof *r);
    r->program = p;
    mailbox_init(&r->mailbox, p->loop, r);
    return r;
}

void reload_free(struct reload **rp)
{
    struct reload *r = *rp;
    if (!r)
        return;
    mailbox_fini(&r->mailbox);
    drop(&r->now);
    drop(&r->later);
    setup_unref(&r->setup);
    free(r);
    *rp = NULL;
}
