/* SPDX-License-Identifier: PostgreSQL */
/* Random operations on a pool, each decision compared with an obvious slow model: plain arrays,
 * searched from end to end, nothing kept that can be counted. */
#include "pool/pool.h"

#include "pool_fixture.h"

#include "base/clock.h"
#include "base/rand.h"

#include <stdlib.h>
#include <string.h>

#define WORKERS 3
#define CLIENTS 14
#define SERVERS 8
#define STEPS 3000
#define RUNS 60

struct model_server {
    enum pool_server_state state;
    unsigned worker;
    unsigned generation;
    uint64_t idle_at; /* a step number: no two alike */
    int promised_to;  /* client, while PROMISED, DEAD or MOVING */
};

struct model_client {
    enum pool_waiter_state state;
    int server; /* linked or promised, or -1 */
    uint64_t since;
    unsigned passed_over;
};

struct model {
    struct pool_settings set;
    bool paused;
    unsigned generation;
    uint64_t step;
    struct model_server s[SERVERS];
    struct model_client c[CLIENTS];
    int queue[CLIENTS]; /* oldest first */
    unsigned n_queue;
};

struct run {
    struct pool *p;
    uint64_t seed;
    struct model m;
    struct pool_server s[SERVERS];
    struct pool_waiter c[CLIENTS];
    uint64_t next_id;
};

static unsigned worker_of(int client)
{
    return (unsigned)client % WORKERS;
}

/* ---- the model ---- */

static unsigned model_count(const struct model *m, enum pool_server_state state)
{
    unsigned n = 0;

    for (unsigned i = 0; i < SERVERS; i++)
        n += m->s[i].state == state;
    return n;
}

static unsigned model_total(const struct model *m)
{
    return SERVERS - model_count(m, POOL_SERVER_GONE);
}

static unsigned model_staying(const struct model *m)
{
    return model_total(m) - model_count(m, POOL_SERVER_DEAD) -
           model_count(m, POOL_SERVER_CONDEMNED) - model_count(m, POOL_SERVER_CLOSING);
}

/* The idle server of a worker that became so first or last; -1: none. */
static int model_idle(const struct model *m, unsigned worker, bool newest)
{
    int best = -1;

    for (int i = 0; i < SERVERS; i++) {
        if (m->s[i].state != POOL_SERVER_IDLE || m->s[i].worker != worker)
            continue;
        if (best < 0 || (m->s[i].idle_at > m->s[best].idle_at) == newest)
            best = i;
    }
    return best;
}

static unsigned model_n_idle(const struct model *m, unsigned worker)
{
    unsigned n = 0;

    for (int i = 0; i < SERVERS; i++)
        n += m->s[i].state == POOL_SERVER_IDLE && m->s[i].worker == worker;
    return n;
}

static void model_queue_remove(struct model *m, unsigned place)
{
    memmove(&m->queue[place], &m->queue[place + 1], (--m->n_queue - place) * sizeof(m->queue[0]));
}

static void model_queue_insert(struct model *m, int client, bool again)
{
    unsigned place = m->n_queue;

    if (again) {
        place = 0;
        while (place < m->n_queue && m->c[m->queue[place]].since <= m->c[client].since)
            place++;
    }
    memmove(&m->queue[place + 1], &m->queue[place], (m->n_queue - place) * sizeof(m->queue[0]));
    m->queue[place] = client;
    m->n_queue++;
    m->c[client].state = POOL_WAITER_QUEUED;
}

static enum pool_acquired model_acquire(struct model *m, int client, bool again, int *server_out)
{
    struct model_client *c = &m->c[client];
    unsigned longest = 0;

