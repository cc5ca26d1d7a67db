/* SPDX-License-Identifier: PostgreSQL */
/* tcp_options.c - options of a TCP socket. */
#include "net/tcp_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static void set(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

void tcp_options_apply(int fd, const struct tcp_options *o)
{
    /* Messages are composed whole before they are sent; waiting for more only adds delay. */
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, o->keepalive);
    if (o->keepidle_s)
        set(fd, IPPROTO_TCP, TCP_KEEPIDLE, o->keepidle_s);
    if (o->keepintvl_s)
        set(fd, IPPROTO_TCP, TCP_KEEPINTVL, o->keepintvl_s);
    if (o->keepcnt)
        set(fd, IPPROTO_TCP, TCP_KEEPCNT, o->keepcnt);
    if (o->user_timeout_ms)
        set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)o->user_timeout_ms);
    if (o->buffer_bytes) {
        set(fd, SOL_SOCKET, SO_SNDBUF, o->buffer_bytes);
        set(fd, SOL_SOCKET, SO_RCVBUF, o->buffer_bytes);
    }
}
