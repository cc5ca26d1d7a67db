/* SPDX-License-Identifier: PostgreSQL */
/* terms.c - under which terms the servers of a pool are connected to. */
#include "relay/terms.h"

#include "auth/secret.h"
#include "base/clock.h"
#include "base/mem.h"
#include "conf/effective.h"
#include "net/dialer.h"
#include "relay/terms_impl.h"
#include "setup/setup.h"

#include <stdlib.h>
#include <string.h>

/* ---- life ------------------------------------------------------------------------------ */

struct terms *terms_new(struct setup *setup, const struct setup_login *login, const char *database,
                        const char *user)
{
    const struct config *cfg = setup_config(setup);
    const struct config_database *db = login->db;
    struct terms *t = xcalloc(1, sizeof *t);
    atomic_init(&t->refs, 1);
    t->setup = setup_ref(setup);
    t->db = db;
    t->database = xstrdup(db->dbname ? db->dbname : database);
    t->user = xstrdup(user);
    t->secret = login->server_secret ? secret_ref(login->server_secret) : NULL;
    t->mode = effective_pool_mode(cfg, db, login->pool_user_line);
    t->follows_statements = t->mode != POOL_MODE_SESSION && cfg->max_prepared_statements > 0;
    t->tls = setup_server_tls(setup, db);
    t->n_targets = db->n_hosts;
    t->targets = xcalloc(db->n_hosts, sizeof(struct target *));
    t->findings = findings_new();
    return t;
}

struct terms *terms_with_secret(const struct terms *t, const struct secret *secret)
{
    struct terms *copy = xmalloc(sizeof *copy);
    *copy = *t;
    atomic_init(&copy->refs, 1);
    copy->setup = setup_ref(t->setup);
    copy->database = xstrdup(t->database);
    copy->user = xstrdup(t->user);
    copy->secret = secret_ref(secret);
    copy->targets = xcalloc(t->n_targets, sizeof(struct target *));
    memcpy(copy->targets, t->targets, t->n_targets * sizeof(struct target *));
    copy->findings = findings_ref(t->findings);
    findings_forgive(copy->findings);
    return copy;
}

struct terms *terms_ref(struct terms *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void terms_unref(struct terms **tp)
{
    struct terms *t = *tp;
    *tp = NULL;
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    findings_unref(&t->findings);
    secret_unref(&t->secret);
    setup_unref(&t->setup);
    free(t->targets);
    free(t->database);
    free(t->user);
    free(t);
}

/* ---- one after the other --------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_secret(const struct secret *a, const struct secret *b)
{
    return a == b || (a && b && secret_equal(a, b));
}

static bool same_host(const struct terms *a, const struct terms *b, size_t i)
{
    const struct config_host *x = &a->db->hosts[i], *y = &b->db->hosts[i];
    return strcmp(x->name, y->name) == 0 && same_text(x->address, y->address) &&
           x->port == y->port &&
           effective_sslmode(setup_config(a->setup), a->db, x) ==
               effective_sslmode(setup_config(b->setup), b->db, y);
}

static bool same_hosts(const struct terms *a, const struct terms *b)
{
    if (a->n_targets != b->n_targets ||
        (a->n_targets > 1 && a->db->load_balance_hosts != b->db->load_balance_hosts))
        return false;
    for (size_t i = 0; i < a->n_targets; i++) {
        if (!same_host(a, b, i))
            return false;
    }
    return true;
}

/* How the connection is encrypted and whom it believes. */
static bool same_tls(const struct terms *a, const struct terms *b)
{
    static const enum setting_id ids[] = {
        SETTING_server_tls_protocols, SETTING_server_tls_ciphers,  SETTING_server_tls13_ciphers,
        SETTING_server_tls_cert_file, SETTING_server_tls_key_file,
    };
    const struct config *x = setup_config(a->setup), *y = setup_config(b->setup);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        if (!setting_equal(setting_at(ids[i]), x, y))
            return false;
    }
    return strcmp(effective_sslrootcert(x, a->db), effective_sslrootcert(y, b->db)) == 0 &&
           effective_sslnegotiation(x, a->db) == effective_sslnegotiation(y, b->db) &&
           effective_channel_binding(x, a->db) == effective_channel_binding(y, b->db);
}

