/* SPDX-License-Identifier: PostgreSQL */
/* fake_stream.c - streams whose other end is the script. */
#include "base/mem.h"
#include "net/outgoing.h"
#include "support/fake_impl.h"

#include <errno.h>
#include <stdlib.h>

/* As in net/: what one read brings at most. */
#define READ_MAX 65536
#define FIRST_FD 1000000

struct unsent {
    struct buf bytes;
};

struct fake_wire_list fake_wires = TAILQ_HEAD_INITIALIZER(fake_wires);
static int n_wires;
static size_t read_limit;

/* ---- wires ----------------------------------------------------------------------------- */

struct fake_wire *fake_wire_new(bool dialed, const struct addr *peer)
{
    struct fake_wire *w = xcalloc(1, sizeof *w);
    w->fd = FIRST_FD + n_wires++;
    w->dialed = dialed;
    w->peer = *peer;
    TAILQ_INSERT_TAIL(&fake_wires, w, link);
    return w;
}

struct fake_wire *fake_wire_connect(void)
{
    struct addr peer;
    addr_from_literal(&peer, "127.0.0.1", (uint16_t)(50000 + n_wires));
    return fake_wire_new(false, &peer);
}

struct fake_wire *fake_wire_of(int fd)
{
    struct fake_wire *w;
    TAILQ_FOREACH(w, &fake_wires, link)
    {
        if (w->fd == fd)
            return w;
    }
    abort();
}

struct fake_wire *fake_wire_dialed(unsigned i)
{
    struct fake_wire *w;
    TAILQ_FOREACH(w, &fake_wires, link)
    {
        if (w->dialed && i-- == 0)
            return w;
    }
    return NULL;
}

int fake_wire_loop(const struct fake_wire *w)
{
    return w->stream && w->stream->loop ? w->stream->loop->index : -1;
}

void fake_set_read_limit(size_t bytes)
{
    read_limit = bytes;
}

void fake_net_fini(void)
{
    struct fake_wire *w, *next;
    TAILQ_FOREACH_SAFE(w, &fake_wires, link, next)
    {
        TAILQ_REMOVE(&fake_wires, w, link);
        buf_reset(&w->in);
        buf_reset(&w->out);
        free(w);
    }
    n_wires = 0;
    read_limit = 0;
    fake_dials_fini();
    fake_clock_fini();
}

/* ---- reading --------------------------------------------------------------------------- */

static void tell_end(struct stream *s, enum stream_end how, const char *text)
{
    struct error err;
    if (s->has_ended)
        return;
    s->has_ended = true;
    fake_undefer(&s->task);
    error_set(&err, "", "%s", text);
    s->ops->on_end(s->owner, how, &err);
}

static bool has_something(const struct stream *s)
{
    const struct fake_wire *w = fake_wire_of(s->fd);
    return !s->has_ended && !s->is_busy && (!buf_is_empty(&w->in) || w->end != FAKE_END_NONE);
}

/* The bytes are given from a block of their own size, so that a read beyond them is noticed. */
static void read_once(struct stream *s)
{
    struct fake_wire *w = fake_wire_of(s->fd);
    size_t n = buf_len(&w->in), most = read_limit ? read_limit : READ_MAX;
    if (w->end == FAKE_END_RESET) {
        tell_end(s, STREAM_RESET, "could not receive data: Connection reset by peer");
        return;
    }
    if (n == 0) {
        tell_end(s, STREAM_EOF, "connection closed");
        return;
    }
    if (n > most)
        n = most;
    uint8_t *bytes = xmalloc(n);
    memcpy(bytes, buf_span(&w->in).p, n);
    buf_consume(&w->in, n);
    s->is_busy = true;
    s->ops->on_input(s->owner, span_of(bytes, n));
    s->is_busy = false;
    free(bytes);
}

void stream_pull(struct stream *s)
{
    if (s->is_open && s->loop && !s->is_paused && !s->is_frozen && has_something(s))
        read_once(s);
}

void stream_open_unwatched(struct stream *s, struct loop *l, int fd)
{
    stream_open(s, l, fd);
}

void stream_begin(struct stream *s, bool has_said)
{
    if (has_said)
        stream_pull(s);
}

/* A stream that is not read learns of its peer's end only. */
static bool hangup_turn(struct stream *s)
{
    struct fake_wire *w = fake_wire_of(s->fd);
    if (w->end == FAKE_END_NONE || s->has_ended || !s->is_watched)
        return false;
    s->is_watched = false;
    if (buf_is_empty(&w->in))
        read_once(s);
    else
        s->ops->on_hangup(s->owner);
    return true;
}

static bool drain_turn(struct stream *s)
{
    struct fake_wire *w = fake_wire_of(s->fd);
    if (!s->unsent || w->is_deaf)
        return false;
    struct span rest = buf_span(&s->unsent->bytes);
    buf_append(&w->out, rest.p, rest.n);
    buf_reset(&s->unsent->bytes);
    free(s->unsent);
    s->unsent = NULL;
    if (s->ops->on_drained)
        s->ops->on_drained(s->owner);
    return true;
}

bool fake_streams_turn(struct loop *l)
{
    bool any = false;
    struct fake_wire *w;
    TAILQ_FOREACH(w, &fake_wires, link)
    {
        if (w->stream && w->stream->loop == l)
            any |= drain_turn(w->stream);
        struct stream *s = w->stream;
        if (!s || s->loop != l)
            continue;
        if (s->is_paused)
            any |= hangup_turn(s);
        else if (has_something(s)) {
            read_once(s);
            any = true;
        }
    }
    return any;
}

/* ---- sending --------------------------------------------------------------------------- */

