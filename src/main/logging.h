/* SPDX-License-Identifier: PostgreSQL */
/* logging.h - the log as the configuration wants it, and its line of totals. */
#ifndef MAIN_LOGGING_H
#define MAIN_LOGGING_H

#include "base/error.h"
#include "net/loop.h"

#include <stdbool.h>

struct config;
struct options;
struct relay_shared;

/* Opens the destinations, a file anew. False: as before, *err says why. */
bool logging_apply(const struct config *cfg, const struct options *o, struct error *err);

/* The totals of the last period, in the log (log_stats) and for the service manager. Main loop. */
struct stats_line {
    struct loop *loop;
    struct relay_shared *shared;
    const struct config *cfg; /* borrowed, replaced by a reload */
    struct timer timer;
};

void stats_line_init(struct stats_line *s, struct loop *l, struct relay_shared *shared,
                     const struct config *cfg);
/* Another configuration takes the place of the one it looks at. */
void stats_line_follow(struct stats_line *s, const struct config *cfg);
void stats_line_fini(struct stats_line *s);

#endif
