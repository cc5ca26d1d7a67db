/* SPDX-License-Identifier: PostgreSQL */
/* stream.h - one connection, plain or TLS, as a value that can change loops.
 *
 * A stream is embedded in its owner (a client, a server) and belongs to one loop at a time. Its
 * read event stays registered for life; each wake-up reads once, at most 64 KiB, into the loop's
 * staging buffer and hands the bytes up in one call. Sending is tried at once; only what the kernel
 * did not take is kept, and only then does the stream ask to be told when it is writable. So a
 * connection owns no buffer while nothing is stuck.
 *
 * Callbacks. They come from the loop, stream_pull and stream_begin, never from another function: a
 * failure found while sending is told at the end of the turn. An owner may close the stream inside
 * any of them. The memory of a stream must stay valid until the end of the turn in which it was
 * closed.
 *
 * TLS runs over an own BIO on the staging buffers: a wake-up decrypts everything that was received,
 * so nothing is hidden from a level-triggered loop. At most two handshake steps are computed in a
 * turn; the others wait for the next one. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/addr.h"
#include "base/error.h"
#include "base/span.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct loop;
struct outgoing;
struct stream;
struct tls;
struct tls_context;
struct unsent;

enum stream_end {
    STREAM_EOF,    /* the peer said all it had to say; with TLS with or without close_notify */
    STREAM_RESET,  /* the connection was cut: ECONNRESET, EPIPE, ETIMEDOUT and their like */
    STREAM_FAILED, /* TLS failed, or the system refused */
};

struct stream_ops {
    /* Bytes in the staging buffer, at least one, valid only during the call: the owner takes them
     * all. May come once more after stream_pause, for bytes that were already read. */
    void (*on_input)(void *owner, struct span bytes);
    /* What could not be sent has gone. May be NULL. */
    void (*on_drained)(void *owner);
    /* Once: nothing will be received any more. *err names the reason (also for STREAM_EOF). The
     * owner calls stream_close, now or later. */
    void (*on_end)(void *owner, enum stream_end how, const struct error *err);
    /* TLS is up. May be NULL if it is never started. */
    void (*on_handshake)(void *owner);
    /* While reading is paused: the peer has hung up, but bytes of it are still unread. Once per
     * pause; on_end comes after they were read. An owner who has no use for them closes. NULL: a
     * paused stream is not watched, its end is noticed when reading resumes. */
    void (*on_hangup)(void *owner);
};

enum stream_sent {
    STREAM_SEND_DONE,    /* the kernel has everything */
    STREAM_SEND_BLOCKED, /* a remainder is kept; on_drained follows */
    STREAM_SEND_FAILED,  /* lost; on_end follows at the end of the turn unless it came before */
};

enum stream_cert { STREAM_OWN_CERT, STREAM_PEER_CERT };

/* Longest hash of a certificate: SHA-512. */
#define STREAM_BINDING_MAX 64

/* Something to do at the end of the turn. Private to net/. */
TAILQ_HEAD(loop_task_list, loop_task);
struct loop_task {
    TAILQ_ENTRY(loop_task) link;
    struct loop_task_list *list;
    void (*run)(struct loop_task *t);
    bool is_queued;
};

/* All fields are private. All zero is a stream that is not open. */
struct stream {
    const struct stream_ops *ops;
    void *owner;
    struct loop *loop;     /* NULL: closed or detached */
    struct tls *tls;       /* NULL: plain */
    struct unsent *unsent; /* NULL: nothing is stuck */
    struct event read;
    struct loop_task task; /* the handshake's next step, or telling of a failure */
    int fd;                /* meaningful while is_open */
    int send_errno;        /* why sending failed, 0: it did not */
    bool is_open;
    bool is_paused;
    bool is_frozen;  /* not read in any case */
    bool is_watched; /* for a hang-up, while paused */
    bool is_busy;    /* being read: no pull inside */
    bool has_ended;  /* on_end was called */
    bool has_spoken; /* something was sent since the last read that emptied the socket */
};

/* Borrows ops and owner for the stream's life. */
void stream_init(struct stream *s, const struct stream_ops *ops, void *owner);
/* Takes fd, a connected non-blocking socket, and starts to read. */
void stream_open(struct stream *s, struct loop *l, int fd);
/* The same in two steps, for a peer that has probably said something: it is read at once, and
 * watched from then on. */
