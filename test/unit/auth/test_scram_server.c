/* SPDX-License-Identifier: PostgreSQL */
#include "auth/scram_server.h"

#include "auth_fixture.h"
#include "auth/base64.h"
#include "../../support/guard.h"

/* RFC 7677 section 3. */
#define RFC_SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define RFC_NONCE "rOprNGfwEbeRWgbNEkqO" RFC_SERVER_NONCE
#define RFC_CLIENT_FIRST "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define RFC_SERVER_FIRST "r=" RFC_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define RFC_PROOF "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define RFC_CLIENT_FINAL "c=biws,r=" RFC_NONCE "," RFC_PROOF
#define RFC_SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static const uint8_t hash[32] = {1, 2, 3};

static struct scram_verifier rfc_verifier(void)
{
    struct scram_verifier v = {.iterations = 4096};
    struct scram_keys keys;
    size_t n;
    assert_true(base64_decode(span_str("W22ZaJ0SNY7soEsUEjb6gQ=="), v.salt, sizeof v.salt, &n));
    v.salt_len = (uint16_t)n;
    assert_true(scram_derive(span_str("pencil"), span_of(v.salt, n), 4096, &keys, NULL));
    memcpy(v.stored_key, keys.stored_key, SCRAM_KEY_LEN);
    memcpy(v.server_key, keys.server_key, SCRAM_KEY_LEN);
    return v;
}

static void start(struct scram_server *s, enum scram_offer offer, bool doomed)
{
    static struct scram_verifier v;
    if (v.iterations == 0)
        v = rfc_verifier();
    scram_server_init(s, &v, doomed, offer,
                      offer == SCRAM_OFFER_PLUS ? span_of(hash, sizeof hash) : span_of(NULL, 0));
    strcpy(s->nonce, RFC_SERVER_NONCE);
}

static enum scram_result first(struct scram_server *s, const char *mechanism, const char *message,
                               struct buf *out, struct error *err)
{
    size_t n = strlen(message);
    uint8_t *copy = guard_copy(message, n);
    buf_clear(out);
    enum scram_result r = scram_server_first(s, span_str(mechanism), span_of(copy, n), out, err);
    guard_free(copy, n);
    return r;
}

static enum scram_result final(struct scram_server *s, const char *message, struct buf *out,
                               struct error *err)
{
    size_t n = strlen(message);
    uint8_t *copy = guard_copy(message, n);
    buf_clear(out);
    enum scram_result r = scram_server_final(s, span_of(copy, n), out, err);
    guard_free(copy, n);
    return r;
}

static void test_scram_server_holds_the_conversation_of_rfc_7677(void **state)
{
    (void)state;
    struct scram_server s;
    struct buf out = {0};
    start(&s, SCRAM_OFFER_PLAIN, false);
    assert_null(scram_server_keys(&s));
    assert_int_equal(first(&s, SCRAM_NAME_PLAIN, RFC_CLIENT_FIRST, &out, NULL), SCRAM_OK);
    assert_span_is(buf_span(&out), RFC_SERVER_FIRST);
    assert_null(scram_server_keys(&s));
    assert_int_equal(final(&s, RFC_CLIENT_FINAL, &out, NULL), SCRAM_OK);
    assert_span_is(buf_span(&out), RFC_SERVER_FINAL);
    scram_server_fini(&s);
    buf_reset(&out);
}

static void test_scram_server_hands_out_the_client_key_it_was_shown(void **state)
{
    (void)state;
    struct scram_server s;
    struct scram_keys keys;
    struct buf out = {0};
    start(&s, SCRAM_OFFER_PLAIN, false);
    assert_true(scram_derive(span_str("pencil"), span_of(s.verifier.salt, s.verifier.salt_len),
                             4096, &keys, NULL));
    assert_int_equal(first(&s, SCRAM_NAME_PLAIN, RFC_CLIENT_FIRST, &out, NULL), SCRAM_OK);
    assert_int_equal(final(&s, RFC_CLIENT_FINAL, &out, NULL), SCRAM_OK);
    const struct scram_keys *shown = scram_server_keys(&s);
    assert_non_null(shown);
    assert_true(shown->has_client_key);
    assert_memory_equal(shown->client_key, keys.client_key, SCRAM_KEY_LEN);
    assert_memory_equal(shown->stored_key, keys.stored_key, SCRAM_KEY_LEN);
    assert_memory_equal(shown->server_key, keys.server_key, SCRAM_KEY_LEN);
    scram_server_fini(&s);
    buf_reset(&out);
}

