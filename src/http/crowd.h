/* SPDX-License-Identifier: PostgreSQL */
/* crowd.h - the open connections of the HTTP server, and their bounds, which evhttp has not: how
 * many there are, and how long one may go without a request.
 *
 * evhttp's own time-out is for a silent peer; one byte now and then satisfies it. Here a connection
 * ends that has brought no request for CROWD_PATIENCE_US, and beyond CROWD_MOST each newcomer ends
 * the one that was idle for longest: whoever asks and goes away, as a health check does, is served
 * even while somebody hoards connections. */
#ifndef HTTP_CROWD_H
#define HTTP_CROWD_H

#include <stdbool.h>
#include <stdint.h>

struct bufferevent;
struct event_base;
struct evhttp_connection;
struct crowd;

/* Some scrapers, some browsers. At most this many pages are held for peers that do not read. */
#define CROWD_MOST 64
/* A request is at most 12 KiB, and a page must have been read by then as well. */
#define CROWD_PATIENCE_US (10 * 1000000ULL)

struct crowd *crowd_new(struct event_base *base);
/* After evhttp has closed all connections. NULL inside is fine. */
void crowd_free(struct crowd **c);

/* A connection begins. Shares bev with evhttp, which owns the descriptor. */
void crowd_add(struct crowd *c, struct bufferevent *bev, uint64_t now_us);
/* It has brought a request. */
void crowd_heard(struct crowd *c, struct evhttp_connection *connection, uint64_t now_us);
/* tell(arg) when it closes; evhttp's own callback for this is taken. NULL: not any more. */
void crowd_on_close(struct crowd *c, struct evhttp_connection *connection, void (*tell)(void *arg),
                    void *arg);
/* Ends those that took too long. About once a second. */
void crowd_sweep(struct crowd *c, uint64_t now_us);
/* So many are ended but not closed yet that no more should be accepted in this turn. */
bool crowd_is_pressing(struct crowd *c);

#endif
