/* SPDX-License-Identifier: PostgreSQL */
/* dialer.c - happy eyeballs over non-blocking connects. */
#include "net/dialer.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "net/addr_list.h"
#include "net/loop_impl.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* RFC 8305, section 8: recommended connection attempt delay. */
#define STAGGER_US (250 * US_PER_MS)
/* Attempts under way at once; a long list must not use up descriptors. */
#define PARALLEL_MAX 4
/* A full queue of a Unix socket is reported at once, not waited for: asked again after this. */
#define QUEUE_FULL_US (20 * US_PER_MS)

struct attempt {
    struct dialer *dialer;
    struct event event;
    int fd; /* -1: this place is free */
    size_t address;
};

struct dialer {
    struct loop *loop;
    struct addr_list *addresses;
    size_t *order; /* places in addresses, families alternating */
    size_t next;   /* in order: not tried yet */
    struct dialer_options options;
    dialer_fn *cb;
    void *owner;
    struct timer deadline;
    struct timer stagger; /* until the next address is tried */
    struct loop_task start;
    struct attempt attempts[PARALLEL_MAX];
    unsigned n_failed;
    bool timed_out;
    struct error error; /* of the last failure */
};

static void go_on(struct dialer *d);

/* ---- order ----------------------------------------------------------------------------- */

/* Alternates between the family of the first address and all others, each in the given order
 * (RFC 8305, section 4). */
static size_t *alternate(const struct addr_list *l)
{
    size_t *order = xcalloc(l->n, sizeof *order);
    sa_family_t first = l->each[0].u.sa.sa_family;
    size_t same = 0, other = 0;
    for (size_t i = 0; i < l->n; i++) {
        while (same < l->n && l->each[same].u.sa.sa_family != first)
            same++;
        while (other < l->n && l->each[other].u.sa.sa_family == first)
            other++;
        bool take_same = other == l->n || (same < l->n && i % 2 == 0);
        order[i] = take_same ? same++ : other++;
    }
    return order;
}

/* ---- ending ---------------------------------------------------------------------------- */

static void attempt_close(struct attempt *a)
{
    if (a->fd < 0)
        return;
    event_del(&a->event);
    close(a->fd);
    a->fd = -1;
}

static void dialer_free(struct dialer *d)
{
    for (int i = 0; i < PARALLEL_MAX; i++)
        attempt_close(&d->attempts[i]);
    timer_fini(&d->deadline);
    timer_fini(&d->stagger);
    loop_undefer(&d->start);
    addr_list_unref(&d->addresses);
    free(d->order);
    free(d);
}

void dialer_cancel(struct dialer **dp)
{
    if (*dp)
        dialer_free(*dp);
    *dp = NULL;
}

static void finish(struct dialer *d, const struct dialer_result *result)
{
    dialer_fn *cb = d->cb;
    void *owner = d->owner;
    dialer_free(d);
    cb(owner, result);
}

static void finish_connected(struct dialer *d, struct attempt *a)
{
    struct dialer_result result = {.fd = a->fd, .addr = d->addresses->each[a->address]};
    event_del(&a->event);
    a->fd = -1;
    finish(d, &result);
}

static void finish_failed(struct dialer *d)
{
    struct dialer_result result = {.fd = -1, .timed_out = d->timed_out, .error = d->error};
    if (d->n_failed > 1)
        error_set(&result.error, d->error.sqlstate, "%.150s (%u addresses tried)", d->error.text,
                  d->n_failed);
    finish(d, &result);
}

static void note_failure(struct dialer *d, size_t address, const char *why)
{
    char text[ADDR_TEXT];
    d->n_failed++;
    error_set(&d->error, "", "could not connect to %s: %s",
              addr_text(&d->addresses->each[address], text, sizeof text), why);
}

/* ---- attempts -------------------------------------------------------------------------- */

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
    struct attempt *a = arg;
    struct dialer *d = a->dialer;
    int number = 0;
    socklen_t len = sizeof number;
    (void)what;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0)
        number = errno;
    if (number == 0) {
        finish_connected(d, a);
        return;
    }
    size_t address = a->address;
    attempt_close(a);
    note_failure(d, address, strerror(number));
    go_on(d);
}

