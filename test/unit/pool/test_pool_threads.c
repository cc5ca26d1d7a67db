/* SPDX-License-Identifier: PostgreSQL */
/* Two pools under one cap, used by four threads with toy mailboxes for about a second: limits are
 * exact at each moment, a server has one user at a time, and everybody who waits is served in the
 * end, while servers die, are evicted and swept, and clients leave. For the thread sanitizer. */
#include "pool/registry.h"

#include "pool_fixture.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/rand.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS 4
#define POOLS 2
#define SIZE 6
#define TOTAL 8
#define CLIENTS 10 /* of each worker */
#define BUSY_US (900 * US_PER_MS)
#define PHASE_US (30 * US_PER_MS)
#define DEADLINE_US (30 * US_PER_S)

/* cmocka's assertions are for the main thread. */
#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct toy_server {
    struct pool_server ledger;
    int pool;
    _Atomic int users;
    TAILQ_ENTRY(toy_server) link;
};

TAILQ_HEAD(toy_servers, toy_server);

struct toy_client {
    struct pool_waiter waiter;
    int pool;
    bool waits;
    struct toy_server *server;
};

enum letter_kind { WANTED, HANDED, GONE, SWEEP };

struct letter {
    enum letter_kind kind;
    int pool;
    uint64_t server_id, client_id;
    unsigned from;
    struct toy_server *server; /* HANDED */
    STAILQ_ENTRY(letter) link;
};

STAILQ_HEAD(letters, letter);

struct worker {
    unsigned index;
    pthread_t thread;
    uint64_t seed;
    uint64_t now_us;
    struct mutex mail_lock;
    struct letters mail;
    struct toy_servers servers;
    struct toy_client clients[CLIENTS];
    bool dial[POOLS]; /* pools to be dialled for in this turn */
    unsigned long n_served;
};

static struct registry *registry;
static struct pool *pools[POOLS];
static struct worker workers[WORKERS];
static _Atomic int n_open[POOLS], n_total;
static _Atomic uint64_t next_id = 1;
static _Atomic int n_pending = WORKERS; /* workers with a client that waits, at the end */
static _Atomic int n_letters;

static void post(unsigned to, struct letter text)
{
    struct letter *l = xmalloc(sizeof(*l));

    *l = text;
    atomic_fetch_add(&n_letters, 1);
    mutex_lock(&workers[to].mail_lock);
    STAILQ_INSERT_TAIL(&workers[to].mail, l, link);
    mutex_unlock(&workers[to].mail_lock);
}

static int pool_index(const struct pool *p)
{
    return p == pools[0] ? 0 : 1;
}

static struct toy_server *find_server(struct worker *w, uint64_t id)
{
    struct toy_server *s;

    TAILQ_FOREACH(s, &w->servers, link)
    {
        if (s->ledger.id == id)
            return s;
    }
    return NULL;
}

static struct toy_client *find_client(struct worker *w, uint64_t id)
{
    return &w->clients[id % CLIENTS];
}

static void linked(struct worker *w, struct toy_client *c, struct toy_server *s)
{
    must(atomic_exchange(&s->users, 1) == 0);
    must(c->waits && c->server == NULL && c->pool == s->pool);
    c->waits = false;
    c->server = s;
    w->n_served++;
}

/* The server must be in no list. */
static void bury(struct worker *w, struct toy_server *s)
{
    struct pool *p = pools[s->pool];
    struct pool *hungry;

    atomic_fetch_sub(&n_open[s->pool], 1);
    atomic_fetch_sub(&n_total, 1);
    if (pool_closed(p, &s->ledger, w->now_us))
        w->dial[s->pool] = true;
    while ((hungry = pool_next_hungry(p)) != NULL) {
        w->dial[pool_index(hungry)] = true;
        pool_unref(&hungry);
    }
    free(s);
}

static void close_server(struct worker *w, struct toy_server *s)
{
    TAILQ_REMOVE(&w->servers, s, link);
    bury(w, s);
}

