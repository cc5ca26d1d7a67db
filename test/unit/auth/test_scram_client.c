/* SPDX-License-Identifier: PostgreSQL */
#include "auth/scram_client.h"

#include <stdio.h>

#include "auth_fixture.h"
#include "auth/base64.h"
#include "../../support/guard.h"

/* RFC 7677 section 3, but for the user name, which we leave empty. */
#define RFC_CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define RFC_NONCE RFC_CLIENT_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define RFC_SALT "W22ZaJ0SNY7soEsUEjb6gQ=="
#define RFC_SERVER_FIRST "r=" RFC_NONCE ",s=" RFC_SALT ",i=4096"
#define RFC_CLIENT_FINAL "c=biws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define RFC_SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static const struct scram_choice plain = {.mechanism = SCRAM_PLAIN, .gs2_flag = 'n'};

/* Leaves the client where the RFC's client has sent its first message. */
static void start(struct scram_client *c, struct scram_choice choice)
{
    static const uint8_t hash[32] = {1, 2, 3};
    struct buf out = {0};
    scram_client_init(c, choice, span_of(hash, sizeof hash), SCRAM_ITERATIONS_MAX);
    strcpy(c->nonce, RFC_CLIENT_NONCE);
    scram_client_first(c, &out);
    buf_reset(&out);
    buf_clear(&c->auth_message);
    const char *bare = "n=user,r=" RFC_CLIENT_NONCE;
    buf_append(&c->auth_message, bare, strlen(bare));
}

static enum scram_result challenge(struct scram_client *c, const char *message, struct error *err)
{
    size_t n = strlen(message);
    uint8_t *copy = guard_copy(message, n);
    enum scram_result r = scram_client_challenge(c, span_of(copy, n), err);
    guard_free(copy, n);
    return r;
}

static enum scram_result verify(struct scram_client *c, const char *message, struct error *err)
{
    size_t n = strlen(message);
    uint8_t *copy = guard_copy(message, n);
    enum scram_result r = scram_client_verify(c, span_of(copy, n), err);
    guard_free(copy, n);
    return r;
}

static const struct scram_keys *rfc_keys(void)
{
    static struct scram_keys keys;
    uint8_t salt[16];
    size_t n;
    if (!keys.has_client_key) {
        assert_true(base64_decode(span_str(RFC_SALT), salt, sizeof salt, &n));
        assert_true(scram_derive(span_str("pencil"), span_of(salt, n), 4096, &keys, NULL));
    }
    return &keys;
}

static void start_to_final(struct scram_client *c)
{
    struct buf out = {0};
    start(c, plain);
    assert_int_equal(challenge(c, RFC_SERVER_FIRST, NULL), SCRAM_OK);
    assert_int_equal(scram_client_final(c, rfc_keys(), &out, NULL), SCRAM_OK);
    assert_span_is(buf_span(&out), RFC_CLIENT_FINAL);
    buf_reset(&out);
}

static void test_scram_client_holds_the_conversation_of_rfc_7677(void **state)
{
    (void)state;
    struct scram_client c;
    start_to_final(&c);
    assert_int_equal(scram_client_iterations(&c), 4096);
    assert_int_equal(scram_client_salt(&c).n, 16);
    assert_false(scram_client_is_verified(&c));
    assert_int_equal(verify(&c, RFC_SERVER_FINAL, NULL), SCRAM_OK);
    assert_true(scram_client_is_verified(&c));
    scram_client_fini(&c);
}

