/* SPDX-License-Identifier: PostgreSQL */
/* play.c - reads a script line by line and plays it. */
#include "replay/play.h"

#include "replay/play_impl.h"
#include "support/fake_net.h"

#include <stdio.h>
#include <stdlib.h>

/* A program that is never at rest would turn for ever. */
#define TURNS_MAX 4000000

void play_fail(struct play *p, const char *fmt, ...)
{
    va_list ap;
    if (p->failed)
        return;
    p->failed = true;
    fprintf(stderr, "%s:%u: ", p->path, p->line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputs(p->piece ? " (read in pieces)\n" : "\n", stderr);
}

/* ---- moving ---------------------------------------------------------------------------- */

void play_settle(struct play *p)
{
    struct error err;
    bool ok = true;
    if (p->is_held)
        return;
    for (unsigned i = 0; i < TURNS_MAX; i++) {
        bool any = fake_turn();
        any |= cast_servers_act(&p->cast, &ok, &err);
        if (!ok) {
            play_fail(p, "%s", err.text);
            return;
        }
        if (!any)
            return;
    }
    play_fail(p, "the program does not come to rest");
}

void play_pass_time(struct play *p, uint64_t us)
{
    uint64_t until = fake_now() + us;
    while (!p->failed && !p->is_held && fake_next_deadline() <= until) {
        uint64_t next = fake_next_deadline();
        if (next > fake_now())
            fake_set_now(next);
        play_settle(p);
    }
    fake_set_now(until);
    play_settle(p);
}

bool play_started(struct play *p)
{
    struct error err;
    if (stage_start(&p->stage, &err))
        return true;
    play_fail(p, "%s", err.text);
    return false;
}

struct actor *play_find(struct play *p, const char *name)
{
    struct actor *a = cast_find(&p->cast, name);
    if (!a)
        play_fail(p, "there is no %s", name);
    return a;
}

/* ---- reading --------------------------------------------------------------------------- */

static void play_line(struct play *p, struct span text)
{
    struct words w;
    struct error err;
    if (!words_split(&w, text, &err))
        play_fail(p, "%s", err.text);
    else if (w.n && !play_scene(p, w.each, w.n))
        play_talk(p, w.each, w.n);
    words_free(&w);
}

static void play_lines(struct play *p, FILE *f)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    while (!p->failed && !p->is_over && (n = getline(&line, &room, f)) >= 0) {
        p->line++;
        if (n && line[n - 1] == '\n')
            n--;
        play_line(p, span_of(line, (size_t)n));
    }
    free(line);
    if (!p->failed && p->is_held)
        play_fail(p, "hold without go");
    if (!p->failed)
        play_check_all_heard(p);
}

bool play_file(const char *path, size_t piece)
{
    struct play p = {.path = path, .piece = piece};
    FILE *f = fopen(path, "r");
    if (!f) {
        fprintf(stderr, "%s: could not be opened\n", path);
        return false;
    }
    stage_init(&p.stage);
    cast_init(&p.cast);
    fake_set_read_limit(piece);
    play_lines(&p, f);
    fclose(f);
    stage_stop(&p.stage);
    cast_fini(&p.cast);
    bindings_free(&p.bindings);
    fake_net_fini();
    return !p.failed;
}
