/* SPDX-License-Identifier: PostgreSQL */
/* loop.c - turns, time, timers, signals over libevent. */
#include "net/loop.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop_impl.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

struct loop_signal {
    struct loop_signal *next;
    struct event event;
    void (*cb)(void *arg);
    void *arg;
};

/* ---- life ------------------------------------------------------------------------------ */

/* Without locks: a loop is used by one thread. Time stays cached by libevent, interest is changed
 * at once: a change list only helps programs that toggle it for each message. */
static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
        base = event_base_new_with_config(config);
    if (config)
        event_config_free(config);
    if (!base) {
        log_fatal("could not create an event loop");
        abort();
    }
    return base;
}

struct loop *loop_new(void)
{
    struct loop *l = xcalloc(1, sizeof *l);
    l->base = new_base();
    TAILQ_INIT(&l->tasks);
    TAILQ_INIT(&l->handshakes);
    hangup_init(l);
    return l;
}

void loop_free(struct loop **lp)
{
    struct loop *l = *lp;
    if (!l)
        return;
    while (l->signals) {
        struct loop_signal *s = l->signals;
        l->signals = s->next;
        event_del(&s->event);
        free(s);
    }
    hangup_fini(l);
    event_base_free(l->base);
    for (int i = 0; i < STAGING_DEPTH; i++) {
        free(l->staging[i].in);
        free(l->staging[i].plain);
    }
    buf_reset(&l->out);
    free(l->gather);
    free(l);
    *lp = NULL;
}

const char *loop_library(const struct loop *l, char *out, size_t size)
{
    if (l)
        snprintf(out, size, "libevent %s (%s)", event_get_version(),
                 event_base_get_method(l->base));
    else
        snprintf(out, size, "libevent %s", event_get_version());
    return out;
}

struct event_base *loop_event_base(struct loop *l)
{
    return l->base;
}

/* ---- turns ----------------------------------------------------------------------------- */

/* What is deferred meanwhile stands behind the marker and waits for the next turn, or two tasks
 * could keep each other going for ever. */
static void run_tasks(struct loop *l)
{
    if (TAILQ_EMPTY(&l->tasks))
        return;
    struct loop_task marker = {.is_queued = true};
    TAILQ_INSERT_TAIL(&l->tasks, &marker, link);
    struct loop_task *t;
    while ((t = TAILQ_FIRST(&l->tasks)) != &marker) {
        TAILQ_REMOVE(&l->tasks, t, link);
        t->is_queued = false;
        t->run(t);
    }
    TAILQ_REMOVE(&l->tasks, &marker, link);
}

static void run_handshakes(struct loop *l)
{
    for (int i = 0; i < HANDSHAKES_PER_TURN && !TAILQ_EMPTY(&l->handshakes); i++) {
        struct loop_task *t = TAILQ_FIRST(&l->handshakes);
        TAILQ_REMOVE(&l->handshakes, t, link);
        t->is_queued = false;
        t->run(t);
    }
}

void loop_turn(struct loop *l)
{
    l->now_us = 0; /* read between turns: the wait may be long */
    bool pending = !TAILQ_EMPTY(&l->tasks) || !TAILQ_EMPTY(&l->handshakes);
    /* ONCE in both cases: NONBLOCK alone goes round inside the library as long as anything is
     * active, and a timer that rounds to "not yet" by the turn's clock would be so for ever. */
    int flags = pending ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE;
    if (event_base_loop(l->base, flags | EVLOOP_NO_EXIT_ON_EMPTY) < 0) {
        log_fatal("event loop failed");
        abort();
    }
    run_handshakes(l);
    run_tasks(l);
    if (l->turn_end)
        l->turn_end(l->turn_end_arg);
    l->now_us = 0;
}

void loop_run(struct loop *l)
{
    while (!l->stopping)
        loop_turn(l);
    l->stopping = false;
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
}

void loop_on_turn_end(struct loop *l, void (*cb)(void *arg), void *arg)
{
    l->turn_end = cb;
    l->turn_end_arg = arg;
}

