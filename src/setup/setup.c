/* SPDX-License-Identifier: PostgreSQL */
/* setup.c - build everything that a configuration amounts to, or nothing. */
#include "setup/setup.h"

#include "auth/userlist.h"
#include "base/mem.h"
#include "conf/value.h"
#include "net/tls_context.h"
#include "net/tls_selfsigned.h"
#include "setup/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A list of users this long is a mistake. */
#define USERLIST_FILE_MAX (64 * 1024 * 1024)

/* TLS towards servers, one for each distinct set of terms. */
struct server_tls {
    enum tls_verify verify;
    char *ca; /* "": the system's store */
    struct tls_context *context;
    struct server_tls *next;
};

/* The secret that a line of [databases] gives for its forced user. */
struct database_secret {
    const struct config_database *db;
    const struct secret *secret;
    UT_hash_handle hh; /* by db: there may be thousands, and each login looks here */
};

struct setup {
    atomic_uint refs;
    struct config *config;
    struct userlist *users;
    const struct secret *decoy; /* one of theirs */
    struct rules *rules;
    const struct secret *url_secret;
    struct database_secret *database_secrets;
    struct tls_context *client_tls;
    char *client_certificate, *client_key; /* made by us; the key is secret */
    struct server_tls *server_tls;
};

/* ---- users ----------------------------------------------------------------------------- */

/* The text of a file. Its memory is not the heap's, which would keep the room of a long list after
 * each reload. */
struct file_text {
    char *p;
    size_t n, room;
};

static void file_text_fini(struct file_text *text)
{
    if (!text->room)
        return;
    mem_wipe(text->p, text->room);
    munmap(text->p, text->room);
}

static bool read_from(int fd, struct file_text *out)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return false;
    if (st.st_size > USERLIST_FILE_MAX) {
        errno = EFBIG;
        return false;
    }
    if (st.st_size == 0)
        return true;
    size_t room = (size_t)st.st_size;
    void *p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return false;
    *out = (struct file_text){.p = p, .room = room};
    ssize_t got = 0;
    while (out->n < room && (got = read(fd, out->p + out->n, room - out->n)) > 0)
        out->n += (size_t)got;
    return got >= 0;
}

/* On failure *out is as good as empty. */
static bool read_file(const char *path, struct file_text *out, struct error *err)
{
    *out = (struct file_text){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && read_from(fd, out);
    if (!ok) {
        error_set(err, "", "could not read \"%s\": %s", path, strerror(errno));
        file_text_fini(out);
    }
    if (fd >= 0)
        close(fd);
    return ok;
}

struct problem_run {
    struct config_sink *sink;
    const char *path;
};

static void report_problem(void *arg, const struct userlist_problem *problem)
{
    struct problem_run *run = arg;
    char *origin = xasprintf("%s:%u", run->path, problem->line);
    /* As in PgBouncer, the rest of the list counts. */
    config_report(run->sink, CONFIG_WARNING, origin, "%s", problem->text);
    free(origin);
}

static void load_users(struct setup *s, const struct setup *before, struct config_sink *sink)
{
    const char *path = s->config->auth_file;
    struct file_text text;
    struct error err;
    if (!path[0])
        return;
    if (!read_file(path, &text, &err)) {
        config_report(sink, CONFIG_ERROR, "auth_file", "%s", err.text);
        return;
    }
    struct problem_run run = {.sink = sink, .path = path};
    const struct userlist *old = before ? before->users : NULL;
    s->users = userlist_parse(span_of(text.p, text.n), old, report_problem, &run);
    file_text_fini(&text);
}

static void load_url_secret(struct setup *s, struct config_sink *sink)
{
    struct error err;
    if (!s->config->url_password)
        return;
    s->url_secret = secret_new(span_str(s->config->url_password), &err);
    if (!s->url_secret)
        config_report(sink, CONFIG_ERROR, "url", "%s", err.text);
}

static void choose_decoy(struct setup *s)
{
    const struct secret *usual = s->users ? userlist_usual(s->users) : s->url_secret;
    if (usual)
        s->decoy = secret_ref(usual);
}

static void add_database_secret(struct setup *s, const struct config_database *db,
                                struct config_sink *sink)
{
    struct error err;
    /* It is that of the forced user; without one each client's own counts. */
    if (!db->password || !db->user)
        return;
    const struct secret *secret = secret_new(span_str(db->password), &err);
    if (!secret) {
        config_report(sink, CONFIG_ERROR, db->origin, "%s", err.text);
        return;
    }
    struct database_secret *e = xcalloc(1, sizeof *e);
    e->db = db;
    e->secret = secret;
    HASH_ADD_PTR(s->database_secrets, db, e);
}

static void load_database_secrets(struct setup *s, struct config_sink *sink)
{
    const struct config_database *db;
    for (db = s->config->databases; db; db = db->hh.next)
        add_database_secret(s, db, sink);
    if (s->config->fallback)
        add_database_secret(s, s->config->fallback, sink);
}

/* ---- TLS for clients ------------------------------------------------------------------- */

static const char *given(const char *text)
{
    static const char *const words[] = {"", "default", "auto", "none"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i]) == 0)
            return NULL;
    return text;
}