static void test_scram_server_fails_a_doomed_exchange_at_its_very_end(void **state)
{
    (void)state;
    struct scram_server s;
    struct buf out = {0};
    struct error err;
    start(&s, SCRAM_OFFER_PLAIN, true);
    assert_int_equal(first(&s, SCRAM_NAME_PLAIN, RFC_CLIENT_FIRST, &out, &err), SCRAM_OK);
    assert_span_is(buf_span(&out), RFC_SERVER_FIRST);
    assert_int_equal(final(&s, RFC_CLIENT_FINAL, &out, &err), SCRAM_FAILED);
    assert_string_equal(err.sqlstate, SQLSTATE_INVALID_PASSWORD);
    assert_string_equal(err.text, "password authentication failed");
    assert_int_equal(buf_len(&out), 0);
    assert_null(scram_server_keys(&s));
    scram_server_fini(&s);
    buf_reset(&out);
}

static const struct {
    const char *what;
    enum scram_offer offer;
    const char *mechanism;
    const char *message;
    enum scram_result result;
    const char *sqlstate;
} first_rows[] = {
    {"plain", SCRAM_OFFER_PLAIN, "SCRAM-SHA-256", "n,,n=,r=abc", SCRAM_OK, ""},
    {"plain, flag y", SCRAM_OFFER_PLAIN, "SCRAM-SHA-256", "y,,n=,r=abc", SCRAM_OK, ""},
    {"plain although PLUS was offered", SCRAM_OFFER_PLUS, "SCRAM-SHA-256", "n,,n=,r=abc", SCRAM_OK,
     ""},
    {"bound", SCRAM_OFFER_PLUS, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r=abc", SCRAM_OK,
     ""},
    {"optional extension", SCRAM_OFFER_PLAIN, "SCRAM-SHA-256", "n,,n=u,r=abc,x=1", SCRAM_OK, ""},
    {"PLUS was stripped from the offer", SCRAM_OFFER_PLUS, "SCRAM-SHA-256", "y,,n=,r=abc",
     SCRAM_FAILED, "28000"},
    {"PLUS was not offered", SCRAM_OFFER_PLAIN, "SCRAM-SHA-256-PLUS",
     "p=tls-server-end-point,,n=,r=abc", SCRAM_BAD, "08P01"},
    {"unknown mechanism", SCRAM_OFFER_PLUS, "SCRAM-SHA-1", "n,,n=,r=abc", SCRAM_BAD, "08P01"},
    {"empty mechanism", SCRAM_OFFER_PLUS, "", "n,,n=,r=abc", SCRAM_BAD, "08P01"},
    {"PLUS without binding", SCRAM_OFFER_PLUS, "SCRAM-SHA-256-PLUS", "n,,n=,r=abc", SCRAM_BAD,
     "08P01"},
    {"PLUS with y", SCRAM_OFFER_PLUS, "SCRAM-SHA-256-PLUS", "y,,n=,r=abc", SCRAM_BAD, "08P01"},
    {"binding without PLUS", SCRAM_OFFER_PLUS, "SCRAM-SHA-256", "p=tls-server-end-point,,n=,r=abc",
     SCRAM_BAD, "08P01"},
    {"other binding type", SCRAM_OFFER_PLUS, "SCRAM-SHA-256-PLUS", "p=tls-unique,,n=,r=abc",
     SCRAM_BAD, "08P01"},
    {"authorization identity", SCRAM_OFFER_PLAIN, "SCRAM-SHA-256", "n,a=root,n=,r=abc", SCRAM_BAD,
     "08P01"},
    {"authorization identity, bound", SCRAM_OFFER_PLUS, "SCRAM-SHA-256-PLUS",
     "p=tls-server-end-point,a=root,n=,r=abc", SCRAM_BAD, "08P01"},
    {"mandatory extension", SCRAM_OFFER_PLAIN, "SCRAM-SHA-256", "n,,m=x,n=,r=abc", SCRAM_BAD,
     "08P01"},
    {"unknown flag", SCRAM_OFFER_PLAIN, "SCRAM-SHA-256", "x,,n=,r=abc", SCRAM_BAD, "08P01"},
    {"no header", SCRAM_OFFER_PLAIN, "SCRAM-SHA-256", "n=,r=abc", SCRAM_BAD, "08P01"},
    {"empty", SCRAM_OFFER_PLAIN, "SCRAM-SHA-256", "", SCRAM_BAD, "08P01"},
    {"no user", SCRAM_OFFER_PLAIN, "SCRAM-SHA-256", "n,,r=abc", SCRAM_BAD, "08P01"},
    {"no nonce", SCRAM_OFFER_PLAIN, "SCRAM-SHA-256", "n,,n=u", SCRAM_BAD, "08P01"},
    {"no nonce but a comma", SCRAM_OFFER_PLAIN, "SCRAM-SHA-256", "n,,n=u,", SCRAM_BAD, "08P01"},
    {"empty nonce", SCRAM_OFFER_PLAIN, "SCRAM-SHA-256", "n,,n=u,r=", SCRAM_BAD, "08P01"},
    {"nonce with a blank", SCRAM_OFFER_PLAIN, "SCRAM-SHA-256", "n,,n=u,r=a b", SCRAM_BAD, "08P01"},
    {"wrong order", SCRAM_OFFER_PLAIN, "SCRAM-SHA-256", "n,,r=abc,n=u", SCRAM_BAD, "08P01"},
    {"comma at the end", SCRAM_OFFER_PLAIN, "SCRAM-SHA-256", "n,,n=u,r=abc,", SCRAM_BAD, "08P01"},
};

