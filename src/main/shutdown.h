/* SPDX-License-Identifier: PostgreSQL */
/* shutdown.h - end the program: at once, or when its servers or its clients have gone. On the main
 * loop; the console asks for it from any thread. */
#ifndef MAIN_SHUTDOWN_H
#define MAIN_SHUTDOWN_H

#include "net/loop.h"
#include "net/mailbox.h"
#include "relay/control.h"

struct listeners;
struct relay_shared;

struct shutdown {
    struct loop *loop;
    struct relay_shared *shared;
    struct listeners *listeners; /* borrowed, a worker's; NULL before they are there */
    struct mailbox mailbox;
    struct timer timer;
    bool begun;
    bool is_closing; /* the TCP sockets; shared->is_closed when they are */
    enum shutdown_mode mode;
    uint64_t limit_us; /* the wait ends then; 0: never */
};

/* Makes itself the one whom shared->control asks. */
void shutdown_init(struct shutdown *s, struct loop *loop, struct relay_shared *shared);
/* When no other thread is left. */
void shutdown_fini(struct shutdown *s);

/* The main thread's own wish. If it waits, then no longer than patience_us (0: for ever). A later
 * one takes the place of an earlier. */
void shutdown_begin(struct shutdown *s, enum shutdown_mode mode, uint64_t patience_us);
bool shutdown_has_begun(const struct shutdown *s);

#endif
