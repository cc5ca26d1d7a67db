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

/* Where the Unix socket is, in a directory or abstract; owned by the caller. */
char *listen_unix_path(const struct config *cfg);

/* For connections that are accepted. */
void listen_tcp_options(const struct config *cfg, struct tcp_options *out);

/* On the loop of the worker that accepts, before it runs. `replaces`: another process may still
 * answer on the Unix socket. NULL if nothing could be opened; the reasons are logged. */
struct listeners *listen_start(struct loop *loop, const struct config *cfg, struct workers *w,
                               bool replaces);
/* Is it in this worker's thread that the listeners may be touched? */
bool listen_is_here(struct relay *r);

/* The HTTP server, if one is configured; *http_out is NULL if not. */
bool listen_http(struct http **http_out, struct loop *loop, const struct config *cfg,
                 struct relay_shared *shared, struct error *err);

#endif
