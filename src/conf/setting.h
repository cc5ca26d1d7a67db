/* SPDX-License-Identifier: PostgreSQL */
/* setting.h - the one table of settings: name, kind, unit, defaults, range, meaning.
 *
 * The rows stand in setting_list.h, from which both the fields of `struct config` and the table
 * behind these functions are made, so neither can be forgotten. SHOW CONFIG, --check, the manual
 * and the sample file read the table; the rest of the program reads the fields. */
#ifndef CONF_SETTING_H
#define CONF_SETTING_H

#include <stddef.h>

#include "base/error.h"
#include "conf/value.h"

struct config;

/* Who starts us decides the defaults. */
enum config_profile {
    CONFIG_INI, /* PgBouncer's defaults for PgBouncer's settings */
    CONFIG_URL, /* one URL in front of one database service */
};

enum setting_kind {
    SETTING_KIND_BOOL,     /* bool */
    SETTING_KIND_INT,      /* int */
    SETTING_KIND_DURATION, /* uint64_t, microseconds */
    SETTING_KIND_SIZE,     /* uint64_t, bytes */
    SETTING_KIND_ENUM,     /* int-sized enum, printed as its word */
    SETTING_KIND_STRING,   /* char *, owned, never NULL: unset is "" */
    SETTING_KIND_LIST,     /* as a string; read with value_list_next, value_list_has */
};

enum setting_flag {
    SETTING_RELOAD = 1 << 0,         /* takes effect on reload; without it, at the next start */
    SETTING_ZERO_UNLIMITED = 1 << 1, /* 0 means no limit; may be written `unlimited` */
    SETTING_NULL = 1 << 2,           /* PgBouncer shows its default as NULL */
    SETTING_MS = 1 << 3,             /* a duration whose bare numbers are milliseconds */
    SETTING_OCTAL = 1 << 4,          /* printed in octal: file modes */
    SETTING_INERT = 1 << 5,          /* accepted and kept, but changes nothing in this version */
    SETTING_OWN = 1 << 6,            /* not a setting of PgBouncer */
    SETTING_SECRET = 1 << 7,         /* its value is never printed */
    SETTING_NEEDLESS = 1 << 8,       /* PgBouncer needs it, here it has nothing to change */
};

struct setting {
    const char *name;
    enum setting_kind kind;
    unsigned flags;
    const char *ini_default, *url_default; /* as text; never NULL */
    int64_t min, max;                      /* numbers: bounds in the unit of the field */
    const struct value_word *words;        /* enums: what may be written */
    const char *help;                      /* one line, no full stop */
    size_t offset;                         /* of the field in struct config */
};

/* Words that keys of [databases] and parameters of a URL share with settings. */
extern const struct value_word binding_policy_words[], pool_mode_words[], sslmode_words[],
    sslnegotiation_words[];

/* Index of each row, for tables beside the settings. SETTING_<name> in the order of the list. */
enum setting_id {
#define SETTING_BOOL(name, ...) SETTING_##name,
#define SETTING_INT(name, ...) SETTING_##name,
#define SETTING_DURATION(name, ...) SETTING_##name,
#define SETTING_SIZE(name, ...) SETTING_##name,
#define SETTING_ENUM(name, ...) SETTING_##name,
#define SETTING_STRING(name, ...) SETTING_##name,
#define SETTING_LIST(name, ...) SETTING_##name,
#include "conf/setting_list.h"
    SETTING_COUNT
};

/* The row with that number; alphabetical by name. */
const struct setting *setting_at(enum setting_id id);
/* NULL if no setting has that name (names are lower case). */
const struct setting *setting_find(struct span name);
enum setting_id setting_id_of(const struct setting *s);
const char *setting_default(const struct setting *s, enum config_profile profile);
/* "boolean", "integer", "duration", "size", "enum", "string", "list": for --check and the manual.
 */
const char *setting_kind_name(const struct setting *s);

/* Reads text into the field of cfg, replacing what it held. On failure the field is untouched. */
bool setting_store(const struct setting *s, struct config *cfg, const char *text,
                   struct error *err);
/* Whether setting_store would take the text. */
bool setting_accepts(const struct setting *s, const char *text, struct error *err);
/* The value as it is: also one that no text would be read as. */
void setting_copy(const struct setting *s, struct config *to, const struct config *from);
/* The field of cfg as owned text that setting_store would read back. */
char *setting_text(const struct setting *s, const struct config *cfg);
/* Whether both hold the same value. */
bool setting_equal(const struct setting *s, const struct config *a, const struct config *b);
/* Frees what the field owns. */
void setting_clear(const struct setting *s, struct config *cfg);

#endif
