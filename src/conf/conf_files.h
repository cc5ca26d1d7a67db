/* SPDX-License-Identifier: PostgreSQL */
/* conf_files.h - reading a small file whole, behind a function so that tests and fuzzers need none.
 */
#ifndef CONF_CONF_FILES_H
#define CONF_CONF_FILES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

/* Larger files are refused: thousands of databases fit into a megabyte. */
enum { CONF_FILE_MAX = 16 * 1024 * 1024 };

/* Appends the content of the file to out. On failure the error names the file and the cause. */
typedef bool conf_read_file(const char *path, struct buf *out, struct error *err);

/* The real one: a regular file or a pipe, up to CONF_FILE_MAX bytes. */
bool conf_read_from_disk(const char *path, struct buf *out, struct error *err);

/* Wipes what was read, then gives the memory back: configuration holds passwords. */
void conf_wipe(struct buf *text);

#endif
