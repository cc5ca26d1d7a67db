/* SPDX-License-Identifier: PostgreSQL */
#include "auth/rule_line.h"

#include "rule_fixture.h"

/* Lines as text: "number: token|,token|'token" with ' for quoted and a comma for each comma. */
static void write_line(const struct rule_line *line, char *out, size_t size)
{
    size_t at = strlen(out);
    at += (size_t)snprintf(out + at, size - at, "%u:", line->number);
    for (size_t i = 0; i < line->n; i++) {
        const struct rule_token *t = &line->tokens[i];
        at += (size_t)snprintf(out + at, size - at, " %.*s%s%s", (int)t->commas, ",,,,",
                               t->quoted ? "'" : "", t->text);
        assert_true(t->end <= line->body.n);
    }
    snprintf(out + at, size - at, "%.*s\n", (int)line->commas_behind, ",,,,");
}

static void read_all(const void *text, size_t n, char *out, size_t size)
{
    uint8_t *copy = guard_copy(text, n);
    struct rule_reader reader = {.rest = span_of(copy, n)};
    struct rule_line line = {0};
    struct error err;
    enum rule_next got;
    out[0] = '\0';
    while ((got = rule_line_next(&reader, &line, &err)) != RULE_END) {
        if (got == RULE_LINE)
            write_line(&line, out, size);
        else
            snprintf(out + strlen(out), size - strlen(out), "%u! %s\n", line.number, err.text);
    }
    rule_line_fini(&line);
    guard_free(copy, n);
}

static const struct {
    const char *text, *lines;
} rows[] = {
    {"", ""},
    {"\n \t\r\n# note\n  # note\n", ""},
    {"a b  c\td", "1: a b c d\n"},
    {"a b\r\nc\r\n", "1: a b\n2: c\n"},
    {"\n\na\n", "3: a\n"},
    {"a # b\n", "1: a\n"},
    {"a#b\n", "1: a\n"},
    {"a,b c\n", "1: a ,b c\n"},
    {"a, b , c ,d e\n", "1: a ,b ,c ,d e\n"},
    {"a,,b,\n", "1: a ,,b,\n"},
    {",a\n", "1: ,a\n"},
    {",\n", "1! line has only commas\n"},
    {"\"a b\" \"c,d\" \"#\"\n", "1: 'a b 'c,d '#\n"},
    {"\"a\"\"b\"\n", "1: 'a\"b\n"},
    {"\"\" x\n", "1: ' x\n"},
    {"map=\"a b\" c\"d\"e\n", "1: map=a b cde\n"},
    {"a \"b\nc\n", "1! a quoted name does not end in this line\n2: c\n"},
    {"a \\\nb\nc\n", "1: a b\n3: c\n"},
    {"a\\\r\nb\\\nc\n", "1: abc\n"},
    {"# a \\\nb\nc\n", "3: c\n"},
    {"a \\", "1: a \\\n"},
    {"a\\b\n", "1: a\\b\n"},
};

static void test_lines_are_cut_into_tokens(void **state)
{
    (void)state;
    char out[512];
    for (size_t i = 0; i < ROWS(rows); i++) {
        read_all(rows[i].text, strlen(rows[i].text), out, sizeof out);
        if (strcmp(out, rows[i].lines) != 0)
            fail_msg("\"%s\" gives\n%sinstead of\n%s", rows[i].text, out, rows[i].lines);
    }
}

static void test_a_nul_spoils_its_line_only(void **state)
{
    (void)state;
    static const char text[] = "a\0b\nc\n";
    char out[512];
    read_all(text, sizeof text - 1, out, sizeof out);
    assert_string_equal(out, "1! line contains a NUL byte\n2: c\n");
}

static void test_every_truncation_is_survived(void **state)
{
    (void)state;
    static const char text[] = "a \"b\"\"c\",d # x\\\ny\r\n\"q\\\n\"";
    char out[512];
    for (size_t n = 0; n < sizeof text; n++)
        read_all(text, n, out, sizeof out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_cut_into_tokens),
        cmocka_unit_test(test_a_nul_spoils_its_line_only),
        cmocka_unit_test(test_every_truncation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
