/* SPDX-License-Identifier: PostgreSQL */
/* resolver.c - c-ares on the main loop, a cache, answers by mailbox.
 *
 * A question comes as a message. It is answered from the cache, or joins those who wait for the
 * same name; the first of them starts the search. All of it runs on the main loop, but for
 * resolver_ask and resolver_each; for the latter, names are under a lock while they change. */
#include "net/resolver.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/addr_list.h"
#include "net/resolver_impl.h"

#include <event2/event.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_TTL_US (1 * US_PER_S)
/* Per server and round; c-ares gives up after about TRIES times this. */
#define TIMEOUT_MS 2000
#define TRIES 2
/* Names come from the configuration; a client can't make us ask for more of them. */
#define NAMES_MAX 1024
/* Of one name; more are passed over. */
#define ADDRS_MAX 64

/* ---- c-ares on the loop ---------------------------------------------------------------- */

void resolver_set_timer(struct resolver *r)
{
    struct timeval tv;
    if (!r->has_channel || !r->n_searches || !ares_timeout(r->channel, NULL, &tv)) {
        timer_clear(&r->timer);
        return;
    }
    timer_set(&r->timer, loop_now(r->loop) + (uint64_t)tv.tv_sec * US_PER_S + (uint64_t)tv.tv_usec);
}

static void on_ares_time(void *arg)
{
    struct resolver *r = arg;
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    resolver_set_timer(r);
}

static void on_ares_ready(evutil_socket_t fd, short what, void *arg)
{
    struct resolver *r = arg;
    ares_process_fd(r->channel, what & EV_READ ? fd : ARES_SOCKET_BAD,
                    what & EV_WRITE ? fd : ARES_SOCKET_BAD);
    resolver_set_timer(r);
}

static struct watched **find_watched(struct resolver *r, int fd)
{
    struct watched **at = &r->watched;
    while (*at && (*at)->fd != fd)
        at = &(*at)->next;
    return at;
}

/* What c-ares wants to know about one of its sockets; nothing: it is about to close it. */
static void on_ares_interest(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolver *r = arg;
    struct watched **at = find_watched(r, fd);
    short what = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    struct watched *w = *at;
    if (w)
        event_del(&w->event);
    if (!what) {
        if (w) {
            *at = w->next;
            free(w);
        }
        return;
    }
    if (!w) {
        w = *at = xcalloc(1, sizeof *w);
        w->fd = fd;
    }
    event_assign(&w->event, loop_event_base(r->loop), fd, (short)(what | EV_PERSIST), on_ares_ready,
                 r);
    event_add(&w->event, NULL);
}

static bool open_channel(struct resolver *r, struct error *err)
{
    struct ares_options o = {.timeout = TIMEOUT_MS,
                             .tries = TRIES,
                             .sock_state_cb = on_ares_interest,
                             .sock_state_cb_data = r,
                             .resolvconf_path = r->resolv_conf};
    int which = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    int rc = ares_init_options(&r->channel, &o, which | (r->resolv_conf ? ARES_OPT_RESOLVCONF : 0));
    if (rc != ARES_SUCCESS)
        return error_set(err, "", "could not start the resolver: %s", ares_strerror(rc));
    r->has_channel = true;
    r->is_stale = false;
    if (r->nameservers && (rc = ares_set_servers_ports_csv(r->channel, r->nameservers)))
        return error_set(err, "", "could not use nameservers \"%.100s\": %s", r->nameservers,
                         ares_strerror(rc));
    return true;
}

static void close_channel(struct resolver *r)
{
    if (r->has_channel)
        ares_destroy(r->channel);
    r->has_channel = false;
}

/* ---- answering ------------------------------------------------------------------------- */

static void question_free(struct question *q)
{
    addr_list_unref(&q->answer);
    free(q);
}

