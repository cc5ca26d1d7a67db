/* SPDX-License-Identifier: PostgreSQL */
/* program.h - all that runs: made by program_start, taken apart in reverse by program_stop. */
#ifndef MAIN_PROGRAM_H
#define MAIN_PROGRAM_H

#include "main/logging.h"
#include "main/shutdown.h"
#include "net/listener.h"
#include "relay/relay.h"
#include "setup/setup.h"

struct http;
struct options;
struct reload;
struct takeover;
struct workers;

struct program {
    const struct options *options;
    const struct config *started; /* as at the start: what a reload cannot change is still so */
    struct setup *setup;          /* the main thread's; counted */
    struct loop *loop;
    struct listeners *listeners; /* on the loop of the worker that accepts */
    struct http *http;           /* NULL: none is configured, or not yet */
    struct timer http_again;     /* -R: its address is still the old process's */
    struct takeover *takeover;   /* -R, until it is done; NULL: an ordinary start */
    struct workers *workers;
    struct relay_shared shared;
    struct shutdown shutdown;
    struct reload *reload;
    struct stats_line stats_line;
    bool failed;      /* it ended, but not well */
    bool left_thread; /* blocking_free: end by _exit */
};

/* Reads and builds everything that `o` names. Findings go to the log; NULL and the first error in
 * *err (may be NULL) if there is one. `before` as for setup_build. */
struct setup *program_load(const struct options *o, const struct setup *before, struct error *err);
/* What `before` amounts to with one setting changed; no source of the configuration is read again.
 * As program_load. */
struct setup *program_change(const struct setup *before, const char *name, const char *value,
                             struct error *err);

/* p->options, p->started and p->setup are set. False: the log says why; program_stop must follow
 * all the same. */
bool program_start(struct program *p);
void program_stop(struct program *p);

#endif
