/* SPDX-License-Identifier: PostgreSQL */
/* metrics.c - /metrics. Tables of families; the samples of one family stand together, as the format
 * demands. */
#include "http/metrics.h"

#include "http/text.h"
#include "worker/snapshot.h"

#include <inttypes.h>
#include <stddef.h>

#define PREFIX "pgballast_"
#define COUNT_OF(table) (sizeof(table) / sizeof(table)[0])

enum family_kind { GAUGE, COUNTER, HISTOGRAM, STATESET, INFO };
enum family_unit { NONE, SECONDS, BYTES };

/* A metric's name without prefix, unit and "_total". */
struct family {
    const char *name;
    enum family_kind kind;
    enum family_unit unit; /* SECONDS: the value is in microseconds */
    size_t offset;         /* of a uint64_t in the row */
    const char *help;
};

static const char *const kind_words[] = {[GAUGE] = "gauge",
                                         [COUNTER] = "counter",
                                         [HISTOGRAM] = "histogram",
                                         [STATESET] = "stateset",
                                         [INFO] = "info"};
static const char *const unit_words[] = {[NONE] = "", [SECONDS] = "seconds", [BYTES] = "bytes"};
/* What a sample's name has that its family's has not. */
static const char *const suffixes[] = {
    [GAUGE] = "", [COUNTER] = "_total", [HISTOGRAM] = "", [STATESET] = "", [INFO] = "_info"};

/* ---- one family ------------------------------------------------------------------------ */

static void add_name(struct buf *page, const struct family *f)
{
    text_addf(page, PREFIX "%s%s%s", f->name, f->unit == NONE ? "" : "_", unit_words[f->unit]);
}

static void begin_family(struct buf *page, const struct family *f)
{
    text_add(page, "# TYPE ");
    add_name(page, f);
    text_addf(page, " %s\n", kind_words[f->kind]);
    if (f->unit != NONE) {
        text_add(page, "# UNIT ");
        add_name(page, f);
        text_addf(page, " %s\n", unit_words[f->unit]);
    }
    text_add(page, "# HELP ");
    add_name(page, f);
    text_addf(page, " %s\n", f->help);
}

static void begin_sample(struct buf *page, const struct family *f)
{
    add_name(page, f);
    text_add(page, suffixes[f->kind]);
}

static void add_value(struct buf *page, const struct family *f, uint64_t value)
{
    text_add(page, " ");
    if (f->unit == SECONDS)
        text_add_seconds(page, value);
    else
        text_addf(page, "%" PRIu64, value);
    text_add(page, "\n");
}

static uint64_t field(const void *row, const struct family *f)
{
    return *(const uint64_t *)(const void *)((const char *)row + f->offset);
}

/* ---- the process ----------------------------------------------------------------------- */

#define HERE(member) offsetof(struct snapshot, member)

static const struct family process_families[] = {
    {"clients", GAUGE, NONE, HERE(clients), "Connections of applications."},
    {"clients_unauthenticated", GAUGE, NONE, HERE(clients_unauthenticated),
     "Connections of applications that have not logged in yet."},
    {"servers", GAUGE, NONE, HERE(servers),
     "Connections to PostgreSQL, those being opened included."},
    {"max_servers", GAUGE, NONE, HERE(max_servers),
     "The most connections to PostgreSQL over all pools; 0 is no limit."},
};

static void add_single(struct buf *page, const struct family *f, uint64_t value)
{
    begin_family(page, f);
    begin_sample(page, f);
    add_value(page, f, value);
}

static void write_process(struct buf *page, const struct snapshot *s)
{
    static const struct family build = {"build", INFO, NONE, 0, "The program."};
    static const struct family pools = {"pools", GAUGE, NONE, 0, "Pools."};
    static const struct family unlisted = {
        "pools_not_listed", GAUGE, NONE, 0,
        "Pools without metrics of their own: there are too many."};
    begin_family(page, &build);
    begin_sample(page, &build);
    text_add(page, "{version=\"" PACKAGE_VERSION "\"}");
    add_value(page, &build, 1);
    for (size_t i = 0; i < COUNT_OF(process_families); i++)
        add_single(page, &process_families[i], field(s, &process_families[i]));
    add_single(page, &pools, s->n_pools_all);
    add_single(page, &unlisted, s->n_pools_all - s->n_pools);
}

/* ---- pools ----------------------------------------------------------------------------- */

#define POOL(member) offsetof(struct snapshot_pool, member)

