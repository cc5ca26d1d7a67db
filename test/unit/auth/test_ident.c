/* SPDX-License-Identifier: PostgreSQL */
#include "auth/ident.h"

#include "rule_fixture.h"

static struct ident *parse(const char *text, struct notes *notes)
{
    size_t n = strlen(text);
    uint8_t *copy = guard_copy(text, n);
    notes_begin(notes);
    struct ident *ident = ident_parse(span_of(copy, n), "maps", &notes->sink);
    guard_free(copy, n);
    return ident;
}

static void test_lines_of_one_map_add_up(void **state)
{
    (void)state;
    struct notes notes;
    struct ident *ident = parse("# who is who\n"
                                "m  root app\n"
                                "m  \"Web Server\" \"all\"\n"
                                "m  root other\n"
                                "n  root all\n",
                                &notes);
    assert_string_equal(notes.text, "");
    static const struct {
        const char *map, *system_user, *user;
        bool allowed;
    } cases[] = {
        {"m", "root", "app", true},        {"m", "root", "other", true},
        {"m", "root", "postgres", false},  {"m", "Web Server", "all", true},
        {"m", "Web Server", "app", false}, {"m", "web server", "all", false},
        {"n", "root", "whoever", true},    {"n", "Web Server", "whoever", false},
        {"none", "root", "app", false},    {"M", "root", "app", false},
        {"m", "root", "APP", false},
    };
    for (size_t i = 0; i < ROWS(cases); i++)
        if (ident_allows(ident, cases[i].map, cases[i].system_user, cases[i].user) !=
            cases[i].allowed)
            fail_msg("%s %s %s", cases[i].map, cases[i].system_user, cases[i].user);
    assert_true(ident_has_map(ident, "m"));
    assert_false(ident_has_map(ident, "none"));
    ident_free(&ident);
    assert_null(ident);
}

static void test_without_maps_nobody_is_anybody_else(void **state)
{
    (void)state;
    struct notes notes;
    struct ident *ident = parse("", &notes);
    assert_non_null(ident);
    assert_false(ident_allows(ident, "m", "root", "root"));
    assert_false(ident_allows(NULL, "m", "root", "root"));
    assert_false(ident_has_map(NULL, "m"));
    ident_free(&ident);
}

static const struct {
    const char *text, *problems;
} rows[] = {
#define FIELDS "expected a map name, a system user and a database user\n"
    {"m root\n", "maps:1: E " FIELDS},
    {"\nm root app more\n", "maps:2: E " FIELDS},
    {"m a,b app\n", "maps:1: E " FIELDS},
    {"m a b,\n", "maps:1: E " FIELDS},
    {"m \"a\n", "maps:1: E a quoted name does not end in this line\n"},
    {"m /^(.*)$ app\n", "maps:1: E regular expressions are not supported: \"/^(.*)$\"\n"},
    {"m root +staff\n", "maps:1: E groups are not supported as database user: \"+staff\"\n"},
    {"m root /app\n",
     "maps:1: E regular expressions are not supported as database user: \"/app\"\n"},
    {"m\nm root app\nn\n", "maps:1: E " FIELDS "maps:3: E " FIELDS},
};

static void test_a_line_that_is_not_understood_spoils_the_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct notes notes;
        assert_null(parse(rows[i].text, &notes));
        if (strcmp(notes.text, rows[i].problems) != 0)
            fail_msg("\"%s\" gives\n%s", rows[i].text, notes.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_of_one_map_add_up),
        cmocka_unit_test(test_without_maps_nobody_is_anybody_else),
        cmocka_unit_test(test_a_line_that_is_not_understood_spoils_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
