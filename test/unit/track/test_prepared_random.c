/* SPDX-License-Identifier: PostgreSQL */
/* Random pipelines with errors, held against models that know no shortcuts. */
#include "prepared_fixture.h"

/* ---- the names of a client ---- */

#define MODEL_NAMES 4
#define MODEL_CHANGES 64

/* A change that is on its way. name < 0: of all names; statement NULL: it is taken away. */
struct model_change {
    int name;
    struct statement *statement;
    uint32_t serial;
    uint64_t unit;
};

struct names_model {
    struct client_statements cs;
    struct statement *confirmed[MODEL_NAMES];
    struct model_change changes[MODEL_CHANGES];
    size_t n;
    uint64_t unit;
};

static struct span model_name(int i)
{
    static const char *const names[MODEL_NAMES] = {"s", "t", "S", "u"};
    return span_str(names[i]);
}

static void model_apply(struct statement **held, const struct model_change *c)
{
    for (int i = 0; i < MODEL_NAMES; i++) {
        if (c->name < 0 || c->name == i)
            held[i] = c->statement;
    }
}

static void model_drop(struct names_model *m, size_t i)
{
    m->n--;
    memmove(m->changes + i, m->changes + i + 1, (m->n - i) * sizeof *m->changes);
}

static void model_check(const struct names_model *m)
{
    struct statement *held[MODEL_NAMES];
    unsigned n = 0;
    memcpy(held, m->confirmed, sizeof held);
    for (size_t i = 0; i < m->n; i++)
        model_apply(held, &m->changes[i]);
    for (int i = 0; i < MODEL_NAMES; i++) {
        assert_ptr_equal(client_statements_find(&m->cs, model_name(i)), held[i]);
        n += held[i] != NULL;
    }
    assert_int_equal(client_statements_count(&m->cs), n);
}

static void model_send(struct names_model *m, int name, struct statement *st)
{
    uint32_t serial;
    if (m->n == MODEL_CHANGES)
        return;
    if (name < 0)
        serial = client_statements_remove_all(&m->cs, m->unit);
    else if (st)
        serial = client_statements_define(&m->cs, model_name(name), st, m->unit, true);
    else
        serial = client_statements_remove(&m->cs, model_name(name), m->unit);
    if (serial)
        m->changes[m->n++] = (struct model_change){name, st, serial, m->unit};
}

/* The oldest unit that is on its way is over; of its changes those from a random one on are undone,
 * in their order. */
static void model_answer(struct names_model *m, uint64_t *seed, struct param_set *params)
{
    if (!m->n)
        return;
    uint64_t unit = m->changes[0].unit;
    size_t in_unit = 0;
    while (in_unit < m->n && m->changes[in_unit].unit == unit)
        in_unit++;
    size_t good = rand_next(seed) % (in_unit + 1);
    for (size_t i = good; i < in_unit; i++) {
        bool all = m->changes[good].name < 0;
        assert_int_equal(client_statements_undo(&m->cs, m->changes[good].serial), all);
        model_drop(m, good);
        model_check(m);
    }
    if (unit == m->unit)
        m->unit++;
    for (; good; good--) {
        model_apply(m->confirmed, &m->changes[0]);
        model_drop(m, 0);
    }
    client_statements_unit_over(&m->cs, unit, params);
}

static void test_names_are_what_the_changes_make_of_them(void **state)
{
    (void)state;
    uint64_t seed = rand_u64();
    print_message("seed %llu\n", (unsigned long long)seed);
    struct param_set *params = param_set_empty();
    struct statement *sts[] = {intern("select 1", params), intern("select 2", params)};
    struct names_model m = {.unit = 1};
    client_statements_init(&m.cs);
    for (int round = 0; round < 20000; round++) {
        int name = (int)(rand_next(&seed) % MODEL_NAMES);
        switch (rand_next(&seed) % 16) {
        case 0:
            model_send(&m, -1, NULL);
            break;
        case 1:
        case 2:
            m.unit++;
            break;
        case 3:
        case 4:
            model_answer(&m, &seed, params);
            break;
        case 5:
        case 6:
        case 7:
        case 8:
        case 9:
            model_send(&m, name, NULL);
            break;
        default:
            model_send(&m, name, sts[rand_next(&seed) % ROWS(sts)]);
        }
        model_check(&m);
    }
    client_statements_settle(&m.cs, params);
    model_check(&m);
    client_statements_fini(&m.cs);
    for (size_t i = 0; i < ROWS(sts); i++)
        statement_unref(&sts[i]);
    param_set_unref(&params);
    assert_int_equal(statement_count_total(), 0);
}

/* ---- what a server has ---- */

/* A server and what is on its way to it; ids count from 1. */
#define PIPE_IDS 6
#define PIPE_MAX 400

enum pipe_kind { PIPE_PARSE, PIPE_CLOSE, PIPE_DROP_ALL, PIPE_USE, PIPE_ERROR, PIPE_SYNC };

