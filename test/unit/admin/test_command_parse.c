/* SPDX-License-Identifier: PostgreSQL */
#include "admin/command_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/guard.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* Parses from memory that ends at an unreadable page; *rest_out is how much was left. */
static enum command_parsed parse(const char *text, size_t n, struct command *out, struct error *err,
                                 size_t *rest_out)
{
    uint8_t *copy = guard_copy(text, n);
    struct span rest = span_of(copy, n);
    enum command_parsed got = command_parse(&rest, out, err);
    *rest_out = rest.n;
    guard_free(copy, n);
    return got;
}

static void test_command_parse_reads_every_command(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum command_verb verb;
        const char *name; /* NULL: none */
        const char *value;
    } rows[] = {
        {"PAUSE", COMMAND_PAUSE, NULL, ""},
        {"pause Shop", COMMAND_PAUSE, "Shop", ""},
        {"Resume \"my-db\"", COMMAND_RESUME, "my-db", ""},
        {"KILL \"a\"\"b\"", COMMAND_KILL, "a\"b", ""},
        {"KILL", COMMAND_KILL, NULL, ""},
        {"reconnect db_1", COMMAND_RECONNECT, "db_1", ""},
        {"RECONNECT", COMMAND_RECONNECT, NULL, ""},
        {"WAIT_CLOSE", COMMAND_WAIT_CLOSE, NULL, ""},
        {"DISABLE x", COMMAND_DISABLE, "x", ""},
        {"ENABLE x", COMMAND_ENABLE, "x", ""},
        {"RELOAD", COMMAND_RELOAD, NULL, ""},
        {"SUSPEND", COMMAND_SUSPEND, NULL, ""},
        {"SHUTDOWN", COMMAND_SHUTDOWN, NULL, ""},
        {"SET a = b", COMMAND_SET, "a", "b"},
        {"SET a=b", COMMAND_SET, "a", "b"},
        {"set a TO 'it''s'", COMMAND_SET, "a", "it's"},
        {"SET a = \"x\"\"y\"", COMMAND_SET, "a", "x\"y"},
        {"SET a = ''", COMMAND_SET, "a", ""},
        {"\t PAUSE \r\n", COMMAND_PAUSE, NULL, ""},
        {"-- no\nPAUSE -- yes\n shop --", COMMAND_PAUSE, "shop", ""},
        {"/* /* ; */ */PAUSE/**/shop", COMMAND_PAUSE, "shop", ""},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct command c;
        struct error err;
        size_t rest;
        enum command_parsed got = parse(rows[i].text, strlen(rows[i].text), &c, &err, &rest);
        assert_int_equal(got, COMMAND_OK);
        assert_int_equal(c.verb, rows[i].verb);
        assert_int_equal(c.has_name, rows[i].name != NULL);
        assert_string_equal(c.name, rows[i].name ? rows[i].name : "");
        assert_string_equal(c.value, rows[i].value);
        assert_int_equal(rest, 0);
    }
}

static void test_command_parse_knows_what_can_be_shown(void **state)
{
    (void)state;
    struct command c;
    struct error err;
    size_t rest;
    for (int i = 0; i < SHOW_COUNT; i++) {
        char text[64];
        int n = snprintf(text, sizeof text, "%s %s", i % 2 ? "SHOW" : "select",
                         show_at((enum show)i)->name);
        assert_int_equal(parse(text, (size_t)n, &c, &err, &rest), COMMAND_OK);
        assert_int_equal(c.verb, COMMAND_SHOW);
        assert_int_equal(c.show, i);
    }
}

static void test_command_parse_reads_ids_as_they_are_shown_and_logged(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum command_parsed result;
        uint64_t id;
    } rows[] = {
        {"KILL_CLIENT 42", COMMAND_OK, 42},
        {"KILL_CLIENT 0042", COMMAND_OK, 42},
        {"KILL_CLIENT 0x2A", COMMAND_OK, 42},
        {"KILL_CLIENT", COMMAND_BAD, 0},
        {"KILL_CLIENT x", COMMAND_BAD, 0},
        {"KILL_CLIENT 12x", COMMAND_BAD, 0},
        {"KILL_CLIENT -1", COMMAND_BAD, 0},
        {"KILL_CLIENT 1 2", COMMAND_BAD, 0},
        {"KILL_CLIENT 1234567890123456789012345", COMMAND_BAD, 0},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct command c;
        struct error err;
        size_t rest;
        assert_int_equal(parse(rows[i].text, strlen(rows[i].text), &c, &err, &rest),
                         rows[i].result);
        if (rows[i].result == COMMAND_OK)
            assert_int_equal(c.id, rows[i].id);
    }
}

