/* SPDX-License-Identifier: PostgreSQL */
/* words.h - what rows about pools and databases print for values of the configuration. */
#ifndef WORKER_WORDS_H
#define WORKER_WORDS_H

#include "conf/config.h"

/* NULL if nothing is said. */
static inline const char *words_pool_mode(int mode)
{
    return mode == CONFIG_INHERIT ? NULL : value_enum_word(pool_mode_words, mode);
}

/* NULL if there is nothing to balance. */
static inline const char *words_load_balance(const struct config_database *db)
{
    if (db->n_hosts < 2)
        return NULL;
    return db->load_balance_hosts == LOAD_BALANCE_DISABLE ? "disable" : "round-robin";
}

#endif
