/* SPDX-License-Identifier: PostgreSQL */
/* url_profile.h - what one URL amounts to: where to connect, as whom, how safely.
 *
 * The URL's database, and every other of the same endpoint, is
 * served for the URL's user. TLS is required unless the URL says otherwise; Neon's hosts are
 * verified fully and reached directly, not through their pooler. */
#ifndef CONF_URL_PROFILE_H
#define CONF_URL_PROFILE_H

#include "conf/conf_env.h"
#include "conf/config.h"

/* Adds the databases, the user and the settings that follow from the URL to cfg, to which the
 * environment and the command line have been applied: they win. `given` is the URL, or NULL for
 * DATABASE_URL (or the file that DATABASE_URL_FILE names). Decisions are reported as notes. False
 * if an error was reported; no report contains the password. */
bool url_profile_apply(struct config *cfg, const char *given, const struct conf_env *env,
                       conf_read_file *read_file, struct config_sink *sink)
    __attribute__((warn_unused_result));

/* True for *.neon.tech, whatever the case and with or without a final dot. */
bool url_host_is_neon(const char *host);

#endif
