/* SPDX-License-Identifier: PostgreSQL */
/* expect.c against an obvious model of PostgreSQL's message loop. The model reads one message after
 * the other, with the flag ignore_till_sync and a COPY mode, and writes answers that carry the
 * number of the message they answer. What the queue says of each answer must agree, however the
 * sending, the working and the answering interleave. */
#include "track/expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rand.h"
#include "proto/message.h"

enum { MESSAGES = 400, ANSWERS = MESSAGES * 12 };

/* What a statement turns out to do. */
enum fate { ROWS, EMPTY, COPY_OUT, COPY_IN, COPY_IN_FAILS_EARLY, SUSPEND, FAIL, FATES };

struct sent {
    char type; /* as on the wire; 'i' is an injection of ours, which the server does not get */
    enum expect_owner owner;
    unsigned n_statements; /* of a Query */
    enum fate fate[3];
    bool fails;
    bool skipped;
};

struct answer {
    char type;
    uint64_t id;
};

struct model {
    uint64_t seed;
    struct sent sent[MESSAGES];
    uint64_t n_sent, n_read;
    struct answer answers[ANSWERS];
    size_t n_answers, n_delivered;
    bool ignore_till_sync;
    bool group_open; /* a Sync has something to commit, and may fail to */
    bool copy_in;    /* of message copy_id, at statement copy_at */
    uint64_t copy_id;
    unsigned copy_at;
    struct expect_queue q;
    bool was_unsure; /* then who is answered is not certain any more */
};

static uint64_t dice(struct model *m, uint64_t sides)
{
    return (rand_next(&m->seed) >> 11) % sides;
}

/* ---- the server ------------------------------------------------------------------------ */

static void say(struct model *m, uint64_t id, const char *types)
{
    for (; *types; types++) {
        assert_true(m->n_answers < ANSWERS);
        m->answers[m->n_answers++] = (struct answer){*types, id};
    }
}

static void server_error(struct model *m, uint64_t id)
{
    char type = m->sent[id].type;
    say(m, id, "E");
    m->copy_in = m->group_open = false;
    if (type == 'Q' || type == 'F' || type == 'S')
        say(m, id, "Z");
    else
        m->ignore_till_sync = true;
}

/* Runs statements from the given one; stops at a COPY FROM STDIN or an error. */
static void run(struct model *m, uint64_t id, unsigned from)
{
    const struct sent *s = &m->sent[id];
    bool simple = s->type == 'Q';
    for (unsigned i = from; i < s->n_statements; i++) {
        switch (s->fate[i]) {
        case SUSPEND:
            say(m, id, simple ? "TDC" : "Ds");
            break;
        case ROWS:
            say(m, id, simple ? "TDDC" : "DDC");
            break;
        case EMPTY:
            say(m, id, "I");
            break;
        case COPY_OUT:
            say(m, id, "HdcC");
            break;
        case COPY_IN:
            say(m, id, "G");
            m->copy_in = true;
            m->copy_id = id;
            m->copy_at = i;
            return;
        case COPY_IN_FAILS_EARLY:
            say(m, id, "G");
            server_error(m, id);
            return;
        case FAIL:
        case FATES:
            say(m, id, simple ? "TD" : "D");
            server_error(m, id);
            return;
        }
    }
    if (simple)
        say(m, id, "Z");
    m->group_open = !simple;
}

static void read_in_copy(struct model *m, uint64_t id)
{
    const struct sent *s = &m->sent[id];
    if (s->type == 'S' || s->type == 'H')
        return;
    if (s->type == 'f' || s->fails || (s->type != 'c' && s->type != 'd')) {
        server_error(m, m->copy_id);
        return;
    }
    if (s->type == 'd')
        return;
    m->copy_in = false;
    say(m, m->copy_id, "C");
    run(m, m->copy_id, m->copy_at + 1);
}

static void read_extended(struct model *m, uint64_t id, const char *good)
{
    if (m->sent[id].fails) {
        server_error(m, id);
        return;
    }
    m->group_open = true;
    say(m, id, good);
}

