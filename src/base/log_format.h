/* SPDX-License-Identifier: PostgreSQL */
/* log_format.h - the shapes of a line of the log. Pure: no clock, no destination.
 *
 * A peer cannot forge lines: control bytes of the message are replaced (text) or escaped (JSON),
 * and behind a line break stands a tab. */
#ifndef BASE_LOG_FORMAT_H
#define BASE_LOG_FORMAT_H

#include "base/log.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum log_shape {
    LOG_SHAPE_TEXT, /* 2026-01-31 12:00:00.123 CET [4711] LOG message */
    LOG_SHAPE_JSON, /* {"time":"2026-01-31T11:00:00.123Z","pid":4711,"level":"LOG","message":"…"} */
    LOG_SHAPE_JOURNAL, /* <6>LOG message: the journal knows time and pid (sd-daemon(3)) */
};

/* Enough for any line: longer messages are cut. */
#define LOG_LINE_MAX 4096

/* Writes the line with its newline and returns its length, without a NUL. */
size_t log_format(char out[LOG_LINE_MAX], enum log_shape shape, enum log_level level,
                  uint64_t wall_us, pid_t pid, const char *message);
/* Priority of syslog(3) for a level. */
int log_priority(enum log_level level);

#endif
