/* SPDX-License-Identifier: PostgreSQL */
/* resolver_impl.h - the structs behind resolver.h; included by resolver*.c only. */
#ifndef NET_RESOLVER_IMPL_H
#define NET_RESOLVER_IMPL_H

#include "base/list.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "net/resolver.h"

#include <ares.h>
#include <event2/event_struct.h>

#define uthash_malloc(n) xmalloc(n)
#include <uthash.h>

struct zone;

/* Who asked. The message is the question on its way here and the answer on its way back. */
struct question {
    struct message message;
    STAILQ_ENTRY(question) link;
    struct mailbox *reply_to;
    resolver_fn *fn;
    uint64_t tag;
    uint16_t port;
    struct addr_list *answer; /* counted; NULL: error says why */
    struct error error;
    char name[];
};

STAILQ_HEAD(question_list, question);

struct name {
    UT_hash_handle hh;
    struct resolver *resolver;
    struct question_list waiting;
    bool is_searched;
    bool is_beginning; /* c-ares is being asked: what it answers now, no name server has said */
    uint64_t expires_us;
    struct addr_list *known; /* the last good answer, port 0; NULL: none yet, ... */
    struct error failure;    /* ... because of this; believed until expires_us */
    char text[];
};

struct watched {
    struct watched *next;
    struct event event;
    int fd;
};

struct resolver {
    struct loop *loop;
    struct mailbox mailbox;
    struct resolver_times times;
    resolver_vanished_fn *on_vanished; /* or NULL */
    void *owner;
    struct timer zone_timer; /* zone_check_us */
    char *nameservers;       /* or NULL */
    char *resolv_conf;       /* or NULL */
    ares_channel channel;
    bool has_channel;
    bool is_stale; /* asking failed: the system's configuration is read again */
    unsigned n_searches;
    struct timer timer; /* c-ares's next time-out */
    struct watched *watched;
    struct {
        struct mutex m;
        struct name *names; /* with known, expires_us and is_searched of each */
        struct zone *zones; /* with the serial of each; resolver_zone.c */
    } shared;
};

/* resolver.c. A search may end before this returns: the hosts file is read at once. */
void resolver_search(struct resolver *r, struct name *n);
/* Around a question to c-ares: its time-outs are looked after while any is open. False: the library
 * cannot be had. */
bool resolver_begin_query(struct resolver *r);
void resolver_end_query(struct resolver *r);
void resolver_set_timer(struct resolver *r);

/* resolver_zone.c */
void resolver_zones_init(struct resolver *r);
/* The period has changed. */
void resolver_zones_start(struct resolver *r);
void resolver_zones_fini(struct resolver *r);
/* A name that is asked for: so is its zone. */
void resolver_zone_note(struct resolver *r, const char *name);

#endif