    c->state = POOL_WAITER_NONE;
    c->server = -1;
    if (!again) {
        c->since = m->step;
        c->passed_over = 0;
    }
    *server_out = model_idle(m, worker_of(client), true);
    for (unsigned w = 1; w < WORKERS; w++) {
        if (model_n_idle(m, w) > model_n_idle(m, longest))
            longest = w;
    }
    if (m->n_queue > 0 || m->paused || model_n_idle(m, longest) == 0) {
        if (!again && m->n_queue >= m->set.max_wait_queue)
            return POOL_REFUSE;
        model_queue_insert(m, client, again);
        return POOL_WAIT;
    }
    if (*server_out >= 0) {
        m->s[*server_out].state = POOL_SERVER_LINKED;
        c->server = *server_out;
        return POOL_TAKE;
    }
    *server_out = model_idle(m, longest, false);
    m->s[*server_out].state = POOL_SERVER_PROMISED;
    c->server = *server_out;
    c->state = POOL_WAITER_PROMISED;
    return POOL_ASK;
}

/* The place in the queue that a server of this worker goes to. */
static unsigned model_choose(struct model *m, unsigned worker)
{
    unsigned places = m->set.window * WORKERS;
    unsigned i = 0;

    while (i < m->n_queue && i < places && worker_of(m->queue[i]) != worker)
        i++;
    if (i == m->n_queue || i >= places)
        return 0;
    for (unsigned k = 0; k < i; k++) {
        if (m->c[m->queue[k]].passed_over >= places)
            return 0;
    }
    for (unsigned k = 0; k < i; k++)
        m->c[m->queue[k]].passed_over++;
    return i;
}

static enum pool_released model_release(struct model *m, int server, int *client_out)
{
    struct model_server *s = &m->s[server];

    *client_out = -1;
    if (s->generation != m->generation || model_staying(m) > m->set.size) {
        s->state = POOL_SERVER_CLOSING;
        return POOL_CLOSE;
    }
    if (m->n_queue == 0 || m->paused) {
        s->state = POOL_SERVER_IDLE;
        s->idle_at = m->step;
        return POOL_KEEP;
    }
    unsigned place = model_choose(m, s->worker);
    int client = *client_out = m->queue[place];

    model_queue_remove(m, place);
    m->c[client].server = server;
    if (worker_of(client) == s->worker) {
        m->c[client].state = POOL_WAITER_NONE;
        return POOL_GIVE_LOCAL;
    }
    m->c[client].state = POOL_WAITER_PROMISED;
    s->state = POOL_SERVER_MOVING;
    s->promised_to = client;
    return POOL_GIVE_AWAY;
}

/* ---- both, compared ---- */

static void compare_acquire(struct run *run, int client, bool again, const struct pool_decision *d)
{
    int server;

    assert_int_equal(d->what, model_acquire(&run->m, client, again, &server));
    if (d->what == POOL_TAKE)
        assert_ptr_equal(d->server, &run->s[server]);
    if (d->what == POOL_ASK) {
        assert_int_equal(d->server_id, run->s[server].id);
        assert_int_equal(d->server_worker, run->m.s[server].worker);
        run->m.s[server].promised_to = client;
    }
    if (d->what == POOL_REFUSE)
        assert_int_equal(d->reason, POOL_REFUSED_QUEUE_FULL);
}

static void compare_release(struct run *run, int server, const struct pool_release *r)
{
    int client;

    assert_int_equal(r->what, model_release(&run->m, server, &client));
    if (r->what == POOL_GIVE_LOCAL)
        assert_ptr_equal(r->waiter, &run->c[client]);
    if (r->what == POOL_GIVE_AWAY) {
        assert_int_equal(r->client_id, run->c[client].id);
        assert_int_equal(r->client_worker, worker_of(client));
    }
}

static unsigned pick(uint64_t *seed, unsigned n)
{
    return (unsigned)(rand_next(seed) % n);
}

/* A server in this state, or -1. */
static int some_server(struct run *run, enum pool_server_state state)
{
    unsigned start = pick(&run->seed, SERVERS);

    for (unsigned i = 0; i < SERVERS; i++) {
        if (run->m.s[(start + i) % SERVERS].state == state)
            return (int)((start + i) % SERVERS);
    }
    return -1;
}

