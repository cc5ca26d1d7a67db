/* SPDX-License-Identifier: PostgreSQL */
/* play.h - plays one script. */
#ifndef REPLAY_PLAY_H
#define REPLAY_PLAY_H

#include <stdbool.h>
#include <stddef.h>

/* False, and file, line and reason on stderr, if it does not hold. `piece`: how many bytes the
 * program reads at a time; 0: all that is there. */
bool play_file(const char *path, size_t piece);

#endif