__attribute__((noinline, cold)) static uint64_t read_clock(struct loop *l)
{
    return l->now_us = clock_monotonic_us();
}

uint64_t loop_now(struct loop *l)
{
    return l->now_us ? l->now_us : read_clock(l);
}

/* ---- tasks ----------------------------------------------------------------------------- */

void loop_defer(struct loop *l, struct loop_task *t)
{
    loop_undefer(t);
    t->list = &l->tasks;
    t->is_queued = true;
    TAILQ_INSERT_TAIL(t->list, t, link);
}

void loop_defer_handshake(struct loop *l, struct loop_task *t)
{
    if (t->is_queued)
        return;
    t->list = &l->handshakes;
    t->is_queued = true;
    TAILQ_INSERT_TAIL(t->list, t, link);
}

void loop_undefer(struct loop_task *t)
{
    if (!t->is_queued)
        return;
    TAILQ_REMOVE(t->list, t, link);
    t->is_queued = false;
}

/* ---- staging buffers ------------------------------------------------------------------- */

struct staging *loop_staging_enter_nested(struct loop *l, const struct stream *reader)
{
    for (int i = 0; i < l->staging_used; i++) {
        if (l->staging[i].reader == reader)
            return NULL;
    }
    if (l->staging_used == STAGING_DEPTH)
        return NULL;
    struct staging *st = &l->staging[l->staging_used++];
    if (!st->in) {
        st->in = xmalloc(STAGING_IN);
        st->plain = xmalloc(STAGING_PLAIN);
    }
    st->reader = reader;
    return st;
}

void loop_staging_forget(struct loop *l, const struct stream *reader)
{
    for (int i = 0; i < l->staging_used; i++) {
        if (l->staging[i].reader == reader)
            l->staging[i].reader = NULL;
    }
}

uint8_t *loop_gather(struct loop *l)
{
    if (!l->gather)
        l->gather = xmalloc(STAGING_GATHER);
    return l->gather;
}

/* ---- timers ---------------------------------------------------------------------------- */

static void arm(struct timer *t)
{
    uint64_t now = loop_now(t->loop);
    uint64_t wait = t->at_us > now ? t->at_us - now : 0;
    struct timeval tv = {.tv_sec = (time_t)(wait / US_PER_S),
                         .tv_usec = (suseconds_t)(wait % US_PER_S)};
    event_add(&t->event, &tv);
    t->is_set = true;
}

/* libevent counts on a coarse clock and may call a few milliseconds early. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct timer *t = arg;
    (void)fd;
    (void)what;
    if (loop_now(t->loop) < t->at_us) {
        arm(t);
        return;
    }
    t->is_set = false;
    t->cb(t->arg);
}

void timer_init(struct timer *t, struct loop *l, void (*cb)(void *arg), void *arg)
{
    *t = (struct timer){.loop = l, .cb = cb, .arg = arg};
    event_assign(&t->event, l->base, -1, 0, on_timer, t);
}

void timer_set(struct timer *t, uint64_t at_us)
{
    t->at_us = at_us;
    arm(t);
}

void timer_clear(struct timer *t)
{
    event_del(&t->event);
    t->is_set = false;
}

void timer_fini(struct timer *t)
{
    if (t->loop)
        event_del(&t->event);
    t->loop = NULL;
    t->is_set = false;
}

/* ---- signals --------------------------------------------------------------------------- */

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
    struct loop_signal *s = arg;
    (void)signo;
    (void)what;
    s->cb(s->arg);
}

void loop_on_signal(struct loop *l, int signo, void (*cb)(void *arg), void *arg)
{
    struct loop_signal *s = xmalloc(sizeof *s);
    *s = (struct loop_signal){.next = l->signals, .cb = cb, .arg = arg};
    event_assign(&s->event, l->base, signo, EV_SIGNAL | EV_PERSIST, on_signal, s);
    if (event_add(&s->event, NULL) != 0) {
        log_fatal("could not watch signal %d", signo);
        abort();
    }
    l->signals = s;
}
