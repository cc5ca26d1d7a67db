/* SPDX-License-Identifier: PostgreSQL */
/* resolver.h - names to addresses, on the main loop, for all threads.
 *
 * /etc/hosts and DNS through c-ares. Answers are kept for their time to live, at least 1 s and at
 * most max_ttl_us, which is also for how long those of the hosts file are kept (a shorter one on a
 * CNAME is not visible to us, hence the bound). Questions for the same name in flight are asked
 * once. If asking fails, the last good answer is used as long as there is one. */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include "base/error.h"

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

struct addr_list;
struct loop;
struct mailbox;
struct resolver;

struct resolver_times {
    uint64_t max_ttl_us;    /* of answers, which also have a time of their own; at least 1 s */
    uint64_t failed_ttl_us; /* of failed searches for names that have no answer yet */
    uint64_t zone_check_us; /* between looks at the serial numbers of zones; 0: none */
};

struct resolver_options {
    struct resolver_times times;
    const char *nameservers; /* "127.0.0.1:5353,…" in place of the system's; NULL: the system's */
    const char *resolv_conf; /* file in place of /etc/resolv.conf; NULL: that one */
};

/* Called in the thread of the mailbox with its receiver. `addresses` is borrowed, NULL on failure;
 * then *err says why. */
typedef void resolver_fn(void *receiver, uint64_t tag, struct addr_list *addresses,
                         const struct error *err);

/* "c-ares 1.18.1"; returns out. */
const char *resolver_library(char *out, size_t size);

/* NULL and *err if the library refuses. Main thread. */
struct resolver *resolver_new(struct loop *l, const struct resolver_options *o, struct error *err);
/* When nobody can ask any more, and before the mailboxes that answers go to. */
void resolver_free(struct resolver **r);

/* For answers that come from now on. Main thread. */
void resolver_set_times(struct resolver *r, const struct resolver_times *times);

/* A new answer lacks an address of the one before. Called in the main thread; addresses (without
 * ports) are borrowed. */
typedef void resolver_vanished_fn(void *owner, const char *name, struct addr_list *addresses);
void resolver_on_vanished(struct resolver *r, resolver_vanished_fn *fn, void *owner);

/* Any thread. The answer comes through reply_to, also for literal addresses; whoever asked is named
 * by `tag` only, since it may be gone by then. Copies name. */
void resolver_ask(struct resolver *r, const char *name, uint16_t port, struct mailbox *reply_to,
                  resolver_fn *fn, uint64_t tag);

/* No address of the name answers: it is asked for again when it is next wanted. Any thread. */
void resolver_doubt(struct resolver *r, const char *name);

/* ---- what is known ---- */

struct resolver_name {
    const char *name;
    const struct addr_list *addresses; /* without ports; NULL: none yet */
    uint64_t expires_us;
    bool is_asked_for; /* a search is under way */
};
/* Any thread. The row is borrowed; fn must not call back here. */
void resolver_each(struct resolver *r, void (*fn)(const struct resolver_name *row, void *arg),
                   void *arg);

/* What stands behind the first dot of a name. */
struct resolver_zone {
    const char *name;
    uint32_t serial;  /* of its SOA record; 0: not known */
    unsigned n_names; /* that are known */
};
/* As resolver_each. Empty unless zones are checked. */
void resolver_each_zone(struct resolver *r, void (*fn)(const struct resolver_zone *row, void *arg),
                        void *arg);

#endif
