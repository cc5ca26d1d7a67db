/* SPDX-License-Identifier: PostgreSQL */
/* look.h - rows about the clients and servers of one worker, in its thread. What is pointed to
 * lasts until the callback returns, which must not close anything. */
#ifndef RELAY_LOOK_H
#define RELAY_LOOK_H

#include "base/addr.h"
#include "base/span.h"
#include "relay/cancel.h"

#include <stdbool.h>
#include <stdint.h>

struct param_set;
struct pool;
struct relay;

/* Room for "TLSv1.3/" and the longest name of a cipher. */
#define LOOK_TLS_TEXT 128

/* What both kinds of connection have. Times are those of loop_now. */
struct look {
    uint64_t id;
    uint64_t link_id;            /* of the other one of the pair; 0: it is alone */
    const char *user, *database; /* NULL: not known yet */
    const char *state;           /* PgBouncer's word */
    const char *replication;     /* "none", "physical", "logical" */
    const struct addr *remote;   /* NULL: a Unix socket, or not connected yet */
    struct addr local;
    bool has_local;
    uint16_t port;    /* of a Unix socket: in its name; of a server that is being opened: wanted */
    const char *host; /* of a server that has no address yet; else NULL */
    int32_t remote_pid; /* 0: not known */
    uint64_t connected_us;
    uint64_t request_us;            /* when it last had something to do */
    uint64_t waits_since_us;        /* a client's statement, queued or running; 0: there is none */
    char tls[LOOK_TLS_TEXT];        /* "" for plain */
    const struct param_set *params; /* NULL: none yet */
    int fd, link_fd;                /* link_fd is -1 where link_id is 0 */
    unsigned n_statements;          /* prepared ones */
    size_t held;                    /* bytes that were read and not acted upon yet */
    size_t unsent;                  /* bytes that the kernel has not taken */
    struct pool *pool;              /* NULL: on the console, or not logged in */
};

enum look_client_phase { LOOK_CLIENT_LOGIN, LOOK_CLIENT_PROVEN, LOOK_CLIENT_CANCEL };

struct look_client {
    struct look look;
    enum look_client_phase phase;
    bool waiting; /* for a server, or to be welcomed */
    bool linked;
};

enum look_server_phase {
    LOOK_SERVER_LOGIN,
    LOOK_SERVER_IDLE,
    LOOK_SERVER_USED, /* idle, and to be checked before it is lent again */
    LOOK_SERVER_ACTIVE,
    LOOK_SERVER_RESETTING,
    LOOK_SERVER_BEING_CANCELED, /* otherwise idle: a cancel may still hit */
    LOOK_SERVER_CLOSING,
};

struct look_server {
    struct look look;
    enum look_server_phase phase;
    enum cancel_asked cancel_asked;
    bool carries_cancel; /* a connection with a cancel request for it is open */
    bool close_needed;   /* of an older generation than its pool */
};

/* What one object takes, without what it points to. A client and a server with what the relay keeps
 * about them. */
struct look_sizes {
    size_t client, server, pool;
};
void look_sizes(struct look_sizes *out);

/* Counting thousands of clients costs no system call; addresses and the like do. */
enum look_depth {
    LOOK_STATE, /* of struct look only id and pool are set */
    LOOK_ALL,
};

void look_clients(struct relay *r, enum look_depth depth,
                  void (*fn)(const struct look_client *row, void *arg), void *arg);
void look_servers(struct relay *r, enum look_depth depth,
                  void (*fn)(const struct look_server *row, void *arg), void *arg);

#endif
