/* SPDX-License-Identifier: PostgreSQL */
/* test_conf_ini.c - ini files: what libinih alone would misread, and PgBouncer's grammar. */
#include "conf/conf_ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "findings.h"
#include "base/mem.h"

/* Files that conf_ini_read may ask for. "main" is the first. */
static struct {
    const char *name;
    struct span text;
} files[4];

static bool read_fake(const char *path, struct buf *out, struct error *err)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (files[i].name && strcmp(files[i].name, path) == 0) {
            buf_append(out, files[i].text.p, files[i].text.n);
            return true;
        }
    }
    return error_set(err, "", "cannot open \"%s\"", path);
}

static void put_file(size_t i, const char *name, const char *text)
{
    files[i].name = name;
    files[i].text = span_str(text);
}

struct fixture {
    struct config *cfg;
    struct findings f;
    bool ok;
};

static void fixture_read(struct fixture *x)
{
    x->cfg = config_new(CONFIG_INI);
    findings_init(&x->f);
    x->ok = conf_ini_read(x->cfg, "main", read_fake, &x->f.sink);
}

static void fixture_text(struct fixture *x, const char *text)
{
    memset(files, 0, sizeof files);
    put_file(0, "main", text);
    fixture_read(x);
}

static void fixture_fini(struct fixture *x)
{
    findings_fini(&x->f);
    config_free(&x->cfg);
}

/* A value of n bytes in which no two neighbours are alike. */
static char *long_value(size_t n)
{
    char *text = xmalloc(n + 1);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('!' + i % 90);
    text[0] = text[n - 1] = 'x';
    text[n] = '\0';
    return text;
}

/* Row 1 of the table: lines over 199 characters are cut. */
static void test_ini_carries_lines_of_any_length(void **state)
{
    (void)state;
    for (size_t n = 1; n < 20000; n = n < 600 ? n + 1 : n * 3) {
        struct fixture x;
        char *value = long_value(n);
        char *text = xasprintf("[pgballast]\nserver_check_query=%s\nlisten_port=7\n", value);
        fixture_text(&x, text);
        assert_string_equal(findings_text(&x.f), "");
        assert_true(x.ok);
        assert_string_equal(x.cfg->server_check_query, value);
        assert_int_equal(x.cfg->listen_port, 7);
        fixture_fini(&x);
        free(text);
        free(value);
    }
}

static void test_ini_refuses_a_line_above_the_limit(void **state)
{
    struct fixture x;
    char *value = long_value(CONF_LINE_MAX);
    char *text = xasprintf("[pgballast]\nuser=%s\nlisten_port=7\n", value);
    (void)state;
    fixture_text(&x, text);
    assert_string_equal(findings_text(&x.f), "error main:2: the line is longer than 65536 bytes\n");
    fixture_fini(&x);
    free(text);
    free(value);
}

/* Rows 2 to 4, and the grammar of PgBouncer: one setting, what it must be. */
static void test_ini_takes_a_value_as_it_stands(void **state)
{
    static const struct {
        const char *line, *value;
    } cases[] = {
        {"user = a ; b", "a ; b"},
        {"user = a # b", "a # b"},
        {"user = 'a ; b'", "'a ; b'"},
        {"user = \"a ; b\"", "\"a ; b\""},
        {"user = a=b:c", "a=b:c"},
        {"user=;a", ";a"},
        {"user=", ""},
        {"user = \t", ""},
        {"  user = a", "a"},
        {"\tuser\t=\ta b \t", "a b"},
        {"user = a\r", "a"},
        {"'user' = a", "a"},
        {"\"user\" = a", "a"},
        {"user = [a]", "[a]"},
        {"user = +61", "+61"},
        {"user = \xc3\xa4", "\xc3\xa4"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture x;
        char *text =
            xasprintf("[pgbouncer]\npidfile = before\n%s\n  listen_port = 7\n", cases[i].line);
        fixture_text(&x, text);
        assert_string_equal(findings_text(&x.f), "");
        assert_string_equal(x.cfg->user, cases[i].value);
        /* An indented line is a line of its own, not more of the one before. */
        assert_string_equal(x.cfg->pidfile, "before");
        assert_int_equal(x.cfg->listen_port, 7);
        fixture_fini(&x);
        free(text);
    }
}

static void test_ini_passes_on_long_and_quoted_names(void **state)
{
    static const char *const names[] = {
        "x",
        "a.b_c-d*",
        "1234567890123456789012345678901234567890123456789012345678901",
    };
    struct fixture x;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *text = xasprintf("[databases]\n%s = host=h%zu\n[pgballast]\n", names[i], i);
        fixture_text(&x, text);
        assert_string_equal(findings_text(&x.f), "");
        assert_non_null(config_find_database(x.cfg, names[i]));
        fixture_fini(&x);
        free(text);
    }
    fixture_text(&x, "[databases]\n'my-db = ; x' = host=h\n\"a \"\"b\" = host=h\n[pgballast]\n");
    assert_string_equal(findings_text(&x.f), "");
    assert_non_null(config_find_database(x.cfg, "my-db = ; x"));
    assert_non_null(config_find_database(x.cfg, "a \"b"));
    fixture_fini(&x);
}