static void test_scram_client_names_no_user_and_says_its_flag(void **state)
{
    (void)state;
    static const struct {
        struct scram_choice choice;
        const char *first;
    } rows[] = {
        {{SCRAM_PLAIN, 'n'}, "n,,n=,r=nonce"},
        {{SCRAM_PLAIN, 'y'}, "y,,n=,r=nonce"},
        {{SCRAM_PLUS, 'p'}, "p=tls-server-end-point,,n=,r=nonce"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct scram_client c;
        struct buf out = {0};
        scram_client_init(&c, rows[i].choice, span_str("hash"), 1);
        strcpy(c.nonce, "nonce");
        scram_client_first(&c, &out);
        assert_span_is(buf_span(&out), rows[i].first);
        scram_client_fini(&c);
        buf_reset(&out);
    }
}

#define LIST(text) text, sizeof(text)

static const struct choice_row {
    const char *what;
    const char *list;
    size_t list_len;
    bool have_binding;
    enum channel_binding_policy policy;
    char flag; /* or 0: refused */
    const char *sqlstate;
} choices[] = {
    {"both, can bind", LIST("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0"), true, CHANNEL_BINDING_PREFER,
     'p', ""},
    {"both in the other order", LIST("SCRAM-SHA-256\0SCRAM-SHA-256-PLUS\0"), true,
     CHANNEL_BINDING_PREFER, 'p', ""},
    {"both, must bind", LIST("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0"), true, CHANNEL_BINDING_REQUIRE,
     'p', ""},
    {"both, may not bind", LIST("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0"), true,
     CHANNEL_BINDING_DISABLE, 'n', ""},
    {"both, cannot bind", LIST("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0"), false,
     CHANNEL_BINDING_PREFER, 'n', ""},
    {"both, must but cannot bind", LIST("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0"), false,
     CHANNEL_BINDING_REQUIRE, 0, "28000"},
    {"plain only, can bind", LIST("SCRAM-SHA-256\0"), true, CHANNEL_BINDING_PREFER, 'y', ""},
    {"plain only, may not bind", LIST("SCRAM-SHA-256\0"), true, CHANNEL_BINDING_DISABLE, 'n', ""},
    {"plain only, cannot bind", LIST("SCRAM-SHA-256\0"), false, CHANNEL_BINDING_PREFER, 'n', ""},
    {"plain only, must bind", LIST("SCRAM-SHA-256\0"), true, CHANNEL_BINDING_REQUIRE, 0, "28000"},
    {"PLUS only, cannot bind", LIST("SCRAM-SHA-256-PLUS\0"), false, CHANNEL_BINDING_PREFER, 0,
     "28000"},
    {"PLUS only, may not bind", LIST("SCRAM-SHA-256-PLUS\0"), true, CHANNEL_BINDING_DISABLE, 0,
     "28000"},
    {"among others", LIST("OAUTHBEARER\0SCRAM-SHA-256\0GS2\0"), false, CHANNEL_BINDING_PREFER, 'n',
     ""},
    {"others only", LIST("OAUTHBEARER\0SCRAM-SHA-512\0"), true, CHANNEL_BINDING_PREFER, 0, "28000"},
    {"empty list", LIST(""), true, CHANNEL_BINDING_PREFER, 0, "08P01"},
    {"no byte", "", 0, true, CHANNEL_BINDING_PREFER, 0, "08P01"},
    {"no end of the name", "SCRAM-SHA-256", 13, true, CHANNEL_BINDING_PREFER, 0, "08P01"},
    {"no end of the list", "SCRAM-SHA-256", 14, true, CHANNEL_BINDING_PREFER, 0, "08P01"},
    {"bytes behind the list", LIST("SCRAM-SHA-256\0\0x"), true, CHANNEL_BINDING_PREFER, 0, "08P01"},
};

static void test_scram_choose_follows_list_and_policy(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(choices); i++) {
        const struct choice_row *r = &choices[i];
        struct scram_choice choice = {0};
        struct error err = {0};
        uint8_t *copy = guard_copy(r->list, r->list_len);
        bool ok =
            scram_choose(span_of(copy, r->list_len), r->have_binding, r->policy, &choice, &err);
        guard_free(copy, r->list_len);
        if (ok != (r->flag != 0) || choice.gs2_flag != r->flag ||
            strcmp(err.sqlstate, r->sqlstate) != 0)
            fail_msg("%s: %d '%c' %s", r->what, (int)ok, choice.gs2_flag, err.text);
        assert_int_equal(choice.mechanism == SCRAM_PLUS, r->flag == 'p');
    }
}

