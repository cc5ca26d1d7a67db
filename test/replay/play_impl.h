/* SPDX-License-Identifier: PostgreSQL */
/* play_impl.h - one script being played; shared by play*.c. */
#ifndef REPLAY_PLAY_IMPL_H
#define REPLAY_PLAY_IMPL_H

#include "replay/actor.h"
#include "replay/notation.h"
#include "replay/stage.h"

struct play {
    const char *path;
    unsigned line;
    size_t piece;
    bool failed;
    bool is_over; /* the rest of the script is not played */
    bool is_held; /* nothing moves by itself: hold … go */

    struct stage stage;
    struct cast cast;
    struct bindings bindings;
};

/* Says where and why, once for each script. */
void play_fail(struct play *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Until nobody has anything to do before the clock moves on. */
void play_settle(struct play *p);
void play_pass_time(struct play *p, uint64_t us);
/* Starts the program if it has not started; false and a failure if that is not possible. */
bool play_started(struct play *p);
/* NULL and a failure if nobody has that name. */
struct actor *play_find(struct play *p, const char *name);

/* play_scene.c: commands that begin with a verb. False: it is none of them. */
bool play_scene(struct play *p, const struct word *w, size_t n);
/* play_talk.c: commands that begin with an actor's name. */
void play_talk(struct play *p, const struct word *w, size_t n);
/* Nobody may have said anything that was not expected. */
void play_check_all_heard(struct play *p);

#endif
