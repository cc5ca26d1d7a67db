/* SPDX-License-Identifier: PostgreSQL */
/* fake_impl.h - what the files of the fake network share. */
#ifndef SUPPORT_FAKE_IMPL_H
#define SUPPORT_FAKE_IMPL_H

#include "net/loop.h"
#include "net/stream.h"
#include "support/fake_net.h"

struct loop {
    TAILQ_ENTRY(loop) link;
    int index;
    void (*turn_end)(void *arg);
    void *turn_end_arg;
    struct loop_task_list tasks;
};

TAILQ_HEAD(fake_wire_list, fake_wire);
extern struct fake_wire_list fake_wires;

/* A number for a descriptor. Closing it for real fails, and does no harm. */
struct fake_wire *fake_wire_new(bool dialed, const struct addr *peer);
struct fake_wire *fake_wire_of(int fd);

/* Parts of a turn of the loop; true if anything happened. */
bool fake_streams_turn(struct loop *l);
bool fake_dials_turn(struct loop *l);
uint64_t fake_dials_deadline(void);
void fake_dials_fini(void);
void fake_clock_fini(void);

void fake_defer(struct loop *l, struct loop_task *t);
void fake_undefer(struct loop_task *t);

#endif