static void read_one(struct model *m)
{
    uint64_t id = m->n_read++;
    struct sent *s = &m->sent[id];
    if (m->copy_in) {
        read_in_copy(m, id);
        return;
    }
    if (m->ignore_till_sync && s->type != 'S') {
        s->skipped = true;
        return;
    }
    switch (s->type) {
    case 'P':
        read_extended(m, id, "1");
        break;
    case 'B':
        read_extended(m, id, "2");
        break;
    case 'C':
        read_extended(m, id, "3");
        break;
    case 'D':
        read_extended(m, id, id % 3 == 0 ? "tT" : id % 3 == 1 ? "tn" : "T");
        break;
    case 'E':
    case 'Q':
        run(m, id, 0);
        break;
    case 'F':
        say(m, id, s->fails ? "EZ" : "VZ");
        break;
    case 'S':
        say(m, id, s->fails && m->group_open ? "EZ" : "Z");
        m->ignore_till_sync = m->group_open = false;
        break;
    case 'i':
        say(m, id, "i");
        break;
    default:
        break; /* CopyData, CopyDone, CopyFail outside of a COPY; Flush */
    }
}

/* ---- us -------------------------------------------------------------------------------- */

static void wait_for_answer(struct model *m)
{
    while (m->n_delivered == m->n_answers && m->n_read < m->n_sent)
        read_one(m);
}

static void take_injects(struct model *m)
{
    struct expect e;
    while (expect_take_inject(&m->q, &e)) {
        wait_for_answer(m);
        if (m->was_unsure)
            continue;
        assert_true(m->n_delivered < m->n_answers);
        assert_int_equal(m->answers[m->n_delivered].type, 'i');
        assert_int_equal(m->answers[m->n_delivered].id, e.arg);
        m->n_delivered++;
    }
}

static void send_one(struct model *m, char type)
{
    static const char types[] = "QFPBDECScfi";
    static const enum expect_kind kinds[] = {EXPECT_QUERY,    EXPECT_FUNCTION_CALL, EXPECT_PARSE,
                                             EXPECT_BIND,     EXPECT_DESCRIBE,      EXPECT_EXECUTE,
                                             EXPECT_CLOSE,    EXPECT_SYNC,          EXPECT_COPY_END,
                                             EXPECT_COPY_END, EXPECT_INJECT_PARSE};
    struct sent *s = &m->sent[m->n_sent];
    *s = (struct sent){.type = type, .fails = dice(m, 12) == 0, .n_statements = 1};
    s->owner = dice(m, 4) ? EXPECT_CLIENT : EXPECT_OURS;
    if (type == 'Q')
        s->n_statements = 1 + (unsigned)dice(m, 3);
    for (unsigned i = 0; i < s->n_statements; i++)
        s->fate[i] = dice(m, 2) ? (enum fate)dice(m, FATES) : ROWS;
    const char *at = strchr(types, type);
    if (at)
        expect_push(&m->q, kinds[at - types], s->owner, m->n_sent);
    m->n_sent++;
    take_injects(m);
}

/* Whoever may have begun a COPY ends it before anything else, as a correct client does. */
static void send_copies(struct model *m, uint64_t id, bool syncs)
{
    const struct sent s = m->sent[id];
    for (unsigned i = 0; i < s.n_statements; i++) {
        if (s.fate[i] != COPY_IN && s.fate[i] != COPY_IN_FAILS_EARLY)
            continue;
        for (uint64_t n = dice(m, 4); n; n--)
            send_one(m, "ddHS"[dice(m, syncs ? 4 : 3)]);
        send_one(m, dice(m, 4) ? 'c' : 'f');
    }
}

static void send_some(struct model *m, bool syncs)
{
    uint64_t id = m->n_sent;
    if (id + 24 > MESSAGES)
        return;
    /* The game with Syncs has no injections: what is not certain has no turn to be checked. */
    send_one(m, "iQFPBDECSSSScdHEPPB"[syncs ? 1 + dice(m, 18) : dice(m, 19)]);
    if (m->sent[id].type == 'E' || m->sent[id].type == 'Q')
        send_copies(m, id, syncs);
}

