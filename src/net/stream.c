/* SPDX-License-Identifier: PostgreSQL */
/* stream.c - life of a connection, reading, pausing, moving. */
#include "net/stream.h"

#include "base/list.h"
#include "net/io.h"
#include "net/stream_impl.h"
#include "net/tls.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A stream whose sending failed is read until its end, for the peer's last words may explain it;
 * but not for ever. One pull is bounded by the same. */
#define PULLS_MAX 8

/* ---- endings --------------------------------------------------------------------------- */

static bool is_reset(int number)
{
    switch (number) {
    case ECONNRESET:
    case ECONNABORTED:
    case ENETRESET:
    case EPIPE:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
        return true;
    default:
        return false;
    }
}

static void stop_reading(struct stream *s)
{
    if (!s->is_paused)
        event_del(&s->read);
    hangup_unwatch(s->loop, s);
}

void stream_tell_end(struct stream *s, enum stream_end how, const struct error *err)
{
    if (s->has_ended)
        return;
    s->has_ended = true;
    stop_reading(s);
    loop_undefer(&s->task);
    if (how != STREAM_EOF) {
        if (!s->send_errno)
            s->send_errno = EPIPE;
        stream_drop_unsent(s);
    }
    s->ops->on_end(s->owner, how, err);
}

void stream_tell_errno(struct stream *s, const char *doing, int number)
{
    struct error err;
    error_set(&err, "", "could not %s: %s", doing, strerror(number));
    stream_tell_end(s, is_reset(number) ? STREAM_RESET : STREAM_FAILED, &err);
}

static void tell_eof(struct stream *s)
{
    struct error err;
    if (stream_in_handshake(s)) {
        error_set(&err, "", "TLS handshake failed: unexpected eof while reading");
        stream_tell_end(s, STREAM_FAILED, &err);
        return;
    }
    error_set(&err, "", "connection closed");
    stream_tell_end(s, STREAM_EOF, &err);
}

/* ---- reading --------------------------------------------------------------------------- */

/* Nothing was received. */
__attribute__((noinline, cold)) static void take_nothing(struct stream *s, ssize_t n)
{
    if (n == 0)
        tell_eof(s);
    else if (errno != EAGAIN && errno != EINTR)
        stream_tell_errno(s, "receive data", errno);
}

/* True if more may follow at once. Inline, because the loop does not ask. */
static inline bool read_once(struct stream *s)
{
    struct loop *l = s->loop; /* s may have left it when the callbacks are done */
    struct staging *st = loop_staging_enter(l, s);
    if (!st)
        return false;
    ssize_t n = io_recv(s->fd, st->in, STAGING_IN);
    if (n < (ssize_t)STAGING_IN)
        s->has_spoken = false;
    if (n <= 0)
        take_nothing(s, n);
    else if (s->tls)
        stream_tls_input(s, st, (size_t)n);
    else
        s->ops->on_input(s->owner, span_of(st->in, (size_t)n));
    bool more = n > 0 && stream_is_reader(s, st) && !s->has_ended;
    loop_staging_leave(l, st);
    return more;
}

bool stream_read_once(struct stream *s)
{
    return read_once(s);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *s = arg;
    (void)fd;
    (void)what;
    if (s->tls && stream_in_handshake(s))
        stream_tls_ready(s);
    else
        read_once(s);
}

void stream_pull(struct stream *s)
{
    if (!s->is_open || !s->loop || s->is_paused || s->is_frozen || s->has_ended ||
        stream_in_handshake(s))
        return;
    for (int i = 0; i < PULLS_MAX && stream_read_once(s); i++)
        ;
}

static void on_send_failed(struct loop_task *task)
{
    struct stream *s = container_of(task, struct stream, task);
    int number = s->send_errno;
    struct loop *l = s->loop;
    stream_pull(s);
    if (s->is_open && s->loop == l && !s->has_ended)
        stream_tell_errno(s, "send data", number);
}

void stream_fail_send(struct stream *s, int number)
{
    if (s->send_errno)
        return;
    s->send_errno = number;
    stream_drop_unsent(s);
    if (s->has_ended)
        return;
    s->task.run = on_send_failed;
    loop_defer(s->loop, &s->task);
}

/* ---- life ------------------------------------------------------------------------------ */

static void watch(struct stream *s)
{
    if (event_add(&s->read, NULL) != 0)
        stream_fail_send(s, errno);
}

