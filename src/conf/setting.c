/* SPDX-License-Identifier: PostgreSQL */
/* setting.c - the table of settings, and moving values between text and the fields of a config. */
#include "conf/setting.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conf/config.h"

static const struct value_word auth_type_words[] = {
    {"any", AUTH_TYPE_ANY},
    {"trust", AUTH_TYPE_TRUST},
    {"plain", AUTH_TYPE_PLAIN},
    {"md5", AUTH_TYPE_MD5},
    {"scram-sha-256", AUTH_TYPE_SCRAM},
    {"cert", AUTH_TYPE_CERT},
    {"hba", AUTH_TYPE_HBA},
    {"ldap", AUTH_TYPE_LDAP},
    {"pam", AUTH_TYPE_PAM},
    {NULL, 0},
};

const struct value_word binding_policy_words[] = {
    {"disable", BINDING_DISABLE},
    {"prefer", BINDING_PREFER},
    {"require", BINDING_REQUIRE},
    {NULL, 0},
};

static const struct value_word hidden_state_words[] = {
    {"trust", HIDDEN_STATE_TRUST},
    {"reset", HIDDEN_STATE_RESET},
    {NULL, 0},
};

static const struct value_word log_format_words[] = {
    {"pgbouncer", LOG_FORMAT_PGBOUNCER},
    {"json", LOG_FORMAT_JSON},
    {NULL, 0},
};

const struct value_word pool_mode_words[] = {
    {"session", POOL_MODE_SESSION},
    {"transaction", POOL_MODE_TRANSACTION},
    {"statement", POOL_MODE_STATEMENT},
    {NULL, 0},
};

const struct value_word sslmode_words[] = {
    {"disable", SSLMODE_DISABLE},
    {"allow", SSLMODE_ALLOW},
    {"prefer", SSLMODE_PREFER},
    {"require", SSLMODE_REQUIRE},
    {"verify-ca", SSLMODE_VERIFY_CA},
    {"verify-full", SSLMODE_VERIFY_FULL},
    {NULL, 0},
};

const struct value_word sslnegotiation_words[] = {
    {"postgres", SSLNEGOTIATION_POSTGRES},
    {"direct", SSLNEGOTIATION_DIRECT},
    {NULL, 0},
};

static const struct value_word transaction_safety_words[] = {
    {"full", TRANSACTION_SAFETY_FULL},
    {"pin", TRANSACTION_SAFETY_PIN},
    {"pgbouncer", TRANSACTION_SAFETY_PGBOUNCER},
    {NULL, 0},
};

static const struct value_word upstream_pooled_words[] = {
    {"direct", UPSTREAM_POOLED_DIRECT},
    {"keep", UPSTREAM_POOLED_KEEP},
    {NULL, 0},
};

