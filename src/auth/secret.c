/* SPDX-License-Identifier: PostgreSQL */
/* secret.c - stored secrets, and what they can prove or check. */
#include "auth/secret.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/mutex.h"
#include "base/str.h"
#include "auth/digest.h"

/* What is learnt after birth; made when there is something to keep, for most users of a long list
 * never log in. */
struct secret_late {
    struct mutex m;
    struct scram_verifier *verifier; /* as a login needed it, see used_bytes; NULL: none did */
    bool has_client_key;             /* of a SCRAM verifier, disclosed by a login */
    uint8_t client_key[SCRAM_KEY_LEN];
};

/* Tens of thousands may be in memory, so this is little more than the text: the parts of a SCRAM
 * verifier are read from it when the first login needs them. References and the late part change;
 * they are atomic, and `writable` is the one way to them. */
struct secret {
    atomic_uint refs;
    uint16_t kind; /* enum secret_kind */
    bool suspect;
    uint32_t n;
    _Atomic(struct secret_late *) late; /* NULL: nothing learnt */
    char text[];
};

/* Every secret was made writable by secret_new; the type is const for everybody else. */
static struct secret *writable(const struct secret *s)
{
    return (struct secret *)s;
}

static struct secret_late *late_if_any(const struct secret *s)
{
    return atomic_load_explicit(&writable(s)->late, memory_order_acquire);
}

static struct secret_late *late_of(const struct secret *s)
{
    struct secret_late *late = late_if_any(s);
    if (late)
        return late;
    struct secret_late *fresh = xcalloc(1, sizeof *fresh);
    mutex_init(&fresh->m);
    if (atomic_compare_exchange_strong_explicit(&writable(s)->late, &late, fresh,
                                                memory_order_acq_rel, memory_order_acquire))
        return fresh;
    mutex_fini(&fresh->m);
    free(fresh);
    return late;
}

static bool starts_like_scram(struct span text)
{
    const size_t n = strlen(SCRAM_NAME_PLAIN "$");
    return text.n >= n && memcmp(text.p, SCRAM_NAME_PLAIN "$", n) == 0;
}

/* Fills kind and suspect. */
static void classify(struct secret *s, struct span text)
{
    struct scram_verifier v;
    if (text.n == 0) {
        s->kind = SECRET_NONE;
    } else if (md5_is_stored_form(text)) {
        s->kind = SECRET_MD5;
    } else if (scram_parse_verifier(text, &v)) {
        s->kind = SECRET_SCRAM;
    } else {
        s->kind = SECRET_PLAIN;
        s->suspect = starts_like_scram(text);
    }
}

/* Of a SECRET_SCRAM, whose text has been parsed once. */
static void read_scram(const struct secret *s, struct scram_verifier *out)
{
    if (!scram_parse_verifier(secret_text(s), out))
        abort();
}

const struct secret *secret_new(struct span text, struct error *err)
{
    if (text.n > SECRET_TEXT_MAX) {
        error_set(err, "", "password is longer than %d bytes", SECRET_TEXT_MAX);
        return NULL;
    }
    if (text.n && memchr(text.p, '\0', text.n)) {
        error_set(err, "", "password contains a NUL byte");
        return NULL;
    }
    struct secret *s = xcalloc(1, offsetof(struct secret, text) + text.n + 1);
    s->n = (uint32_t)text.n;
    if (text.n)
        memcpy(s->text, text.p, text.n);
    classify(s, text);
    atomic_init(&s->refs, 1);
    return s;
}

const struct secret *secret_ref(const struct secret *s)
{
    atomic_fetch_add_explicit(&writable(s)->refs, 1, memory_order_relaxed);
    return s;
}

static void wipe_free(void *p, size_t n)
{
    if (p)
        mem_wipe(p, n);
    free(p);
}

/* A verifier up to the end of its salt: ten thousand users are kept in a megabyte. */
static size_t used_bytes(const struct scram_verifier *v)
{
    return offsetof(struct scram_verifier, salt) + v->salt_len;
}

static void free_verifier(struct scram_verifier *v)
{
    if (v)
        wipe_free(v, used_bytes(v));
}

void secret_unref(const struct secret **sp)
{
    struct secret *s = writable(*sp);
    *sp = NULL;
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    struct secret_late *late = late_if_any(s);
    if (late) {
        mutex_fini(&late->m);
        free_verifier(late->verifier);
    }
    wipe_free(late, sizeof *late);
    wipe_free(s, offsetof(struct secret, text) + s->n);
}

enum secret_kind secret_kind_of(const struct secret *s)
{
    return (enum secret_kind)s->kind;
}

bool secret_is_suspect(const struct secret *s)
{
    return s->suspect;
}

struct span secret_text(const struct secret *s)
{
    return span_of(s->text, s->n);
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    return span_equal_ct(secret_text(a), secret_text(b));
}

static bool refuse(struct error *err)
{
    return error_set(err, SQLSTATE_INVALID_PASSWORD, "password authentication failed");
}

