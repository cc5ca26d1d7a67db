/* SPDX-License-Identifier: PostgreSQL */
/* health.c - /health/db. */
#include "http/health.h"

#include "http/text.h"
#include "worker/snapshot.h"

#include <inttypes.h>

static const struct health_row {
    const char *database;
    bool good;
} rows[] = {
    [HEALTH_CONNECTED] = {"connected", true},
    [HEALTH_ASLEEP] = {"asleep", true},
    [HEALTH_WAKING] = {"waking", true},
    [HEALTH_NEVER_CONTACTED] = {"never contacted", true},
    [HEALTH_UNREACHABLE] = {"unreachable", false},
    [HEALTH_REFUSED] = {"refused", false},
};

bool health_is_good(enum health h)
{
    return rows[h].good;
}

static bool is_down(const struct snapshot_target *t)
{
    return t->state == SNAPSHOT_TARGET_FAILING || !t->breaker_closed;
}

static const struct snapshot_target *first_down(const struct snapshot *s)
{
    for (size_t i = 0; i < s->n_targets; i++) {
        if (is_down(&s->targets[i]))
            return &s->targets[i];
    }
    return NULL;
}

/* One user's wrong password says nothing about the database, unless nobody else gets in. */
static const struct snapshot_pool *refused_to_all(const struct snapshot *s)
{
    const struct snapshot_pool *refused = NULL;
    for (size_t i = 0; i < s->n_pools; i++) {
        if (s->pools[i].accepted)
            return NULL;
        if (s->pools[i].refusal[0] && !refused)
            refused = &s->pools[i];
    }
    return refused;
}

static bool has_target_in(const struct snapshot *s, enum snapshot_target_state state)
{
    for (size_t i = 0; i < s->n_targets; i++) {
        if (s->targets[i].state == state)
            return true;
    }
    return false;
}

enum health health_of(const struct snapshot *s, const char **error_out)
{
    const struct snapshot_target *down = first_down(s);
    const struct snapshot_pool *refused = refused_to_all(s);
    *error_out = NULL;
    if (down) {
        *error_out = down->last_error;
        return HEALTH_UNREACHABLE;
    }
    if (refused) {
        *error_out = refused->refusal;
        return HEALTH_REFUSED;
    }
    if (has_target_in(s, SNAPSHOT_TARGET_WAKING))
        return HEALTH_WAKING;
    if (has_target_in(s, SNAPSHOT_TARGET_AWAKE))
        return HEALTH_CONNECTED;
    if (has_target_in(s, SNAPSHOT_TARGET_ASLEEP))
        return HEALTH_ASLEEP;
    return HEALTH_NEVER_CONTACTED;
}

static void write_target(struct buf *page, const struct snapshot_target *t)
{
    text_add(page, "{\"host\":");
    text_add_json(page, t->host);
    text_addf(page, ",\"port\":%u,\"state\":", (unsigned)t->port);
    text_add_json(page, snapshot_target_state_name(t->state));
    text_add(page, ",\"breaker\":");
    text_add_json(page, t->breaker);
    text_addf(page, ",\"connecting\":%" PRIu64 ",\"failures\":%" PRIu64 ",\"wakes\":%" PRIu64,
              t->connecting, t->failures, t->wakes);
    text_addf(page, ",\"next_try_ms\":%" PRIu64 ",\"last_error\":", t->next_try_ms);
    text_add_json(page, t->last_error[0] ? t->last_error : NULL);
    text_add(page, "}");
}

void health_write(struct buf *page, const struct snapshot *s)
{
    const char *error;
    enum health h = health_of(s, &error);
    text_addf(page, "{\"status\":\"%s\",\"database\":\"%s\",\"error\":",
              rows[h].good ? "healthy" : "unhealthy", rows[h].database);
    text_add_json(page, error);
    text_add(page, ",\"targets\":[");
    for (size_t i = 0; i < s->n_targets; i++) {
        if (i)
            text_add(page, ",");
        write_target(page, &s->targets[i]);
    }
    text_addf(page, "],\"targets_not_listed\":%zu}\n", s->n_targets_all - s->n_targets);
}