static const struct {
    const char *what;
    const char *message;
    enum scram_result result;
    const char *sqlstate;
} first_rows[] = {
    {"as in the RFC", RFC_SERVER_FIRST, SCRAM_OK, ""},
    {"one iteration, as Neon", "r=" RFC_NONCE ",s=" RFC_SALT ",i=1", SCRAM_OK, ""},
    {"as many as are accepted", "r=" RFC_NONCE ",s=" RFC_SALT ",i=100000", SCRAM_OK, ""},
    {"one byte of salt", "r=" RFC_NONCE ",s=AA==,i=1", SCRAM_OK, ""},
    {"optional extension", RFC_SERVER_FIRST ",x=1", SCRAM_OK, ""},
    {"one iteration too many", "r=" RFC_NONCE ",s=" RFC_SALT ",i=100001", SCRAM_FAILED, "54000"},
    {"far too many", "r=" RFC_NONCE ",s=" RFC_SALT ",i=4294967295", SCRAM_FAILED, "54000"},
    {"more than a number", "r=" RFC_NONCE ",s=" RFC_SALT ",i=99999999999999999999", SCRAM_BAD,
     "08P01"},
    {"no iteration", "r=" RFC_NONCE ",s=" RFC_SALT ",i=0", SCRAM_BAD, "08P01"},
    {"negative", "r=" RFC_NONCE ",s=" RFC_SALT ",i=-1", SCRAM_BAD, "08P01"},
    {"no number", "r=" RFC_NONCE ",s=" RFC_SALT ",i=", SCRAM_BAD, "08P01"},
    {"no count", "r=" RFC_NONCE ",s=" RFC_SALT, SCRAM_BAD, "08P01"},
    {"no salt", "r=" RFC_NONCE ",i=4096", SCRAM_BAD, "08P01"},
    {"empty salt", "r=" RFC_NONCE ",s=,i=4096", SCRAM_BAD, "08P01"},
    {"salt is no base64", "r=" RFC_NONCE ",s=W22,i=4096", SCRAM_BAD, "08P01"},
    {"no nonce", "s=" RFC_SALT ",i=4096", SCRAM_BAD, "08P01"},
    {"another nonce", "r=sOprNGfwEbeRWgbNEkqOxyz,s=" RFC_SALT ",i=4096", SCRAM_BAD, "08P01"},
    {"nothing of its own in the nonce", "r=" RFC_CLIENT_NONCE ",s=" RFC_SALT ",i=4096", SCRAM_BAD,
     "08P01"},
    {"shorter nonce", "r=rOprNGfw,s=" RFC_SALT ",i=4096", SCRAM_BAD, "08P01"},
    {"unprintable nonce", "r=" RFC_NONCE "\x01,s=" RFC_SALT ",i=4096", SCRAM_BAD, "08P01"},
    {"mandatory extension", "m=x," RFC_SERVER_FIRST, SCRAM_BAD, "08P01"},
    {"comma at the end", RFC_SERVER_FIRST ",", SCRAM_BAD, "08P01"},
    {"empty", "", SCRAM_BAD, "08P01"},
};

static void test_scram_client_reads_the_challenge_strictly(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(first_rows); i++) {
        struct scram_client c;
        struct buf out = {0};
        struct error err = {0};
        start(&c, plain);
        enum scram_result r = challenge(&c, first_rows[i].message, &err);
        if (r != first_rows[i].result || strcmp(err.sqlstate, first_rows[i].sqlstate) != 0)
            fail_msg("%s: %d %s %s", first_rows[i].what, (int)r, err.sqlstate, err.text);
        /* After a failure nothing goes on. */
        assert_int_equal(scram_client_final(&c, rfc_keys(), &out, NULL),
                         r == SCRAM_OK ? SCRAM_OK : SCRAM_FAILED);
        scram_client_fini(&c);
        buf_reset(&out);
    }
}

static void test_scram_client_refuses_every_truncation_of_the_challenge(void **state)
{
    (void)state;
    const char *message = "r=" RFC_NONCE ",s=" RFC_SALT ",i=4";
    for (size_t n = 0; n < strlen(message); n++) {
        struct scram_client c;
        start(&c, plain);
        uint8_t *copy = guard_copy(message, n);
        assert_int_equal(scram_client_challenge(&c, span_of(copy, n), NULL), SCRAM_BAD);
        guard_free(copy, n);
        scram_client_fini(&c);
    }
}

static void test_scram_client_bounds_the_salt(void **state)
{
    (void)state;
    static const uint8_t salt[SCRAM_SALT_MAX + 1] = {7};
    for (size_t size = SCRAM_SALT_MAX; size <= SCRAM_SALT_MAX + 1; size++) {
        struct scram_client c;
        char salt_text[BASE64_TEXT(sizeof salt) + 1], message[2048];
        salt_text[base64_encode(span_of(salt, size), salt_text)] = '\0';
        snprintf(message, sizeof message, "r=%s,s=%s,i=1", RFC_NONCE, salt_text);
        start(&c, plain);
        assert_int_equal(challenge(&c, message, NULL),
                         size == SCRAM_SALT_MAX ? SCRAM_OK : SCRAM_BAD);
        scram_client_fini(&c);
    }
}

static void test_scram_client_bounds_its_input(void **state)
{
    (void)state;
    struct scram_client c;
    struct buf message = {0};
    buf_append(&message, RFC_SERVER_FIRST ",x=", strlen(RFC_SERVER_FIRST ",x="));
    while (buf_len(&message) <= SCRAM_MESSAGE_MAX)
        buf_append(&message, "x", 1);
    start(&c, plain);
    assert_int_equal(scram_client_challenge(&c, buf_span(&message), NULL), SCRAM_BAD);
    scram_client_fini(&c);
    buf_reset(&message);
}

