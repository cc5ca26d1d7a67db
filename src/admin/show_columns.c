/* SPDX-License-Identifier: PostgreSQL */
/* show_columns.c - the table of everything that SHOW knows. */
#include "admin/show_columns.h"

#include "base/str.h"
#include "worker/census.h"
#include "worker/inspect.h"

#include <stddef.h>

#define TEXT(title, type, member)                                                                  \
    {                                                                                              \
        title, BACKEND_OID_TEXT, COLUMN_TEXT, offsetof(struct type, member)                        \
    }
#define BYTEA(title, type, member)                                                                 \
    {                                                                                              \
        title, BACKEND_OID_BYTEA, COLUMN_TEXT, offsetof(struct type, member)                       \
    }
#define INT4(title, type, member)                                                                  \
    {                                                                                              \
        title, BACKEND_OID_INT4, COLUMN_NUMBER, offsetof(struct type, member)                      \
    }
#define INT8(title, type, member)                                                                  \
    {                                                                                              \
        title, BACKEND_OID_INT8, COLUMN_NUMBER, offsetof(struct type, member)                      \
    }
#define NUMERIC(title, type, member)                                                               \
    {                                                                                              \
        title, BACKEND_OID_NUMERIC, COLUMN_NUMBER, offsetof(struct type, member)                   \
    }
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* ---- connections ----------------------------------------------------------------------- */

/* SHOW CLIENTS and SERVERS end before recv_pos. */
#define SOCKET_SHORT 21

static const struct column sockets[] = {
    TEXT("type", show_socket, type),
    TEXT("user", show_socket, user),
    TEXT("database", show_socket, database),
    TEXT("replication", show_socket, replication),
    TEXT("state", show_socket, state),
    TEXT("addr", show_socket, addr),
    INT4("port", show_socket, port),
    TEXT("local_addr", show_socket, local_addr),
    INT4("local_port", show_socket, local_port),
    TEXT("connect_time", show_socket, connect_time),
    TEXT("request_time", show_socket, request_time),
    INT4("wait", show_socket, wait),
    INT4("wait_us", show_socket, wait_us),
    INT4("close_needed", show_socket, close_needed),
    TEXT("ptr", show_socket, ptr),
    TEXT("link", show_socket, link),
    INT4("remote_pid", show_socket, remote_pid),
    TEXT("tls", show_socket, tls),
    TEXT("application_name", show_socket, application_name),
    INT4("prepared_statements", show_socket, prepared_statements),
    INT4("id", show_socket, id),
    INT4("recv_pos", show_socket, recv_pos),
    INT4("pkt_pos", show_socket, pkt_pos),
    INT4("pkt_remain", show_socket, pkt_remain),
    INT4("send_pos", show_socket, send_pos),
    INT4("send_remain", show_socket, send_remain),
    INT4("pkt_avail", show_socket, pkt_avail),
    INT4("send_avail", show_socket, send_avail),
};

static const struct column fds[] = {
    INT4("fd", show_fd, fd),
    TEXT("task", show_fd, task),
    TEXT("user", show_fd, user),
    TEXT("database", show_fd, database),
    TEXT("addr", show_fd, addr),
    INT4("port", show_fd, port),
    INT8("cancel", show_fd, cancel),
    INT4("link", show_fd, link),
    TEXT("client_encoding", show_fd, client_encoding),
    TEXT("std_strings", show_fd, std_strings),
    TEXT("datestyle", show_fd, datestyle),
    TEXT("timezone", show_fd, timezone),
    TEXT("password", show_fd, secret),
    BYTEA("scram_client_key", show_fd, secret),
    BYTEA("scram_server_key", show_fd, secret),
};

/* ---- pools, databases, users ----------------------------------------------------------- */

