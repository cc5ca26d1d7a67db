/* SPDX-License-Identifier: PostgreSQL */
/* show_sockets.c - rows about connections.
 *
 * `ptr` is PgBouncer's address of the object; here it is the number by which the log names the
 * connection (C-0x2a, S-0x2b). Of the buffer internals only what is held back and what is unsent
 * exists: a connection without either owns no buffer. */
#include "admin/show_sockets.h"

#include "base/clock.h"
#include "base/str.h"
#include "net/listener.h"
#include "track/parameters.h"
#include "worker/inspect.h"
#include "worker/words.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PARAM_TEXT 256

struct sockets_run {
    enum show what;
    const struct show_clocks *clocks;
    struct rows *rows;
};

/* Texts that a row points to. */
struct texts {
    char addr[ADDR_TEXT], local_addr[ADDR_TEXT];
    char connect_time[SHOW_TIME_TEXT], request_time[SHOW_TIME_TEXT];
    char ptr[24], link[24], state[24];
    char application_name[PARAM_TEXT];
};

const char *show_time_text(const struct show_clocks *clocks, uint64_t at_us, char *out)
{
    uint64_t ago = clocks->now_us > at_us ? clocks->now_us - at_us : 0;
    time_t at = (time_t)((clocks->wall_us - ago) / US_PER_S);
    struct tm parts;
    out[0] = '\0';
    if (localtime_r(&at, &parts))
        strftime(out, SHOW_TIME_TEXT, "%Y-%m-%d %H:%M:%S %Z", &parts);
    return out;
}

/* One name for the console, that of the other lists. */
static const char *database_text(const struct look *look)
{
    return look->database && config_is_console(look->database) ? CONFIG_CONSOLE : look->database;
}

static const char *pointer_text(uint64_t id, char out[24])
{
    out[0] = '\0';
    if (id)
        snprintf(out, 24, "0x%llx", (unsigned long long)id);
    return out;
}

static bool lists_all_kinds(enum show what)
{
    return what == SHOW_SOCKETS || what == SHOW_ACTIVE_SOCKETS;
}

/* A parameter's value, cut to the room there is; NULL, and "" in *out, if it has none. */
static const char *param_text(const struct look *look, const char *name, char out[PARAM_TEXT])
{
    struct span value;
    out[0] = '\0';
    if (!look->params || !params_get(look->params, span_str(name), &value))
        return NULL;
    if (value.n >= PARAM_TEXT)
        value.n = PARAM_TEXT - 1;
    return span_to_str(value, out, PARAM_TEXT) ? out : NULL;
}

/* In lists of both kinds the state says which; servers on their way up are in `login` there. */
static const char *state_text(const struct sockets_run *run, const char *type, const char *state,
                              char out[24])
{
    if (!lists_all_kinds(run->what))
        return state;
    bool server = type[0] == 'S';
    if (server && strcmp(state, "new") == 0)
        state = "login";
    if (!server && strcmp(state, "idle") == 0)
        state = "active"; /* PgBouncer has one word here for both */
    snprintf(out, 24, "%s_%s", server ? "sv" : "cl", state);
    return out;
}

static void fill_addresses(const struct look *look, struct show_socket *row, struct texts *t)
{
    row->addr = row->local_addr = "unix";
    row->port = row->local_port = look->port;
    if (look->host && look->host[0] != '/' && look->host[0] != '@')
        row->addr = look->host;
    if (look->remote) {
        row->addr = addr_host_text(look->remote, t->addr, sizeof t->addr);
        row->port = addr_port(look->remote);
    }
    if (look->has_local && !addr_is_unix(&look->local)) {
        row->local_addr = addr_host_text(&look->local, t->local_addr, sizeof t->local_addr);
        row->local_port = addr_port(&look->local);
    }
}

