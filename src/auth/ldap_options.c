/* SPDX-License-Identifier: PostgreSQL */
/* ldap_options.c - the options' text, and what they make of a user's name.
 *
 * A user's name is the attacker's text: "*" in a filter would match somebody, and "x,ou=admins" in
 * a distinguished name would be somebody else. */
#include "auth/ldap_options.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_ATTRIBUTE "uid"
#define PLACEHOLDER "$username"

struct raw {
    char *url;
    char *scheme;
    char *port;
    char *tls;
    struct ldap_options o;
};

static char **slot_of(struct raw *r, const char *name)
{
    const struct {
        const char *name;
        char **slot;
    } names[] = {
        {"ldapurl", &r->url},
        {"ldapscheme", &r->scheme},
        {"ldapport", &r->port},
        {"ldaptls", &r->tls},
        {"ldapserver", &r->o.server},
        {"ldapprefix", &r->o.prefix},
        {"ldapsuffix", &r->o.suffix},
        {"ldapbasedn", &r->o.basedn},
        {"ldapbinddn", &r->o.binddn},
        {"ldapbindpasswd", &r->o.bindpasswd},
        {"ldapsearchattribute", &r->o.attribute},
        {"ldapsearchfilter", &r->o.filter},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i].name) == 0)
            return names[i].slot;
    }
    return NULL;
}

void ldap_options_fini(struct ldap_options *o)
{
    free(o->server);
    free(o->prefix);
    free(o->suffix);
    free(o->basedn);
    free(o->binddn);
    secret_free(&o->bindpasswd);
    free(o->attribute);
    free(o->filter);
    *o = (struct ldap_options){0};
}

static void raw_fini(struct raw *r)
{
    free(r->url);
    free(r->scheme);
    free(r->port);
    free(r->tls);
    ldap_options_fini(&r->o);
}

/* ---- text ------------------------------------------------------------------------------ */

static bool is_separator(char c)
{
    return c == ' ' || c == '\t' || c == ',' || c == '\r' || c == '\n';
}

/* At the first character of a value; moves behind it. NULL: the quote is not closed. */
static char *take_value(const char **at)
{
    const char *p = *at;
    if (*p != '"') {
        while (*p && !is_separator(*p))
            p++;
        char *bare = xstrndup(*at, (size_t)(p - *at));
        *at = p;
        return bare;
    }
    char *value = xmalloc(strlen(p));
    size_t n = 0;
    for (p++; *p; p++) {
        if (*p == '"' && *++p != '"') {
            value[n] = '\0';
            *at = p;
            return value;
        }
        value[n++] = *p;
    }
    value[n] = '\0';
    secret_free(&value);
    return NULL;
}

static bool take_option(struct raw *r, const char **at, struct error *err)
{
    char name[32];
    size_t n = strcspn(*at, "= \t,\r\n");
    if ((*at)[n] != '=' || !n || !span_to_str(span_of(*at, n), name, sizeof name))
        return error_set(err, "", "LDAP options: \"name=value\" expected at character %zu", n + 1);
    char **slot = slot_of(r, name);
    if (!slot)
        return error_set(err, "", "unknown LDAP option \"%s\"", name);
    if (*slot)
        return error_set(err, "", "LDAP option \"%s\" is given twice", name);
    *at += n + 1;
    *slot = take_value(at);
    if (!*slot)
        return error_set(err, "", "LDAP option \"%s\": its quote is not closed", name);
    if (**at && !is_separator(**at))
        return error_set(err, "", "LDAP option \"%s\": text right behind its quote", name);
    return true;
}

static bool take_all(struct raw *r, const char *text, struct error *err)
{
    if (strlen(text) > LDAP_OPTIONS_MAX)
        return error_set(err, "", "LDAP options are longer than %d bytes", LDAP_OPTIONS_MAX);
    for (;;) {
        while (is_separator(*text))
            text++;
        if (!*text)
            return true;
        if (!take_option(r, &text, err))
            return false;
    }
}