/* Row 5: no line numbers, no stop, half-applied files. Here: everything found, with its line. */
static void test_ini_reports_every_error_with_its_line(void **state)
{
    static const struct {
        const char *text, *findings;
    } cases[] = {
        {"", "error main: main section missing: there is neither [pgballast] nor [pgbouncer]\n"},
        {"[databases]\n",
         "error main: main section missing: there is neither [pgballast] nor [pgbouncer]\n"},
        {"user = a\n[pgballast]\n", "error main:1: there is a setting before the first section\n"},
        {"[pgballast]\nuser a\n", "error main:2: syntax error: expected name = value\n"},
        {"[pgballast]\n= a\n", "error main:2: syntax error: expected name = value\n"},
        {"[pgballast]\n'' = a\n", "error main:2: syntax error: expected name = value\n"},
        {"[pgballast]\nuser : a\n", "error main:2: syntax error: expected name = value\n"},
        {"[pgballast]\n'user = a\n", "error main:2: a quoted name has no end\n"},
        {"[pgballast]\nus\ter = a\n", "error main:2: syntax error: expected name = value\n"},
        {"[pgballast]\nuser = a\001b\n", "error main:2: the line contains a control byte\n"},
        {"[pgballast\n",
         "error main:1: syntax error: a section is [name] and nothing else\n"
         "error main: main section missing: there is neither [pgballast] nor [pgbouncer]\n"},
        {"[pgballast]\n[users] ; all\n",
         "error main:2: syntax error: a section is [name] and nothing else\n"},
        {"[pgballast]\n[ users ]\na = pool_size=x\n",
         "error main:2: invalid section \" users \"\n"},
        {"[pgballast]\n[Users]\n[]\n",
         "error main:2: invalid section \"Users\"\nerror main:3: invalid section \"\"\n"},
        {"[pgballast]\n[users_and_other_things_in_a_name_that_is_longer_than_49]\na=b\n",
         "error main:2: invalid section "
         "\"users_and_other_things_in_a_name_that_is_longer_than_49\"\n"},
        {"[pgballast]\nlisten_port=x\n\n;c\nnope = 1\npool_mode=fast\nlisten_port=7\n",
         "error main:2: invalid value for \"listen_port\": \"x\" is not a whole number\n"
         "error main:5: there is no setting \"nope\"\n"
         "error main:6: invalid value for \"pool_mode\": \"fast\" is none of: session, "
         "transaction, statement\n"},
        {"[databases]\n\na = pool_size=x\n[users]\nb = ?\n[peers]\nc = host=h\n[pgballast]\n",
         "error main:3: database \"a\": invalid value for \"pool_size\": \"x\" is not a whole "
         "number\n"
         "error main:5: user \"b\": syntax error in connection string: expected key=value\n"
         "error main:7: a peer is named by a number from 1 to 65535, not \"c\"\n"},
        {"[pgbouncer]\nuser=a\n[pgballast]\npidfile=b\n",
         "warning main:3: the main section comes again; PgBouncer would forget what the one before "
         "has set, here both count\n"},
        {"[pgballast]\n%include\n%inklude x\n",
         "error main:2: syntax error: expected name = value\n"
         "error main:3: syntax error: expected name = value\n"},
        {"[pgballast]\n%include nowhere\n", "error main:2: cannot open \"nowhere\"\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture x;
        fixture_text(&x, cases[i].text);
        assert_string_equal(findings_text(&x.f), cases[i].findings);
        assert_int_equal(x.ok, x.f.sink.n_errors == 0);
        fixture_fini(&x);
    }
}

static void test_ini_refuses_zero_bytes(void **state)
{
    struct fixture x;
    (void)state;
    memset(files, 0, sizeof files);
    files[0].name = "main";
    files[0].text = span_of("[pgballast]\nuser=a\0b\n", 21);
    fixture_read(&x);
    assert_string_equal(findings_text(&x.f), "error main:2: the line contains a control byte\n");
    fixture_fini(&x);
}

static void test_ini_skips_comments_blank_lines_and_a_byte_order_mark(void **state)
{
    struct fixture x;
    (void)state;
    fixture_text(&x, "\xef\xbb\xbf; a = b\n# [c]\n \t\r\n  ;x\n[pgballast]\n#user=a\nuser=b");
    assert_string_equal(findings_text(&x.f), "");
    assert_string_equal(x.cfg->user, "b");
    assert_string_equal(x.cfg->origins[SETTING_user], "main:7");
    fixture_fini(&x);
}

static void test_ini_include_carries_the_section_in_and_out(void **state)
{
    struct fixture x;
    (void)state;
    memset(files, 0, sizeof files);
    put_file(0, "main", "[pgballast]\n  %include a b.ini\nblog = host=h\n%include c\nuser=z\n");
    put_file(1, "a b.ini", "listen_port = 7\n[databases]\nshop = host=h");
    put_file(2, "c", "[pgballast]");
    fixture_read(&x);
    assert_int_equal(findings_count(&x.f, "error"), 0);
    assert_true(x.ok);
    assert_int_equal(x.cfg->listen_port, 7);
    assert_string_equal(x.cfg->origins[SETTING_listen_port], "a b.ini:1");
    assert_string_equal(config_find_database(x.cfg, "shop")->origin, "a b.ini:3");
    assert_string_equal(config_find_database(x.cfg, "blog")->origin, "main:3");
    assert_string_equal(x.cfg->origins[SETTING_user], "main:5");
    fixture_fini(&x);
}

static void test_ini_include_is_bounded_in_depth_and_number(void **state)
{
    struct fixture x;
    (void)state;
    fixture_text(&x, "[pgballast]\n%include main\n");
    assert_int_equal(findings_count(&x.f, "%include is nested more than 10 deep"), 1);
    fixture_fini(&x);
    fixture_text(&x, "[pgballast]\n%include main\n%include main\n%include main\n");
    assert_int_equal(findings_count(&x.f, "more than 1000 files are included") > 0, 1);
    fixture_fini(&x);
}

static void test_ini_survives_every_truncation(void **state)
{
    static const char text[] = "; c\n[pgballast]\r\nuser = a ; b\n'pidfile' = x\n%include a\n"
                               "[databases]\n* = host=h password='it''s' port=1\n"
                               "[users]\nann = pool_size=3\n[peers]\n1 = host=h\n";
    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        struct fixture x;
        memset(files, 0, sizeof files);
        files[0].name = "main";
        files[0].text = span_of(text, n);
        put_file(1, "a", "syslog=1");
        fixture_read(&x);
        fixture_fini(&x);
    }
}

