/* SPDX-License-Identifier: PostgreSQL */
/* play_scene.c - what the script says about the world: settings, servers, the clock, and what it
 * looks at. */
#include "base/clock.h"
#include "client/client.h"
#include "conf/value.h"
#include "net/addr_list.h"
#include "net/stream.h"
#include "relay/vanish.h"
#include "replay/play_impl.h"
#include "server/server.h"
#include "support/fake_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- setting the scene ----------------------------------------------------------------- */

static void do_config(struct play *p, const struct word *w, size_t n)
{
    struct error err;
    for (size_t i = 0; i < n; i++) {
        char *equals = strchr(w[i].text, '=');
        if (!equals) {
            play_fail(p, "not a setting: %s", w[i].text);
            return;
        }
        struct span name = span_of(w[i].text, (size_t)(equals - w[i].text));
        if (!stage_set(&p->stage, name, equals + 1, &err)) {
            play_fail(p, "%s", err.text);
            return;
        }
    }
}

static void do_database(struct play *p, const struct word *w, size_t n)
{
    struct error err;
    if (n != 2)
        play_fail(p, "database NAME \"key=value …\"");
    else if (!stage_database(&p->stage, w[0].text, w[1].text, &err))
        play_fail(p, "%s", err.text);
}

static void do_user(struct play *p, const struct word *w, size_t n)
{
    if (n == 2)
        stage_user(&p->stage, w[0].text, w[1].text);
    else
        play_fail(p, "user NAME \"password\"");
}

static void do_servers(struct play *p, const struct word *w, size_t n)
{
    static const char *const manners[] = {
        [SERVERS_TRUST] = "trust", [SERVERS_PASSWORD] = "password", [SERVERS_MD5] = "md5",
        [SERVERS_SCRAM] = "scram", [SERVERS_FATAL] = "fatal",       [SERVERS_MANUAL] = "manual",
    };
    struct server_terms *t = &p->cast.terms;
    for (size_t i = 0; n && i < sizeof manners / sizeof manners[0]; i++) {
        if (!word_is(w, manners[i]))
            continue;
        *t = (struct server_terms){.manner = (enum server_manner)i};
        if (t->manner == SERVERS_FATAL) {
            snprintf(t->sqlstate, sizeof t->sqlstate, "%s", n > 1 ? w[1].text : "XX000");
            snprintf(t->text, sizeof t->text, "%s", n > 2 ? w[2].text : "");
        } else {
            snprintf(t->password, sizeof t->password, "%s", n > 1 ? w[1].text : "");
        }
        return;
    }
    play_fail(p, "servers trust|password|md5|scram|fatal|manual …");
}

static void do_dialing(struct play *p, const struct word *w, size_t n)
{
    static const char *const words[] = {[FAKE_DIAL_CONNECT] = "connects",
                                        [FAKE_DIAL_REFUSE] = "refused",
                                        [FAKE_DIAL_HANG] = "hangs"};
    for (size_t i = 0; n && i < sizeof words / sizeof words[0]; i++) {
        if (word_is(w, words[i])) {
            fake_set_dial(n > 1 ? w[1].text : NULL, (enum fake_dial)i);
            return;
        }
    }
    play_fail(p, "dialing connects|refused|hangs [ADDRESS]");
}

static void do_names(struct play *p, const struct word *w, size_t n)
{
    if (n == 1 && (word_is(w, "found") || word_is(w, "lost")))
        fake_set_names(word_is(w, "found"));
    else
        play_fail(p, "names found|lost");
}

/* The name stands for another address now, and the resolver has noticed. */
static void do_moved(struct play *p, const struct word *w, size_t n)
{
    struct addr_list *to = n == 2 ? addr_list_from_literal(w[1].text, 0) : NULL;
    if (!to) {
        play_fail(p, "moved NAME ADDRESS");
        return;
    }
    if (play_started(p))
        vanish_tell(&p->stage.shared, w[0].text, to);
    addr_list_unref(&to);
    play_settle(p);
}

/* Where it matters how much arrives at a time, the script is not played in pieces. */
static void do_whole(struct play *p, const struct word *w, size_t n)
{
    (void)w;
    (void)n;
    p->is_over = p->piece != 0;
}

/* ---- the clock and the turns ----------------------------------------------------------- */

static void do_time(struct play *p, const struct word *w, size_t n)
{
    uint64_t us;
    struct error err;
    if (n != 1 || w->text[0] != '+' ||
        !value_duration(w->text + 1, US_PER_S, 0, DURATION_MAX_US, &us, &err))
        play_fail(p, "time +2s");
    else if (play_started(p))
        play_pass_time(p, us);
}