/* --- towards a client ---------------------------------------------------------------------- */

static bool kept_verifier(const struct secret *s, uint32_t iterations, struct scram_verifier *out)
{
    struct secret_late *late = late_if_any(s);
    if (!late)
        return false;
    *out = (struct scram_verifier){0};
    mutex_lock(&late->m);
    const struct scram_verifier *v = late->verifier;
    bool found = v && (s->kind == SECRET_SCRAM || v->iterations == iterations);
    if (found)
        memcpy(out, v, used_bytes(v));
    mutex_unlock(&late->m);
    return found;
}

/* Keeps *v, unless another thread was faster: then *v becomes what that one kept, so that all
 * exchanges see one salt. */
static void keep_verifier(const struct secret *s, struct scram_verifier *v)
{
    struct secret_late *late = late_of(s);
    struct scram_verifier *fresh = xmalloc(used_bytes(v)), *old;
    memcpy(fresh, v, used_bytes(v));
    mutex_lock(&late->m);
    old = late->verifier;
    if (old && old->iterations == v->iterations) {
        memcpy(v, old, used_bytes(old));
        old = fresh;
    } else {
        late->verifier = fresh;
    }
    mutex_unlock(&late->m);
    free_verifier(old);
}

bool secret_verifier(const struct secret *s, uint32_t iterations, struct scram_verifier *out,
                     struct error *err)
{
    if (s->kind == SECRET_NONE || s->kind == SECRET_MD5)
        return refuse(err);
    if (kept_verifier(s, iterations, out))
        return true;
    if (s->kind == SECRET_SCRAM)
        read_scram(s, out);
    else if (!scram_make_verifier(secret_text(s), iterations, out, err))
        return false;
    keep_verifier(s, out);
    return true;
}

/* The stored form of a plain or md5 secret; false with *err for the others. */
static bool md5_form(const struct secret *s, struct span user, char out[MD5_TEXT_LEN + 1],
                     struct error *err)
{
    if (s->kind == SECRET_PLAIN)
        return md5_stored(secret_text(s), user, out, err);
    if (s->kind != SECRET_MD5)
        return refuse(err);
    memcpy(out, s->text, MD5_TEXT_LEN + 1);
    return true;
}

static bool expected_md5(const struct secret *s, struct span user, const uint8_t salt[MD5_SALT_LEN],
                         char out[MD5_TEXT_LEN + 1], struct error *err)
{
    char stored[MD5_TEXT_LEN + 1];
    bool ok =
        md5_form(s, user, stored, err) && md5_answer(span_of(stored, MD5_TEXT_LEN), salt, out, err);
    mem_wipe(stored, sizeof stored);
    return ok;
}

bool secret_check_md5(const struct secret *s, struct span user, const uint8_t salt[MD5_SALT_LEN],
                      struct span answer, struct error *err)
{
    char expected[MD5_TEXT_LEN + 1];
    if (!expected_md5(s, user, salt, expected, err))
        return false;
    bool right = span_equal_ct(answer, span_of(expected, MD5_TEXT_LEN));
    mem_wipe(expected, sizeof expected);
    return right || refuse(err);
}

static bool check_md5_form(const struct secret *s, struct span user, struct span password,
                           struct error *err)
{
    char form[MD5_TEXT_LEN + 1];
    if (!md5_stored(password, user, form, err))
        return false;
    bool right = span_equal_ct(span_of(form, MD5_TEXT_LEN), secret_text(s));
    mem_wipe(form, sizeof form);
    return right || refuse(err);
}

static bool check_scram(const struct secret *s, struct span user, struct span password,
                        struct keycache *kc, struct error *err)
{
    struct scram_verifier v;
    struct scram_keys keys;
    read_scram(s, &v);
    const struct keycache_query q = {
        .role = user,
        .password = password,
        .salt = span_of(v.salt, v.salt_len),
        .iterations = v.iterations,
    };

    /* The verifier may come from a database, where each role sets its own iterations. */
    if (v.iterations > SCRAM_ITERATIONS_MAX)
        return error_set(err, SQLSTATE_PROGRAM_LIMIT,
                         "the stored SCRAM verifier has more than %d iterations",
                         SCRAM_ITERATIONS_MAX);
    bool known = kc && keycache_find(kc, &q, &keys);
    if (!known && !scram_derive(password, q.salt, q.iterations, &keys, err))
        return false;
    bool right = span_equal_ct(span_of(keys.stored_key, SCRAM_KEY_LEN),
                               span_of(v.stored_key, SCRAM_KEY_LEN));
    if (right && kc && !known)
        keycache_put(kc, &q, &keys);
    if (right)
        secret_learn(s, &keys);
    mem_wipe(&keys, sizeof keys);
    return right || refuse(err);
}

