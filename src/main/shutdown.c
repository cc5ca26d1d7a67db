/* SPDX-License-Identifier: PostgreSQL */
/* shutdown.c - end the program, at once or when it is due.
 *
 *   mode               first                                   the program ends when
 *   NOW                                                        at once
 *   WAIT_FOR_SERVERS   no new clients; all is paused, those    no server connection is left
 *                      who wait for a server are sent
 *                      away, and those who replicate, which
 *                      never end by themselves
 *   WAIT_FOR_CLIENTS   no new clients                          no client is left, consoles included
 *
 * Who has connected by TCP before that began is served like one that had logged in, where clients
 * are waited for. The Unix socket stays open for the console, so that the operator can still look,
 * and hurry. */
#include "main/shutdown.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/listen.h"
#include "main/systemd.h"
#include "net/listener.h"
#include "relay/order.h"
#include "relay/relay.h"
#include "worker/command.h"
#include "worker/visit.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Nobody waits for the end of the program to the millisecond. */
#define LOOK_US (50 * US_PER_MS)
/* A connection that is made has its first packet on the way. */
#define FIRST_PACKET_US (10 * US_PER_MS)

struct ask {
    struct message message;
    enum shutdown_mode mode;
};

static void visited(struct client *c, void *arg)
{
    (void)c;
    (void)arg;
}

/* ---- those who wait for a server ------------------------------------------------------- */

static void dismiss_here(struct relay *r, void *arg)
{
    struct error err;
    (void)arg;
    error_set(&err, SQLSTATE_ADMIN_SHUTDOWN, "server shutting down");
    order_dismiss_waiting(r, &err);
    order_end_replication(r, &err);
}

/* None comes any more: all is paused. */
static void dismiss_waiting(struct shutdown *s)
{
    if (s->mode == SHUTDOWN_WAIT_FOR_SERVERS)
        visit_workers(s->shared->relays[0], 0, dismiss_here, visited, NULL);
}

/* ---- the listening sockets ------------------------------------------------------------- */

/* Closing a socket resets connections that the kernel has made and nobody has accepted. Those that
 * it holds back until they have said something (tcp_defer_accept) cannot be accepted, so it is told
 * to hold back no more, and they are given the time of a first packet. */
static void stop_deferring(struct relay *r, void *arg)
{
    if (listen_is_here(r))
        listeners_defer_accept(arg, false);
}

static void close_tcp(struct relay *r, void *arg)
{
    struct shutdown *s = arg;
    if (!listen_is_here(r))
        return;
    listeners_close_tcp(s->listeners);
    atomic_store_explicit(&s->shared->is_closed, true, memory_order_release);
}

/* Behind that, whoever came in time has been accepted, and is counted. */
static bool is_closed_to_new(struct shutdown *s)
{
    if (s->mode == SHUTDOWN_NOW || !s->listeners)
        return true;
    if (!s->is_closing) {
        s->is_closing = true;
        visit_workers(s->shared->relays[0], 0, close_tcp, visited, s);
    }
    return atomic_load_explicit(&s->shared->is_closed, memory_order_acquire);
}

/* ---- is it due? ------------------------------------------------------------------------ */

static uint64_t still_there(const struct shutdown *s)
{
    switch (s->mode) {
    case SHUTDOWN_NOW:
        return 0;
    case SHUTDOWN_WAIT_FOR_SERVERS:
        return command_server_count(s->shared->relays[0]);
    case SHUTDOWN_WAIT_FOR_CLIENTS:
        break;
    }
    /* By worker, since only that counts who is on the way from the listener to its worker. */
    uint64_t clients = 0;
    for (int i = 0; i < s->shared->n_workers; i++)
        clients += relay_client_count(s->shared->relays[i]);
    return clients;
}

static void look(void *arg)
{
    static const char *const lasts[] = {
        [SHUTDOWN_NOW] = "exiting",
        [SHUTDOWN_WAIT_FOR_SERVERS] = "server connections dropped, exiting",
        [SHUTDOWN_WAIT_FOR_CLIENTS] = "client connections dropped, exiting",
    };
    struct shutdown *s = arg;
    uint64_t now = loop_now(s->loop);
    if (!is_closed_to_new(s)) {
        timer_set(&s->timer, now + FIRST_PACKET_US);
        return;
    }
    uint64_t left = still_there(s);
    bool patient = !s->limit_us || now < s->limit_us;
    if (left && patient) {
        dismiss_waiting(s);
        timer_set(&s->timer, now + LOOK_US);
        return;
    }
    if (left)
        log_warning("waited long enough: %llu connections are cut", (unsigned long long)left);
    log_info("%s", lasts[left ? SHUTDOWN_NOW : s->mode]);
    loop_stop(s->loop);
}

/* ---- the beginning --------------------------------------------------------------------- */

static void stop_serving(struct shutdown *s)
{
    struct error err;
    atomic_store_explicit(&s->shared->serves_accepted, s->mode == SHUTDOWN_WAIT_FOR_CLIENTS,
                          memory_order_relaxed);
    atomic_store_explicit(&s->shared->is_stopping, true, memory_order_release);
    if (s->listeners && s->mode == SHUTDOWN_WAIT_FOR_CLIENTS)
        visit_workers(s->shared->relays[0], 0, stop_deferring, visited, s->listeners);
    else
        (void)is_closed_to_new(s);
    if (s->mode != SHUTDOWN_WAIT_FOR_SERVERS)
        return;
    /* It may be paused already. */
    (void)command_pause(s->shared->relays[0], NULL, NULL, &err);
}

void shutdown_begin(struct shutdown *s, enum shutdown_mode mode, uint64_t patience_us)
{
    s->begun = true;
    control_begin_end(s->shared->control);
    s->mode = mode;
    s->limit_us = patience_us ? loop_now(s->loop) + patience_us : 0;
    systemd_notify("STOPPING=1");
    if (mode == SHUTDOWN_NOW) {
        look(s);
        return;
    }
    stop_serving(s);
    timer_set(&s->timer, loop_now(s->loop) + FIRST_PACKET_US);
}

bool shutdown_has_begun(const struct shutdown *s)
{
    return s->begun;
}

/* ---- the console's wish ---------------------------------------------------------------- */

static void deliver_ask(struct message *m, void *receiver)
{
    struct ask *a = container_of(m, struct ask, message);
    if (receiver)
        shutdown_begin(receiver, a->mode, 0);
    free(a);
}

static void ask(void *owner, enum shutdown_mode mode)
{
    struct shutdown *s = owner;
    struct ask *a = xcalloc(1, sizeof *a);
    a->message.deliver = deliver_ask;
    a->mode = mode;
    mailbox_post(&s->mailbox, &a->message);
}

/* ---- life ------------------------------------------------------------------------------ */

void shutdown_init(struct shutdown *s, struct loop *loop, struct relay_shared *shared)
{
    *s = (struct shutdown){.loop = loop, .shared = shared};
    mailbox_init(&s->mailbox, loop, s);
    timer_init(&s->timer, loop, look, s);
    control_on_shutdown(shared->control, ask, s);
}

void shutdown_fini(struct shutdown *s)
{
    if (!s->loop)
        return;
    mailbox_fini(&s->mailbox);
    timer_fini(&s->timer);
}
