/* SPDX-License-Identifier: PostgreSQL */
/* server.h - one connection to PostgreSQL: dialled, logged in, then lent to clients.
 *
 * A server belongs to one worker's loop and is touched by that thread only; it may move to another
 * loop when it is quiet (server_detach, server_attach). It never names a client: everything that a
 * client must see goes through the struct server_ops of the relay.
 *
 *   CONNECTING -> TLS -> LOGIN -> IDLE <-> LINKED
 *                                  ^         |
 *                                  +- RESETTING   (MOVING: in a mailbox, belongs to no loop)
 *
 * Objects die at the end of a loop turn: server_close marks and unhooks, server_free is called by
 * the relay's reaper. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/addr.h"
#include "base/error.h"
#include "base/span.h"
#include "net/outgoing.h"
#include "track/expect.h"
#include "track/parameters.h"
#include "track/prepared.h"

struct addr_list;
struct config;
struct dialer_options;
struct keycache;
struct loop;
struct secret;
struct server;
struct stream;
struct target;
struct tls_context;

enum server_state {
    SERVER_NEW,
    SERVER_CONNECTING,
    SERVER_TLS,
    SERVER_LOGIN,
    SERVER_IDLE,
    SERVER_LINKED,
    SERVER_RESETTING,
    SERVER_MOVING,
    SERVER_CLOSING,
};

/* Where in the log-in a failure happened: what the target makes of it differs. */
enum server_phase {
    SERVER_PHASE_NETWORK,
    SERVER_PHASE_TLS,
    SERVER_PHASE_AUTH,
    SERVER_PHASE_WAKE, /* everything is proven, the database has not answered yet */
    SERVER_PHASE_READY,
};

/* How a connection ended. The text is in the server's own words where it gave any. */
struct server_end {
    enum server_phase phase;
    bool said_goodbye; /* a FATAL message came first: error holds it */
    bool while_busy;   /* answers were owed */
    struct error error;
    const char *phrase; /* PgBouncer's short reason, for the log; NULL: the text is one */
    struct span report; /* the body of that message (report_keep); borrowed; else empty */
};

/* What becomes of a ReadyForQuery. */
enum server_ready {
    SERVER_READY_DROP,
    SERVER_READY_FORWARD,
    SERVER_READY_TELL, /* there is something to say ahead of it */
};

struct server_ops {
    /* Logged in and idle for the first time. The last thing of an input: it may go to another
     * worker in this call. */
    void (*on_ready)(struct server *s);
    /* Bytes for the linked client, in order; borrowed until the callback returns. */
    void (*on_forward)(struct server *s, struct span bytes);
    /* The turn of an answer of ours has come (EXPECT_INJECT_...). */
    void (*on_inject)(struct server *s, const struct expect *entry);
    /* A ParameterStatus came; server_params() is up to date. */
    void (*on_parameter)(struct server *s, struct span name, struct span value,
                         struct span message);
    /* A NotificationResponse came, and somebody is linked. */
    void (*on_notification)(struct server *s, struct span message);
    /* An ErrorResponse answered the entry; `message` is the whole message. Returns true to forward
     * it to the client, false to keep it back. Called before the dropped entries are named. */
    bool (*on_error)(struct server *s, const struct expect *entry, struct span message);
    /* The server skips this entry because of an earlier error. */
    void (*on_dropped)(struct server *s, const struct expect *entry);
    /* An entry was answered well: one of ours (not EXPECT_CLIENT), or one with an `arg`. */
    void (*on_answered)(struct server *s, const struct expect *entry);
    /* A ReadyForQuery answered the entry; server_status() is up to date. The bytes before it may
     * not have been forwarded yet. */
    enum server_ready (*on_ready_for_query)(struct server *s, const struct expect *entry);
    /* After SERVER_READY_TELL: they have been forwarded. Returns true to forward the message. */
    bool (*on_tell)(struct server *s);
    /* CommandComplete for the client: what it answers (or a part of it), its tag. Not called when a
     * statement of a Query has merely counted rows. */
    void (*on_complete)(struct server *s, const struct expect *entry, struct span tag);
    /* All that was read has been looked at: send what was composed, the bytes go away now. */
    void (*on_flush)(struct server *s);
    /* After on_flush: if the server is at rest, it may be released, linked or moved now. */
    void (*on_input_done)(struct server *s);
    /* What could not be sent has gone: the client may be read again. */
    void (*on_drained)(struct server *s);
    /* The connection is over; the owner calls server_close. Called once. */
    void (*on_end)(struct server *s, const struct server_end *end);
};

/* What it takes to log in. Everything is borrowed until on_ready or on_end, the parts that
 * outlive a reload are counted by the caller. */
