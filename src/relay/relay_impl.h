/* SPDX-License-Identifier: PostgreSQL */
/* relay_impl.h - what the files of relay/ share; nobody else includes it. */
#ifndef RELAY_RELAY_IMPL_H
#define RELAY_RELAY_IMPL_H

#include "base/buf.h"
#include "pool/pool.h"
#include "relay/id_table.h"
#include "relay/places.h"
#include "relay/relay.h"
#include "relay/tick.h"
#include "setup/setup.h"
#include "stats/figures.h"
#include "track/sql_head.h"
#include "track/sql_traits.h"

#include <stddef.h>
#include <uthash.h>

struct asking;
struct cancel_run;
struct own;
struct peer_run;
struct pid_entry;
struct place;

/* Why a client must keep its server beyond the end of a transaction. */
enum pin {
    PIN_SESSION_MODE = 1 << 0, /* pool_mode=session */
    PIN_LARGE_PARSE = 1 << 1,  /* a prepared statement too large to keep a copy of */
};

/* A client and its place in a pool. */
struct session {
    /* Set at birth. */
    struct client *client; /* this session is its client_data */
    struct relay *relay;
    uint64_t id;
    struct id_link by_id;      /* relay->by_client_id */
    TAILQ_ENTRY(session) link; /* relay->sessions, then relay->dead_sessions */

    /* Since the login was through. */
    struct pool *pool; /* counted */
    struct place *place;
    struct stats *stats; /* the place's row of this worker */
    struct admission admission;
    struct pool_waiter waiter;
    uint8_t key[8];       /* cancel key: process number and secret, as on the wire */
    struct id_link keyed; /* in the table of cancel keys, under its lock */
    /* As of the login: a reload changes them for new sessions only, because names of prepared
     * statements and what the session has set were treated accordingly. */
    enum pool_mode mode;
    bool follows_statements;
    bool has_key;
    bool gone;
    bool unproven;     /* counted among those that have not logged in */
    bool is_operator;  /* of the console: not counted for max_client_conn */
    bool watched;      /* something may become due before its next message (tick.h) */
    uint8_t pins;      /* enum pin */
    bool skip_to_sync; /* a statement was refused: its messages are dropped up to the next Sync */
    bool drop_body;    /* the rest of the message being streamed goes nowhere */

    /* Its secret is being looked up: pool, place and lent are those it is asked in, if it leads. */
    struct asking *asking;

    struct lent *lent;  /* the server it is linked to */
    struct lent *given; /* the server it got and is about to be linked to */
    struct lent
        *checking;   /* the server that it gets if a check ends well; it is in no queue then */
    struct own *own; /* it needs a server of its own (own.h); NULL: any will do */

    /* The values of reported parameters that the client has been told of. */
    struct param_set *told;

    struct buf refusal; /* ErrorResponse for the statement that comes next */

    /* For limits and statistics; 0 while nothing of the kind runs. */
    uint64_t wait_since_us;
    uint64_t query_since_us;
    uint64_t xact_since_us;
    uint64_t ready_us;   /* when the last ReadyForQuery came */
    bool wait_noticed;   /* was told by a NOTICE that it is queued */
    bool query_overdue;  /* query_timeout has cancelled what runs */
    bool names_raw;      /* it has a name of which only its server knows the text */
    bool held_back;      /* the client is on hold until the server has caught up */
    uint8_t fences_lost; /* servers that went under the client's values, one after the other */

    uint8_t ending;       /* enum sql_ending, of what was sent since the last ReadyForQuery */
    uint8_t portal_drops; /* enum sql_drops, of the statement that was bound last */
};

/* What runs on a server that is in nobody's session. */
enum care { CARE_NONE, CARE_CONNECT, CARE_CHECK };

enum lent_cancel {
    CANCEL_NONE,
    CANCEL_SENT, /* a CancelRequest is on its way: not reusable until it is over */
    CANCEL_OVER, /* its connection ended: it can hit nobody any more */
};

/* A server and its place in a pool. */
struct lent {
    /* Set at birth; relay changes when it moves. */
    struct server *server; /* this lent is its server_owner */
    struct relay *relay;
    uint64_t id;
    UT_hash_handle hh;      /* relay->by_server_id */
    TAILQ_ENTRY(lent) link; /* relay->servers, then relay->dead_servers */
    struct pool *pool;      /* counted */
    struct place *place;
    struct stats *stats; /* the place's row of the worker it is with */
    struct terms *terms; /* counted: those it was dialled under */
    size_t host;         /* which host of the terms it is connected to */
    struct pool_server ledger;
    struct pid_entry *pid; /* since it is open; NULL: it has told no process number */

    /* On the way up. */
    bool dialing;           /* target_begin was answered with GO and not ended yet */
    struct session *own_of; /* the client that it is opened for (own.h); NULL: whoever waits */

    struct session *session; /* the client it is linked to */
    uint64_t idle_since_us;
    bool group_open;      /* extended messages were sent and no Sync behind them */
    bool close_when_idle; /* its state cannot be known any more */
    bool vanished;        /* its address is not its host's any more (vanish.c) */
    bool release_waits;   /* for a cancel that may still hit */

