/* SPDX-License-Identifier: PostgreSQL */
/* value.h - the kinds of value that a configuration is written in, read from text and printed.
 *
 * Everything that pgbouncer.ini may contain is accepted (numbers in C notation, seconds without a
 * unit) and more (units, words for switches). No function here allocates but the two that print. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

/* A word and what it stands for; a table of them ends with a NULL word. */
struct value_word {
    const char *word;
    int value;
};

/* The longest duration that can be written: some 300 years. It serves as "never", which people
 * also write as the largest number of 31 or 32 bits. */
#define DURATION_MAX_US (10000000000ULL * 1000000ULL)

/* Decimal, 0x hexadecimal or 0 octal, in [min, max]. */
bool value_int(const char *text, int64_t min, int64_t max, int64_t *out, struct error *err);
/* Decimal also with leading zeros: the numbers in lines of [databases], [users] and [peers]. */
bool value_decimal(const char *text, int64_t min, int64_t max, int64_t *out, struct error *err);
/* A number (0 is off), or on/off, yes/no, true/false in any case. */
bool value_bool(const char *text, bool *out, struct error *err);
/* A number with an optional fraction and an optional unit: us, ms, s, min (m), h, d. Without a
 * unit it counts in bare_unit_us. The result is in [min_us, max_us]. */
bool value_duration(const char *text, uint64_t bare_unit_us, uint64_t min_us, uint64_t max_us,
                    uint64_t *us_out, struct error *err);
/* A number with an optional unit: B, kB, MB, GB (each 1024 times the one before). */
bool value_size(const char *text, uint64_t min, uint64_t max, uint64_t *bytes_out,
                struct error *err);
/* One of the words, in any case; the error lists them. */
bool value_enum(const char *text, const struct value_word *words, int *out, struct error *err);
/* The word for a value; "?" if there is none. */
const char *value_enum_word(const struct value_word *words, int value);

/* The words, comma-separated, cut to fit. */
void value_enum_list(const struct value_word *words, char *out, size_t size);

/* Owned text that reads back to the same value. Durations are printed in unit_us without naming
 * it, as PgBouncer prints them. */
char *value_duration_text(uint64_t us, uint64_t unit_us);
char *value_size_text(uint64_t bytes);

/* Lists are kept as written: words between commas and blanks. Returns false at the end; *rest is
 * moved behind the word. */
bool value_list_next(const char **rest, struct span *word_out);
bool value_list_has(const char *list, struct span word);

/* PgBouncer's lists of TLS versions: tlsv1.0 to tlsv1.3, tlsv1, all, secure, default, with commas
 * or colons between them; ! before a word takes away. Versions are numbers behind "TLS 1.". */
bool value_tls_versions(const char *text, unsigned *lowest_out, unsigned *highest_out,
                        struct error *err);

#endif
