/* SPDX-License-Identifier: PostgreSQL */
/* hba.c - read HBA rules, and find the one that applies. */
#include "auth/hba.h"

#include "auth/hba_names.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum hba_type {
    HBA_LOCAL,
    HBA_HOST,
    HBA_HOSTSSL,
    HBA_HOSTNOSSL,
};

struct rule {
    struct hba_rule shown;
    struct rule *next;
    enum hba_type type;
    struct hba_names databases, users;
    int family; /* AF_UNSPEC: every address */
    uint8_t address[16], mask[16];
};

struct hba {
    struct rule *first, **end;
};

/* Reading one line. */
struct run {
    struct hba *hba;
    struct hba_place place; /* of this line */
    const struct rule_line *line;
    size_t at; /* the token that comes next */
    const struct ident *maps;
};

__attribute__((format(printf, 2, 3))) static bool bad(const struct run *r, const char *fmt, ...)
{
    struct error text;
    va_list ap;
    va_start(ap, fmt);
    error_vset(&text, "", fmt, ap);
    va_end(ap);
    return rule_report(r->place.sink, RULE_ERROR, r->place.path, r->place.line, "%s", text.text);
}

static void warn(const struct run *r, const char *text)
{
    rule_report(r->place.sink, RULE_WARNING, r->place.path, r->place.line, "%s", text);
}

/* ---- fields ----------------------------------------------------------------------------- */

static const struct rule_token *next_token(const struct run *r)
{
    return r->at < r->line->n ? &r->line->tokens[r->at] : NULL;
}

/* A field that is no list. */
static const struct rule_token *take_single(struct run *r, const char *what)
{
    const struct rule_token *t = next_token(r);
    if (!t) {
        bad(r, "the line ends where %s is expected", what);
        return NULL;
    }
    r->at++;
    const struct rule_token *behind = next_token(r);
    if ((behind ? behind->commas : r->line->commas_behind) == 0)
        return t;
    bad(r, "%s cannot be a list: \"%.60s\"", what, t->text);
    return NULL;
}

static bool take_names(struct run *r, struct hba_names *out, enum hba_names_kind kind)
{
    const char *what = kind == HBA_DATABASES ? "a database" : "a user";
    const struct rule_token *t;
    do {
        t = next_token(r);
        if (!t)
            return bad(r, "the line ends where %s is expected", what);
        if (t->commas > 1)
            return bad(r, "there is nothing between two commas");
        if (!hba_names_add(out, kind, t, &r->place))
            return false;
        r->at++;
        t = next_token(r);
    } while (t ? t->commas : r->line->commas_behind);
    hba_names_finish(out);
    return true;
}

static bool take_type(struct run *r, struct rule *rule)
{
    static const char *const words[] = {
        [HBA_LOCAL] = "local",
        [HBA_HOST] = "host",
        [HBA_HOSTSSL] = "hostssl",
        [HBA_HOSTNOSSL] = "hostnossl",
    };
    const struct rule_token *t = take_single(r, "a connection type");
    if (!t)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(t->text, words[i]) == 0) {
            rule->type = (enum hba_type)i;
            return true;
        }
    }
    static const char *const known[] = {"hostgssenc", "hostnogssenc", "include",
                                        "include_if_exists", "include_dir"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(t->text, known[i]) == 0)
            return bad(r, "\"%s\" is not supported", known[i]);
    return bad(r,
               "unknown connection type \"%.60s\": expected local, host, hostssl or "
               "hostnossl",
               t->text);
}

/* ---- addresses ------------------------------------------------------------------------- */

/* AF_UNSPEC: it is none. */
static int family_of(const char *text, uint8_t out[16])
{
    if (inet_pton(AF_INET, text, out) == 1)
        return AF_INET;
    return inet_pton(AF_INET6, text, out) == 1 ? AF_INET6 : AF_UNSPEC;
}

static size_t length_of(int family)
{
    return family == AF_INET ? 4 : 16;
}

static void make_mask(uint8_t mask[16], size_t bits)
{
    for (size_t i = 0; i < 16; i++) {
        size_t here = bits > 8 * i ? bits - 8 * i : 0;
        mask[i] = here >= 8 ? 0xff : (uint8_t)(0xff00 >> here);
    }
}

static bool take_mask(struct run *r, struct rule *rule, const char *bits)
{
    int64_t n;
    if (bits) {
        if (!str_to_i64(bits, 0, rule->family == AF_INET ? 32 : 128, &n))
            return bad(r, "the number of bits behind the address is not one");
        make_mask(rule->mask, (size_t)n);
        return true;
    }
    const struct rule_token *t = take_single(r, "a mask");
    if (!t)
        return false;
    if (family_of(t->text, rule->mask) != rule->family)
        return bad(r, "\"%.60s\" is no mask of the address before it", t->text);
    return true;
}

