/* SPDX-License-Identifier: PostgreSQL */
/* addr_list.h - the addresses of a host: immutable, counted, passed between threads. */
#ifndef NET_ADDR_LIST_H
#define NET_ADDR_LIST_H

#include "base/addr.h"

#include <stdatomic.h>

struct addr_list {
    atomic_uint refs; /* private */
    size_t n;         /* at least 1 */
    struct addr each[];
};

/* Copies n addresses (at least 1). */
struct addr_list *addr_list_new(const struct addr *addrs, size_t n);
/* A literal address, or a path of a Unix socket ('/' or '@' first; the port is ignored). NULL if
 * it is a name, which is the resolver's business. */
struct addr_list *addr_list_from_literal(const char *text, uint16_t port);
struct addr_list *addr_list_ref(struct addr_list *l);
/* Clears the caller's pointer; NULL inside is fine. */
void addr_list_unref(struct addr_list **l);
bool addr_list_has(const struct addr_list *l, const struct addr *a);

#endif