/* A client that is linked, or neither linked nor waiting. */
static int some_client(struct run *run, bool linked)
{
    unsigned start = pick(&run->seed, CLIENTS);

    for (unsigned i = 0; i < CLIENTS; i++) {
        const struct model_client *c = &run->m.c[(start + i) % CLIENTS];

        if (c->state == POOL_WAITER_NONE && (c->server >= 0) == linked)
            return (int)((start + i) % CLIENTS);
    }
    return -1;
}

static void do_acquire(struct run *run)
{
    int client = some_client(run, false);
    struct pool_decision d;

    if (client < 0)
        return;
    pool_acquire(run->p, &run->c[client], run->m.step, &d);
    compare_acquire(run, client, false, &d);
}

static void release_linked(struct run *run, int server)
{
    struct pool_release r;

    pool_release(run->p, &run->s[server], run->m.step, &r);
    compare_release(run, server, &r);
}

static void do_release(struct run *run)
{
    int client = some_client(run, true);

    if (client < 0)
        return;
    int server = run->m.c[client].server;
    run->m.c[client].server = -1;
    release_linked(run, server);
}

static void do_leave(struct run *run)
{
    int client = (int)pick(&run->seed, CLIENTS);
    struct model_client *c = &run->m.c[client];
    static const enum pool_cancelled expected[] = {
        [POOL_WAITER_NONE] = POOL_WAS_NOT_WAITING,
        [POOL_WAITER_QUEUED] = POOL_WAIT_REMOVED,
        [POOL_WAITER_PROMISED] = POOL_WAIT_PROMISED,
    };

    assert_int_equal(pool_cancel_wait(run->p, &run->c[client]), expected[c->state]);
    for (unsigned i = 0; i < run->m.n_queue; i++) {
        if (run->m.queue[i] == client)
            model_queue_remove(&run->m, i--);
    }
    if (c->state == POOL_WAITER_PROMISED)
        c->server = -1;
    c->state = POOL_WAITER_NONE;
}

static void do_deliver_wanted(struct run *run)
{
    int server = some_server(run, POOL_SERVER_PROMISED);

    if (server < 0)
        return;
    assert_true(pool_wanted(run->p, &run->s[server]));
    run->m.s[server].state = POOL_SERVER_MOVING;
}

static void do_deliver_handed(struct run *run)
{
    int server = some_server(run, POOL_SERVER_MOVING);

    if (server < 0)
        return;
    struct model_server *s = &run->m.s[server];
    struct model_client *c = &run->m.c[s->promised_to];
    bool awaited = c->state == POOL_WAITER_PROMISED && c->server == server;
    unsigned worker = worker_of(s->promised_to);

    assert_int_equal(pool_handed(run->p, &run->s[server], worker, &run->c[s->promised_to]),
                     awaited);
    s->state = POOL_SERVER_LINKED;
    s->worker = worker;
    if (awaited)
        c->state = POOL_WAITER_NONE;
    else
        release_linked(run, server);
}

static void closed(struct run *run, int server)
{
    pool_closed(run->p, &run->s[server], run->m.step);
    run->m.s[server].state = POOL_SERVER_GONE;
}

static void do_deliver_wanted_to_the_dead(struct run *run)
{
    int server = some_server(run, POOL_SERVER_DEAD);
    struct pool_decision d;

    if (server < 0)
        return;
    int client = run->m.s[server].promised_to;
    struct model_client *c = &run->m.c[client];
    bool awaited = c->state == POOL_WAITER_PROMISED && c->server == server;

    assert_false(pool_wanted(run->p, &run->s[server]));
    closed(run, server);
    assert_int_equal(pool_gone(run->p, &run->c[client], run->s[server].id, run->m.step, &d),
                     awaited);
    if (awaited)
        compare_acquire(run, client, true, &d);
}

