/* SPDX-License-Identifier: PostgreSQL */
/* stream_send.c - send at once, keep what doesn't go. */
#include "base/buf.h"
#include "base/mem.h"
#include "net/io.h"
#include "net/outgoing.h"
#include "net/stream.h"
#include "net/stream_impl.h"
#include "net/tls.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Encrypted at a time: bounds the loop's `out`. */
#define ENCRYPT_MAX STAGING_IN

struct unsent {
    struct event event;
    struct buf bytes;
};

/* ---- what is stuck --------------------------------------------------------------------- */

void stream_drop_unsent(struct stream *s)
{
    if (!s->unsent)
        return;
    event_del(&s->unsent->event);
    buf_reset(&s->unsent->bytes);
    free(s->unsent);
    s->unsent = NULL;
}

static bool would_block(int number)
{
    return number == EAGAIN || number == EWOULDBLOCK || number == EINTR || number == ENOBUFS;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *s = arg;
    struct span rest = buf_span(&s->unsent->bytes);
    (void)what;
    ssize_t n = send(fd, rest.p, rest.n, MSG_NOSIGNAL);
    if (n < 0) {
        if (!would_block(errno))
            stream_fail_send(s, errno);
        return;
    }
    buf_consume(&s->unsent->bytes, (size_t)n);
    if (!buf_is_empty(&s->unsent->bytes))
        return;
    stream_drop_unsent(s);
    if (s->ops->on_drained)
        s->ops->on_drained(s->owner);
}

/* Keeps the bytes behind what is stuck already. */
static void keep(struct stream *s, const void *p, size_t n)
{
    if (!s->unsent) {
        s->unsent = xcalloc(1, sizeof *s->unsent);
        event_assign(&s->unsent->event, s->loop->base, s->fd, EV_WRITE | EV_PERSIST, on_writable,
                     s);
        if (event_add(&s->unsent->event, NULL) != 0) {
            stream_fail_send(s, errno);
            return;
        }
    }
    buf_append(&s->unsent->bytes, p, n);
}

static void keep_parts(struct stream *s, const struct iovec *parts, unsigned n, size_t skip)
{
    for (unsigned i = 0; i < n && !s->send_errno; i++) {
        size_t len = parts[i].iov_len;
        if (skip >= len) {
            skip -= len;
            continue;
        }
        keep(s, (const uint8_t *)parts[i].iov_base + skip, len - skip);
        skip = 0;
    }
}

static enum stream_sent verdict(const struct stream *s)
{
    if (s->send_errno)
        return STREAM_SEND_FAILED;
    return s->unsent ? STREAM_SEND_BLOCKED : STREAM_SEND_DONE;
}

/* ---- plain ----------------------------------------------------------------------------- */

/* `sent` is what the system call said. A failure is noted in the stream. */
__attribute__((noinline, cold)) static enum stream_sent
send_rest(struct stream *s, const struct iovec *parts, unsigned n, ssize_t sent)
{
    if (sent < 0 && !would_block(errno))
        stream_fail_send(s, errno);
    keep_parts(s, parts, n, sent < 0 ? 0 : (size_t)sent);
    return verdict(s);
}

static enum stream_sent send_many(struct stream *s, const struct iovec *parts, unsigned n)
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = n};
    return send_rest(s, parts, n, sendmsg(s->fd, &m, MSG_NOSIGNAL));
}

/* Nearly always all of it goes. */
static inline enum stream_sent send_one(struct stream *s, const struct iovec *part)
{
    ssize_t sent = io_send(s->fd, part->iov_base, part->iov_len);
    return sent == (ssize_t)part->iov_len ? STREAM_SEND_DONE : send_rest(s, part, 1, sent);
}

static inline enum stream_sent send_plain(struct stream *s, const struct iovec *parts, unsigned n)
{
    if (s->unsent)
        return send_rest(s, parts, n, 0);
    s->has_spoken = true;
    return n == 1 ? send_one(s, parts) : send_many(s, parts, n);
}