static void test_command_parse_tells_the_kinds_of_shutdown_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum shutdown_mode mode;
    } rows[] = {
        {"SHUTDOWN", SHUTDOWN_NOW},
        {"SHUTDOWN wait_for_servers", SHUTDOWN_WAIT_FOR_SERVERS},
        {"SHUTDOWN WAIT_FOR_CLIENTS", SHUTDOWN_WAIT_FOR_CLIENTS},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct command c;
        struct error err;
        size_t rest;
        assert_int_equal(parse(rows[i].text, strlen(rows[i].text), &c, &err, &rest), COMMAND_OK);
        assert_int_equal(c.shutdown, rows[i].mode);
    }
}

static void test_command_parse_says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"SELECT 1", "invalid command 'SELECT 1', use SHOW HELP;"},
        {"  BEGIN ; PAUSE", "invalid command 'BEGIN', use SHOW HELP;"},
        {"SHOW", "invalid command 'SHOW', use SHOW HELP;"},
        {"SHOW POOLS now", "invalid command 'SHOW POOLS now', use SHOW HELP;"},
        {"SHOW \"pools\"", "invalid command 'SHOW \"pools\"', use SHOW HELP;"},
        {"PAUSE a b", "invalid command 'PAUSE a b', use SHOW HELP;"},
        {"PAUSE my-db", "invalid command 'PAUSE my-db', use SHOW HELP;"},
        {"PAUSE ''", "invalid command 'PAUSE ''', use SHOW HELP;"},
        {"PAUSE \"\"", "invalid command 'PAUSE \"\"', use SHOW HELP;"},
        {"RELOAD now", "invalid command 'RELOAD now', use SHOW HELP;"},
        {"SHUTDOWN soon", "invalid command 'SHUTDOWN soon', use SHOW HELP;"},
        {"SET a b c", "invalid command 'SET a b c', use SHOW HELP;"},
        {"SET a = 1.5", "invalid command 'SET a = 1.5', use SHOW HELP;"},
        {"SET a = b c d", "invalid command 'SET a = b c d', use SHOW HELP;"},
        {"\"PAUSE\"", "invalid command '\"PAUSE\"', use SHOW HELP;"},
        {" /* PAUSE", "invalid command ' /* PAUSE', use SHOW HELP;"},
        {"PA\xc3\xa4SE", "invalid command 'PA??SE', use SHOW HELP;"},
        {"\xc3", "invalid command '?', use SHOW HELP;"},
        {"DISABLE", "a database is required"},
        {"ENABLE", "a database is required"},
        {"KILL_CLIENT x", "invalid client pointer supplied"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct command c;
        struct error err;
        size_t rest;
        assert_int_equal(parse(rows[i].text, strlen(rows[i].text), &c, &err, &rest), COMMAND_BAD);
        assert_string_equal(err.text, rows[i].message);
        assert_string_equal(err.sqlstate, "42601");
    }
}

static void test_command_parse_takes_no_parameters(void **state)
{
    (void)state;
    static const char *const texts[] = {"SHOW $1", "SHOW POOLS WHERE user = $12", "SET a = $1",
                                        "SELECT $1", "PAUSE $1; PAUSE"};
    for (size_t i = 0; i < ROWS(texts); i++) {
        struct command c;
        struct error err;
        size_t rest;
        assert_int_equal(parse(texts[i], strlen(texts[i]), &c, &err, &rest), COMMAND_BAD);
        assert_string_equal(err.sqlstate, "42P02");
    }
    assert_non_null(command_hint(span_str(" -- now\n Begin")));
    assert_null(command_hint(span_str("PAUSE $")));
    assert_null(command_hint(span_str("")));
}

static void test_command_parse_refuses_words_that_are_too_long(void **state)
{
    (void)state;
    char text[600], word[301];
    struct command c;
    struct error err;
    size_t rest;
    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    static const struct {
        const char *format;
        int longest;
    } rows[] = {
        {"PAUSE %.*s", COMMAND_NAME_MAX},
        {"PAUSE \"%.*s\"", COMMAND_NAME_MAX},
        {"SET %.*s = 1", COMMAND_NAME_MAX},
        {"SET a = '%.*s'", COMMAND_VALUE_MAX},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        for (int more = 0; more < 2; more++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            int n = snprintf(text, sizeof text, rows[i].format, rows[i].longest + more, word);
#pragma GCC diagnostic pop
            assert_int_equal(parse(text, (size_t)n, &c, &err, &rest),
                             more ? COMMAND_BAD : COMMAND_OK);
            if (more)
                assert_string_equal(err.text, "bad arguments");
        }
    }
}

