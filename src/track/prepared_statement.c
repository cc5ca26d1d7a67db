/* SPDX-License-Identifier: PostgreSQL */
/* prepared_statement.c - statements by content. */
#include "track/prepared.h"

#include "base/mem.h"
#include "base/str.h"
#include "proto/frame.h"
#include "proto/message.h"
#include "proto/writer.h"
#include "track/intern.h"
#include "track/parameters.h"

#include <stdio.h>
#include <stdlib.h>

/* Statements on servers are called this and their id. */
#define NAME_PREFIX "PGBALLAST_"

/* The tail is the Parse message from behind the statement's name: the query, NUL, Int16 number of
 * types, the types. With `params` it is the whole content. */
struct statement {
    struct intern intern; /* first; its id is the statement's */
    struct param_set *params;
    _Atomic uint64_t nonce; /* 0: may be shared; else nobody finds it */
    uint64_t age;           /* how often definitions had changed */
    struct sql_traits traits;
    size_t query_n;
    size_t tail_n;
    uint8_t tail[];
};

/* A statement that may exist already. */
struct content {
    struct span query, oids;
    unsigned n_oids;
    uint64_t fingerprint;
    uint64_t nonce;
    uint64_t age;
};

static _Atomic size_t bytes_total, count_total;
static _Atomic uint64_t last_nonce;

struct definitions {
    _Atomic uint64_t age;
};

/* By the database's name: clients may ask for any number of names. Two names that meet here outdate
 * each other's statements, which costs a Parse. */
static struct definitions all_definitions[1024];

struct definitions *definitions_of(const char *database)
{
    struct span name = span_str(database);
    size_t n = sizeof all_definitions / sizeof all_definitions[0];
    return &all_definitions[hash_bytes(name.p, name.n, 0) % n];
}

void definitions_changed(struct definitions *d)
{
    atomic_fetch_add(&d->age, 1);
}

static bool same_content(const struct intern *member, const void *probe)
{
    const struct statement *st = (const struct statement *)member;
    const struct content *c = probe;
    return atomic_load_explicit(&st->nonce, memory_order_relaxed) == c->nonce &&
           st->age == c->age && st->query_n == c->query.n &&
           st->tail_n == c->query.n + 3 + c->oids.n &&
           params_fingerprint(st->params) == c->fingerprint &&
           span_equal(span_of(st->tail, st->query_n), c->query) &&
           span_equal(span_of(st->tail + st->query_n + 3, c->oids.n), c->oids);
}

static struct intern_table statements = INTERN_TABLE(same_content, 1);

size_t statement_bytes(const struct statement *st)
{
    return sizeof *st + st->tail_n;
}

static uint64_t hash_content(const struct content *c)
{
    uint64_t h = hash_bytes(c->query.p, c->query.n, intern_seed() ^ c->fingerprint ^ c->nonce);
    return hash_bytes(c->oids.p, c->oids.n, h);
}

static struct statement *make_statement(const struct content *c, struct param_set *params)
{
    size_t tail_n = c->query.n + 3 + c->oids.n;
    struct statement *st = xmalloc(sizeof *st + tail_n);
    st->params = params ? params_parse_state(params) : NULL;
    st->nonce = c->nonce;
    st->age = c->age;
    st->traits = sql_traits_of(c->query, true);
    st->query_n = c->query.n;
    st->tail_n = tail_n;
    uint8_t *at = st->tail;
    if (c->query.n)
        memcpy(at, c->query.p, c->query.n);
    at += c->query.n;
    *at++ = 0;
    *at++ = (uint8_t)(c->n_oids >> 8);
    *at++ = (uint8_t)c->n_oids;
    if (c->oids.n)
        memcpy(at, c->oids.p, c->oids.n);
    return st;
}

static struct statement *publish(const struct content *c, uint64_t hash, struct param_set *params)
{
    struct statement *fresh = make_statement(c, params);
    struct statement *st = (struct statement *)intern_add(&statements, &fresh->intern, hash, c);
    if (st != fresh) {
        param_set_unref(&fresh->params);
        free(fresh);
        return st;
    }
    atomic_fetch_add_explicit(&bytes_total, statement_bytes(st), memory_order_relaxed);
    atomic_fetch_add_explicit(&count_total, 1, memory_order_relaxed);
    return st;
}

struct statement *statement_intern(struct span query, struct span oids, unsigned n_oids,
                                   struct param_set *params, const struct definitions *d)
{
    struct content c = {.query = query,
                        .oids = oids,
                        .n_oids = n_oids,
                        .fingerprint = params_fingerprint(params),
                        .age = atomic_load(&d->age)};
    uint64_t hash = hash_content(&c);
    struct statement *st = (struct statement *)intern_find(&statements, hash, &c);
    return st ? st : publish(&c, hash, params);
}

static uint64_t next_nonce(void)
{
    return atomic_fetch_add_explicit(&last_nonce, 1, memory_order_relaxed) + 1;
}

struct statement *statement_private(struct span query, struct span oids, unsigned n_oids)
{
    struct content c = {.query = query, .oids = oids, .n_oids = n_oids, .nonce = next_nonce()};
    return publish(&c, hash_content(&c), NULL);
}

void statement_outdate(struct statement *st)
{
    atomic_store_explicit(&st->nonce, next_nonce(), memory_order_relaxed);
}

void statement_settle(struct statement *st, struct param_set *params)
{
    if (!st->params)
        st->params = params_parse_state(params);
}

