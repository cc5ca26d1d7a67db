/* SPDX-License-Identifier: PostgreSQL */
/* validate.h - what no single value shows: the last step before a config becomes immutable. */
#ifndef CONF_VALIDATE_H
#define CONF_VALIDATE_H

#include "conf/config.h"

/* Fills in what depends on several settings (only values that nobody has set), then checks that
 * all of them go together. Reports every finding; false if one of them is an error. */
bool config_validate(struct config *cfg, struct config_sink *sink)
    __attribute__((warn_unused_result));

#endif
