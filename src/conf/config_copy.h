/* SPDX-License-Identifier: PostgreSQL */
/* config_copy.h - one config made of another, for changes at run time. */
#ifndef CONF_CONFIG_COPY_H
#define CONF_CONFIG_COPY_H

#include "conf/config.h"

/* Everything that was said, to be changed and validated again: values that only follow from others
 * are back at their defaults. Returns owned. */
struct config *config_copy(const struct config *cfg);

/* Settings that only a restart changes get the values and origins that they have in `started`.
 * Returns the names of those that differed, separated by ", ", owned; NULL: there were none. */
char *config_keep_started(struct config *cfg, const struct config *started);

#endif