static void do_die(struct run *run)
{
    static const enum pool_server_state mortal[] = {POOL_SERVER_IDLE, POOL_SERVER_PROMISED,
                                                    POOL_SERVER_CONDEMNED};
    int server = some_server(run, mortal[pick(&run->seed, 3)]);

    if (server < 0)
        return;
    struct model_server *s = &run->m.s[server];
    bool promised = s->state == POOL_SERVER_PROMISED;

    assert_int_equal(pool_idle_died(run->p, &run->s[server]),
                     promised ? POOL_DIED_PROMISED : POOL_DIED_REMOVED);
    s->state = promised ? POOL_SERVER_DEAD : POOL_SERVER_CLOSING;
}

static void do_close(struct run *run)
{
    static const enum pool_server_state ending[] = {POOL_SERVER_CLOSING, POOL_SERVER_OPENING,
                                                    POOL_SERVER_LINKED};
    int server = some_server(run, ending[pick(&run->seed, 3)]);

    if (server < 0)
        return;
    for (int i = 0; i < CLIENTS; i++) {
        if (run->m.c[i].server == server && run->m.c[i].state == POOL_WAITER_NONE)
            run->m.c[i].server = -1;
    }
    closed(run, server);
}

static void do_dial(struct run *run)
{
    const struct model *m = &run->m;
    struct pool_dial_answer a;
    enum pool_dial expected = POOL_DIAL_RESERVED;
    int server = some_server(run, POOL_SERVER_GONE);

    if (m->paused)
        expected = POOL_DIAL_PAUSED;
    else if (m->n_queue <= model_count(m, POOL_SERVER_OPENING))
        expected = POOL_DIAL_NOT_NEEDED;
    else if (model_total(m) >= m->set.size)
        expected = POOL_DIAL_FULL;
    assert_int_equal(pool_reserve_dial(run->p, m->step, &a), expected == POOL_DIAL_RESERVED);
    assert_int_equal(a.what, expected);
    if (expected != POOL_DIAL_RESERVED)
        return;
    unsigned worker = pick(&run->seed, WORKERS);
    pool_server_init(&run->s[server], run->next_id++, worker, a.generation);
    run->m.s[server] = (struct model_server){
        .state = POOL_SERVER_OPENING, .worker = worker, .generation = m->generation};
}

static void do_opened(struct run *run)
{
    int server = some_server(run, POOL_SERVER_OPENING);
    struct pool_release r;

    if (server < 0)
        return;
    pool_opened(run->p, &run->s[server], run->m.step, &r);
    run->m.s[server].state = POOL_SERVER_LINKED;
    compare_release(run, server, &r);
}

static void do_sweep(struct run *run)
{
    unsigned worker = pick(&run->seed, WORKERS);
    struct pool_server *s = pool_take_expired(run->p, worker, run->m.step);
    bool condemned = false;

    for (int i = 0; i < SERVERS; i++) {
        if (run->m.s[i].state == POOL_SERVER_CONDEMNED && run->m.s[i].worker == worker)
            condemned = true;
    }
    if (!condemned &&
        (model_staying(&run->m) <= run->m.set.size || model_n_idle(&run->m, worker) == 0)) {
        assert_null(s);
        return;
    }
    assert_non_null(s);
    int server = (int)(s - run->s);
    assert_int_equal(run->m.s[server].worker, worker);
    if (condemned)
        assert_int_equal(run->m.s[server].state, POOL_SERVER_CONDEMNED);
    else
        assert_int_equal(server, model_idle(&run->m, worker, false));
    run->m.s[server].state = POOL_SERVER_CLOSING;
}

static void do_recycle(struct run *run)
{
    uint64_t expected = 0;

    for (int i = 0; i < SERVERS; i++) {
        if (run->m.s[i].state != POOL_SERVER_IDLE)
            continue;
        expected |= UINT64_C(1) << run->m.s[i].worker;
        run->m.s[i].state = POOL_SERVER_CONDEMNED;
    }
    run->m.generation++;
    assert_int_equal(pool_recycle(run->p), expected);
}

static void do_resize(struct run *run)
{
    run->m.set.size = 1 + pick(&run->seed, SERVERS);
    pool_set_limits(run->p, &run->m.set, run->m.step);
}

