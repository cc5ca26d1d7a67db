/* SPDX-License-Identifier: PostgreSQL */
/* options.h - the command line. */
#ifndef MAIN_OPTIONS_H
#define MAIN_OPTIONS_H

#include "conf/conf_load.h"

#define OPTIONS_OVERRIDES 32

enum options_action {
    OPTIONS_RUN,
    OPTIONS_CHECK,       /* --check: validate and say what is wrong */
    OPTIONS_PRINT_URL,   /* --print-url: what the application sets */
    OPTIONS_PRINT_CA,    /* --print-ca: the certificate that clients see */
    OPTIONS_SHOW_CONFIG, /* --show-config: all settings, where they come from */
    OPTIONS_EXIT,        /* --help, --version, or an error: leave with `status` */
};

struct options {
    enum options_action action;
    const char *program; /* as we were called */
    int status;
    bool quiet;
    bool daemon;      /* -d */
    bool reboot;      /* -R: takeover.h */
    const char *user; /* -u; NULL: the setting */
    char *url;        /* secret; request.url borrows it */
    struct config_request request;
    struct config_override overrides[OPTIONS_OVERRIDES];
};

/* Borrows argv and env; prints help and errors. A URL is taken out of argv, which others can read:
 * it may hold a password. */
void options_parse(struct options *o, int argc, char **argv, char **env);
void options_fini(struct options *o);

#endif
