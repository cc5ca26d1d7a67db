/* SPDX-License-Identifier: PostgreSQL */
/* fake_net.h - the network and the clock of a replay, as the script sees them.
 *
 * fake_*.c give the functions of net/loop.h, mailbox.h, stream.h, dialer.h, resolver.h and
 * tls_context.h, and of base/rand.h, with neither a socket nor a thread nor a real clock: a program
 * linked with them in front of libpgballast.a runs its real clients, servers and relays in one
 * thread, and the same script gives the same bytes each time.
 *
 * What is as in net/: callbacks come from a turn of the loop or from stream_pull only; one read for
 * each stream and turn; a failure of sending is told at the end of the turn; objects die at the end
 * of the turn. What is simpler: there is no TLS, and a peer takes everything at once unless the
 * script makes it deaf.
 *
 * A turn of a loop is: one read for each readable stream in the order of their opening, messages,
 * dials that end, timers, what was put off, the turn-end callback. */
#ifndef SUPPORT_FAKE_NET_H
#define SUPPORT_FAKE_NET_H

#include "base/addr.h"
#include "base/buf.h"
#include "base/list.h"

#include <stdint.h>

struct loop;
struct stream;

/* ---- the clock ------------------------------------------------------------------------- */

uint64_t fake_now(void);
void fake_set_now(uint64_t now_us);
/* When the next timer or deadline of any loop is due; UINT64_MAX: never. */
uint64_t fake_next_deadline(void);
/* One turn of each loop, in the order of their making. False if nothing happened in any. */
bool fake_turn(void);
/* One turn of one loop, by order of making, for a script that wants to see them interleaved. */
void fake_turn_one(int loop);

/* ---- connections ----------------------------------------------------------------------- */

enum fake_end {
    FAKE_END_NONE,
    FAKE_END_EOF,   /* the script closed its end */
    FAKE_END_RESET, /* ... with a reset: what was on its way is lost */
};

/* A connection between the script and the program. Lives until fake_net_fini. */
struct fake_wire {
    TAILQ_ENTRY(fake_wire) link;
    int fd; /* a number that no real descriptor has */
    struct addr peer;
    bool dialed; /* by the program; else accepted by it */

    /* Written by the script. */
    struct buf in; /* said by the script, not read by the program yet */
    enum fake_end end;
    bool is_deaf; /* the script does not read: sending blocks */

    /* Written by the program. */
    struct buf out;        /* said by the program, not taken by the script yet */
    bool is_closed;        /* the program has hung up */
    struct stream *stream; /* the program's end; NULL before it is opened and after it is closed */
};

/* A connection of an application, to be given to relay_accept. */
struct fake_wire *fake_wire_connect(void);
/* The connections that the program has dialled, in order, from 0; NULL: not so many. */
struct fake_wire *fake_wire_dialed(unsigned i);
/* The program reads at most so many bytes at a time, from all connections; 0: no limit. */
void fake_set_read_limit(size_t bytes);
/* The loop that the program's end lives on, by order of making; -1: on none. */
int fake_wire_loop(const struct fake_wire *w);

/* ---- dialling -------------------------------------------------------------------------- */

enum fake_dial {
    FAKE_DIAL_CONNECT,
    FAKE_DIAL_REFUSE, /* fails in the next turn */
    FAKE_DIAL_HANG,   /* fails when its time is over */
};

/* What becomes of attempts from now on: to this address, or (NULL) to any that was not named. */
void fake_set_dial(const char *address, enum fake_dial what);
/* Attempts so far. */
unsigned fake_dial_count(void);
/* Whether names are found (all are 127.0.0.1) from now on. */
void fake_set_names(bool are_found);

/* Frees all connections, sets everything back; every loop must have been freed before. */
void fake_net_fini(void);

#endif
