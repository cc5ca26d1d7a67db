/* SPDX-License-Identifier: PostgreSQL */
/* http.h - health, metrics and status for programs that watch this one: evhttp on the main loop.
 *
 *   /           status page              /livez      200 while the main loop turns
 *   /health     200 while it serves      /readyz     503 while it is ending
 *   /health/db  is the database there    /pools      JSON          /metrics   OpenMetrics
 *
 * GET and HEAD only; nothing here changes anything, and there is no authentication: it listens on
 * this machine unless told otherwise. Pages are built from one snapshot at most every 200 ms,
 * however often they are asked for, so that no number of scrapers costs the workers anything. */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/error.h"

#include <stdint.h>

struct event_base;
struct http;
struct loop;
struct relay_shared;

struct http_options {
    struct event_base *base;
    struct loop *loop;
    uint64_t (*now)(struct loop *loop); /* monotonic microseconds of this turn */
    struct relay_shared *shared;
    const char *addr; /* addresses and names, by comma; "*" is every address */
    uint16_t port;
};

/* Listens. Names are asked of the system, which may block. NULL: *err names the address. What the
 * options point to (but for addr) is borrowed until http_free. */
struct http *http_start(const struct http_options *o, struct error *err);
/* Before the workers end. NULL inside is fine. */
void http_free(struct http **h);

#endif
