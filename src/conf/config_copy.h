/* SPDX-License-Identifier: PostgreSQL */
/* config_copy.h - one config made of another, for changes at run time. */
#ifndef CONF_CONFIG_COPY_H
#define CONF_CONFIG_COPY_H

#include "conf/config.h"

/* Everything that was said, to be changed and validated again: values that only follow from others
 * are back at their defaults. Returns owned. */
struct config *config_copy(const struct config *cfg);

#endif