static void prepare_to_read(struct stream *s)
{
    event_assign(&s->read, s->loop->base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
}

void stream_init(struct stream *s, const struct stream_ops *ops, void *owner)
{
    *s = (struct stream){.ops = ops, .owner = owner, .fd = -1};
}

void stream_open_unwatched(struct stream *s, struct loop *l, int fd)
{
    stream_init(s, s->ops, s->owner);
    s->fd = fd;
    s->loop = l;
    s->is_open = true;
    prepare_to_read(s);
}

void stream_open(struct stream *s, struct loop *l, int fd)
{
    stream_open_unwatched(s, l, fd);
    watch(s);
}

static bool is_read(const struct stream *s)
{
    return s->loop && !s->has_ended && !s->is_paused && !s->is_frozen;
}

/* Watched before it is read, the kernel would note that it is readable, and find out later that it
 * is not any more. */
void stream_begin(struct stream *s, bool has_said)
{
    if (has_said && is_read(s))
        read_once(s);
    if (is_read(s))
        watch(s);
}

bool stream_is_open(const struct stream *s)
{
    return s->is_open;
}

/* Closing a socket with unread bytes sends a reset, which may overtake our last message at the
 * peer: an error report would become "connection reset". What has arrived since is thrown away; a
 * peer that sends without end is not waited for. */
static void discard_unread(int fd)
{
    uint8_t sink[4096];
    for (int i = 0; i < 16 && recv(fd, sink, sizeof sink, 0) == (ssize_t)sizeof sink; i++)
        ;
}

static void leave_loop(struct stream *s)
{
    if (s->tls && !s->unsent && !s->send_errno) {
        tls_goodbye(s->tls, &s->loop->out);
        stream_flush(s);
    }
    loop_undefer(&s->task);
    loop_staging_forget(s->loop, s);
    if (!s->has_ended)
        stop_reading(s);
    stream_drop_unsent(s);
    s->loop = NULL;
}

void stream_close(struct stream *s)
{
    if (!s->is_open)
        return;
    if (s->loop)
        leave_loop(s);
    tls_free(&s->tls);
    if (s->has_spoken)
        discard_unread(s->fd);
    close(s->fd);
    s->fd = -1;
    s->is_open = false;
}

/* ---- pausing --------------------------------------------------------------------------- */

void stream_pause(struct stream *s)
{
    if (s->is_paused || !s->loop)
        return;
    s->is_paused = true;
    if (s->has_ended)
        return;
    event_del(&s->read);
    if (s->ops->on_hangup)
        hangup_watch(s->loop, s);
}

void stream_resume(struct stream *s)
{
    if (!s->is_paused)
        return;
    s->is_paused = false;
    if (s->has_ended || !s->loop)
        return;
    hangup_unwatch(s->loop, s);
    if (!s->is_frozen)
        watch(s);
}

void stream_freeze(struct stream *s, bool on)
{
    if (!s->loop || s->is_frozen == on)
        return;
    s->is_frozen = on;
    if (s->is_paused || s->has_ended)
        return;
    if (on)
        event_del(&s->read);
    else
        watch(s);
}

bool stream_is_paused(const struct stream *s)
{
    return s->is_paused;
}

/* Without unread bytes the end itself is next; else it is the owner's choice to wait for it. */
void stream_hung_up(struct stream *s)
{
    int unread = 0;
    if (ioctl(s->fd, FIONREAD, &unread) == 0 && unread > 0)
        s->ops->on_hangup(s->owner);
    else
        stream_read_once(s);
}

/* ---- moving ---------------------------------------------------------------------------- */

bool stream_detach(struct stream *s)
{
    if (!s->is_open || !s->loop || s->has_ended || s->send_errno || s->unsent ||
        s->task.is_queued || (s->tls && !tls_is_quiet(s->tls)))
        return false;
    stop_reading(s);
    loop_staging_forget(s->loop, s);
    s->is_paused = s->is_frozen = false;
    s->loop = NULL;
    return true;
}

void stream_attach(struct stream *s, struct loop *l, void *owner)
{
    s->owner = owner;
    s->loop = l;
    prepare_to_read(s);
    watch(s);
}

/* ---- the peer -------------------------------------------------------------------------- */

bool stream_local_addr(const struct stream *s, struct addr *out)
{
    *out = (struct addr){.len = sizeof out->u};
    return s->is_open && getsockname(s->fd, &out->u.sa, &out->len) == 0;
}

bool stream_peer_addr(const struct stream *s, struct addr *out)
{
    *out = (struct addr){.len = sizeof out->u};
    return s->is_open && getpeername(s->fd, &out->u.sa, &out->len) == 0;
}

bool stream_is_unix(const struct stream *s)
{
    struct addr local;
    return stream_local_addr(s, &local) && addr_is_unix(&local);
}

bool stream_peer_cred(const struct stream *s, uid_t *uid_out, pid_t *pid_out)
{
    struct ucred cred;
    socklen_t len = sizeof cred;
    if (!stream_is_unix(s) || getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
        return false;
    *uid_out = cred.uid;
    *pid_out = cred.pid;
    return true;
}
