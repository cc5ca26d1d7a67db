/* SPDX-License-Identifier: PostgreSQL */
/* loop_impl.h - what the files of net/ know about a loop; included by net/ only. */
#ifndef NET_LOOP_IMPL_H
#define NET_LOOP_IMPL_H

#include "base/buf.h"
#include "net/loop.h"
#include "net/stream.h"

#include <sys/queue.h>

/* One recv. 64 KiB is the knee between system calls and cache (194 ms per GB; 4 KiB: 748). */
#define STAGING_IN 65536
/* What one recv can decrypt to: itself and a record (16 KiB) whose beginning came before. */
#define STAGING_PLAIN (STAGING_IN + 16384)
/* Encrypted bytes on their way out; grows if one burst needs more. */
#define STAGING_OUT 98304
/* Small pieces are gathered into TLS records of full size. */
#define STAGING_GATHER 16384
/* A pull inside a callback must leave the bytes alone that the callback is looking at. */
#define STAGING_DEPTH 2
/* A handshake step takes 0.1 to 0.5 ms; a burst of them would delay everybody on this loop. */
#define HANDSHAKES_PER_TURN 2

struct staging {
    uint8_t *in;
    uint8_t *plain;
    const struct stream *reader; /* who reads; NULL: it was closed or detached meanwhile */
};

struct loop {
    struct event_base *base;
    uint64_t now_us; /* 0: not read in this turn */
    bool stopping;

    void (*turn_end)(void *arg);
    void *turn_end_arg;

    /* Entered by loop_defer and loop_defer_handshake, left when run or withdrawn. */
    struct loop_task_list tasks;
    struct loop_task_list handshakes;

    /* Paused streams whose hang-up is watched for (hangup.c). */
    int hangup_fd;
    struct event hangup_event;

    struct loop_signal *signals;

    struct staging staging[STAGING_DEPTH];
    int staging_used;
    struct buf out;
    uint8_t *gather;
};

/* Runs t->run once at the end of this turn (or of the next, if that is where we are). Leaves the
 * other queue, if it stands there. */
void loop_defer(struct loop *l, struct loop_task *t);
/* The same in a queue of which HANDSHAKES_PER_TURN are run. */
void loop_defer_handshake(struct loop *l, struct loop_task *t);
/* Withdraws it; fine if it is not queued. */
void loop_undefer(struct loop_task *t);

/* Lends staging buffers until loop_staging_leave; calls nest. NULL: STAGING_DEPTH are out, or they
 * are lent to this reader already. */
struct staging *loop_staging_enter_nested(struct loop *l, const struct stream *reader);
static inline struct staging *loop_staging_enter(struct loop *l, const struct stream *reader)
{
    if (l->staging_used || !l->staging[0].in)
        return loop_staging_enter_nested(l, reader);
    l->staging_used = 1;
    l->staging[0].reader = reader;
    return &l->staging[0];
}
/* The reader is gone from this loop. */
void loop_staging_forget(struct loop *l, const struct stream *reader);
/* `st`: those lent last. */
static inline void loop_staging_leave(struct loop *l, struct staging *st)
{
    st->reader = NULL;
    l->staging_used--;
}
uint8_t *loop_gather(struct loop *l);

/* hangup.c: tells stream_hung_up once when the peer of an open stream has hung up. */
void hangup_init(struct loop *l);
void hangup_fini(struct loop *l);
void hangup_watch(struct loop *l, struct stream *s);
void hangup_unwatch(struct loop *l, struct stream *s);
/* stream.c */
void stream_hung_up(struct stream *s);

#endif
