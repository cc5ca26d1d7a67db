/* SPDX-License-Identifier: PostgreSQL */
/* http_fixture.h - snapshots to build pages from, and the page as a string. */
#ifndef HTTP_FIXTURE_H
#define HTTP_FIXTURE_H

#include "base/buf.h"
#include "worker/snapshot.h"

#include <stdio.h>
#include <stdlib.h>

/* Room for what a test says; zero pools and targets at first. */
struct scene {
    struct snapshot snapshot;
    struct snapshot_pool pools[4];
    struct snapshot_target targets[4];
};

static inline void scene_init(struct scene *s)
{
    memset(s, 0, sizeof *s);
    s->snapshot.pools = s->pools;
    s->snapshot.targets = s->targets;
}

static inline struct snapshot_pool *scene_add_pool(struct scene *s, const char *database,
                                                   const char *user)
{
    struct snapshot_pool *p = &s->pools[s->snapshot.n_pools++];
    s->snapshot.n_pools_all++;
    snprintf(p->database, sizeof p->database, "%s", database);
    snprintf(p->user, sizeof p->user, "%s", user);
    p->mode = "transaction";
    return p;
}

static inline struct snapshot_target *scene_add_target(struct scene *s, const char *host,
                                                       enum snapshot_target_state state)
{
    struct snapshot_target *t = &s->targets[s->snapshot.n_targets++];
    s->snapshot.n_targets_all++;
    snprintf(t->host, sizeof t->host, "%s", host);
    t->port = 5432;
    t->state = state;
    t->breaker_closed = true;
    t->breaker = "closed";
    return t;
}

/* Owned. */
static inline char *page_of(void (*write)(struct buf *page, const struct snapshot *s),
                            const struct scene *s)
{
    struct buf page = {0};
    write(&page, &s->snapshot);
    struct span text = buf_span(&page);
    char *copy = calloc(1, text.n + 1);
    if (!copy)
        abort();
    memcpy(copy, text.p, text.n);
    buf_reset(&page);
    return copy;
}

#endif
