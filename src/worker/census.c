/* SPDX-License-Identifier: PostgreSQL */
/* census.c - counts that only the workers know. */
#include "worker/census.h"

#include "base/clock.h"
#include "base/mem.h"
#include "pool/registry.h"
#include "relay/look.h"
#include "relay/places.h"
#include "relay/relay.h"
#include "worker/words.h"

#include <stdlib.h>
#include <uthash.h>

/* What the visits found of one pool. */
struct counted {
    struct pool *pool; /* counted; the key */
    int64_t active, waiting;
    int64_t carrying_cancel, being_canceled, resetting, used;
    int64_t asked_cancel, sent_cancel; /* clients whose request is not, or is, with the server */
    int64_t stale;
    UT_hash_handle hh;
};

struct census {
    struct counted *pools; /* in the registry's order */
    int64_t clients, login_clients, console_clients;
};

static void add_pool(struct pool *p, void *arg)
{
    struct census *c = arg;
    struct counted *n = xcalloc(1, sizeof *n);
    n->pool = pool_ref(p);
    HASH_ADD_PTR(c->pools, pool, n);
}

struct census *census_new(struct relay *r)
{
    struct census *c = xcalloc(1, sizeof *c);
    registry_each(relay_shared_of(r)->registry, add_pool, c);
    return c;
}

void census_free(struct census **cp)
{
    struct census *c = *cp;
    struct counted *n, *next;
    if (!c)
        return;
    HASH_ITER(hh, c->pools, n, next)
    {
        HASH_DEL(c->pools, n);
        pool_unref(&n->pool);
        free(n);
    }
    free(c);
    *cp = NULL;
}

/* ---- the visit ------------------------------------------------------------------------- */

/* NULL for a pool that was made after the census began. */
static struct counted *find(struct census *c, struct pool *p)
{
    struct counted *n;
    HASH_FIND_PTR(c->pools, &p, n);
    return n;
}

static void count_client(const struct look_client *row, void *arg)
{
    struct census *c = arg;
    c->clients++;
    if (row->phase == LOOK_CLIENT_LOGIN)
        c->login_clients++;
    if (row->phase != LOOK_CLIENT_PROVEN)
        return;
    if (!row->look.pool) {
        c->console_clients++;
        return;
    }
    struct counted *n = find(c, row->look.pool);
    if (n && row->waiting)
        n->waiting++;
    else if (n)
        n->active++;
}

static void count_server(const struct look_server *row, void *arg)
{
    struct counted *n = find(arg, row->look.pool);
    if (!n)
        return;
    n->carrying_cancel += row->carries_cancel;
    n->asked_cancel += row->cancel_asked == CANCEL_ASKED_WAITING;
    n->sent_cancel += row->cancel_asked == CANCEL_ASKED_SENT;
    n->being_canceled += row->phase == LOOK_SERVER_BEING_CANCELED;
    n->used += row->phase == LOOK_SERVER_USED;
    n->resetting += row->phase == LOOK_SERVER_RESETTING;
    n->stale += row->close_needed && row->phase != LOOK_SERVER_CLOSING;
}

void census_take(struct relay *r, struct census *c)
{
    look_clients(r, LOOK_STATE, count_client, c);
    look_servers(r, LOOK_STATE, count_server, c);
}

/* ---- the result ------------------------------------------------------------------------ */

/* For the ledger a server that is being reset, or waits for a cancel to pass, is still linked. */
static int64_t active_servers(const struct counted *n, const struct pool_numbers *numbers)
{
    int64_t active = (int64_t)numbers->active + numbers->moving - n->resetting - n->being_canceled;
    return active > 0 ? active : 0;
}

void census_pools(struct census *c, uint64_t now_us,
                  void (*fn)(const struct census_pool *row, void *arg), void *arg)
{
    for (struct counted *n = c->pools; n; n = n->hh.next) {
        struct terms *terms = place_terms(pool_owner(n->pool));
        struct pool_numbers numbers;
        pool_inspect(n->pool, now_us, &numbers);
        struct census_pool row = {
            .database = pool_database(n->pool),
            .user = pool_user(n->pool),
            .pool_mode = words_pool_mode((int)terms->mode),
            .load_balance_hosts = words_load_balance(terms->db),
            .cl_active = n->active,
            .cl_waiting = n->waiting,
            .cl_active_cancel_req = n->sent_cancel,
            .cl_waiting_cancel_req = n->asked_cancel,
            .sv_active = active_servers(n, &numbers),
            .sv_active_cancel = n->carrying_cancel,
            .sv_being_canceled = n->being_canceled,
            .sv_idle = numbers.idle > n->used ? numbers.idle - n->used : 0,
            .sv_used = n->used,
            .sv_tested = n->resetting,
            .sv_login = numbers.opening,
            .maxwait = (int64_t)(numbers.oldest_wait_us / US_PER_S),
            .maxwait_us = (int64_t)(numbers.oldest_wait_us % US_PER_S),
        };
        fn(&row, arg);
        terms_unref(&terms);
    }
    struct census_pool console = {
        .database = CONFIG_CONSOLE,
        .user = CONFIG_CONSOLE,
        .pool_mode = words_pool_mode(POOL_MODE_STATEMENT),
        .cl_active = c->console_clients,
    };
    fn(&console, arg);
}

void census_totals(struct census *c, struct census_totals *out)
{
    *out = (struct census_totals){.clients = c->clients, .login_clients = c->login_clients};
    for (struct counted *n = c->pools; n; n = n->hh.next) {
        struct pool_numbers numbers;
        pool_inspect(n->pool, 0, &numbers);
        out->pools++;
        out->servers += (int64_t)numbers.opening + numbers.idle + numbers.active + numbers.moving +
                        numbers.closing;
    }
}

int64_t census_stale_servers(struct census *c, const char *database)
{
    int64_t stale = 0;
    for (struct counted *n = c->pools; n; n = n->hh.next) {
        struct pool_numbers numbers;
        if (database && strcmp(pool_database(n->pool), database) != 0)
            continue;
        pool_inspect(n->pool, 0, &numbers);
        /* One in a mailbox was not visited: whether it is stale is seen when it has arrived. */
        stale += n->stale + numbers.moving;
    }
    return stale;
}
