/* SPDX-License-Identifier: PostgreSQL */
/* The window of places, by simulation with invented workers: hand-overs get rare, everybody gets
 * the same share, nobody is passed over too often; without it the order is strict. */
#include "pool/pool.h"

#include "pool_fixture.h"

#include "base/rand.h"

#include <stdlib.h>

#define MAX_CLIENTS 1000
#define MAX_SERVERS 20
#define MEAN_US 1000.0

struct sim_client {
    struct pool_waiter waiter;
    unsigned served;
};

struct sim_server {
    struct pool_server ledger;
    struct sim_client *client;
    uint64_t free_us; /* when its transaction ends */
};

struct sim {
    struct pool *p;
    uint64_t seed;
    uint64_t now_us;
    unsigned n_clients, n_servers;
    struct sim_client clients[MAX_CLIENTS];
    struct sim_server servers[MAX_SERVERS];
    uint32_t most_passed_over;
    unsigned out_of_order; /* served while an older client waited */
};

struct sim_result {
    double moves_per_txn;
    double fewest_by_most;
};

static double uniform(struct sim *sim)
{
    return (double)(rand_next(&sim->seed) >> 11) * 0x1p-53;
}

/* Exponentially distributed with mean 1, by von Neumann's comparison method, which needs no
 * logarithm. */
static double exponential(struct sim *sim)
{
    for (double whole = 0;; whole += 1) {
        double first = uniform(sim), last = first;
        unsigned run = 1;

        for (double next = uniform(sim); next < last; next = uniform(sim)) {
            last = next;
            run++;
        }
        if (run % 2 == 1)
            return whole + first;
    }
}

static struct sim_client *sim_client_of(struct pool_waiter *w)
{
    return container_of(w, struct sim_client, waiter);
}

static void sim_start(struct sim *sim, struct sim_server *s, struct sim_client *c)
{
    for (unsigned i = 0; i < sim->n_clients; i++) {
        const struct pool_waiter *w = &sim->clients[i].waiter;

        if (w->state == POOL_WAITER_QUEUED && w->since_us < c->waiter.since_us) {
            sim->out_of_order++;
            break;
        }
    }
    if (c->waiter.passed_over > sim->most_passed_over)
        sim->most_passed_over = c->waiter.passed_over;
    c->served++;
    s->client = c;
    s->free_us = sim->now_us + 1 + (uint64_t)(exponential(sim) * MEAN_US);
}

/* Messages arrive at once. */
static void sim_give(struct sim *sim, struct sim_server *s, const struct pool_release *r)
{
    s->client = NULL;
    s->free_us = UINT64_MAX;
    if (r->what == POOL_GIVE_LOCAL)
        sim_start(sim, s, sim_client_of(r->waiter));
    if (r->what == POOL_GIVE_AWAY) {
        struct sim_client *c = &sim->clients[r->client_id];

        assert_true(pool_handed(sim->p, &s->ledger, r->client_worker, &c->waiter));
        sim_start(sim, s, c);
    }
}

static void sim_ask(struct sim *sim, struct sim_client *c)
{
    struct pool_decision d;

    pool_acquire(sim->p, &c->waiter, sim->now_us, &d);
    if (d.what == POOL_TAKE)
        sim_start(sim, container_of(d.server, struct sim_server, ledger), c);
    if (d.what == POOL_ASK) {
        struct sim_server *s = &sim->servers[d.server_id];

        assert_true(pool_wanted(sim->p, &s->ledger));
        assert_true(pool_handed(sim->p, &s->ledger, c->waiter.worker, &c->waiter));
        sim_start(sim, s, c);
    }
}

static struct sim_server *sim_next(struct sim *sim)
{
    struct sim_server *first = &sim->servers[0];

    for (unsigned i = 1; i < sim->n_servers; i++) {
        if (sim->servers[i].free_us < first->free_us)
            first = &sim->servers[i];
    }
    return first;
}

static struct sim_result sim_end(struct sim *sim, unsigned n_txns)
{
    unsigned fewest = UINT32_MAX, most = 0;
    double moves = (double)numbers(sim->p, sim->now_us).handovers;

    for (unsigned i = 0; i < sim->n_clients; i++) {
        unsigned served = sim->clients[i].served;

        fewest = served < fewest ? served : fewest;
        most = served > most ? served : most;
        pool_cancel_wait(sim->p, &sim->clients[i].waiter);
    }
    for (unsigned i = 0; i < sim->n_servers; i++)
        pool_closed(sim->p, &sim->servers[i].ledger, sim->now_us);
    pool_free(&sim->p);
    return (struct sim_result){moves / n_txns, (double)fewest / most};
}

/* Clients that want the next transaction as soon as one has ended. */
static struct sim_result simulate(struct sim *sim, unsigned n_workers, unsigned n_clients,
                                  unsigned n_servers, uint32_t window, unsigned n_txns)
{
    struct pool_settings set = sized(n_servers);

    set.window = window;
    *sim = (struct sim){.seed = 20, .now_us = 1, .n_clients = n_clients, .n_servers = n_servers};
    sim->p = pool_with(n_workers, set, NULL);
    for (unsigned i = 0; i < n_servers; i++) {
        opened_idle(sim->p, &sim->servers[i].ledger, i, i % n_workers, 1);
        sim->servers[i].free_us = UINT64_MAX;
    }
    for (unsigned i = 0; i < n_clients; i++) {
        sim->clients[i].waiter = client_of(i, i % n_workers);
        sim->now_us++;
        sim_ask(sim, &sim->clients[i]);
    }
    for (unsigned i = 0; i < n_txns; i++) {
        struct sim_server *s = sim_next(sim);
        struct sim_client *c = s->client;
        struct pool_release r;

        /* Transactions may have ended while the first clients were still arriving. */
        if (s->free_us > sim->now_us)
            sim->now_us = s->free_us;
        pool_release(sim->p, &s->ledger, sim->now_us, &r);
        sim_give(sim, s, &r);
        sim_ask(sim, c);
    }
    return sim_end(sim, n_txns);
}

