/* SPDX-License-Identifier: PostgreSQL */
/* userlist.c - PgBouncer's auth_file format. */
#include "auth/userlist.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

#define uthash_malloc(n) xmalloc(n)
#include <uthash.h>

struct user {
    char name[USERLIST_NAME_MAX + 1];
    const struct secret *secret;
    UT_hash_handle hh; /* by name, in the order of the file */
};

struct userlist {
    struct user *users;
};

/* One run of the parser. */
struct run {
    struct userlist *list;
    void (*report)(void *arg, const struct userlist_problem *problem);
    void *arg;
    unsigned line;
};

static void problem(const struct run *r, enum userlist_severity severity, const char *text)
{
    const struct userlist_problem p = {.severity = severity, .line = r->line, .text = text};
    r->report(r->arg, &p);
}

static void skip_blanks(struct span *rest)
{
    while (rest->n && memchr(" \t\r\v\f", rest->p[0], 5)) {
        rest->p++;
        rest->n--;
    }
}

/* field = DQUOTE *( any / DQUOTE DQUOTE ) DQUOTE; takes it off *rest, appends its content to out.
 * False if it does not start here or does not end in this line. */
static bool take_field(struct span *rest, struct buf *out)
{
    if (rest->n == 0 || rest->p[0] != '"')
        return false;
    buf_reserve(out, rest->n); /* so that no copy of a secret is left behind by growing */
    for (size_t i = 1; i < rest->n; i++) {
        if (rest->p[i] == '"') {
            if (i + 1 == rest->n || rest->p[i + 1] != '"') {
                *rest = span_of(rest->p + i + 1, rest->n - i - 1);
                return true;
            }
            i++;
        }
        buf_append(out, &rest->p[i], 1);
    }
    return false;
}

static void add_user(struct run *r, const char *name, const struct secret *secret)
{
    struct user *u;
    HASH_FIND_STR(r->list->users, name, u);
    if (u) {
        problem(r, USERLIST_WARNING, "user is listed twice, the last line counts");
        secret_unref(&u->secret);
        u->secret = secret;
        return;
    }
    u = xcalloc(1, sizeof *u);
    memcpy(u->name, name, strlen(name) + 1);
    u->secret = secret;
    HASH_ADD_STR(r->list->users, name, u);
}

/* A line that has neither a NUL nor a comment in it. */
static void read_user(struct run *r, struct span line, struct buf *user, struct buf *password)
{
    struct error err;
    if (!take_field(&line, user)) {
        problem(r, USERLIST_ERROR, "expected a user name in double quotes");
        return;
    }
    skip_blanks(&line);
    if (!take_field(&line, password)) {
        problem(r, USERLIST_ERROR, "expected a password in double quotes behind the user name");
        return;
    }
    if (buf_is_empty(user)) {
        problem(r, USERLIST_ERROR, "user name is empty");
        return;
    }
    if (buf_len(user) > USERLIST_NAME_MAX) {
        problem(r, USERLIST_ERROR, "user name is longer than 127 bytes");
        return;
    }
    const struct secret *secret = secret_new(buf_span(password), &err);
    if (!secret) {
        problem(r, USERLIST_ERROR, err.text);
        return;
    }
    if (secret_is_suspect(secret))
        problem(r, USERLIST_WARNING, "malformed SCRAM verifier is taken as a plain password");
    buf_append(user, "", 1);
    add_user(r, (const char *)buf_span(user).p, secret);
}

static void read_line(struct run *r, struct span line)
{
    struct buf user = {0}, password = {0};
    skip_blanks(&line);
    if (line.n == 0 || line.p[0] == ';')
        return;
    if (memchr(line.p, '\0', line.n))
        problem(r, USERLIST_ERROR, "line contains a NUL byte");
    else
        read_user(r, line, &user, &password);
    if (password.data)
        mem_wipe(password.data, password.cap);
    buf_reset(&password);
    buf_reset(&user);
}

struct userlist *userlist_parse(struct span text,
                                void (*report)(void *arg, const struct userlist_problem *problem),
                                void *arg)
{
    struct userlist *list = xcalloc(1, sizeof *list);
    struct run r = {.list = list, .report = report, .arg = arg};
    while (text.n) {
        const uint8_t *lf = memchr(text.p, '\n', text.n);
        size_t n = lf ? (size_t)(lf - text.p) : text.n;
        r.line++;
        read_line(&r, span_of(text.p, n));
        if (lf)
            n++;
        text = span_of(text.p + n, text.n - n);
    }
    return list;
}

void userlist_free(struct userlist **listp)
{
    struct userlist *list = *listp;
    struct user *u, *next;
    if (!list)
        return;
    HASH_ITER(hh, list->users, u, next)
    {
        HASH_DEL(list->users, u);
        secret_unref(&u->secret);
        free(u);
    }
    free(list);
    *listp = NULL;
}

const struct secret *userlist_find(const struct userlist *list, const char *user)
{
    struct user *u;
    HASH_FIND_STR(list->users, user, u);
    return u ? u->secret : NULL;
}

size_t userlist_count(const struct userlist *list)
{
    return HASH_COUNT(list->users);
}

void userlist_each(const struct userlist *list,
                   void (*fn)(void *arg, const char *user, const struct secret *secret), void *arg)
{
    for (const struct user *u = list->users; u; u = u->hh.next)
        fn(arg, u->name, u->secret);
}