/* What the StartupMessage says, and what comes behind the log-in. */
static bool same_startup(const struct terms *a, const struct terms *b)
{
    return strcmp(a->database, b->database) == 0 && strcmp(a->user, b->user) == 0 &&
           same_text(a->db->options, b->db->options) &&
           same_text(a->db->application_name, b->db->application_name) &&
           same_text(a->db->client_encoding, b->db->client_encoding) &&
           same_text(a->db->datestyle, b->db->datestyle) &&
           same_text(a->db->timezone, b->db->timezone) &&
           same_text(a->db->connect_query, b->db->connect_query);
}

/* A server is for sessions for life, or never: one that was shared may have what its clients left
 * between their transactions, and a session begins with nothing. */
static bool same_sharing(const struct terms *a, const struct terms *b)
{
    return (a->mode == POOL_MODE_SESSION) == (b->mode == POOL_MODE_SESSION);
}

/* Another password is no reason to log in again, as in PgBouncer: it may reach this configuration
 * before the server. */
bool terms_succeed(struct terms *t, const struct terms *before)
{
    if (same_secret(t->secret, before->secret) && t->secret != before->secret &&
        secret_can_answer_scram(before->secret)) {
        secret_unref(&t->secret);
        t->secret = secret_ref(before->secret);
    }
    if (!same_hosts(t, before) || !same_tls(t, before) || !same_startup(t, before) ||
        !same_sharing(t, before))
        return false;
    findings_unref(&t->findings);
    t->findings = findings_ref(before->findings);
    return true;
}

/* ---- one connection -------------------------------------------------------------------- */

/* A client that logged in while statements were followed goes on to be, whatever a reload says: its
 * servers need some room. */
#define STATEMENTS_LEAST 64

unsigned terms_statement_room(const struct config *cfg)
{
    return cfg->max_prepared_statements ? (unsigned)cfg->max_prepared_statements : STATEMENTS_LEAST;
}

/* A key that was disclosed costs the same with any number of them. */
static int max_iterations(const struct secret *secret)
{
    return secret && secret_kind_of(secret) == SECRET_SCRAM ? INT32_MAX : SCRAM_ITERATIONS_MAX;
}

void terms_login(const struct terms *t, size_t host, struct keycache *kc, struct server_login *out)
{
    const struct config *cfg = setup_config(t->setup);
    enum sslmode mode = effective_sslmode(cfg, t->db, &t->db->hosts[host]);
    *out = (struct server_login){
        .user = t->user,
        .database = t->database,
        .application_name = t->db->application_name,
        .options = t->db->options,
        .client_encoding = t->db->client_encoding,
        .datestyle = t->db->datestyle,
        .timezone = t->db->timezone,
        .secret = t->secret,
        .keycache = kc,
        .tls = mode == SSLMODE_DISABLE || mode == SSLMODE_ALLOW ? NULL : t->tls,
        .host = t->db->hosts[host].name,
        .tls_required = mode >= SSLMODE_REQUIRE,
        .tls_direct = effective_sslnegotiation(cfg, t->db) == SSLNEGOTIATION_DIRECT,
        .allow_cleartext = cfg->profile == CONFIG_INI,
        .channel_binding = (int)effective_channel_binding(cfg, t->db),
        .max_iterations = max_iterations(t->secret),
        .max_prepared = terms_statement_room(cfg),
        .connect_timeout_us = cfg->server_connect_timeout_us,
        .auth_timeout_us = cfg->server_connect_timeout_us,
        .wake_timeout_us = cfg->server_wake_timeout_us,
    };
}

void terms_dialer_options(const struct terms *t, struct dialer_options *out)
{
    terms_config_dialer_options(setup_config(t->setup), out);
}

void terms_config_dialer_options(const struct config *cfg, struct dialer_options *out)
{
    *out = (struct dialer_options){
        .timeout_us = cfg->server_connect_timeout_us,
        .tcp = {.keepalive = cfg->tcp_keepalive,
                .keepidle_s = (int)(cfg->tcp_keepidle_us / US_PER_S),
                .keepintvl_s = (int)(cfg->tcp_keepintvl_us / US_PER_S),
                .keepcnt = cfg->tcp_keepcnt,
                .user_timeout_ms = (unsigned)(cfg->tcp_user_timeout_us / US_PER_MS),
                .buffer_bytes = (int)cfg->tcp_socket_buffer_bytes},
    };
}