static const struct column pools[] = {
    TEXT("database", census_pool, database),
    TEXT("user", census_pool, user),
    INT4("cl_active", census_pool, cl_active),
    INT4("cl_waiting", census_pool, cl_waiting),
    INT4("cl_active_cancel_req", census_pool, cl_active_cancel_req),
    INT4("cl_waiting_cancel_req", census_pool, cl_waiting_cancel_req),
    INT4("sv_active", census_pool, sv_active),
    INT4("sv_active_cancel", census_pool, sv_active_cancel),
    INT4("sv_being_canceled", census_pool, sv_being_canceled),
    INT4("sv_idle", census_pool, sv_idle),
    INT4("sv_used", census_pool, sv_used),
    INT4("sv_tested", census_pool, sv_tested),
    INT4("sv_login", census_pool, sv_login),
    INT4("maxwait", census_pool, maxwait),
    INT4("maxwait_us", census_pool, maxwait_us),
    TEXT("pool_mode", census_pool, pool_mode),
    TEXT("load_balance_hosts", census_pool, load_balance_hosts),
};

static const struct column databases[] = {
    TEXT("name", inspect_database, name),
    TEXT("host", inspect_database, host),
    INT4("port", inspect_database, port),
    TEXT("database", inspect_database, database),
    TEXT("force_user", inspect_database, force_user),
    INT4("pool_size", inspect_database, pool_size),
    INT4("min_pool_size", inspect_database, min_pool_size),
    INT4("reserve_pool_size", inspect_database, reserve_pool_size),
    INT4("server_lifetime", inspect_database, server_lifetime),
    TEXT("pool_mode", inspect_database, pool_mode),
    TEXT("load_balance_hosts", inspect_database, load_balance_hosts),
    INT4("max_connections", inspect_database, max_connections),
    INT4("current_connections", inspect_database, current_connections),
    INT4("max_client_connections", inspect_database, max_client_connections),
    INT4("current_client_connections", inspect_database, current_client_connections),
    INT4("paused", inspect_database, paused),
    INT4("disabled", inspect_database, disabled),
};

static const struct column users[] = {
    TEXT("name", inspect_user, name),
    TEXT("pool_size", inspect_user, pool_size),
    TEXT("reserve_pool_size", inspect_user, reserve_pool_size),
    TEXT("pool_mode", inspect_user, pool_mode),
    INT4("max_user_connections", inspect_user, max_user_connections),
    INT4("current_connections", inspect_user, current_connections),
    INT4("max_user_client_connections", inspect_user, max_user_client_connections),
    INT4("current_client_connections", inspect_user, current_client_connections),
};

/* ---- statistics ------------------------------------------------------------------------ */

/* X(field, then its name in STATS, STATS_TOTALS, STATS_AVERAGES and TOTALS). */
#define FIGURES(X)                                                                                 \
    X(server_assignment, "server_assignment_count", "server_assignment_count",                     \
      "server_assignment_count", "server_assignment_count", "server_assignment_count")             \
    X(xact, "xact_count", "xact_count", "xact_count", "xact_count", "xact_count")                  \
    X(query, "query_count", "query_count", "query_count", "query_count", "query_count")            \
    X(received, "received", "recv", "bytes_received", "bytes_received", "client_bytes")            \
    X(sent, "sent", "sent", "bytes_sent", "bytes_sent", "server_bytes")                            \
    X(xact_time, "xact_time", "xact_time", "xact_time", "xact_time", "xact_time")                  \
    X(query_time, "query_time", "query_time", "query_time", "query_time", "query_time")            \
    X(wait_time, "wait_time", "wait_time", "wait_time", "wait_time", "wait_time")                  \
    X(client_parse, "client_parse_count", "client_parse_count", "client_parse_count",              \
      "avg_client_parse_count", "ps_client_parse_count")                                           \
    X(server_parse, "server_parse_count", "server_parse_count", "server_parse_count",              \
      "avg_server_parse_count", "ps_server_parse_count")                                           \
    X(bind, "bind_count", "bind_count", "bind_count", "avg_bind_count", "ps_bind_count")           \
    X(client_login, "client_login_count", "client_login_count", "client_login_count",              \
      "avg_client_login_count", "client_login_count")

#define IN_STATS_TOTAL(field, in_total, in_avg, in_totals, in_averages, in_sums)                   \
    NUMERIC("total_" in_total, show_stats, total.field),
#define IN_STATS_AVERAGE(field, in_total, in_avg, in_totals, in_averages, in_sums)                 \
    NUMERIC("avg_" in_avg, show_stats, average.field),
#define IN_TOTALS(field, in_total, in_avg, in_totals, in_averages, in_sums)                        \
    NUMERIC(in_totals, show_stats, total.field),
