/* SPDX-License-Identifier: PostgreSQL */
/* wake.c - connect to databases that sleep. */
#include "worker/wake.h"

#include "base/mem.h"
#include "pool/registry.h"
#include "relay/control.h"
#include "relay/order.h"
#include "relay/places.h"
#include "relay/relay.h"
#include "setup/setup.h"

#include <stdlib.h>

/* ---- pools that are there -------------------------------------------------------------- */

static bool is_asleep(const struct pool *p)
{
    struct terms *t = place_terms(pool_owner(p));
    bool asleep = false;
    for (size_t i = 0; i < t->n_targets; i++) {
        struct target_numbers n;
        target_inspect(t->targets[i], &n);
        asleep = asleep || (n.state != TARGET_AWAKE && n.state != TARGET_WAKING);
    }
    terms_unref(&t);
    return asleep;
}

static void wake_pool(struct pool *p, void *arg)
{
    if (is_asleep(p))
        order_wake(arg, p);
}

/* ---- pools that are not ---------------------------------------------------------------- */

static void make_pool(struct relay *r, const char *database, const char *user)
{
    struct setup_login login;
    struct error err;
    setup_find_login(relay_setup(r), database, user, &login);
    if (!login.db)
        return;
    struct pool *p =
        places_find(relay_shared_of(r)->places, relay_setup(r), &login, database, user);
    /* As with a client: a pool that is made while its database is paused learns that. */
    (void)control_login(relay_shared_of(r)->control, p, &err);
    pool_unref(&p);
}

static void make_pools(struct relay *r)
{
    const struct config *cfg = setup_config(relay_setup(r));
    const struct config_database *db;
    for (db = cfg->databases; db; db = db->hh.next) {
        const char *user = db->user ? db->user : cfg->url_user;
        if (user)
            make_pool(r, db->name, user);
    }
    db = cfg->fallback;
    if (db && db->dbname && cfg->url_user)
        make_pool(r, db->dbname, cfg->url_user);
}

/* ---- in a worker ----------------------------------------------------------------------- */

struct wake {
    struct message message;
};

static void deliver_wake(struct message *m, void *receiver)
{
    struct wake *w = container_of(m, struct wake, message);
    struct relay *r = receiver;
    free(w);
    if (!r)
        return;
    make_pools(r);
    registry_each(relay_shared_of(r)->registry, wake_pool, r);
}

void wake_databases(struct relay_shared *shared)
{
    struct wake *w = xcalloc(1, sizeof *w);
    w->message.deliver = deliver_wake;
    mailbox_post(relay_mailbox(shared->relays[0]), &w->message);
}
