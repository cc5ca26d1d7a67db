/* SPDX-License-Identifier: PostgreSQL */
/* effective.h - what applies to one database and one user once overrides are resolved.
 *
 * PgBouncer's order of precedence: user over database over global (db may be NULL for the time-outs
 * that PgBouncer's databases do not have). `user` is the line of [users]
 * or NULL: for pool sizes, pool mode and query, idle-in-transaction and transaction time-outs that
 * of the pool's user (the forced one, if any); for client_idle_timeout and query_wait_timeout that
 * of the user who logged in. Limits: 0 is unlimited. Durations: 0 is as the setting defines it. */
#ifndef CONF_EFFECTIVE_H
#define CONF_EFFECTIVE_H

#include "conf/config.h"

enum pool_mode effective_pool_mode(const struct config *cfg, const struct config_database *db,
                                   const struct config_user *user);
int effective_pool_size(const struct config *cfg, const struct config_database *db,
                        const struct config_user *user);
int effective_reserve_pool_size(const struct config *cfg, const struct config_database *db,
                                const struct config_user *user);
int effective_min_pool_size(const struct config *cfg, const struct config_database *db);
int effective_max_db_connections(const struct config *cfg, const struct config_database *db);
int effective_max_db_client_connections(const struct config *cfg, const struct config_database *db);
int effective_max_user_connections(const struct config *cfg, const struct config_user *user);
int effective_max_user_client_connections(const struct config *cfg, const struct config_user *user);

uint64_t effective_server_lifetime_us(const struct config *cfg, const struct config_database *db);
uint64_t effective_server_idle_timeout_us(const struct config *cfg,
                                          const struct config_database *db);
uint64_t effective_query_wait_timeout_us(const struct config *cfg, const struct config_database *db,
                                         const struct config_user *user);
uint64_t effective_query_timeout_us(const struct config *cfg, const struct config_database *db,
                                    const struct config_user *user);
uint64_t effective_idle_transaction_timeout_us(const struct config *cfg,
                                               const struct config_database *db,
                                               const struct config_user *user);
uint64_t effective_transaction_timeout_us(const struct config *cfg,
                                          const struct config_database *db,
                                          const struct config_user *user);
uint64_t effective_client_idle_timeout_us(const struct config *cfg,
                                          const struct config_database *db,
                                          const struct config_user *user);

/* server_login_retry: no pause between attempts to connect is longer, but what a setting of our own
 * asks for by name. 0: as long as the failure calls for. */
uint64_t effective_longest_pause_us(const struct config *cfg);

/* TLS towards one host of the database. Sockets are never encrypted. */
enum sslmode effective_sslmode(const struct config *cfg, const struct config_database *db,
                               const struct config_host *host);
/* The file with the authorities to believe; "" is the system's store. Borrowed. */
const char *effective_sslrootcert(const struct config *cfg, const struct config_database *db);
enum binding_policy effective_channel_binding(const struct config *cfg,
                                              const struct config_database *db);
enum sslnegotiation effective_sslnegotiation(const struct config *cfg,
                                             const struct config_database *db);

/* "" if there is none. Borrowed. */
const char *effective_auth_user(const struct config *cfg, const struct config_database *db);
const char *effective_auth_query(const struct config *cfg, const struct config_database *db);
const char *effective_auth_dbname(const struct config *cfg, const struct config_database *db);

/* True for "/directory" and "@abstract". */
bool config_host_is_socket(const struct config_host *host);

#endif