/* ---- TLS ------------------------------------------------------------------------------- */

void stream_flush(struct stream *s)
{
    struct buf *out = &s->loop->out;
    if (buf_is_empty(out))
        return;
    if (!s->send_errno) {
        struct span all = buf_span(out);
        struct iovec part = {(void *)(uintptr_t)all.p, all.n};
        send_plain(s, &part, 1);
    }
    buf_clear(out);
}

static bool encrypt(struct stream *s, const uint8_t *p, size_t n)
{
    while (n) {
        size_t now = n < ENCRYPT_MAX ? n : ENCRYPT_MAX;
        if (!tls_write(s->tls, p, now, &s->loop->out))
            return false;
        if (buf_len(&s->loop->out) >= ENCRYPT_MAX)
            stream_flush(s);
        p += now;
        n -= now;
    }
    return true;
}

/* Small parts become records of full size together; long ones are encrypted where they lie. */
static bool encrypt_parts(struct stream *s, const struct iovec *parts, unsigned n)
{
    uint8_t *gather = loop_gather(s->loop);
    size_t fill = 0;
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *p = parts[i].iov_base;
        size_t len = parts[i].iov_len;
        while (len) {
            size_t now = len;
            if (fill || len < STAGING_GATHER) {
                now = len < STAGING_GATHER - fill ? len : STAGING_GATHER - fill;
                memcpy(gather + fill, p, now);
                fill += now;
                if (fill == STAGING_GATHER) {
                    if (!encrypt(s, gather, fill))
                        return false;
                    fill = 0;
                }
            } else if (!encrypt(s, p, now)) {
                return false;
            }
            p += now;
            len -= now;
        }
    }
    return !fill || encrypt(s, gather, fill);
}

static enum stream_sent send_tls(struct stream *s, const struct iovec *parts, unsigned n)
{
    bool ok = n == 1 ? encrypt(s, parts->iov_base, parts->iov_len) : encrypt_parts(s, parts, n);
    stream_flush(s);
    if (!ok)
        stream_fail_send(s, EPROTO);
    return verdict(s);
}

/* ---- interface ------------------------------------------------------------------------- */

static enum stream_sent send_parts(struct stream *s, const struct iovec *parts, unsigned n)
{
    if (!s->is_open || !s->loop || s->send_errno)
        return STREAM_SEND_FAILED;
    if (!s->tls)
        return send_plain(s, parts, n);
    if (stream_in_handshake(s)) {
        stream_fail_send(s, EPROTO);
        return STREAM_SEND_FAILED;
    }
    return send_tls(s, parts, n);
}

__attribute__((noinline)) static enum stream_sent send_composed(struct stream *s,
                                                                struct outgoing *o)
{
    const struct iovec *parts;
    unsigned n = outgoing_parts(o, &parts);
    enum stream_sent result = n ? send_parts(s, parts, n) : verdict(s);
    outgoing_clear(o);
    return result;
}

/* The common case first: one piece that is forwarded as it came, and nothing in its way. */
enum stream_sent stream_send(struct stream *s, struct outgoing *o)
{
    const struct iovec *part = outgoing_only_ref(o);
    if (!part || !s->loop || s->tls || s->unsent || s->send_errno)
        return send_composed(s, o);
    s->has_spoken = true;
    enum stream_sent result = send_one(s, part);
    outgoing_clear_ref(o);
    return result;
}

enum stream_sent stream_write(struct stream *s, const void *p, size_t n)
{
    struct iovec part = {(void *)(uintptr_t)p, n};
    return n ? send_parts(s, &part, 1) : verdict(s);
}

bool stream_is_blocked(const struct stream *s)
{
    return s->unsent;
}

size_t stream_unsent(const struct stream *s)
{
    return s->unsent ? buf_len(&s->unsent->bytes) : 0;
}
