/* SPDX-License-Identifier: PostgreSQL */
/* show_sockets.h - rows of SHOW CLIENTS, SERVERS, SOCKETS, ACTIVE_SOCKETS and FDS, worker by
 * worker.
 */
#ifndef ADMIN_SHOW_SOCKETS_H
#define ADMIN_SHOW_SOCKETS_H

#include "admin/rows.h"
#include "admin/show_columns.h"

#include <stdint.h>

struct relay;

/* Both read at the same moment, to tell the time of day of what happened before. */
struct show_clocks {
    uint64_t now_us;  /* monotonic */
    uint64_t wall_us; /* since 1970 */
};

/* In the worker's thread. */
void show_client_sockets(struct relay *r, enum show what, const struct show_clocks *clocks,
                         struct rows *rows);
void show_server_sockets(struct relay *r, enum show what, const struct show_clocks *clocks,
                         struct rows *rows);

/* Which descriptor is what. (PgBouncer passes them with the rows, to the process that takes its
 * place; here TLS sessions could not go along, so they stay.) */
void show_fds(struct relay *r, struct rows *rows);

/* "YYYY-MM-DD HH:MM:SS TZ" in the process's time zone; returns out. */
#define SHOW_TIME_TEXT 64
const char *show_time_text(const struct show_clocks *clocks, uint64_t at_us, char *out);

#endif
