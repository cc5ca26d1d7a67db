/* SPDX-License-Identifier: PostgreSQL */
/* server_impl.h - the struct behind server.h; included by server*.c only. */
#ifndef SERVER_SERVER_IMPL_H
#define SERVER_SERVER_IMPL_H

#include "base/buf.h"
#include "net/dialer.h"
#include "net/loop.h"
#include "net/stream.h"
#include "server/server.h"

/* A whole message from a server (an error, a report) may be this long; longer ones stream. */
#define SERVER_WHOLE_MAX 65536
/* Terms of a cancel key: 4 bytes of pid and a key of 4 to 256 bytes. */
#define SERVER_KEY_MAX 260

struct server_login_run; /* server_login.c: the exchange in progress, freed when it is over */

struct server {
    /* Set at birth. */
    uint64_t id;
    const struct server_context *context; /* NULL on its way to another worker */
    const struct server_ops *ops;
    void *owner;
    uint64_t born_us;

    enum server_state state;
    bool end_told; /* on_end was called: once is enough */
    const char *end_phrase;

    /* On the way up; login is freed when the server is ready. */
    struct server_login_run *login;
    struct dialer *dialer;
    uint64_t deadline_us;

    struct stream stream;

    /* Set while logging in. */
    struct addr address;
    uint8_t cancel_key[SERVER_KEY_MAX];
    uint16_t cancel_key_len;
    bool used_scram;
    struct buf welcome; /* ParameterStatus messages, as they came */
    struct param_set *base_params;

    /* What the server has now. */
    char status;
    struct param_set *params;
    struct server_statements statements;

    /* Reading answers. */
    struct expect_queue expects;
    struct buf held;    /* the beginning of a message that must be whole */
    uint32_t body_left; /* of the message being streamed */
    bool body_forward;
    struct error last_words; /* of a FATAL that came ... */
    struct buf last_report;  /* ... and all of it (report_keep) */
};

/* server_login.c */
void server_login_start(struct server *s);
void server_login_input(struct server *s, struct span bytes) __attribute__((cold));
void server_login_on_handshake(struct server *s);
void server_login_free(struct server *s);
void server_login_copy(struct server *s, const struct server_login *login);
enum server_phase server_login_phase(const struct server *s);
uint64_t server_login_wake_deadline(const struct server *s);
const struct server_login *server_login_terms(const struct server *s);

/* server_responses.c */
void server_responses_input(struct server *s, struct span bytes);
/* Notes a FATAL; false if it is malformed. */
bool server_keep_last_words(struct server *s, struct span body);

/* server.c: the one function through which a server fails. */
void server_fail(struct server *s, const struct error *err);

#endif
