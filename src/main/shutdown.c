/* SPDX-License-Identifier: PostgreSQL */
/* shutdown.c - end the program, at once or when it is due.
 *
 *   mode               first                                 the program ends when
 *   NOW                                                      at once
 *   WAIT_FOR_SERVERS   no new TCP clients; all is paused     no server connection is left
 *   WAIT_FOR_CLIENTS   no new TCP clients                    no client is left, consoles included
 *
 * The Unix socket stays open, so that the operator can still look, and hurry. */
#include "main/shutdown.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/listener.h"
#include "relay/relay.h"
#include "worker/command.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Nobody waits for the end of the program to the millisecond. */
#define LOOK_US (50 * US_PER_MS)

struct ask {
    struct message message;
    enum shutdown_mode mode;
};

static bool is_due(const struct shutdown *s)
{
    struct relay *any = s->shared->relays[0];
    switch (s->mode) {
    case SHUTDOWN_NOW:
        return true;
    case SHUTDOWN_WAIT_FOR_SERVERS:
        return command_server_count(any) == 0;
    case SHUTDOWN_WAIT_FOR_CLIENTS:
        break;
    }
    return atomic_load_explicit(&s->shared->n_clients, memory_order_relaxed) == 0;
}

static void look(void *arg)
{
    struct shutdown *s = arg;
    if (is_due(s)) {
        log_info("shutting down");
        loop_stop(s->loop);
        return;
    }
    timer_set(&s->timer, loop_now(s->loop) + LOOK_US);
}

static void begin(struct shutdown *s, enum shutdown_mode mode)
{
    struct error err;
    static const char *const texts[] = {
        [SHUTDOWN_NOW] = "at once",
        [SHUTDOWN_WAIT_FOR_SERVERS] = "when no server connection is left",
        [SHUTDOWN_WAIT_FOR_CLIENTS] = "when no client is left",
    };
    s->mode = mode;
    log_info("shutdown was asked for: %s", texts[mode]);
    if (mode != SHUTDOWN_NOW && s->listeners)
        listeners_close_tcp(s->listeners);
    /* It may be paused already. */
    if (mode == SHUTDOWN_WAIT_FOR_SERVERS)
        (void)command_pause(s->shared->relays[0], NULL, &err);
    look(s);
}

static void deliver_ask(struct message *m, void *receiver)
{
    struct ask *a = container_of(m, struct ask, message);
    if (receiver)
        begin(receiver, a->mode);
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

void shutdown_init(struct shutdown *s, struct loop *loop, struct relay_shared *shared)
{
    *s = (struct shutdown){.loop = loop, .shared = shared};
    mailbox_init(&s->mailbox, loop, s);
    timer_init(&s->timer, loop, look, s);
    control_on_shutdown(shared->control, ask, s);
}

void shutdown_fini(struct shutdown *s)
{
    mailbox_fini(&s->mailbox);
    timer_fini(&s->timer);
}