/* PgBouncer's words for "as OpenSSL and the system think". */
static const char *given_ciphers(const char *text)
{
    static const char *const words[] = {"default", "secure", "normal", "fast"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(text, words[i]) == 0)
            return NULL;
    return given(text);
}

/* The configuration has been validated: the words are known. */
static void take_versions(struct tls_terms *t, const char *protocols)
{
    unsigned lowest = 2, highest = 3;
    (void)value_tls_versions(protocols, &lowest, &highest, NULL);
    t->min_version = (enum tls_version)(TLS_VERSION_1_0 + lowest);
    t->max_version = (enum tls_version)(TLS_VERSION_1_0 + highest);
}

static struct tls_trust *client_trust(struct setup *s, struct config_sink *sink)
{
    struct error err;
    const char *file = s->config->client_tls_ca_file;
    if (!file[0])
        return NULL;
    struct tls_trust *trust = tls_trust_new_file(file, &err);
    if (!trust)
        config_report(sink, CONFIG_ERROR, "client_tls_ca_file", "TLS setup failed: %s", err.text);
    return trust;
}

/* False if there is none, which has been reported. */
static bool make_certificate(struct setup *s, const struct setup *before, struct config_sink *sink)
{
    const char *state_dir = s->config->state_dir[0] ? s->config->state_dir : NULL;
    struct tls_selfsigned made = {0};
    struct error err;
    bool kept;
    if (before && before->client_certificate) {
        s->client_certificate = xstrdup(before->client_certificate);
        s->client_key = xstrdup(before->client_key);
        return true;
    }
    if (!tls_selfsigned_make(&made, state_dir, NULL, 0, &kept, &err))
        return config_report(sink, CONFIG_ERROR, "client_tls_auto", "%s", err.text);
    if (state_dir && !kept)
        config_report(sink, CONFIG_WARNING, "state_dir", "%s", err.text);
    s->client_certificate = xstrdup(made.cert_pem);
    s->client_key = xstrdup(made.key_pem);
    tls_selfsigned_fini(&made);
    return true;
}

static void load_client_tls(struct setup *s, const struct setup *before, struct config_sink *sink)
{
    const struct config *cfg = s->config;
    struct error err;
    if (cfg->client_tls_sslmode == SSLMODE_DISABLE)
        return;
    struct tls_server_options o = {
        .terms = {.ciphers = given_ciphers(cfg->client_tls_ciphers),
                  .ciphersuites = given(cfg->client_tls13_ciphers),
                  .groups = given(cfg->client_tls_ecdhcurve),
                  .cert_file = given(cfg->client_tls_cert_file),
                  .key_file = given(cfg->client_tls_key_file)},
    };
    take_versions(&o.terms, cfg->client_tls_protocols);
    if (!o.terms.cert_file && cfg->client_tls_auto) {
        if (!make_certificate(s, before, sink))
            return;
        o.terms.cert_pem = s->client_certificate;
        o.terms.key_pem = s->client_key;
    }
    struct tls_trust *trust = client_trust(s, sink);
    o.trust = trust;
    if (cfg->client_tls_sslmode >= SSLMODE_VERIFY_CA)
        o.client_cert = TLS_CLIENT_CERT_REQUIRED;
    else if (trust)
        o.client_cert = TLS_CLIENT_CERT_OPTIONAL;
    s->client_tls = tls_context_new_server(&o, &err);
    if (!s->client_tls)
        config_report(sink, CONFIG_ERROR, "client_tls_sslmode", "TLS setup failed: %s", err.text);
    tls_trust_unref(&trust);
}