static const struct family pool_families[] = {
    {"pool_clients", GAUGE, NONE, POOL(clients), "Clients that are logged in."},
    {"pool_clients_waiting", GAUGE, NONE, POOL(waiting), "Clients that wait for a server."},
    {"pool_oldest_wait", GAUGE, SECONDS, POOL(oldest_wait_us),
     "How long the first client of the queue has waited."},
    {"pool_size", GAUGE, NONE, POOL(size), "The most servers of the pool; 0 is no limit."},
    {"pool_reserve_used", GAUGE, NONE, POOL(reserve_used), "Servers beyond the size."},
    {"pool_servers_pinned", GAUGE, NONE, POOL(pinned),
     "Servers that stay with their client beyond a transaction."},
    {"pool_paused", GAUGE, NONE, POOL(paused), "Whether the pool is paused."},
    {"pool_disabled", GAUGE, NONE, POOL(disabled), "Whether the pool is disabled."},
    {"pool_served_at_once", COUNTER, NONE, POOL(served_at_once),
     "Requests for a server that found an idle one."},
    {"pool_queued", COUNTER, NONE, POOL(queued), "Requests for a server that had to wait."},
    {"pool_servers_passed_on", COUNTER, NONE, POOL(passed_on),
     "Servers closed in favour of another pool."},
    {"pool_servers_evicted", COUNTER, NONE, POOL(evicted),
     "Idle servers closed in favour of another pool."},
    {"server_assignments", COUNTER, NONE, POOL(total.server_assignment),
     "Times that a client was linked with a server."},
    {"transactions", COUNTER, NONE, POOL(total.xact), "Transactions."},
    {"queries", COUNTER, NONE, POOL(total.query),
     "Answers that ended with ReadyForQuery; a pipelined batch is one."},
    {"received", COUNTER, BYTES, POOL(total.received), "From clients."},
    {"sent", COUNTER, BYTES, POOL(total.sent), "To clients."},
    {"transaction_time", COUNTER, SECONDS, POOL(total.xact_time), "Spent in transactions."},
    {"query_time", COUNTER, SECONDS, POOL(total.query_time), "Spent in queries."},
    {"wait_time", COUNTER, SECONDS, POOL(total.wait_time), "That clients waited for a server."},
    {"client_parses", COUNTER, NONE, POOL(total.client_parse),
     "Named Parse messages from clients."},
    {"server_parses", COUNTER, NONE, POOL(total.server_parse), "Named Parse messages to servers."},
    {"binds", COUNTER, NONE, POOL(total.bind), "Bind messages of named statements."},
    {"client_logins", COUNTER, NONE, POOL(total.client_login), "Clients that have logged in."},
    {"handovers", COUNTER, NONE, POOL(total.handover), "Servers that changed threads."},
    {"clients_refused", COUNTER, NONE, POOL(total.refused),
     "Requests refused: queue full, waited too long, database out of reach."},
    {"errors", COUNTER, NONE, POOL(total.errors), "Errors of servers passed on to clients."},
    {"servers_opened", COUNTER, NONE, POOL(total.server_opened), "Log-ins at PostgreSQL."},
    {"servers_failed", COUNTER, NONE, POOL(total.server_failed),
     "Log-ins at PostgreSQL that failed."},
    {"cancels", COUNTER, NONE, POOL(total.canceled), "Cancel requests forwarded."},
};

static void begin_pool_labels(struct buf *page, const struct snapshot_pool *p)
{
    text_add(page, "{database=");
    text_add_label(page, p->database);
    text_add(page, ",user=");
    text_add_label(page, p->user);
}

static void write_pool_family(struct buf *page, const struct snapshot *s, const struct family *f)
{
    begin_family(page, f);
    for (size_t i = 0; i < s->n_pools; i++) {
        begin_sample(page, f);
        begin_pool_labels(page, &s->pools[i]);
        text_add(page, "}");
        add_value(page, f, field(&s->pools[i], f));
    }
}

/* Families with one more label. `offset` is relative to the row. */
struct labelled {
    const char *value;
    size_t offset;
};

static const struct family servers_family = {"pool_servers", GAUGE, NONE, 0, "Servers by state."};
static const struct labelled servers_by_state[] = {
    {"active", POOL(active)},
    {"idle", POOL(idle)},
    {"opening", POOL(opening)},
    {"closing", POOL(closing)},
};

static const struct family refusals_family = {"pool_refusals", COUNTER, NONE, 0,
                                              "Requests that the pool refused at once, by reason."};
static const struct labelled refusals_by_reason[] = {
    {"queue_full", POOL(refused[SNAPSHOT_REFUSED_QUEUE_FULL])},
    {"disabled", POOL(refused[SNAPSHOT_REFUSED_DISABLED])},
    {"draining", POOL(refused[SNAPSHOT_REFUSED_DRAINING])},
    {"pinned", POOL(refused[SNAPSHOT_REFUSED_PINNED])},
};

static void write_labelled(struct buf *page, const struct snapshot *s, const struct family *f,
                           const char *label, const struct labelled *each, size_t n)
{
    begin_family(page, f);
    for (size_t i = 0; i < s->n_pools; i++) {
        for (size_t j = 0; j < n; j++) {
            struct family one = *f;
            one.offset = each[j].offset;
            begin_sample(page, f);
            begin_pool_labels(page, &s->pools[i]);
            text_addf(page, ",%s=\"%s\"}", label, each[j].value);
            add_value(page, f, field(&s->pools[i], &one));
        }
    }
}