static void do_hold(struct play *p, const struct word *w, size_t n)
{
    (void)w;
    (void)n;
    p->is_held = true;
}

static void do_go(struct play *p, const struct word *w, size_t n)
{
    (void)w;
    (void)n;
    p->is_held = false;
    play_settle(p);
}

static void do_turn(struct play *p, const struct word *w, size_t n)
{
    if (n == 1)
        fake_turn_one(atoi(w->text) - 1);
    else
        play_fail(p, "turn WORKER");
}

/* ---- looking ---------------------------------------------------------------------------- */

static const char *client_state_name(enum client_state s)
{
    static const char *const names[] = {
        [CLIENT_NEW] = "new",       [CLIENT_TLS] = "tls",         [CLIENT_STARTUP] = "startup",
        [CLIENT_LOOKUP] = "lookup", [CLIENT_AUTH] = "auth",       [CLIENT_WELCOME] = "welcome",
        [CLIENT_IDLE] = "idle",     [CLIENT_WAITING] = "waiting", [CLIENT_LINKED] = "linked",
        [CLIENT_CANCEL] = "cancel", [CLIENT_CLOSING] = "closing",
    };
    return names[s];
}

static const char *server_state_name(enum server_state s)
{
    static const char *const names[] = {
        [SERVER_NEW] = "new",
        [SERVER_CONNECTING] = "connecting",
        [SERVER_TLS] = "tls",
        [SERVER_LOGIN] = "login",
        [SERVER_IDLE] = "idle",
        [SERVER_LINKED] = "linked",
        [SERVER_RESETTING] = "resetting",
        [SERVER_MOVING] = "moving",
        [SERVER_CLOSING] = "closing",
    };
    return names[s];
}

static const char *state_of(const struct actor *a)
{
    const struct stream *end = a->wire->stream;
    if (a->wire->is_closed || !end)
        return "closed";
    if (a->is_server)
        return server_state_name(server_get_state(end->owner));
    return client_state_name(client_get_state(end->owner));
}

static void do_state(struct play *p, const struct word *w, size_t n)
{
    struct actor *a = n == 2 ? play_find(p, w[0].text) : NULL;
    if (!a || a->is_cancel) {
        play_fail(p, "state ACTOR STATE");
        return;
    }
    const char *got = state_of(a);
    if (strcmp(got, w[1].text) != 0)
        play_fail(p, "expected: state %s %s\n    got: %s", a->name, w[1].text, got);
}

static void do_dials(struct play *p, const struct word *w, size_t n)
{
    unsigned got = fake_dial_count();
    if (n != 1 || (unsigned)atoi(w->text) != got)
        play_fail(p, "expected: dials %s\n    got: %u", n ? w->text : "", got);
}

static void do_worker(struct play *p, const struct word *w, size_t n)
{
    struct actor *a = n == 2 ? play_find(p, w[0].text) : NULL;
    int got = a ? fake_wire_loop(a->wire) + 1 : 0;
    if (!a || atoi(w[1].text) != got)
        play_fail(p, "expected: worker ACTOR %s\n    got: %d", n == 2 ? w[1].text : "NUMBER", got);
}

static void do_host(struct play *p, const struct word *w, size_t n)
{
    struct actor *a = n == 2 ? play_find(p, w[0].text) : NULL;
    char got[ADDR_TEXT] = "";
    if (a)
        addr_text(&a->wire->peer, got, sizeof got);
    size_t len = n == 2 ? strlen(w[1].text) : 0;
    if (!len || strncmp(got, w[1].text, len) != 0 || got[len] != ':')
        play_fail(p, "expected: host ACTOR %s\n    got: %s", n == 2 ? w[1].text : "ADDRESS", got);
}

/* ---- the table -------------------------------------------------------------------------- */

static const struct verb {
    const char *name;
    void (*run)(struct play *p, const struct word *w, size_t n); /* of the words behind it */
} verbs[] = {
    {"config", do_config},   {"database", do_database}, {"user", do_user},
    {"servers", do_servers}, {"dialing", do_dialing},   {"names", do_names},
    {"time", do_time},       {"hold", do_hold},         {"go", do_go},
    {"turn", do_turn},       {"state", do_state},       {"dials", do_dials},
    {"worker", do_worker},   {"whole", do_whole},       {"host", do_host},
    {"moved", do_moved},
};

bool play_scene(struct play *p, const struct word *w, size_t n)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (!word_is(w, verbs[i].name))
            continue;
        verbs[i].run(p, w + 1, n - 1);
        return true;
    }
    return false;
}
