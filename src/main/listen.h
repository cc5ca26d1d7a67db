/* SPDX-License-Identifier: PostgreSQL */
/* listen.h - open the sockets that the configuration names and deal what they accept. */
#ifndef MAIN_LISTEN_H
#define MAIN_LISTEN_H

#include "net/listener.h"

struct config;
struct http;
struct loop;
struct relay_shared;
struct workers;

/* For connections that are accepted. */
void listen_tcp_options(const struct config *cfg, struct tcp_options *out);

/* NULL if nothing could be opened; the reasons are logged. */
struct listeners *listen_start(struct loop *loop, const struct config *cfg, struct workers *w);

/* The HTTP server, if one is configured; *http_out is NULL if not, or if its address could not be
 * had and it was not asked for (url profile: the port is a default). False: the reason is logged.
 */
bool listen_http(struct http **http_out, struct loop *loop, const struct config *cfg,
                 struct relay_shared *shared);

#endif
