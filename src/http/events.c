/* SPDX-License-Identifier: PostgreSQL */
/* events.c - /events. */
#include "http/events.h"

#include "http/text.h"
#include "worker/history.h"

#include <inttypes.h>

struct events_run {
    struct buf *page;
    uint64_t n, skip;
};

static void count(const struct history_entry *e, void *arg)
{
    (void)e;
    ++*(uint64_t *)arg;
}

static void write_event(const struct history_entry *e, void *arg)
{
    struct events_run *run = arg;
    if (run->n++ < run->skip)
        return;
    text_addf(run->page, "%s{\"id\":%" PRIu64 ",\"time_ms\":%" PRIu64 ",\"message\":",
              run->n > run->skip + 1 ? ",\n" : "\n", e->id, e->wall_us / 1000);
    text_add_json(run->page, e->text);
    text_add(run->page, "}");
}

void events_write(struct buf *page, struct history *history)
{
    uint64_t all = 0;
    history_each(history, HISTORY_EVENTS, count, &all);
    struct events_run run = {.page = page, .skip = all > EVENTS_SHOWN ? all - EVENTS_SHOWN : 0};
    text_add(page, "{\"events\":[");
    history_each(history, HISTORY_EVENTS, write_event, &run);
    text_add(page, "]}\n");
}
