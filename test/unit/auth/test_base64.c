/* SPDX-License-Identifier: PostgreSQL */
#include "auth/base64.h"

#include "auth_fixture.h"
#include "base/rand.h"
#include "../../support/guard.h"

/* RFC 4648 section 10. */
static const struct {
    const char *bytes;
    const char *text;
} vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void test_base64_gives_the_values_of_rfc_4648(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(vectors); i++) {
        char text[16];
        uint8_t bytes[16];
        size_t n = base64_encode(span_str(vectors[i].bytes), text);
        assert_span_is(span_of(text, n), vectors[i].text);
        assert_true(base64_decode(span_str(vectors[i].text), bytes, sizeof bytes, &n));
        assert_span_is(span_of(bytes, n), vectors[i].bytes);
    }
}

static void test_base64_refuses_what_is_not_canonical(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "Z",          "Zg",       "Zg=",
        "Zg===",      "=",        "==",
        "====",       "Z===",     "Zh==",
        "Zm9=",       "Zg==Zg==", "Zm=v",
        "Zm9v\n",     " Zm9v",    "Zm9 ",
        "Zm9-",       "Zm9_",     "Zm9*",
        "\x1fm9v",    "Zm9\x7f",  "\xda\xed\xb9\xf6",
        "Zm9vZh==",   "Zm9vYg=a", "Zm9vYmF",
        "Z\xc3\xa4v", "Zm9v====", "Zg==\r\n==",
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        uint8_t bytes[16];
        size_t n = strlen(rows[i]);
        uint8_t *copy = guard_copy(rows[i], n);
        assert_false(base64_decode(span_of(copy, n), bytes, sizeof bytes, &n));
        guard_free(copy, strlen(rows[i]));
    }
}

static void test_base64_refuses_more_than_fits(void **state)
{
    (void)state;
    uint8_t bytes[4];
    size_t n;
    assert_true(base64_decode(span_str("Zm9vYg=="), bytes, 4, &n));
    assert_int_equal(n, 4);
    assert_false(base64_decode(span_str("Zm9vYmE="), bytes, 4, &n));
}

static void test_base64_brings_back_what_it_wrote(void **state)
{
    (void)state;
    for (size_t size = 0; size < 200; size++) {
        uint8_t bytes[200], back[200];
        char text[BASE64_TEXT(200)];
        size_t n;
        rand_bytes(bytes, size);
        size_t length = base64_encode(span_of(bytes, size), text);
        assert_int_equal(length, BASE64_TEXT(size));
        uint8_t *copy = guard_copy(text, length);
        assert_true(base64_decode(span_of(copy, length), back, size, &n));
        guard_free(copy, length);
        assert_int_equal(n, size);
        assert_memory_equal(bytes, back, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_gives_the_values_of_rfc_4648),
        cmocka_unit_test(test_base64_refuses_what_is_not_canonical),
        cmocka_unit_test(test_base64_refuses_more_than_fits),
        cmocka_unit_test(test_base64_brings_back_what_it_wrote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
