/* SPDX-License-Identifier: PostgreSQL */
/* greeting.h - what somebody who has just started the program wants to know. */
#ifndef MAIN_GREETING_H
#define MAIN_GREETING_H

#include <stdbool.h>

struct config;

/* The URL for the application, without password; owned by the caller. */
char *greeting_url(const struct config *cfg);
/* Upstream, how it is verified, the URL for the application, the console; with `http` the pages,
 * which may be missing although there is a port for them. */
void greeting_log(const struct config *cfg, bool http);
/* Every setting with its value and where that comes from, on standard output. */
void greeting_print_config(const struct config *cfg);

#endif