static void deliver_answer(struct message *m, void *receiver)
{
    struct question *q = container_of(m, struct question, message);
    if (receiver)
        q->fn(receiver, q->tag, q->answer, &q->error);
    question_free(q);
}

static void reply(struct question *q)
{
    q->message.deliver = deliver_answer;
    mailbox_post(q->reply_to, &q->message);
}

static struct addr_list *with_port(const struct addr_list *l, uint16_t port)
{
    struct addr_list *copy = addr_list_new(l->each, l->n);
    for (size_t i = 0; i < copy->n; i++) {
        struct addr *a = &copy->each[i];
        if (a->u.sa.sa_family == AF_INET)
            a->u.in4.sin_port = htons(port);
        else
            a->u.in6.sin6_port = htons(port);
    }
    return copy;
}

static void answer(const struct name *n, struct question *q, const struct error *err)
{
    if (n->known)
        q->answer = with_port(n->known, q->port);
    else
        q->error = *err;
    reply(q);
}

/* ---- searching ------------------------------------------------------------------------- */

/* The addresses of a result without ports, and the shortest time to live. NULL if there is none. */
static struct addr_list *gather(const struct ares_addrinfo *found, int *ttl_s_out)
{
    struct addr addrs[ADDRS_MAX];
    size_t n = 0;
    *ttl_s_out = INT_MAX;
    for (const struct ares_addrinfo_node *at = found->nodes; at && n < ADDRS_MAX;
         at = at->ai_next) {
        if (at->ai_family != AF_INET && at->ai_family != AF_INET6)
            continue;
        addrs[n] = (struct addr){.len = at->ai_addrlen};
        memcpy(&addrs[n++].u, at->ai_addr, at->ai_addrlen);
        if (at->ai_ttl < *ttl_s_out)
            *ttl_s_out = at->ai_ttl;
    }
    return n ? addr_list_new(addrs, n) : NULL;
}

static uint64_t clamp_ttl(const struct resolver *r, int ttl_s)
{
    uint64_t ttl = ttl_s > 0 ? (uint64_t)ttl_s * US_PER_S : 0;
    if (ttl > r->times.max_ttl_us)
        ttl = r->times.max_ttl_us;
    return ttl < MIN_TTL_US ? MIN_TTL_US : ttl;
}

static void set_searched(struct name *n, bool on)
{
    mutex_lock(&n->resolver->shared.m);
    n->is_searched = on;
    mutex_unlock(&n->resolver->shared.m);
}

/* An answer without an address that was in the one before: who is connected to it should leave. */
static void tell_vanished(struct name *n, const struct addr_list *old, struct addr_list *fresh)
{
    struct resolver *r = n->resolver;
    bool all = true;
    for (size_t i = 0; i < old->n; i++)
        all = all && addr_list_has(fresh, &old->each[i]);
    if (!all && r->on_vanished)
        r->on_vanished(r->owner, n->text, fresh);
}

/* Takes `fresh`; NULL: what was known stays. */
static void set_known(struct name *n, struct addr_list *fresh, uint64_t expires_us)
{
    struct addr_list *old = NULL;
    mutex_lock(&n->resolver->shared.m);
    if (fresh) {
        old = n->known;
        n->known = fresh;
    }
    n->expires_us = expires_us;
    mutex_unlock(&n->resolver->shared.m);
    if (old)
        tell_vanished(n, old, fresh);
    addr_list_unref(&old);
}