/* What PostgreSQL knows and PgBouncer does not. */
static const char *unsupported_address(const struct rule_token *t)
{
    if (!t->quoted && (strcmp(t->text, "samehost") == 0 || strcmp(t->text, "samenet") == 0))
        return "is not supported as an address";
    return "is no address: host names are not supported";
}

static bool take_address(struct run *r, struct rule *rule)
{
    const struct rule_token *t = take_single(r, "an address");
    char text[INET6_ADDRSTRLEN];
    if (!t)
        return false;
    if (!t->quoted && strcmp(t->text, "all") == 0)
        return true;
    const char *slash = strchr(t->text, '/');
    struct span address = span_of(t->text, slash ? (size_t)(slash - t->text) : strlen(t->text));
    if (span_to_str(address, text, sizeof text))
        rule->family = family_of(text, rule->address);
    if (rule->family == AF_UNSPEC)
        return bad(r, "\"%.60s\" %s", t->text, unsupported_address(t));
    if (!take_mask(r, rule, slash ? slash + 1 : NULL))
        return false;
    for (size_t i = 0; i < length_of(rule->family); i++) {
        if (rule->address[i] & ~rule->mask[i]) {
            warn(r, "the address has bits set behind its mask, so this rule never applies");
            break;
        }
    }
    return true;
}

/* ---- methods --------------------------------------------------------------------------- */

enum method_flags {
    LOCAL_ONLY = 1,
    TLS_ONLY = 2,
    TAKES_MAP = 4,
    TAKES_REST = 8,
};

static const struct method_row {
    const char *name;
    unsigned flags;
} methods[] = {
    [HBA_TRUST] = {"trust", 0},
    [HBA_REJECT] = {"reject", 0},
    [HBA_PASSWORD] = {"password", 0},
    [HBA_MD5] = {"md5", 0},
    [HBA_SCRAM] = {"scram-sha-256", 0},
    [HBA_CERT] = {"cert", TLS_ONLY | TAKES_MAP},
    [HBA_PEER] = {"peer", LOCAL_ONLY | TAKES_MAP},
    [HBA_LDAP] = {"ldap", TAKES_REST},
    [HBA_PAM] = {"pam", TAKES_REST},
};

const char *hba_method_name(enum hba_method method)
{
    return methods[method].name;
}

static bool take_method(struct run *r, struct rule *rule)
{
    const struct rule_token *t = take_single(r, "a method");
    if (!t)
        return false;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        const struct method_row *m = &methods[i];
        if (strcmp(t->text, m->name) != 0)
            continue;
        rule->shown.method = (enum hba_method)i;
        if ((m->flags & LOCAL_ONLY) && rule->type != HBA_LOCAL)
            warn(r, "peer needs a Unix socket, so this rule lets nobody in");
        if ((m->flags & TLS_ONLY) && (rule->type == HBA_LOCAL || rule->type == HBA_HOSTNOSSL))
            warn(r, "cert needs TLS, so this rule lets nobody in");
        return true;
    }
    static const char *const known[] = {"any", "bsd", "gss", "ident", "oauth", "radius", "sspi"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(t->text, known[i]) == 0)
            return bad(r, "method \"%s\" is not supported", known[i]);
    return bad(r, "unknown authentication method \"%.60s\"", t->text);
}

static bool take_map(struct run *r, struct rule *rule, const char *map)
{
    if (rule->shown.map)
        return bad(r, "map is given twice");
    if (!map[0])
        return bad(r, "map needs a name");
    if (!(methods[rule->shown.method].flags & TAKES_MAP))
        warn(r, "map has no effect with this method: it is for cert and peer");
    else if (!ident_has_map(r->maps, map))
        return bad(r,
                   "ident map: %.60s does not have a match in auth_ident_file (ident map %.60s "
                   "cannot be matched)",
                   map, map);
    rule->shown.map = xstrdup(map);
    return true;
}

/* Borrowed. */
static struct span rest_of_line(const struct run *r)
{
    size_t at = r->line->tokens[r->at - 1].end;
    struct span rest = span_of(r->line->body.p + at, r->line->body.n - at);
    while (rest.n && memchr(" \t\r\v\f", rest.p[0], 5))
        rest = span_of(rest.p + 1, rest.n - 1);
    while (rest.n && memchr(" \t\r\v\f", rest.p[rest.n - 1], 5))
        rest.n--;
    return rest;
}