static const struct {
    const char *what;
    const char *message;
    enum scram_result result;
    const char *text; /* part of the error */
} final_rows[] = {
    {"right", RFC_SERVER_FINAL, SCRAM_OK, ""},
    {"right, with an extension", RFC_SERVER_FINAL ",x=1", SCRAM_OK, ""},
    {"another signature", "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", SCRAM_FAILED, "wrong"},
    {"short signature", "v=6rriTRBi", SCRAM_BAD, "base64"},
    {"empty signature", "v=", SCRAM_BAD, "base64"},
    {"known error", "e=invalid-proof", SCRAM_FAILED, "invalid-proof"},
    {"known error with an extension", "e=unknown-user,x=1", SCRAM_FAILED, "unknown-user"},
    {"unknown error", "e=the\x1b[31m sky falls", SCRAM_FAILED, "other-error"},
    {"comma behind the error", "e=invalid-proof,", SCRAM_BAD, "trailing"},
    {"comma at the end", RFC_SERVER_FINAL ",", SCRAM_BAD, "trailing"},
    {"something else", "x=1", SCRAM_BAD, "no signature"},
    {"empty", "", SCRAM_BAD, "no signature"},
};

static void test_scram_client_verifies_the_server(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(final_rows); i++) {
        struct scram_client c;
        struct error err = {0};
        start_to_final(&c);
        enum scram_result r = verify(&c, final_rows[i].message, &err);
        if (r != final_rows[i].result || !strstr(err.text, final_rows[i].text))
            fail_msg("%s: %d %s", final_rows[i].what, (int)r, err.text);
        assert_int_equal(scram_client_is_verified(&c), r == SCRAM_OK);
        scram_client_fini(&c);
    }
}

static void test_scram_client_refuses_every_truncation_of_the_signature(void **state)
{
    (void)state;
    for (size_t n = 0; n < strlen(RFC_SERVER_FINAL); n++) {
        struct scram_client c;
        start_to_final(&c);
        uint8_t *copy = guard_copy(RFC_SERVER_FINAL, n);
        assert_int_equal(scram_client_verify(&c, span_of(copy, n), NULL), SCRAM_BAD);
        guard_free(copy, n);
        scram_client_fini(&c);
    }
}

static void test_scram_client_refuses_messages_out_of_order(void **state)
{
    (void)state;
    struct scram_client c;
    start(&c, plain);
    assert_int_equal(verify(&c, RFC_SERVER_FINAL, NULL), SCRAM_BAD);
    assert_int_equal(challenge(&c, RFC_SERVER_FIRST, NULL), SCRAM_BAD);
    scram_client_fini(&c);
    start_to_final(&c);
    assert_int_equal(challenge(&c, RFC_SERVER_FIRST, NULL), SCRAM_BAD);
    assert_int_equal(verify(&c, RFC_SERVER_FINAL, NULL), SCRAM_BAD);
    assert_false(scram_client_is_verified(&c));
    scram_client_fini(&c);
}

static void test_scram_client_needs_a_client_key(void **state)
{
    (void)state;
    struct scram_client c;
    struct scram_keys keys = *rfc_keys();
    struct buf out = {0};
    keys.has_client_key = false;
    start(&c, plain);
    assert_int_equal(challenge(&c, RFC_SERVER_FIRST, NULL), SCRAM_OK);
    assert_int_equal(scram_client_final(&c, &keys, &out, NULL), SCRAM_FAILED);
    assert_true(buf_is_empty(&out));
    scram_client_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scram_client_holds_the_conversation_of_rfc_7677),
        cmocka_unit_test(test_scram_client_names_no_user_and_says_its_flag),
        cmocka_unit_test(test_scram_choose_follows_list_and_policy),
        cmocka_unit_test(test_scram_client_reads_the_challenge_strictly),
        cmocka_unit_test(test_scram_client_refuses_every_truncation_of_the_challenge),
        cmocka_unit_test(test_scram_client_bounds_the_salt),
        cmocka_unit_test(test_scram_client_bounds_its_input),
        cmocka_unit_test(test_scram_client_verifies_the_server),
        cmocka_unit_test(test_scram_client_refuses_every_truncation_of_the_signature),
        cmocka_unit_test(test_scram_client_refuses_messages_out_of_order),
        cmocka_unit_test(test_scram_client_needs_a_client_key),
    };
    return cmocka_run_group_tests(tests, auth_set_up, auth_tear_down);
}