static void on_send_failed(struct loop_task *task)
{
    struct stream *s = container_of(task, struct stream, task);
    tell_end(s, STREAM_RESET, "could not send data: Broken pipe");
}

static enum stream_sent send_parts(struct stream *s, const struct iovec *parts, unsigned n)
{
    if (!s->is_open || !s->loop || s->send_errno)
        return STREAM_SEND_FAILED;
    struct fake_wire *w = fake_wire_of(s->fd);
    if (w->end == FAKE_END_RESET) {
        s->send_errno = EPIPE;
        s->task.run = on_send_failed;
        if (!s->has_ended)
            fake_defer(s->loop, &s->task);
        return STREAM_SEND_FAILED;
    }
    if (w->is_deaf && !s->unsent && n)
        s->unsent = xcalloc(1, sizeof *s->unsent);
    struct buf *to = s->unsent ? &s->unsent->bytes : &w->out;
    for (unsigned i = 0; i < n; i++)
        buf_append(to, parts[i].iov_base, parts[i].iov_len);
    return s->unsent ? STREAM_SEND_BLOCKED : STREAM_SEND_DONE;
}

enum stream_sent stream_send(struct stream *s, struct outgoing *o)
{
    const struct iovec *parts;
    unsigned n = outgoing_parts(o, &parts);
    enum stream_sent result = send_parts(s, parts, n);
    outgoing_clear(o);
    return result;
}

enum stream_sent stream_write(struct stream *s, const void *p, size_t n)
{
    struct iovec part = {(void *)(uintptr_t)p, n};
    return send_parts(s, &part, n ? 1 : 0);
}

bool stream_is_blocked(const struct stream *s)
{
    return s->unsent;
}

size_t stream_unsent(const struct stream *s)
{
    return s->unsent ? buf_len(&s->unsent->bytes) : 0;
}

/* ---- life ------------------------------------------------------------------------------ */

void stream_init(struct stream *s, const struct stream_ops *ops, void *owner)
{
    *s = (struct stream){.ops = ops, .owner = owner, .fd = -1};
}

void stream_open(struct stream *s, struct loop *l, int fd)
{
    stream_init(s, s->ops, s->owner);
    s->fd = fd;
    s->loop = l;
    s->is_open = true;
    fake_wire_of(fd)->stream = s;
}

void stream_close(struct stream *s)
{
    if (!s->is_open)
        return;
    struct fake_wire *w = fake_wire_of(s->fd);
    fake_undefer(&s->task);
    if (s->unsent) {
        buf_reset(&s->unsent->bytes);
        free(s->unsent);
        s->unsent = NULL;
    }
    w->stream = NULL;
    w->is_closed = true;
    buf_reset(&w->in);
    s->fd = -1;
    s->is_open = false;
    s->loop = NULL;
}

bool stream_is_open(const struct stream *s)
{
    return s->is_open;
}

void stream_pause(struct stream *s)
{
    if (s->is_paused || !s->loop)
        return;
    s->is_paused = true;
    s->is_watched = s->ops->on_hangup != NULL;
}

void stream_resume(struct stream *s)
{
    s->is_paused = s->is_watched = false;
}

void stream_freeze(struct stream *s, bool on)
{
    if (s->loop)
        s->is_frozen = on;
}

bool stream_is_paused(const struct stream *s)
{
    return s->is_paused;
}

bool stream_detach(struct stream *s)
{
    if (!s->is_open || !s->loop || s->has_ended || s->send_errno || s->unsent || s->task.is_queued)
        return false;
    s->is_paused = s->is_frozen = false;
    s->loop = NULL;
    return true;
}

void stream_attach(struct stream *s, struct loop *l, void *owner)
{
    s->owner = owner;
    s->loop = l;
}

/* ---- the peer; no TLS ------------------------------------------------------------------ */

bool stream_peer_addr(const struct stream *s, struct addr *out)
{
    if (!s->is_open)
        return false;
    *out = fake_wire_of(s->fd)->peer;
    return true;
}

bool stream_local_addr(const struct stream *s, struct addr *out)
{
    return s->is_open && addr_from_literal(out, "127.0.0.1", 6432);
}

bool stream_is_unix(const struct stream *s)
{
    (void)s;
    return false;
}

bool stream_peer_cred(const struct stream *s, uid_t *uid_out, pid_t *pid_out)
{
    (void)s;
    (void)uid_out;
    (void)pid_out;
    return false;
}

bool stream_is_tls(const struct stream *s)
{
    (void)s;
    return false;
}

bool stream_peer_verified(const struct stream *s)
{
    (void)s;
    return false;
}

bool stream_peer_name(const struct stream *s, char *out, size_t size)
{
    (void)s;
    (void)out;
    (void)size;
    return false;
}

const char *stream_tls_text(const struct stream *s, char *out, size_t size)
{
    (void)s;
    if (size)
        out[0] = '\0';
    return out;
}

struct span stream_alpn(const struct stream *s)
{
    (void)s;
    return span_of(NULL, 0);
}

bool stream_channel_binding(const struct stream *s, enum stream_cert which,
                            uint8_t out[STREAM_BINDING_MAX], size_t *len_out)
{
    (void)s;
    (void)which;
    (void)out;
    *len_out = 0;
    return false;
}

bool stream_start_tls_server(struct stream *s, struct tls_context *ctx, struct span hello,
                             struct error *err)
{
    (void)s;
    (void)ctx;
    (void)hello;
    return error_set(err, "", "TLS is not available");
}

bool stream_start_tls_client(struct stream *s, struct tls_context *ctx, const char *host,
                             bool direct, struct error *err)
{
    (void)s;
    (void)ctx;
    (void)host;
    (void)direct;
    return error_set(err, "", "TLS is not available");
}
