/* SPDX-License-Identifier: PostgreSQL */
/* fake_loop.c - turns, timers and mailboxes by a clock that the script sets. */
#include "base/mem.h"
#include "net/mailbox.h"
#include "support/fake_impl.h"

#include <stdlib.h>

/* A replay starts at an hour: a time of 0 would mean "not set". */
#define START_US (3600 * 1000000ULL)

TAILQ_HEAD(loop_list, loop);
static struct loop_list loops = TAILQ_HEAD_INITIALIZER(loops);
static int n_loops_made;
static uint64_t now_us = START_US;

/* ---- the clock ------------------------------------------------------------------------- */

uint64_t fake_now(void)
{
    return now_us;
}

void fake_set_now(uint64_t at_us)
{
    now_us = at_us;
}

void fake_clock_fini(void)
{
    now_us = START_US;
}

uint64_t loop_now(struct loop *l)
{
    (void)l;
    return now_us;
}

/* ---- timers ---------------------------------------------------------------------------- */

/* Those that are set, in no order. */
static struct timer **timers;
static size_t n_timers, cap_timers;

static size_t find_timer(const struct timer *t)
{
    size_t i = 0;
    while (i < n_timers && timers[i] != t)
        i++;
    return i;
}

void timer_init(struct timer *t, struct loop *l, void (*cb)(void *arg), void *arg)
{
    *t = (struct timer){.loop = l, .cb = cb, .arg = arg};
}

void timer_set(struct timer *t, uint64_t at_us)
{
    t->at_us = at_us;
    if (t->is_set)
        return;
    t->is_set = true;
    if (n_timers == cap_timers) {
        cap_timers = cap_timers ? 2 * cap_timers : 16;
        timers = xrealloc(timers, cap_timers * sizeof(struct timer *));
    }
    timers[n_timers++] = t;
}

void timer_clear(struct timer *t)
{
    size_t i = find_timer(t);
    if (i < n_timers)
        timers[i] = timers[--n_timers];
    t->is_set = false;
}

void timer_fini(struct timer *t)
{
    timer_clear(t);
    t->loop = NULL;
}

static bool timers_turn(struct loop *l)
{
    bool any = false;
    for (;;) {
        struct timer *due = NULL;
        for (size_t i = 0; i < n_timers; i++) {
            struct timer *t = timers[i];
            if (t->loop == l && t->at_us <= now_us && (!due || t->at_us < due->at_us))
                due = t;
        }
        if (!due)
            return any;
        timer_clear(due);
        due->cb(due->arg);
        any = true;
    }
}

uint64_t fake_next_deadline(void)
{
    uint64_t next = fake_dials_deadline();
    for (size_t i = 0; i < n_timers; i++) {
        if (timers[i]->at_us < next)
            next = timers[i]->at_us;
    }
    return next;
}

/* ---- mailboxes ------------------------------------------------------------------------- */

struct box {
    TAILQ_ENTRY(box) link;
    struct mailbox *mailbox;
    struct loop *loop;
};

TAILQ_HEAD(box_list, box);
static struct box_list boxes = TAILQ_HEAD_INITIALIZER(boxes);

void mailbox_init(struct mailbox *mb, struct loop *l, void *receiver)
{
    struct box *b = xmalloc(sizeof *b);
    *mb = (struct mailbox){.receiver = receiver, .wake_fd = -1};
    mb->shared.last = &mb->shared.first;
    *b = (struct box){.mailbox = mb, .loop = l};
    TAILQ_INSERT_TAIL(&boxes, b, link);
}

void mailbox_post(struct mailbox *mb, struct message *m)
{
    m->next = NULL;
    *mb->shared.last = m;
    mb->shared.last = &m->next;
}

static bool deliver_all(struct mailbox *mb, void *receiver)
{
    struct message *m = mb->shared.first;
    bool any = m != NULL;
    mb->shared.first = NULL;
    mb->shared.last = &mb->shared.first;
    while (m) {
        struct message *next = m->next; /* deliver frees or re-posts m */
        m->deliver(m, receiver);
        m = next;
    }
    return any;
}

void mailbox_fini(struct mailbox *mb)
{
    struct box *b, *next;
    deliver_all(mb, NULL);
    TAILQ_FOREACH_SAFE(b, &boxes, link, next)
    {
        if (b->mailbox == mb) {
            TAILQ_REMOVE(&boxes, b, link);
            free(b);
        }
    }
}

static bool mailboxes_turn(struct loop *l)
{
    bool any = false;
    struct box *b;
    TAILQ_FOREACH(b, &boxes, link)
    {
        if (b->loop == l)
            any |= deliver_all(b->mailbox, b->mailbox->receiver);
    }
    return any;
}

/* ---- what is put off until the end of the turn ----------------------------------------- */

void fake_defer(struct loop *l, struct loop_task *t)
{
    fake_undefer(t);
    t->list = &l->tasks;
    t->is_queued = true;
    TAILQ_INSERT_TAIL(t->list, t, link);
}

void fake_undefer(struct loop_task *t)
{
    if (!t->is_queued)
        return;
    TAILQ_REMOVE(t->list, t, link);
    t->is_queued = false;
}

static bool tasks_turn(struct loop *l)
{
    bool any = false;
    struct loop_task *t;
    while ((t = TAILQ_FIRST(&l->tasks)) != NULL) {
        fake_undefer(t);
        t->run(t);
        any = true;
    }
    return any;
}

/* ---- loops ----------------------------------------------------------------------------- */

struct loop *loop_new(void)
{
    struct loop *l = xcalloc(1, sizeof *l);
    l->index = n_loops_made++;
    TAILQ_INIT(&l->tasks);
    TAILQ_INSERT_TAIL(&loops, l, link);
    return l;
}

void loop_free(struct loop **lp)
{
    struct loop *l = *lp;
    if (!l)
        return;
    TAILQ_REMOVE(&loops, l, link);
    free(l);
    *lp = NULL;
    if (!TAILQ_EMPTY(&loops))
        return;
    n_loops_made = 0;
    n_timers = cap_timers = 0;
    free(timers);
    timers = NULL;
}

void loop_on_turn_end(struct loop *l, void (*cb)(void *arg), void *arg)
{
    l->turn_end = cb;
    l->turn_end_arg = arg;
}

static bool turn_of(struct loop *l)
{
    bool any = fake_streams_turn(l);
    any |= mailboxes_turn(l);
    any |= fake_dials_turn(l);
    any |= timers_turn(l);
    any |= tasks_turn(l);
    if (l->turn_end)
        l->turn_end(l->turn_end_arg);
    return any;
}

void fake_turn_one(int loop)
{
    struct loop *l;
    TAILQ_FOREACH(l, &loops, link)
    {
        if (l->index == loop)
            turn_of(l);
    }
}

bool fake_turn(void)
{
    bool any = false;
    struct loop *l;
    TAILQ_FOREACH(l, &loops, link)
    any |= turn_of(l);
    return any;
}
