/* SPDX-License-Identifier: PostgreSQL */
/* log.c - one line per event. The only mutable global of the program: level and destination. */
#include "base/log.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {
    [LOG_FATAL_LEVEL] = "FATAL", [LOG_ERROR_LEVEL] = "ERROR", [LOG_WARNING_LEVEL] = "WARNING",
    [LOG_INFO_LEVEL] = "LOG",    [LOG_DEBUG_LEVEL] = "DEBUG", [LOG_NOISE_LEVEL] = "NOISE",
};

static atomic_int log_most = LOG_INFO_LEVEL;
static atomic_bool log_stderr = true;

void log_set_level(enum log_level most)
{
    atomic_store_explicit(&log_most, (int)most, memory_order_relaxed);
}

void log_set_stderr(bool on)
{
    atomic_store_explicit(&log_stderr, on, memory_order_relaxed);
}

bool log_wants(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_most, memory_order_relaxed);
}

void log_vline(enum log_level level, const char *fmt, va_list ap)
{
    char line[2048];
    if (!log_wants(level))
        return;
    uint64_t now = clock_wall_us();
    time_t seconds = (time_t)(now / US_PER_S);
    struct tm tm;
    localtime_r(&seconds, &tm);
    size_t n = strftime(line, sizeof line, "%Y-%m-%d %H:%M:%S", &tm);
    n += (size_t)snprintf(line + n, sizeof line - n, ".%03u %s [%d] %s ",
                          (unsigned)(now % US_PER_S / US_PER_MS), tm.tm_zone ? tm.tm_zone : "",
                          (int)getpid(), level_names[level]);
    size_t head = n;
    int more = vsnprintf(line + n, sizeof line - n - 1, fmt, ap);
    if (more > 0)
        n += (size_t)more;
    if (n > sizeof line - 2)
        n = sizeof line - 2;
    for (size_t i = head; i < n; i++) {
        if ((unsigned char)line[i] < 0x20 && line[i] != '\t')
            line[i] = ' ';
    }
    line[n++] = '\n';
    if (atomic_load_explicit(&log_stderr, memory_order_relaxed)) {
        /* Nothing sensible is left to do when stderr itself fails. */
        ssize_t ignored = write(STDERR_FILENO, line, n);
        (void)ignored;
    }
}

void log_line(enum log_level level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_vline(level, fmt, ap);
    va_end(ap);
}
