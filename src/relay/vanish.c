/* SPDX-License-Identifier: PostgreSQL */
/* vanish.c - servers at addresses that their host's name does not stand for any more.
 *
 * One that is in a mailbox, on its way from worker to worker, is missed; its lifetime ends it. */
#include "relay/vanish.h"

#include "base/mem.h"
#include "net/addr_list.h"
#include "relay/broker.h"
#include "relay/places.h"
#include "relay/relay_impl.h"

#include <stdlib.h>
#include <string.h>

struct vanish_message {
    struct message message;
    struct addr_list *addresses; /* counted */
    char name[];
};

/* Ports are not the name's business. */
static bool is_among(const struct addr_list *l, const struct addr *a)
{
    char wanted[ADDR_TEXT], text[ADDR_TEXT];
    addr_host_text(a, wanted, sizeof wanted);
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(addr_host_text(&l->each[i], text, sizeof text), wanted) == 0)
            return true;
    }
    return false;
}

static bool has_vanished(const struct lent *l, const struct vanish_message *v)
{
    const struct config_host *host = &l->terms->db->hosts[l->host];
    const struct addr *at = server_address(l->server);
    if (l->dialing || !at->len || addr_is_unix(at) || host->address ||
        strcmp(host->name, v->name) != 0)
        return false;
    return !is_among(v->addresses, at);
}

static void retire(struct relay *r, const struct vanish_message *v)
{
    struct lent *l;
    struct pool *swept = NULL;
    TAILQ_FOREACH(l, &r->servers, link)
    {
        if (!has_vanished(l, v))
            continue;
        l->vanished = true;
        if (pool_condemn_one(l->pool, &l->ledger, POOL_CLOSE_VANISHED) && l->pool != swept) {
            swept = l->pool;
            broker_post_sweeps(r, swept, 1ULL << r->worker);
        }
    }
}

static void deliver(struct message *m, void *receiver)
{
    struct vanish_message *v = container_of(m, struct vanish_message, message);
    if (receiver)
        retire(receiver, v);
    addr_list_unref(&v->addresses);
    free(v);
}

void vanish_tell(void *arg, const char *name, struct addr_list *addresses)
{
    struct relay_shared *shared = arg;
    size_t len = strlen(name) + 1;
    for (int i = 0; i < shared->n_workers; i++) {
        struct vanish_message *v = xcalloc(1, sizeof *v + len);
        v->message.deliver = deliver;
        v->addresses = addr_list_ref(addresses);
        memcpy(v->name, name, len);
        mailbox_post(relay_mailbox(shared->relays[i]), &v->message);
    }
}
