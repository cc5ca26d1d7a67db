/* SPDX-License-Identifier: PostgreSQL */
/* replay.c - plays a conversation, written as text, against the real client, server and relay.
 *
 *     replay [-v] [-s BYTES] FILE…
 *
 * Each script is played twice: with what actors say read as a whole, and byte by byte. What the
 * program says must be the same. -v shows the program's log, -s plays once with that many bytes at
 * a time. The language is in README of this folder; exit status 1 if a script does not hold. */
#include "replay/play.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int play_both(const char *path)
{
    static const size_t pieces[] = {0, 1};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        if (!play_file(path, pieces[i]))
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0, at = 1;
    const char *piece = NULL;
    log_set_stderr(false);
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "-v") == 0) {
            log_set_stderr(true);
            log_set_level(LOG_DEBUG_LEVEL);
        } else if (strcmp(argv[at], "-s") == 0 && at + 1 < argc) {
            piece = argv[++at];
        } else {
            fprintf(stderr, "usage: replay [-v] [-s BYTES] FILE...\n");
            return 2;
        }
    }
    for (; at < argc; at++)
        failed |= piece ? !play_file(argv[at], strtoul(piece, NULL, 10)) : play_both(argv[at]);
    return failed;
}
