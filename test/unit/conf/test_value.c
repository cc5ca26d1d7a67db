/* SPDX-License-Identifier: PostgreSQL */
/* test_value.c - numbers, switches, durations, sizes, words and lists. */
#include "conf/value.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"

static void test_value_int_reads_c_notation_and_nothing_else(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        {"0", true, 0},       {"20", true, 20},  {"0x10", true, 16},
        {"010", true, 8},     {"-1", true, -1},  {"", false, 0},
        {"1k", false, 0},     {"abc", false, 0}, {"1.5", false, 0},
        {"100000", false, 0}, {"1 ", false, 0},  {"99999999999999999999", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t v = 0;
        struct error err = {"", ""};
        assert_int_equal(value_int(cases[i].text, -10, 1000, &v, &err), cases[i].ok);
        if (cases[i].ok)
            assert_int_equal(v, cases[i].value);
        else
            assert_true(err.text[0] != '\0');
    }
}

static void test_value_bool_reads_numbers_and_words(void **state)
{
    static const struct {
        const char *text;
        bool ok, value;
    } cases[] = {
        {"0", true, false},   {"1", true, true},         {"2", true, true},
        {"on", true, true},   {"Yes", true, true},       {"TRUE", true, true},
        {"off", true, false}, {"no", true, false},       {"false", true, false},
        {"", false, false},   {"perhaps", false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool v = false;
        assert_int_equal(value_bool(cases[i].text, &v, NULL), cases[i].ok);
        assert_int_equal(v, cases[i].value);
    }
}

static void test_value_duration_reads_units_and_fractions(void **state)
{
    static const struct {
        const char *text;
        uint64_t bare, us; /* us UINT64_MAX: refused */
    } cases[] = {
        {"0", US_PER_S, 0},
        {"30", US_PER_S, 30000000},
        {"1.5", US_PER_S, 1500000},
        {".5", US_PER_S, 500000},
        {"1e1", US_PER_S, 10000000},
        {"30", US_PER_MS, 30000},
        {"30s", US_PER_MS, 30000000},
        {"500ms", US_PER_S, 500000},
        {"500 ms", US_PER_S, 500000},
        {"250us", US_PER_S, 250},
        {"5min", US_PER_S, 300000000},
        {"5m", US_PER_S, 300000000},
        {"2h", US_PER_S, 7200000000},
        {"1d", US_PER_S, 86400000000},
        {"0.5H", US_PER_S, 1800000000},
        {"0.0001us", US_PER_S, 1},
        {"+2.5", US_PER_S, 2500000},
        {"4294967295", US_PER_S, 4294967295000000},
        {"1e10", US_PER_S, DURATION_MAX_US},
        {"1e11", US_PER_S, UINT64_MAX},
        {"1e400", US_PER_S, UINT64_MAX},
        {"-1", US_PER_S, UINT64_MAX},
        {"", US_PER_S, UINT64_MAX},
        {"s", US_PER_S, UINT64_MAX},
        {"5 parsecs", US_PER_S, UINT64_MAX},
        {"inf", US_PER_S, UINT64_MAX},
        {"nan", US_PER_S, UINT64_MAX},
        {"1s2", US_PER_S, UINT64_MAX},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t us = UINT64_MAX;
        struct error err;
        bool ok = value_duration(cases[i].text, cases[i].bare, 0, DURATION_MAX_US, &us, &err);
        if (us != cases[i].us || ok != (cases[i].us != UINT64_MAX))
            fail_msg("\"%s\": %" PRIu64 "us", cases[i].text, us);
    }
}

static void test_value_duration_text_reads_back_exactly(void **state)
{
    static const struct {
        uint64_t us, unit;
        const char *text;
    } cases[] = {
        {0, US_PER_S, "0"},
        {30000000, US_PER_S, "30"},
        {1500000, US_PER_S, "1.5"},
        {1, US_PER_S, "0.000001"},
        {86400000000, US_PER_S, "86400"},
        {30000000, US_PER_MS, "30000"},
        {1001, US_PER_MS, "1.001"},
        {DURATION_MAX_US, US_PER_S, "10000000000"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t us = 0;
        char *text = value_duration_text(cases[i].us, cases[i].unit);
        assert_string_equal(text, cases[i].text);
        assert_true(value_duration(text, cases[i].unit, 0, DURATION_MAX_US, &us, NULL));
        assert_int_equal(us, cases[i].us);
        free(text);
    }
}

static void test_value_size_reads_units(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes; /* UINT64_MAX: refused */
    } cases[] = {
        {"0", 0},           {"4096", 4096},      {"64kB", 65536},
        {"1MB", 1048576},   {"1gb", 1u << 30},   {"1.5kB", 1536},
        {"12 B", 12},       {"2GB", UINT64_MAX}, {"1TB", UINT64_MAX},
        {"-1", UINT64_MAX}, {"", UINT64_MAX},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t bytes = UINT64_MAX;
        bool ok = value_size(cases[i].text, 0, 1u << 30, &bytes, NULL);
        assert_int_equal(bytes, cases[i].bytes);
        assert_int_equal(ok, cases[i].bytes != UINT64_MAX);
    }
}

static void test_value_enum_ignores_case_and_lists_the_words(void **state)
{
    static const struct value_word words[] = {{"session", 0}, {"transaction", 1}, {NULL, 0}};
    struct error err;
    int v = -1;
    (void)state;
    assert_true(value_enum("Transaction", words, &v, &err));
    assert_int_equal(v, 1);
    assert_false(value_enum("trans", words, &v, &err));
    assert_string_equal(err.text, "\"trans\" is none of: session, transaction");
    assert_string_equal(value_enum_word(words, 0), "session");
    assert_string_equal(value_enum_word(words, 7), "?");
}

static void test_value_list_is_cut_at_commas_and_blanks(void **state)
{
    static const char *const want[] = {"a", "b"};
    const char *rest = " ,a, b\t,,";
    struct span word;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_true(value_list_next(&rest, &word));
        assert_true(span_is(word, want[i]));
    }
    assert_false(value_list_next(&rest, &word));
    assert_true(value_list_has("one, two,three", span_str("two")));
    assert_false(value_list_has("one, two,three", span_str("tw")));
    assert_false(value_list_has("", span_str("")));
}

