/* SPDX-License-Identifier: PostgreSQL */
/* load_client.h - one client of the load generator, and what all of them share.
 *
 * A client logs in and then does one transaction after the other, each as soon as the answer to the
 * one before has come (a closed loop). With `reconnects` each transaction has a connection of its
 * own, from connect to Terminate. */
#ifndef BENCH_LOAD_CLIENT_H
#define BENCH_LOAD_CLIENT_H

#include "conn.h"
#include "histogram.h"
#include "scram_login.h"
#include "wire.h"

enum load_protocol {
    LOAD_SIMPLE,   /* Query */
    LOAD_EXTENDED, /* Parse, Bind, Describe, Execute, Sync with the unnamed statement */
    LOAD_PREPARED, /* Parse once at login, then Bind, Describe, Execute, Sync */
};

enum load_end {
    LOAD_RUNS,  /* goes on with transactions */
    LOAD_IDLES, /* stays logged in and does nothing */
    LOAD_HOLDS, /* begins a transaction and stays in it */
};

struct load_options {
    uint16_t port;
    unsigned clients;
    unsigned ramp; /* logins under way at the same time */
    enum load_protocol protocol;
    enum load_end end;
    bool reconnects;
    SSL_CTX *context; /* NULL: plain */
    const char *user, *database, *password;
    const char *query; /* NULL: SELECT by a random account number */
    uint32_t accounts;
    uint64_t copy_bytes; /* sent in answer to CopyInResponse */
    uint32_t copy_row_bytes;
};

enum client_state {
    CLIENT_NONE, /* not connected: not yet, or no more */
    CLIENT_CONNECTING,
    CLIENT_ASKING, /* for TLS */
    CLIENT_SHAKING,
    CLIENT_LOGIN,
    CLIENT_SETUP, /* its prepared statement, or the BEGIN it is to hold */
    CLIENT_RESTING,
    CLIENT_BUSY,
};

struct client {
    struct conn conn;
    enum client_state state;
    bool waits_for_write;
    bool was_ready; /* has logged in once; with `reconnects` it does again and again */
    struct wire_reader reader;
    struct scram_login scram;
    uint64_t started_ns;   /* the transaction, or the connection with `reconnects` */
    uint64_t transactions; /* within the measured time */
    uint64_t copy_left;    /* bytes still to send in a COPY */
};

struct load {
    struct load_options options;
    int epoll;
    struct client *clients;
    unsigned n_started, n_logging_in, n_ready, n_lost;
    uint64_t now; /* ns, read for each event */
    uint64_t random;
    bool is_stopping;     /* no new transactions */
    struct bytes request; /* being built */
    struct bytes copy_data;
    /* figures of the measured time */
    struct histogram latency;
    uint64_t bytes;
    uint64_t errors;
    char first_error[160];
};

/* Starts as many logins as `ramp` allows. */
void load_start_clients(struct load *l);
void client_handle_event(struct load *l, struct client *c, uint32_t events);

#endif