void stream_open_unwatched(struct stream *s, struct loop *l, int fd);
void stream_begin(struct stream *s, bool has_said);
/* Hangs up; with TLS one close_notify is tried. What is unsent is lost. No callback comes after.
 * Closing a closed stream does nothing. A detached stream may be closed by whoever holds it. */
void stream_close(struct stream *s);
bool stream_is_open(const struct stream *s);

/* Sends and clears *o. While a remainder is stuck, more is appended to it: the owner stops feeding
 * a blocked stream, or the remainder grows. During a handshake nothing can be said: FAILED. */
enum stream_sent stream_send(struct stream *s, struct outgoing *o);
/* The same for a small message. */
enum stream_sent stream_write(struct stream *s, const void *p, size_t n);
bool stream_is_blocked(const struct stream *s);
/* Bytes that the kernel has not taken (with TLS: encrypted ones). */
size_t stream_unsent(const struct stream *s);

/* Stops and resumes reading; repeating either costs nothing. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);
bool stream_is_paused(const struct stream *s);
/* As if paused, whatever stream_pause and stream_resume say meanwhile; detaching ends it. Nothing
 * happens to a stream that is not open. */
void stream_freeze(struct stream *s, bool on);
/* Reads what has arrived, now, and calls on_input and on_end as the loop would; the staging buffer
 * of a stream whose input is being handled is not touched. Nothing happens if the stream is paused,
 * in its handshake, or being read already. */
void stream_pull(struct stream *s);

/* Takes the stream off its loop, so that another thread may attach it. False, and nothing changes,
 * unless it is open, sound and quiet: nothing unsent, no handshake, no half-read TLS record. */
bool stream_detach(struct stream *s);
/* Continues on another loop, reading, for `owner`. */
void stream_attach(struct stream *s, struct loop *l, void *owner);

/* Starts TLS; on_handshake or on_end follows, not before the end of the turn. Takes a reference of
 * ctx. What was written before goes out first, in clear. `hello` (may be empty) is what the client
 * has sent already, if the handshake began without a request in clear; it is copied. */
bool stream_start_tls_server(struct stream *s, struct tls_context *ctx, struct span hello,
                             struct error *err);
/* `host` is sent as SNI unless it is an address, and is what the certificate must name under
 * verify-full. A session kept for the same host and port is offered again. `direct`: the handshake
 * was not asked for in clear, so ALPN is sent even if the context doesn't ask for it. */
bool stream_start_tls_client(struct stream *s, struct tls_context *ctx, const char *host,
                             bool direct, struct error *err);

/* TLS was started (the handshake may be under way). */
bool stream_is_tls(const struct stream *s);
/* These are about an established session, and false, empty or NULL without one. */
const char *stream_tls_version(const struct stream *s); /* "TLSv1.3" */
const char *stream_tls_cipher(const struct stream *s);
/* "TLSv1.3/TLS_AES_256_GCM_SHA384", or "" for plain; returns out. */
const char *stream_tls_text(const struct stream *s, char *out, size_t size);
struct span stream_alpn(const struct stream *s);
bool stream_is_resumed(const struct stream *s);
/* The peer gave a certificate and it was verified against the context's trust. */
bool stream_peer_verified(const struct stream *s);
/* The common name of the peer's certificate; false if it has none, or one with a NUL in it. */
bool stream_peer_name(const struct stream *s, char *out, size_t size);
/* tls-server-end-point (RFC 5929, section 4): the hash of the server's certificate by its own
 * signature's hash function, SHA-256 in place of MD5 and SHA-1. False where it is not defined
 * (Ed25519, RSA-PSS) or there is no certificate. */
bool stream_channel_binding(const struct stream *s, enum stream_cert which,
                            uint8_t out[STREAM_BINDING_MAX], size_t *len_out);

bool stream_is_unix(const struct stream *s);
/* Who is at the other end of a Unix socket, as of connect(2). */
bool stream_peer_cred(const struct stream *s, uid_t *uid_out, pid_t *pid_out);
bool stream_peer_addr(const struct stream *s, struct addr *out);
bool stream_local_addr(const struct stream *s, struct addr *out);

#endif
