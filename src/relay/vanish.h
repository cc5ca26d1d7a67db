/* SPDX-License-Identifier: PostgreSQL */
/* vanish.h - servers at addresses that their host's name does not stand for any more. */
#ifndef RELAY_VANISH_H
#define RELAY_VANISH_H

struct addr_list;
struct relay_shared;

/* As a resolver_vanished_fn, of struct relay_shared: each worker retires its servers of that name
 * that are connected to other addresses: idle ones now, others when they are released. */
void vanish_tell(void *shared, const char *name, struct addr_list *addresses);

#endif