static void carry_out(struct worker *w, struct toy_server *s, const struct pool_release *r)
{
    switch (r->what) {
    case POOL_KEEP:
        break;
    case POOL_GIVE_LOCAL:
        linked(w, container_of(r->waiter, struct toy_client, waiter), s);
        break;
    case POOL_GIVE_AWAY:
        TAILQ_REMOVE(&w->servers, s, link);
        post(r->client_worker,
             (struct letter){.kind = HANDED, .client_id = r->client_id, .server = s});
        break;
    case POOL_CLOSE:
        close_server(w, s);
        break;
    }
}

static void release_server(struct worker *w, struct toy_server *s)
{
    struct pool_release r;

    pool_release(pools[s->pool], &s->ledger, w->now_us, &r);
    carry_out(w, s, &r);
}

static void dial_one(struct worker *w, int pool, uint32_t generation)
{
    struct toy_server *s = xcalloc(1, sizeof(*s));
    struct pool_release r;

    must(atomic_fetch_add(&n_open[pool], 1) < SIZE);
    must(atomic_fetch_add(&n_total, 1) < TOTAL);
    s->pool = pool;
    pool_server_init(&s->ledger, atomic_fetch_add(&next_id, 1), w->index, generation);
    TAILQ_INSERT_TAIL(&w->servers, s, link);
    pool_opened(pools[pool], &s->ledger, w->now_us, &r);
    carry_out(w, s, &r);
}

static void dial_for(struct worker *w, int pool)
{
    struct pool_dial_answer a;
    struct pool *victim, *hungry;
    unsigned worker;

    w->dial[pool] = false;
    while (pool_reserve_dial(pools[pool], w->now_us, &a)) {
        if (rand_next(&w->seed) % 16 != 0)
            dial_one(w, pool, a.generation);
        else if (pool_unreserve_dial(pools[pool], w->now_us))
            w->dial[pool] = true;
    }
    if (a.what == POOL_DIAL_CAP_FULL &&
        registry_evict(registry, pools[pool], a.cap, &victim, &worker)) {
        post(worker, (struct letter){.kind = SWEEP, .pool = pool_index(victim)});
        pool_unref(&victim);
    }
    while ((hungry = pool_next_hungry(pools[pool])) != NULL) {
        w->dial[pool_index(hungry)] = true;
        pool_unref(&hungry);
    }
}

static void decided(struct worker *w, struct toy_client *c, const struct pool_decision *d)
{
    c->waits = true;
    switch (d->what) {
    case POOL_TAKE:
        linked(w, c, container_of(d->server, struct toy_server, ledger));
        break;
    case POOL_ASK:
        post(d->server_worker, (struct letter){.kind = WANTED,
                                               .pool = c->pool,
                                               .server_id = d->server_id,
                                               .client_id = c->waiter.id,
                                               .from = w->index});
        break;
    case POOL_WAIT:
        if (d->dial)
            w->dial[c->pool] = true;
        break;
    case POOL_REFUSE:
        must(false);
    }
}

static void sweep(struct worker *w, int pool)
{
    struct pool_server *s;

    while ((s = pool_take_expired(pools[pool], w->index, w->now_us)) != NULL)
        close_server(w, container_of(s, struct toy_server, ledger));
}

static void on_wanted(struct worker *w, const struct letter *l)
{
    struct toy_server *s = find_server(w, l->server_id);

    must(s != NULL);
    bool alive = pool_wanted(pools[l->pool], &s->ledger);
    TAILQ_REMOVE(&w->servers, s, link);
    if (!alive)
        bury(w, s);
    post(l->from, (struct letter){.kind = alive ? HANDED : GONE,
                                  .client_id = l->client_id,
                                  .server_id = l->server_id,
                                  .server = alive ? s : NULL});
}

