/* SPDX-License-Identifier: PostgreSQL */
/* Both sides of SCRAM against each other, whole and with each step broken in turn. */
#include "auth/scram_client.h"
#include "auth/scram_server.h"

#include <stdio.h>

#include "auth_fixture.h"

enum message {
    CLIENT_FIRST,
    SERVER_FIRST,
    CLIENT_FINAL,
    SERVER_FINAL,
    MESSAGES,
};

/* What one run does; {0} is the ordinary one. */
struct plan {
    const char *password;       /* the client's; NULL: the right one */
    enum scram_offer offer;     /* the server's */
    struct scram_choice choice; /* the client's */
    bool other_certificate;     /* the client has seen another one */
    bool doomed;
    bool flip; /* change one byte of a message on its way */
    enum message flip_message;
    size_t flip_at;
    uint8_t flip_mask;
};

/* How a run ended: who gave up, at which message; MESSAGES: both are content. */
struct outcome {
    enum message at;
    enum scram_result result;
    size_t lengths[MESSAGES];
};

static const uint8_t hash[32] = "hash of our certificate";
static const uint8_t other_hash[32] = "hash of somebody's certificate";
static struct scram_verifier verifier; /* of "pencil", one iteration: many runs */

static int set_up(void **state)
{
    return auth_set_up(state) || !scram_make_verifier(span_str("pencil"), 1, &verifier, NULL);
}

static struct scram_choice choice_of(const struct plan *p)
{
    return p->choice.gs2_flag ? p->choice : (struct scram_choice){SCRAM_PLAIN, 'n'};
}

/* The network between the two. Returns where the message is now. */
static struct span carry(const struct plan *p, enum message m, struct buf *b, struct outcome *o)
{
    o->at = m;
    o->lengths[m] = buf_len(b);
    if (p->flip && p->flip_message == m && p->flip_at < buf_len(b))
        b->data[b->start + p->flip_at] ^= p->flip_mask;
    return buf_span(b);
}

static enum scram_result answer(struct scram_client *c, const struct plan *p, struct buf *out)
{
    struct scram_keys keys;
    const char *password = p->password ? p->password : "pencil";
    assert_true(scram_derive(span_str(password), scram_client_salt(c), scram_client_iterations(c),
                             &keys, NULL));
    return scram_client_final(c, &keys, out, NULL);
}

static void converse(struct scram_client *c, struct scram_server *s, const struct plan *p,
                     struct buf b[MESSAGES], struct outcome *o)
{
    scram_client_first(c, &b[CLIENT_FIRST]);
    o->result =
        scram_server_first(s, span_str(scram_mechanism_name(choice_of(p).mechanism)),
                           carry(p, CLIENT_FIRST, &b[CLIENT_FIRST], o), &b[SERVER_FIRST], NULL);
    if (o->result != SCRAM_OK)
        return;
    o->result = scram_client_challenge(c, carry(p, SERVER_FIRST, &b[SERVER_FIRST], o), NULL);
    if (o->result != SCRAM_OK)
        return;
    assert_int_equal(answer(c, p, &b[CLIENT_FINAL]), SCRAM_OK);
    o->result =
        scram_server_final(s, carry(p, CLIENT_FINAL, &b[CLIENT_FINAL], o), &b[SERVER_FINAL], NULL);
    if (o->result != SCRAM_OK)
        return;
    o->result = scram_client_verify(c, carry(p, SERVER_FINAL, &b[SERVER_FINAL], o), NULL);
    if (o->result == SCRAM_OK)
        o->at = MESSAGES;
}

static struct outcome run(const struct plan *p)
{
    struct outcome o = {0};
    struct buf b[MESSAGES] = {0};
    struct scram_client c;
    struct scram_server s;
    struct span none = span_of(NULL, 0), ours = span_of(hash, sizeof hash);

    scram_client_init(&c, choice_of(p),
                      p->other_certificate ? span_of(other_hash, sizeof other_hash) : ours, 100);
    scram_server_init(&s, &verifier, p->doomed, p->offer,
                      p->offer == SCRAM_OFFER_PLUS ? ours : none);
    converse(&c, &s, p, b, &o);
    assert_int_equal(scram_client_is_verified(&c), o.at == MESSAGES);
    if (o.at < SERVER_FINAL)
        assert_null(scram_server_keys(&s));
    for (int m = 0; m < MESSAGES; m++)
        buf_reset(&b[m]);
    scram_client_fini(&c);
    scram_server_fini(&s);
    return o;
}