/* ---- TLS for servers ------------------------------------------------------------------- */

static enum sslmode strictest_mode(const struct config *cfg, const struct config_database *db)
{
    enum sslmode most = SSLMODE_DISABLE;
    for (size_t i = 0; i < db->n_hosts; i++) {
        enum sslmode mode = effective_sslmode(cfg, db, &db->hosts[i]);
        if (mode > most)
            most = mode;
    }
    return most;
}

static enum tls_verify verify_of(const struct config *cfg, enum sslmode mode, const char *ca)
{
    if (mode == SSLMODE_VERIFY_FULL)
        return TLS_VERIFY_FULL;
    /* As libpq: with a root certificate given, `require` verifies it as verify-ca does. */
    if (mode == SSLMODE_VERIFY_CA ||
        (mode == SSLMODE_REQUIRE && ca[0] && cfg->profile == CONFIG_URL))
        return TLS_VERIFY_CA;
    return TLS_VERIFY_NONE;
}

static struct server_tls *find_server_tls(const struct setup *s, enum tls_verify verify,
                                          const char *ca)
{
    for (struct server_tls *t = s->server_tls; t; t = t->next) {
        if (t->verify == verify && strcmp(t->ca, ca) == 0)
            return t;
    }
    return NULL;
}

static void add_server_tls(struct setup *s, const struct config_database *db,
                           struct config_sink *sink)
{
    const struct config *cfg = s->config;
    enum sslmode mode = strictest_mode(cfg, db);
    const char *ca = effective_sslrootcert(cfg, db);
    enum tls_verify verify = verify_of(cfg, mode, ca);
    struct error err;
    if (mode <= SSLMODE_ALLOW || find_server_tls(s, verify, ca))
        return;
    struct tls_trust *trust = NULL;
    if (verify != TLS_VERIFY_NONE) {
        trust = ca[0] ? tls_trust_new_file(ca, &err) : tls_trust_new_system(&err);
        if (!trust) {
            config_report(sink, CONFIG_ERROR, db->origin, "TLS setup failed: %s", err.text);
            return;
        }
    }
    struct tls_client_options o = {
        .terms = {.ciphers = given_ciphers(cfg->server_tls_ciphers),
                  .ciphersuites = given(cfg->server_tls13_ciphers),
                  .cert_file = given(cfg->server_tls_cert_file),
                  .key_file = given(cfg->server_tls_key_file)},
        .verify = verify,
        .trust = trust,
    };
    take_versions(&o.terms, cfg->server_tls_protocols);
    struct tls_context *context = tls_context_new_client(&o, &err);
    tls_trust_unref(&trust);
    if (!context) {
        config_report(sink, CONFIG_ERROR, db->origin, "TLS setup failed: %s", err.text);
        return;
    }
    struct server_tls *t = xcalloc(1, sizeof *t);
    *t = (struct server_tls){verify, xstrdup(ca), context, s->server_tls};
    s->server_tls = t;
}

static void load_server_tls(struct setup *s, struct config_sink *sink)
{
    const struct config_database *db;
    for (db = s->config->databases; db; db = db->hh.next)
        add_server_tls(s, db, sink);
    if (s->config->fallback)
        add_server_tls(s, s->config->fallback, sink);
}

struct tls_context *setup_server_tls(const struct setup *s, const struct config_database *db)
{
    enum sslmode mode = strictest_mode(s->config, db);
    const char *ca = effective_sslrootcert(s->config, db);
    struct server_tls *t = find_server_tls(s, verify_of(s->config, mode, ca), ca);
    return mode > SSLMODE_ALLOW && t ? t->context : NULL;
}

/* ---- life ------------------------------------------------------------------------------ */

