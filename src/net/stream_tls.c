/* SPDX-License-Identifier: PostgreSQL */
/* stream_tls.c - TLS on a stream: the handshake in steps, decrypting, what is known then. */
#include "base/list.h"
#include "net/stream.h"
#include "net/stream_impl.h"
#include "net/tls.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

bool stream_in_handshake(const struct stream *s)
{
    return s->tls && !tls_is_up(s->tls);
}

/* ---- data ------------------------------------------------------------------------------ */

static void decrypt(struct stream *s, struct staging *st)
{
    enum tls_read r;
    struct error err;
    do {
        size_t n;
        r = tls_read(s->tls, st->plain, STAGING_PLAIN, &n, &s->loop->out, &err);
        stream_flush(s); /* before any callback: others use the same `out` */
        if (n)
            s->ops->on_input(s->owner, span_of(st->plain, n));
    } while (stream_is_reader(s, st) && !s->has_ended && r == TLS_READ_FULL);
    if (!stream_is_reader(s, st))
        return;
    if (r == TLS_READ_END) {
        error_set(&err, "", "connection closed");
        stream_tell_end(s, STREAM_EOF, &err);
    } else if (r == TLS_READ_FAILED) {
        stream_tell_end(s, STREAM_FAILED, &err);
    }
}

/* ---- handshake ------------------------------------------------------------------------- */

static void step(struct stream *s, struct staging *st, struct span in)
{
    struct error err;
    enum tls_step r = tls_handshake(s->tls, in, &s->loop->out, &err);
    stream_flush(s); /* a failure has an alert to say */
    switch (r) {
    case TLS_STEP_MORE:
        return;
    case TLS_STEP_FAILED:
        stream_tell_end(s, STREAM_FAILED, &err);
        return;
    case TLS_STEP_DONE:
        break;
    }
    if (s->ops->on_handshake)
        s->ops->on_handshake(s->owner);
    /* The peer's first data may have come with its last handshake bytes. */
    if (stream_is_reader(s, st) && !s->has_ended)
        decrypt(s, st);
}

static void on_handshake_turn(struct loop_task *task)
{
    struct stream *s = container_of(task, struct stream, task);
    struct loop *l = s->loop;
    if (!tls_can_start(s->tls)) {
        stream_read_once(s);
        return;
    }
    struct staging *st = loop_staging_enter(l, s);
    if (!st) {
        loop_defer_handshake(l, task);
        return;
    }
    step(s, st, span_of(NULL, 0));
    loop_staging_leave(l, st);
}

void stream_tls_ready(struct stream *s)
{
    if (s->send_errno)
        return; /* the task is busy with that */
    s->task.run = on_handshake_turn;
    loop_defer_handshake(s->loop, &s->task);
}

void stream_tls_input(struct stream *s, struct staging *st, size_t n)
{
    struct span in = span_of(st->in, n);
    if (!tls_is_up(s->tls)) {
        step(s, st, in);
        return;
    }
    tls_give(s->tls, in);
    decrypt(s, st);
}

static bool start(struct stream *s, struct tls *t)
{
    if (!t)
        return false;
    s->tls = t;
    if (tls_can_start(t))
        stream_tls_ready(s);
    return true;
}

static bool may_start(const struct stream *s, struct error *err)
{
    if (!s->is_open || !s->loop || s->has_ended)
        return error_set(err, "", "connection is closed");
    if (s->tls)
        return error_set(err, "", "TLS was started already");
    return true;
}

bool stream_start_tls_server(struct stream *s, struct tls_context *ctx, struct span hello,
                             struct error *err)
{
    return may_start(s, err) && start(s, tls_new_server(ctx, hello, err));
}

bool stream_start_tls_client(struct stream *s, struct tls_context *ctx, const char *host,
                             bool direct, struct error *err)
{
    struct addr peer;
    if (!may_start(s, err))
        return false;
    uint16_t port = stream_peer_addr(s, &peer) ? addr_port(&peer) : 0;
    return start(s, tls_new_client(ctx, host, port, direct, err));
}

/* ---- about the session ----------------------------------------------------------------- */

bool stream_is_tls(const struct stream *s)
{
    return s->tls;
}

const char *stream_tls_version(const struct stream *s)
{
    return s->tls ? tls_version(s->tls) : "";
}

const char *stream_tls_cipher(const struct stream *s)
{
    return s->tls ? tls_cipher(s->tls) : "";
}

const char *stream_tls_text(const struct stream *s, char *out, size_t size)
{
    if (s->tls && tls_is_up(s->tls))
        snprintf(out, size, "%s/%s", tls_version(s->tls), tls_cipher(s->tls));
    else
        snprintf(out, size, "%s", "");
    return out;
}

struct span stream_alpn(const struct stream *s)
{
    return s->tls ? tls_alpn(s->tls) : span_of(NULL, 0);
}

bool stream_is_resumed(const struct stream *s)
{
    return s->tls && tls_is_resumed(s->tls);
}

bool stream_peer_verified(const struct stream *s)
{
    return s->tls && tls_peer_verified(s->tls);
}

bool stream_peer_name(const struct stream *s, char *out, size_t size)
{
    return s->tls && tls_peer_name(s->tls, out, size);
}

bool stream_channel_binding(const struct stream *s, enum stream_cert which,
                            uint8_t out[STREAM_BINDING_MAX], size_t *len_out)
{
    return s->tls && tls_binding(s->tls, which, out, len_out);
}
