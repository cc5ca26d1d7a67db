/* SPDX-License-Identifier: PostgreSQL */
/* check.c - --check: what a configuration says, what is wrong with it, what is risky. */
#include "main/check.h"

#include "auth/secret.h"
#include "base/mem.h"
#include "conf/advice.h"
#include "conf/conf_load.h"
#include "main/options.h"
#include "setup/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

/* ---- findings, in the order of the files ------------------------------------------------- */

struct finding {
    enum config_severity severity;
    char *origin, *text;
    unsigned long line; /* of the file that the origin names; 0: none */
    size_t nth;         /* as they came */
};

struct findings {
    struct finding *all;
    size_t n, n_of[CONFIG_ERROR + 1];
};

static void take(void *owner, enum config_severity severity, const char *origin, const char *text)
{
    struct findings *f = owner;
    const char *colon = strrchr(origin, ':');
    f->all = xrealloc(f->all, (f->n + 1) * sizeof f->all[0]);
    f->all[f->n] = (struct finding){
        .severity = severity,
        .origin = xstrdup(origin),
        .text = xstrdup(text),
        .line = colon ? strtoul(colon + 1, NULL, 10) : 0,
        .nth = f->n,
    };
    f->n++;
    f->n_of[severity]++;
}

static size_t file_length(const struct finding *x)
{
    return x->line ? (size_t)(strrchr(x->origin, ':') - x->origin) : strlen(x->origin);
}

static int by_place(const void *left, const void *right)
{
    const struct finding *a = left, *b = right;
    size_t n = file_length(a), m = file_length(b);
    int order = n == m ? memcmp(a->origin, b->origin, n) : strcmp(a->origin, b->origin);
    if (order == 0)
        order = a->line < b->line ? -1 : a->line > b->line;
    if (order == 0)
        order = a->nth < b->nth ? -1 : a->nth > b->nth;
    return order;
}

static void print_findings(struct findings *f)
{
    static const char *const words[] = {
        [CONFIG_NOTE] = "NOTE", [CONFIG_WARNING] = "WARNING", [CONFIG_ERROR] = "ERROR"};
    if (f->n)
        qsort(f->all, f->n, sizeof f->all[0], by_place);
    for (size_t i = 0; i < f->n; i++) {
        const struct finding *x = &f->all[i];
        printf("%s %s%s%s\n", words[x->severity], x->origin, x->origin[0] ? ": " : "", x->text);
    }
    size_t errors = f->n_of[CONFIG_ERROR], warnings = f->n_of[CONFIG_WARNING];
    size_t notes = f->n_of[CONFIG_NOTE];
    printf("%zu error%s, %zu warning%s, %zu note%s\n", errors, plural(errors), warnings,
           plural(warnings), notes, plural(notes));
}

static void findings_fini(struct findings *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->all[i].origin);
        free(f->all[i].text);
    }
    free(f->all);
}

/* ---- what was understood ----------------------------------------------------------------- */

static void print_understood(const struct config *cfg, size_t n_users)
{
    size_t databases = HASH_COUNT(cfg->databases), lines = HASH_COUNT(cfg->users);
    size_t peers = HASH_COUNT(cfg->peers);
    if (cfg->conffile[0])
        printf("%s: ", cfg->conffile);
    printf("%zu database%s%s, %zu user%s%s, %zu line%s of [users], %zu peer%s\n", databases,
           plural(databases), cfg->fallback ? " and all others (*)" : "", n_users, plural(n_users),
           cfg->auth_file[0] ? " in auth_file" : "", lines, plural(lines), peers, plural(peers));
    printf("listens on: %s%s%d%s%s\n", cfg->listen_addr, cfg->listen_addr[0] ? " port " : "port ",
           cfg->listen_port, cfg->unix_socket_dir[0] ? ", Unix socket in " : ", no Unix socket",
           cfg->unix_socket_dir);
    printf("clients: auth_type = %s, TLS %s, at most %d%s\n",
           value_enum_word(setting_at(SETTING_auth_type)->words, (int)cfg->auth_type),
           value_enum_word(sslmode_words, (int)cfg->client_tls_sslmode), cfg->max_client_conn,
           cfg->max_client_conn ? "" : " (what the descriptors allow)");
    printf("servers: TLS %s, pool_mode = %s, at most %d%s in a pool\n",
           value_enum_word(sslmode_words, (int)cfg->server_tls_sslmode),
           value_enum_word(pool_mode_words, (int)cfg->pool_mode), cfg->default_pool_size,
           cfg->default_pool_size ? "" : " (no limit)");
}

/* ---- facts ------------------------------------------------------------------------------- */

static bool knows_user(void *owner, const char *user)
{
    struct setup_login login;
    setup_find_login(owner, "", user, &login);
    return login.secret != NULL;
}

static unsigned mode_of(void *owner, const char *path)
{
    struct stat st;
    (void)owner;
    return stat(path, &st) == 0 ? st.st_mode & 0777 : 0;
}

struct count_run {
    const struct setup *setup;
    size_t n, n_plain;
};

static void count_user(const char *user, void *arg)
{
    struct count_run *run = arg;
    struct setup_login login;
    setup_find_login(run->setup, "", user, &login);
    run->n++;
    run->n_plain += login.secret && secret_kind_of(login.secret) == SECRET_PLAIN;
}

static void advise(struct setup *s, struct config_sink *sink)
{
    const struct config *cfg = setup_config(s);
    struct count_run users = {.setup = s};
    struct rlimit files;
    setup_each_user(s, count_user, &users);
    const struct advice_facts facts = {
        .max_descriptors = getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_max : 0,
        .n_users = cfg->auth_file[0] ? users.n : 0,
        .n_plain = cfg->auth_file[0] ? users.n_plain : 0,
        .knows_user = knows_user,
        .mode_of = mode_of,
        .owner = s,
    };
    print_understood(cfg, users.n);
    advice_give(cfg, &facts, sink);
}

int check_configuration(const struct options *o)
{
    struct findings found = {0};
    struct config_sink sink = {.report = take, .owner = &found};
    struct config *cfg = NULL;
    struct setup *s = NULL;
    if (config_load(&o->request, &cfg, &sink))
        s = setup_build(cfg, NULL, &sink);
    if (s)
        advise(s, &sink);
    print_findings(&found);
    findings_fini(&found);
    bool ok = s != NULL;
    setup_unref(&s);
    return ok ? 0 : o->request.profile == CONFIG_URL ? 2 : 1;
}