struct statement *statement_ref(struct statement *st)
{
    intern_ref(&st->intern);
    return st;
}

void statement_unref(struct statement **stp)
{
    struct statement *st = *stp;
    *stp = NULL;
    if (!st || !intern_unref(&statements, &st->intern))
        return;
    atomic_fetch_sub_explicit(&bytes_total, statement_bytes(st), memory_order_relaxed);
    atomic_fetch_sub_explicit(&count_total, 1, memory_order_relaxed);
    param_set_unref(&st->params);
    free(st);
}

uint64_t statement_id(const struct statement *st)
{
    return st->intern.id;
}

struct span statement_query(const struct statement *st)
{
    return span_of(st->tail, st->query_n);
}

struct sql_traits statement_traits(const struct statement *st)
{
    return st->traits;
}

struct param_set *statement_params(const struct statement *st)
{
    return st->params;
}

size_t statement_bytes_total(void)
{
    return atomic_load_explicit(&bytes_total, memory_order_relaxed);
}

size_t statement_count_total(void)
{
    return atomic_load_explicit(&count_total, memory_order_relaxed);
}

const char *statement_server_name(uint64_t id, char out[STATEMENT_NAME])
{
    char digits[20];
    size_t n = 0, at = sizeof NAME_PREFIX - 1;
    do {
        digits[n++] = (char)('0' + id % 10);
        id /= 10;
    } while (id);
    memcpy(out, NAME_PREFIX, at);
    while (n)
        out[at++] = digits[--n];
    out[at] = '\0';
    return out;
}

void statement_build_parse(struct buf *out, const struct statement *st)
{
    char name[STATEMENT_NAME];
    size_t mark = writer_begin(out, FE_PARSE);
    writer_cstr(out, span_str(statement_server_name(st->intern.id, name)));
    writer_bytes(out, span_of(st->tail, st->tail_n));
    writer_end(out, mark);
}

/* ---- provoked errors ------------------------------------------------------------------- */

/* Ends the client's name inside the provoked one: what stands behind it in a message depends on the
 * server's lc_messages. */
#define PROVOKE_END "_TSALLABGP"

/* The longest beginning of the name that fits and does not end inside a character of UTF-8: the
 * server would complain about that instead. */
static size_t cut_name(struct span name, size_t most)
{
    size_t n = name.n;
    if (n > most) {
        n = most;
        while (n && (name.p[n] & 0xc0) == 0x80)
            n--;
    }
    return n;
}

const char *statement_provoke_name(struct span name, char out[STATEMENT_PROVOKE_NAME])
{
    size_t around = strlen(STATEMENT_PROVOKE_UNDEFINED) + strlen(PROVOKE_END) + 1;
    size_t n = cut_name(name, STATEMENT_PROVOKE_NAME - around);
    snprintf(out, STATEMENT_PROVOKE_NAME, STATEMENT_PROVOKE_UNDEFINED "%.*s" PROVOKE_END, (int)n,
             (const char *)name.p);
    return out;
}

static const uint8_t *find(struct span in, const char *word)
{
    return in.n ? memmem(in.p, in.n, word, strlen(word)) : NULL;
}

bool statement_reword_provoked(struct span message, struct error *err)
{
    const uint8_t *at = find(message, STATEMENT_PROVOKE_UNDEFINED);
    if (!at)
        return false;
    at += strlen(STATEMENT_PROVOKE_UNDEFINED);
    struct span rest = span_of(at, (size_t)(message.p + message.n - at));
    /* The client's own name may contain the same word: the last one is ours. */
    const uint8_t *end = NULL;
    for (const uint8_t *next = find(rest, PROVOKE_END); next;) {
        end = next++;
        next = find(span_of(next, (size_t)(message.p + message.n - next)), PROVOKE_END);
    }
    if (!end)
        return false;
    error_set(err, SQLSTATE_UNDEFINED_STATEMENT, "prepared statement \"%.*s\" does not exist",
              (int)(end - at), (const char *)at);
    return true;
}

/* ---- our names in errors ---------------------------------------------------------------- */

/* The next name of a statement on servers in `in`, its digits included; n is 0: none. */
static struct span find_server_name(struct span in)
{
    const uint8_t *end = in.p + in.n;
    for (const uint8_t *at = find(in, NAME_PREFIX); at;) {
        const uint8_t *to = at + strlen(NAME_PREFIX);
        while (to < end && *to >= '0' && *to <= '9')
            to++;
        if (to > at + strlen(NAME_PREFIX))
            return span_of(at, (size_t)(to - at));
        at = find(span_of(to, (size_t)(end - to)), NAME_PREFIX);
    }
    return span_of(end, 0);
}

bool statement_reword_name(struct span message, struct span name, struct buf *out)
{
    if (message.n < FRAME_HEADER)
        return false;
    struct span rest = span_of(message.p + FRAME_HEADER, message.n - FRAME_HEADER);
    struct span ours = find_server_name(rest);
    if (!ours.n)
        return false;
    size_t mark = writer_begin(out, message.p[0]);
    for (; ours.n; ours = find_server_name(rest)) {
        size_t before = (size_t)(ours.p - rest.p);
        buf_append(out, rest.p, before);
        buf_append(out, name.p, name.n);
        rest = span_of(ours.p + ours.n, rest.n - before - ours.n);
    }
    buf_append(out, rest.p, rest.n);
    writer_end(out, mark);
    return true;
}
