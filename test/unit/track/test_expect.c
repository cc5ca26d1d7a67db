/* SPDX-License-Identifier: PostgreSQL */
/* Conversations as text. Tokens, in the order in which things happen:
 *   >P   a message is sent (kinds: Q F P B D E C S, c CopyDone or CopyFail, i and j injections);
 *        >oP it is ours, >gP of the gate, >fP of the fence; >-P it must be skipped
 *   <1   the server sends this type: forwarded; <~1 swallowed; <!1 a violation
 *   <E/BE  an error that makes the server skip; Bind and Execute are dropped (<E/ nothing is)
 *   +i   the turn of an injection has come (nothing else may have)
 *   =rest =owed =skip =unsure   what the queue says of itself */
#include "track/expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/message.h"

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

static const char kinds[] = {
    [EXPECT_QUERY] = 'Q',        [EXPECT_FUNCTION_CALL] = 'F', [EXPECT_PARSE] = 'P',
    [EXPECT_BIND] = 'B',         [EXPECT_DESCRIBE] = 'D',      [EXPECT_EXECUTE] = 'E',
    [EXPECT_CLOSE] = 'C',        [EXPECT_SYNC] = 'S',          [EXPECT_COPY_END] = 'c',
    [EXPECT_INJECT_PARSE] = 'i', [EXPECT_INJECT_CLOSE] = 'j',
};

struct play {
    struct expect_queue q;
    const char *script;
    char injected[32]; /* not asked for by the script yet */
};

static void fault(const struct play *p, const char *token, const char *what)
{
    print_error("\"%s\" at \"%s\": %s\n", p->script, token, what);
    fail();
}

static void take_injects(struct play *p)
{
    struct expect e;
    size_t n = strlen(p->injected);
    while (expect_take_inject(&p->q, &e))
        p->injected[n++] = kinds[e.kind];
    p->injected[n] = '\0';
}

static void play_push(struct play *p, const char *token)
{
    const char *at = token + 1;
    enum expect_owner owner = EXPECT_CLIENT;
    bool skipped = *at == '-';
    at += skipped;
    const char *found = strchr("ogf", *at);
    if (found && *at) {
        owner = (enum expect_owner)(EXPECT_OURS + (found - "ogf"));
        at++;
    }
    const char *kind = memchr(kinds, *at, sizeof kinds);
    if (!kind)
        fault(p, token, "no such kind");
    if (expect_push(&p->q, (enum expect_kind)(kind - kinds), owner, 0) == skipped)
        fault(p, token, skipped ? "recorded" : "not recorded");
    take_injects(p);
}

static void play_drops(struct play *p, const char *token, const char *drops)
{
    struct expect e;
    while (expect_drop_group(&p->q, &e)) {
        if (*drops != kinds[e.kind])
            fault(p, token, "dropped something else");
        drops++;
    }
    if (*drops != '\0' && *drops != ' ')
        fault(p, token, "did not drop enough");
}

static void play_answer(struct play *p, const char *token)
{
    const char *at = token + 1;
    enum expect_verdict verdict = EXPECT_FORWARD;
    if (*at == '~' || *at == '!')
        verdict = *at++ == '~' ? EXPECT_SWALLOW : EXPECT_VIOLATION;
    struct expect_result r = expect_answer(&p->q, (uint8_t)*at);
    if (r.verdict != verdict)
        fault(p, token, "another verdict");
    if (r.error_in_group != (at[1] == '/'))
        fault(p, token, r.error_in_group ? "skips" : "does not skip");
    if (r.error_in_group)
        play_drops(p, token, at + 2);
    take_injects(p);
}

static void play_state(struct play *p, const char *token)
{
    bool empty = expect_is_empty(&p->q), unsure = expect_is_unsure(&p->q);
    bool ok = (token[1] == 'r' && empty && !p->q.skipping && !unsure && !p->q.copy_in) ||
              (token[1] == 'o' && !empty) || (token[1] == 's' && empty && p->q.skipping) ||
              (token[1] == 'u' && empty && unsure);
    if (!ok)
        fault(p, token, "another state");
}

static void play(const char *script)
{
    struct play p = {.script = script};
    expect_init(&p.q);
    for (const char *at = script; *at;) {
        if (*at != '+' && p.injected[0])
            fault(&p, at, "injected unasked");
        switch (*at) {
        case '>':
            play_push(&p, at);
            break;
        case '<':
            play_answer(&p, at);
            break;
        case '=':
            play_state(&p, at);
            break;
        case '+':
            if (p.injected[0] != at[1])
                fault(&p, at, "its turn has not come");
            memmove(p.injected, p.injected + 1, strlen(p.injected));
            break;
        default:
            fault(&p, at, "no such token");
        }
        at += strcspn(at, " ");
        at += strspn(at, " ");
    }
    expect_fini(&p.q);
}

