/* SPDX-License-Identifier: PostgreSQL */
/* conf_load.c - the whole configuration from all its sources. */
#include "conf/conf_load.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf_env.h"
#include "conf/conf_ini.h"
#include "conf/conf_files.h"
#include "conf/config_copy.h"
#include "conf/url_profile.h"
#include "conf/validate.h"

static void load_env_file(const struct config_request *req, struct conf_env *env,
                          struct config_sink *sink)
{
    struct buf text = {0};
    struct error err;
    if (!req->env_file)
        return;
    if (conf_read_from_disk(req->env_file, &text, &err))
        conf_env_parse(env, buf_span(&text), req->env_file, sink);
    else
        config_report(sink, CONFIG_ERROR, req->env_file, "%s", err.text);
    conf_wipe(&text);
}

static void load_overrides(const struct config_request *req, struct config *cfg,
                           struct config_sink *sink)
{
    for (size_t i = 0; i < req->n_overrides; i++) {
        const struct config_override *o = &req->overrides[i];
        const char *origin = o->origin ? o->origin : "command line";
        struct error err;
        if (!config_set(cfg, span_str(o->name), o->value, origin, &err))
            config_report(sink, CONFIG_ERROR, origin, "%s", err.text);
    }
}

static void load_verbose(const struct config_request *req, struct config *cfg,
                         struct config_sink *sink)
{
    struct error err;
    if (req->verbose <= cfg->verbose)
        return;
    char *text = xasprintf("%d", req->verbose);
    if (!config_set(cfg, span_str("verbose"), text, "command line", &err))
        config_report(sink, CONFIG_ERROR, "command line", "%s", err.text);
    free(text);
}

/* The first directory of a variable that may list several, separated by colons. */
static void take_directory(struct config *cfg, enum setting_id id, const struct conf_env *env,
                           const char *variable, struct config_sink *sink)
{
    struct conf_env_var var;
    struct error err;
    if (!conf_env_get(env, variable, &var) || var.value[0] != '/')
        return;
    char *first = xstrndup(var.value, strcspn(var.value, ":"));
    if (!config_set_default(cfg, id, first, var.origin, &err))
        config_report(sink, CONFIG_ERROR, var.origin, "%s", err.text);
    free(first);
}

/* Directories that systemd or the desktop session prepares for us. */
static void load_directories(struct config *cfg, const struct conf_env *env,
                             struct config_sink *sink)
{
    take_directory(cfg, SETTING_state_dir, env, "STATE_DIRECTORY", sink);
    take_directory(cfg, SETTING_unix_socket_dir, env, "RUNTIME_DIRECTORY", sink);
    if (cfg->profile == CONFIG_URL)
        take_directory(cfg, SETTING_unix_socket_dir, env, "XDG_RUNTIME_DIR", sink);
}

/* The weakest source first; each sets what it names over what was there. The URL comes after the
 * command line because it has to know what was said, but fills only what was not. */
static void load_sources(const struct config_request *req, struct config *cfg, struct conf_env *env,
                         struct config_sink *sink)
{
    struct error err;
    load_env_file(req, env, sink);
    if (req->profile == CONFIG_INI && req->ini_path) {
        bool read = conf_ini_read(cfg, req->ini_path, conf_read_from_disk, sink);
        if (read && !config_set(cfg, span_str("conffile"), req->ini_path, "command line", &err))
            config_report(sink, CONFIG_ERROR, "command line", "%s", err.text);
    }
    conf_env_apply(env, cfg, sink);
    load_overrides(req, cfg, sink);
    load_verbose(req, cfg, sink);
    load_directories(cfg, env, sink);
    if (req->profile == CONFIG_URL &&
        !url_profile_apply(cfg, req->url, env, conf_read_from_disk, sink) && sink->n_errors == 0)
        abort(); /* a refusal without a reason */
}

bool config_load(const struct config_request *req, struct config **cfg_out,
                 struct config_sink *sink)
{
    unsigned errors_before = sink->n_errors;
    struct config *cfg = config_new(req->profile);
    struct conf_env *env = conf_env_new(req->env);
    load_sources(req, cfg, env, sink);
    if (req->started)
        cfg->waiting = config_keep_started(cfg, req->started);
    bool ok = sink->n_errors == errors_before && config_validate(cfg, sink);
    conf_env_free(&env);
    if (ok) {
        *cfg_out = cfg;
        return true;
    }
    if (sink->refused)
        sink->refused(sink->owner, cfg);
    config_free(&cfg);
    return false;
}
