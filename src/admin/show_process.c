/* SPDX-License-Identifier: PostgreSQL */
/* show_process.c - rows about what the process holds: memory, and names of hosts. */
#include "admin/show_process.h"

#include "admin/show_columns.h"
#include "base/buf.h"
#include "base/clock.h"
#include "net/addr_list.h"
#include "setup/setup.h"
#include "worker/census.h"
#include "worker/inspect.h"
#include "worker/worker.h"

#include <malloc.h>
#include <string.h>

/* ---- memory ---------------------------------------------------------------------------- */

static void count_database(const struct inspect_database *row, void *arg)
{
    (void)row;
    ++*(int64_t *)arg;
}

/* In KiB, which is what its column can hold. */
static void add_heap(struct rows *rows)
{
    struct mallinfo2 heap = mallinfo2();
    struct show_mem row = {
        .name = "heap",
        .size = 1024,
        .used = (int64_t)(heap.uordblks + heap.hblkhd) / 1024,
        .free = (int64_t)heap.fordblks / 1024,
        .memtotal = (int64_t)(heap.arena + heap.hblkhd),
    };
    rows_add(rows, &row);
}

/* Objects are not kept when they are not used; what they point to is part of the heap only. */
void show_memory(struct relay *r, const struct census_totals *totals, struct rows *rows)
{
    struct look_sizes sizes;
    const struct config *cfg = setup_config(relay_setup(r));
    int64_t n_databases = 0;
    look_sizes(&sizes);
    inspect_databases(r, count_database, &n_databases);
    const struct {
        const char *name;
        size_t size;
        int64_t used;
    } kinds[] = {
        {"db_cache", sizeof(struct config_database), n_databases},
        {"peer_cache", sizeof(struct config_peer), HASH_COUNT(cfg->peers)},
        {"pool_cache", sizes.pool, totals->pools},
        {"server_cache", sizes.server, totals->servers},
        {"client_cache", sizes.client, totals->clients},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct show_mem row = {.name = kinds[i].name, .size = (int64_t)kinds[i].size};
        row.used = kinds[i].used;
        row.memtotal = row.size * row.used;
        rows_add(rows, &row);
    }
    add_heap(rows);
}

/* ---- names ----------------------------------------------------------------------------- */

struct names_run {
    uint64_t now_us;
    struct rows *rows;
};

/* "address,address": owned by b, with a NUL. */
static const char *list_text(const struct addr_list *list, struct buf *b)
{
    char text[ADDR_TEXT];
    for (size_t i = 0; list && i < list->n; i++) {
        const char *address = addr_host_text(&list->each[i], text, sizeof text);
        if (i)
            buf_append(b, ",", 1);
        buf_append(b, address, strlen(address));
    }
    buf_append(b, "", 1);
    return (const char *)buf_span(b).p;
}

static void add_name(const struct resolver_name *row, void *arg)
{
    const struct names_run *run = arg;
    struct buf addrs = {0};
    uint64_t left = row->expires_us > run->now_us ? row->expires_us - run->now_us : 0;
    struct show_dns_host host = {
        .hostname = row->name,
        .ttl = (int64_t)(left / US_PER_S),
        .addrs = list_text(row->addresses, &addrs),
    };
    rows_add(run->rows, &host);
    buf_reset(&addrs);
}

void show_names(struct relay *r, uint64_t now_us, struct rows *rows)
{
    struct names_run run = {.now_us = now_us, .rows = rows};
    inspect_names(r, add_name, &run);
}

static void add_zone(const struct resolver_zone *row, void *arg)
{
    struct show_dns_zone zone = {
        .zonename = row->name, .serial = row->serial, .count = row->n_names};
    rows_add(arg, &zone);
}

void show_zones(struct relay *r, struct rows *rows)
{
    inspect_zones(r, add_zone, rows);
}

static void count_zone(const struct resolver_zone *row, void *arg)
{
    (void)row;
    ++*(int64_t *)arg;
}

int64_t show_count_zones(struct relay *r)
{
    int64_t n = 0;
    inspect_zones(r, count_zone, &n);
    return n;
}

struct counts {
    int64_t names, asked;
};

static void count_name(const struct resolver_name *row, void *arg)
{
    struct counts *counts = arg;
    counts->names++;
    counts->asked += row->is_asked_for;
}

void show_count_names(struct relay *r, int64_t *names_out, int64_t *asked_out)
{
    struct counts counts = {0};
    inspect_names(r, count_name, &counts);
    *names_out = counts.names;
    *asked_out = counts.asked;
}
