/* SPDX-License-Identifier: PostgreSQL */
/* verify.c - the way of a verdict from a helper thread to its client. */
#include "relay/verify.h"

#include "auth/blocking.h"
#include "base/mem.h"
#include "relay/relay_impl.h"

#include <stdlib.h>

struct verdict {
    struct message message;
    uint64_t client_id;
    enum blocking_verdict verdict;
    struct error why;
};

static void deliver(struct message *m, void *receiver)
{
    struct verdict *v = container_of(m, struct verdict, message);
    struct client *c = receiver ? relay_find_client(receiver, v->client_id) : NULL;
    if (c)
        client_verified(c, v->verdict, &v->why);
    free(v);
}

/* In a helper thread. The relay outlives it: blocking_free comes first. */
static void on_verdict(void *arg, uint64_t tag, enum blocking_verdict verdict,
                       const struct error *why)
{
    struct verdict *v = xcalloc(1, sizeof *v);
    v->message.deliver = deliver;
    v->client_id = tag;
    v->verdict = verdict;
    v->why = *why;
    mailbox_post(relay_mailbox(arg), &v->message);
}

bool verify_password(void *owner, struct client *c, const struct blocking_question *q,
                     struct error *err)
{
    struct relay *r = owner;
    return blocking_ask(r->shared->blocking, q, on_verdict, r, client_id(c), err);
}
