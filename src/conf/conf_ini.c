/* SPDX-License-Identifier: PostgreSQL */
/* conf_ini.c - settings from a file in the form of pgbouncer.ini.
 *
 * The parser is libinih, but what it is given is not what stands in the file. As packaged (its
 * options are fixed when the library is built) it cuts lines at 199 characters, names of sections
 * at 49, values at " ;", takes an indented line for a continuation, has neither line numbers nor
 * %include, and tells none of that to its caller. So a framer here reads the real lines, deals with
 * comments, sections' names, quoting and includes, knows the place of each line, and feeds libinih
 * lines in which nothing can be misunderstood:
 *
 *     [databases]
 *     k = +<hex digits>        a piece; more follow
 *     k = .<hex digits>        the last piece
 *
 * The pieces together are the key, a zero byte and the value. The handler puts them together and
 * is called at once for each line, so the place that the framer remembers is the right one. */
#include "conf/conf_ini.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/conf_pairs.h"

enum {
    PIECE_BYTES = 64, /* of payload per line fed: twice that in digits, far below libinih's 199 */
    FED_LINE_MAX = 2 * PIECE_BYTES + 8,
};

/* A file being read; includes form a stack. */
struct source {
    char *name;
    struct buf text;
    const char *p, *end;
    unsigned line;
    unsigned depth;
    struct source *includer;
};

struct reader {
    struct config *cfg;
    struct config_sink *sink;
    conf_read_file *read_file;
    struct source *source; /* innermost; NULL at the end */
    unsigned n_files;
    char *origin;        /* file:line of the line being fed */
    char section[16];    /* whose lines the framer passes on; "" before the first */
    bool section_is_fed; /* libinih knows about it */
    bool skips_section;  /* an unknown one: its lines would be errors that say nothing new */
    unsigned n_main;     /* how often the main section was met */
    struct buf payload;  /* framer: of the line being fed, from start on not yet fed */
    bool has_payload;
    struct buf joined; /* handler: pieces so far */
};

static bool complain(struct reader *r, const char *what)
{
    return config_report(r->sink, CONFIG_ERROR, r->origin, "%s", what);
}

/* --- files and lines ------------------------------------------------------------------------- */

static void close_source(struct reader *r)
{
    struct source *done = r->source;
    r->source = done->includer;
    conf_wipe(&done->text);
    free(done->name);
    free(done);
}

