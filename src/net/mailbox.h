/* SPDX-License-Identifier: PostgreSQL */
/* mailbox.h - how other threads reach a loop.
 *
 * A message carries ownership of what it holds, or ids of things that may have died meanwhile;
 * never a pointer to another thread's object. Messages from one thread arrive in their order.
 *
 * Posting wakes the loop only if the mailbox was empty: under load most posts cost no system
 * call. */
#ifndef NET_MAILBOX_H
#define NET_MAILBOX_H

#include "base/mutex.h"

#include <event2/event_struct.h>

struct loop;

/* Embedded in what is sent. deliver owns the message from then on. With receiver NULL the mailbox
 * is gone: free the message and what it carries. */
struct message {
    struct message *next; /* private */
    void (*deliver)(struct message *m, void *receiver);
};

struct mailbox {
    struct {
        struct mutex m;
        struct message *first, **last;
    } shared;
    /* Set at birth. */
    void *receiver;
    int wake_fd;
    struct event event;
};

/* Before other threads know of it. `receiver` is handed to deliver. */
void mailbox_init(struct mailbox *mb, struct loop *l, void *receiver);
/* Any thread; takes m. */
void mailbox_post(struct mailbox *mb, struct message *m);
/* When nobody can post any more: delivers what is left to NULL. */
void mailbox_fini(struct mailbox *mb);

#endif