static void on_handed(struct worker *w, const struct letter *l)
{
    struct toy_client *c = find_client(w, l->client_id);
    struct toy_server *s = l->server;

    TAILQ_INSERT_TAIL(&w->servers, s, link);
    if (pool_handed(pools[s->pool], &s->ledger, w->index, &c->waiter))
        linked(w, c, s);
    else
        release_server(w, s);
}

static void on_gone(struct worker *w, const struct letter *l)
{
    struct toy_client *c = find_client(w, l->client_id);
    struct pool_decision d;

    if (pool_gone(pools[c->pool], &c->waiter, l->server_id, w->now_us, &d))
        decided(w, c, &d);
}

static bool read_mail(struct worker *w)
{
    struct letters mail = STAILQ_HEAD_INITIALIZER(mail);
    struct letter *l;
    bool any;

    mutex_lock(&w->mail_lock);
    STAILQ_CONCAT(&mail, &w->mail);
    mutex_unlock(&w->mail_lock);
    any = !STAILQ_EMPTY(&mail);
    while ((l = STAILQ_FIRST(&mail)) != NULL) {
        static void (*const handlers[])(struct worker *, const struct letter *) = {
            [WANTED] = on_wanted, [HANDED] = on_handed, [GONE] = on_gone};

        STAILQ_REMOVE_HEAD(&mail, link);
        if (l->kind == SWEEP)
            sweep(w, l->pool);
        else
            handlers[l->kind](w, l);
        free(l);
        atomic_fetch_sub(&n_letters, 1);
    }
    return any;
}

static void client_turn(struct worker *w, struct toy_client *c, bool busy)
{
    uint64_t luck = rand_next(&w->seed);
    struct pool_decision d;

    if (c->server != NULL) {
        struct toy_server *s = c->server;

        c->server = NULL;
        must(atomic_exchange(&s->users, 0) == 1);
        if (luck % 64 == 0)
            close_server(w, s);
        else
            release_server(w, s);
    } else if (c->waits) {
        if (luck % 256 != 0)
            return;
        pool_cancel_wait(pools[c->pool], &c->waiter);
        c->waits = false;
    } else if (busy) {
        pool_acquire(pools[c->pool], &c->waiter, w->now_us, &d);
        decided(w, c, &d);
    }
}

/* Rush hours and quiet ones: how many of its clients a worker lets ask. */
static unsigned clients_now(const struct worker *w)
{
    static const unsigned phases[] = {1, CLIENTS, 2};

    return phases[w->now_us / PHASE_US % 3];
}

/* One that the worker believes idle fails. The ledger knows better whether it is. */
static void kill_one(struct worker *w)
{
    struct toy_server *s = TAILQ_FIRST(&w->servers);

    while (s != NULL && (atomic_load(&s->users) != 0 || rand_next(&w->seed) % 2 == 0))
        s = TAILQ_NEXT(s, link);
    if (s != NULL && pool_idle_died(pools[s->pool], &s->ledger) == POOL_DIED_REMOVED)
        close_server(w, s);
}

static void turn(struct worker *w, bool busy)
{
    w->now_us = clock_monotonic_us();
    if (!read_mail(w))
        sched_yield();
    unsigned i_client = (unsigned)(rand_next(&w->seed) % CLIENTS);
    client_turn(w, &w->clients[i_client], busy && i_client < clients_now(w));
    uint64_t luck = rand_next(&w->seed);
    if (luck % 128 == 0)
        kill_one(w);
    for (int i = 0; i < POOLS; i++) {
        /* Now and then unasked, as a worker does once a second. */
        if (luck % 512 == 1)
            sweep(w, i);
        if (w->dial[i] || luck % 512 == 2)
            dial_for(w, i);
    }
}

static bool is_at_rest(const struct worker *w)
{
    for (int i = 0; i < CLIENTS; i++) {
        if (w->clients[i].waits || w->clients[i].server != NULL)
            return false;
    }
    return true;
}

