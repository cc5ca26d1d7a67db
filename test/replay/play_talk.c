/* SPDX-License-Identifier: PostgreSQL */
/* play_talk.c - what actors say and hear. */
#include "replay/play_impl.h"
#include "support/fake_net.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- words between commas --------------------------------------------------------------- */

struct item {
    const struct word *w;
    size_t n;
    unsigned long times; /* "20x Sync" */
};

static bool next_item(const struct word **at, const struct word *end, struct item *out)
{
    if (*at == end)
        return false;
    const struct word *from = *at;
    while (*at < end && !word_is(*at, ","))
        (*at)++;
    *out = (struct item){.w = from, .n = (size_t)(*at - from), .times = 1};
    if (*at < end)
        (*at)++;
    char *x;
    unsigned long times = out->n > 1 && !from->is_quoted ? strtoul(from->text, &x, 10) : 0;
    if (times && x[0] == 'x' && x[1] == '\0')
        *out = (struct item){.w = from + 1, .n = out->n - 1, .times = times};
    return true;
}

/* ---- saying ----------------------------------------------------------------------------- */

static void say(struct play *p, struct actor *a, struct buf *b)
{
    struct span bytes = buf_span(b);
    if (a->wire->is_closed)
        play_fail(p, "the program has closed %s, it cannot be told anything", a->name);
    else if (bytes.n)
        buf_append(&a->wire->in, bytes.p, bytes.n);
    buf_reset(b);
}

static void do_say(struct play *p, struct actor *a, const struct word *w, size_t n)
{
    struct buf b = {0};
    struct item item;
    struct error err;
    const struct word *at = w;
    while (!p->failed && next_item(&at, w + n, &item)) {
        if (!a->is_server && item.n &&
            (word_is(item.w, "SSLRequest") || word_is(item.w, "GSSENCRequest")))
            a->awaits_byte = true;
        for (unsigned long i = 0; !p->failed && i < item.times; i++) {
            if (!notation_build(&b, a->is_server ? SPEAKER_BACKEND : SPEAKER_FRONTEND, item.w,
                                item.n, &err))
                play_fail(p, "%s", err.text);
        }
    }
    say(p, a, &b);
    play_settle(p);
}

/* ---- hearing ---------------------------------------------------------------------------- */

static void mismatch(struct play *p, const struct item *want, const char *got, size_t got_n)
{
    struct buf text = {0};
    notation_show_words(&text, want->w, want->n);
    play_fail(p, "expected: %.*s\n    got: %.*s", (int)buf_len(&text),
              (const char *)buf_span(&text).p, (int)got_n, got);
    buf_reset(&text);
}

/* Names of actors stand for their keys. */
static void name_key(struct play *p, const struct item *want, struct word *key)
{
    struct actor *of;
    if (word_is(want->w, "CancelRequest") && !want->w[1].is_quoted &&
        (of = cast_find(&p->cast, want->w[1].text)) != NULL)
        *key = (struct word){.text = (char *)of->key, .n = ACTOR_KEY, .is_quoted = true};
}

static bool hears(struct play *p, const struct item *want, struct span text)
{
    struct words got;
    struct error err;
    if (!words_split(&got, text, &err)) {
        words_free(&got);
        return false;
    }
    struct word with_key[2];
    struct item w = *want;
    if (w.n == 2) {
        with_key[0] = w.w[0];
        with_key[1] = w.w[1];
        name_key(p, want, &with_key[1]);
        w.w = with_key;
    }
    bool same = notation_matches(&p->bindings, w.w, w.n, got.each, got.n);
    words_free(&got);
    return same;
}

static void hear_one(struct play *p, struct actor *a, const struct item *want)
{
    size_t n = actor_next(a);
    if (!n) {
        mismatch(p, want, "nothing", 7);
        return;
    }
    struct buf text = {0};
    actor_show(a, n, &text);
    if (hears(p, want, buf_span(&text)))
        actor_take(a, n);
    else
        mismatch(p, want, (const char *)buf_span(&text).p, buf_len(&text));
    buf_reset(&text);
}

static void check_nothing(struct play *p, struct actor *a)
{
    struct buf text = {0};
    size_t n = actor_next(a);
    if (n) {
        actor_show(a, n, &text);
        play_fail(p, "%s was told something unexpected: %.*s", a->name, (int)buf_len(&text),
                  (const char *)buf_span(&text).p);
    } else if (!buf_is_empty(&a->wire->out)) {
        play_fail(p, "%s was told a part of a message", a->name);
    }
    buf_reset(&text);
}

static void finish_login(struct play *p, struct actor *a, struct login_run *run);

static void do_hear(struct play *p, struct actor *a, const struct word *w, size_t n)
{
    struct item item;
    const struct word *at = w;
    while (!p->failed && next_item(&at, w + n, &item)) {
        if (item.n == 1 && word_is(item.w, "nothing")) {
            check_nothing(p, a);
            continue;
        }
        if (item.n == 1 && word_is(item.w, "rest")) {
            buf_clear(&a->wire->out);
            continue;
        }
        if (item.n == 1 && word_is(item.w, "welcome")) {
            struct login_run run = {0};
            finish_login(p, a, &run);
            continue;
        }
        for (unsigned long i = 0; !p->failed && i < item.times; i++)
            hear_one(p, a, &item);
    }
}

void play_check_all_heard(struct play *p)
{
    struct actor *a;
    TAILQ_FOREACH(a, &p->cast.actors, link)
    check_nothing(p, a);
}

/* ---- coming ----------------------------------------------------------------------------- */