static bool take_options(struct run *r, struct rule *rule)
{
    const struct rule_token *t;
    if (methods[rule->shown.method].flags & TAKES_REST) {
        struct span rest = rest_of_line(r);
        rule->shown.options = xstrndup(rest.p, rest.n);
        return true;
    }
    rule->shown.options = xstrdup("");
    while (next_token(r)) {
        t = take_single(r, "an option");
        if (!t)
            return false;
        /* Its value may be a password. */
        if (strncmp(t->text, "map=", 4) != 0)
            return bad(r, "option \"%.*s\" is not supported with %s", (int)strcspn(t->text, "="),
                       t->text, hba_method_name(rule->shown.method));
        if (!take_map(r, rule, t->text + 4))
            return false;
    }
    return true;
}

/* ---- rules ----------------------------------------------------------------------------- */

static void rule_free(struct rule *rule)
{
    hba_names_fini(&rule->databases);
    hba_names_fini(&rule->users);
    free(rule->shown.map);
    secret_free(&rule->shown.options);
    free(rule);
}

static bool take_rule(struct run *r, struct rule *rule)
{
    return take_type(r, rule) && take_names(r, &rule->databases, HBA_DATABASES) &&
           take_names(r, &rule->users, HBA_USERS) &&
           (rule->type == HBA_LOCAL || take_address(r, rule)) && take_method(r, rule) &&
           take_options(r, rule);
}

static void read_rule(void *arg, const struct rule_line *line)
{
    struct run *r = arg;
    struct rule *rule = xcalloc(1, sizeof *rule);
    r->line = line;
    rule->shown.line = r->place.line = line->number;
    r->at = 0;
    if (!take_rule(r, rule)) {
        rule_free(rule);
        return;
    }
    *r->hba->end = rule;
    r->hba->end = &rule->next;
}

struct hba *hba_parse(struct span text, const char *path, hba_read_file *read,
                      const struct ident *maps, struct rule_sink *sink)
{
    struct hba *hba = xcalloc(1, sizeof *hba);
    struct run run = {
        .hba = hba, .place = {.path = path, .read = read, .sink = sink}, .maps = maps};
    hba->end = &hba->first;
    if (!rule_lines_read(text, path, sink, read_rule, &run))
        hba_free(&hba);
    return hba;
}

void hba_free(struct hba **hbap)
{
    struct hba *hba = *hbap;
    struct rule *rule, *next;
    *hbap = NULL;
    if (!hba)
        return;
    for (rule = hba->first; rule; rule = next) {
        next = rule->next;
        rule_free(rule);
    }
    free(hba);
}

void hba_each(const struct hba *hba, void (*fn)(void *arg, const struct hba_rule *rule), void *arg)
{
    for (const struct rule *rule = hba->first; rule; rule = rule->next)
        fn(arg, &rule->shown);
}

/* ---- which one ------------------------------------------------------------------------- */

static bool type_applies(const struct rule *rule, const struct hba_request *q)
{
    switch (rule->type) {
    case HBA_LOCAL:
        return !q->peer;
    case HBA_HOST:
        return q->peer;
    case HBA_HOSTSSL:
        return q->peer && q->is_tls;
    case HBA_HOSTNOSSL:
        return q->peer && !q->is_tls;
    }
    return false;
}

static bool database_applies(const struct rule *rule, const struct hba_request *q)
{
    const struct hba_names *names = &rule->databases;
    if (q->is_replication)
        return names->replication;
    return names->all || (names->sameuser && strcmp(q->database, q->user) == 0) ||
           hba_names_has(names, q->database) || (q->alias && hba_names_has(names, q->alias));
}

static bool address_applies(const struct rule *rule, const struct hba_request *q)
{
    const uint8_t *p;
    if (!q->peer || rule->family == AF_UNSPEC)
        return true;
    if (q->peer->u.sa.sa_family != rule->family)
        return false;
    p = rule->family == AF_INET ? (const uint8_t *)&q->peer->u.in4.sin_addr
                                : (const uint8_t *)&q->peer->u.in6.sin6_addr;
    for (size_t i = 0; i < length_of(rule->family); i++)
        if ((p[i] & rule->mask[i]) != rule->address[i])
            return false;
    return true;
}

const struct hba_rule *hba_find(const struct hba *hba, const struct hba_request *q)
{
    for (const struct rule *rule = hba->first; rule; rule = rule->next)
        if (type_applies(rule, q) && address_applies(rule, q) && database_applies(rule, q) &&
            (rule->users.all || hba_names_has(&rule->users, q->user)))
            return &rule->shown;
    return NULL;
}
