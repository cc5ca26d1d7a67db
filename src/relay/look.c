/* SPDX-License-Identifier: PostgreSQL */
/* look.c - rows about the clients and servers of one worker. */
#include "relay/look.h"

#include "net/stream.h"
#include "relay/care.h"
#include "relay/places.h"
#include "relay/relay_impl.h"

static const char *replication(const struct client *c)
{
    static const char *const words[] = {
        [REPLICATION_NONE] = "none",
        [REPLICATION_PHYSICAL] = "physical",
        [REPLICATION_LOGICAL] = "logical",
    };
    return words[c ? client_replication(c) : REPLICATION_NONE];
}

/* ---- clients --------------------------------------------------------------------------- */

static enum look_client_phase client_phase(const struct client *c)
{
    switch (client_get_state(c)) {
    case CLIENT_NEW:
    case CLIENT_TLS:
    case CLIENT_STARTUP:
    case CLIENT_LOOKUP:
    case CLIENT_AUTH:
    case CLIENT_CLOSING:
        return LOOK_CLIENT_LOGIN;
    case CLIENT_CANCEL:
        return LOOK_CLIENT_CANCEL;
    case CLIENT_WELCOME:
    case CLIENT_IDLE:
    case CLIENT_WAITING:
    case CLIENT_LINKED:
        break;
    }
    return LOOK_CLIENT_PROVEN;
}

static void fill_client(const struct session *ses, struct look *look)
{
    struct client *c = ses->client;
    const struct stream *stream = client_stream(c);
    uid_t uid;
    pid_t pid;
    *look = (struct look){
        .id = ses->id,
        .link_id = ses->lent ? ses->lent->id : 0,
        .user = client_user(c),
        .database = client_user(c) ? client_database(c) : NULL,
        .state = client_state_show(c),
        .replication = replication(c),
        .remote = client_peer(c),
        .port = (uint16_t)setup_config(ses->relay->setup)->listen_port,
        .connected_us = client_connected_us(c),
        .request_us = client_request_us(c),
        .waits_since_us = ses->wait_since_us ? ses->wait_since_us : ses->query_since_us,
        .params = client_params(c),
        .fd = stream->fd,
        .link_fd = ses->lent ? server_stream(ses->lent->server)->fd : -1,
        .n_statements = client_statements_count(client_statements_of(c)),
        .held = client_held(c),
        .unsent = stream_unsent(stream),
        .pool = ses->pool,
    };
    look->has_local = stream_local_addr(stream, &look->local);
    client_tls_text(c, look->tls, sizeof look->tls);
    if (stream_is_unix(stream) && stream_peer_cred(stream, &uid, &pid))
        look->remote_pid = (int32_t)pid;
}

void look_clients(struct relay *r, enum look_depth depth,
                  void (*fn)(const struct look_client *row, void *arg), void *arg)
{
    struct session *ses;
    TAILQ_FOREACH(ses, &r->sessions, link)
    {
        struct look_client row = {
            .look = {.id = ses->id, .pool = ses->pool},
            .phase = client_phase(ses->client),
            .waiting = ses->wait_since_us != 0,
            .linked = ses->lent != NULL,
        };
        if (depth == LOOK_ALL)
            fill_client(ses, &row.look);
        fn(&row, arg);
    }
}

/* ---- servers --------------------------------------------------------------------------- */

static enum look_server_phase server_phase(const struct lent *l)
{
    switch (server_get_state(l->server)) {
    case SERVER_NEW:
    case SERVER_CONNECTING:
    case SERVER_TLS:
    case SERVER_LOGIN:
        return LOOK_SERVER_LOGIN;
    case SERVER_IDLE:
        if (l->dialing)
            return LOOK_SERVER_LOGIN; /* its connect_query runs */
        if (l->release_waits)
            return LOOK_SERVER_BEING_CANCELED;
        return care_is_due(l) ? LOOK_SERVER_USED : LOOK_SERVER_IDLE;
    case SERVER_RESETTING:
        return LOOK_SERVER_RESETTING;
    case SERVER_CLOSING:
        return LOOK_SERVER_CLOSING;
    case SERVER_LINKED:
    case SERVER_MOVING:
        break;
    }
    return LOOK_SERVER_ACTIVE;
}

static const char *server_state_word(const struct lent *l)
{
    switch (server_phase(l)) {
    case LOOK_SERVER_BEING_CANCELED:
        return "being_canceled";
    case LOOK_SERVER_USED:
        return "used";
    case LOOK_SERVER_LOGIN:
        return "new";
    case LOOK_SERVER_IDLE:
    case LOOK_SERVER_ACTIVE:
    case LOOK_SERVER_RESETTING:
    case LOOK_SERVER_CLOSING:
        break;
    }
    return server_state_show(l->server);
}

/* The one that it is for. */
static const struct client *client_of(const struct lent *l)
{
    const struct session *ses = l->own_of ? l->own_of : l->session;
    return ses ? ses->client : NULL;
}

static void fill_server(const struct lent *l, struct look *look)
{
    struct server *s = l->server;
    const struct stream *stream = server_stream(s);
    const struct addr *address = server_address(s);
    *look = (struct look){
        .id = l->id,
        .link_id = l->session ? l->session->id : 0,
        .user = pool_user(l->pool),
        .database = pool_database(l->pool),
        .state = server_state_word(l),
        .replication = replication(client_of(l)),
        .remote = address->len && !addr_is_unix(address) ? address : NULL,
        .port = l->terms->db->hosts[l->host].port,
        .host = address->len ? NULL : l->terms->db->hosts[l->host].name,
        .remote_pid = server_pid(s),
        .connected_us = server_connected_us(s),
        .request_us = l->session ? client_request_us(l->session->client) : l->idle_since_us,
        .params = server_params(s),
        .fd = stream->fd,
        .link_fd = l->session ? client_stream(l->session->client)->fd : -1,
        .n_statements = server_statements_count(server_statements_of(s)),
        .unsent = stream_unsent(stream),
        .pool = l->pool,
    };
    look->has_local = stream_local_addr(stream, &look->local);
    server_tls_text(s, look->tls, sizeof look->tls);
}

void look_servers(struct relay *r, enum look_depth depth,
                  void (*fn)(const struct look_server *row, void *arg), void *arg)
{
    struct lent *l;
    struct pool_numbers numbers;
    TAILQ_FOREACH(l, &r->servers, link)
    {
        pool_inspect(l->pool, loop_now(r->loop), &numbers);
        struct look_server row = {
            .look = {.id = l->id, .pool = l->pool},
            .phase = server_phase(l),
            .cancel_asked = cancel_asked(l),
            .carries_cancel = l->cancel_run != NULL,
            .close_needed = l->vanished || l->ledger.generation != numbers.generation,
        };
        if (depth == LOOK_ALL)
            fill_server(l, &row.look);
        fn(&row, arg);
    }
}

void look_sizes(struct look_sizes *out)
{
    *out = (struct look_sizes){
        .client = client_size() + sizeof(struct session),
        .server = server_size() + sizeof(struct lent),
        .pool = pool_object_size() + sizeof(struct place),
    };
}
