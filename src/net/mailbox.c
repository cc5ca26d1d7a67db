/* SPDX-License-Identifier: PostgreSQL */
/* mailbox.c - a locked list and an eventfd. */
#include "net/mailbox.h"

#include "base/log.h"
#include "net/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct message *take_all(struct mailbox *mb)
{
    mutex_lock(&mb->shared.m);
    struct message *first = mb->shared.first;
    mb->shared.first = NULL;
    mb->shared.last = &mb->shared.first;
    mutex_unlock(&mb->shared.m);
    return first;
}

static void deliver_all(struct message *m, void *receiver)
{
    while (m) {
        struct message *next = m->next; /* deliver frees or re-posts m */
        m->deliver(m, receiver);
        m = next;
    }
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct mailbox *mb = arg;
    (void)fd;
    (void)what;
    deliver_all(take_all(mb), mb->receiver);
}

void mailbox_init(struct mailbox *mb, struct loop *l, void *receiver)
{
    mutex_init(&mb->shared.m);
    mb->shared.first = NULL;
    mb->shared.last = &mb->shared.first;
    mb->receiver = receiver;
    mb->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mb->wake_fd < 0) {
        log_fatal("could not create an eventfd: %s", strerror(errno));
        abort();
    }
    /* Edge-triggered: each write wakes anew, so the counter needs no reading. */
    event_assign(&mb->event, loop_event_base(l), mb->wake_fd, EV_READ | EV_PERSIST | EV_ET, on_wake,
                 mb);
    event_add(&mb->event, NULL);
}

void mailbox_post(struct mailbox *mb, struct message *m)
{
    const uint64_t one = 1;
    m->next = NULL;
    mutex_lock(&mb->shared.m);
    bool was_empty = !mb->shared.first;
    *mb->shared.last = m;
    mb->shared.last = &m->next;
    mutex_unlock(&mb->shared.m);
    /* m may be gone by now. EAGAIN (the counter is full) still means: readable. */
    if (was_empty && write(mb->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        log_error("could not wake a mailbox's loop: %s", strerror(errno));
}

void mailbox_fini(struct mailbox *mb)
{
    event_del(&mb->event);
    deliver_all(take_all(mb), NULL);
    close(mb->wake_fd);
    mutex_fini(&mb->shared.m);
}
