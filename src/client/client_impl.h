/* SPDX-License-Identifier: PostgreSQL */
/* client_impl.h - the struct behind client.h; included by client*.c only. Thousands of idle
 * clients cost this struct and little else, so what is needed only while logging in stands in
 * struct client_login_run. */
#ifndef CLIENT_CLIENT_IMPL_H
#define CLIENT_CLIENT_IMPL_H

#include "base/buf.h"
#include "client/client.h"
#include "client/client_login.h"
#include "client/client_who.h"
#include "net/loop.h"
#include "net/stream.h"

struct client {
    /* Set at birth. */
    uint64_t id;
    const struct client_context *context;
    uint64_t born_us;
    struct addr *peer; /* owned; NULL for a nameless Unix peer */

    enum client_state state;
    uint32_t body_left; /* of the message being streamed */
    uint8_t body_type;
    uint8_t replication; /* enum replication, of the startup packet */
    bool on_hold;        /* the relay said REQUEST_HOLD: what arrives is kept */

    /* Chosen by database name when the startup packet is known; what it keeps per client. */
    const struct client_ops *ops;
    void *data;

    struct stream stream;

    /* Until proven. */
    struct client_login_run *login;

    /* Who it is, from the startup packet; shared. */
    struct client_who *who;

    /* Its session. */
    struct param_set *params;
    struct param_set *default_params; /* as after the login */
    struct client_statements statements;

    /* Reading requests. */
    struct buf held; /* what cannot be offered yet: a split message, or requests while waiting */
    uint64_t request_us;
};

/* client.c: where it is, as PgBouncer writes it: "address:port", or "unix(pid):port" with the
 * number of our socket, in which "@hostname" (may be NULL) stands behind the pid. */
#define CLIENT_PLACE_TEXT (ADDR_TEXT + 64)
const char *client_place(const struct client *c, const char *hostname, char *out, size_t size);
/* client_startup.c: the first packets, TLS */
void client_startup_input(struct client *c, struct span bytes);
void client_startup_secured(struct client *c);
/* client_login.c: authentication */
void client_login_start(struct client *c);
void client_login_input(struct client *c, struct span bytes);
/* It speaks while its secret is looked up. */
void client_login_unasked(struct client *c, struct span bytes);
/* What is still to be said about a proof, often nothing: it leaves with the message that comes
 * next. Owned by the caller. */
struct buf client_login_answer(struct client *c);
void client_login_free(struct client *c);
/* Logs and answers; the client is closed. */
void client_login_failed(struct client *c, const struct error *err);
/* It is who it says it is. */
void client_login_proven(struct client *c);
/* client_verify.c: somebody else judges the password. */
void client_verify_begin(struct client *c, struct span password);
/* client_requests.c */
void client_requests_input(struct client *c, struct span bytes);
/* The client is idle: gives memory back. */
void client_requests_trim(struct client *c);

#endif
