/* SPDX-License-Identifier: PostgreSQL */
/* conf_ini.h - settings from a file in the form of pgbouncer.ini.
 *
 *     ; or # begins a comment, as the first character of a line only
 *     [pgballast]                  or [pgbouncer], [databases], [users], [peers]
 *     name = value                 up to the end of the line, without the blanks around it
 *     'a name' = value             any name; "a name" too
 *     %include path                relative to the working directory; the section goes on inside
 *
 * Lines end with LF or CR LF and may have up to CONF_LINE_MAX bytes. There are no continuation
 * lines and no comments behind values. */
#ifndef CONF_CONF_INI_H
#define CONF_CONF_INI_H

#include "conf/config.h"
#include "conf/conf_files.h"

enum {
    CONF_LINE_MAX = 64 * 1024,
    CONF_INCLUDE_DEPTH = 10,
    CONF_INCLUDE_FILES = 1000, /* in all: depth alone would allow an explosion */
};

/* Reads the file and everything it includes into cfg. Reports every bad line with its file and
 * number, and goes on; false if there was any. cfg is then to be thrown away. */
bool conf_ini_read(struct config *cfg, const char *path, conf_read_file *read_file,
                   struct config_sink *sink) __attribute__((warn_unused_result));

#endif
