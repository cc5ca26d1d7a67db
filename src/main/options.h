/* SPDX-License-Identifier: PostgreSQL */
/* options.h - the command line. */
#ifndef MAIN_OPTIONS_H
#define MAIN_OPTIONS_H

#include "conf/conf_load.h"

#define OPTIONS_OVERRIDES 32

enum options_action {
    OPTIONS_RUN,
    OPTIONS_CHECK,     /* --check: validate and say what is wrong */
    OPTIONS_PRINT_URL, /* --print-url: what the application sets */
    OPTIONS_PRINT_CA,  /* --print-ca: the certificate that clients see */
    OPTIONS_EXIT,      /* --help, --version, or an error: leave with `status` */
};

struct options {
    enum options_action action;
    int status;
    bool quiet;
    int verbose;
    struct config_request request;
    struct config_override overrides[OPTIONS_OVERRIDES];
};

/* Borrows argv and env; prints help and errors. */
void options_parse(struct options *o, int argc, char **argv, char **env);

#endif