static void play_all(const char *const *scripts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        play(scripts[i]);
}

static void test_answers_are_given_to_what_asked_for_them(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        "=rest >Q =owed <T <D <D <C <Z =rest",
        ">Q <C <T <D <C <I <Z =rest",
        ">Q <I <Z =rest",
        ">Q >Q >Q <C <Z <C <Z <C =owed <Z =rest",
        ">P >B >D >E >S <1 <2 <T <D <C <Z =rest",
        ">P >D >S <1 <t <n <Z =rest",
        ">P >D >S <1 <t <T <Z =rest",
        ">B >E >B >E >S <2 <C <2 <C <Z =rest",
        ">B >E >E >S <2 <D <s <D <C <Z =rest",
        ">B >E >S <2 <I <Z =rest",
        ">C >C >S <3 <3 <Z =rest",
        ">S >S >S <Z <Z <Z =rest",
        ">F <V <Z =rest",
        ">P <1 >B <2 =rest >E <C >S <Z =rest",
        ">P >B >E >Q <1 <2 <C <C <Z =rest",
        ">oP >oB >oE >Q <~1 <~2 <~C <C <Z =rest",
        ">fQ >P >S <~C <~Z <1 <Z =rest",
        ">gP >gB >gE >oP >B >E >S <~1 <~2 <~C <~1 <2 <C <Z =rest",
        ">oC >P >S <~3 <1 <Z =rest",
    };
    play_all(scripts, ROWS(scripts));
}

static void test_an_error_drops_the_rest_of_its_group(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        ">P >B >D >E >S <E/BDE <Z =rest",
        ">P >B >D >E >S <1 <E/DE <Z =rest",
        ">P >B >D >E >S <1 <2 <E/E <Z =rest",
        ">P >B >D >E >S <1 <2 <T <E/ <Z =rest",
        ">P >B >D >E >S <1 <2 <T <D <D <E/ <Z =rest",
        ">P >D >S <1 <t <E/ <Z =rest",
        /* the Sync itself fails: a deferred constraint */
        ">B >E >S <2 <C <E <Z =rest",
        /* only the group */
        ">P >B >S >P >B >E >S <E/B <Z <1 <2 <C <Z =rest",
        /* simple queries and function calls are skipped as well */
        ">P >Q >F >B >S <E/QFB <Z =rest",
        /* the Sync has not been sent yet */
        ">P <E/ =skip >-B >-Q >-E =skip >S =owed <Z =rest",
        ">P >B <E/B =skip >S >Q <Z <C <Z =rest",
        /* a simple query goes on with its own ReadyForQuery */
        ">Q >Q <T <D <E <Z <C <Z =rest",
        ">F >Q <E <Z <C <Z =rest",
        /* of ours, in front of the client's */
        ">gP >gB >gE >P >B >E >S <~1 <~2 <~E/PBE <Z =rest",
        ">gP >gB >gE >Q <~1 <~2 <~E/Q =skip >oS <~Z =rest",
        ">fQ >Q <~E <~Z <C <Z =rest",
        ">oP >B >E >S <~E/BE <Z =rest",
    };
    play_all(scripts, ROWS(scripts));
}

/* With "the next answer of this type is ours" the client's ParseComplete of the second group would
 * be swallowed: our Parse, the first of that type, was never answered. */
static void test_an_error_that_skips_a_swallowed_message_takes_nothing_from_others(void **state)
{
    (void)state;
    play(">B >oP >E >S >P >B >E >S <E/PE <Z <1 <2 <C <Z =rest");
    play(">B >oC >S >C >S <E/C <Z <3 <Z =rest");
    play(">E >oP >oB >oE >S >P >B >E >S <E/PBE <Z <1 <2 <C <Z =rest");
}

static void test_injections_come_in_their_turn(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        ">i +i =rest",
        ">j +j >i +i =rest",
        ">B >i >E >S <2 +i <C <Z =rest",
        ">P >i >j >i >S <1 +i +j +i <Z =rest",
        ">i +i >B >E >S >i <2 <C <Z +i =rest",
        ">Q >i >S <C <Z +i <Z =rest",
        ">B >i >E >j >S <E/iEj <Z =rest",
        ">P <E/ >-i =skip >S >i <Z +i =rest",
        ">oP >i >S <~1 +i <Z =rest",
    };
    play_all(scripts, ROWS(scripts));
}

