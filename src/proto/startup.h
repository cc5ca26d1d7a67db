/* SPDX-License-Identifier: PostgreSQL */
/* startup.h - the packets that open a connection, which have no type letter.
 *
 *      Int32 length (counts itself)   Int32 code   rest
 *
 *      code 3.x        StartupMessage: (String name, String value)*, NUL
 *      code 1234.5678  CancelRequest:  Int32 process, Byte4..256 secret (longer than 4 since 3.2)
 *      code 1234.5679  SSLRequest      nothing
 *      code 1234.5680  GSSENCRequest   nothing
 *
 * Whoever sends these has proven nothing yet, so everything is bounded: an impossible length or
 * code is refused as soon as it can be read, before anything behind it is waited for. Error texts
 * are those that PgBouncer's users know; SQLSTATEs are those of PostgreSQL. */
#ifndef PROTO_STARTUP_H
#define PROTO_STARTUP_H

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

enum {
    STARTUP_VERSION_3_0 = 3 << 16,
    /* PostgreSQL's MAX_STARTUP_PACKET_LENGTH, which does not count the length word. */
    STARTUP_LEN_MAX = 4 + 10000,
    /* Process number and secret of a CancelRequest together. */
    STARTUP_KEY_MIN = 4 + 4,
    STARTUP_KEY_MAX = 4 + 256,
};

enum startup_kind {
    STARTUP_MORE, /* incomplete: come back with more */
    STARTUP_SSL,
    STARTUP_GSS,
    STARTUP_CANCEL,
    STARTUP_START,
    STARTUP_BAD, /* the connection can only be closed */
};

/* The parameter "replication": a boolean for physical replication, "database" for logical. */
enum replication {
    REPLICATION_NONE,
    REPLICATION_PHYSICAL,
    REPLICATION_LOGICAL,
};

/* Spans point into the input. */
struct startup {
    enum startup_kind kind;
    /* STARTUP_CANCEL: process number and secret, as BackendKeyData carried them */
    struct span cancel_key;
    /* STARTUP_START. If a name occurs twice the last one counts, as in PostgreSQL. */
    uint32_t version;   /* what the client asked for: major << 16 | minor; major is 3 */
    bool negotiate;     /* NegotiateProtocolVersion is due: minor > 0, or "_pq_." names */
    uint32_t n_unknown; /* how many "_pq_." names there are */
    enum replication replication_kind;
    struct span user; /* never empty */
    struct span database, options, replication;
    struct span parameters; /* all (name, value) pairs; see startup_parameters_of */
};

/* Reads the packet at the start of `in`. Except for STARTUP_MORE and STARTUP_BAD, *m is set and
 * *used_out is the packet's length; for STARTUP_BAD *err is set, without an SQLSTATE where nothing
 * is to be answered: nobody reads the answer to a CancelRequest. m->kind is the result always. */
enum startup_kind startup_parse(struct span in, struct startup *m, size_t *used_out,
                                struct error *err);

/* Iterates over all parameters in the order of the packet, user and database included. */
struct startup_parameters {
    struct span rest;
};

struct startup_parameters startup_parameters_of(const struct startup *m);
/* False at the end. */
bool startup_parameters_next(struct startup_parameters *it, struct span *name_out,
                             struct span *value_out);
/* A "_pq_." name: an option of the protocol itself, of which we know none. */
bool startup_is_protocol_option(struct span name);

/* ---- the parameter "options" -----------------------------------------------------------------
 *
 * Split as PostgreSQL's pg_split_opts does: words end at white space, a backslash takes the next
 * character literally. Of the switches of the postgres program only those that set a value are
 * understood:  -c name=value  -cname=value  --name=value , with '-' in names standing for '_'.
 * Neon's own words (endpoint=..., project=..., neon_...:...) select where to connect and are no
 * settings; they are recognised so that they can be dropped. */
enum startup_options_result {
    STARTUP_OPTIONS_END,
    STARTUP_OPTIONS_SETTING,
    STARTUP_OPTIONS_NEON,
    STARTUP_OPTIONS_BAD,
};

struct startup_option {
    struct span name, value;
};

/* Holds one unescaped word at a time; 10 KB, meant for the stack. */
struct startup_options_reader {
    struct span rest;
    uint8_t word[STARTUP_LEN_MAX];
};

/* Borrows `options` until the last call of startup_options_next. */
void startup_options_begin(struct startup_options_reader *r, struct span options);
/* The next setting or Neon word, valid until the next call. For STARTUP_OPTIONS_BAD *err is set and
 * there must be no next call. */
enum startup_options_result startup_options_next(struct startup_options_reader *r,
                                                 struct startup_option *out, struct error *err);

/* ---- builders: append one packet to *b ------------------------------------------------------- */

struct startup_pair {
    struct span name, value;
};

/* StartupMessage, protocol 3.0. */
void startup_build(struct buf *b, const struct startup_pair *pairs, size_t n);
void startup_build_ssl_request(struct buf *b);
void startup_build_gss_request(struct buf *b);
/* `key` is the body of BackendKeyData: process number and secret, STARTUP_KEY_MIN to _MAX bytes. */
void startup_build_cancel(struct buf *b, struct span key);
/* NegotiateProtocolVersion (a backend message, but made of nothing else than *m): we speak 3.0 and
 * know none of the "_pq_." options. */
void startup_build_negotiate(struct buf *b, const struct startup *m);

#endif
