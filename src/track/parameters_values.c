/* SPDX-License-Identifier: PostgreSQL */
/* parameters_values.c - a value as PostgreSQL would report it.
 *
 * A client says DateStyle=iso and PostgreSQL reports "ISO, MDY". Knowing that beforehand saves a
 * SET each time such a client meets a server, and lets its login report what drivers look for. Only
 * what cannot be wrong is rewritten; everything else goes to the server as it is, which judges it
 * and reports its own spelling. */
#include "track/parameters_impl.h"

#include "base/str.h"

#include <stdio.h>

struct word {
    const char *said, *meant;
};

static const char *find_word(const struct word *words, size_t n, struct span said)
{
    for (size_t i = 0; i < n; i++) {
        if (span_is_nocase(said, words[i].said))
            return words[i].meant;
    }
    return NULL;
}

/* encnames.c: letters and digits of an encoding's name count, their case does not. The common ones;
 * others are left to the server. */
static const char *encoding(struct span said)
{
    static const struct word words[] = {
        {"utf8", "UTF8"},        {"unicode", "UTF8"},        {"sqlascii", "SQL_ASCII"},
        {"latin1", "LATIN1"},    {"iso88591", "LATIN1"},     {"latin9", "LATIN9"},
        {"iso885915", "LATIN9"}, {"win1251", "WIN1251"},     {"windows1251", "WIN1251"},
        {"win1252", "WIN1252"},  {"windows1252", "WIN1252"}, {"latin2", "LATIN2"},
        {"iso88592", "LATIN2"},  {"eucjp", "EUC_JP"},        {"sjis", "SJIS"},
    };
    char name[32];
    size_t n = 0;
    for (size_t i = 0; i < said.n; i++) {
        uint8_t c = said.p[i];
        bool counts = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (c >= 0x80 || n == sizeof name)
            return NULL;
        if (counts)
            name[n++] = (char)c;
    }
    return find_word(words, sizeof words / sizeof *words, span_of(name, n));
}

static const char *interval_style(struct span said)
{
    static const struct word words[] = {
        {"postgres", "postgres"},
        {"postgres_verbose", "postgres_verbose"},
        {"sql_standard", "sql_standard"},
        {"iso_8601", "iso_8601"},
    };
    return find_word(words, sizeof words / sizeof *words, said);
}

/* bool.c, parse_bool, without its abbreviations. */
static const char *boolean(struct span said)
{
    static const struct word words[] = {
        {"on", "on"},   {"true", "on"},   {"yes", "on"}, {"1", "on"},
        {"off", "off"}, {"false", "off"}, {"no", "off"}, {"0", "off"},
    };
    return find_word(words, sizeof words / sizeof *words, said);
}

/* ---- DateStyle: a style and an order of the fields, each of which may be left as it was ---- */

struct date_style {
    const char *style, *order;
    bool style_given, order_given;
    bool known; /* every word was */
};

static void take_style(struct date_style *d, const char *style)
{
    if (d->style_given && d->style != style)
        d->known = false; /* conflicting: the server says so */
    d->style = style;
    d->style_given = true;
}

static void take_order(struct date_style *d, const char *order)
{
    if (d->order_given && d->order != order)
        d->known = false;
    d->order = order;
    d->order_given = true;
}

/* variable.c, check_datestyle; DEFAULT, which means the value at session start, is not followed. */
static void date_style_word(void *arg, struct span word)
{
    static const char iso[] = "ISO", sql[] = "SQL", postgres[] = "Postgres", german[] = "German";
    static const char ymd[] = "YMD", dmy[] = "DMY", mdy[] = "MDY";
    struct date_style *d = arg;
    if (span_is_nocase(word, "iso"))
        take_style(d, iso);
    else if (span_is_nocase(word, "sql"))
        take_style(d, sql);
    else if (span_is_nocase(word, "postgres"))
        take_style(d, postgres);
    else if (span_is_nocase(word, "german"))
        take_style(d, german);
    else if (span_is_nocase(word, "ymd"))
        take_order(d, ymd);
    else if (span_is_nocase(word, "dmy") || span_is_nocase(word, "european"))
        take_order(d, dmy);
    else if (span_is_nocase(word, "mdy") || span_is_nocase(word, "us"))
        take_order(d, mdy);
    else
        d->known = false;
    /* "German" brings its order along unless another one is named. */
    if (d->style == german && !d->order_given)
        d->order = dmy;
}

static const char *date_style(struct span said, const struct span *before, char *out)
{
    struct date_style d = {.known = true};
    if (before) {
        if (!param_list_split(*before, date_style_word, &d) || !d.known)
            return NULL;
        d.style_given = d.order_given = false;
    }
    if (!param_list_split(said, date_style_word, &d) || !d.known || !d.style || !d.order)
        return NULL;
    snprintf(out, PARAM_CANONICAL_MAX, "%s, %s", d.style, d.order);
    return out;
}

/* ---- application_name: PostgreSQL cuts it to 63 bytes, with a notice each time ---- */

#define NAME_BYTES 63

static struct span cut_name(struct span said)
{
    size_t n = said.n;
    if (n > NAME_BYTES) {
        n = NAME_BYTES;
        /* Not inside a character of UTF-8. */
        while (n && (said.p[n] & 0xc0) == 0x80)
            n--;
    }
    return span_of(said.p, n);
}

struct span param_value_canonical(struct span name, struct span value, const struct span *before,
                                  char out[PARAM_CANONICAL_MAX])
{
    const char *meant = NULL;
    if (span_is(name, "application_name"))
        return cut_name(value);
    if (span_is(name, "DateStyle"))
        meant = date_style(value, before, out);
    else if (span_is(name, "client_encoding"))
        meant = encoding(value);
    else if (span_is(name, "IntervalStyle"))
        meant = interval_style(value);
    else if (span_is(name, "standard_conforming_strings") ||
             span_is(name, "default_transaction_read_only"))
        meant = boolean(value);
    return meant ? span_str(meant) : value;
}