bool secret_check_password(const struct secret *s, struct span user, struct span password,
                           struct keycache *kc, struct error *err)
{
    if (password.n == 0 || password.n > SECRET_TEXT_MAX)
        return refuse(err);
    switch (secret_kind_of(s)) {
    case SECRET_NONE:
        return refuse(err);
    case SECRET_PLAIN:
        return span_equal_ct(password, secret_text(s)) || refuse(err);
    case SECRET_MD5:
        return check_md5_form(s, user, password, err);
    case SECRET_SCRAM:
        return check_scram(s, user, password, kc, err);
    }
    abort();
}

/* The ClientKey that was learnt; false if none was. */
static bool client_key_of(const struct secret *s, uint8_t out[SCRAM_KEY_LEN])
{
    struct secret_late *late = late_if_any(s);
    if (!late)
        return false;
    mutex_lock(&late->m);
    bool has = late->has_client_key;
    if (has)
        memcpy(out, late->client_key, SCRAM_KEY_LEN);
    mutex_unlock(&late->m);
    return has;
}

static bool has_learnt(const struct secret *s, const struct scram_keys *keys)
{
    uint8_t key[SCRAM_KEY_LEN];
    bool has = client_key_of(s, key) &&
               span_equal_ct(span_of(key, SCRAM_KEY_LEN), span_of(keys->client_key, SCRAM_KEY_LEN));
    mem_wipe(key, sizeof key);
    return has;
}

bool secret_learn(const struct secret *s, const struct scram_keys *keys)
{
    uint8_t stored[SCRAM_KEY_LEN];
    struct scram_verifier v;
    if (s->kind != SECRET_SCRAM || !keys->has_client_key)
        return false;
    if (has_learnt(s, keys))
        return true;
    read_scram(s, &v);
    if (!digest_sha256(span_of(keys->client_key, SCRAM_KEY_LEN), stored) ||
        !span_equal_ct(span_of(stored, sizeof stored), span_of(v.stored_key, SCRAM_KEY_LEN)))
        return false;
    struct secret_late *late = late_of(s);
    mutex_lock(&late->m);
    memcpy(late->client_key, keys->client_key, SCRAM_KEY_LEN);
    late->has_client_key = true;
    mutex_unlock(&late->m);
    return true;
}

/* --- towards a server ---------------------------------------------------------------------- */

bool secret_answer_md5(const struct secret *s, struct span role, const uint8_t salt[MD5_SALT_LEN],
                       char out[MD5_TEXT_LEN + 1], struct error *err)
{
    if (s->kind == SECRET_NONE || s->kind == SECRET_SCRAM)
        return error_set(err, SQLSTATE_INVALID_AUTHORIZATION,
                         "the server asks for an md5 password, but %s is stored for this role",
                         s->kind == SECRET_NONE ? "no password" : "only a SCRAM verifier");
    return expected_md5(s, role, salt, out, err);
}

static bool pass_through(const struct secret *s, struct span salt, uint32_t iterations,
                         struct scram_keys *out, struct error *err)
{
    struct scram_verifier v;
    read_scram(s, &v);
    if (iterations != v.iterations || !span_equal(salt, span_of(v.salt, v.salt_len)))
        return error_set(err, SQLSTATE_INVALID_AUTHORIZATION,
                         "the server's SCRAM verifier for this role is not the one stored here");
    if (!client_key_of(s, out->client_key))
        return error_set(err, SQLSTATE_INVALID_AUTHORIZATION,
                         "only a SCRAM verifier is stored for this role and no client has logged "
                         "in with it yet");
    memcpy(out->stored_key, v.stored_key, SCRAM_KEY_LEN);
    memcpy(out->server_key, v.server_key, SCRAM_KEY_LEN);
    out->has_client_key = true;
    return true;
}

bool secret_answer_scram(const struct secret *s, struct span role, struct span salt,
                         uint32_t iterations, struct keycache *kc, struct scram_keys *out,
                         struct error *err)
{
    const struct keycache_query q = {
        .role = role, .password = secret_text(s), .salt = salt, .iterations = iterations};
    switch (secret_kind_of(s)) {
    case SECRET_NONE:
        return error_set(err, SQLSTATE_INVALID_AUTHORIZATION,
                         "the server asks for a password, but none is stored for this role");
    case SECRET_MD5:
        return error_set(err, SQLSTATE_INVALID_AUTHORIZATION,
                         "the server asks for SCRAM, but only an md5 hash is stored for this role");
    case SECRET_SCRAM:
        return pass_through(s, salt, iterations, out, err);
    case SECRET_PLAIN:
        return kc ? keycache_get(kc, &q, out, err)
                  : scram_derive(q.password, salt, iterations, out, err);
    }
    abort();
}

bool secret_can_answer_scram(const struct secret *s)
{
    uint8_t key[SCRAM_KEY_LEN];
    if (s->kind != SECRET_SCRAM)
        return s->kind == SECRET_PLAIN;
    bool has = client_key_of(s, key);
    mem_wipe(key, sizeof key);
    return has;
}
