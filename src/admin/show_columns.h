/* SPDX-License-Identifier: PostgreSQL */
/* show_columns.h - the table of everything that SHOW knows: names, columns, types.
 *
 * Names, order and types are PgBouncer's where it has them (also where they are irregular, because
 * monitoring reads by name); the structs are what the columns take their values from. */
#ifndef ADMIN_SHOW_COLUMNS_H
#define ADMIN_SHOW_COLUMNS_H

#include "admin/rows.h"
#include "base/span.h"
#include "stats/sums.h"

enum show {
    SHOW_ACTIVE_SOCKETS,
    SHOW_CLIENTS,
    SHOW_CONFIG,
    SHOW_DATABASES,
    SHOW_DNS_HOSTS,
    SHOW_DNS_ZONES,
    SHOW_ERRORS,
    SHOW_EVENTS,
    SHOW_FDS,
    SHOW_HEALTH,
    SHOW_HELP,
    SHOW_LATENCY,
    SHOW_LISTS,
    SHOW_MEM,
    SHOW_PEERS,
    SHOW_PEER_POOLS,
    SHOW_POOLS,
    SHOW_SERVERS,
    SHOW_SETTINGS,
    SHOW_SOCKETS,
    SHOW_STATE,
    SHOW_STATS,
    SHOW_STATS_AVERAGES,
    SHOW_STATS_TOTALS,
    SHOW_TARGETS,
    SHOW_TOTALS,
    SHOW_USERS,
    SHOW_VERSION,
    /* Settings that drivers probe; the values are fixed. */
    SHOW_CLIENT_ENCODING,
    SHOW_DATESTYLE,
    SHOW_DEFAULT_TRANSACTION_ISOLATION,
    SHOW_STANDARD_CONFORMING_STRINGS,
    SHOW_TIMEZONE,
    SHOW_COUNT
};

struct show_row {
    const char *name;       /* in lower case */
    struct columns columns; /* none: it answers with a notice, or is refused */
    unsigned n_keys;
    const uint8_t *keys; /* the numbers of the columns by which rows are sorted */
    const char *probe;   /* the value of a setting that drivers probe, else NULL */
};

const struct show_row *show_at(enum show what);
/* By name, in any case; false if there is no such thing. */
bool show_find(struct span name, enum show *out) __attribute__((warn_unused_result));

/* ---- rows ---- */

struct show_socket {
    const char *type, *user, *database, *replication, *state, *addr, *local_addr, *connect_time,
        *request_time, *ptr, *link, *tls, *application_name;
    int64_t port, local_port, wait, wait_us, close_needed, remote_pid, prepared_statements, id;
    int64_t recv_pos, pkt_pos, pkt_remain, send_pos, send_remain, pkt_avail, send_avail;
};

/* A descriptor; nobody gets it, and what proves a user stays here. */
struct show_fd {
    const char *task, *user, *database, *addr, *client_encoding, *std_strings, *datestyle,
        *timezone;
    const char *secret; /* always NULL */
    int64_t fd, port, cancel, link;
};

struct show_stats {
    const char *database;
    struct stats_sum total, average;
};

/* SHOW CONFIG, SETTINGS, STATE, and the one value of a setting that drivers probe. */
struct show_pair {
    const char *key, *value, *default_value, *changeable, *origin;
};
struct show_number { /* LISTS, TOTALS */
    const char *name;
    int64_t value;
};
struct show_mem {
    const char *name;
    int64_t size, used, free, memtotal;
};
struct show_dns_host {
    const char *hostname, *addrs;
    int64_t ttl;
};
struct show_dns_zone {
    const char *zonename;
    int64_t serial, count;
};
struct show_peer {
    const char *host;
    int64_t peer_id, port, pool_size;
};
struct show_happened {
    int64_t id;
    const char *time, *severity, *message;
};
struct show_health {
    const char *name, *status, *detail;
};

/* The names of SHOW TOTALS: internal ones, as PgBouncer's. *at is where the figure stands in
 * struct stats_sum. False behind the last. */
bool show_totals_figure(unsigned i, const char **name_out, size_t *at);

#endif
