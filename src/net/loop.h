/* SPDX-License-Identifier: PostgreSQL */
/* loop.h - one event loop per thread: turns, time, timers, signals.
 *
 * A turn is: wait until something is ready, call everybody whom it concerns, finish what was put
 * off until the end of the turn, call the turn-end callback. That callback is where objects die, so
 * that nothing vanishes under a function that is still running.
 *
 * A loop has no locks. It may be made and filled in one thread and run in another, but all calls
 * must come from one thread at a time; other threads reach it through a mailbox. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct loop;

struct loop *loop_new(void);
/* Everything that was registered must be closed or removed before. NULL inside is fine. */
void loop_free(struct loop **l);

/* Runs turns until loop_stop. */
void loop_run(struct loop *l);
/* Runs one turn; waits if nothing is ready. For tests and for draining at the end. */
void loop_turn(struct loop *l);
/* The turn that is running is the last one. From the loop's own thread. */
void loop_stop(struct loop *l);

/* Monotonic microseconds. The clock is read at the first call in a turn. */
uint64_t loop_now(struct loop *l);

/* One callback per loop, called at the very end of each turn; replaces an earlier one. */
void loop_on_turn_end(struct loop *l, void (*cb)(void *arg), void *arg);

/* Calls cb for each arrival of the signal. Only one loop of the process may do this (the library's
 * signal handling is process-wide): the main one. Lasts until loop_free. */
void loop_on_signal(struct loop *l, int signo, void (*cb)(void *arg), void *arg);

/* "libevent 2.1.12-stable (epoll)"; without a loop, its way of waiting is left out. Returns out. */
const char *loop_library(const struct loop *l, char *out, size_t size);

/* For http/, which brings an event-driven server of its own. */
struct event_base *loop_event_base(struct loop *l);

/* A one-off deadline, embedded in what it belongs to. Setting one costs 50 ns: not per message. */
struct timer {
    struct event event; /* private */
    struct loop *loop;
    bool is_set; /* in the loop's list; the library is slow to answer that */
    uint64_t at_us;
    void (*cb)(void *arg);
    void *arg;
};

void timer_init(struct timer *t, struct loop *l, void (*cb)(void *arg), void *arg);
/* Calls cb once, in the loop, when loop_now() has reached at_us, never before; a time in the past
 * means the next turn. Setting it again moves it. cb may set it anew. */
void timer_set(struct timer *t, uint64_t at_us);
void timer_clear(struct timer *t);
static inline bool timer_is_set(const struct timer *t)
{
    return t->is_set;
}
/* Clears it; may be called on one that was never initialised but is all zero. */
void timer_fini(struct timer *t);

#endif
