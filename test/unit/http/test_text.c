/* SPDX-License-Identifier: PostgreSQL */
#include "http/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct escape_case {
    const char *in, *json, *label; /* label NULL: not UTF-8, never a label */
} escapes[] = {
    {"", "\"\"", "\"\""},
    {"app", "\"app\"", "\"app\""},
    {"a\"b", "\"a\\\"b\"", "\"a\\\"b\""},
    {"a\\b", "\"a\\\\b\"", "\"a\\\\b\""},
    {"a\\", "\"a\\\\\"", "\"a\\\\\""},
    {"a\nb", "\"a\\u000ab\"", "\"a\\nb\""},
    {"a\tb", "\"a\\u0009b\"", "\"a\tb\""},
    {"\x01\x1f", "\"\\u0001\\u001f\"", "\"\x01\x1f\""},
    {"</script>", "\"\\u003c/script>\"", "\"</script>\""},
    {"caf\xC3\xA9", "\"caf\xC3\xA9\"", "\"caf\xC3\xA9\""},
    {"\xE9t\xE9", "\"?t?\"", NULL},
    {"cut \xE2\x82", "\"cut ??\"", NULL},
};

static void assert_page(struct buf *page, const char *wanted)
{
    assert_true(span_is(buf_span(page), wanted));
    buf_reset(page);
}

static void test_names_are_escaped_for_where_they_stand(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        struct buf page = {0};
        text_add_json(&page, escapes[i].in);
        assert_page(&page, escapes[i].json);
        if (!escapes[i].label)
            continue;
        text_add_label(&page, escapes[i].in);
        assert_page(&page, escapes[i].label);
    }
}

static void test_no_text_is_null(void **state)
{
    (void)state;
    struct buf page = {0};
    text_add_json(&page, NULL);
    assert_page(&page, "null");
}

static void test_microseconds_become_seconds_without_rounding(void **state)
{
    (void)state;
    static const struct {
        uint64_t us;
        const char *text;
    } cases[] = {
        {0, "0.000000"},
        {1, "0.000001"},
        {1500000, "1.500000"},
        {UINT64_MAX, "18446744073709.551615"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf page = {0};
        text_add_seconds(&page, cases[i].us);
        assert_page(&page, cases[i].text);
    }
}

static void test_formatted_text_of_any_length_arrives_whole(void **state)
{
    (void)state;
    char word[400];
    for (size_t n = 0; n < sizeof word - 1; n++) {
        struct buf page = {0};
        memset(word, 'x', n);
        word[n] = '\0';
        text_addf(&page, "%s", word);
        assert_page(&page, word);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_escaped_for_where_they_stand),
        cmocka_unit_test(test_no_text_is_null),
        cmocka_unit_test(test_microseconds_become_seconds_without_rounding),
        cmocka_unit_test(test_formatted_text_of_any_length_arrives_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