#define IN_AVERAGES(field, in_total, in_avg, in_totals, in_averages, in_sums)                      \
    NUMERIC(in_averages, show_stats, average.field),
#define IN_SUMS(field, in_total, in_avg, in_totals, in_averages, in_sums)                          \
    {in_sums, offsetof(struct stats_sum, field)},

static const struct column stats[] = {TEXT("database", show_stats, database),
                                      FIGURES(IN_STATS_TOTAL) FIGURES(IN_STATS_AVERAGE)};
static const struct column stats_totals[] = {TEXT("database", show_stats, database),
                                             FIGURES(IN_TOTALS)};
static const struct column stats_averages[] = {TEXT("database", show_stats, database),
                                               FIGURES(IN_AVERAGES)};
static const struct column totals[] = {TEXT("name", show_number, name),
                                       NUMERIC("value", show_number, value)};

bool show_totals_figure(unsigned i, const char **name_out, size_t *at)
{
    static const struct {
        const char *name;
        size_t offset;
    } sums[] = {FIGURES(IN_SUMS)};
    if (i >= COUNT(sums))
        return false;
    *name_out = sums[i].name;
    *at = sums[i].offset;
    return true;
}

/* ---- the rest -------------------------------------------------------------------------- */

/* Exporters take exactly these four: the origin has a list of its own. */
static const struct column config[] = {
    TEXT("key", show_pair, key),
    TEXT("value", show_pair, value),
    TEXT("default", show_pair, default_value),
    TEXT("changeable", show_pair, changeable),
};
static const struct column settings[] = {
    TEXT("key", show_pair, key),
    TEXT("value", show_pair, value),
    TEXT("default", show_pair, default_value),
    TEXT("changeable", show_pair, changeable),
    TEXT("origin", show_pair, origin),
};
static const struct column state[] = {
    TEXT("key", show_pair, key),
    TEXT("value", show_pair, value),
};
static const struct column lists[] = {
    TEXT("list", show_number, name),
    INT4("items", show_number, value),
};
static const struct column mem[] = {
    TEXT("name", show_mem, name),         INT4("size", show_mem, size),
    INT4("used", show_mem, used),         INT4("free", show_mem, free),
    INT4("memtotal", show_mem, memtotal),
};
static const struct column peers[] = {
    INT4("peer_id", show_peer, peer_id),
    TEXT("host", show_peer, host),
    INT4("port", show_peer, port),
    INT4("pool_size", show_peer, pool_size),
};
static const struct column peer_pools[] = {
    INT4("peer_id", inspect_peer_pool, peer_id),
    INT4("cl_active_cancel_req", inspect_peer_pool, cl_active_cancel_req),
    INT4("cl_waiting_cancel_req", inspect_peer_pool, cl_waiting_cancel_req),
    INT4("sv_active_cancel", inspect_peer_pool, sv_active_cancel),
    INT4("sv_login", inspect_peer_pool, sv_login),
};
static const struct column dns_hosts[] = {
    TEXT("hostname", show_dns_host, hostname),
    INT8("ttl", show_dns_host, ttl),
    TEXT("addrs", show_dns_host, addrs),
};
/* Without rows: zones are not looked at. */
static const struct column dns_zones[] = {
    TEXT("zonename", show_dns_zone, zonename),
    INT8("serial", show_dns_zone, serial),
    INT4("count", show_dns_zone, count),
};
static const struct column version[] = {TEXT("version", show_pair, value)};
static const struct column happened[] = {
    INT8("id", show_happened, id),
    TEXT("time", show_happened, time),
    TEXT("severity", show_happened, severity),
    TEXT("message", show_happened, message),
};
static const struct column health[] = {
    TEXT("name", show_health, name),
    TEXT("status", show_health, status),
    TEXT("detail", show_health, detail),
};
static const struct column latency[] = {
    TEXT("database", inspect_latency, database), TEXT("user", inspect_latency, user),
    TEXT("what", inspect_latency, what),         INT8("count", inspect_latency, count),
    INT8("mean_us", inspect_latency, mean_us),   INT8("p50_us", inspect_latency, p50_us),
    INT8("p90_us", inspect_latency, p90_us),     INT8("p95_us", inspect_latency, p95_us),
    INT8("p99_us", inspect_latency, p99_us),     INT8("p999_us", inspect_latency, p999_us),
    INT8("max_us", inspect_latency, max_us),
};
static const struct column targets[] = {
    TEXT("host", inspect_target, host),
    INT4("port", inspect_target, port),
    TEXT("state", inspect_target, state),
    TEXT("breaker", inspect_target, breaker),
    INT4("connecting", inspect_target, connecting),
    INT4("failures", inspect_target, failures),
    INT8("wakes", inspect_target, wakes),
    TEXT("last_sqlstate", inspect_target, last_sqlstate),
    TEXT("last_error", inspect_target, last_error),
    INT8("next_try_ms", inspect_target, next_try_ms),
};

