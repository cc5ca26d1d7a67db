/* SPDX-License-Identifier: PostgreSQL */
/* effective.c - what applies to one database and one user once overrides are resolved. */
#include "conf/effective.h"

#include "base/clock.h"

/* The first that says something: user over database over global. */
static int first_said(int user, int database, int global)
{
    if (user != CONFIG_INHERIT)
        return user;
    return database != CONFIG_INHERIT ? database : global;
}

static uint64_t first_said_us(uint64_t user, uint64_t database, uint64_t global)
{
    if (user != CONFIG_INHERIT_US)
        return user;
    return database != CONFIG_INHERIT_US ? database : global;
}

#define SAID(object, field) ((object) ? (object)->field : CONFIG_INHERIT)
#define SAID_US(object, field) ((object) ? (object)->field : CONFIG_INHERIT_US)

enum pool_mode effective_pool_mode(const struct config *cfg, const struct config_database *db,
                                   const struct config_user *user)
{
    return (enum pool_mode)first_said(SAID(user, pool_mode), db->pool_mode, (int)cfg->pool_mode);
}

int effective_pool_size(const struct config *cfg, const struct config_database *db,
                        const struct config_user *user)
{
    return first_said(SAID(user, pool_size), db->pool_size, cfg->default_pool_size);
}

int effective_reserve_pool_size(const struct config *cfg, const struct config_database *db,
                                const struct config_user *user)
{
    return first_said(SAID(user, reserve_pool_size), db->reserve_pool_size, cfg->reserve_pool_size);
}

int effective_min_pool_size(const struct config *cfg, const struct config_database *db)
{
    return first_said(CONFIG_INHERIT, db->min_pool_size, cfg->min_pool_size);
}

int effective_max_db_connections(const struct config *cfg, const struct config_database *db)
{
    return first_said(CONFIG_INHERIT, db->max_db_connections, cfg->max_db_connections);
}

int effective_max_db_client_connections(const struct config *cfg, const struct config_database *db)
{
    return first_said(CONFIG_INHERIT, db->max_db_client_connections,
                      cfg->max_db_client_connections);
}

int effective_max_user_connections(const struct config *cfg, const struct config_user *user)
{
    return first_said(SAID(user, max_user_connections), CONFIG_INHERIT, cfg->max_user_connections);
}

int effective_max_user_client_connections(const struct config *cfg, const struct config_user *user)
{
    return first_said(SAID(user, max_user_client_connections), CONFIG_INHERIT,
                      cfg->max_user_client_connections);
}

uint64_t effective_server_lifetime_us(const struct config *cfg, const struct config_database *db)
{
    return first_said_us(CONFIG_INHERIT_US, db->server_lifetime_us, cfg->server_lifetime_us);
}

uint64_t effective_server_idle_timeout_us(const struct config *cfg,
                                          const struct config_database *db)
{
    return first_said_us(CONFIG_INHERIT_US, db->server_idle_timeout_us,
                         cfg->server_idle_timeout_us);
}

uint64_t effective_query_wait_timeout_us(const struct config *cfg, const struct config_database *db,
                                         const struct config_user *user)
{
    return first_said_us(SAID_US(user, query_wait_timeout_us), db->query_wait_timeout_us,
                         cfg->query_wait_timeout_us);
}

uint64_t effective_query_timeout_us(const struct config *cfg, const struct config_database *db,
                                    const struct config_user *user)
{
    return first_said_us(SAID_US(user, query_timeout_us), SAID_US(db, query_timeout_us),
                         cfg->query_timeout_us);
}

uint64_t effective_idle_transaction_timeout_us(const struct config *cfg,
                                               const struct config_database *db,
                                               const struct config_user *user)
{
    return first_said_us(SAID_US(user, idle_transaction_timeout_us),
                         SAID_US(db, idle_transaction_timeout_us),
                         cfg->idle_transaction_timeout_us);
}

uint64_t effective_transaction_timeout_us(const struct config *cfg,
                                          const struct config_database *db,
                                          const struct config_user *user)
{
    return first_said_us(SAID_US(user, transaction_timeout_us), SAID_US(db, transaction_timeout_us),
                         cfg->transaction_timeout_us);
}

uint64_t effective_client_idle_timeout_us(const struct config *cfg,
                                          const struct config_database *db,
                                          const struct config_user *user)
{
    return first_said_us(SAID_US(user, client_idle_timeout_us), SAID_US(db, client_idle_timeout_us),
                         cfg->client_idle_timeout_us);
}

bool config_host_is_socket(const struct config_host *host)
{
    return host->name[0] == '/' || host->name[0] == '@';
}

uint64_t effective_longest_pause_us(const struct config *cfg)
{
    const struct {
        enum setting_id id;
        uint64_t us;
    } own[] = {
        {SETTING_breaker_open_time, cfg->breaker_open_time_us},
        {SETTING_retry_max_delay, cfg->retry_max_delay_us},
        {SETTING_retry_slow_delay, cfg->retry_slow_delay_us},
    };
    if (cfg->profile != CONFIG_INI && !cfg->origins[SETTING_server_login_retry])
        return 0;
    uint64_t longest = cfg->server_login_retry_us ? cfg->server_login_retry_us : US_PER_MS;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (cfg->origins[own[i].id] && own[i].us > longest)
            longest = own[i].us;
    return longest;
}

enum sslmode effective_sslmode(const struct config *cfg, const struct config_database *db,
                               const struct config_host *host)
{
    if (config_host_is_socket(host))
        return SSLMODE_DISABLE;
    enum sslmode mode =
        (enum sslmode)first_said(CONFIG_INHERIT, db->sslmode, (int)cfg->server_tls_sslmode);
    /* PgBouncer's "allow" asks for TLS; libpq's, in a URL, does not begin with it. */
    return mode == SSLMODE_ALLOW && cfg->profile == CONFIG_INI ? SSLMODE_PREFER : mode;
}

const char *effective_sslrootcert(const struct config *cfg, const struct config_database *db)
{
    return db->sslrootcert ? db->sslrootcert : cfg->server_tls_ca_file;
}

enum binding_policy effective_channel_binding(const struct config *cfg,
                                              const struct config_database *db)
{
    return (enum binding_policy)first_said(CONFIG_INHERIT, db->channel_binding,
                                           (int)cfg->channel_binding);
}

enum sslnegotiation effective_sslnegotiation(const struct config *cfg,
                                             const struct config_database *db)
{
    return (enum sslnegotiation)first_said(CONFIG_INHERIT, db->sslnegotiation,
                                           (int)cfg->sslnegotiation);
}

const char *effective_auth_user(const struct config *cfg, const struct config_database *db)
{
    return db->auth_user ? db->auth_user : cfg->auth_user;
}

const char *effective_auth_query(const struct config *cfg, const struct config_database *db)
{
    return db->auth_query ? db->auth_query : cfg->auth_query;
}

const char *effective_auth_dbname(const struct config *cfg, const struct config_database *db)
{
    return db->auth_dbname ? db->auth_dbname : cfg->auth_dbname;
}
