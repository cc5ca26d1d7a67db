/* SPDX-License-Identifier: PostgreSQL */
/* peer_ledger.c - counts and queues of cancel requests for peers. */
#include "relay/peer_ledger.h"

#include "base/mem.h"
#include "base/mutex.h"

#include <stdlib.h>
#include <uthash.h>

struct peer_count {
    int peer; /* the key */
    unsigned limit;
    bool is_gone; /* from the configuration */
    unsigned queued, connecting, sent;
    TAILQ_HEAD(, peer_place) queue;
    UT_hash_handle hh;
};

struct peer_ledger {
    struct mutex m;
    struct peer_count *peers;
};

struct peer_ledger *peer_ledger_new(void)
{
    struct peer_ledger *l = xcalloc(1, sizeof *l);
    mutex_init(&l->m);
    return l;
}

static void drop(struct peer_ledger *l, struct peer_count *n)
{
    HASH_DEL(l->peers, n);
    free(n);
}

void peer_ledger_free(struct peer_ledger **lp)
{
    struct peer_ledger *l = *lp;
    if (!l)
        return;
    while (l->peers)
        drop(l, l->peers);
    mutex_fini(&l->m);
    free(l);
    *lp = NULL;
}

static struct peer_count *find_locked(struct peer_ledger *l, int peer)
{
    struct peer_count *n;
    HASH_FIND_INT(l->peers, &peer, n);
    if (n)
        return n;
    n = xcalloc(1, sizeof *n);
    n->peer = peer;
    TAILQ_INIT(&n->queue);
    HASH_ADD_INT(l->peers, peer, n);
    return n;
}

static bool has_room(const struct peer_count *n)
{
    return n->is_gone || !n->limit || n->connecting + n->sent < n->limit;
}

static void connect_locked(struct peer_count *n, struct peer_place *p)
{
    p->stage = PEER_CONNECTING;
    n->connecting++;
}

enum peer_stage peer_ledger_enter(struct peer_ledger *l, struct peer_place *p, int peer,
                                  unsigned limit, unsigned max_queue)
{
    mutex_lock(&l->m);
    struct peer_count *n = find_locked(l, peer);
    p->peer = n;
    n->limit = limit;
    n->is_gone = false;
    if (!n->queued && has_room(n)) {
        connect_locked(n, p);
    } else if (n->queued < max_queue) {
        p->stage = PEER_QUEUED;
        n->queued++;
        TAILQ_INSERT_TAIL(&n->queue, p, link);
    } else {
        p->stage = PEER_OUT;
        p->peer = NULL;
    }
    enum peer_stage stage = p->stage;
    mutex_unlock(&l->m);
    return stage;
}

enum peer_stage peer_ledger_stage(struct peer_ledger *l, const struct peer_place *p)
{
    mutex_lock(&l->m);
    enum peer_stage stage = p->stage;
    mutex_unlock(&l->m);
    return stage;
}

void peer_ledger_sent(struct peer_ledger *l, struct peer_place *p)
{
    mutex_lock(&l->m);
    p->peer->connecting--;
    p->peer->sent++;
    p->stage = PEER_SENT;
    mutex_unlock(&l->m);
}

static void unqueue_locked(struct peer_count *n, struct peer_place *p)
{
    TAILQ_REMOVE(&n->queue, p, link);
    n->queued--;
}

void peer_ledger_leave(struct peer_ledger *l, struct peer_place *p)
{
    mutex_lock(&l->m);
    struct peer_count *n = p->peer;
    switch (p->stage) {
    case PEER_OUT:
        break;
    case PEER_QUEUED:
        unqueue_locked(n, p);
        break;
    case PEER_CONNECTING:
        n->connecting--;
        break;
    case PEER_SENT:
        n->sent--;
        break;
    }
    p->stage = PEER_OUT;
    p->peer = NULL;
    if (n && n->is_gone && !n->queued && !n->connecting && !n->sent)
        drop(l, n);
    mutex_unlock(&l->m);
}

static struct peer_place *serve_locked(struct peer_ledger *l)
{
    for (struct peer_count *n = l->peers; n; n = n->hh.next) {
        if (!n->queued || !has_room(n))
            continue;
        struct peer_place *p = TAILQ_FIRST(&n->queue);
        unqueue_locked(n, p);
        connect_locked(n, p);
        return p;
    }
    return NULL;
}

bool peer_ledger_serve(struct peer_ledger *l, uint64_t *id_out, int *worker_out)
{
    mutex_lock(&l->m);
    const struct peer_place *p = serve_locked(l);
    if (p) {
        *id_out = p->id;
        *worker_out = p->worker;
    }
    mutex_unlock(&l->m);
    return p != NULL;
}

void peer_ledger_follow(struct peer_ledger *l, bool (*limit_of)(int peer, unsigned *out, void *arg),
                        void *arg)
{
    struct peer_count *n, *next;
    mutex_lock(&l->m);
    HASH_ITER(hh, l->peers, n, next)
    {
        n->is_gone = !limit_of(n->peer, &n->limit, arg);
        if (n->is_gone && !n->queued && !n->connecting && !n->sent)
            drop(l, n);
    }
    mutex_unlock(&l->m);
}

static int by_number(const struct peer_count *a, const struct peer_count *b)
{
    return a->peer - b->peer;
}

void peer_ledger_each(struct peer_ledger *l, void (*fn)(const struct peer_numbers *n, void *arg),
                      void *arg)
{
    mutex_lock(&l->m);
    HASH_SORT(l->peers, by_number);
    for (const struct peer_count *n = l->peers; n; n = n->hh.next) {
        const struct peer_numbers numbers = {
            .peer = n->peer,
            .queued = n->queued,
            .connecting = n->connecting,
            .sent = n->sent,
        };
        fn(&numbers, arg);
    }
    mutex_unlock(&l->m);
}