#define PROBE(id, title, text)                                                                     \
    static const struct column probe_##id[] = {TEXT(title, show_pair, value)};
#define PROBES(X)                                                                                  \
    X(CLIENT_ENCODING, "client_encoding", "UTF-8")                                                 \
    X(DATESTYLE, "datestyle", "ISO")                                                               \
    X(DEFAULT_TRANSACTION_ISOLATION, "default_transaction_isolation", "read committed")            \
    X(STANDARD_CONFORMING_STRINGS, "standard_conforming_strings", "on")                            \
    X(TIMEZONE, "timezone", "GMT")
PROBES(PROBE)

/* Most are sorted by the columns they begin with; connections by pool, then clients before servers,
 * then by age. */
static const uint8_t by_first[] = {0, 1};
static const uint8_t by_pool[] = {2, 1, 0, 20};

#define PROBE_ROW(id, title, text) [SHOW_##id] = {.name = title, {probe_##id, 1}, .probe = text},
#define ROW(id, title, table, n)                                                                   \
    [SHOW_##id] = {.name = title, {table, COUNT(table)}, .n_keys = (n), .keys = by_first}
#define SOCKETS(id, title, n)                                                                      \
    [SHOW_##id] = {.name = title, {sockets, n}, .n_keys = COUNT(by_pool), .keys = by_pool}

static const struct show_row rows[SHOW_COUNT] = {
    SOCKETS(ACTIVE_SOCKETS, "active_sockets", COUNT(sockets)),
    SOCKETS(CLIENTS, "clients", SOCKET_SHORT),
    ROW(CONFIG, "config", config, 0),
    ROW(DATABASES, "databases", databases, 1),
    ROW(DNS_HOSTS, "dns_hosts", dns_hosts, 1),
    ROW(DNS_ZONES, "dns_zones", dns_zones, 1),
    ROW(ERRORS, "errors", happened, 0),
    ROW(EVENTS, "events", happened, 0),
    ROW(FDS, "fds", fds, 1),
    ROW(HEALTH, "health", health, 0),
    [SHOW_HELP] = {.name = "help"},
    ROW(LATENCY, "latency", latency, 2),
    ROW(LISTS, "lists", lists, 0),
    ROW(MEM, "mem", mem, 0),
    ROW(PEERS, "peers", peers, 1),
    ROW(PEER_POOLS, "peer_pools", peer_pools, 1),
    ROW(POOLS, "pools", pools, 2),
    SOCKETS(SERVERS, "servers", SOCKET_SHORT),
    ROW(SETTINGS, "settings", settings, 0),
    SOCKETS(SOCKETS, "sockets", COUNT(sockets)),
    ROW(STATE, "state", state, 0),
    ROW(STATS, "stats", stats, 1),
    ROW(STATS_AVERAGES, "stats_averages", stats_averages, 1),
    ROW(STATS_TOTALS, "stats_totals", stats_totals, 1),
    ROW(TARGETS, "targets", targets, 2),
    ROW(TOTALS, "totals", totals, 0),
    ROW(USERS, "users", users, 1),
    ROW(VERSION, "version", version, 0),
    PROBES(PROBE_ROW)};

const struct show_row *show_at(enum show what)
{
    return &rows[what];
}

bool show_find(struct span name, enum show *out)
{
    for (int i = 0; i < SHOW_COUNT; i++) {
        if (span_is_nocase(name, rows[i].name)) {
            *out = (enum show)i;
            return true;
        }
    }
    return false;
}
