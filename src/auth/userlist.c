/* SPDX-License-Identifier: PostgreSQL */
/* userlist.c - PgBouncer's auth_file format. */
#include "auth/userlist.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "auth/digest.h"

/* Built for tens of thousands: an entry is 16 bytes, its name behind those of the others, and a
 * slot or two of a table that is searched from the place of the name's hash on. */
struct user {
    const struct secret *secret;
    uint32_t name; /* where it begins in the names */
};

struct userlist {
    atomic_uint refs;
    uint8_t digest[SHA256_LEN]; /* of the text */
    bool is_clean;              /* it had no problem, and the digest is known */
    struct user *users;         /* in the order of the file */
    uint32_t n, room;
    struct buf names; /* each with its NUL */
    uint32_t *slots;  /* index of a user and 1; 0: free. Never more than half full */
    uint32_t n_slots; /* a power of two, or 0 */
};

/* --- the table ------------------------------------------------------------------------------- */

enum { SLOTS_FIRST = 16 };

static const char *name_of(const struct userlist *list, const struct user *u)
{
    return (const char *)buf_span(&list->names).p + u->name;
}

/* The slot of that name: its own, or the free one where it would go. */
static uint32_t *slot_of(const struct userlist *list, const char *name)
{
    uint32_t mask = list->n_slots - 1;
    uint32_t at = (uint32_t)hash_bytes(name, strlen(name), 0) & mask;
    while (list->slots[at] && strcmp(name_of(list, &list->users[list->slots[at] - 1]), name) != 0)
        at = (at + 1) & mask;
    return &list->slots[at];
}

static struct user *find(const struct userlist *list, const char *name)
{
    uint32_t index = list->n_slots ? *slot_of(list, name) : 0;
    return index ? &list->users[index - 1] : NULL;
}

/* Twice as many. */
static void grow(struct userlist *list)
{
    list->n_slots = list->n_slots ? 2 * list->n_slots : SLOTS_FIRST;
    list->room = list->n_slots / 2;
    list->users = xrealloc(list->users, list->room * sizeof list->users[0]);
    free(list->slots);
    list->slots = xcalloc(list->n_slots, sizeof list->slots[0]);
    for (uint32_t i = 0; i < list->n; i++)
        *slot_of(list, name_of(list, &list->users[i])) = i + 1;
}

static void append_user(struct userlist *list, const char *name, const struct secret *secret)
{
    if (list->n == list->room)
        grow(list);
    uint32_t *slot = slot_of(list, name);
    list->users[list->n++] =
        (struct user){.secret = secret, .name = (uint32_t)buf_len(&list->names)};
    buf_append(&list->names, name, strlen(name) + 1);
    *slot = list->n;
}

/* Gives back what doubling has reserved. */
static void trim(struct userlist *list)
{
    struct buf names = {0};
    if (!list->n)
        return;
    list->room = list->n;
    list->users = xrealloc(list->users, list->room * sizeof list->users[0]);
    buf_reserve(&names, buf_len(&list->names));
    buf_append(&names, buf_span(&list->names).p, buf_len(&list->names));
    buf_reset(&list->names);
    list->names = names;
}

/* --- the parser ------------------------------------------------------------------------------ */

/* One run of the parser. */
struct run {
    struct userlist *list;
    const struct userlist *before; /* may be NULL */
    void (*report)(void *arg, const struct userlist_problem *problem);
    void *arg;
    unsigned line;
};

static void problem(const struct run *r, enum userlist_severity severity, const char *text)
{
    const struct userlist_problem p = {.severity = severity, .line = r->line, .text = text};
    r->report(r->arg, &p);
    r->list->is_clean = false;
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
    struct user *u = find(r->list, name);
    const struct secret *known = r->before ? userlist_find(r->before, name) : NULL;
    if (known && secret_equal(known, secret)) {
        secret_unref(&secret);
        secret = secret_ref(known);
    }
    if (!u) {
        append_user(r->list, name, secret);
        return;
    }
    problem(r, USERLIST_WARNING, "user is listed twice, the last line counts");
    secret_unref(&u->secret);
    u->secret = secret;
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

struct userlist *userlist_ref(const struct userlist *list)
{
    struct userlist *counted = (struct userlist *)list; /* the count is not part of the list */
    atomic_fetch_add_explicit(&counted->refs, 1, memory_order_relaxed);
    return counted;
}

struct userlist *userlist_parse(struct span text, const struct userlist *before,
                                void (*report)(void *arg, const struct userlist_problem *problem),
                                void *arg)
{
    uint8_t digest[SHA256_LEN] = {0};
    bool known = digest_sha256(text, digest);
    if (known && before && before->is_clean && memcmp(digest, before->digest, sizeof digest) == 0)
        return userlist_ref(before);
    struct userlist *list = xcalloc(1, sizeof *list);
    atomic_init(&list->refs, 1);
    memcpy(list->digest, digest, sizeof digest);
    list->is_clean = known;
    struct run r = {.list = list, .before = before, .report = report, .arg = arg};
    while (text.n) {
        const uint8_t *lf = memchr(text.p, '\n', text.n);
        size_t n = lf ? (size_t)(lf - text.p) : text.n;
        r.line++;
        read_line(&r, span_of(text.p, n));
        if (lf)
            n++;
        text = span_of(text.p + n, text.n - n);
    }
    trim(list);
    return list;
}

void userlist_unref(struct userlist **listp)
{
    struct userlist *list = *listp;
    *listp = NULL;
    if (!list || atomic_fetch_sub_explicit(&list->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (uint32_t i = 0; i < list->n; i++)
        secret_unref(&list->users[i].secret);
    free(list->users);
    free(list->slots);
    buf_reset(&list->names);
    free(list);
}

const struct secret *userlist_find(const struct userlist *list, const char *user)
{
    const struct user *u = find(list, user);
    return u ? u->secret : NULL;
}

struct kinds {
    unsigned n[SECRET_SCRAM + 1];
    const struct secret *first[SECRET_SCRAM + 1];
};

static void count_kind(void *arg, const char *user, const struct secret *secret)
{
    struct kinds *kinds = arg;
    enum secret_kind kind = secret_kind_of(secret);
    (void)user;
    if (!kinds->n[kind]++)
        kinds->first[kind] = secret;
}

const struct secret *userlist_usual(const struct userlist *list)
{
    struct kinds kinds = {0};
    int most = SECRET_PLAIN;
    userlist_each(list, count_kind, &kinds);
    for (int kind = SECRET_PLAIN; kind <= SECRET_SCRAM; kind++)
        if (kinds.n[kind] > kinds.n[most])
            most = kind;
    return kinds.first[most];
}

size_t userlist_count(const struct userlist *list)
{
    return list->n;
}

void userlist_each(const struct userlist *list,
                   void (*fn)(void *arg, const char *user, const struct secret *secret), void *arg)
{
    for (uint32_t i = 0; i < list->n; i++)
        fn(arg, name_of(list, &list->users[i]), list->users[i].secret);
}
