/* SPDX-License-Identifier: PostgreSQL */
/* log.c - one line per event. The only mutable global of the program: level and destinations.
 *
 * Destinations are changed by the main thread while others write, without a lock: the descriptor of
 * the file keeps its number, and what it stands for is replaced by dup3(2). */
#include "base/log.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log_format.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

static atomic_int log_most = LOG_INFO_LEVEL;
static atomic_bool log_stderr = true;
static atomic_bool log_syslog;
static atomic_int log_shape = LOG_SHAPE_TEXT;
static atomic_bool log_journal; /* stderr goes to the journal */
static atomic_int log_file = -1;
/* openlog(3) keeps the pointer. */
static char *syslog_ident;

/* ---- destinations ---------------------------------------------------------------------- */

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

/* systemd.exec(5): JOURNAL_STREAM names device and inode of the socket. */
static bool stderr_is_journal(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    return text && sscanf(text, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_set_json(bool on)
{
    atomic_store_explicit(&log_shape, on ? LOG_SHAPE_JSON : LOG_SHAPE_TEXT, memory_order_relaxed);
    atomic_store_explicit(&log_journal, !on && stderr_is_journal(), memory_order_relaxed);
}

/* "" means nowhere: a file that was open is replaced by /dev/null. */
static bool open_file(const char *path, struct error *err)
{
    int old = atomic_load_explicit(&log_file, memory_order_relaxed);
    if (!path[0] && old < 0)
        return true;
    int fd = open(path[0] ? path : "/dev/null", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return error_set(err, "", "could not open log file \"%.100s\": %s", path, strerror(errno));
    if (old < 0) {
        atomic_store_explicit(&log_file, fd, memory_order_relaxed);
        return true;
    }
    bool ok = dup3(fd, old, O_CLOEXEC) >= 0;
    if (!ok)
        error_set(err, "", "could not reopen log file \"%.100s\": %s", path, strerror(errno));
    close(fd);
    return ok;
}

static void open_syslog(const struct log_options *o)
{
    char *before = syslog_ident;
    if (o->to_syslog) {
        syslog_ident = xstrdup(o->syslog_ident);
        openlog(syslog_ident, LOG_PID, o->syslog_facility);
        free(before);
    }
    atomic_store_explicit(&log_syslog, o->to_syslog, memory_order_relaxed);
}

bool log_configure(const struct log_options *o, struct error *err)
{
    if (!open_file(o->file, err))
        return false;
    open_syslog(o);
    log_set_json(o->json);
    log_set_stderr(o->to_stderr);
    log_set_level(o->most);
    return true;
}

/* ---- an observer ----------------------------------------------------------------------- */

static void (*observer)(void *owner, enum log_level level, const char *text);
static void *observer_owner;

void log_observe(void (*fn)(void *owner, enum log_level level, const char *text), void *owner)
{
    observer = fn;
    observer_owner = owner;
}

/* ---- lines ----------------------------------------------------------------------------- */

/* Nothing sensible is left to do when a destination itself fails. */
static void put(int fd, const char *line, size_t n)
{
    ssize_t ignored = write(fd, line, n);
    (void)ignored;
}

void log_vline(enum log_level level, const char *fmt, va_list ap)
{
    char message[2048], line[LOG_LINE_MAX];
    if (!log_wants(level))
        return;
    vsnprintf(message, sizeof message, fmt, ap);
    if (observer)
        observer(observer_owner, level, message);
    enum log_shape shape = (enum log_shape)atomic_load_explicit(&log_shape, memory_order_relaxed);
    size_t n = log_format(line, shape, level, clock_wall_us(), getpid(), message);
    int fd = atomic_load_explicit(&log_file, memory_order_relaxed);
    if (fd >= 0)
        put(fd, line, n);
    if (atomic_load_explicit(&log_syslog, memory_order_relaxed))
        syslog(log_priority(level), "%s", message);
    if (!atomic_load_explicit(&log_stderr, memory_order_relaxed))
        return;
    if (atomic_load_explicit(&log_journal, memory_order_relaxed))
        n = log_format(line, LOG_SHAPE_JOURNAL, level, 0, 0, message);
    put(STDERR_FILENO, line, n);
}

void log_line(enum log_level level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_vline(level, fmt, ap);
    va_end(ap);
}
