/* SPDX-License-Identifier: PostgreSQL */
/* listen.h - open the sockets that the configuration names and deal what they accept. */
#ifndef MAIN_LISTEN_H
#define MAIN_LISTEN_H

#include "net/listener.h"
#include "relay/relay.h"

struct config;
struct http;
struct loop;
struct workers;

/* For connections that are accepted. */
void listen_tcp_options(const struct config *cfg, struct tcp_options *out);

/* On the loop of the worker that accepts, before it runs. NULL if nothing could be opened; the
 * reasons are logged. */
struct listeners *listen_start(struct loop *loop, const struct config *cfg, struct workers *w);
/* Is it in this worker's thread that the listeners may be touched? */
bool listen_is_here(struct relay *r);

/* The HTTP server, if one is configured; *http_out is NULL if not, or if its address could not be
 * had and it was not asked for (url profile: the port is a default). False: the reason is logged.
 */
bool listen_http(struct http **http_out, struct loop *loop, const struct config *cfg,
                 struct relay_shared *shared);

#endif