static void take_result(struct name *n, int status, struct ares_addrinfo *found, struct error *err)
{
    struct resolver *r = n->resolver;
    int ttl_s = 0;
    struct addr_list *fresh = status == ARES_SUCCESS && found ? gather(found, &ttl_s) : NULL;
    /* The hosts file names no time. A record may say 0, and means it. */
    if (n->is_beginning && ttl_s == 0)
        ttl_s = INT_MAX;
    if (fresh) {
        set_known(n, fresh, loop_now(r->loop) + clamp_ttl(r, ttl_s));
        return;
    }
    if (status == ARES_SUCCESS)
        status = ARES_ENODATA;
    error_set(err, "", "could not resolve host name \"%.100s\": %s", n->text,
              ares_strerror(status));
    if (status != ARES_ENOTFOUND && status != ARES_ENODATA)
        r->is_stale = true;
    n->failure = *err;
    /* The last good answer serves a moment without asking: who fails slowly would hold up
     * everybody. */
    set_known(n, NULL, loop_now(r->loop) + (n->known ? MIN_TTL_US : r->times.failed_ttl_us));
}

static void on_found(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
    struct name *n = arg;
    struct error err = {.text = ""};
    struct question *q;
    (void)timeouts;
    resolver_end_query(n->resolver);
    set_searched(n, false);
    take_result(n, status, found, &err);
    if (found)
        ares_freeaddrinfo(found);
    while ((q = STAILQ_FIRST(&n->waiting)) != NULL) {
        STAILQ_REMOVE_HEAD(&n->waiting, link);
        answer(n, q, &err);
    }
}

bool resolver_begin_query(struct resolver *r)
{
    struct error err;
    if (r->is_stale && !r->n_searches)
        close_channel(r);
    if (!r->has_channel && !open_channel(r, &err)) {
        close_channel(r);
        return false;
    }
    r->n_searches++;
    return true;
}

void resolver_end_query(struct resolver *r)
{
    r->n_searches--;
}

void resolver_search(struct resolver *r, struct name *n)
{
    const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    set_searched(n, true);
    if (!resolver_begin_query(r)) {
        r->n_searches++;
        on_found(n, ARES_ENOTINITIALIZED, 0, NULL);
        return;
    }
    n->is_beginning = true;
    ares_getaddrinfo(r->channel, n->text, NULL, &hints, on_found, n);
    n->is_beginning = false;
    resolver_set_timer(r);
}

/* ---- asking ---------------------------------------------------------------------------- */

static void name_free(struct resolver *r, struct name *n)
{
    mutex_lock(&r->shared.m);
    HASH_DEL(r->shared.names, n);
    mutex_unlock(&r->shared.m);
    addr_list_unref(&n->known);
    free(n);
}

static void forget_idle_names(struct resolver *r)
{
    struct name *n, *next;
    HASH_ITER(hh, r->shared.names, n, next)
    {
        if (!n->is_searched)
            name_free(r, n);
    }
}

static struct name *name_get(struct resolver *r, const char *text)
{
    struct name *n = NULL;
    HASH_FIND_STR(r->shared.names, text, n);
    if (n)
        return n;
    if (HASH_COUNT(r->shared.names) >= NAMES_MAX)
        forget_idle_names(r);
    size_t len = strlen(text) + 1;
    n = xcalloc(1, sizeof *n + len);
    n->resolver = r;
    STAILQ_INIT(&n->waiting);
    memcpy(n->text, text, len);
    mutex_lock(&r->shared.m);
    HASH_ADD_KEYPTR(hh, r->shared.names, n->text, len - 1, n);
    mutex_unlock(&r->shared.m);
    resolver_zone_note(r, n->text);
    return n;
}

static void deliver_question(struct message *m, void *receiver)
{
    struct question *q = container_of(m, struct question, message);
    struct resolver *r = receiver;
    if (!r) {
        question_free(q);
        return;
    }
    struct name *n = name_get(r, q->name);
    if (loop_now(r->loop) < n->expires_us && !n->is_searched) {
        answer(n, q, &n->failure);
        return;
    }
    STAILQ_INSERT_TAIL(&n->waiting, q, link);
    if (!n->is_searched)
        resolver_search(r, n);
}