struct server_login {
    const char *user;
    const char *database;
    const char *application_name;                       /* or NULL */
    const char *options;                                /* or NULL */
    const char *client_encoding, *datestyle, *timezone; /* each or NULL */
    const char *replication;                            /* or NULL */
    const struct param_set *params;                     /* more of them, which prevail; or NULL */
    const struct secret *secret;                        /* or NULL: none is known */
    struct keycache *keycache;
    struct tls_context *tls; /* NULL: plain */
    const char *host;        /* name for SNI and verification, and in messages */
    bool tls_required;
    bool tls_direct;             /* start with the handshake, ALPN postgresql */
    bool allow_cleartext;        /* the password may be sent as is (inside TLS only) */
    int channel_binding;         /* enum channel_binding_policy */
    int max_iterations;          /* of SCRAM; more is refused */
    unsigned max_prepared;       /* statements kept, 0: none */
    uint64_t connect_timeout_us; /* network and TLS */
    uint64_t auth_timeout_us;
    uint64_t wake_timeout_us;
};

/* What the servers of a worker share; changed by its thread only. */
struct server_context {
    struct loop *loop;
    uint32_t max_message_len; /* largest length word of what it may send when logged in */
};

/* From now on, for servers that are there, too. */
void server_context_follow(struct server_context *x, const struct config *cfg);

/* `id` is unique in the process. The server starts with one reference: the caller's. The context
 * outlives it, or its stay with the worker. */
struct server *server_new(const struct server_context *context, uint64_t id,
                          const struct server_ops *ops, void *owner,
                          const struct server_login *login);
/* Starts to connect; the answer is on_ready or on_end, never before this returns. */
void server_connect(struct server *s, struct addr_list *addresses,
                    const struct dialer_options *options);
/* Says Terminate if it can and hangs up. The object stays valid until server_free. */
void server_close(struct server *s);
void server_free(struct server **s);
size_t server_size(void);

/* Who is told from now on what it answers; at rest, or as a client's questions become ours. */
void server_set_ops(struct server *s, const struct server_ops *ops);
void *server_owner(const struct server *s);
uint64_t server_id(const struct server *s);
enum server_state server_get_state(const struct server *s);
const char *server_state_show(const struct server *s);
/* 'I', 'T' or 'E' as of the last ReadyForQuery. */
char server_status(const struct server *s);
/* Nothing is owed, nothing is half sent or half read. */
bool server_is_at_rest(const struct server *s);
bool server_is_open(const struct server *s);

/* The one function that changes the state; the table in server.c says what may follow. */
void server_enter(struct server *s, enum server_state next);

/* Sends and clears *out. False: the connection failed, on_end comes at the end of the turn. */
bool server_send(struct server *s, struct outgoing *out);
bool server_is_blocked(const struct server *s);
void server_pause(struct server *s);
void server_resume(struct server *s);
/* Stops reading, whatever is said about it meanwhile; until it is taken back. */
void server_freeze(struct server *s, bool on);
/* Reads what has already arrived, once (before writing to a server that was idle for long). */
void server_pull(struct server *s);

struct expect_queue *server_expects(struct server *s);
struct server_statements *server_statements_of(struct server *s);

/* Parameters that the server has now; borrowed. server_base_params: as reported at login. */
struct param_set *server_params(const struct server *s);
struct param_set *server_base_params(const struct server *s);
/* Notes that a command of ours changed what the server has. Takes a reference of its own. */
void server_set_params(struct server *s, struct param_set *params);
/* From now on the server is taken to have logged in with the parameters that it has now. */
void server_rebase(struct server *s);
/* The ParameterStatus messages of the login, as they came. */
struct span server_welcome(const struct server *s);

/* What a CancelRequest to this server takes. */
struct span server_cancel_key(const struct server *s); /* pid and key, as on the wire */
const struct addr *server_address(const struct server *s);
int32_t server_pid(const struct server *s);
bool server_is_tls(const struct server *s);
/* Of a message that streams, the rest is still to come. */
bool server_is_mid_message(const struct server *s);
const char *server_tls_text(const struct server *s, char *out, size_t size);
/* To look at, not to act on. */
const struct stream *server_stream(const struct server *s);
uint64_t server_connected_us(const struct server *s);
bool server_used_scram(const struct server *s);

/* Hand-over: false if the stream is not quiet. */
bool server_detach(struct server *s);
void server_attach(struct server *s, const struct server_context *context, void *owner);

/* Deadlines of the log-in phases; the relay's sweep calls it. */
void server_sweep(struct server *s, uint64_t now_us);

#endif
