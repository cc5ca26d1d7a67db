/* SPDX-License-Identifier: PostgreSQL */
/* dialer.h - connect to one of several addresses.
 *
 * Happy eyeballs (RFC 8305): families alternate, beginning with that of the first address; each
 * next address is tried when one fails or after 250 ms, in parallel; the first that connects
 * wins. */
#ifndef NET_DIALER_H
#define NET_DIALER_H

#include "base/addr.h"
#include "base/error.h"
#include "net/tcp_options.h"

#include <stdbool.h>
#include <stdint.h>

struct addr_list;
struct dialer;
struct loop;

struct dialer_options {
    uint64_t timeout_us; /* for all attempts together; 0: none */
    uint64_t stagger_us; /* before the next address is tried as well; 0: 250 ms */
    struct tcp_options tcp;
};

struct dialer_result {
    int fd;           /* connected, non-blocking; -1: failed */
    struct addr addr; /* the one that fd is connected to */
    bool timed_out;
    struct error error;
};

typedef void dialer_fn(void *owner, const struct dialer_result *result);

/* Takes a reference of the list; copies options. cb is called once, never before this returns, and
 * takes result->fd; the dialer is gone when it is called. */
struct dialer *dialer_start(struct loop *l, struct addr_list *addresses,
                            const struct dialer_options *options, dialer_fn *cb, void *owner);
/* No callback will come. Clears the caller's pointer; NULL inside is fine. */
void dialer_cancel(struct dialer **d);

#endif