static void test_value_reads_lists_of_tls_versions(void **state)
{
    static const struct {
        const char *text;
        int lowest, highest; /* -1: refused */
    } cases[] = {
        {"secure", 2, 3},
        {"default", 2, 3},
        {"all", 0, 3},
        {"TLSv1", 0, 3},
        {"tlsv1.2", 2, 2},
        {"tlsv1.1,tlsv1.2", 1, 2},
        {" tlsv1.3 : tlsv1.2 ", 2, 3},
        {"all,!tlsv1.0", 1, 3},
        {"all:!tlsv1.0:!tlsv1.1:!tlsv1.3", 2, 2},
        {"", -1, -1},
        {"secure,!all", -1, -1},
        {"tlsv1.0,tlsv1.2", -1, -1},
        {"tlsv1.4", -1, -1},
        {"ssl3", -1, -1},
        {"!", -1, -1},
        {"tlsv1.2tlsv1.3tlsv1.2", -1, -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned lowest = 9, highest = 9;
        struct error err;
        bool ok = value_tls_versions(cases[i].text, &lowest, &highest, &err);
        if (ok != (cases[i].lowest >= 0))
            fail_msg("\"%s\": %s", cases[i].text, ok ? "accepted" : err.text);
        if (ok) {
            assert_int_equal(lowest, cases[i].lowest);
            assert_int_equal(highest, cases[i].highest);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_int_reads_c_notation_and_nothing_else),
        cmocka_unit_test(test_value_bool_reads_numbers_and_words),
        cmocka_unit_test(test_value_duration_reads_units_and_fractions),
        cmocka_unit_test(test_value_duration_text_reads_back_exactly),
        cmocka_unit_test(test_value_size_reads_units),
        cmocka_unit_test(test_value_enum_ignores_case_and_lists_the_words),
        cmocka_unit_test(test_value_list_is_cut_at_commas_and_blanks),
        cmocka_unit_test(test_value_reads_lists_of_tls_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
