/* SPDX-License-Identifier: PostgreSQL */
/* listener.c - listening sockets, accepting. */
#include "net/listener.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* PgBouncer's default. */
#define BACKLOG 128
/* Per wake-up of one socket: dealing out connections must not starve signals and the others. */
#define ACCEPTS_PER_TURN 16
/* A silent connection is shown to us nevertheless after this (tcp(7): rounded up to the times at
 * which the handshake's answer is repeated); as PgBouncer has it. */
#define DEFER_ACCEPT_S 1
/* Without descriptors a level-triggered listener would spin. */
#define TROUBLE_PAUSE_US (100 * US_PER_MS)
/* Trouble that comes back sooner is the same. */
#define TROUBLE_OVER_US (5 * US_PER_S)

/* More addresses than this behind one name to listen on are passed over. */
#define NAME_ADDRS_MAX 16

struct listener {
    struct listener *next;
    struct listeners *all;
    struct event event;
    int fd;
    int burst; /* how many connections the next wake-up is expected to find */
    struct addr addr;
    char *path; /* of a socket file that we made; else NULL */
    bool is_inherited;
    dev_t device;
    ino_t inode;
};

struct listeners {
    struct loop *loop;
    struct listener_options options;
    const struct listener_ops *ops;
    void *owner;
    struct listener *first, **last;
    size_t n;
    bool is_paused; /* by the owner */
    struct timer trouble;
    uint64_t last_trouble_us;
    int spare_fd; /* -1: could not be had again */
};

/* ---- accepting ------------------------------------------------------------------------- */

static void set_watching(struct listeners *ls)
{
    bool on = !ls->is_paused && !timer_is_set(&ls->trouble);
    for (struct listener *li = ls->first; li; li = li->next) {
        if (on)
            event_add(&li->event, NULL);
        else
            event_del(&li->event);
    }
}

static void on_trouble_over(void *arg)
{
    struct listeners *ls = arg;
    set_watching(ls);
}

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Out of descriptors: whoever waits longest learns it now instead of hanging. */
static void refuse_one(struct listeners *ls, int listen_fd)
{
    if (ls->spare_fd < 0)
        return;
    close(ls->spare_fd);
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    ls->spare_fd = open_spare();
}

static void in_trouble(struct listeners *ls, int listen_fd, int number)
{
    struct error err;
    if (number == EMFILE || number == ENFILE)
        refuse_one(ls, listen_fd);
    uint64_t now = loop_now(ls->loop), before = ls->last_trouble_us;
    timer_set(&ls->trouble, now + TROUBLE_PAUSE_US);
    set_watching(ls);
    ls->last_trouble_us = now;
    error_set(&err, "", "could not accept a connection: %s", strerror(number));
    if (ls->ops->on_trouble && (!before || now - before > TROUBLE_OVER_US))
        ls->ops->on_trouble(ls->owner, &err);
}

/* accept(2): errors that were pending on the new connection are reported here and concern nobody
 * but its peer. */
static bool is_about_the_peer(int number)
{
    switch (number) {
    case EINTR:
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM: /* a firewall's word */
        return true;
    default:
        return false;
    }
}

/* False if nobody waits, or nobody can be let in. */
static bool accept_one(struct listeners *ls, int listen_fd)
{
    struct addr peer = {.len = sizeof peer.u};
    int fd = accept4(listen_fd, &peer.u.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        /* A socket that somebody else has opened may be one of both families. */
        addr_unmap(&peer);
        ls->ops->on_accept(ls->owner, fd, &peer);
    } else if (errno == EAGAIN)
        return false;
    else if (!is_about_the_peer(errno)) {
        in_trouble(ls, listen_fd, errno);
        return false;
    }
    return true;
}

/* Asking until nobody is left would cost a call in vain each time; one connection per wake-up would
 * be too few in a storm. So as many are expected as came last time, and twice as many when all of
 * those came. */
static void on_acceptable(evutil_socket_t listen_fd, short what, void *arg)
{
    struct listener *li = arg;
    struct listeners *ls = li->all;
    int n = 0;
    (void)what;
    while (n < li->burst && event_pending(&li->event, EV_READ, NULL) && accept_one(ls, listen_fd))
        n++;
    if (n == li->burst)
        li->burst = n * 2 < ACCEPTS_PER_TURN ? n * 2 : ACCEPTS_PER_TURN;
    else
        li->burst = n ? n : 1;
}