/* etc/pgballast.ini: loads, and each setting that is commented out shows the default. */
static void test_ini_sample_file_is_valid_and_shows_the_defaults(void **state)
{
    const char *srcdir = getenv("srcdir");
    char *path = xasprintf("%s/etc/pgballast.ini", srcdir ? srcdir : ".");
    struct buf text = {0};
    struct error err;
    struct fixture x;
    size_t n_defaults = 0;
    (void)state;
    if (!conf_read_from_disk(path, &text, &err))
        fail_msg("%s", err.text);
    buf_append(&text, "", 1);
    fixture_text(&x, (const char *)buf_span(&text).p);
    assert_string_equal(findings_text(&x.f), "");
    bool main_section = false;
    for (char *line = strtok((char *)text.data, "\n"); line; line = strtok(NULL, "\n")) {
        main_section = main_section || strcmp(line, "[pgballast]") == 0;
        char *equals = strstr(line, " =");
        if (!main_section || line[0] != ';' || line[1] == ';' || line[1] == '%' || !equals)
            continue;
        const struct setting *s = setting_find(span_of(line + 1, (size_t)(equals - line - 1)));
        if (!s)
            fail_msg("%s: no such setting", line);
        assert_string_equal(equals + 2 + (equals[2] == ' '), s->ini_default);
        n_defaults++;
    }
    assert_true(n_defaults > 80);
    fixture_fini(&x);
    buf_reset(&text);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ini_carries_lines_of_any_length),
        cmocka_unit_test(test_ini_refuses_a_line_above_the_limit),
        cmocka_unit_test(test_ini_takes_a_value_as_it_stands),
        cmocka_unit_test(test_ini_passes_on_long_and_quoted_names),
        cmocka_unit_test(test_ini_reports_every_error_with_its_line),
        cmocka_unit_test(test_ini_refuses_zero_bytes),
        cmocka_unit_test(test_ini_skips_comments_blank_lines_and_a_byte_order_mark),
        cmocka_unit_test(test_ini_include_carries_the_section_in_and_out),
        cmocka_unit_test(test_ini_include_is_bounded_in_depth_and_number),
        cmocka_unit_test(test_ini_survives_every_truncation),
        cmocka_unit_test(test_ini_sample_file_is_valid_and_shows_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
