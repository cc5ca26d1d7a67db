/* SPDX-License-Identifier: PostgreSQL */
/* listener.h - the listening sockets of the process, on one loop.
 *
 * Accepts at most 16 connections per wake-up and socket. When descriptors run out, one waiting
 * connection is accepted on a spare descriptor and dropped, so that its peer learns it at once, and
 * accepting stops for 100 ms instead of spinning. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "base/addr.h"
#include "base/error.h"
#include "net/tcp_options.h"

#include <stdbool.h>
#include <sys/types.h>

struct listeners;
struct loop;

struct listener_ops {
    /* Takes fd: connected, non-blocking, close-on-exec, options applied. May pause the listeners,
     * but not close them. */
    void (*on_accept)(void *owner, int fd, const struct addr *peer);
    /* Accepting is in trouble and is tried again each 100 ms; called once per trouble, not per
     * attempt. */
    void (*on_trouble)(void *owner, const struct error *err);
};

#define LISTENER_OLD ".old"

struct listener_options {
    int backlog; /* 0: 128, PgBouncer's */
    bool reuse_port;
    /* A socket file, also one that somebody answers on, who can be reached under its name with
     * LISTENER_OLD from then on. */
    bool replace_unix;
    bool defer_accept;      /* TCP: a connection is accepted when it has said something */
    struct tcp_options tcp; /* for accepted connections, which inherit them */
};

struct listeners *listeners_new(struct loop *l, const struct listener_options *o,
                                const struct listener_ops *ops, void *owner);
/* Closes all; socket files that are still ours are removed. */
void listeners_free(struct listeners **ls);

/* options.reuse_port can be had; false: *err says why not. */
bool listeners_can_reuse_port(struct error *err);

/* `host`: "*", an address, or a name (asked of the system, which may block: at start only). Port 0
 * lets the kernel choose. All addresses of the host must succeed, but for those of a family that
 * this machine does not have. *err has SQLSTATE 55006 if somebody has the port, else none. */
bool listeners_add_tcp(struct listeners *ls, const char *host, uint16_t port, struct error *err);
/* A path, or '@' and an abstract name. A socket file that nobody answers on is replaced. */
bool listeners_add_unix(struct listeners *ls, const char *path, mode_t mode, struct error *err);
/* Takes fd, a listening socket that was inherited. */
bool listeners_add_inherited(struct listeners *ls, int fd, struct error *err);

/* For connections accepted from now on. */
void listeners_set_tcp(struct listeners *ls, const struct tcp_options *tcp);

/* Stop and go on accepting; connections wait in the kernel's queue meanwhile. */
void listeners_pause(struct listeners *ls);
void listeners_resume(struct listeners *ls);
/* Stops for good: the sockets are closed, so that new connections are refused. */
void listeners_close(struct listeners *ls);
/* The same for all but Unix sockets. Connections that the kernel has made already are accepted
 * before (or left to whoever else listens on a socket that was inherited): closing would reset
 * them. */
void listeners_close_tcp(struct listeners *ls);

/* Changes the option of the same name, also of those that are open. */
void listeners_defer_accept(struct listeners *ls, bool on);

size_t listeners_count(const struct listeners *ls);
/* Where the i-th listens. */
const struct addr *listeners_addr(const struct listeners *ls, size_t i);
int listeners_fd(const struct listeners *ls, size_t i);

#endif