/* Makes the file the innermost source. */
static bool open_source(struct reader *r, const char *path)
{
    static const char bom[] = "\xef\xbb\xbf";
    struct error err;
    struct source *s = xcalloc(1, sizeof *s);
    s->name = xstrdup(path);
    s->depth = r->source ? r->source->depth + 1 : 0;
    s->includer = r->source;
    r->source = s;
    r->n_files++;
    if (!r->read_file(path, &s->text, &err)) {
        close_source(r);
        return complain(r, err.text);
    }
    struct span all = buf_span(&s->text);
    if (all.n >= 3 && memcmp(all.p, bom, 3) == 0)
        all = span_of(all.p + 3, all.n - 3);
    s->p = (const char *)all.p;
    s->end = all.n ? s->p + all.n : s->p;
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
    while (s.n && is_blank(s.p[0]))
        s = span_of(s.p + 1, s.n - 1);
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* The next line without its end and outer blanks; false when all files are read. */
static bool next_line(struct reader *r, struct span *line_out)
{
    while (r->source && r->source->p == r->source->end)
        close_source(r);
    struct source *s = r->source;
    if (!s)
        return false;
    size_t rest = (size_t)(s->end - s->p);
    const char *newline = memchr(s->p, '\n', rest);
    struct span line = span_of(s->p, newline ? (size_t)(newline - s->p) : rest);
    s->p += line.n + (newline ? 1 : 0);
    s->line++;
    free(r->origin);
    r->origin = xasprintf("%s:%u", s->name, s->line);
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    *line_out = trim(line);
    return true;
}

/* --- the framer ------------------------------------------------------------------------------ */

static const char *const section_names[] = {"pgballast", "pgbouncer", "databases", "users",
                                            "peers"};

static bool is_main_section(const char *section)
{
    return strcmp(section, "pgballast") == 0 || strcmp(section, "pgbouncer") == 0;
}

static void frame_section(struct reader *r, struct span line)
{
    struct span name = span_of(line.p + 1, line.n - 2);
    r->skips_section = true;
    for (size_t i = 0; i < sizeof section_names / sizeof section_names[0]; i++)
        if (span_to_str(name, r->section, sizeof r->section) && span_is(name, section_names[i]))
            r->skips_section = false;
    if (r->skips_section) {
        config_report(r->sink, CONFIG_ERROR, r->origin, "invalid section \"%.*s\"",
                      (int)(name.n < 60 ? name.n : 60), (const char *)name.p);
        return;
    }
    r->section_is_fed = false;
    if (is_main_section(r->section) && ++r->n_main > 1)
        config_report(r->sink, CONFIG_WARNING, r->origin,
                      "the main section comes again; PgBouncer would forget what the one before "
                      "has set, here both count");
}

static void frame_include(struct reader *r, struct span path)
{
    path = trim(path);
    if (path.n == 0) {
        complain(r, "%include names no file");
    } else if (r->source->depth + 1 > CONF_INCLUDE_DEPTH) {
        config_report(r->sink, CONFIG_ERROR, r->origin, "%%include is nested more than %d deep",
                      CONF_INCLUDE_DEPTH);
    } else if (r->n_files >= CONF_INCLUDE_FILES) {
        config_report(r->sink, CONFIG_ERROR, r->origin, "more than %d files are included",
                      CONF_INCLUDE_FILES);
    } else {
        char *name = xstrndup(path.p, path.n);
        if (!open_source(r, name))
            r->n_files--;
        free(name);
    }
}

static bool is_bare_key_byte(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == '*';
}

/* key = 1*bare / "'" *any "'" / DQUOTE *any DQUOTE ; a doubled quote inside is one
 * Appends it to the payload; *rest is moved behind it. */
static bool frame_key(struct reader *r, struct span *rest)
{
    size_t i = 0;
    uint8_t quote = rest->p[0];
    if (quote != '\'' && quote != '"') {
        while (i < rest->n && is_bare_key_byte(rest->p[i]))
            i++;
        buf_append(&r->payload, rest->p, i);
    } else {
        for (i = 1; i < rest->n; i++) {
            if (rest->p[i] == quote && (i + 1 == rest->n || rest->p[i + 1] != quote))
                break;
            i += rest->p[i] == quote;
            buf_append(&r->payload, rest->p + i, 1);
        }
        if (i == rest->n)
            return complain(r, "a quoted name has no end");
        i++;
    }
    if (buf_is_empty(&r->payload))
        return complain(r, "syntax error: expected name = value");
    buf_append(&r->payload, "", 1);
    *rest = span_of(rest->p + i, rest->n - i);
    return true;
}

static void frame_assignment(struct reader *r, struct span line)
{
    if (r->skips_section)
        return;
    if (r->section[0] == '\0') {
        complain(r, "there is a setting before the first section");
        return;
    }
    buf_clear(&r->payload);
    if (!frame_key(r, &line))
        return;
    line = trim(line);
    if (line.n == 0 || line.p[0] != '=') {
        complain(r, "syntax error: expected name = value");
        return;
    }
    line = trim(span_of(line.p + 1, line.n - 1));
    buf_append(&r->payload, line.p, line.n);
    r->has_payload = true;
}

static bool has_control_byte(struct span line)
{
    for (size_t i = 0; i < line.n; i++)
        if ((line.p[i] < 0x20 && line.p[i] != '\t') || line.p[i] == 0x7f)
            return true;
    return false;
}

static void frame_line(struct reader *r, struct span line)
{
    static const char include[] = "%include";
    size_t n = strlen(include);
    if (line.n == 0 || line.p[0] == ';' || line.p[0] == '#')
        return;
    if (line.n > CONF_LINE_MAX)
        config_report(r->sink, CONFIG_ERROR, r->origin, "the line is longer than %d bytes",
                      CONF_LINE_MAX);
    else if (has_control_byte(line))
        complain(r, "the line contains a control byte");
    else if (line.p[0] == '[' && line.p[line.n - 1] != ']')
        complain(r, "syntax error: a section is [name] and nothing else");
    else if (line.p[0] == '[')
        frame_section(r, line);
    else if (line.n > n && memcmp(line.p, include, n) == 0 && is_blank(line.p[n]))
        frame_include(r, span_of(line.p + n, line.n - n));
    else
        frame_assignment(r, line);
}

/* --- what libinih is fed, and what it hands on ------------------------------------------------ */

static char *feed_piece(struct reader *r, char *out)
{
    static const char digits[] = "0123456789abcdef";
    struct span rest = buf_span(&r->payload);
    size_t n = rest.n < PIECE_BYTES ? rest.n : PIECE_BYTES;
    bool last = n == rest.n;
    char *p = out;
    p += sprintf(p, "k = %c", last ? '.' : '+');
    for (size_t i = 0; i < n; i++) {
        *p++ = digits[rest.p[i] >> 4];
        *p++ = digits[rest.p[i] & 15];
    }
    *p++ = '\n';
    *p = '\0';
    buf_consume(&r->payload, n);
    r->has_payload = !last;
    return out;
}

/* ini_reader: as fgets. */
static char *feed(char *out, int size, void *stream)
{
    struct reader *r = stream;
    struct span line;
    if (size < FED_LINE_MAX)
        return NULL;
    while (!r->has_payload) {
        if (!next_line(r, &line))
            return NULL;
        frame_line(r, line);
    }
    if (r->section_is_fed)
        return feed_piece(r, out);
    snprintf(out, (size_t)size, "[%s]\n", r->section);
    r->section_is_fed = true;
    return out;
}

static void take_setting(struct reader *r, const char *key, const char *value)
{
    struct error err;
    const struct setting *s = setting_find(span_str(key));
    char *before = s ? r->cfg->origins[setting_id_of(s)] : NULL;
    if (before)
        config_report(r->sink, CONFIG_WARNING, r->origin, "%s is set again: %s counts no more", key,
                      before);
    if (!config_set(r->cfg, span_str(key), value, r->origin, &err))
        complain(r, err.text);
}

static void take(struct reader *r, const char *section, const char *key, const char *value)
{
    if (strcmp(section, "databases") == 0)
        conf_pairs_database(r->cfg, key, value, r->origin, r->sink);
    else if (strcmp(section, "users") == 0)
        conf_pairs_user(r->cfg, key, value, r->origin, r->sink);
    else if (strcmp(section, "peers") == 0)
        conf_pairs_peer(r->cfg, key, value, r->origin, r->sink);
    else
        take_setting(r, key, value);
}

static uint8_t nibble(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* ini_handler. The digits are our own, so nothing can be wrong with them. */
static int on_piece(void *user, const char *section, const char *name, const char *value)
{
    struct reader *r = user;
    (void)name;
    for (const char *p = value + 1; p[0] && p[1]; p += 2) {
        uint8_t byte = (uint8_t)(nibble(p[0]) << 4 | nibble(p[1]));
        buf_append(&r->joined, &byte, 1);
    }
    if (value[0] == '.') {
        buf_append(&r->joined, "", 1);
        const char *key = (const char *)buf_span(&r->joined).p;
        take(r, section, key, key + strlen(key) + 1);
        buf_clear(&r->joined);
    }
    return 1;
}

bool conf_ini_read(struct config *cfg, const char *path, conf_read_file *read_file,
                   struct config_sink *sink)
{
    unsigned errors_before = sink->n_errors;
    struct reader r = {.cfg = cfg, .sink = sink, .read_file = read_file};
    r.origin = xstrdup(path);
    if (open_source(&r, path)) {
        if (ini_parse_stream(feed, &r, on_piece, &r) != 0)
            complain(&r, "the ini library did not accept what it was fed");
        if (r.n_main == 0)
            config_report(sink, CONFIG_ERROR, path,
                          "main section missing: there is neither [pgballast] nor [pgbouncer]");
    }
    while (r.source)
        close_source(&r);
    conf_wipe(&r.payload);
    conf_wipe(&r.joined);
    free(r.origin);
    return sink->n_errors == errors_before;
}
