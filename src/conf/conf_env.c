/* SPDX-License-Identifier: PostgreSQL */
/* conf_env.c - settings from environment variables and from a .env file. */
#include "conf/conf_env.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define PREFIX "PGBALLAST_"

struct var {
    char *name, *value, *origin;
    bool from_file;
    UT_hash_handle hh;
};

struct conf_env {
    struct var *vars;
};

static struct var *find(const struct conf_env *env, const char *name)
{
    struct var *v;
    HASH_FIND(hh, env->vars, name, strlen(name), v);
    return v;
}

/* Takes value and origin. A variable of the environment stays when the file names it again. */
static void add(struct conf_env *env, struct span name, char *value, char *origin, bool from_file)
{
    char *key = xstrndup(name.p, name.n);
    struct var *v = find(env, key);
    if (v && from_file && !v->from_file) {
        free(key);
        free(origin);
        secret_free(&value);
        return;
    }
    if (!v) {
        v = xcalloc(1, sizeof *v);
        v->name = key;
        HASH_ADD_KEYPTR(hh, env->vars, v->name, strlen(v->name), v);
    } else {
        free(key);
        free(v->origin);
        secret_free(&v->value);
    }
    v->value = value;
    v->origin = origin;
    v->from_file = from_file;
}

struct conf_env *conf_env_new(const char *const *variables)
{
    struct conf_env *env = xcalloc(1, sizeof *env);
    for (; variables && *variables; variables++) {
        const char *equals = strchr(*variables, '=');
        if (!equals || equals == *variables)
            continue;
        struct span name = span_of(*variables, (size_t)(equals - *variables));
        add(env, name, xstrdup(equals + 1),
            xasprintf("environment %.*s", (int)name.n, (const char *)name.p), false);
    }
    return env;
}

void conf_env_free(struct conf_env **env_ptr)
{
    struct conf_env *env = *env_ptr;
    *env_ptr = NULL;
    if (!env)
        return;
    struct var *v, *next;
    HASH_ITER(hh, env->vars, v, next)
    {
        HASH_DEL(env->vars, v);
        secret_free(&v->value);
        free(v->name);
        free(v->origin);
        free(v);
    }
    free(env);
}

bool conf_env_get(const struct conf_env *env, const char *name, struct conf_env_var *var)
{
    const struct var *v = find(env, name);
    if (!v)
        return false;
    *var = (struct conf_env_var){v->name, v->value, v->origin, v->from_file};
    return true;
}

/* --- the .env file ------------------------------------------------------------------------- */

struct scan {
    const char *p, *end;
    unsigned line;
    struct buf value;
};

static bool at_line_end(const struct scan *s)
{
    return s->p == s->end || *s->p == '\n';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct scan *s)
{
    while (s->p < s->end && is_blank(*s->p))
        s->p++;
}

static void skip_line(struct scan *s)
{
    while (!at_line_end(s))
        s->p++;
}

/* name = ( letter / "_" ) *( letter / digit / "_" ) ; empty span if there is none */
static struct span scan_name(struct scan *s)
{
    const char *start = s->p;
    while (s->p < s->end && (isalnum((unsigned char)*s->p) || *s->p == '_'))
        s->p++;
    if (s->p > start && isdigit((unsigned char)*start))
        s->p = start;
    return span_of(start, (size_t)(s->p - start));
}

/* Up to the end of the line or a comment, without the blanks before it. */
static const char *scan_bare(struct scan *s)
{
    const char *start = s->p;
    const char *stop = s->p;
    while (!at_line_end(s)) {
        if (*s->p == '#' && (s->p == start || is_blank(s->p[-1])))
            break;
        if (!is_blank(*s->p))
            stop = s->p + 1;
        s->p++;
    }
    buf_append(&s->value, start, (size_t)(stop - start));
    return NULL;
}

/* What stands behind a backslash between double quotes; '\0': nothing special. */
static char unescaped(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case '\\':
    case '"':
    case '$':
        return c;
    default:
        return '\0';
    }
}

