/* SPDX-License-Identifier: PostgreSQL */
/* fake_dialer.c - attempts to connect, and names, that end as the script wants. */
#include "base/mem.h"
#include "net/addr_list.h"
#include "net/dialer.h"
#include "net/mailbox.h"
#include "net/resolver.h"
#include "support/fake_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dialer {
    TAILQ_ENTRY(dialer) link;
    struct loop *loop;
    enum fake_dial what;
    uint64_t deadline_us;
    bool is_ripe; /* made before this turn */
    struct addr to;
    dialer_fn *cb;
    void *owner;
};

TAILQ_HEAD(dialer_list, dialer);
static struct dialer_list dialers = TAILQ_HEAD_INITIALIZER(dialers);
static enum fake_dial dial_what;
#define NAMED_MAX 8
static struct {
    char address[ADDR_TEXT];
    enum fake_dial what;
} named[NAMED_MAX];
static unsigned n_named;
static unsigned n_dials;
static bool names_are_lost;

void fake_set_dial(const char *address, enum fake_dial what)
{
    if (!address) {
        dial_what = what;
        return;
    }
    unsigned i = 0;
    while (i < n_named && strcmp(named[i].address, address) != 0)
        i++;
    assert(i < NAMED_MAX);
    snprintf(named[i].address, sizeof named[i].address, "%s", address);
    named[i].what = what;
    n_named += i == n_named;
}

/* Addresses are named without their port. */
static enum fake_dial what_of(const struct addr *a)
{
    char text[ADDR_TEXT];
    addr_text(a, text, sizeof text);
    for (unsigned i = 0; i < n_named; i++) {
        size_t n = strlen(named[i].address);
        if (strncmp(text, named[i].address, n) == 0 && text[n] == ':')
            return named[i].what;
    }
    return dial_what;
}

unsigned fake_dial_count(void)
{
    return n_dials;
}

void fake_set_names(bool are_found)
{
    names_are_lost = !are_found;
}

/* Whoever dialled has cancelled what was under way. */
void fake_dials_fini(void)
{
    dial_what = FAKE_DIAL_CONNECT;
    n_dials = n_named = 0;
    names_are_lost = false;
}

/* ---- dialling -------------------------------------------------------------------------- */

struct dialer *dialer_start(struct loop *l, struct addr_list *addresses,
                            const struct dialer_options *options, dialer_fn *cb, void *owner)
{
    struct dialer *d = xcalloc(1, sizeof *d);
    *d = (struct dialer){.loop = l, .what = what_of(&addresses->each[0]), .cb = cb, .owner = owner};
    d->to = addresses->each[0];
    d->deadline_us = d->what != FAKE_DIAL_HANG ? fake_now()
                     : options->timeout_us     ? fake_now() + options->timeout_us
                                               : UINT64_MAX;
    n_dials++;
    TAILQ_INSERT_TAIL(&dialers, d, link);
    return d;
}

void dialer_cancel(struct dialer **dp)
{
    struct dialer *d = *dp;
    if (!d)
        return;
    TAILQ_REMOVE(&dialers, d, link);
    free(d);
    *dp = NULL;
}

static void finish(struct dialer *d)
{
    static const char *const texts[] = {
        [FAKE_DIAL_CONNECT] = "",
        [FAKE_DIAL_REFUSE] = "could not connect to 127.0.0.1: Connection refused",
        [FAKE_DIAL_HANG] = "could not connect to 127.0.0.1: Connection timed out",
    };
    struct dialer_result result = {.fd = -1, .addr = d->to, .timed_out = d->what == FAKE_DIAL_HANG};
    error_set(&result.error, "", "%s", texts[d->what]);
    if (d->what == FAKE_DIAL_CONNECT)
        result.fd = fake_wire_new(true, &d->to)->fd;
    dialer_fn *cb = d->cb;
    void *owner = d->owner;
    dialer_cancel(&d);
    cb(owner, &result);
}

static struct dialer *due_dial(const struct loop *l)
{
    struct dialer *d;
    TAILQ_FOREACH(d, &dialers, link)
    {
        if (d->loop == l && d->is_ripe && d->deadline_us <= fake_now())
            return d;
    }
    return NULL;
}

/* Attempts that are made meanwhile wait for the next turn. */
bool fake_dials_turn(struct loop *l)
{
    bool any = false;
    struct dialer *d;
    TAILQ_FOREACH(d, &dialers, link)
    d->is_ripe = true;
    while ((d = due_dial(l)) != NULL) {
        finish(d);
        any = true;
    }
    return any;
}

uint64_t fake_dials_deadline(void)
{
    uint64_t next = UINT64_MAX;
    struct dialer *d;
    TAILQ_FOREACH(d, &dialers, link)
    {
        if (d->deadline_us < next)
            next = d->deadline_us;
    }
    return next;
}

/* ---- names ----------------------------------------------------------------------------- */

struct answer {
    struct message message;
    resolver_fn *fn;
    uint64_t tag;
    uint16_t port;
    char *name;
};

static void deliver_answer(struct message *m, void *receiver)
{
    struct answer *a = container_of(m, struct answer, message);
    struct error err;
    struct addr_list *list = names_are_lost ? NULL : addr_list_from_literal("127.0.0.1", a->port);
    error_set(&err, "", "could not translate host name \"%s\"", a->name);
    if (receiver)
        a->fn(receiver, a->tag, list, &err);
    addr_list_unref(&list);
    free(a->name);
    free(a);
}

void resolver_ask(struct resolver *r, const char *name, uint16_t port, struct mailbox *reply_to,
                  resolver_fn *fn, uint64_t tag)
{
    struct answer *a = xcalloc(1, sizeof *a);
    (void)r;
    *a = (struct answer){.message.deliver = deliver_answer,
                         .fn = fn,
                         .tag = tag,
                         .port = port,
                         .name = xstrdup(name)};
    mailbox_post(reply_to, &a->message);
}

/* Names are not kept. */
void resolver_doubt(struct resolver *r, const char *name)
{
    (void)r;
    (void)name;
}

void resolver_each_zone(struct resolver *r, void (*fn)(const struct resolver_zone *row, void *arg),
                        void *arg)
{
    (void)r;
    (void)fn;
    (void)arg;
}

void resolver_each(struct resolver *r, void (*fn)(const struct resolver_name *row, void *arg),
                   void *arg)
{
    (void)r;
    (void)fn;
    (void)arg;
}
