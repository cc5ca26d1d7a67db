/* SPDX-License-Identifier: PostgreSQL */
/* test_log_format.c - the shapes of a line of the log. */
#include "base/log_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* 2026-01-31 11:00:00.123 UTC */
#define WHEN_US 1769857200123000ULL

static void expect(enum log_shape shape, const char *message, const char *wanted)
{
    char line[LOG_LINE_MAX];
    size_t n = log_format(line, shape, LOG_WARNING_LEVEL, WHEN_US, 4711, message);
    line[n] = '\0';
    assert_string_equal(line, wanted);
}

static void text_has_time_process_and_level(void **state)
{
    (void)state;
    expect(LOG_SHAPE_TEXT, "hello", "2026-01-31 11:00:00.123 UTC [4711] WARNING hello\n");
    expect(LOG_SHAPE_JOURNAL, "hello", "<4>WARNING hello\n");
}

static void a_peer_cannot_forge_a_line(void **state)
{
    (void)state;
    expect(LOG_SHAPE_TEXT, "a\nb\rc\033d\te",
           "2026-01-31 11:00:00.123 UTC [4711] WARNING a\n\tb c d\te\n");
}

#define HEAD                                                                                       \
    "{\"time\":\"2026-01-31T11:00:00.123Z\",\"pid\":4711,\"level\":\"WARNING\",\"message\":\""

static void json_escapes_what_it_must(void **state)
{
    static const struct {
        const char *message, *wanted;
    } cases[] = {
        {"hello", HEAD "hello\"}\n"},
        {"say \"hi\" \\ bye", HEAD "say \\\"hi\\\" \\\\ bye\"}\n"},
        {"a\nb\x01\x7f", HEAD "a\\u000ab\\u0001\\u007f\"}\n"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x98", HEAD "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x98\"}\n"},
        {"\xff\xc3", HEAD "\\ufffd\\ufffd\"}\n"},
        {"\xed\xa0\x80", HEAD "\\ufffd\\ufffd\\ufffd\"}\n"},
        {"", HEAD "\"}\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(LOG_SHAPE_JSON, cases[i].message, cases[i].wanted);
}

static void long_messages_are_cut_and_the_line_still_ends(void **state)
{
    static const char fillers[] = {'x', '\001', '\xff', '"'};
    char message[LOG_LINE_MAX * 2], line[LOG_LINE_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof fillers; i++) {
        memset(message, fillers[i], sizeof message - 1);
        message[sizeof message - 1] = '\0';
        size_t n = log_format(line, LOG_SHAPE_JSON, LOG_ERROR_LEVEL, WHEN_US, 1, message);
        assert_true(n <= LOG_LINE_MAX);
        assert_memory_equal(line + n - 3, "\"}\n", 3);
        n = log_format(line, LOG_SHAPE_TEXT, LOG_ERROR_LEVEL, WHEN_US, 1, message);
        assert_true(n <= LOG_LINE_MAX);
        assert_int_equal(line[n - 1], '\n');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_has_time_process_and_level),
        cmocka_unit_test(a_peer_cannot_forge_a_line),
        cmocka_unit_test(json_escapes_what_it_must),
        cmocka_unit_test(long_messages_are_cut_and_the_line_still_ends),
    };
    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