static struct sim *sim_new(void)
{
    struct sim *sim = malloc(sizeof(*sim));

    assert_non_null(sim);
    return sim;
}

static void test_the_window_makes_hand_overs_rare_and_shares_stay_equal(void **state)
{
    (void)state;
    static const struct {
        unsigned workers, clients, servers, txns;
        double moves_at_most, share_at_least;
    } rows[] = {
        {2, 64, 20, 200000, 0.12, 0.95},
        {4, 64, 20, 200000, 0.16, 0.95},
        {2, 1000, 20, 400000, 0.16, 0.90},
        {1, 64, 20, 100000, 0.00, 0.90},
    };
    struct sim *sim = sim_new();

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim_result r = simulate(sim, rows[i].workers, rows[i].clients, rows[i].servers,
                                       POOL_WINDOW, rows[i].txns);

        print_message("%u workers, %u clients, %u servers: %.3f hand-overs per transaction, fewest "
                      "by most %.3f, passed over at most %u times\n",
                      rows[i].workers, rows[i].clients, rows[i].servers, r.moves_per_txn,
                      r.fewest_by_most, sim->most_passed_over);
        assert_true(r.moves_per_txn <= rows[i].moves_at_most);
        assert_true(r.fewest_by_most >= rows[i].share_at_least);
        assert_true(sim->most_passed_over <= POOL_WINDOW * rows[i].workers);
    }
    free(sim);
}

static void test_without_a_window_the_order_is_strict(void **state)
{
    (void)state;
    struct sim *sim = sim_new();
    struct sim_result r = simulate(sim, 2, 64, 20, 0, 50000);

    assert_int_equal(sim->out_of_order, 0);
    assert_int_equal(sim->most_passed_over, 0);
    /* What the window saves. */
    assert_true(r.moves_per_txn > 0.4);
    simulate(sim, 2, 64, 20, POOL_WINDOW, 50000);
    assert_true(sim->out_of_order > 0);
    free(sim);
}

#define QUEUE 40

/* One server at worker 0 and a queue in which worker 1's client stands first, worker 0's come again
 * and again: the first is passed over exactly as often as the window allows. */
static void test_nobody_is_passed_over_more_often_than_the_window_allows(void **state)
{
    (void)state;
    struct pool *p = pool_sized(2, 1);
    struct pool_server s = {0};
    struct pool_waiter first = client_of(1, 1), local[2] = {client_of(2, 0), client_of(3, 0)};
    struct pool_release r;
    unsigned passed = 0;

    opened_idle(p, &s, 1, 0, 1);
    assert_int_equal(acquire(p, &local[0], 2).what, POOL_TAKE);
    acquire(p, &first, 3);
    acquire(p, &local[1], 4);
    for (unsigned i = 0; i < QUEUE; i++) {
        r = release(p, &s, 5 + i);
        if (r.what == POOL_GIVE_AWAY)
            break;
        passed++;
        acquire(p, r.waiter == &local[0] ? &local[1] : &local[0], 5 + i);
    }
    assert_int_equal(passed, POOL_WINDOW * 2);
    assert_int_equal(r.client_id, 1);
    pool_cancel_wait(p, &first);
    pool_cancel_wait(p, &local[0]);
    pool_cancel_wait(p, &local[1]);
    pool_closed(p, &s, 100);
    pool_free(&p);
}

static void test_the_window_ends_after_four_places_per_worker(void **state)
{
    (void)state;
    /* The position of the only local client, and whether it is taken first. */
    static const struct {
        unsigned place;
        enum pool_released expected;
    } rows[] = {
        {0, POOL_GIVE_LOCAL}, {1, POOL_GIVE_LOCAL}, {7, POOL_GIVE_LOCAL},
        {8, POOL_GIVE_AWAY},  {9, POOL_GIVE_AWAY},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pool *p = pool_sized(2, 1);
        struct pool_server s = {0};
        struct pool_waiter holder = client_of(99, 0), queue[QUEUE];

        opened_idle(p, &s, 1, 0, 1);
        acquire(p, &holder, 1);
        for (unsigned k = 0; k < QUEUE; k++) {
            queue[k] = client_of(k, k == rows[i].place ? 0 : 1);
            acquire(p, &queue[k], 2 + k);
        }
        assert_int_equal(release(p, &s, 100).what, rows[i].expected);
        for (unsigned k = 0; k < QUEUE; k++)
            pool_cancel_wait(p, &queue[k]);
        pool_closed(p, &s, 100);
        pool_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_window_makes_hand_overs_rare_and_shares_stay_equal),
        cmocka_unit_test(test_without_a_window_the_order_is_strict),
        cmocka_unit_test(test_nobody_is_passed_over_more_often_than_the_window_allows),
        cmocka_unit_test(test_the_window_ends_after_four_places_per_worker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