/* Their samples are named _bucket, _count and _sum. */
static const struct family latency_families[] = {
    [LATENCY_WAIT] = {"wait_duration", HISTOGRAM, SECONDS, 0,
                      "How long clients waited for a server, those who did not included."},
    [LATENCY_QUERY] = {"query_duration", HISTOGRAM, SECONDS, 0, "How long queries took."},
    [LATENCY_XACT] = {"transaction_duration", HISTOGRAM, SECONDS, 0, "How long transactions took."},
};

static void write_histogram(struct buf *page, const struct family *f, const struct snapshot_pool *p,
                            const struct snapshot_latency *l)
{
    static const struct family plain = {NULL, GAUGE, NONE, 0, NULL};
    static const struct family seconds = {NULL, GAUGE, SECONDS, 0, NULL};
    for (size_t i = 0; i < SNAPSHOT_BUCKETS; i++) {
        add_name(page, f);
        text_add(page, "_bucket");
        begin_pool_labels(page, p);
        text_add(page, ",le=\"");
        if (i + 1 < SNAPSHOT_BUCKETS)
            text_add_seconds(page, snapshot_bucket_us(i));
        else
            text_add(page, "+Inf");
        text_add(page, "\"}");
        add_value(page, &plain, l->cumulated[i]);
    }
    add_name(page, f);
    text_add(page, "_count");
    begin_pool_labels(page, p);
    text_add(page, "}");
    add_value(page, &plain, l->cumulated[SNAPSHOT_BUCKETS - 1]);
    add_name(page, f);
    text_add(page, "_sum");
    begin_pool_labels(page, p);
    text_add(page, "}");
    add_value(page, &seconds, l->sum_us);
}

static void write_histograms(struct buf *page, const struct snapshot *s)
{
    for (size_t kind = 0; kind < COUNT_OF(latency_families); kind++) {
        begin_family(page, &latency_families[kind]);
        for (size_t i = 0; i < s->n_pools; i++)
            write_histogram(page, &latency_families[kind], &s->pools[i],
                            &s->pools[i].latency[kind]);
    }
}

static void write_pools(struct buf *page, const struct snapshot *s)
{
    for (size_t i = 0; i < COUNT_OF(pool_families); i++)
        write_pool_family(page, s, &pool_families[i]);
    write_labelled(page, s, &servers_family, "state", servers_by_state, COUNT_OF(servers_by_state));
    write_labelled(page, s, &refusals_family, "reason", refusals_by_reason,
                   COUNT_OF(refusals_by_reason));
    write_histograms(page, s);
}

/* ---- targets --------------------------------------------------------------------------- */

#define TARGET(member) offsetof(struct snapshot_target, member)

static const struct family target_families[] = {
    {"target_connecting", GAUGE, NONE, TARGET(connecting), "Connections being opened."},
    {"target_failures", GAUGE, NONE, TARGET(failures), "Failed attempts in a row."},
    {"target_wakes", COUNTER, NONE, TARGET(wakes),
     "Times that it answered after it was asleep, failing or not known."},
};

static void begin_target_sample(struct buf *page, const struct family *f,
                                const struct snapshot_target *t)
{
    begin_sample(page, f);
    text_add(page, "{host=");
    text_add_label(page, t->host);
    text_addf(page, ",port=\"%u\"", (unsigned)t->port);
}

static void write_target_states(struct buf *page, const struct snapshot *s)
{
    static const struct family f = {"target_state", STATESET, NONE, 0,
                                    "What is known of a target."};
    begin_family(page, &f);
    for (size_t i = 0; i < s->n_targets; i++) {
        for (int state = 0; state < SNAPSHOT_TARGET_STATES; state++) {
            begin_target_sample(page, &f, &s->targets[i]);
            text_addf(page, "," PREFIX "target_state=\"%s\"}",
                      snapshot_target_state_name((enum snapshot_target_state)state));
            add_value(page, &f, s->targets[i].state == (enum snapshot_target_state)state);
        }
    }
}

static void write_breakers(struct buf *page, const struct snapshot *s)
{
    static const struct family f = {"target_breaker_open", GAUGE, NONE, 0,
                                    "Whether the circuit breaker is open or half-open."};
    begin_family(page, &f);
    for (size_t i = 0; i < s->n_targets; i++) {
        begin_target_sample(page, &f, &s->targets[i]);
        text_add(page, "}");
        add_value(page, &f, !s->targets[i].breaker_closed);
    }
}

static void write_targets(struct buf *page, const struct snapshot *s)
{
    for (size_t i = 0; i < COUNT_OF(target_families); i++) {
        begin_family(page, &target_families[i]);
        for (size_t j = 0; j < s->n_targets; j++) {
            begin_target_sample(page, &target_families[i], &s->targets[j]);
            text_add(page, "}");
            add_value(page, &target_families[i], field(&s->targets[j], &target_families[i]));
        }
    }
    write_target_states(page, s);
    write_breakers(page, s);
}

void metrics_write(struct buf *page, const struct snapshot *s)
{
    write_process(page, s);
    write_pools(page, s);
    write_targets(page, s);
    text_add(page, "# EOF\n");
}