static void do_pause_and_resume(struct run *run)
{
    if (!run->m.paused) {
        pool_pause(run->p, POOL_PAUSE_KEEP);
        run->m.paused = true;
        return;
    }
    run->m.paused = false;
    uint64_t workers = pool_resume(run->p);
    for (unsigned w = 0; w < WORKERS; w++) {
        struct pool_server *s;
        struct pool_release r;

        assert_int_equal((workers >> w) & 1, run->m.n_queue > 0 && model_n_idle(&run->m, w) > 0);
        while (pool_serve(run->p, w, run->m.step, &s, &r)) {
            int server = model_idle(&run->m, w, true);

            assert_ptr_equal(s, &run->s[server]);
            run->m.s[server].state = POOL_SERVER_LINKED;
            compare_release(run, server, &r);
        }
        /* The bits were set by the queue as it was before. */
        if (run->m.n_queue == 0)
            break;
    }
}

static void compare_counts(struct run *run)
{
    struct pool_numbers n = numbers(run->p, run->m.step);
    const struct model *m = &run->m;

    assert_sound(run->p);
    assert_int_equal(n.waiting, m->n_queue);
    assert_int_equal(n.idle, model_count(m, POOL_SERVER_IDLE));
    assert_int_equal(n.active, model_count(m, POOL_SERVER_LINKED));
    assert_int_equal(n.opening, model_count(m, POOL_SERVER_OPENING));
    for (int i = 0; i < SERVERS; i++)
        assert_int_equal(run->s[i].state, m->s[i].state);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(run->c[i].state, m->c[i].state);
        assert_int_equal(run->c[i].passed_over, m->c[i].passed_over);
    }
}

static void one_run(struct run *run, uint64_t seed)
{
    /* What happens often stands here more than once; the last three are drawn twice. */
    /* clang-format off */
    static void (*const ops[])(struct run *) = {
        do_acquire, do_acquire, do_acquire, do_release, do_release, do_release, do_dial, do_dial,
        do_opened, do_opened, do_deliver_wanted, do_deliver_wanted, do_deliver_handed,
        do_deliver_handed, do_deliver_wanted_to_the_dead, do_close, do_sweep, do_leave, do_die,
        do_recycle, do_resize, do_pause_and_resume,
    };
    /* clang-format on */
    enum { OPS = sizeof(ops) / sizeof(ops[0]), SELDOM = 3 };
    struct pool_settings set = sized(1 + (uint32_t)(seed % SERVERS));

    set.min = 0;
    set.max_wait_queue = CLIENTS - 4;
    set.window = seed % 4 == 0 ? 0 : 1 + seed % 2;
    *run = (struct run){.seed = seed, .next_id = 1, .m = {.set = set, .step = 1}};
    run->p = pool_with(WORKERS, set, NULL);
    for (int i = 0; i < CLIENTS; i++) {
        run->c[i] = client_of(1000 + (uint64_t)i, worker_of(i));
        run->m.c[i].server = -1;
    }
    for (unsigned i = 0; i < STEPS; i++, run->m.step++) {
        unsigned op = pick(&run->seed, OPS);

        if (op >= OPS - SELDOM)
            op = pick(&run->seed, OPS);
        ops[op](run);
        compare_counts(run);
    }
    for (int i = 0; i < CLIENTS; i++)
        pool_cancel_wait(run->p, &run->c[i]);
    close_all(run->p, run->s, SERVERS);
    pool_free(&run->p);
}

static void test_random_operations_decide_as_the_obvious_model_does(void **state)
{
    (void)state;
    const char *given = getenv("POOL_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : clock_wall_us();
    struct run *run = malloc(sizeof(*run));

    assert_non_null(run);
    print_message("seed %llu (POOL_SEED repeats it)\n", (unsigned long long)seed);
    for (unsigned i = 0; i < RUNS; i++)
        one_run(run, seed + i);
    free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations_decide_as_the_obvious_model_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
