/* SPDX-License-Identifier: PostgreSQL */
/* listen.h - open the sockets that the configuration names and deal what they accept. */
#ifndef MAIN_LISTEN_H
#define MAIN_LISTEN_H

#include "net/listener.h"

struct config;
struct loop;
struct workers;

/* NULL if nothing could be opened; the reasons are logged. */
struct listeners *listen_start(struct loop *loop, const struct config *cfg, struct workers *w);

#endif
