/* SPDX-License-Identifier: PostgreSQL */
/* visit.c - one message goes round the workers and comes home. */
#include "worker/visit.h"

#include "base/mem.h"
#include "relay/relay.h"

#include <stdlib.h>

struct visit {
    struct message message;
    struct relay *home; /* lives as long as all mailboxes */
    uint64_t client_id;
    int next; /* worker to be visited; n_workers: on the way home */
    void (*each)(struct relay *r, void *arg);
    void (*done)(struct client *c, void *arg);
    void *arg;
};

static void go_on(struct visit *v)
{
    struct relay_shared *shared = relay_shared_of(v->home);
    struct relay *to = v->next < shared->n_workers ? shared->relays[v->next] : v->home;
    mailbox_post(relay_mailbox(to), &v->message);
}

static void deliver_visit(struct message *m, void *receiver)
{
    struct visit *v = container_of(m, struct visit, message);
    struct relay *r = receiver;
    if (r && v->next < relay_shared_of(r)->n_workers) {
        v->each(r, v->arg);
        v->next++;
        go_on(v);
        return;
    }
    v->done(r ? relay_find_client(r, v->client_id) : NULL, v->arg);
    free(v);
}

void visit_workers(struct relay *home, uint64_t client_id, void (*each)(struct relay *r, void *arg),
                   void (*done)(struct client *c, void *arg), void *arg)
{
    struct visit *v = xmalloc(sizeof *v);
    *v = (struct visit){
        .message = {.deliver = deliver_visit},
        .home = home,
        .client_id = client_id,
        .each = each,
        .done = done,
        .arg = arg,
    };
    go_on(v);
}
