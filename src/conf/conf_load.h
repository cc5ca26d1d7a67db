/* SPDX-License-Identifier: PostgreSQL */
/* conf_load.h - the whole configuration from all its sources, or a list of what is wrong with it.
 *
 * Precedence: command line, environment, file, the profile's default; SHOW CONFIG names the source
 * of each value. Nothing is applied from a configuration with errors: all of them are reported,
 * each with its place, and there is no config. The process itself is not looked at: the
 * environment comes in as an array, and the only files read are the ones named. */
#ifndef CONF_CONF_LOAD_H
#define CONF_CONF_LOAD_H

#include "conf/config.h"

struct config_override {
    const char *name, *value;
    const char *origin; /* NULL: command line */
};

struct config_request {
    enum config_profile profile;
    const char *ini_path;   /* ini profile: the file */
    const char *url;        /* url profile: given as argument; NULL: DATABASE_URL */
    const char *const *env; /* "NAME=value" strings and a NULL, as in environ(7); or NULL */
    const char *env_file;   /* more of them from a file, weaker than env; or NULL */
    const struct config_override *overrides; /* on top of all other sources */
    size_t n_overrides;
    int verbose; /* -v: the setting is at least that, whatever the sources say */
    /* A reload: with what the process has started. What only a restart changes stays as it is
     * there; NULL: this is a start. */
    const struct config *started;
};

/* On success *cfg_out is owned by the caller. On failure it is untouched and sink->n_errors > 0. */
bool config_load(const struct config_request *req, struct config **cfg_out,
                 struct config_sink *sink) __attribute__((warn_unused_result));

#endif