    /* Units of the session (names.h): the one that is being sent, the first that is not answered,
     * the last that held a statement which may change what Parse depends on. */
    uint64_t unit, first_unit, sets_unit;

    /* The difference that went ahead of the client's messages, and whether it stuck (link.c). */
    struct param_set *target;      /* what the server has when the difference has gone through */
    struct param_set *before_gate; /* what it has if the gated transaction rolls back */
    struct param_set *gate_origin; /* what it had when the gate was sent */
    bool unit_answered;            /* the unit being skipped has had its error */
    bool group_skipped;            /* ... and is a group: it ends with a Sync */
    bool saw_rollback;             /* since the gate opened */
    bool committed_behind_rollback;
    bool gate_committed; /* they are committed, the ReadyForQuery behind that has not come */
    bool in_savepoint;   /* certainly, since the gate opened */
    bool gate_undone;    /* rolled back, or RESET: the server has not the client's values */
    bool gate_bare;      /* the client has bound and run nothing behind it yet */
    /* Hardly ever is any of these set, so messages look at `rare` first: at all of them at once. */
    union {
        uint64_t rare;
        struct {
            bool gate_open;    /* gated values are uncommitted */
            uint8_t gate_unit; /* FE_QUERY, FE_SYNC: what was sent behind the open gate; 0 */
            bool gate_failed;  /* gated values were refused: what is skipped gets that error */
            bool fence_wait;   /* the client is on hold until our Query is over */
            bool error_since_ready;
            bool discarded; /* DISCARD ALL was run since the last ReadyForQuery */
            bool was_reset; /* RESET was run since the gate of the transaction, or its start */
            uint8_t reset;  /* enum sql_reset, of all that was sent since then */
        };
    };
    char reset_name[64];   /* SQL_RESETS_ONE: of what */
    struct buf gate_error; /* the ErrorResponse of a refused gate */

    enum lent_cancel cancel;
    bool cancel_hit; /* 57014 came since it was sent */
    uint64_t cancel_deadline_us;
    uint64_t cancel_unit; /* first_unit when it was sent: what it is to end */
    struct cancel_run *cancel_run;

    /* A client left it in the middle (leave.c). */
    bool leaving;
    bool rolled_back;  /* ROLLBACK was sent */
    bool reset_wanted; /* server_reset_query is due */
    bool was_cleaned;  /* ... and was sent */
    bool clean_failed; /* ... and refused */
    uint64_t leave_deadline_us;

    /* A query of the operator's runs on it (care.c). */
    enum care care;
    bool care_has_failed;
    bool checked; /* since it was idle */
    uint64_t care_deadline_us;
    struct session *checked_for; /* of this worker; its `checking` is this */
};

_Static_assert(SQL_RESETS_NOTHING == 0, "lent.rare is 0 while nothing is reset");
_Static_assert(offsetof(struct lent, reset) - offsetof(struct lent, rare) == sizeof(uint64_t) - 1,
               "lent.rare covers the last of its flags");

TAILQ_HEAD(session_list, session);
TAILQ_HEAD(lent_list, lent);
TAILQ_HEAD(peer_run_list, peer_run);

struct relay {
    /* Set at birth. */
    struct relay_shared *shared;
    int worker;
    struct loop *loop;
    struct client_context client_context;
    struct server_context server_context;
    struct mailbox mailbox;
    uint64_t jitter;

    struct setup *setup;
    bool is_suspended; /* suspend.c */

    struct session_list sessions; /* those that are watched come first */
    struct id_table by_client_id;
    struct lent_list servers;
    struct lent *by_server_id;
    struct peer_run_list peer_runs; /* peer.c */
    _Atomic unsigned n_clients;     /* also those that are on their way here */
    unsigned n_waiting;
    uint64_t last_unit; /* names.h */

    /* Composed during one callback, sent before it ends. */
    struct outgoing to_client;
    struct outgoing to_server;

    /* Freed at the end of the turn. */
    struct session_list dead_sessions;
    struct lent_list dead_servers;
    struct cancel_run *dead_cancels;
    struct peer_run_list dead_peer_runs;

    struct timer tick;
    uint64_t last_sweep_us;
    bool keeps_pools;    /* some pools are to have servers before anybody asks */
    uint64_t dial_at_us; /* when a dial that had to wait is tried again; 0: none waits */
};

/* relay.c */
struct session *relay_find_session(struct relay *r, uint64_t id);
struct lent *relay_find_lent(struct relay *r, uint64_t id);
void relay_add_lent(struct relay *r, struct lent *l);
void relay_remove_lent(struct lent *l);
void relay_bury_session(struct session *ses);
/* Out of the lists; server and entry are freed at the end of the turn. */
void relay_bury_lent(struct lent *l);
/* A server that no worker owns any more (its mailbox has gone). */
void relay_discard_lent(struct lent *l);
uint64_t relay_next_id(struct relay *r);
void lent_log(const struct lent *l, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* session.c */
extern const struct client_ops session_ops;
/* A server of the pool has logged in: clients of all workers that waited for that are let in. */
void session_welcome_everywhere(struct relay *r, struct pool *p);

/* respond.c */
extern const struct server_ops respond_ops;

#endif
