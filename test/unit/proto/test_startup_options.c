/* SPDX-License-Identifier: PostgreSQL */
/* The part of startup.c that takes the startup parameter "options" apart. */
#include "proto/startup.h"

#include <stdio.h>

#include "proto_fixture.h"

/* Writes what the reader gives as text: "name=value;" for settings, "<name=value>" for Neon's
 * words, "!" where it refuses. */
static void render(struct span options, char *out, size_t size)
{
    struct startup_options_reader r;
    struct startup_option o;
    struct error err = {0};
    uint8_t *copy = guard_copy(options.p, options.n);
    size_t at = 0;
    out[0] = '\0';
    startup_options_begin(&r, span_of(copy, options.n));
    for (;;) {
        enum startup_options_result got = startup_options_next(&r, &o, &err);
        if (got == STARTUP_OPTIONS_END)
            break;
        if (got == STARTUP_OPTIONS_BAD) {
            snprintf(out + at, size - at, "!");
            assert_string_equal(err.sqlstate, "08P01");
            assert_non_null(strstr(err.text, "only '-c config=val' and '--config=val'"));
            break;
        }
        at += (size_t)snprintf(
            out + at, size - at, got == STARTUP_OPTIONS_NEON ? "<%.*s=%.*s>" : "%.*s=%.*s;",
            (int)o.name.n, (const char *)o.name.p, (int)o.value.n, (const char *)o.value.p);
        assert_true(at < size);
    }
    guard_free(copy, options.n);
}

static void test_startup_options_are_split_as_postgresql_splits_them(void **state)
{
    (void)state;
    static const struct {
        const char *options, *result;
    } rows[] = {
        {"", ""},
        {" \t\r\n\v\f ", ""},
        {"-c geqo=off", "geqo=off;"},
        {"-cgeqo=off", "geqo=off;"},
        {"--geqo=off", "geqo=off;"},
        {"  -c\tgeqo=off  --work_mem=1MB ", "geqo=off;work_mem=1MB;"},
        {"--work-mem=1-2", "work_mem=1-2;"},
        {"-c work-mem=1", "work_mem=1;"},
        {"-c search_path=a,\\ b", "search_path=a, b;"},
        {"-c x=a\\\\b", "x=a\\b;"},
        {"-c x=\\-\\a", "x=-a;"},
        {"-c x=a\\", "x=a;"},
        {"-c x=", "x=;"},
        {"-c x=a=b", "x=a=b;"},
        {"-c -c=1", "_c=1;"},
        {"-c --x=1", "__x=1;"},
        {"\\-c x=1", "x=1;"},
        {"-c a.b=1 -ca=2 --c-d=3", "a.b=1;a=2;c_d=3;"},
        {"-c", "!"},
        {"-c ", "!"},
        {"-c x", "!"},
        {"-c =1", "!"},
        {"-c=1", "!"},
        {"--", "!"},
        {"--=1", "!"},
        {"--x", "!"},
        {"-", "!"},
        {"-e", "!"},
        {"-B 100", "!"},
        {"geqo=off", "!"},
        {"\\", "!"},
        {"-c geqo=off x", "geqo=off;!"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        char got[200];
        render(span_str(rows[i].options), got, sizeof got);
        if (strcmp(got, rows[i].result) != 0)
            fail_msg("\"%s\": got \"%s\", want \"%s\"", rows[i].options, got, rows[i].result);
    }
}

static void test_startup_options_set_neon_words_apart(void **state)
{
    (void)state;
    static const struct {
        const char *options, *result;
    } rows[] = {
        {"endpoint=ep-cool-1", "<endpoint=ep-cool-1>"},
        {"project=ep-cool-1 -c x=1", "<project=ep-cool-1>x=1;"},
        {"-c x=1 endpoint=ep-1 --y=2", "x=1;<endpoint=ep-1>y=2;"},
        {"neon_lsn:0/16B3748", "<neon_lsn=0/16B3748>"},
        {"neon_proxy_params_compat:true -c x=1", "<neon_proxy_params_compat=true>x=1;"},
        {"-c endpoint=1", "endpoint=1;"},
        {"endpoint=", "<endpoint=>"},
        {"endpoint", "!"},
        {"Endpoint=x", "!"},
        {"neon_:x", "!"},
        {"neon_lsn=1", "!"},
        {"neon", "!"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        char got[200];
        render(span_str(rows[i].options), got, sizeof got);
        if (strcmp(got, rows[i].result) != 0)
            fail_msg("\"%s\": got \"%s\", want \"%s\"", rows[i].options, got, rows[i].result);
    }
}

static void test_startup_options_refuse_a_word_longer_than_any_packet(void **state)
{
    (void)state;
    struct startup_options_reader r;
    struct startup_option o;
    struct error err;
    char *word = malloc(STARTUP_LEN_MAX + 1);
    assert_non_null(word);
    memset(word, 'x', STARTUP_LEN_MAX + 1);
    memcpy(word, "--y=", 4);
    startup_options_begin(&r, span_of(word, STARTUP_LEN_MAX));
    assert_int_equal(startup_options_next(&r, &o, &err), STARTUP_OPTIONS_SETTING);
    assert_int_equal(o.value.n, STARTUP_LEN_MAX - 4);
    startup_options_begin(&r, span_of(word, STARTUP_LEN_MAX + 1));
    assert_int_equal(startup_options_next(&r, &o, &err), STARTUP_OPTIONS_BAD);
    free(word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_startup_options_are_split_as_postgresql_splits_them),
        cmocka_unit_test(test_startup_options_set_neon_words_apart),
        cmocka_unit_test(test_startup_options_refuse_a_word_longer_than_any_packet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
