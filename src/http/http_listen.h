/* SPDX-License-Identifier: PostgreSQL */
/* http_listen.h - the listening sockets of the HTTP server. */
#ifndef HTTP_HTTP_LISTEN_H
#define HTTP_HTTP_LISTEN_H

#include "base/error.h"

#include <stdint.h>

struct event_base;
struct evhttp;
struct http_listen;

/* `addrs`: addresses and names, by comma or blank; "*" is every address of this machine. Logs where
 * it listens. NULL, and *err names the address, if one of them could not be had; families that this
 * machine lacks do not matter. evhttp takes the sockets. */
struct http_listen *http_listen_new(struct event_base *base, struct evhttp *server,
                                    const char *addrs, uint16_t port, struct error *err);
/* Before the server, whose sockets are not touched. NULL inside is fine. */
void http_listen_free(struct http_listen **l);

/* Accepts nothing for a moment: what was begun has to end first. */
void http_listen_rest(struct http_listen *l);
/* About once a second: a socket that found no descriptor has stopped until then. */
void http_listen_resume(struct http_listen *l);

#endif
