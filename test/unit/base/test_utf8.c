/* SPDX-License-Identifier: PostgreSQL */
#include "base/utf8.h"

#include "../../support/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct utf8_case {
    const char *bytes;
    size_t n, step;
} cases[] = {
    {"", 0, 0},
    {"a", 1, 1},
    {"\0", 1, 1},
    {"\x7F", 1, 1},
    {"\xC3\xA9x", 3, 2},
    {"\xE2\x82\xAC", 3, 3},
    {"\xF0\x9F\x90\x98", 4, 4},
    {"\xF4\x8F\xBF\xBF", 4, 4},
    {"\xED\x9F\xBF", 3, 3},
    {"\xEE\x80\x80", 3, 3},
    /* a byte that continues, with nothing before it */
    {"\x80", 1, 0},
    {"\xBF", 1, 0},
    /* overlong */
    {"\xC0\x80", 2, 0},
    {"\xC1\xBF", 2, 0},
    {"\xE0\x9F\xBF", 3, 0},
    {"\xF0\x8F\xBF\xBF", 4, 0},
    /* surrogates, beyond U+10FFFF, no such byte */
    {"\xED\xA0\x80", 3, 0},
    {"\xF4\x90\x80\x80", 4, 0},
    {"\xF5\x80\x80\x80", 4, 0},
    {"\xFF", 1, 0},
    /* something else where it should continue */
    {"\xC3x", 2, 0},
    {"\xE2\x82x", 3, 0},
    {"\xF0\x9F\x90x", 4, 0},
};

static void test_each_character_is_as_long_as_the_rfc_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *at = guard_copy(cases[i].bytes, cases[i].n);
        assert_int_equal(utf8_step(span_of(at, cases[i].n)), cases[i].step);
        guard_free(at, cases[i].n);
    }
}

static void test_a_character_that_is_cut_is_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t n = 1; n < cases[i].step; n++) {
            uint8_t *at = guard_copy(cases[i].bytes, n);
            assert_int_equal(utf8_step(span_of(at, n)), 0);
            guard_free(at, n);
        }
    }
}

static void test_a_text_is_valid_if_all_of_it_is(void **state)
{
    (void)state;
    assert_true(utf8_is_valid(span_str("")));
    assert_true(utf8_is_valid(span_str("caf\xC3\xA9 \xE2\x82\xAC")));
    assert_false(utf8_is_valid(span_str("caf\xC3")));
    assert_false(utf8_is_valid(span_str("\xE9t\xE9")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_character_is_as_long_as_the_rfc_says),
        cmocka_unit_test(test_a_character_that_is_cut_is_none),
        cmocka_unit_test(test_a_text_is_valid_if_all_of_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