void resolver_ask(struct resolver *r, const char *name, uint16_t port, struct mailbox *reply_to,
                  resolver_fn *fn, uint64_t tag)
{
    size_t len = strlen(name) + 1;
    struct question *q = xcalloc(1, sizeof *q + len);
    q->reply_to = reply_to;
    q->fn = fn;
    q->tag = tag;
    q->port = port;
    memcpy(q->name, name, len);
    /* c-ares would send literal addresses to DNS. */
    q->answer = addr_list_from_literal(name, port);
    if (q->answer) {
        reply(q);
        return;
    }
    q->message.deliver = deliver_question;
    mailbox_post(&r->mailbox, &q->message);
}

struct doubt {
    struct message message;
    char name[];
};

static void deliver_doubt(struct message *m, void *receiver)
{
    struct doubt *d = container_of(m, struct doubt, message);
    struct resolver *r = receiver;
    struct name *n = NULL;
    if (r)
        HASH_FIND_STR(r->shared.names, d->name, n);
    /* Once a second is often enough for who tries again and again. */
    uint64_t soon = r ? loop_now(r->loop) + MIN_TTL_US : 0;
    if (n && n->known && n->expires_us > soon)
        set_known(n, NULL, soon);
    free(d);
}

void resolver_doubt(struct resolver *r, const char *name)
{
    size_t len = strlen(name) + 1;
    struct doubt *d = xcalloc(1, sizeof *d + len);
    memcpy(d->name, name, len);
    d->message.deliver = deliver_doubt;
    mailbox_post(&r->mailbox, &d->message);
}

/* ---- what is known --------------------------------------------------------------------- */

void resolver_each(struct resolver *r, void (*fn)(const struct resolver_name *row, void *arg),
                   void *arg)
{
    mutex_lock(&r->shared.m);
    for (const struct name *n = r->shared.names; n; n = n->hh.next) {
        const struct resolver_name row = {n->text, n->known, n->expires_us, n->is_searched};
        fn(&row, arg);
    }
    mutex_unlock(&r->shared.m);
}

/* ---- life ------------------------------------------------------------------------------ */

void resolver_set_times(struct resolver *r, const struct resolver_times *times)
{
    bool zones = times->zone_check_us != r->times.zone_check_us;
    r->times = *times;
    if (zones)
        resolver_zones_start(r);
}

void resolver_on_vanished(struct resolver *r, resolver_vanished_fn *fn, void *owner)
{
    r->on_vanished = fn;
    r->owner = owner;
}

const char *resolver_library(char *out, size_t size)
{
    snprintf(out, size, "c-ares %s", ares_version(NULL));
    return out;
}

struct resolver *resolver_new(struct loop *l, const struct resolver_options *o, struct error *err)
{
    int rc = ares_library_init(ARES_LIB_INIT_ALL);
    if (rc != ARES_SUCCESS) {
        error_set(err, "", "could not start the resolver: %s", ares_strerror(rc));
        return NULL;
    }
    struct resolver *r = xcalloc(1, sizeof *r);
    r->loop = l;
    r->times = o->times;
    r->nameservers = o->nameservers ? xstrdup(o->nameservers) : NULL;
    r->resolv_conf = o->resolv_conf ? xstrdup(o->resolv_conf) : NULL;
    mutex_init(&r->shared.m);
    timer_init(&r->timer, l, on_ares_time, r);
    mailbox_init(&r->mailbox, l, r);
    resolver_zones_init(r);
    if (!open_channel(r, err))
        resolver_free(&r);
    return r;
}

void resolver_free(struct resolver **rp)
{
    struct resolver *r = *rp;
    struct name *n, *next;
    if (!r)
        return;
    close_channel(r); /* who waits is told that it was cancelled */
    mailbox_fini(&r->mailbox);
    timer_fini(&r->timer);
    resolver_zones_fini(r);
    HASH_ITER(hh, r->shared.names, n, next)
    {
        name_free(r, n);
    }
    free(r->nameservers);
    free(r->resolv_conf);
    free(r);
    ares_library_cleanup();
    *rp = NULL;
}
