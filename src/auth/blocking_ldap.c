/* SPDX-License-Identifier: PostgreSQL */
/* blocking_ldap.c - a password, by a bind at the directory: as the name that the options make of
 * the user ("simple bind"), or as the one entry that a search finds for him ("search+bind").
 *
 * A connection per question: there is no state that one user's bind could leave for another. */
#include "auth/blocking_impl.h"

#ifdef HAVE_LDAP

#include "auth/ldap_options.h"
#include "base/mem.h"

#include <ldap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

/* As PgBouncer's. For the connection and again for each answer. */
static const struct timeval patience = {.tv_sec = 3};

struct asking {
    const struct blocking_question *q;
    struct ldap_options o;
    LDAP *ldap;
    struct error *err;
};

static enum blocking_verdict broken(struct asking *a, const char *step, int result)
{
    char *detail = NULL;
    if (a->ldap)
        ldap_get_option(a->ldap, LDAP_OPT_DIAGNOSTIC_MESSAGE, &detail);
    error_set(a->err, "", "LDAP %s: %s%s%s%s", step, ldap_err2string(result),
              detail && *detail ? " (" : "", detail ? detail : "", detail && *detail ? ")" : "");
    ldap_memfree(detail);
    return BLOCKING_BROKEN;
}

/* ---- where ----------------------------------------------------------------------------- */

/* "ldap://host:port", one for each name of a list that is separated by blanks. Owned. */
static char *uris_of(const struct ldap_options *o, const char *names)
{
    char *list = xstrdup(names), *rest = list, *name, *uris = NULL;
    while ((name = strsep(&rest, " ")) != NULL) {
        if (!*name)
            continue;
        char *before = uris;
        char port[8] = "";
        /* The DNS answer brings ports of its own. */
        if (o->port && !strchr(name, ':'))
            snprintf(port, sizeof port, ":%d", o->port);
        uris = xasprintf("%s%s%s://%s%s", before ? before : "", before ? " " : "",
                         o->ldaps ? "ldaps" : "ldap", name, port);
        free(before);
    }
    free(list);
    return uris;
}

/* Without ldapserver: the directory that DNS names for the domain of the base (RFC 2782). Owned by
 * the library; NULL and *err. */
static char *names_by_dns(struct asking *a)
{
    char *domain = NULL, *names = NULL;
    if (ldap_dn2domain(a->o.basedn, &domain) != 0 || !domain) {
        error_set(a->err, "", "LDAP: no domain in ldapbasedn, and no ldapserver");
        return NULL;
    }
    if (ldap_domain2hostlist(domain, &names) != LDAP_SUCCESS || !names)
        error_set(a->err, "", "LDAP: DNS knows no directory of domain \"%.100s\"", domain);
    ldap_memfree(domain);
    return names;
}

static enum blocking_verdict connect_to(struct asking *a)
{
    const int version = LDAP_VERSION3;
    char *found = a->o.server ? NULL : names_by_dns(a);
    if (!a->o.server && !found)
        return BLOCKING_BROKEN;
    char *uris = uris_of(&a->o, found ? found : a->o.server);
    ldap_memfree(found);
    int result = ldap_initialize(&a->ldap, uris);
    free(uris);
    if (result != LDAP_SUCCESS)
        return broken(a, "address", result);
    ldap_set_option(a->ldap, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(a->ldap, LDAP_OPT_NETWORK_TIMEOUT, &patience);
    ldap_set_option(a->ldap, LDAP_OPT_TIMEOUT, &patience);
    /* A referral would send the password to whom the directory likes. */
    ldap_set_option(a->ldap, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    if (a->o.starttls && (result = ldap_start_tls_s(a->ldap, NULL, NULL)) != LDAP_SUCCESS)
        return broken(a, "StartTLS", result);
    return BLOCKING_RIGHT;
}

/* ---- who ------------------------------------------------------------------------------- */

static int bind_as(struct asking *a, const char *dn, const char *password)
{
    char *copy = xstrdup(password);
    struct berval secret = {.bv_len = strlen(copy), .bv_val = copy};
    int result = ldap_sasl_bind_s(a->ldap, dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
    secret_free(&copy);
    return result;
}

static enum blocking_verdict bind_user(struct asking *a, const char *dn)
{
    int result = bind_as(a, dn, a->q->password);
    switch (result) {
    case LDAP_SUCCESS:
        return BLOCKING_RIGHT;
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_INVALID_DN_SYNTAX:
    case LDAP_INSUFFICIENT_ACCESS:
        broken(a, "bind", result);
        return BLOCKING_WRONG;
    default:
        return broken(a, "bind", result);
    }
}

/* The one entry's name, owned by the library; NULL and *err and the verdict. */
static char *only_entry(struct asking *a, LDAPMessage *found, enum blocking_verdict *verdict)
{
    int n = ldap_count_entries(a->ldap, found);
    *verdict = BLOCKING_WRONG;
    if (n == 1)
        return ldap_get_dn(a->ldap, ldap_first_entry(a->ldap, found));
    error_set(a->err, "", "LDAP search: %s", n ? "more than one entry" : "no entry");
    return NULL;
}

static enum blocking_verdict search_and_bind(struct asking *a)
{
    static const int scopes[] = {LDAP_SCOPE_BASE, LDAP_SCOPE_ONELEVEL, LDAP_SCOPE_SUBTREE};
    char nothing[] = LDAP_NO_ATTRS;
    char *attributes[] = {nothing, NULL};
    struct timeval wait = patience;
    LDAPMessage *found = NULL;
    enum blocking_verdict verdict;
    int result = bind_as(a, a->o.binddn ? a->o.binddn : "", a->o.bindpasswd ? a->o.bindpasswd : "");
    if (result != LDAP_SUCCESS)
        return broken(a, "bind for the search", result);
    char *filter = ldap_options_filter(&a->o, a->q->user);
    /* Two are enough to know that one is not meant. */
    result = ldap_search_ext_s(a->ldap, a->o.basedn, scopes[a->o.scope], filter, attributes, 0,
                               NULL, NULL, &wait, 2, &found);
    free(filter);
    if (result != LDAP_SUCCESS && result != LDAP_SIZELIMIT_EXCEEDED) {
        ldap_msgfree(found);
        return broken(a, "search", result);
    }
    char *dn = only_entry(a, found, &verdict);
    ldap_msgfree(found);
    if (!dn)
        return verdict;
    verdict = bind_user(a, dn);
    ldap_memfree(dn);
    return verdict;
}

void blocking_ldap_init(void)
{
    int version;
    (void)ldap_get_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version);
}

enum blocking_verdict blocking_ldap(const struct blocking_question *q, struct error *err)
{
    struct asking a = {.q = q, .err = err};
    if (!ldap_options_parse(q->options, &a.o, err))
        return BLOCKING_BROKEN;
    enum blocking_verdict verdict = connect_to(&a);
    if (verdict == BLOCKING_RIGHT && a.o.basedn) {
        verdict = search_and_bind(&a);
    } else if (verdict == BLOCKING_RIGHT) {
        char *dn = ldap_options_dn(&a.o, q->user);
        verdict = bind_user(&a, dn);
        free(dn);
    }
    if (a.ldap)
        ldap_unbind_ext_s(a.ldap, NULL, NULL);
    ldap_options_fini(&a.o);
    return verdict;
}

#else

void blocking_ldap_init(void)
{
}

enum blocking_verdict blocking_ldap(const struct blocking_question *q, struct error *err)
{
    (void)q;
    error_set(err, "", "ldap is not supported by this build");
    return BLOCKING_BROKEN;
}

#endif
