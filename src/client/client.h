/* SPDX-License-Identifier: PostgreSQL */
/* client.h - one connection from an application: accepted, proven, then asking.
 *
 *   NEW -> TLS -> STARTUP -> LOOKUP <-> AUTH -> WELCOME -> IDLE <-> WAITING
 *                       \_______________^                   ^  \      |
 *                                                           |   v     v
 *                                                           +-- LINKED         (any -> CLOSING)
 *
 * A client belongs to one worker for its whole life. It knows how to log in and how to cut its
 * bytes into messages; what becomes of a message is decided by its struct client_ops: the relay's
 * for pools, the console's for the admin database. It never names a server.
 *
 * Objects die at the end of a loop turn: client_close marks and unhooks, client_free is called by
 * the relay's reaper. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "auth/blocking.h"
#include "base/addr.h"
#include "base/error.h"
#include "base/span.h"
#include "net/outgoing.h"
#include "proto/startup.h"
#include "track/parameters.h"
#include "track/prepared.h"

struct client;
struct client_known;
struct keycache;
struct loop;
struct setup;
struct setup_login;
struct stream;

enum client_state {
    CLIENT_NEW,
    CLIENT_TLS,
    CLIENT_STARTUP,
    CLIENT_LOOKUP, /* auth_query, PAM or LDAP is asked about it */
    CLIENT_AUTH,
    CLIENT_WELCOME,
    CLIENT_IDLE,
    CLIENT_WAITING,
    CLIENT_LINKED,
    CLIENT_CANCEL,
    CLIENT_CLOSING,
};

/* One message, or a piece of one that streams. */
struct request {
    uint8_t type;
    bool first;        /* `bytes` begins with the message's header */
    bool last;         /* nothing of this message is still to come */
    uint32_t body_len; /* of the whole message */
    struct span bytes; /* header included; borrowed until the input is done */
};

enum request_verdict {
    REQUEST_TAKEN,
    REQUEST_HOLD,   /* keep it and what follows; client_continue() comes later */
    REQUEST_CLOSED, /* the client was closed meanwhile */
};

struct client_ops {
    /* Proven; find the pool, then call client_welcome, now or later, or client_fail. */
    void (*on_login)(struct client *c);
    enum request_verdict (*on_request)(struct client *c, const struct request *r);
    /* All that was read has been offered: send what was composed, the bytes go away now. */
    void (*on_input_done)(struct client *c);
    /* What could not be sent has gone: the server may be read again. */
    void (*on_drained)(struct client *c);
    /* A CancelRequest came on this connection; it is closed when client_close is called. */
    void (*on_cancel)(struct client *c, struct span key);
    /* Going away, for whatever reason; the last call with this client. */
    void (*on_gone)(struct client *c);
};

/* What auth_query said of a user; borrowed during client_found. */
struct client_finding {
    struct span user;            /* what he is called from now on */
    const struct secret *secret; /* NULL: there is no such user */
    bool remembered;             /* it was asked for somebody else, a while ago */
};

/* What the worker shares with all its clients. */
struct client_context {
    struct loop *loop;
    struct setup *setup; /* swapped on reload; a client that looks longer takes a reference */
    /* As in the setup, where asking costs more: `watches` is asked for each message, and says that
     * one of those below it wants to see messages. */
    bool watches;
    bool log_statements;
    bool refuses_simple_query;
    uint64_t max_message_bytes;
    struct client_known *known; /* client_who.h; NULL: clients share nothing */
    struct keycache *keycache;  /* for passwords in clear; NULL: each costs a PBKDF2 */
    const struct client_ops *relay_ops;
    const struct client_ops *console_ops;
    void *owner; /* the relay, or the tests' stand-in */
    bool (*may_login)(void *owner, struct client *c, struct error *err);
    void (*login_done)(void *owner, struct client *c); /* left the unauthenticated ones */
    /* It has logged in and may look at the console: counts from now on. False with *err. */
    bool (*admit_console)(void *owner, struct client *c, struct error *err);
    /* The client is LOOKUP: client_found comes, now or later, or client_fail. */
    void (*look_up)(void *owner, struct client *c);
    /* The client is LOOKUP: client_verified comes, now or later. False with *err, for the client.
     */
    bool (*verify)(void *owner, struct client *c, const struct blocking_question *q,
                   struct error *err);
    /* What was remembered was not what the client has proven: it may have changed. */
    void (*doubt)(void *owner, struct client *c);
};

