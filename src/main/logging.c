/* SPDX-License-Identifier: PostgreSQL */
/* logging.c - the log as the configuration wants it, and its line of totals. */
#include "main/logging.h"

#include "base/log.h"
#include "conf/config.h"
#include "main/options.h"
#include "main/systemd.h"
#include "pool/registry.h"
#include "relay/places.h"
#include "relay/relay.h"
#include "stats/figures.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

/* ---- destinations ---------------------------------------------------------------------- */

static const struct facility {
    const char *name;
    int value;
} facilities[] = {
    {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"daemon", LOG_DAEMON},
    {"user", LOG_USER},     {"local0", LOG_LOCAL0},     {"local1", LOG_LOCAL1},
    {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},     {"local4", LOG_LOCAL4},
    {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},     {"local7", LOG_LOCAL7},
};

/* As in PgBouncer, a name it does not know means daemon. */
static int facility_of(const char *name)
{
    for (size_t i = 0; i < sizeof facilities / sizeof facilities[0]; i++) {
        if (strcmp(facilities[i].name, name) == 0)
            return facilities[i].value;
    }
    return LOG_DAEMON;
}

static enum log_level level_of(const struct config *cfg)
{
    int most = LOG_INFO_LEVEL + cfg->verbose;
    return most > LOG_NOISE_LEVEL ? LOG_NOISE_LEVEL : (enum log_level)most;
}

bool logging_apply(const struct config *cfg, const struct options *o, struct error *err)
{
    const struct log_options to = {
        .most = level_of(cfg),
        .json = cfg->log_format == LOG_FORMAT_JSON,
        .to_stderr = !o->quiet,
        .file = cfg->logfile,
        .to_syslog = cfg->syslog,
        .syslog_ident = cfg->syslog_ident,
        .syslog_facility = facility_of(cfg->syslog_facility),
    };
    return log_configure(&to, err);
}

/* ---- totals ---------------------------------------------------------------------------- */

struct totals_run {
    uint64_t now_us;
    struct figures_reading reading;
};

static void read_pool(struct pool *p, void *arg)
{
    struct totals_run *run = arg;
    const struct place *place = pool_owner(p);
    figures_read(place->figures, run->now_us, &run->reading);
}

#define LLU(x) ((unsigned long long)(x))

static void totals(struct stats_line *s, char *out, size_t size)
{
    struct totals_run run = {.now_us = loop_now(s->loop)};
    struct stats_sum a;
    registry_each(s->shared->registry, read_pool, &run);
    figures_average(&run.reading, &a);
    /* PgBouncer's line, which is parsed by scripts. */
    snprintf(out, size,
             "stats: %llu xacts/s, %llu queries/s, %llu client parses/s, %llu server parses/s, "
             "%llu binds/s, %llu client logins/s, in %llu B/s, out %llu B/s, xact %llu us, "
             "query %llu us, wait %llu us",
             LLU(a.xact), LLU(a.query), LLU(a.client_parse), LLU(a.server_parse), LLU(a.bind),
             LLU(a.client_login), LLU(a.received), LLU(a.sent), LLU(a.xact_time), LLU(a.query_time),
             LLU(a.wait_time));
}

static void arm(struct stats_line *s)
{
    timer_set(&s->timer, loop_now(s->loop) + s->cfg->stats_period_us);
}

static void on_period(void *arg)
{
    struct stats_line *s = arg;
    char text[400];
    totals(s, text, sizeof text);
    if (s->cfg->log_stats)
        log_info("%s", text);
    systemd_notify("STATUS=%s", text);
    arm(s);
}

void stats_line_init(struct stats_line *s, struct loop *l, struct relay_shared *shared,
                     const struct config *cfg)
{
    *s = (struct stats_line){.loop = l, .shared = shared, .cfg = cfg};
    timer_init(&s->timer, l, on_period, s);
    arm(s);
}

void stats_line_follow(struct stats_line *s, const struct config *cfg)
{
    bool other = cfg->stats_period_us != s->cfg->stats_period_us;
    s->cfg = cfg;
    if (other)
        arm(s);
}

void stats_line_fini(struct stats_line *s)
{
    timer_fini(&s->timer);
}
