/* SPDX-License-Identifier: PostgreSQL */
/* show_process.h - rows about what the process holds: memory, and names of hosts. */
#ifndef ADMIN_SHOW_PROCESS_H
#define ADMIN_SHOW_PROCESS_H

#include "admin/rows.h"

#include <stdint.h>

struct census_totals;
struct relay;

/* Of PgBouncer's caches of objects those that exist here, and the C library's heap. */
void show_memory(struct relay *r, const struct census_totals *totals, struct rows *rows);

void show_names(struct relay *r, uint64_t now_us, struct rows *rows);
void show_zones(struct relay *r, struct rows *rows);
int64_t show_count_zones(struct relay *r);
/* How many names are known, and how many are being asked for. */
void show_count_names(struct relay *r, int64_t *names_out, int64_t *asked_out);

#endif
