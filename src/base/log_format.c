/* SPDX-License-Identifier: PostgreSQL */
/* log_format.c - the shapes of a line of the log. */
#include "base/log_format.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

/* PgBouncer cuts at 2047 bytes, too; what reads its log counts on no more. */
#define TEXT_MAX 2047
/* The longest piece that JSON makes of one character, then what ends the line. */
#define JSON_PIECE 6
#define JSON_END "\"}\n"

static const struct level_row {
    const char *name;
    int priority;
} levels[] = {
    [LOG_FATAL_LEVEL] = {"FATAL", LOG_CRIT},        [LOG_ERROR_LEVEL] = {"ERROR", LOG_ERR},
    [LOG_WARNING_LEVEL] = {"WARNING", LOG_WARNING}, [LOG_INFO_LEVEL] = {"LOG", LOG_INFO},
    [LOG_DEBUG_LEVEL] = {"DEBUG", LOG_DEBUG},       [LOG_NOISE_LEVEL] = {"NOISE", LOG_DEBUG},
};

int log_priority(enum log_level level)
{
    return levels[level].priority;
}

/* ---- text ------------------------------------------------------------------------------ */

static size_t text_head(char *out, size_t size, enum log_level level, uint64_t wall_us, pid_t pid)
{
    time_t seconds = (time_t)(wall_us / US_PER_S);
    struct tm tm;
    localtime_r(&seconds, &tm);
    size_t n = strftime(out, size, "%Y-%m-%d %H:%M:%S", &tm);
    n += (size_t)snprintf(out + n, size - n, ".%03u %s [%d] %s ",
                          (unsigned)(wall_us % US_PER_S / US_PER_MS), tm.tm_zone ? tm.tm_zone : "",
                          (int)pid, levels[level].name);
    return n;
}

/* A line break is followed by a tab, as in PgBouncer's log: what comes behind it can be read, and
 * not be taken for a line of ours. The journal would make two entries of it. */
static size_t text_message(char *out, size_t n, const char *message, bool breaks)
{
    for (; *message && n < TEXT_MAX; message++) {
        unsigned char c = (unsigned char)*message;
        if (c == '\n' && breaks) {
            out[n++] = '\n';
            out[n++] = '\t';
        } else {
            out[n++] = (c < 0x20 && c != '\t') || c == 0x7f ? ' ' : *message;
        }
    }
    out[n++] = '\n';
    return n;
}

/* ---- JSON ------------------------------------------------------------------------------ */

/* RFC 8259 section 7; bytes that are no UTF-8 become the replacement character. */
static size_t json_message(char *out, size_t n, const char *message)
{
    const unsigned char *s = (const unsigned char *)message, *end = s + strlen(message);
    while (s < end && n + JSON_PIECE + sizeof JSON_END < LOG_LINE_MAX) {
        size_t len = utf8_step(span_of(s, (size_t)(end - s)));
        if (*s == '"' || *s == '\\') {
            out[n++] = '\\';
            out[n++] = (char)*s;
        } else if (*s < 0x20 || *s == 0x7f) {
            n += (size_t)snprintf(out + n, LOG_LINE_MAX - n, "\\u%04x", *s);
        } else if (len == 0) {
            n += (size_t)snprintf(out + n, LOG_LINE_MAX - n, "\\ufffd");
        } else {
            memcpy(out + n, s, len);
            n += len;
        }
        s += len ? len : 1;
    }
    memcpy(out + n, JSON_END, sizeof JSON_END - 1);
    return n + sizeof JSON_END - 1;
}

static size_t json_head(char *out, size_t size, enum log_level level, uint64_t wall_us, pid_t pid)
{
    time_t seconds = (time_t)(wall_us / US_PER_S);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(out, size, "{\"time\":\"%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(out + n, size - n, ".%03uZ\",\"pid\":%d,\"level\":\"%s\",\"message\":\"",
                          (unsigned)(wall_us % US_PER_S / US_PER_MS), (int)pid, levels[level].name);
    return n;
}

size_t log_format(char out[LOG_LINE_MAX], enum log_shape shape, enum log_level level,
                  uint64_t wall_us, pid_t pid, const char *message)
{
    switch (shape) {
    case LOG_SHAPE_JSON:
        return json_message(out, json_head(out, LOG_LINE_MAX, level, wall_us, pid), message);
    case LOG_SHAPE_JOURNAL: {
        int n = snprintf(out, LOG_LINE_MAX, "<%d>%s ", levels[level].priority, levels[level].name);
        return text_message(out, (size_t)n, message, false);
    }
    case LOG_SHAPE_TEXT:
        break;
    }
    return text_message(out, text_head(out, LOG_LINE_MAX, level, wall_us, pid), message, true);
}