static const char *scan_quoted(struct scan *s)
{
    char quote = *s->p++;
    for (; s->p < s->end && *s->p != quote; s->p++) {
        char c = *s->p;
        if (c == '\\' && quote == '"' && s->p + 1 < s->end && unescaped(s->p[1]))
            c = unescaped(*++s->p);
        else if (c == '\n')
            s->line++;
        buf_append(&s->value, &c, 1);
    }
    if (s->p == s->end)
        return "the quoted value has no end";
    s->p++;
    skip_blanks(s);
    if (!at_line_end(s) && *s->p != '#')
        return "there is text behind the quoted value";
    return NULL;
}

/* One line that is neither empty nor a comment. Returns what is wrong, or NULL. */
static const char *scan_line(struct scan *s, struct span *name_out)
{
    *name_out = scan_name(s);
    if (span_is(*name_out, "export") && s->p < s->end && is_blank(*s->p)) {
        skip_blanks(s);
        *name_out = scan_name(s);
    }
    skip_blanks(s);
    if (name_out->n == 0 || s->p == s->end || *s->p != '=')
        return "expected NAME=value";
    s->p++;
    skip_blanks(s);
    bool quoted = s->p < s->end && (*s->p == '"' || *s->p == '\'');
    const char *wrong = quoted ? scan_quoted(s) : scan_bare(s);
    if (!wrong && buf_len(&s->value) && memchr(buf_span(&s->value).p, 0, buf_len(&s->value)))
        return "the value contains a zero byte";
    return wrong;
}

bool conf_env_parse(struct conf_env *env, struct span text, const char *path,
                    struct config_sink *sink)
{
    static const char bom[] = "\xef\xbb\xbf";
    unsigned errors_before = sink->n_errors;
    struct scan s = {.p = (const char *)text.p, .line = 1};
    s.end = text.n ? s.p + text.n : s.p;
    if (text.n >= 3 && memcmp(s.p, bom, 3) == 0)
        s.p += 3;
    while (s.p < s.end) {
        unsigned line = s.line;
        skip_blanks(&s);
        if (!at_line_end(&s) && *s.p != '#') {
            struct span name;
            const char *wrong = scan_line(&s, &name);
            char *origin = xasprintf("%s:%u", path, line);
            if (wrong) {
                config_report(sink, CONFIG_ERROR, origin, "%s", wrong);
                free(origin);
            } else {
                add(env, name, xstrndup(buf_span(&s.value).p, buf_len(&s.value)), origin, true);
            }
            conf_wipe(&s.value);
        }
        skip_line(&s);
        if (s.p < s.end) {
            s.p++;
            s.line++;
        }
    }
    return sink->n_errors == errors_before;
}

/* --- secrets ------------------------------------------------------------------------------- */

bool conf_env_secret(const struct conf_env *env, const char *name, conf_read_file *read_file,
                     char **value_out, const char **origin_out, struct error *err)
{
    char *file_name = xasprintf("%s_FILE", name);
    const struct var *direct = find(env, name);
    const struct var *file = find(env, file_name);
    free(file_name);
    /* An empty variable is what a template leaves behind; it does not count beside a file. */
    if (direct && file && direct->value[0] && file->value[0])
        return error_set(err, "", "%s and %s_FILE are both set; keep one of them", name, name);
    *value_out = NULL;
    *origin_out = "";
    if (file && file->value[0]) {
        struct buf text = {0};
        bool ok = read_file(file->value, &text, err);
        struct span all = buf_span(&text);
        while (ok && all.n && (all.p[all.n - 1] == '\n' || all.p[all.n - 1] == '\r'))
            all.n--;
        if (ok && all.n && memchr(all.p, 0, all.n))
            ok = error_set(err, "", "the file named by %s contains a zero byte", file->name);
        if (ok)
            *value_out = xstrndup(all.p, all.n);
        conf_wipe(&text);
        *origin_out = file->origin;
        return ok;
    }
    if (direct) {
        *value_out = xstrdup(direct->value);
        *origin_out = direct->origin;
    }
    return true;
}

/* --- settings ------------------------------------------------------------------------------ */

static bool set(struct config *cfg, enum setting_id id, const char *value, const struct var *v,
                struct config_sink *sink)
{
    struct error err;
    if (config_set(cfg, span_str(setting_at(id)->name), value, v->origin, &err))
        return true;
    return config_report(sink, CONFIG_ERROR, v->origin, "%s: %s", v->name, err.text);
}