#define AT(field) offsetof(struct config, field)
#define SETTING_BOOL(name, ini, url, flags, help)                                                  \
    {#name, SETTING_KIND_BOOL, flags, ini, url, 0, 1, NULL, help, AT(name)},
#define SETTING_INT(name, ini, url, min, max, flags, help)                                         \
    {#name, SETTING_KIND_INT, flags, ini, url, min, max, NULL, help, AT(name)},
#define SETTING_DURATION(name, ini, url, min, max, flags, help)                                    \
    {#name, SETTING_KIND_DURATION, flags, ini, url, min, max, NULL, help, AT(name##_us)},
#define SETTING_SIZE(name, ini, url, min, max, flags, help)                                        \
    {#name, SETTING_KIND_SIZE, flags, ini, url, min, max, NULL, help, AT(name##_bytes)},
#define SETTING_ENUM(name, type, words, ini, url, flags, help)                                     \
    {#name, SETTING_KIND_ENUM, flags, ini, url, 0, 0, words, help, AT(name)},
#define SETTING_STRING(name, ini, url, flags, help)                                                \
    {#name, SETTING_KIND_STRING, flags, ini, url, 0, 0, NULL, help, AT(name)},
#define SETTING_LIST(name, ini, url, flags, help)                                                  \
    {#name, SETTING_KIND_LIST, flags, ini, url, 0, 0, NULL, help, AT(name)},

static const struct setting rows[SETTING_COUNT] = {
#include "conf/setting_list.h"
};

/* Enums are stored through an int: the compiler's choice for all of ours, see setting_store. */
static_assert(sizeof(enum pool_mode) == sizeof(int), "enums are as wide as int");

static void *field_of(const struct setting *s, struct config *cfg)
{
    return (char *)cfg + s->offset;
}

static const void *field_in(const struct setting *s, const struct config *cfg)
{
    return (const char *)cfg + s->offset;
}

const struct setting *setting_at(enum setting_id id)
{
    return &rows[id];
}

enum setting_id setting_id_of(const struct setting *s)
{
    return (enum setting_id)(s - rows);
}

static int compare_name(const void *key, const void *row)
{
    const struct span *name = key;
    const char *other = ((const struct setting *)row)->name;
    int order = strncmp((const char *)name->p, other, name->n);
    return order ? order : -(int)(other[name->n] != '\0');
}

const struct setting *setting_find(struct span name)
{
    if (name.n == 0 || memchr(name.p, 0, name.n))
        return NULL;
    return bsearch(&name, rows, SETTING_COUNT, sizeof rows[0], compare_name);
}

const char *setting_default(const struct setting *s, enum config_profile profile)
{
    return profile == CONFIG_URL ? s->url_default : s->ini_default;
}

const char *setting_kind_name(const struct setting *s)
{
    switch (s->kind) {
    case SETTING_KIND_BOOL:
        return "boolean";
    case SETTING_KIND_INT:
        return "integer";
    case SETTING_KIND_DURATION:
        return "duration";
    case SETTING_KIND_SIZE:
        return "size";
    case SETTING_KIND_ENUM:
        return "enum";
    case SETTING_KIND_STRING:
        return "string";
    case SETTING_KIND_LIST:
        return "list";
    }
    return "?";
}

static uint64_t duration_unit_us(const struct setting *s)
{
    return s->flags & SETTING_MS ? US_PER_MS : US_PER_S;
}

static bool store_int(const struct setting *s, int *field, const char *text, struct error *err)
{
    int64_t v = 0;
    bool unlimited = (s->flags & SETTING_ZERO_UNLIMITED) && strcmp(text, "unlimited") == 0;
    if (!unlimited && !value_int(text, s->min, s->max, &v, err)) {
        if (s->flags & SETTING_OCTAL)
            error_set(err, "", "\"%.60s\" is no file mode such as 0770, with its leading 0", text);
        return false;
    }
    *field = (int)v;
    return true;
}

/* Enum fields have different types, which may not be written through an int pointer. */
static bool store_enum(const struct setting *s, void *field, const char *text, struct error *err)
{
    int v;
    if (!value_enum(text, s->words, &v, err))
        return false;
    memcpy(field, &v, sizeof v);
    return true;
}

static void store_text(const struct setting *s, char **field, const char *text)
{
    char *copy = xstrdup(text);
    if (s->flags & SETTING_SECRET)
        secret_free(field);
    free(*field);
    *field = copy;
}

bool setting_store(const struct setting *s, struct config *cfg, const char *text, struct error *err)
{
    void *field = field_of(s, cfg);
    switch (s->kind) {
    case SETTING_KIND_BOOL:
        return value_bool(text, field, err);
    case SETTING_KIND_INT:
        return store_int(s, field, text, err);
    case SETTING_KIND_DURATION:
        return value_duration(text, duration_unit_us(s), (uint64_t)s->min, (uint64_t)s->max, field,
                              err);
    case SETTING_KIND_SIZE:
        return value_size(text, (uint64_t)s->min, (uint64_t)s->max, field, err);
    case SETTING_KIND_ENUM:
        return store_enum(s, field, text, err);
    case SETTING_KIND_STRING:
    case SETTING_KIND_LIST:
        store_text(s, field, text);
        return true;
    }
    return error_set(err, "", "unknown kind of setting");
}

void setting_copy(const struct setting *s, struct config *to, const struct config *from)
{
    switch (s->kind) {
    case SETTING_KIND_BOOL:
        memcpy(field_of(s, to), field_in(s, from), sizeof(bool));
        return;
    case SETTING_KIND_INT:
    case SETTING_KIND_ENUM:
        memcpy(field_of(s, to), field_in(s, from), sizeof(int));
        return;
    case SETTING_KIND_DURATION:
    case SETTING_KIND_SIZE:
        memcpy(field_of(s, to), field_in(s, from), sizeof(uint64_t));
        return;
    case SETTING_KIND_STRING:
    case SETTING_KIND_LIST:
        store_text(s, field_of(s, to), *(char *const *)field_in(s, from));
        return;
    }
}

char *setting_text(const struct setting *s, const struct config *cfg)
{
    const void *field = field_in(s, cfg);
    int as_int;
    switch (s->kind) {
    case SETTING_KIND_BOOL:
        return xstrdup(*(const bool *)field ? "1" : "0");
    case SETTING_KIND_INT:
        as_int = *(const int *)field;
        return xasprintf(s->flags & SETTING_OCTAL ? "%#o" : "%d", as_int);
    case SETTING_KIND_DURATION:
        return value_duration_text(*(const uint64_t *)field, duration_unit_us(s));
    case SETTING_KIND_SIZE:
        return value_size_text(*(const uint64_t *)field);
    case SETTING_KIND_ENUM:
        memcpy(&as_int, field, sizeof as_int);
        return xstrdup(value_enum_word(s->words, as_int));
    case SETTING_KIND_STRING:
    case SETTING_KIND_LIST:
        return xstrdup(*(char *const *)field);
    }
    return xstrdup("?");
}

bool setting_equal(const struct setting *s, const struct config *a, const struct config *b)
{
    char *x = setting_text(s, a), *y = setting_text(s, b);
    bool equal = strcmp(x, y) == 0;
    free(x);
    free(y);
    return equal;
}

void setting_clear(const struct setting *s, struct config *cfg)
{
    if (s->kind != SETTING_KIND_STRING && s->kind != SETTING_KIND_LIST)
        return;
    char **field = field_of(s, cfg);
    if (s->flags & SETTING_SECRET)
        secret_free(field);
    free(*field);
    *field = NULL;
}

bool setting_accepts(const struct setting *s, const char *text, struct error *err)
{
    struct config *scratch = xcalloc(1, sizeof *scratch);
    bool ok = setting_store(s, scratch, text, err);
    setting_clear(s, scratch);
    free(scratch);
    return ok;
}