struct pipe_op {
    enum pipe_kind kind;
    uint64_t id;
};

struct pipe_model {
    struct server_statements ss;
    bool has[PIPE_IDS + 1];
    struct pipe_op ops[PIPE_MAX];
    size_t n;
    bool skipping; /* a Sync is missing */
    uint64_t unit, first_unit;
};

static void pipe_done(struct pipe_model *m, struct pipe_op op)
{
    switch (op.kind) {
    case PIPE_PARSE:
        assert_false(m->has[op.id]);
        m->has[op.id] = true;
        server_statements_parsed(&m->ss, op.id);
        break;
    case PIPE_CLOSE:
        m->has[op.id] = false;
        server_statements_closed(&m->ss, op.id);
        break;
    case PIPE_DROP_ALL:
        memset(m->has, 0, sizeof m->has);
        server_statements_dropped(&m->ss, true);
        break;
    case PIPE_USE:
        assert_true(m->has[op.id]);
        break;
    case PIPE_SYNC:
        m->first_unit++;
        break;
    case PIPE_ERROR:
        m->skipping = true;
        break;
    }
    for (uint64_t id = 1; id <= PIPE_IDS; id++)
        assert_int_equal(server_statements_has(&m->ss, id), m->has[id]);
}

static void pipe_skipped(struct pipe_model *m, struct pipe_op op)
{
    if (op.kind == PIPE_PARSE || op.kind == PIPE_CLOSE)
        server_statements_undone(&m->ss, op.id);
    if (op.kind == PIPE_DROP_ALL)
        server_statements_drop_undone(&m->ss);
}

static void pipe_answer(struct pipe_model *m)
{
    size_t n = 0;
    pipe_done(m, m->ops[n++]);
    while (m->skipping && n < m->n) {
        if (m->ops[n].kind == PIPE_SYNC)
            m->skipping = false;
        else
            pipe_skipped(m, m->ops[n++]);
    }
    m->n -= n;
    memmove(m->ops, m->ops + n, m->n * sizeof *m->ops);
}

/* True if it is not skipped at once. */
static bool pipe_send(struct pipe_model *m, enum pipe_kind kind, uint64_t id)
{
    struct pipe_op op = {kind, id};
    if (kind == PIPE_CLOSE)
        server_statements_remove(&m->ss, id, m->unit);
    if (kind == PIPE_SYNC) {
        m->skipping = false;
        m->unit++;
    }
    if (m->skipping) {
        pipe_skipped(m, op);
        return false;
    }
    assert_true(m->n < PIPE_MAX);
    m->ops[m->n++] = op;
    return true;
}

/* As relay/provide.c does. */
static void pipe_use(struct pipe_model *m, uint64_t id)
{
    uint64_t goes, unit = server_statements_unit(&m->ss, id);
    bool uncertain = unit >= m->first_unit && unit < m->unit;
    bool will = server_statements_touch(&m->ss, id);
    if (!will || uncertain) {
        if (will || uncertain)
            pipe_send(m, PIPE_CLOSE, id);
        server_statements_add(&m->ss, id, m->unit, 0);
        while ((goes = server_statements_excess(&m->ss)) && pipe_send(m, PIPE_CLOSE, goes))
            ;
        pipe_send(m, PIPE_PARSE, id);
    }
    pipe_send(m, PIPE_USE, id);
}

static void test_what_is_counted_on_is_there_whatever_was_skipped(void **state)
{
    (void)state;
    uint64_t seed = rand_u64();
    print_message("seed %llu\n", (unsigned long long)seed);
    for (unsigned cap = 1; cap <= 4; cap++) {
        struct pipe_model m = {.unit = 1, .first_unit = 1};
        server_statements_init(&m.ss, cap);
        for (int round = 0; round < 20000; round++) {
            unsigned what = (unsigned)(rand_next(&seed) % 20);
            if (what < 8 && m.n < PIPE_MAX - 2 * PIPE_IDS)
                pipe_use(&m, 1 + rand_next(&seed) % PIPE_IDS);
            else if (what < 10 && m.n < PIPE_MAX - 1)
                pipe_send(&m, PIPE_ERROR, 0);
            else if (what < 12 && m.n < PIPE_MAX - 1)
                pipe_send(&m, PIPE_SYNC, 0);
            else if (what == 12 && m.n < PIPE_MAX - 1) {
                server_statements_drop_all(&m.ss, m.unit);
                pipe_send(&m, PIPE_DROP_ALL, 0);
            } else if (m.n)
                pipe_answer(&m);
        }
        while (m.n)
            pipe_answer(&m);
        unsigned n = server_statements_count(&m.ss);
        server_statements_settle(&m.ss);
        assert_int_equal(server_statements_count(&m.ss), n);
        server_statements_fini(&m.ss);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_what_the_changes_make_of_them),
        cmocka_unit_test(test_what_is_counted_on_is_there_whatever_was_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