/* ---- what goes together ---------------------------------------------------------------- */

/* ldap[s]://host[:port]/basedn[?[attribute][?[scope][?[filter]]]], as PostgreSQL takes it
 * (RFC 4516, without percent-encoding in host and extensions). */
static bool take_scope(struct raw *r, const char *word, struct error *err)
{
    static const struct {
        const char *word;
        enum ldap_scope scope;
    } words[] = {
        {"", LDAP_OPTIONS_BASE},
        {"base", LDAP_OPTIONS_BASE},
        {"one", LDAP_OPTIONS_ONE},
        {"sub", LDAP_OPTIONS_SUB},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(word, words[i].word) == 0) {
            r->o.scope = words[i].scope;
            return true;
        }
    }
    return error_set(err, "", "ldapurl: the scope is base, one or sub");
}

/* Percent-decoded in place. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *p = text; *p; p++) {
        unsigned value;
        char hex[3] = {0};
        if (*p != '%') {
            *to++ = *p;
            continue;
        }
        if (!p[1] || !p[2])
            return false;
        memcpy(hex, p + 1, 2);
        char *end;
        value = (unsigned)strtoul(hex, &end, 16);
        if (*end || !value)
            return false;
        *to++ = (char)value;
        p += 2;
    }
    *to = '\0';
    return true;
}

static bool take_host(struct raw *r, char *host, struct error *err)
{
    char *colon = strrchr(host, ':');
    char *bracket = strrchr(host, ']');
    if (colon && (!bracket || colon > bracket)) {
        *colon = '\0';
        r->port = xstrdup(colon + 1);
    }
    if (!*host)
        return error_set(err, "", "ldapurl names no host");
    r->o.server = xstrdup(host);
    return true;
}

static bool take_url(struct raw *r, struct error *err)
{
    char *rest;
    if (r->o.server || r->port || r->scheme || r->o.basedn || r->o.attribute || r->o.filter)
        return error_set(err, "",
                         "ldapurl says what ldapserver, ldapport, ldapscheme, ldapbasedn, "
                         "ldapsearchattribute and ldapsearchfilter say: one or the other");
    if (strncasecmp(r->url, "ldap://", 7) == 0)
        rest = r->url + 7;
    else if (strncasecmp(r->url, "ldaps://", 8) == 0)
        rest = r->url + 8;
    else
        return error_set(err, "", "ldapurl begins with ldap:// or ldaps://");
    r->o.ldaps = rest == r->url + 8;
    char *path = strchr(rest, '/');
    if (path)
        *path++ = '\0';
    char *parts[4] = {path, NULL, NULL, NULL};
    for (int i = 0; i < 3 && parts[i]; i++) {
        parts[i + 1] = strchr(parts[i], '?');
        if (parts[i + 1])
            *parts[i + 1]++ = '\0';
    }
    for (int i = 0; i < 4; i++) {
        if (parts[i] && (!decode(parts[i]) || (i == 3 && strchr(parts[i], '?'))))
            return error_set(err, "", "ldapurl is malformed");
    }
    if (parts[0] && *parts[0])
        r->o.basedn = xstrdup(parts[0]);
    if (parts[1] && *parts[1])
        r->o.attribute = xstrdup(parts[1]);
    if (parts[3] && *parts[3])
        r->o.filter = xstrdup(parts[3]);
    return take_host(r, rest, err) && take_scope(r, parts[2] ? parts[2] : "", err);
}

static bool take_words(struct raw *r, struct error *err)
{
    int64_t port = 0;
    if (r->scheme && strcmp(r->scheme, "ldaps") == 0)
        r->o.ldaps = true;
    else if (r->scheme && strcmp(r->scheme, "ldap") != 0)
        return error_set(err, "", "ldapscheme is ldap or ldaps");
    if (r->port && !str_to_i64(r->port, 1, 65535, &port))
        return error_set(err, "", "ldapport is a number from 1 to 65535");
    r->o.port = (int)port;
    if (r->tls && strcmp(r->tls, "1") == 0)
        r->o.starttls = true;
    else if (r->tls && strcmp(r->tls, "0") != 0)
        return error_set(err, "", "ldaptls is 0 or 1");
    if (r->o.ldaps && r->o.starttls)
        return error_set(err, "", "ldaptls=1 does not go with ldaps");
    return true;
}

static bool check(const struct ldap_options *o, struct error *err)
{
    bool simple = o->prefix || o->suffix;
    bool search = o->basedn || o->binddn || o->bindpasswd || o->attribute || o->filter;
    if (simple && search)
        return error_set(err, "",
                         "ldapprefix and ldapsuffix do not go with ldapbasedn, ldapbinddn, "
                         "ldapbindpasswd, ldapsearchattribute, ldapsearchfilter, ldapurl");
    if (!simple && !o->basedn)
        return error_set(err, "", "LDAP options need ldapbasedn, ldapprefix or ldapsuffix");
    if (o->attribute && o->filter)
        return error_set(err, "", "ldapsearchattribute and ldapsearchfilter exclude each other");
    if (!o->server && !o->basedn)
        return error_set(err, "", "LDAP options need ldapserver");
    if (o->filter && !strstr(o->filter, PLACEHOLDER))
        return error_set(err, "",
                         "ldapsearchfilter needs " PLACEHOLDER
                         ", or it finds the same one for every user");
    return true;
}

bool ldap_options_parse(const char *text, struct ldap_options *out, struct error *err)
{
    struct raw r = {.o = {.scope = LDAP_OPTIONS_SUB}};
    bool ok = take_all(&r, text, err) && (!r.url || take_url(&r, err)) && take_words(&r, err) &&
              check(&r.o, err);
    if (ok) {
        *out = r.o;
        r.o = (struct ldap_options){0};
    }
    raw_fini(&r);
    return ok;
}

/* ---- names ----------------------------------------------------------------------------- */