static const struct {
    const char *what;
    struct plan plan;
    enum message at;
    enum scram_result result;
} rows[] = {
    {"plain", {.password = NULL}, MESSAGES, SCRAM_OK},
    {"plain, client could bind, server could not",
     {.choice = {SCRAM_PLAIN, 'y'}},
     MESSAGES,
     SCRAM_OK},
    {"plain although both could bind", {.offer = SCRAM_OFFER_PLUS}, MESSAGES, SCRAM_OK},
    {"bound", {.offer = SCRAM_OFFER_PLUS, .choice = {SCRAM_PLUS, 'p'}}, MESSAGES, SCRAM_OK},
    {"wrong password", {.password = "pen"}, CLIENT_FINAL, SCRAM_FAILED},
    {"empty password", {.password = ""}, CLIENT_FINAL, SCRAM_FAILED},
    {"wrong password, bound",
     {.password = "pen", .offer = SCRAM_OFFER_PLUS, .choice = {SCRAM_PLUS, 'p'}},
     CLIENT_FINAL,
     SCRAM_FAILED},
    {"unknown user who knows the mock's password", {.doomed = true}, CLIENT_FINAL, SCRAM_FAILED},
    {"bound to another certificate",
     {.offer = SCRAM_OFFER_PLUS, .choice = {SCRAM_PLUS, 'p'}, .other_certificate = true},
     CLIENT_FINAL,
     SCRAM_FAILED},
    {"PLUS was stripped from the list",
     {.offer = SCRAM_OFFER_PLUS, .choice = {SCRAM_PLAIN, 'y'}},
     CLIENT_FIRST,
     SCRAM_FAILED},
    {"bound without an offer", {.choice = {SCRAM_PLUS, 'p'}}, CLIENT_FIRST, SCRAM_BAD},
};

static void test_scram_sides_agree_or_stop_where_they_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct outcome o = run(&rows[i].plan);
        if (o.at != rows[i].at || o.result != rows[i].result)
            fail_msg("%s: ended at %d with %d", rows[i].what, (int)o.at, (int)o.result);
    }
}

/* The user name is the one thing that the server ignores, but the proof covers it. So whichever bit
 * is changed in whichever message, the exchange must not end well. */
static void flip_everything(const struct plan *base)
{
    struct outcome good = run(base);
    assert_int_equal(good.at, MESSAGES);
    for (int m = 0; m < MESSAGES; m++) {
        for (size_t at = 0; at < good.lengths[m]; at++) {
            for (unsigned mask = 1; mask < 256; mask <<= 1) {
                struct plan p = *base;
                p.flip = true;
                p.flip_message = (enum message)m;
                p.flip_at = at;
                p.flip_mask = (uint8_t)mask;
                struct outcome o = run(&p);
                if (o.at == MESSAGES)
                    fail_msg("message %d, byte %zu, mask %#x went unnoticed", m, at, mask);
            }
        }
    }
}

static void test_scram_notices_every_flipped_bit(void **state)
{
    (void)state;
    flip_everything(&(struct plan){0});
}

static void test_scram_notices_every_flipped_bit_when_bound(void **state)
{
    (void)state;
    flip_everything(&(struct plan){.offer = SCRAM_OFFER_PLUS, .choice = {SCRAM_PLUS, 'p'}});
}

static void test_scram_exchange_costs_one_derivation_and_only_the_clients(void **state)
{
    (void)state;
    uint64_t before = scram_derivations();
    struct outcome o = run(&(struct plan){0});
    assert_int_equal(o.at, MESSAGES);
    assert_int_equal(scram_derivations() - before, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scram_sides_agree_or_stop_where_they_should),
        cmocka_unit_test(test_scram_notices_every_flipped_bit),
        cmocka_unit_test(test_scram_notices_every_flipped_bit_when_bound),
        cmocka_unit_test(test_scram_exchange_costs_one_derivation_and_only_the_clients),
    };
    return cmocka_run_group_tests(tests, set_up, auth_tear_down);
}
