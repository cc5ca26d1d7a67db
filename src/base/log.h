/* SPDX-License-Identifier: PostgreSQL */
/* log.h - one line per event, written at once with one write(2), from any thread.
 *
 * The shapes of a line are in log_format.h. Callers never pass secrets. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>

enum log_level {
    LOG_FATAL_LEVEL,
    LOG_ERROR_LEVEL,
    LOG_WARNING_LEVEL,
    LOG_INFO_LEVEL, /* shown as LOG, as in PostgreSQL */
    LOG_DEBUG_LEVEL,
    LOG_NOISE_LEVEL,
};

struct error;

struct log_options {
    enum log_level most;
    bool json;
    bool to_stderr;
    const char *file; /* appended to; "": none */
    bool to_syslog;
    const char *syslog_ident;
    int syslog_facility; /* LOG_DAEMON … of syslog(3) */
};

/* Before threads start, or from the main thread. Lines go to stderr alone until log_configure. */
void log_set_level(enum log_level most);
void log_set_stderr(bool on);
/* JSON, or text: towards the journal, if stderr leads there, in its own form. */
void log_set_json(bool on);
/* Opens the destinations, a file anew each time, so that it may have been moved away. False: the
 * file could not be opened, and everything is as before. */
bool log_configure(const struct log_options *o, struct error *err);

/* Called with each message that is logged, by the thread that logs it, without prefix and time.
 * Before threads start; NULL, when no other thread is left, ends it. */
void log_observe(void (*fn)(void *owner, enum log_level level, const char *text), void *owner);

bool log_wants(enum log_level level);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_vline(enum log_level level, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

#define log_fatal(...) log_line(LOG_FATAL_LEVEL, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR_LEVEL, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING_LEVEL, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO_LEVEL, __VA_ARGS__)
#define log_debug(...)                                                                             \
    do {                                                                                           \
        if (log_wants(LOG_DEBUG_LEVEL))                                                            \
            log_line(LOG_DEBUG_LEVEL, __VA_ARGS__);                                                \
    } while (0)

#endif