static void *run(void *arg)
{
    struct worker *w = arg;
    uint64_t start_us = clock_monotonic_us();
    bool resting = false;

    w->now_us = start_us;
    while (w->now_us < start_us + BUSY_US)
        turn(w, true);
    while (atomic_load(&n_pending) > 0 || atomic_load(&n_letters) > 0) {
        must(w->now_us < start_us + DEADLINE_US);
        turn(w, false);
        if (!resting && is_at_rest(w)) {
            resting = true;
            atomic_fetch_sub(&n_pending, 1);
        }
    }
    return NULL;
}

static void start(void)
{
    struct cap_settings none = {POOL_UNLIMITED, POOL_UNLIMITED};
    struct cap_settings total = {TOTAL, POOL_UNLIMITED};
    struct registry_entry e = {.settings = sized(SIZE), .database_cap = none, .user_cap = none};

    e.settings.min = 0;
    registry = registry_new(WORKERS, &total);
    for (int i = 0; i < POOLS; i++) {
        struct pool_key key = {"shop", i == 0 ? "app" : "report", ""};
        pools[i] = registry_add(registry, &key, &e);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        struct worker *w = &workers[i];

        w->index = i;
        w->seed = 77 + i;
        mutex_init(&w->mail_lock);
        STAILQ_INIT(&w->mail);
        TAILQ_INIT(&w->servers);
        for (unsigned k = 0; k < CLIENTS; k++) {
            w->clients[k].waiter = client_of(i * CLIENTS + k, i);
            w->clients[k].pool = (int)(k % POOLS);
        }
    }
}

static void finish(struct worker *w)
{
    struct toy_server *s;

    while ((s = TAILQ_FIRST(&w->servers)) != NULL)
        close_server(w, s);
    mutex_fini(&w->mail_lock);
}

/* What has happened in all games, by pool. */
struct coverage {
    unsigned long long taken, asked, queued, handovers;
};

static void look_at_pools(struct coverage *sums)
{
    for (int i = 0; i < POOLS; i++) {
        struct pool_numbers n = numbers(pools[i], clock_monotonic_us());

        assert_sound(pools[i]);
        assert_int_equal(n.waiting + n.active + n.moving + n.opening, 0);
        print_message("taken %llu, asked %llu, queued %llu, handovers %llu, passed on %llu, "
                      "evicted %llu\n",
                      (unsigned long long)n.taken, (unsigned long long)n.asked,
                      (unsigned long long)n.queued, (unsigned long long)n.handovers,
                      (unsigned long long)n.passed_on, (unsigned long long)n.evicted);
        sums[i].taken += n.taken;
        sums[i].asked += n.asked;
        sums[i].queued += n.queued;
        sums[i].handovers += n.handovers;
    }
}

static void play(struct coverage *sums)
{
    unsigned long n_served = 0;

    start();
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run, &workers[i]), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    look_at_pools(sums);
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_true(workers[i].n_served > 0);
        n_served += workers[i].n_served;
        finish(&workers[i]);
    }
    print_message("%lu served\n", n_served);
    assert_int_equal(atomic_load(&n_total), 0);
    for (int i = 0; i < POOLS; i++)
        pool_unref(&pools[i]);
    registry_free(&registry);
    memset(workers, 0, sizeof workers);
}

static bool all_has_happened(const struct coverage *sums)
{
    for (int i = 0; i < POOLS; i++)
        if (!sums[i].taken || !sums[i].asked || !sums[i].queued || !sums[i].handovers)
            return false;
    return true;
}

/* How the threads of one game meet is up to the machine: one that is busy lets each run for so long
 * that a kind of meeting may not happen at all. It must in one of many. */
static void test_limits_are_exact_and_everybody_is_served_with_four_threads(void **state)
{
    (void)state;
    struct coverage sums[POOLS] = {{0}};

    for (int game = 0; game < 20 && !all_has_happened(sums); game++)
        play(sums);
    assert_true(all_has_happened(sums));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_are_exact_and_everybody_is_served_with_four_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
