/* SPDX-License-Identifier: PostgreSQL */
/* suspend.h - SUSPEND in one worker, in its thread: nothing is read, what is due is sent. The
 * console goes on. */
#ifndef RELAY_SUSPEND_H
#define RELAY_SUSPEND_H

#include "base/error.h"

#include <stddef.h>

struct relay;

/* Clients and servers are not read any more. The pools must be paused, or idle servers would be
 * given to clients. */
void suspend_begin(struct relay *r);
void suspend_end(struct relay *r);

/* Connections that the kernel has not taken everything for. */
size_t suspend_unflushed(struct relay *r);
/* Closes those; clients are told *err, if they can be told anything. */
void suspend_drop_unflushed(struct relay *r, const struct error *err);

#endif