static void apply_pool_min(const struct var *v, struct config *cfg, struct config_sink *sink)
{
    set(cfg, SETTING_min_pool_size, v->value, v, sink);
}

/* Who names a maximum means the connections at the database, of all pools together. */
static void apply_pool_max(const struct var *v, struct config *cfg, struct config_sink *sink)
{
    if (set(cfg, SETTING_default_pool_size, v->value, v, sink))
        set(cfg, SETTING_max_server_connections, v->value, v, sink);
}

/* SQLAlchemy's pool_recycle: -1 is never. */
static void apply_pool_recycle(const struct var *v, struct config *cfg, struct config_sink *sink)
{
    set(cfg, SETTING_server_lifetime, strcmp(v->value, "-1") == 0 ? "1e10" : v->value, v, sink);
}

static void apply_connect_timeout(const struct var *v, struct config *cfg, struct config_sink *sink)
{
    set(cfg, SETTING_server_connect_timeout, v->value, v, sink);
}

static void apply_query_timeout(const struct var *v, struct config *cfg, struct config_sink *sink)
{
    set(cfg, SETTING_query_timeout, v->value, v, sink);
}

/* Ours only if it was given to us: in a .env file it is the port of the app beside us. */
static void apply_api_port(const struct var *v, struct config *cfg, struct config_sink *sink)
{
    int64_t port;
    if (v->from_file)
        return;
    if (!value_int(v->value, 1024, 65535, &port, NULL))
        config_report(sink, CONFIG_ERROR, v->origin,
                      "API_PORT must be a port from 1024 to 65535, not \"%.60s\"", v->value);
    else
        set(cfg, SETTING_http_port, v->value, v, sink);
}

/* Other programs keep lists of modules and the like in DEBUG: only a plain switch is for us. */
static void apply_debug(const struct var *v, struct config *cfg, struct config_sink *sink)
{
    bool on;
    if (value_bool(v->value, &on, NULL) && on)
        set(cfg, SETTING_log_statements, "1", v, sink);
}

static const struct {
    const char *name;
    void (*apply)(const struct var *v, struct config *cfg, struct config_sink *sink);
} stack_names[] = {
    {"DB_POOL_MIN", apply_pool_min},
    {"DB_POOL_MAX", apply_pool_max},
    {"DB_POOL_RECYCLE", apply_pool_recycle},
    {"DB_CONNECT_TIMEOUT", apply_connect_timeout},
    {"DB_QUERY_TIMEOUT", apply_query_timeout},
    {"API_PORT", apply_api_port},
    {"DEBUG", apply_debug},
};

/* A Kubernetes service that is called pgballast puts its own PGBALLAST_PORT... and
 * PGBALLAST_SERVICE_... into every container of the namespace. */
static bool is_service_link(const char *name)
{
    return strncmp(name, "PORT", 4) == 0 || strncmp(name, "SERVICE_", 8) == 0;
}

static void apply_own(const struct var *v, struct config *cfg, struct config_sink *sink)
{
    const char *upper = v->name + strlen(PREFIX);
    char name[64];
    size_t n = strlen(upper);
    if (n >= sizeof name)
        n = sizeof name - 1;
    for (size_t i = 0; i < n; i++)
        name[i] = (char)tolower((unsigned char)upper[i]);
    const struct setting *s = setting_find(span_of(name, n));
    if (s)
        set(cfg, setting_id_of(s), v->value, v, sink);
    else if (!is_service_link(upper))
        config_report(sink, CONFIG_WARNING, v->origin, "%s is ignored: there is no such setting",
                      v->name);
}

bool conf_env_apply(const struct conf_env *env, struct config *cfg, struct config_sink *sink)
{
    unsigned errors_before = sink->n_errors;
    for (size_t i = 0; i < sizeof stack_names / sizeof stack_names[0]; i++) {
        const struct var *v = find(env, stack_names[i].name);
        if (v && v->value[0] && cfg->profile == CONFIG_URL)
            stack_names[i].apply(v, cfg, sink);
    }
    for (const struct var *v = env->vars; v; v = v->hh.next)
        if (strncmp(v->name, PREFIX, strlen(PREFIX)) == 0)
            apply_own(v, cfg, sink);
    return sink->n_errors == errors_before;
}
