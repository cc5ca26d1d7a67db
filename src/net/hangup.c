/* SPDX-License-Identifier: PostgreSQL */
/* hangup.c - notice that a peer has gone while its stream is not being read.
 *
 * libevent's EV_CLOSED would do for an orderly end. But the kernel reports a reset as EPOLLERR,
 * whatever was asked for; libevent 2.1 takes that for readable and writable, finds nobody
 * interested and waits again: the loop spins for as long as the stream is paused. So paused streams
 * stand in an epoll set of their own, one-shot, whose descriptor is readable when one has gone. */
#include "base/list.h"
#include "base/log.h"
#include "net/loop_impl.h"
#include "net/stream.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Per wake-up; the rest keeps the descriptor readable. */
#define HANGUPS_PER_TURN 16

/* A callback may close other streams of the same batch. Their memory lasts until the end of the
 * turn, and they are not watched any more. */
static void on_hangups(evutil_socket_t fd, short what, void *arg)
{
    struct epoll_event ready[HANGUPS_PER_TURN];
    (void)what;
    (void)arg;
    int n = epoll_wait(fd, ready, HANGUPS_PER_TURN, 0);
    for (int i = 0; i < n; i++) {
        struct stream *s = ready[i].data.ptr;
        if (s->is_watched)
            stream_hung_up(s);
    }
}

void hangup_init(struct loop *l)
{
    l->hangup_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->hangup_fd < 0) {
        log_fatal("could not create an epoll set: %s", strerror(errno));
        abort();
    }
    event_assign(&l->hangup_event, l->base, l->hangup_fd, EV_READ | EV_PERSIST, on_hangups, l);
    event_add(&l->hangup_event, NULL);
}

void hangup_fini(struct loop *l)
{
    event_del(&l->hangup_event);
    close(l->hangup_fd);
}

/* Failing leaves the stream unwatched: its end is then noticed when reading resumes. */
void hangup_watch(struct loop *l, struct stream *s)
{
    struct epoll_event want = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = s};
    s->is_watched = epoll_ctl(l->hangup_fd, EPOLL_CTL_ADD, s->fd, &want) == 0;
}

void hangup_unwatch(struct loop *l, struct stream *s)
{
    if (!s->is_watched)
        return;
    epoll_ctl(l->hangup_fd, EPOLL_CTL_DEL, s->fd, NULL);
    s->is_watched = false;
}