static void test_scram_server_reads_the_first_message_strictly(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(first_rows); i++) {
        struct scram_server s;
        struct buf out = {0};
        struct error err = {0};
        start(&s, first_rows[i].offer, false);
        enum scram_result r = first(&s, first_rows[i].mechanism, first_rows[i].message, &out, &err);
        if (r != first_rows[i].result || strcmp(err.sqlstate, first_rows[i].sqlstate) != 0)
            fail_msg("%s: %d %s %s", first_rows[i].what, (int)r, err.sqlstate, err.text);
        assert_int_equal(buf_is_empty(&out), r != SCRAM_OK);
        scram_server_fini(&s);
        buf_reset(&out);
    }
}

static void test_scram_server_refuses_every_truncation_of_the_first_message(void **state)
{
    (void)state;
    const char *message = "p=tls-server-end-point,,n=user,r=a";
    for (size_t n = 0; n < strlen(message); n++) {
        struct scram_server s;
        struct buf out = {0};
        start(&s, SCRAM_OFFER_PLUS, false);
        uint8_t *copy = guard_copy(message, n);
        assert_int_equal(
            scram_server_first(&s, span_str(SCRAM_NAME_PLUS), span_of(copy, n), &out, NULL),
            SCRAM_BAD);
        guard_free(copy, n);
        scram_server_fini(&s);
        buf_reset(&out);
    }
}

/* The RFC's conversation up to its last message, then another last message. The nonce is there to
 * be right, so that only the thing under test is wrong. */
static const struct {
    const char *what;
    const char *message;
    enum scram_result result;
    const char *sqlstate;
} final_rows[] = {
    {"right", RFC_CLIENT_FINAL, SCRAM_OK, ""},
    {"the proof covers extensions", "c=biws,r=" RFC_NONCE ",x=1," RFC_PROOF, SCRAM_FAILED, "28P01"},
    {"the last bit of the proof is wrong",
     "c=biws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVU=", SCRAM_FAILED,
     "28P01"},
    {"an unused bit of the proof is set",
     "c=biws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVR=", SCRAM_BAD, "08P01"},
    {"a bit of the proof is wrong",
     "c=biws,r=" RFC_NONCE ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SCRAM_FAILED,
     "28P01"},
    {"c= of another header", "c=eSws,r=" RFC_NONCE "," RFC_PROOF, SCRAM_BAD, "08P01"},
    {"c= empty", "c=,r=" RFC_NONCE "," RFC_PROOF, SCRAM_BAD, "08P01"},
    {"no c=", "r=" RFC_NONCE "," RFC_PROOF, SCRAM_BAD, "08P01"},
    {"the client's nonce only", "c=biws,r=rOprNGfwEbeRWgbNEkqO," RFC_PROOF, SCRAM_BAD, "08P01"},
    {"a longer nonce", "c=biws,r=" RFC_NONCE "0," RFC_PROOF, SCRAM_BAD, "08P01"},
    {"no nonce", "c=biws," RFC_PROOF, SCRAM_BAD, "08P01"},
    {"no proof", "c=biws,r=" RFC_NONCE, SCRAM_BAD, "08P01"},
    {"no proof but a comma", "c=biws,r=" RFC_NONCE ",", SCRAM_BAD, "08P01"},
    {"empty proof", "c=biws,r=" RFC_NONCE ",p=", SCRAM_BAD, "08P01"},
    {"short proof", "c=biws,r=" RFC_NONCE ",p=dHzbZapW", SCRAM_BAD, "08P01"},
    {"long proof", "c=biws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQAAAAA",
     SCRAM_BAD, "08P01"},
    {"something behind the proof", RFC_CLIENT_FINAL ",x=1", SCRAM_BAD, "08P01"},
    {"comma behind the proof", RFC_CLIENT_FINAL ",", SCRAM_BAD, "08P01"},
    {"mandatory extension", "c=biws,r=" RFC_NONCE ",m=1," RFC_PROOF, SCRAM_BAD, "08P01"},
    {"malformed extension", "c=biws,r=" RFC_NONCE ",1=1," RFC_PROOF, SCRAM_BAD, "08P01"},
    {"empty", "", SCRAM_BAD, "08P01"},
};

