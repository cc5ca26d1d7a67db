/* SPDX-License-Identifier: PostgreSQL */
/* pool_list.c - /pools. */
#include "http/pool_list.h"

#include "http/text.h"
#include "worker/snapshot.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#define POOL(field) offsetof(struct snapshot_pool, field)

/* Numbers of a pool, in the order of the page. Counts are since the pool was made. */
static const struct pool_list_field {
    const char *name;
    size_t offset;
} fields[] = {
    {"checked_out", POOL(active)},
    {"checked_in", POOL(idle)},
    {"opening", POOL(opening)},
    {"closing", POOL(closing)},
    {"overflow", POOL(reserve_used)},
    {"pinned", POOL(pinned)},
    {"clients", POOL(clients)},
    {"queue", POOL(waiting)},
    {"oldest_wait_us", POOL(oldest_wait_us)},
    {"queries", POOL(total.query)},
    {"transactions", POOL(total.xact)},
    {"assignments", POOL(total.server_assignment)},
    {"query_time_us", POOL(total.query_time)},
    {"transaction_time_us", POOL(total.xact_time)},
    {"wait_time_us", POOL(total.wait_time)},
    {"errors", POOL(total.errors)},
    {"refused", POOL(total.refused)},
};

static const char *limit_text(uint64_t limit, char out[24])
{
    if (limit == 0)
        return "null";
    snprintf(out, 24, "%" PRIu64, limit);
    return out;
}

/* Percentiles of the last one to two statistics periods; null if nothing happened in them. */
static void write_latency(struct buf *page, const struct snapshot_pool *p)
{
    text_add(page, ",\"latency\":{");
    for (int kind = 0; kind < LATENCY_KINDS; kind++) {
        const struct snapshot_latency *l = &p->latency[kind];
        text_addf(page, "%s\"%s\":", kind ? "," : "", latency_kind_name((enum latency_kind)kind));
        if (l->recent)
            text_addf(page,
                      "{\"count\":%" PRIu64 ",\"p50_us\":%" PRIu64 ",\"p95_us\":%" PRIu64
                      ",\"p99_us\":%" PRIu64 "}",
                      l->recent, l->p50_us, l->p95_us, l->p99_us);
        else
            text_add(page, "null");
    }
    text_add(page, "}");
}

static void write_pool(struct buf *page, const struct snapshot_pool *p)
{
    char size[24];
    text_add(page, "{\"database\":");
    text_add_json(page, p->database);
    text_add(page, ",\"user\":");
    text_add_json(page, p->user);
    text_add(page, ",\"pool_mode\":");
    text_add_json(page, p->mode);
    text_addf(page, ",\"size\":%s", limit_text(p->size, size));
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const void *at = (const char *)p + fields[i].offset;
        text_addf(page, ",\"%s\":%" PRIu64, fields[i].name, *(const uint64_t *)at);
    }
    write_latency(page, p);
    text_addf(page, ",\"paused\":%s,\"disabled\":%s,\"error\":", p->paused ? "true" : "false",
              p->disabled ? "true" : "false");
    text_add_json(page, p->refusal[0] ? p->refusal : NULL);
    text_add(page, "}");
}

void pool_list_write(struct buf *page, const struct snapshot *s)
{
    char most[24];
    text_addf(page, "{\"clients\":%" PRIu64 ",\"servers\":%" PRIu64 ",\"max_servers\":%s",
              s->clients, s->servers, limit_text(s->max_servers, most));
    text_add(page, ",\"pools\":[");
    for (size_t i = 0; i < s->n_pools; i++) {
        text_add(page, i ? ",\n" : "\n");
        write_pool(page, &s->pools[i]);
    }
    text_addf(page, "],\n\"pools_not_listed\":%zu}\n", s->n_pools_all - s->n_pools);
}