static void test_copy_out_is_a_part_of_its_query(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        ">Q <H <d <d <c <C <Z =rest",
        ">P >B >E >S <1 <2 <H <d <c <C <Z =rest",
        ">Q <H <d <E <Z =rest",
        ">P >B >E >S <1 <2 <H <d <E/ <Z =rest",
        ">Q <H <c <C <H <c <C <C <Z =rest",
        /* replication */
        ">Q <W <d >c <d <c <C <Z =rest",
    };
    play_all(scripts, ROWS(scripts));
}

static void test_copy_in_ignores_the_syncs_that_it_reads(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        ">Q <G >c <C <Z =rest",
        ">Q >c <G <C <Z =rest",
        ">Q <G >c <E <Z =rest",
        ">P >B >E >S <1 <2 <G >c >S <C <Z =rest",
        ">P >B >E >S >c >S <1 <2 <G <C <Z =rest",
        ">P >B >E <1 <2 <G >S >S >c >S <C <Z =rest",
        ">P >B >E <1 <2 <G >c >S <C <Z =rest",
        ">P >B >E <1 <2 <G >c <C >S <Z =rest",
        ">P >B >E >S <1 <2 <G >c >S >Q <C <Z <C <Z =rest",
        /* two of them in one Query */
        ">Q <G >c <C <G >c <C <Z =rest",
        ">Q >c >S >c >S <G <C <G <C <Z <Z =rest",
        ">Q <G >S >c <C <G >S >c >S <C <Z <Z =rest",
        /* outside of a COPY the end of one is ignored */
        ">c =rest >c >Q >c <C <Z =rest",
        ">P >c >B >c >S <1 <2 <Z =rest",
    };
    play_all(scripts, ROWS(scripts));
}

static void test_a_failed_copy_in_skips_to_the_sync_behind_it(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        ">P >B >E <1 <2 <G >c >S <E/ <Z =rest",
        ">P >B >E <1 <2 <G <E/ =skip >-c >S <Z =rest",
        ">P >B >E <1 <2 <G >c >P >S <E/P <Z =rest",
        ">P >B >E <1 <2 <G >oc >oS <E/ <~Z =rest",
    };
    play_all(scripts, ROWS(scripts));
}

/* Whether the first Sync was read as a part of the COPY cannot be seen. */
static void test_a_failed_copy_in_with_a_sync_ahead_is_unsure(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        /* COPY view FROM STDIN: it was not */
        ">P >B >E >S <1 <2 <G <E/ <Z =rest >c >S <Z =rest",
        ">P >B >E >S <1 <2 <G >c >S <E/ <Z =unsure <Z =rest",
        /* bad data: it was */
        ">P >B >E >S <1 <2 <G >c >S <E/ <Z =unsure >Q <C <Z =rest",
        ">P >B >E >S <1 <2 <G <E/ >-c >S <Z =unsure",
        ">P >B >E >S <1 <2 <G >c >S <E/ <Z =unsure >P <1 =rest",
        /* a late one is not mistaken for the end of the next Query */
        ">P >B >E >S <1 <2 <G >c >S <E/ <Z >Q <Z <C <Z =rest",
        ">Q >S <G >c <E <Z =unsure <Z =rest",
        ">Q >S <G >c <E <Z =unsure >Q <C <Z =rest",
        ">P >B >E >S <1 <2 <G >c >S <E/ <Z <Z <!Z",
        /* groups behind it may have been skipped, or not: that never clears up */
        ">P >B >E >S >P >S <1 <2 <G <E/P <Z <Z =unsure >Q <C <Z =unsure",
        ">P >B >E >S <1 <2 <G <E/ >-P >S <Z =unsure >Q <C <Z =unsure",
    };
    play_all(scripts, ROWS(scripts));
}