/* What files amount to. */
struct parts {
    bool users, rules, tls;
};

static void share_tls(struct setup *s, const struct setup *before)
{
    if (before->client_tls)
        s->client_tls = tls_context_ref(before->client_tls);
    if (before->client_certificate) {
        s->client_certificate = xstrdup(before->client_certificate);
        s->client_key = xstrdup(before->client_key);
    }
    for (const struct server_tls *from = before->server_tls; from; from = from->next) {
        struct server_tls *t = xcalloc(1, sizeof *t);
        *t = (struct server_tls){from->verify, xstrdup(from->ca), tls_context_ref(from->context),
                                 s->server_tls};
        s->server_tls = t;
    }
}

/* The parts that are not to be read are those of `before`. */
static struct setup *build(struct config *cfg, const struct setup *before, struct parts read,
                           struct config_sink *sink)
{
    struct setup *s = xcalloc(1, sizeof *s);
    unsigned errors = sink->n_errors;
    atomic_init(&s->refs, 1);
    s->config = cfg;
    if (read.users)
        load_users(s, before, sink);
    else if (before->users)
        s->users = userlist_ref(before->users);
    s->rules = read.rules ? rules_load(cfg, sink) : rules_ref(before->rules);
    load_url_secret(s, sink);
    choose_decoy(s);
    load_database_secrets(s, sink);
    if (read.tls) {
        load_client_tls(s, before, sink);
        load_server_tls(s, sink);
    } else {
        share_tls(s, before);
    }
    if (sink->n_errors > errors) {
        if (sink->refused)
            sink->refused(sink->owner, cfg);
        setup_unref(&s);
    }
    return s;
}

struct setup *setup_build(struct config *cfg, const struct setup *before, struct config_sink *sink)
{
    return build(cfg, before, (struct parts){true, true, true}, sink);
}

struct setup *setup_change(struct config *cfg, const struct setup *before, const char *name,
                           struct config_sink *sink)
{
    const struct parts read = {
        .users = strcmp(name, "auth_file") == 0,
        .rules = strcmp(name, "auth_type") == 0 || strcmp(name, "auth_hba_file") == 0 ||
                 strcmp(name, "auth_ident_file") == 0 || strcmp(name, "auth_ldap_options") == 0,
        .tls = strstr(name, "_tls") != NULL,
    };
    return build(cfg, before, read, sink);
}

