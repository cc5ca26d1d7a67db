/* SPDX-License-Identifier: PostgreSQL */
/* relay.h - introduces clients to servers.
 *
 * One struct relay belongs to each worker thread and holds that worker's clients and servers. It
 * carries out what pool/ and upstream/ decide, moves bytes between the two sides, and is the only
 * place that sees both. Its files:
 *
 *   relay.c      the context: lists, look-up by id, the reaper, the sweep
 *   session.c    a client from log-in to its end: its pool, its welcome
 *   broker.c     acquire, release, dial, as the pool's ledger decides
 *   handover.c   a server moves from one worker to another
 *   link.c       pair a client and a server: the difference of their session states goes first
 *   reset.c      RESET and DISCARD ALL go back to the session's own start
 *   forward.c    client -> server: what each message needs before it may go
 *   provide.c    what the server must have before a message may use it
 *   respond.c    server -> client: what each answer means for the pair
 *   names.c      names of prepared statements while their messages are on their way
 *   dial.c       open connections; ends.c: servers become ready and are lost
 *   care.c       connect_query, server_check_query, server_fast_close
 *   own.c        clients that need a server of their own: replication
 *   vanish.c     addresses that a name does not stand for any more
 *   leave.c      a client has left in the middle: cancel, drain, roll back, keep the server
 *   tick.c       every time-out
 *   cancel.c     cancel requests, ours and the clients'; peer.c: those for other processes
 *   auth_query.c ask a server for a user's secret; lookups.c: what was said, who waits for it
 *   pids.c       process numbers that clients were told, for notifications
 *   verify.c     ask PAM and LDAP whether a password is right
 *   places.c     what pools and targets need beside their ledgers
 *   terms.c      under which terms servers are connected to; findings.c: what they then said
 *   refit.c      a reload: the new setup takes the place of the old one
 *   control.c    what the operator ordered for databases; order.c: his orders, in one worker
 *   suspend.c    nothing is read
 *   look.c       rows about clients and servers, for the console
 *
 * Threads: everything here is touched by the worker's own thread, except `shared` (each member has
 * its own lock) and the mailbox. Across workers, clients and servers are named by id. */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "base/list.h"
#include "client/client.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "net/outgoing.h"
#include "server/server.h"

#include <stdatomic.h>

struct blocking;
struct cancel_keys;
struct control;
struct history;
struct keycache;
struct limits;
struct listeners;
struct lookups;
struct peer_ledger;
struct pids;
struct places;
struct process;
struct registry;
struct resolver;
struct setup;
struct tls_context;

/* What all workers share. Set before they start; each member locks for itself. */
struct relay_shared {
    int n_workers;
    unsigned max_by_descriptors; /* clients, where max_client_conn=0; 0: nobody knows */
    struct relay **relays;       /* by worker index */
    struct registry *registry;
    struct places *places;
    struct control *control;
    struct history *history; /* what happened lately: worker/history.h; NULL: nobody keeps it */
    struct process *process; /* how to ask the main thread: worker/process.h */
    struct cancel_keys *cancel_keys;
    struct pids *pids;
    struct peer_ledger *peers;
    char *predecessor; /* -R: the Unix socket of the process whose place we took; NULL: none */
    atomic_bool predecessor_has_left;
    struct keycache *keycache;
    struct blocking *blocking; /* PAM, LDAP */
    struct lookups *lookups;
    struct resolver *resolver;
    struct listeners *listeners; /* on the loop of the first worker, in whose thread they change */
    /* Server and client ids share one sequence, as SHOW CLIENTS and SHOW SERVERS do. */
    _Atomic uint64_t next_id;
    _Atomic uint32_t n_clients;
    _Atomic uint32_t n_operators; /* of the console; not among n_clients */
    _Atomic uint32_t n_unauthenticated;
    /* Set once, by the main thread: nobody but operators may log in any more. */
    atomic_bool is_stopping;
    /* ... and whoever came by TCP, which was accepted before those sockets were closed. */
    atomic_bool serves_accepted;
    /* ... which has happened. */
    atomic_bool is_closed;
};

struct relay;

/* Borrows shared until relay_free; takes a reference of setup. */
struct relay *relay_new(struct relay_shared *shared, int worker, struct loop *loop,
                        struct setup *setup, const struct client_ops *console_ops);
/* After relay_shutdown, when no thread posts any more. */
void relay_free(struct relay **r);

/* Closes all connections; posts may still arrive until relay_free. */
void relay_shutdown(struct relay *r);

struct mailbox *relay_mailbox(struct relay *r);
struct loop *relay_loop(struct relay *r);
int relay_worker(const struct relay *r);

/* One is on its way here: counts at once, so that the next is dealt elsewhere. */
void relay_expect_client(struct relay *r);
/* A connection was accepted and dealt to this worker; takes fd. */
void relay_accept(struct relay *r, int fd, const struct addr *peer);

/* NULL if it has left. The worker's own thread. */
struct client *relay_find_client(struct relay *r, uint64_t id);
/* How many connections of applications live here; any thread. */
unsigned relay_client_count(const struct relay *r);

struct relay_shared *relay_shared_of(struct relay *r);
/* Borrowed until the next turn; the worker's own thread. */
struct setup *relay_setup(struct relay *r);

#endif