static void append(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

static char *finish(struct buf *b)
{
    char *text = xstrndup(buf_span(b).p, buf_len(b));
    buf_reset(b);
    return text;
}

static void append_escaped(struct buf *b, const char *user, const char *special)
{
    static const char digits[] = "0123456789abcdef";
    for (const char *p = user; *p; p++) {
        if (!strchr(special, *p)) {
            buf_append(b, p, 1);
            continue;
        }
        const char hex[3] = {'\\', digits[(unsigned char)*p >> 4], digits[(unsigned char)*p & 15]};
        buf_append(b, hex, sizeof hex);
    }
}

char *ldap_options_filter(const struct ldap_options *o, const char *user)
{
    static const char special[] = "*()\\";
    struct buf b = {0};
    if (!o->filter) {
        append(&b, "(");
        append(&b, o->attribute ? o->attribute : DEFAULT_ATTRIBUTE);
        append(&b, "=");
        append_escaped(&b, user, special);
        append(&b, ")");
        return finish(&b);
    }
    const char *from = o->filter, *found;
    while ((found = strstr(from, PLACEHOLDER)) != NULL) {
        buf_append(&b, from, (size_t)(found - from));
        append_escaped(&b, user, special);
        from = found + strlen(PLACEHOLDER);
    }
    append(&b, from);
    return finish(&b);
}

/* "cn=" in front or ",dc=example" behind make a distinguished name; "DOMAIN\" and "@example" make
 * what Active Directory takes as well. */
static bool makes_dn(const struct ldap_options *o)
{
    return (o->prefix && strchr(o->prefix, '=')) || (o->suffix && strchr(o->suffix, '='));
}

char *ldap_options_dn(const struct ldap_options *o, const char *user)
{
    struct buf b = {0};
    append(&b, o->prefix ? o->prefix : "");
    append_escaped(&b, user, makes_dn(o) ? ",+\"\\<>;=# " : "");
    append(&b, o->suffix ? o->suffix : "");
    return finish(&b);
}