static void test_what_nobody_asked_for_is_a_violation(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        "<!Z",
        "<!C",
        "<!1",
        "<!D",
        "<!E",
        ">Q <!1",
        ">Q <!2",
        ">Q <!3",
        ">Q <!s",
        ">Q <!n",
        ">Q <!t",
        ">Q <!V",
        ">Q <!Z",
        ">P <!2",
        ">P <!C",
        ">P <!Z",
        ">B <!1",
        ">E <!2",
        ">E <!Z",
        ">E <!V",
        ">D <!C",
        ">D <!1",
        ">C <!1",
        ">D <t <!t",
        ">S <!C",
        ">S <!D",
        ">S <!1",
        ">F <!C",
        ">F <!Z",
        ">F <V <!V",
        ">P <!G",
        ">S <!G",
        ">Q <G <!G",
        ">Q <H <!G",
        ">Q <!R",
        ">Q <!K",
        ">Q <C <Z <!Z",
        ">Q <C <Z <!C",
        ">P <E/ <!Z",
        ">P <E/ <!1",
        ">P >B >S <E/B <!2",
        ">c <!Z",
        ">Q <C <Z >Q <!Z",
    };
    play_all(scripts, ROWS(scripts));
}

static void test_a_pipeline_longer_than_the_inline_ring_keeps_its_order(void **state)
{
    (void)state;
    struct expect_queue q;
    uint64_t next = 0, asked = 0;
    expect_init(&q);
    for (int round = 0; round < 3; round++) {
        /* begins in the middle of the ring, grows several times, ends with an idle queue */
        for (int i = 0; i < 5; i++)
            expect_push(&q, EXPECT_CLOSE, EXPECT_CLIENT, asked++);
        for (int i = 0; i < 3; i++)
            assert_int_equal(expect_answer(&q, BE_CLOSE_COMPLETE).entry.arg, next++);
        for (int i = 0; i < 1000; i++)
            expect_push(&q, EXPECT_CLOSE, i % 2 ? EXPECT_OURS : EXPECT_CLIENT, asked++);
        assert_ptr_not_equal(q.ring, q.first);
        while (!expect_is_empty(&q)) {
            struct expect_result r = expect_answer(&q, BE_CLOSE_COMPLETE);
            assert_true(r.popped);
            assert_int_equal(r.entry.arg, next++);
            assert_int_equal(r.verdict,
                             r.entry.owner == EXPECT_CLIENT ? EXPECT_FORWARD : EXPECT_SWALLOW);
        }
        assert_int_equal(next, asked);
        assert_ptr_equal(q.ring, q.first);
    }
    expect_fini(&q);
}

static void test_serial_and_argument_come_back_with_the_entry(void **state)
{
    (void)state;
    struct expect_queue q;
    struct expect e;
    expect_init(&q);
    assert_true(expect_push_entry(&q, (struct expect){.kind = EXPECT_PARSE,
                                                      .owner = EXPECT_CLIENT,
                                                      .serial = UINT32_MAX,
                                                      .arg = UINT64_MAX}));
    assert_true(expect_push_entry(
        &q, (struct expect){.kind = EXPECT_PARSE, .owner = EXPECT_OURS, .serial = 9, .arg = 7}));
    expect_push(&q, EXPECT_SYNC, EXPECT_CLIENT, 0);
    assert_true(expect_has_sync(&q));
    struct expect_result r = expect_answer(&q, BE_ERROR);
    assert_true(r.error_in_group);
    assert_int_equal(r.entry.arg, UINT64_MAX);
    assert_int_equal(r.entry.serial, UINT32_MAX);
    assert_true(expect_drop_group(&q, &e));
    assert_int_equal(e.arg, 7);
    assert_int_equal(e.serial, 9);
    assert_int_equal(e.owner, EXPECT_OURS);
    assert_false(expect_drop_group(&q, &e));
    expect_answer(&q, BE_READY_FOR_QUERY);
    assert_false(expect_has_sync(&q));
    expect_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_are_given_to_what_asked_for_them),
        cmocka_unit_test(test_an_error_drops_the_rest_of_its_group),
        cmocka_unit_test(test_an_error_that_skips_a_swallowed_message_takes_nothing_from_others),
        cmocka_unit_test(test_injections_come_in_their_turn),
        cmocka_unit_test(test_copy_out_is_a_part_of_its_query),
        cmocka_unit_test(test_copy_in_ignores_the_syncs_that_it_reads),
        cmocka_unit_test(test_a_failed_copy_in_skips_to_the_sync_behind_it),
        cmocka_unit_test(test_a_failed_copy_in_with_a_sync_ahead_is_unsure),
        cmocka_unit_test(test_what_nobody_asked_for_is_a_violation),
        cmocka_unit_test(test_a_pipeline_longer_than_the_inline_ring_keeps_its_order),
        cmocka_unit_test(test_serial_and_argument_come_back_with_the_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
