/* SPDX-License-Identifier: PostgreSQL */
/* history.c - what has happened lately. */
#include "worker/history.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/mutex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ring {
    uint64_t n; /* ever entered */
    struct history_entry entries[HISTORY_ENTRIES];
};

struct history {
    struct mutex m;
    struct ring rings[HISTORY_RINGS];
};

struct history *history_new(void)
{
    struct history *h = xcalloc(1, sizeof *h);
    mutex_init(&h->m);
    return h;
}

void history_free(struct history **hp)
{
    if (!*hp)
        return;
    mutex_fini(&(*hp)->m);
    free(*hp);
    *hp = NULL;
}

void history_note(struct history *h, enum history_ring ring, enum log_level level, const char *text)
{
    uint64_t now = clock_wall_us();
    mutex_lock(&h->m);
    struct ring *r = &h->rings[ring];
    struct history_entry *e = &r->entries[r->n % HISTORY_ENTRIES];
    e->id = ++r->n;
    e->wall_us = now;
    e->level = level;
    snprintf(e->text, sizeof e->text, "%s", text);
    mutex_unlock(&h->m);
}

/* Lines about a connection begin with its id (C-0x2a, S-0x2b); those about none are events, but for
 * the statistics, which come every minute. */
static bool is_event(const char *text)
{
    return strncmp(text, "C-0x", 4) != 0 && strncmp(text, "S-0x", 4) != 0 &&
           strncmp(text, "stats: ", 7) != 0;
}

void history_observe(void *h, enum log_level level, const char *text)
{
    if (level <= LOG_WARNING_LEVEL)
        history_note(h, HISTORY_ERRORS, level, text);
    else if (level == LOG_INFO_LEVEL && is_event(text))
        history_note(h, HISTORY_EVENTS, level, text);
}

void history_each(struct history *h, enum history_ring ring,
                  void (*fn)(const struct history_entry *e, void *arg), void *arg)
{
    if (!h)
        return;
    struct ring *copy = xmalloc(sizeof *copy);
    mutex_lock(&h->m);
    *copy = h->rings[ring];
    mutex_unlock(&h->m);
    uint64_t first = copy->n > HISTORY_ENTRIES ? copy->n - HISTORY_ENTRIES : 0;
    for (uint64_t i = first; i < copy->n; i++)
        fn(&copy->entries[i % HISTORY_ENTRIES], arg);
    free(copy);
}