/* "worker=2" among the words; workers count from 1. */
static struct actor *connect_actor(struct play *p, const char *name, const struct word *w, size_t n)
{
    unsigned worker = 1;
    if (!play_started(p))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        const char *value = word_value(&w[i], "worker");
        if (value)
            worker = (unsigned)strtoul(value, NULL, 10);
    }
    if (worker < 1 || worker > (unsigned)p->stage.shared.n_workers || cast_find(&p->cast, name)) {
        play_fail(p, "%s cannot come, or has come already", name);
        return NULL;
    }
    struct actor *a = cast_add(&p->cast, name, fake_wire_connect());
    stage_accept(&p->stage, worker - 1, a->wire);
    return a;
}

/* Every key=value but worker and password goes into the startup packet. */
static struct actor *start_actor(struct play *p, const char *name, const struct word *w, size_t n)
{
    struct word packet[32] = {{.text = (char *)"StartupMessage", .n = 14}};
    size_t at = 1;
    struct actor *a = connect_actor(p, name, w, n);
    for (size_t i = 0; a && i < n && at + 1 < sizeof packet / sizeof packet[0]; i++) {
        char *equals = strchr(w[i].text, '=');
        if (!equals || word_value(&w[i], "worker") || word_value(&w[i], "password"))
            continue;
        size_t key = (size_t)(equals - w[i].text);
        packet[at++] = (struct word){.text = w[i].text, .n = key};
        packet[at++] = (struct word){.text = equals + 1, .n = w[i].n - key - 1};
    }
    if (a)
        do_say(p, a, packet, at);
    return a;
}

static void finish_login(struct play *p, struct actor *a, struct login_run *run)
{
    struct error err;
    for (;;) {
        switch (actor_login_step(a, run, &err)) {
        case LOGIN_STEP_ACTED:
            play_settle(p);
            continue;
        case LOGIN_STEP_WAIT:
            play_fail(p, "the login of %s does not come to an end", a->name);
            break;
        case LOGIN_STEP_REFUSED:
            if (!actor_next(a) || buf_span(&a->wire->out).p[0] != 'E')
                play_fail(p, "login of %s: %s", a->name, err.text);
            break;
        case LOGIN_STEP_DONE:
            break;
        }
        login_run_fini(run);
        return;
    }
}

static void do_login(struct play *p, const char *name, const struct word *w, size_t n)
{
    struct login_run run = {.user = ""};
    for (size_t i = 0; i < n; i++) {
        const char *user = word_value(&w[i], "user"), *password = word_value(&w[i], "password");
        run.user = user ? user : run.user;
        run.password = password ? password : run.password;
    }
    struct actor *a = start_actor(p, name, w, n);
    if (a && !p->failed)
        finish_login(p, a, &run);
}

/* A cancel request for another application, on a connection of its own. */
static void do_cancel(struct play *p, const char *name, const struct word *w, size_t n)
{
    struct actor *whom = n ? play_find(p, w->text) : NULL;
    struct actor *a = whom ? connect_actor(p, name, w, n) : NULL;
    if (!a) {
        play_fail(p, "NAME cancels ACTOR");
        return;
    }
    struct word packet[2] = {
        {.text = (char *)"CancelRequest", .n = 13},
        {.text = (char *)whom->key, .n = ACTOR_KEY, .is_quoted = true},
    };
    do_say(p, a, packet, 2);
}

/* ---- going ------------------------------------------------------------------------------ */

static void do_end(struct play *p, struct actor *a, enum fake_end how)
{
    a->wire->end = how;
    play_settle(p);
}

static void do_is(struct play *p, struct actor *a, const struct word *w, size_t n)
{
    bool closed = a->wire->is_closed;
    if (n != 1 || (!word_is(w, "closed") && !word_is(w, "open")))
        play_fail(p, "%s is closed|open", a->name);
    else if (closed != word_is(w, "closed"))
        play_fail(p, "expected: %s is %s\n    got: %s", a->name, w->text,
                  closed ? "closed" : "open");
}

/* ---- the table -------------------------------------------------------------------------- */

static bool comes(struct play *p, const struct word *w, size_t n)
{
    if (word_is(&w[1], "login"))
        do_login(p, w->text, w + 2, n - 2);
    else if (word_is(&w[1], "starts"))
        start_actor(p, w->text, w + 2, n - 2);
    else if (word_is(&w[1], "connects"))
        connect_actor(p, w->text, w + 2, n - 2);
    else if (word_is(&w[1], "cancels"))
        do_cancel(p, w->text, w + 2, n - 2);
    else
        return false;
    return true;
}

void play_talk(struct play *p, const struct word *w, size_t n)
{
    if (n < 2) {
        play_fail(p, "not a command: %s", w->text);
        return;
    }
    if (comes(p, w, n))
        return;
    struct actor *a = play_find(p, w->text);
    if (!a)
        return;
    if (word_is(&w[1], ">")) {
        do_say(p, a, w + 2, n - 2);
    } else if (word_is(&w[1], "<")) {
        do_hear(p, a, w + 2, n - 2);
    } else if (word_is(&w[1], "closes")) {
        do_end(p, a, FAKE_END_EOF);
    } else if (word_is(&w[1], "resets")) {
        do_end(p, a, FAKE_END_RESET);
    } else if (word_is(&w[1], "is")) {
        do_is(p, a, w + 2, n - 2);
    } else if (word_is(&w[1], "deaf")) {
        a->wire->is_deaf = true;
    } else if (word_is(&w[1], "hears")) {
        a->wire->is_deaf = false;
        play_settle(p);
    } else {
        play_fail(p, "%s cannot do that: %s", a->name, w[1].text);
    }
}
