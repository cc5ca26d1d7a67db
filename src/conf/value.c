/* SPDX-License-Identifier: PostgreSQL */
/* value.c - reading and printing the kinds of value that a configuration is written in. */
#include "conf/value.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

struct unit {
    const char *word;
    uint64_t factor;
};

static const struct unit duration_units[] = {
    {"us", 1},
    {"ms", US_PER_MS},
    {"s", US_PER_S},
    {"m", 60 * US_PER_S},
    {"min", 60 * US_PER_S},
    {"h", 3600 * US_PER_S},
    {"d", 86400 * US_PER_S},
    {NULL, 0},
};

static const struct unit size_units[] = {
    {"B", 1}, {"kB", 1024}, {"MB", 1024 * 1024}, {"GB", 1024 * 1024 * 1024}, {NULL, 0},
};

static bool read_int(const char *text, int base, int64_t min, int64_t max, int64_t *out,
                     struct error *err)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, base);
    if (end == text || *end)
        return error_set(err, "", "\"%.60s\" is not a whole number", text);
    if (errno || v < min || v > max)
        return error_set(err, "", "%.60s is outside the range %" PRId64 " to %" PRId64, text, min,
                         max);
    *out = v;
    return true;
}

bool value_int(const char *text, int64_t min, int64_t max, int64_t *out, struct error *err)
{
    return read_int(text, 0, min, max, out, err);
}

bool value_decimal(const char *text, int64_t min, int64_t max, int64_t *out, struct error *err)
{
    return read_int(text, 10, min, max, out, err);
}

bool value_bool(const char *text, bool *out, struct error *err)
{
    static const struct value_word words[] = {
        {"on", 1}, {"yes", 1}, {"true", 1}, {"off", 0}, {"no", 0}, {"false", 0}, {NULL, 0},
    };
    for (const struct value_word *w = words; w->word; w++) {
        if (strcasecmp(text, w->word) == 0) {
            *out = w->value != 0;
            return true;
        }
    }
    int64_t v;
    if (!value_int(text, INT32_MIN, INT32_MAX, &v, NULL))
        return error_set(err, "", "\"%.60s\" is neither on nor off", text);
    *out = v != 0;
    return true;
}

/* Blanks may stand between number and unit. False if the unit is none of the table's. */
static bool unit_factor(const char *text, const struct unit *units, uint64_t bare, uint64_t *out)
{
    text += strspn(text, " \t");
    if (*text == '\0') {
        *out = bare;
        return true;
    }
    for (const struct unit *u = units; u->word; u++) {
        if (strcasecmp(text, u->word) == 0) {
            *out = u->factor;
            return true;
        }
    }
    return false;
}

/* A number as strtod reads it, but neither infinite nor negative nor anything but digits first. */
static bool leading_number(const char *text, double *out, const char **end_out)
{
    text += *text == '+';
    bool digits =
        (*text >= '0' && *text <= '9') || (*text == '.' && text[1] >= '0' && text[1] <= '9');
    if (!digits)
        return false;
    char *end;
    *out = strtod(text, &end);
    *end_out = end;
    return isfinite(*out);
}

bool value_duration(const char *text, uint64_t bare_unit_us, uint64_t min_us, uint64_t max_us,
                    uint64_t *us_out, struct error *err)
{
    double number;
    const char *end;
    uint64_t factor;
    if (!leading_number(text, &number, &end) ||
        !unit_factor(end, duration_units, bare_unit_us, &factor))
        return error_set(
            err, "", "\"%.60s\" is not a duration such as 30, 1.5s, 500ms, 5min, 2h or 1d", text);
    /* Anything above 0 stays above 0, which often means "never". */
    double us = number * (double)factor;
    us = us > 0 && us < 1 ? 1 : us;
    if (us < (double)min_us || us > (double)max_us)
        return error_set(err, "", "%.60s is outside the range %gs to %gs", text,
                         (double)min_us / US_PER_S, (double)max_us / US_PER_S);
    *us_out = (uint64_t)(us + 0.5);
    return true;
}

