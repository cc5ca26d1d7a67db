/* SPDX-License-Identifier: PostgreSQL */
/* shutdown.h - end the program: at once, or when its servers or its clients have gone. On the main
 * loop; asked for from any thread. */
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
    struct listeners *listeners; /* borrowed; NULL before they are there */
    struct mailbox mailbox;
    struct timer timer;
    enum shutdown_mode mode;
};

/* Makes itself the one whom shared->control asks. */
void shutdown_init(struct shutdown *s, struct loop *loop, struct relay_shared *shared);
/* When no other thread is left. */
void shutdown_fini(struct shutdown *s);

#endif