static struct attempt *free_place(struct dialer *d)
{
    for (int i = 0; i < PARALLEL_MAX; i++) {
        if (d->attempts[i].fd < 0)
            return &d->attempts[i];
    }
    return NULL;
}

static bool any_under_way(const struct dialer *d)
{
    for (int i = 0; i < PARALLEL_MAX; i++) {
        if (d->attempts[i].fd >= 0)
            return true;
    }
    return false;
}

enum tried { TRIED_PENDING, TRIED_CONNECTED, TRIED_FAILED, TRIED_QUEUE_FULL };

static enum tried try_address(struct dialer *d, struct attempt *a, size_t address)
{
    const struct addr *to = &d->addresses->each[address];
    int fd = socket(to->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        note_failure(d, address, strerror(errno));
        return TRIED_FAILED;
    }
    if (!addr_is_unix(to))
        tcp_options_apply(fd, &d->options.tcp);
    int r = connect(fd, &to->u.sa, to->len);
    if (r != 0 && errno != EINPROGRESS) {
        int number = errno;
        close(fd);
        if (number == EAGAIN && addr_is_unix(to))
            return TRIED_QUEUE_FULL;
        note_failure(d, address, strerror(number));
        return TRIED_FAILED;
    }
    a->fd = fd;
    a->address = address;
    event_assign(&a->event, d->loop->base, fd, EV_WRITE, on_connected, a);
    if (r != 0 && event_add(&a->event, NULL) != 0) {
        note_failure(d, address, strerror(errno));
        attempt_close(a);
        return TRIED_FAILED;
    }
    return r == 0 ? TRIED_CONNECTED : TRIED_PENDING;
}

/* Begins what can begin now: the next address at once if none is under way, else when its time has
 * come (the timer calls). Ends the dialer if nothing is left. */
static void go_on(struct dialer *d)
{
    struct attempt *a;
    uint64_t wait = d->options.stagger_us ? d->options.stagger_us : STAGGER_US;
    while (d->next < d->addresses->n && (a = free_place(d)) != NULL) {
        switch (try_address(d, a, d->order[d->next])) {
        case TRIED_CONNECTED:
            finish_connected(d, a);
            return;
        case TRIED_FAILED:
            d->next++;
            continue;
        case TRIED_QUEUE_FULL:
            wait = QUEUE_FULL_US;
            break;
        case TRIED_PENDING:
            d->next++;
            break;
        }
        if (d->next < d->addresses->n)
            timer_set(&d->stagger, loop_now(d->loop) + wait);
        return;
    }
    if (!any_under_way(d))
        finish_failed(d);
}

static void on_stagger(void *arg)
{
    go_on(arg);
}

static void on_deadline(void *arg)
{
    struct dialer *d = arg;
    bool queue_full = d->next < d->addresses->n && !any_under_way(d);
    char after[64];
    snprintf(after, sizeof after, "%s after %.3g s", queue_full ? "its queue is full" : "timeout",
             (double)d->options.timeout_us / (double)US_PER_S);
    for (int i = 0; i < PARALLEL_MAX; i++) {
        if (d->attempts[i].fd >= 0)
            note_failure(d, d->attempts[i].address, after);
    }
    if (queue_full)
        note_failure(d, d->order[d->next], after);
    d->timed_out = true;
    finish_failed(d);
}

static void on_start(struct loop_task *task)
{
    go_on(container_of(task, struct dialer, start));
}

struct dialer *dialer_start(struct loop *l, struct addr_list *addresses,
                            const struct dialer_options *options, dialer_fn *cb, void *owner)
{
    struct dialer *d = xcalloc(1, sizeof *d);
    d->loop = l;
    d->addresses = addr_list_ref(addresses);
    d->order = alternate(addresses);
    d->options = *options;
    d->cb = cb;
    d->owner = owner;
    for (int i = 0; i < PARALLEL_MAX; i++)
        d->attempts[i] = (struct attempt){.dialer = d, .fd = -1};
    timer_init(&d->deadline, l, on_deadline, d);
    timer_init(&d->stagger, l, on_stagger, d);
    if (options->timeout_us)
        timer_set(&d->deadline, loop_now(l) + options->timeout_us);
    d->start.run = on_start;
    loop_defer(l, &d->start);
    return d;
}
