/* SPDX-License-Identifier: PostgreSQL */
#include "auth/digest.h"

#include "auth_fixture.h"

#include <pthread.h>

static void test_sha256_of_the_empty_string_is_the_published_one(void **state)
{
    (void)state;
    uint8_t out[SHA256_LEN];
    assert_true(digest_sha256(span_of(NULL, 0), out));
    assert_hex(out, sizeof out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4231, test cases 1, 2 and 6 (SHA-256). */
static void test_hmac_gives_the_values_of_rfc_4231(void **state)
{
    (void)state;
    uint8_t short_key[20], long_key[131], out[SHA256_LEN];
    memset(short_key, 0x0b, sizeof short_key);
    memset(long_key, 0xaa, sizeof long_key);
    const struct {
        struct span key;
        const char *text;
        const char *expected;
    } rows[] = {
        {span_of(short_key, sizeof short_key), "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {span_str("Jefe"), "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {span_of(long_key, sizeof long_key),
         "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct span text = span_str(rows[i].text);
        assert_true(digest_hmac(rows[i].key, &text, 1, out));
        assert_hex(out, sizeof out, rows[i].expected);
        const struct span halves[] = {span_of(text.p, 3), span_of(text.p + 3, text.n - 3)};
        assert_true(digest_hmac(rows[i].key, halves, 2, out));
        assert_hex(out, sizeof out, rows[i].expected);
    }
}

/* RFC 7914 section 11: the first 32 bytes. */
static void test_pbkdf2_gives_the_values_of_rfc_7914(void **state)
{
    (void)state;
    uint8_t out[SHA256_LEN];
    assert_true(digest_pbkdf2(span_str("passwd"), span_str("salt"), 1, out));
    assert_hex(out, sizeof out, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    assert_true(digest_pbkdf2(span_str("Password"), span_str("NaCl"), 80000, out));
    assert_hex(out, sizeof out, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
}

static void test_pbkdf2_takes_an_empty_password_and_refuses_zero_iterations(void **state)
{
    (void)state;
    uint8_t out[SHA256_LEN];
    assert_true(digest_pbkdf2(span_of(NULL, 0), span_str("salt"), 1, out));
    assert_hex(out, sizeof out, "f135c27993baf98773c5cdb40a5706ce6a345cde61b000a67858650cd6a324d7");
    assert_false(digest_pbkdf2(span_str("passwd"), span_str("salt"), 0, out));
    assert_false(digest_pbkdf2(span_str("passwd"), span_str("salt"), UINT32_MAX, out));
}

static void test_md5_covers_both_parts(void **state)
{
    (void)state;
    uint8_t out[MD5_LEN];
    assert_true(digest_md5(span_str("ab"), span_str("c"), out));
    assert_hex(out, sizeof out, "900150983cd24fb0d6963f7d28e17f72");
}

/* What each of them keeps for its digests goes with it (the sanitizer build sees what does not). */
static void *digest_often(void *arg)
{
    static const uint8_t nothing[SHA256_LEN] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc};
    uint8_t out[SHA256_LEN], md5[MD5_LEN];
    for (int i = 0; i < 1000; i++) {
        if (!digest_md5(span_str("a"), span_str("b"), md5) ||
            !digest_sha256(span_of(NULL, 0), out) || memcmp(out, nothing, 6) != 0)
            return NULL;
    }
    return arg;
}

static void test_threads_digest_side_by_side(void **state)
{
    pthread_t threads[4];
    for (size_t i = 0; i < ROWS(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, digest_often, state), 0);
    for (size_t i = 0; i < ROWS(threads); i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, state);
    }
}

static void test_nothing_works_before_the_start(void **state)
{
    (void)state;
    uint8_t out[SHA256_LEN];
    digest_fini();
    assert_false(digest_sha256(span_str("x"), out));
    assert_false(digest_md5(span_str("x"), span_str(""), out));
    assert_false(digest_pbkdf2(span_str("x"), span_str("salt"), 1, out));
    assert_true(digest_init(NULL));
    assert_true(digest_sha256(span_str("x"), out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256_of_the_empty_string_is_the_published_one),
        cmocka_unit_test(test_hmac_gives_the_values_of_rfc_4231),
        cmocka_unit_test(test_pbkdf2_gives_the_values_of_rfc_7914),
        cmocka_unit_test(test_pbkdf2_takes_an_empty_password_and_refuses_zero_iterations),
        cmocka_unit_test(test_md5_covers_both_parts),
        cmocka_unit_test(test_threads_digest_side_by_side),
        cmocka_unit_test(test_nothing_works_before_the_start),
    };
    return cmocka_run_group_tests(tests, auth_set_up, auth_tear_down);
}
