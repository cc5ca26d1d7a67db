/* SPDX-License-Identifier: PostgreSQL */
/* conf_files.c - reading a small file whole. */
#include "conf/conf_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { READ_STEP = 64 * 1024 };

void conf_wipe(struct buf *text)
{
    if (text->data)
        mem_wipe(text->data, text->cap);
    buf_reset(text);
}

/* Reads to the end without ever leaving a copy behind in memory that the buffer has outgrown. */
static bool read_all(int fd, const char *path, struct buf *out, struct error *err)
{
    for (;;) {
        if (buf_len(out) + READ_STEP > out->cap) {
            struct buf larger = {0};
            buf_reserve(&larger, 2 * out->cap + READ_STEP);
            buf_append(&larger, buf_span(out).p, buf_len(out));
            conf_wipe(out);
            *out = larger;
        }
        ssize_t n = read(fd, buf_reserve(out, READ_STEP), READ_STEP);
        if (n == 0)
            return true;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(err, "", "cannot read \"%.120s\": %s", path, strerror(errno));
        buf_commit(out, (size_t)n);
        if (buf_len(out) > CONF_FILE_MAX)
            return error_set(err, "", "\"%.120s\" is larger than %d bytes", path, CONF_FILE_MAX);
    }
}

bool conf_read_from_disk(const char *path, struct buf *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_set(err, "", "cannot open \"%.120s\": %s", path, strerror(errno));
    struct stat st;
    bool ok = false;
    if (fstat(fd, &st) != 0)
        error_set(err, "", "cannot read \"%.120s\": %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
        error_set(err, "", "\"%.120s\" is not a regular file", path);
    else
        ok = read_all(fd, path, out, err);
    close(fd);
    return ok;
}