static void test_command_parse_takes_one_command_after_the_other(void **state)
{
    (void)state;
    static const char text[] = ";; PAUSE a;RESUME \"x;y\" ; -- ;\n SHOW POOLS ; ";
    struct span rest = span_str(text);
    struct command c;
    struct error err;
    assert_int_equal(command_parse(&rest, &c, &err), COMMAND_OK);
    assert_int_equal(c.verb, COMMAND_PAUSE);
    assert_string_equal(c.name, "a");
    assert_int_equal(command_parse(&rest, &c, &err), COMMAND_OK);
    assert_int_equal(c.verb, COMMAND_RESUME);
    assert_string_equal(c.name, "x;y");
    assert_int_equal(command_parse(&rest, &c, &err), COMMAND_OK);
    assert_int_equal(c.verb, COMMAND_SHOW);
    assert_int_equal(c.show, SHOW_POOLS);
    assert_int_equal(command_parse(&rest, &c, &err), COMMAND_NONE);
    assert_int_equal(command_parse(&rest, &c, &err), COMMAND_NONE);
}

static void test_command_parse_reads_the_clauses_of_show(void **state)
{
    (void)state;
    static const char text[] =
        "SHOW POOLS WHERE database = 'a;b' ORDER BY maxwait DESC LIMIT 3; SHOW STATE;"
        "SELECT clients LIMIT 1";
    struct span rest = span_str(text);
    struct command c;
    struct error err;
    assert_int_equal(command_parse(&rest, &c, &err), COMMAND_OK);
    assert_int_equal(c.show, SHOW_POOLS);
    assert_int_equal(c.filter.n_nodes, 1);
    assert_int_equal(c.filter.n_keys, 1);
    assert_int_equal(c.filter.limit, 3);
    assert_int_equal(command_parse(&rest, &c, &err), COMMAND_OK);
    assert_int_equal(c.show, SHOW_STATE);
    assert_int_equal(c.filter.n_nodes, 0);
    assert_false(c.filter.has_limit);
    assert_int_equal(command_parse(&rest, &c, &err), COMMAND_OK);
    assert_true(c.filter.has_limit);
    assert_int_equal(command_parse(&rest, &c, &err), COMMAND_NONE);
    static const char *const bad[] = {
        "SHOW POOLS LIMIT", "SHOW HELP LIMIT 1",       "SHOW FDS WHERE fd = x",
        "PAUSE a LIMIT 1",  "SHOW POOLS WHERE x = 'y",
    };
    for (size_t i = 0; i < ROWS(bad); i++) {
        size_t left;
        assert_int_equal(parse(bad[i], strlen(bad[i]), &c, &err, &left), COMMAND_BAD);
    }
}

static void test_command_parse_finds_nothing_in_blanks_and_comments(void **state)
{
    (void)state;
    static const char *const texts[] = {"", " ", ";", " ; ;", "-- PAUSE", "/* PAUSE */", "\n\t"};
    for (size_t i = 0; i < ROWS(texts); i++) {
        struct command c;
        struct error err;
        size_t rest;
        assert_int_equal(parse(texts[i], strlen(texts[i]), &c, &err, &rest), COMMAND_NONE);
    }
}

/* Whatever it is cut to, nothing behind it is read, and an open quote or comment is no command. */
static void test_command_parse_survives_every_truncation(void **state)
{
    (void)state;
    static const char text[] = "SET /* a /* b */ */ \"ke\"\"y\" TO 'va''lue' -- end\n; KILL \"x\"";
    for (size_t n = 0; n < sizeof text; n++) {
        struct command c;
        struct error err;
        size_t rest;
        enum command_parsed got = parse(text, n, &c, &err, &rest);
        assert_true(got != COMMAND_OK);
    }
    static const char *const open[] = {"PAUSE \"shop", "PAUSE /* shop", "SET a = 'b", "/*", "\""};
    for (size_t i = 0; i < ROWS(open); i++) {
        struct command c;
        struct error err;
        size_t rest;
        assert_int_equal(parse(open[i], strlen(open[i]), &c, &err, &rest), COMMAND_BAD);
    }
}

static void test_command_parse_takes_no_nul_for_an_end(void **state)
{
    (void)state;
    struct command c;
    struct error err;
    size_t rest;
    assert_int_equal(parse("PAUSE\0x", 7, &c, &err, &rest), COMMAND_BAD);
    assert_int_equal(parse("PAUSE \"a\0b\"", 11, &c, &err, &rest), COMMAND_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_parse_reads_every_command),
        cmocka_unit_test(test_command_parse_knows_what_can_be_shown),
        cmocka_unit_test(test_command_parse_reads_ids_as_they_are_shown_and_logged),
        cmocka_unit_test(test_command_parse_tells_the_kinds_of_shutdown_apart),
        cmocka_unit_test(test_command_parse_says_what_is_wrong),
        cmocka_unit_test(test_command_parse_takes_no_parameters),
        cmocka_unit_test(test_command_parse_refuses_words_that_are_too_long),
        cmocka_unit_test(test_command_parse_takes_one_command_after_the_other),
        cmocka_unit_test(test_command_parse_reads_the_clauses_of_show),
        cmocka_unit_test(test_command_parse_finds_nothing_in_blanks_and_comments),
        cmocka_unit_test(test_command_parse_survives_every_truncation),
        cmocka_unit_test(test_command_parse_takes_no_nul_for_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