struct setup *setup_ref(struct setup *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

static void setup_free(struct setup *s)
{
    struct server_tls *t, *next;
    struct database_secret *d, *d_next;
    HASH_ITER(hh, s->database_secrets, d, d_next)
    {
        HASH_DEL(s->database_secrets, d);
        secret_unref(&d->secret);
        free(d);
    }
    for (t = s->server_tls; t; t = next) {
        next = t->next;
        tls_context_unref(&t->context);
        free(t->ca);
        free(t);
    }
    tls_context_unref(&s->client_tls);
    free(s->client_certificate);
    secret_free(&s->client_key);
    secret_unref(&s->url_secret);
    secret_unref(&s->decoy);
    rules_unref(&s->rules);
    userlist_unref(&s->users);
    config_free(&s->config);
    free(s);
}

void setup_unref(struct setup **sp)
{
    struct setup *s = *sp;
    *sp = NULL;
    if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
        setup_free(s);
}

const struct config *setup_config(const struct setup *s)
{
    return s->config;
}

struct tls_context *setup_client_tls(const struct setup *s)
{
    return s->client_tls;
}

const struct hba *setup_hba(const struct setup *s)
{
    return s->rules->hba;
}

const struct ident *setup_ident(const struct setup *s)
{
    return s->rules->ident;
}

const struct secret *setup_decoy(const struct setup *s)
{
    return s->decoy;
}

const char *setup_client_certificate(const struct setup *s)
{
    return s->client_certificate;
}

/* ---- users, to look at ----------------------------------------------------------------- */

struct each_user_run {
    void (*fn)(const char *user, void *arg);
    void *arg;
};

static void each_listed(void *arg, const char *user, const struct secret *secret)
{
    struct each_user_run *run = arg;
    (void)secret;
    run->fn(user, run->arg);
}

void setup_each_user(const struct setup *s, void (*fn)(const char *user, void *arg), void *arg)
{
    struct each_user_run run = {fn, arg};
    if (s->config->url_user)
        fn(s->config->url_user, arg);
    if (s->users)
        userlist_each(s->users, each_listed, &run);
}

/* ---- logins ---------------------------------------------------------------------------- */

static const struct secret *secret_of(const struct setup *s, const char *user)
{
    if (s->url_secret && s->config->url_user && strcmp(user, s->config->url_user) == 0)
        return s->url_secret;
    return s->users ? userlist_find(s->users, user) : NULL;
}

static const struct secret *server_secret_of(const struct setup *s,
                                             const struct config_database *db, const char *user)
{
    struct database_secret *d;
    HASH_FIND_PTR(s->database_secrets, &db, d);
    return d ? d->secret : secret_of(s, user);
}

/* Who could say it? For the console and for a database that is not known: nobody, unless
 * auth_dbname names a database for all. */
static const char *auth_user_of(const struct config *cfg, const struct config_database *db)
{
    return db ? effective_auth_user(cfg, db) : cfg->auth_user;
}

static bool is_by_query(const struct config *cfg, const struct setup_login *login)
{
    if (login->secret || !auth_user_of(cfg, login->db)[0])
        return false;
    return login->db || login->is_console || cfg->auth_dbname[0];
}

static void find_pool_user(const struct setup *s, const char *user, struct setup_login *out)
{
    out->pool_user = out->db->user;
    const char *server_user = out->pool_user ? out->pool_user : user;
    out->pool_user_line = config_find_user(s->config, server_user);
    out->server_secret = server_secret_of(s, out->db, server_user);
}

void setup_find_login(const struct setup *s, const char *database, const char *user,
                      struct setup_login *out)
{
    const struct config *cfg = s->config;
    *out = (struct setup_login){.secret = secret_of(s, user)};
    out->user = config_find_user(cfg, user);
    if (config_is_console(database)) {
        out->is_console = true;
        out->may_admin = value_list_has(cfg->admin_users, span_str(user));
        out->may_read = out->may_admin || value_list_has(cfg->stats_users, span_str(user)) ||
                        (cfg->url_user && strcmp(user, cfg->url_user) == 0);
    } else {
        out->db = config_find_database(cfg, database);
        if (out->db)
            find_pool_user(s, user, out);
    }
    out->by_query = is_by_query(cfg, out);
    out->by_login = s->rules->asks_elsewhere && out->db && !out->pool_user && !out->server_secret;
}

void setup_login_found(struct setup_login *out, const struct secret *secret)
{
    out->secret = secret;
    if (!out->server_secret && !out->pool_user)
        out->server_secret = secret;
}

/* ---- auth_query ------------------------------------------------------------------------ */

void setup_find_auth_user(const struct setup *s, const char *database, const char *auth_user,
                          struct setup_login *out)
{
    *out = (struct setup_login){.db = config_find_database(s->config, database)};
    if (!out->db)
        return;
    /* Not whom the database forces on its clients. */
    out->pool_user = auth_user;
    out->user = out->pool_user_line = config_find_user(s->config, auth_user);
    out->secret = out->server_secret = secret_of(s, auth_user);
}

bool setup_find_lookup(const struct setup *s, const struct setup_login *login, const char *database,
                       struct setup_lookup *out, struct error *err)
{
    const struct config *cfg = s->config;
    const struct config_database *db = login->db;
    const char *elsewhere = db ? effective_auth_dbname(cfg, db) : cfg->auth_dbname;
    *out = (struct setup_lookup){
        .database = elsewhere[0] ? elsewhere : database,
        .query = db ? effective_auth_query(cfg, db) : cfg->auth_query,
    };
    if (config_is_console(out->database))
        return error_set(err, "",
                         "auth_dbname must be set for users of the console whose secrets "
                         "auth_query is to find");
    setup_find_auth_user(s, out->database, auth_user_of(cfg, db), &out->login);
    return out->login.db ||
           error_set(err, "", "authentication database \"%s\" is not configured", out->database);
}
