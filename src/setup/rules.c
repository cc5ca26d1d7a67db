/* SPDX-License-Identifier: PostgreSQL */
/* rules.c - read the rules of who may come from where, and how. */
#include "setup/rules.h"

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
    const struct config *cfg;
    struct config_sink *sink;
};

/* What the rules need of the settings. */
static void check_rule(void *arg, const struct hba_rule *rule)
{
    const struct method_run *run = arg;
    const struct config *cfg = run->cfg;
    if (rule->method != HBA_CERT ||
        (cfg->client_tls_sslmode != SSLMODE_DISABLE && cfg->client_tls_ca_file[0]))
        return;
    char *origin = xasprintf("%s:%u", cfg->auth_hba_file, rule->line);
    config_report(run->sink, CONFIG_WARNING, origin,
                  "cert needs client_tls_sslmode and client_tls_ca_file, so this rule lets nobody "
                  "in");
    free(origin);
}

static void load_hba(struct rules *rules, const struct config *cfg, struct rule_sink *findings,
                     struct config_sink *sink)
{
    struct method_run run = {cfg, sink};
    struct buf text = {0};
    if (read_whole("auth_hba_file", cfg->auth_hba_file, &text, sink))
        rules->hba = hba_parse(buf_span(&text), cfg->auth_hba_file, conf_read_from_disk,
                               rules->ident, findings);
    conf_wipe(&text);
    if (rules->hba)
        hba_each(rules->hba, check_rule, &run);
}

void rules_load(struct rules *rules, const struct config *cfg, struct config_sink *sink)
{
    struct rule_sink findings = {.report = report_problem, .arg = sink};
    if (cfg->auth_type != AUTH_TYPE_HBA)
        return;
    /* Without its maps, every rule that names one would be reported as well. */
    if (load_ident(rules, cfg->auth_ident_file, &findings, sink))
        load_hba(rules, cfg, &findings, sink);
}

void rules_fini(struct rules *rules)
{
    hba_free(&rules->hba);
    ident_free(&rules->ident);
}