/* ---- adding ---------------------------------------------------------------------------- */

static void set_flag(int fd, int level, int name)
{
    const int one = 1;
    (void)setsockopt(fd, level, name, &one, sizeof one);
}

static void set_deferring(const struct listeners *ls, const struct listener *li)
{
    const int seconds = ls->options.defer_accept ? DEFER_ACCEPT_S : 0;
    if (!addr_is_unix(&li->addr))
        (void)setsockopt(li->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
}

/* Takes fd and path (may be NULL). */
static struct listener *add(struct listeners *ls, int fd, char *path)
{
    struct listener *li = xcalloc(1, sizeof *li);
    li->all = ls;
    li->fd = fd;
    li->path = path;
    li->burst = 1;
    li->addr.len = sizeof li->addr.u;
    (void)getsockname(fd, &li->addr.u.sa, &li->addr.len);
    /* Accepted sockets inherit them (tcp(7)): no system calls per connection. */
    if (!addr_is_unix(&li->addr))
        tcp_options_apply(fd, &ls->options.tcp);
    set_deferring(ls, li);
    event_assign(&li->event, loop_event_base(ls->loop), fd, EV_READ | EV_PERSIST, on_acceptable,
                 li);
    if (!ls->is_paused)
        event_add(&li->event, NULL);
    *ls->last = li;
    ls->last = &li->next;
    ls->n++;
    return li;
}

static bool could_not(struct error *err, const struct addr *a, int fd)
{
    char text[ADDR_TEXT];
    int number = errno;
    if (fd >= 0)
        close(fd);
    return error_set(err, number == EADDRINUSE ? SQLSTATE_OBJECT_IN_USE : "",
                     "could not listen on %s: %s", addr_text(a, text, sizeof text),
                     strerror(number));
}

static bool start_listening(const struct listeners *ls, int fd)
{
    return listen(fd, ls->options.backlog ? ls->options.backlog : BACKLOG) == 0;
}

enum added { ADD_DONE, ADD_NO_FAMILY, ADD_FAILED };

/* NO_FAMILY: this machine has no such address, for instance because IPv6 is switched off. */
static enum added could_not_add(struct error *err, const struct addr *a, int fd)
{
    bool family = errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT;
    could_not(err, a, fd);
    return family ? ADD_NO_FAMILY : ADD_FAILED;
}

bool listeners_can_reuse_port(struct error *err)
{
    const int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0;
    if (!ok)
        error_set(err, "", "SO_REUSEPORT is not supported: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

static enum added add_inet(struct listeners *ls, const struct addr *a, struct error *err)
{
    int fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return could_not_add(err, a, fd);
    set_flag(fd, SOL_SOCKET, SO_REUSEADDR);
    if (ls->options.reuse_port)
        set_flag(fd, SOL_SOCKET, SO_REUSEPORT);
    /* "*" opens one socket per family; without this the second would find the port taken. */
    if (a->u.sa.sa_family == AF_INET6)
        set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    if (bind(fd, &a->u.sa, a->len) != 0 || !start_listening(ls, fd))
        return could_not_add(err, a, fd);
    add(ls, fd, NULL);
    return ADD_DONE;
}

/* Several addresses that mean one host: families that this machine lacks are passed over, if
 * anything is left. */
static bool add_all(struct listeners *ls, const struct addr *addrs, size_t n, struct error *err)
{
    size_t done = 0;
    for (size_t i = 0; i < n; i++) {
        switch (add_inet(ls, &addrs[i], err)) {
        case ADD_DONE:
            done++;
            continue;
        case ADD_NO_FAMILY:
            continue;
        case ADD_FAILED:
            return false;
        }
    }
    return done > 0;
}

static bool add_everywhere(struct listeners *ls, uint16_t port, struct error *err)
{
    struct addr both[2];
    return addr_from_literal(&both[0], "0.0.0.0", port) &&
           addr_from_literal(&both[1], "::", port) && add_all(ls, both, 2, err);
}

static bool is_among(const struct addr *addrs, size_t n, const struct addr *a)
{
    for (size_t i = 0; i < n; i++) {
        if (addr_equal(&addrs[i], a))
            return true;
    }
    return false;
}

static bool add_name(struct listeners *ls, const char *host, uint16_t port, struct error *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int r = getaddrinfo(host, NULL, &hints, &found);
    if (r != 0)
        return error_set(err, "", "could not resolve listen address \"%.100s\": %s", host,
                         r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
    struct addr addrs[NAME_ADDRS_MAX];
    size_t n = 0;
    for (struct addrinfo *ai = found; ai && n < NAME_ADDRS_MAX; ai = ai->ai_next) {
        struct addr a = {.len = ai->ai_addrlen};
        memcpy(&a.u, ai->ai_addr, ai->ai_addrlen);
        if (a.u.sa.sa_family == AF_INET)
            a.u.in4.sin_port = htons(port);
        else if (a.u.sa.sa_family == AF_INET6)
            a.u.in6.sin6_port = htons(port);
        else
            continue;
        if (!is_among(addrs, n, &a)) /* a hosts file may say things twice */
            addrs[n++] = a;
    }
    freeaddrinfo(found);
    return add_all(ls, addrs, n, err);
}

bool listeners_add_tcp(struct listeners *ls, const char *host, uint16_t port, struct error *err)
{
    struct addr a;
    if (strcmp(host, "*") == 0)
        return add_everywhere(ls, port, err);
    if (addr_from_literal(&a, host, port))
        return add_inet(ls, &a, err) == ADD_DONE;
    return add_name(ls, host, port, err);
}

/* ---- Unix sockets ---------------------------------------------------------------------- */

/* A socket file outlives a process that was killed. Whether somebody still answers on it is asked
 * by connecting; a full queue is an answer, too. */
static bool clear_stale(const struct addr *a, const char *path, struct error *err)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ||
               error_set(err, "", "could not look at \"%.100s\": %s", path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, "", "\"%.100s\" exists and is not a socket", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return could_not(err, a, fd);
    int r = connect(fd, &a->u.sa, a->len);
    int number = errno;
    close(fd);
    if (r == 0 || number != ECONNREFUSED)
        return error_set(err, "",
                         "unix socket is in use, cannot continue: another process answers on "
                         "\"%.100s\"",
                         path);
    if (unlink(path) != 0 && errno != ENOENT)
        return error_set(err, "", "could not remove stale socket \"%.100s\": %s", path,
                         strerror(errno));
    return true;
}

/* bind(2) makes the file with the mode of the socket's inode, less the umask: set before, so that
 * at no time more is allowed than asked for; and again after, for what the umask took. */
static bool bind_path(int fd, const struct addr *a, const char *path, mode_t mode)
{
    return fchmod(fd, mode) == 0 && bind(fd, &a->u.sa, a->len) == 0 && chmod(path, mode) == 0;
}

/* NULL: *err says why not. */
static struct listener *open_unix(struct listeners *ls, const char *path, mode_t mode,
                                  struct error *err)
{
    struct addr a;
    struct stat st;
    bool abstract = path[0] == '@';
    if (!addr_from_path(&a, path)) {
        error_set(err, "", "Unix socket path \"%.100s\" is too long", path);
        return NULL;
    }
    if (!abstract && !clear_stale(&a, path, err))
        return NULL;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 &&
              (abstract ? bind(fd, &a.u.sa, a.len) == 0 : bind_path(fd, &a, path, mode)) &&
              start_listening(ls, fd);
    if (!ok) {
        could_not(err, &a, fd);
        return NULL;
    }
    struct listener *li = add(ls, fd, abstract ? NULL : xstrdup(path));
    if (li->path && lstat(path, &st) == 0) {
        li->device = st.st_dev;
        li->inode = st.st_ino;
    }
    return li;
}

/* Another name for the socket that was there: what it is called changes nothing for who has it. */
static void keep_old(const char *path)
{
    char *old = xasprintf("%s" LISTENER_OLD, path);
    (void)unlink(old);
    (void)link(path, old);
    free(old);
}

/* Whoever connects meanwhile reaches the socket that was there, or this one. */
static bool move_to(struct listener *li, const char *path, struct error *err)
{
    if (rename(li->path, path) != 0)
        return error_set(err, "", "could not rename \"%.100s\": %s", li->path, strerror(errno));
    free(li->path);
    li->path = xstrdup(path);
    return addr_from_path(&li->addr, path);
}

bool listeners_add_unix(struct listeners *ls, const char *path, mode_t mode, struct error *err)
{
    if (path[0] == '@' || !ls->options.replace_unix)
        return open_unix(ls, path, mode, err) != NULL;
    char *beside = xasprintf("%s.new", path);
    struct listener *li = open_unix(ls, beside, mode, err);
    free(beside);
    if (li)
        keep_old(path);
    return li && move_to(li, path, err);
}

bool listeners_add_inherited(struct listeners *ls, int fd, struct error *err)
{
    int listening = 0;
    socklen_t len = sizeof listening;
    int flags = fcntl(fd, F_GETFL);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || !listening || flags < 0)
        return error_set(err, "", "inherited descriptor %d is not a listening socket", fd);
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return error_set(err, "", "could not set up inherited descriptor %d: %s", fd,
                         strerror(errno));
    add(ls, fd, NULL)->is_inherited = true;
    return true;
}

/* ---- life ------------------------------------------------------------------------------ */

struct listeners *listeners_new(struct loop *l, const struct listener_options *o,
                                const struct listener_ops *ops, void *owner)
{
    struct listeners *ls = xcalloc(1, sizeof *ls);
    ls->loop = l;
    ls->options = *o;
    ls->ops = ops;
    ls->owner = owner;
    ls->last = &ls->first;
    ls->spare_fd = open_spare();
    timer_init(&ls->trouble, l, on_trouble_over, ls);
    return ls;
}

static void remove_file(const struct listener *li)
{
    struct stat st;
    /* Another process may have put its own socket there. */
    if (li->path && lstat(li->path, &st) == 0 && st.st_dev == li->device && st.st_ino == li->inode)
        (void)unlink(li->path);
}

static void close_one(struct listeners *ls, struct listener **at)
{
    struct listener *li = *at;
    *at = li->next;
    if (!*at)
        ls->last = at;
    ls->n--;
    event_del(&li->event);
    remove_file(li);
    close(li->fd);
    free(li->path);
    free(li);
}

void listeners_close(struct listeners *ls)
{
    while (ls->first)
        close_one(ls, &ls->first);
}

/* They do not end in a storm: one queue's worth is enough. */
static void accept_the_rest(struct listeners *ls, int fd)
{
    int most = ls->options.backlog ? ls->options.backlog : BACKLOG;
    for (int i = 0; i <= most && accept_one(ls, fd); i++)
        ;
}

void listeners_close_tcp(struct listeners *ls)
{
    struct listener **at = &ls->first;
    while (*at) {
        if (addr_is_unix(&(*at)->addr)) {
            at = &(*at)->next;
            continue;
        }
        if (!(*at)->is_inherited)
            accept_the_rest(ls, (*at)->fd);
        close_one(ls, at);
    }
}

void listeners_free(struct listeners **lsp)
{
    struct listeners *ls = *lsp;
    if (!ls)
        return;
    listeners_close(ls);
    timer_fini(&ls->trouble);
    if (ls->spare_fd >= 0)
        close(ls->spare_fd);
    free(ls);
    *lsp = NULL;
}

void listeners_set_tcp(struct listeners *ls, const struct tcp_options *tcp)
{
    ls->options.tcp = *tcp;
    for (struct listener *li = ls->first; li; li = li->next) {
        if (!addr_is_unix(&li->addr))
            tcp_options_apply(li->fd, tcp);
    }
}

void listeners_pause(struct listeners *ls)
{
    ls->is_paused = true;
    set_watching(ls);
}

void listeners_resume(struct listeners *ls)
{
    ls->is_paused = false;
    set_watching(ls);
}

void listeners_defer_accept(struct listeners *ls, bool on)
{
    ls->options.defer_accept = on;
    for (struct listener *li = ls->first; li; li = li->next)
        set_deferring(ls, li);
}

size_t listeners_count(const struct listeners *ls)
{
    return ls->n;
}

static const struct listener *listener_at(const struct listeners *ls, size_t i)
{
    const struct listener *li = ls->first;
    while (i--)
        li = li->next;
    return li;
}

const struct addr *listeners_addr(const struct listeners *ls, size_t i)
{
    return &listener_at(ls, i)->addr;
}

int listeners_fd(const struct listeners *ls, size_t i)
{
    return listener_at(ls, i)->fd;
}