static void check_drops(struct model *m)
{
    struct expect e;
    while (expect_drop_group(&m->q, &e)) {
        while (m->n_read <= e.arg)
            read_one(m);
        assert_true(m->was_unsure || m->sent[e.arg].skipped);
    }
}

/* As a server does: the short ways first. */
static struct expect_result answer(struct expect_queue *q, uint8_t type)
{
    struct expect_result r = {.verdict = EXPECT_FORWARD};
    unsigned front = expect_plain_front(q);
    if (expect_parts[type].last & front) {
        expect_take_answered(q, &r.entry);
        r.popped = true;
        return r;
    }
    if (expect_parts[type].more & front) {
        r.entry = *expect_at(q, 0);
        expect_begin(q);
        return r;
    }
    if (type != BE_READY_FOR_QUERY || !expect_take_ready(q, &r.entry))
        return expect_answer(q, type);
    r.popped = true;
    r.verdict = r.entry.owner == EXPECT_CLIENT ? EXPECT_FORWARD : EXPECT_SWALLOW;
    return r;
}

/* False: out of step, which may only happen where the queue said that it is not sure. */
static bool deliver_one(struct model *m)
{
    const struct answer a = m->answers[m->n_delivered++];
    struct expect_result r = answer(&m->q, (uint8_t)a.type);
    if (expect_is_unsure(&m->q))
        m->was_unsure = true;
    if (r.error_in_group)
        check_drops(m);
    if (m->was_unsure)
        return r.verdict != EXPECT_VIOLATION;
    assert_int_not_equal(r.verdict, EXPECT_VIOLATION);
    assert_int_equal(r.entry.arg, a.id);
    assert_int_equal(r.verdict,
                     m->sent[a.id].owner == EXPECT_CLIENT ? EXPECT_FORWARD : EXPECT_SWALLOW);
    take_injects(m);
    return true;
}

/* A queue that is empty and sure belongs to a server that owes nothing. */
static void check_rest(struct model *m)
{
    if (!expect_is_empty(&m->q) || m->q.skipping || expect_is_unsure(&m->q))
        return;
    size_t before = m->n_delivered;
    wait_for_answer(m);
    assert_int_equal(before, m->n_answers);
    assert_false(m->ignore_till_sync);
    assert_false(m->copy_in);
}

static bool play(struct model *m, bool syncs)
{
    while (m->n_sent + 24 <= MESSAGES || m->n_read < m->n_sent || m->n_delivered < m->n_answers) {
        switch (dice(m, 4)) {
        case 0:
            send_some(m, syncs);
            break;
        case 1:
            if (m->n_read < m->n_sent)
                read_one(m);
            break;
        case 2:
            if (m->n_delivered < m->n_answers && !deliver_one(m))
                return false;
            break;
        default:
            check_rest(m);
        }
    }
    return true;
}

static unsigned play_games(uint64_t seed, unsigned games, bool syncs, unsigned *unsure)
{
    unsigned ended = 0;
    struct model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    print_message("seed %llu\n", (unsigned long long)seed);
    for (unsigned i = 0; i < games; i++) {
        memset(m, 0, sizeof *m);
        m->seed = seed + i;
        expect_init(&m->q);
        if (play(m, syncs)) {
            ended++;
            if (!m->was_unsure)
                assert_int_equal(m->q.skipping, m->ignore_till_sync);
        }
        *unsure += m->was_unsure;
        expect_fini(&m->q);
    }
    free(m);
    return ended;
}

/* A Sync inside of a COPY only where the client could have sent it: see the next test. */
static void test_the_queue_agrees_with_the_message_loop(void **state)
{
    (void)state;
    enum { GAMES = 2000 };
    unsigned unsure = 0;
    assert_int_equal(play_games(rand_u64() | 1, GAMES, false, &unsure), GAMES);
    assert_int_equal(unsure, 0);
}

static void test_the_queue_is_never_wrong_without_saying_so(void **state)
{
    (void)state;
    unsigned unsure = 0;
    (void)play_games(rand_u64() | 1, 2000, true, &unsure);
    assert_true(unsure > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_queue_agrees_with_the_message_loop),
        cmocka_unit_test(test_the_queue_is_never_wrong_without_saying_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
