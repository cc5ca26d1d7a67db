/* SPDX-License-Identifier: PostgreSQL */
/* events.h - /events: what happened to the program as a whole, the latest last. Errors are for the
 * console, which asks who wants to know: they name users and addresses. */
#ifndef HTTP_EVENTS_H
#define HTTP_EVENTS_H

struct buf;
struct history;

/* The last ones, as JSON. `history` may be NULL. */
#define EVENTS_SHOWN 20
void events_write(struct buf *page, struct history *history);

#endif
