/* SPDX-License-Identifier: PostgreSQL */
/* console.h - the database `pgballast` (and `pgbouncer`) in which the operator looks at the program
 * and gives orders: one set of client_ops beside the relay's.
 *
 * It speaks the simple and the extended protocol. Commands are carried out one after the other;
 * while one waits for the workers or for the end of transactions, what the client sends is held
 * back. An error ends the Query, or the group up to its Sync, and the connection stays. There are
 * no transactions: ReadyForQuery always says idle. */
#ifndef ADMIN_CONSOLE_H
#define ADMIN_CONSOLE_H

#include "client/client.h"

extern const struct client_ops console_ops;

#endif