bool value_size(const char *text, uint64_t min, uint64_t max, uint64_t *bytes_out,
                struct error *err)
{
    double number;
    const char *end;
    uint64_t factor;
    if (!leading_number(text, &number, &end) || !unit_factor(end, size_units, 1, &factor))
        return error_set(err, "", "\"%.60s\" is not a size such as 4096, 64kB, 1MB or 1GB", text);
    double bytes = number * (double)factor;
    if (bytes < (double)min || bytes > (double)max)
        return error_set(err, "", "%.60s is outside the range %" PRIu64 " to %" PRIu64 " bytes",
                         text, min, max);
    *bytes_out = (uint64_t)(bytes + 0.5);
    return true;
}

void value_enum_list(const struct value_word *words, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (const struct value_word *w = words; w->word && used < size; w++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", w->word);
}

bool value_enum(const char *text, const struct value_word *words, int *out, struct error *err)
{
    for (const struct value_word *w = words; w->word; w++) {
        if (strcasecmp(text, w->word) == 0) {
            *out = w->value;
            return true;
        }
    }
    char list[120];
    value_enum_list(words, list, sizeof list);
    return error_set(err, "", "\"%.40s\" is none of: %s", text, list);
}

const char *value_enum_word(const struct value_word *words, int value)
{
    for (const struct value_word *w = words; w->word; w++)
        if (w->value == value)
            return w->word;
    return "?";
}

char *value_duration_text(uint64_t us, uint64_t unit_us)
{
    /* Whole units, then the fraction by long division: exact, and without trailing zeros. */
    char fraction[24] = "";
    size_t n = 0;
    for (uint64_t rest = us % unit_us; rest && n < sizeof fraction - 1; rest = rest * 10 % unit_us)
        fraction[n++] = (char)('0' + rest * 10 / unit_us);
    fraction[n] = '\0';
    return xasprintf("%" PRIu64 "%s%s", us / unit_us, n ? "." : "", fraction);
}

char *value_size_text(uint64_t bytes)
{
    return xasprintf("%" PRIu64, bytes);
}

static bool is_separator(char c)
{
    return c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool value_list_next(const char **rest, struct span *word_out)
{
    const char *p = *rest;
    while (is_separator(*p))
        p++;
    const char *start = p;
    while (*p && !is_separator(*p))
        p++;
    *rest = p;
    *word_out = span_of(start, (size_t)(p - start));
    return p > start;
}

bool value_list_has(const char *list, struct span word)
{
    struct span each;
    while (value_list_next(&list, &each))
        if (span_equal(each, word))
            return true;
    return false;
}

/* --- TLS versions ----------------------------------------------------------------------------- */

enum { TLS_MINORS = 4, TLS_ALL = 0xf, TLS_SECURE = 0xc };

static const struct value_word tls_words[] = {
    {"tlsv1.0", 1 << 0},    {"tlsv1.1", 1 << 1},     {"tlsv1.2", 1 << 2},
    {"tlsv1.3", 1 << 3},    {"tlsv1", TLS_ALL},      {"all", TLS_ALL},
    {"secure", TLS_SECURE}, {"default", TLS_SECURE}, {NULL, 0},
};

/* One word of the list, up to `n` bytes. */
static bool take_tls_word(const char *p, size_t n, unsigned *set, struct error *err)
{
    char word[16];
    int versions = 0;
    bool away = n && p[0] == '!';
    snprintf(word, sizeof word, "%.*s", (int)(n - away), p + away);
    if (n - away >= sizeof word || !value_enum(word, tls_words, &versions, NULL))
        return error_set(err, "", "\"%.*s\" is no TLS version", (int)(n < 40 ? n : 40), p);
    *set = away ? *set & ~(unsigned)versions : *set | (unsigned)versions;
    return true;
}

bool value_tls_versions(const char *text, unsigned *lowest_out, unsigned *highest_out,
                        struct error *err)
{
    static const char between[] = ",: \t";
    unsigned set = 0, lowest = 0, highest = TLS_MINORS - 1;
    for (const char *p = text + strspn(text, between); *p; p += strspn(p, between)) {
        size_t n = strcspn(p, between);
        if (!take_tls_word(p, n, &set, err))
            return false;
        p += n;
    }
    if (!set)
        return error_set(err, "", "no TLS version is left");
    while (!(set & 1u << lowest))
        lowest++;
    while (!(set & 1u << highest))
        highest--;
    for (unsigned i = lowest; i <= highest; i++)
        if (!(set & 1u << i))
            return error_set(err, "", "TLS versions must follow one another, and 1.%u is left out",
                             i);
    *lowest_out = lowest;
    *highest_out = highest;
    return true;
}