/* Another setup takes the place of the context's; borrowed. */
void client_context_follow(struct client_context *x, struct setup *setup);

/* Takes fd; client_listen comes next. */
struct client *client_new(const struct client_context *context, uint64_t id, int fd,
                          const struct addr *peer);
/* Unhooks, flushes what it can and hangs up. The object stays valid until client_free. */
void client_close(struct client *c, const char *reason);
/* Answers with a FATAL report, logs one line, closes. */
void client_fail(struct client *c, const struct error *err);
/* The same with DETAIL and HINT (each may be NULL). */
/* In the words of a server's report (proto/report.h, report_keep); err is for the log, and for the
 * client if the report is empty. */
void client_fail_report(struct client *c, const struct error *err, struct span report);
/* As client_fail_detail, with another reason in the line of its end. */
void client_fail_because(struct client *c, const struct error *err, const char *detail,
                         const char *hint, const char *reason);
void client_fail_detail(struct client *c, const struct error *err, const char *detail,
                        const char *hint);
void client_free(struct client **c);
/* In bytes, without what it points to; so are server_size and pool_object_size. */
size_t client_size(void);

/* The answer to `verify`; `why` is for the log. */
void client_verified(struct client *c, enum blocking_verdict verdict, const struct error *why);

void *client_owner(const struct client *c);
const struct client_context *client_context_of(const struct client *c);
/* What the ops keep per client. */
void *client_data(const struct client *c);
void client_set_data(struct client *c, void *data);

uint64_t client_id(const struct client *c);
enum client_state client_get_state(const struct client *c);
const char *client_state_show(const struct client *c);
/* The one function that changes the state; the table in client.c says what may follow. */
void client_enter(struct client *c, enum client_state next);

/* After on_login: `reports` are the ParameterStatus messages that the pool's servers gave, `key`
 * the cancel key. The client's own start-up parameters are laid over `base`. */
void client_welcome(struct client *c, struct span reports, struct param_set *base, struct span key);

/* After look_up. */
void client_found(struct client *c, const struct client_finding *f);
/* While it logs in: as it has called itself, whatever auth_query calls it. */
const char *client_called_user(const struct client *c);

/* Sends and clears *out. */
bool client_send(struct client *c, struct outgoing *out);
bool client_is_blocked(const struct client *c);
void client_pause(struct client *c);
void client_resume(struct client *c);
/* Stops reading, whatever is said about it meanwhile; until it is taken back. */
void client_freeze(struct client *c, bool on);
/* Starts to read, at once if it has probably said something. */
void client_listen(struct client *c, bool has_said);
/* Offers again what was held. */
void client_continue(struct client *c);
/* A message is half forwarded. */
bool client_is_mid_message(const struct client *c);

const char *client_user(const struct client *c);
/* What its startup packet asked for. */
enum replication client_replication(const struct client *c);
/* Until it is welcomed, for replication: the parameter "options" as it came; NULL if there is none.
 */
const char *client_raw_options(const struct client *c);
const char *client_database(const struct client *c);
const struct setup_login *client_setup_login(const struct client *c);
/* What its names were looked up in. */
struct setup *client_setup(const struct client *c);
/* After a reload, for a client that is proven: looks its names up in the context's setup. False if
 * its database is not there any more (and client_setup_login says so from now on). */
bool client_refresh_setup(struct client *c);
struct param_set *client_params(const struct client *c);
/* As after the login: what DISCARD ALL goes back to. */
struct param_set *client_default_params(const struct client *c);
void client_set_params(struct client *c, struct param_set *params);
/* These are what its session begins with. */
void client_start_from(struct client *c, struct param_set *params);
struct client_statements *client_statements_of(struct client *c);
const struct addr *client_peer(const struct client *c);
uint64_t client_connected_us(const struct client *c);
uint64_t client_request_us(const struct client *c);
const char *client_tls_text(const struct client *c, char *out, size_t size);
/* To look at, not to act on. */
const struct stream *client_stream(const struct client *c);
/* Bytes that were read and not acted upon yet. */
size_t client_held(const struct client *c);

/* Logs with the line prefix of this connection. */
void client_log(const struct client *c, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Deadlines of log-in and idleness; `served_us`: when its last statement ended. False: nothing can
 * become due before its next message. */
bool client_sweep(struct client *c, uint64_t now_us, uint64_t served_us);

#endif