static void add_socket(const struct sockets_run *run, const struct look *look, const char *type,
                       bool close_needed)
{
    const struct show_clocks *clocks = run->clocks;
    struct texts t;
    if (run->what == SHOW_ACTIVE_SOCKETS && !look->held && !look->unsent)
        return;
    struct show_socket row = {
        .type = type,
        .user = look->user ? look->user : "(nouser)",
        .database = look->database ? database_text(look) : "(nodb)",
        .replication = look->replication,
        .state = state_text(run, type, look->state, t.state),
        .connect_time = show_time_text(clocks, look->connected_us, t.connect_time),
        .request_time = show_time_text(clocks, look->request_us, t.request_time),
        .close_needed = close_needed,
        .ptr = pointer_text(look->id, t.ptr),
        .link = pointer_text(look->link_id, t.link),
        .remote_pid = look->remote_pid,
        .tls = look->tls,
        .application_name = t.application_name,
        .prepared_statements = look->n_statements,
        .id = (int64_t)look->id,
        .pkt_avail = (int64_t)look->held,
        .send_avail = (int64_t)look->unsent,
    };
    if (look->waits_since_us && clocks->now_us > look->waits_since_us) {
        uint64_t waits = clocks->now_us - look->waits_since_us;
        row.wait = (int64_t)(waits / US_PER_S);
        row.wait_us = (int64_t)(waits % US_PER_S);
    }
    fill_addresses(look, &row, &t);
    (void)param_text(look, "application_name", t.application_name);
    rows_add(run->rows, &row);
}

static void add_client(const struct look_client *row, void *arg)
{
    const struct sockets_run *run = arg;
    if (row->phase == LOOK_CLIENT_LOGIN && run->what == SHOW_CLIENTS)
        return;
    if (row->phase == LOOK_CLIENT_CANCEL && lists_all_kinds(run->what))
        return;
    add_socket(run, &row->look, "C", false);
}

static void add_server(const struct look_server *row, void *arg)
{
    if (row->phase == LOOK_SERVER_CLOSING)
        return;
    add_socket(arg, &row->look, "S", row->close_needed);
}

void show_client_sockets(struct relay *r, enum show what, const struct show_clocks *clocks,
                         struct rows *rows)
{
    struct sockets_run run = {.what = what, .clocks = clocks, .rows = rows};
    look_clients(r, LOOK_ALL, add_client, &run);
}

void show_server_sockets(struct relay *r, enum show what, const struct show_clocks *clocks,
                         struct rows *rows)
{
    struct sockets_run run = {.what = what, .clocks = clocks, .rows = rows};
    look_servers(r, LOOK_ALL, add_server, &run);
}

/* ---- descriptors ----------------------------------------------------------------------- */

struct fds_run {
    const char *task;
    struct rows *rows;
};

static void add_fd(const struct fds_run *run, const struct look *look)
{
    char addr[ADDR_TEXT];
    char encoding[PARAM_TEXT], strings[PARAM_TEXT], datestyle[PARAM_TEXT], zone[PARAM_TEXT];
    struct show_fd row = {
        .fd = look->fd,
        .task = run->task,
        .user = look->user,
        .database = database_text(look),
        .addr = "unix",
        .port = look->port,
        .link = look->link_id ? look->link_fd : 0,
        .client_encoding = param_text(look, "client_encoding", encoding),
        .std_strings = param_text(look, "standard_conforming_strings", strings),
        .datestyle = param_text(look, "DateStyle", datestyle),
        .timezone = param_text(look, "TimeZone", zone),
    };
    if (look->remote) {
        row.addr = addr_host_text(look->remote, addr, sizeof addr);
        row.port = addr_port(look->remote);
    }
    rows_add(run->rows, &row);
}

static void add_client_fd(const struct look_client *row, void *arg)
{
    if (row->phase == LOOK_CLIENT_PROVEN)
        add_fd(arg, &row->look);
}

static void add_server_fd(const struct look_server *row, void *arg)
{
    if (row->phase != LOOK_SERVER_LOGIN && row->phase != LOOK_SERVER_CLOSING)
        add_fd(arg, &row->look);
}

static void add_listeners(const struct listeners *ls, struct rows *rows)
{
    char text[ADDR_TEXT];
    for (size_t i = 0; i < listeners_count(ls); i++) {
        const struct addr *at = listeners_addr(ls, i);
        bool local = addr_is_unix(at);
        struct show_fd row = {
            .fd = listeners_fd(ls, i),
            .task = "pooler",
            .addr = local ? "unix" : addr_host_text(at, text, sizeof text),
            .port = local ? 0 : addr_port(at),
        };
        rows_add(rows, &row);
    }
}

void show_fds(struct relay *r, struct rows *rows)
{
    struct fds_run clients = {"client", rows}, servers = {"server", rows};
    const struct listeners *ls = inspect_listeners(r);
    if (ls)
        add_listeners(ls, rows);
    look_clients(r, LOOK_ALL, add_client_fd, &clients);
    look_servers(r, LOOK_ALL, add_server_fd, &servers);
}