static void test_scram_server_reads_the_final_message_strictly(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(final_rows); i++) {
        struct scram_server s;
        struct buf out = {0};
        struct error err = {0};
        start(&s, SCRAM_OFFER_PLAIN, false);
        assert_int_equal(first(&s, SCRAM_NAME_PLAIN, RFC_CLIENT_FIRST, &out, &err), SCRAM_OK);
        enum scram_result r = final(&s, final_rows[i].message, &out, &err);
        if (r != final_rows[i].result || strcmp(err.sqlstate, final_rows[i].sqlstate) != 0)
            fail_msg("%s: %d %s %s", final_rows[i].what, (int)r, err.sqlstate, err.text);
        assert_int_equal(buf_is_empty(&out), r != SCRAM_OK);
        assert_int_equal(scram_server_keys(&s) != NULL, r == SCRAM_OK);
        scram_server_fini(&s);
        buf_reset(&out);
    }
}

static void test_scram_server_refuses_every_truncation_of_the_final_message(void **state)
{
    (void)state;
    for (size_t n = 0; n < strlen(RFC_CLIENT_FINAL); n++) {
        struct scram_server s;
        struct buf out = {0};
        start(&s, SCRAM_OFFER_PLAIN, false);
        assert_int_equal(first(&s, SCRAM_NAME_PLAIN, RFC_CLIENT_FIRST, &out, NULL), SCRAM_OK);
        uint8_t *copy = guard_copy(RFC_CLIENT_FINAL, n);
        assert_int_equal(scram_server_final(&s, span_of(copy, n), &out, NULL), SCRAM_BAD);
        guard_free(copy, n);
        scram_server_fini(&s);
        buf_reset(&out);
    }
}

static void test_scram_server_refuses_messages_out_of_order(void **state)
{
    (void)state;
    struct scram_server s;
    struct buf out = {0};
    start(&s, SCRAM_OFFER_PLAIN, false);
    assert_int_equal(final(&s, RFC_CLIENT_FINAL, &out, NULL), SCRAM_BAD);
    assert_int_equal(first(&s, SCRAM_NAME_PLAIN, RFC_CLIENT_FIRST, &out, NULL), SCRAM_OK);
    assert_int_equal(first(&s, SCRAM_NAME_PLAIN, RFC_CLIENT_FIRST, &out, NULL), SCRAM_BAD);
    assert_int_equal(final(&s, RFC_CLIENT_FINAL, &out, NULL), SCRAM_OK);
    assert_int_equal(final(&s, RFC_CLIENT_FINAL, &out, NULL), SCRAM_BAD);
    scram_server_fini(&s);

    start(&s, SCRAM_OFFER_PLAIN, false);
    assert_int_equal(first(&s, SCRAM_NAME_PLAIN, "n,,", &out, NULL), SCRAM_BAD);
    assert_int_equal(first(&s, SCRAM_NAME_PLAIN, RFC_CLIENT_FIRST, &out, NULL), SCRAM_BAD);
    scram_server_fini(&s);
    buf_reset(&out);
}

static void test_scram_server_bounds_its_input(void **state)
{
    (void)state;
    struct scram_server s;
    struct buf out = {0}, message = {0};
    struct error err;
    buf_append(&message, "n,,n=,r=", 8);
    while (buf_len(&message) <= SCRAM_MESSAGE_MAX)
        buf_append(&message, "x", 1);
    start(&s, SCRAM_OFFER_PLAIN, false);
    assert_int_equal(
        scram_server_first(&s, span_str(SCRAM_NAME_PLAIN), buf_span(&message), &out, &err),
        SCRAM_BAD);
    assert_string_equal(err.text, "malformed SCRAM message: too long");
    scram_server_fini(&s);
    buf_reset(&message);
    buf_reset(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scram_server_holds_the_conversation_of_rfc_7677),
        cmocka_unit_test(test_scram_server_hands_out_the_client_key_it_was_shown),
        cmocka_unit_test(test_scram_server_fails_a_doomed_exchange_at_its_very_end),
        cmocka_unit_test(test_scram_server_reads_the_first_message_strictly),
        cmocka_unit_test(test_scram_server_refuses_every_truncation_of_the_first_message),
        cmocka_unit_test(test_scram_server_reads_the_final_message_strictly),
        cmocka_unit_test(test_scram_server_refuses_every_truncation_of_the_final_message),
        cmocka_unit_test(test_scram_server_refuses_messages_out_of_order),
        cmocka_unit_test(test_scram_server_bounds_its_input),
    };
    return cmocka_run_group_tests(tests, auth_set_up, auth_tear_down);
}
