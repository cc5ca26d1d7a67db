/* SPDX-License-Identifier: PostgreSQL */
/* rules.c - read the rules of who may come from where, and how. */
#include "setup/rules.h"

#include "auth/blocking.h"
#include "auth/ldap_options.h"
#include "base/mem.h"
#include "conf/conf_files.h"

#include <stdlib.h>

static void report_problem(void *arg, const struct rule_problem *problem)
{
    char *origin = xasprintf("%s:%u", problem->path, problem->line);
    config_report(arg, problem->severity == RULE_ERROR ? CONFIG_ERROR : CONFIG_WARNING, origin,
                  "%s", problem->text);
    free(origin);
}

/* False if it could not be read, which has been reported. */
static bool read_whole(const char *setting, const char *path, struct buf *text,
                       struct config_sink *sink)
{
    struct error err;
    if (conf_read_from_disk(path, text, &err))
        return true;
    return config_report(sink, CONFIG_ERROR, setting, "%s", err.text);
}

static bool load_ident(struct rules *rules, const char *path, struct rule_sink *findings,
                       struct config_sink *sink)
{
    struct buf text = {0};
    if (!path[0])
        return true;
    if (read_whole("auth_ident_file", path, &text, sink))
        rules->ident = ident_parse(buf_span(&text), path, findings);
    conf_wipe(&text);
    return rules->ident;
}

struct method_run {
    struct rules *rules;
    const struct config *cfg;
    struct config_sink *sink;
};

/* False with *err if nobody could ever log in by it. */
static bool check_blocking(const struct config *cfg, enum blocking_method method,
                           const char *options, struct error *err)
{
    struct ldap_options parsed;
    if (!blocking_can(method))
        return error_set(err, "", "%s is not supported by this build",
                         method == BLOCKING_PAM ? "pam" : "ldap");
    if (method == BLOCKING_PAM)
        return !options[0] || error_set(err, "", "pam takes no options: the service is \"%s\"",
                                        BLOCKING_PAM_SERVICE);
    if (!options[0] && !cfg->auth_ldap_options[0])
        return error_set(err, "",
                         "ldap needs options here or in auth_ldap_options "
                         "(auth_ldap_options is null)");
    if (!ldap_options_parse(options[0] ? options : cfg->auth_ldap_options, &parsed, err))
        return false;
    ldap_options_fini(&parsed);
    return true;
}

static bool check_cert(const struct config *cfg, struct error *err)
{
    if (cfg->client_tls_sslmode != SSLMODE_DISABLE && cfg->client_tls_ca_file[0])
        return true;
    return error_set(err, "",
                     "cert needs client_tls_sslmode and client_tls_ca_file, so this rule "
                     "lets nobody in");
}

/* What the rules need of the settings and of this build. */
static void check_rule(void *arg, const struct hba_rule *rule)
{
    struct method_run *run = arg;
    enum config_severity severity = CONFIG_ERROR;
    struct error err;
    bool ok = true;
    if (rule->method == HBA_CERT) {
        ok = check_cert(run->cfg, &err);
        severity = CONFIG_WARNING;
    } else if (rule->method == HBA_LDAP || rule->method == HBA_PAM) {
        run->rules->asks_elsewhere = true;
        ok = check_blocking(run->cfg, rule->method == HBA_PAM ? BLOCKING_PAM : BLOCKING_LDAP,
                            rule->options, &err);
    }
    if (ok)
        return;
    char *origin = xasprintf("%s:%u", run->cfg->auth_hba_file, rule->line);
    config_report(run->sink, severity, origin, "%s", err.text);
    free(origin);
}

/* auth_type = pam or ldap, for everybody. */
static void check_type(struct rules *rules, const struct config *cfg, struct config_sink *sink)
{
    struct error err;
    const char *origin = cfg->origins[SETTING_auth_type];
    if (cfg->auth_type != AUTH_TYPE_PAM && cfg->auth_type != AUTH_TYPE_LDAP)
        return;
    rules->asks_elsewhere = true;
    if (!check_blocking(cfg, cfg->auth_type == AUTH_TYPE_PAM ? BLOCKING_PAM : BLOCKING_LDAP, "",
                        &err))
        config_report(sink, CONFIG_ERROR, origin ? origin : "auth_type", "%s", err.text);
    if (cfg->auth_user[0])
        config_report(sink, CONFIG_WARNING, origin ? origin : "auth_type",
                      "with pam and ldap nobody is looked up: auth_user has no effect");
}

static void load_hba(struct rules *rules, const struct config *cfg, struct rule_sink *findings,
                     struct config_sink *sink)
{
    struct method_run run = {rules, cfg, sink};
    struct buf text = {0};
    if (read_whole("auth_hba_file", cfg->auth_hba_file, &text, sink))
        rules->hba = hba_parse(buf_span(&text), cfg->auth_hba_file, conf_read_from_disk,
                               rules->ident, findings);
    conf_wipe(&text);
    if (rules->hba)
        hba_each(rules->hba, check_rule, &run);
}

struct rules *rules_load(const struct config *cfg, struct config_sink *sink)
{
    struct rules *rules = xcalloc(1, sizeof *rules);
    struct rule_sink findings = {.report = report_problem, .arg = sink};
    atomic_init(&rules->refs, 1);
    check_type(rules, cfg, sink);
    /* Without its maps, every rule that names one would be reported as well. */
    if (cfg->auth_type == AUTH_TYPE_HBA && load_ident(rules, cfg->auth_ident_file, &findings, sink))
        load_hba(rules, cfg, &findings, sink);
    return rules;
}

struct rules *rules_ref(struct rules *rules)
{
    atomic_fetch_add_explicit(&rules->refs, 1, memory_order_relaxed);
    return rules;
}

void rules_unref(struct rules **rp)
{
    struct rules *rules = *rp;
    *rp = NULL;
    if (!rules || atomic_fetch_sub_explicit(&rules->refs, 1, memory_order_acq_rel) > 1)
        return;
    hba_free(&rules->hba);
    ident_free(&rules->ident);
    free(rules);
}
