/* SPDX-License-Identifier: PostgreSQL */
#include "auth/userlist.h"

#include <stdio.h>

#include "base/buf.h"
#include "auth_fixture.h"
#include "../../support/guard.h"

/* Problems as text: "line: E|W text\n". */
struct notes {
    char text[2048];
};

static void note(void *arg, const struct userlist_problem *p)
{
    struct notes *n = arg;
    size_t at = strlen(n->text);
    snprintf(n->text + at, sizeof n->text - at, "%u: %c %s\n", p->line,
             p->severity == USERLIST_ERROR ? 'E' : 'W', p->text);
}

/* Users as text: "name=secret\n". */
static void list_user(void *arg, const char *user, const struct secret *secret)
{
    char *text = arg;
    size_t at = strlen(text);
    snprintf(text + at, 1024 - at, "%s=%.*s\n", user, (int)secret_text(secret).n,
             (const char *)secret_text(secret).p);
}

static struct userlist *parse(const void *text, size_t n, struct notes *notes)
{
    notes->text[0] = '\0';
    uint8_t *copy = guard_copy(text, n);
    struct userlist *list = userlist_parse(span_of(copy, n), NULL, note, notes);
    guard_free(copy, n);
    return list;
}

#define NO_USER "expected a user name in double quotes\n"
#define NO_PASSWORD "expected a password in double quotes behind the user name\n"

static const struct {
    const char *what;
    const char *text;
    const char *users;
    const char *problems;
} rows[] = {
    {"nothing", "", "", ""},
    {"one user", "\"ann\" \"pw\"\n", "ann=pw\n", ""},
    {"no line end", "\"ann\" \"pw\"", "ann=pw\n", ""},
    {"carriage returns", "\"ann\" \"pw\"\r\n\r\n\"bob\" \"x\"\r\n", "ann=pw\nbob=x\n", ""},
    {"order of the file", "\"z\" \"1\"\n\"a\" \"2\"\n\"m\" \"3\"\n", "z=1\na=2\nm=3\n", ""},
    {"blanks and tabs", "  \t\"ann\"\t  \"pw\"  \n\n   \n", "ann=pw\n", ""},
    {"no blank between", "\"ann\"\"pw\"\n", "", "1: E " NO_PASSWORD},
    {"the rest is ignored", "\"ann\" \"pw\" \"more\" ; x\n\"bob\" \"b\" junk", "ann=pw\nbob=b\n",
     ""},
    {"comments", "; \"x\" \"y\"\n  ;\n\"ann\" \"pw\"\n;", "ann=pw\n", ""},
    {"a doubled quote stands for one", "\"a\"\"b\" \"\"\"p\"\"w\"\"\"\n", "a\"b=\"p\"w\"\n", ""},
    {"blanks inside are kept", "\"a b\" \" p \"\n", "a b= p \n", ""},
    {"a semicolon inside is kept", "\"a;\" \";p\"\n", "a;=;p\n", ""},
    {"an empty password", "\"ann\" \"\"\n", "ann=\n", ""},
    {"the last of two counts, in the place of the first", "\"a\" \"1\"\n\"b\" \"2\"\n\"a\" \"3\"\n",
     "a=3\nb=2\n", "3: W user is listed twice, the last line counts\n"},
    {"no quotes", "ann pw\n\"bob\" \"b\"\n", "bob=b\n", "1: E " NO_USER},
    {"a number sign is no comment", "# note\n\"bob\" \"b\"\n", "bob=b\n", "1: E " NO_USER},
    {"open user name", "\"ann\n\"bob\" \"b\"\n", "bob=b\n", "1: E " NO_USER},
    {"open password", "\"ann\" \"pw\n\"bob\" \"b\"\n", "bob=b\n", "1: E " NO_PASSWORD},
    {"password ends in an escaped quote", "\"ann\" \"pw\"\"\n", "", "1: E " NO_PASSWORD},
    {"no password", "\"ann\"\n", "", "1: E " NO_PASSWORD},
    {"password without quotes", "\"ann\" pw\n", "", "1: E " NO_PASSWORD},
    {"empty user name", "\"\" \"pw\"\n", "", "1: E user name is empty\n"},
    {"lines are counted", "\n;\n\"ann\"\n\n\"bob\n", "", "3: E " NO_PASSWORD "5: E " NO_USER},
    {"a verifier with a mistake", "\"ann\" \"SCRAM-SHA-256$4096:x\"\n",
     "ann=SCRAM-SHA-256$4096:x\n", "1: W malformed SCRAM verifier is taken as a plain password\n"},
};

static void test_userlist_reads_and_complains(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct notes notes;
        char users[1024] = "";
        struct userlist *list = parse(rows[i].text, strlen(rows[i].text), &notes);
        userlist_each(list, list_user, users);
        if (strcmp(users, rows[i].users) != 0 || strcmp(notes.text, rows[i].problems) != 0)
            fail_msg("%s:\n%s%s", rows[i].what, users, notes.text);
        userlist_unref(&list);
        assert_null(list);
    }
}

static void test_userlist_survives_every_truncation(void **state)
{
    (void)state;
    const char *text = ";c\n\"a\"\"b\" \"SCRAM-SHA-256$1:x\"\n \"c\" \"\"\"\" x\r\n\"d\" \"e\"";
    for (size_t n = 0; n <= strlen(text); n++) {
        struct notes notes;
        struct userlist *list = parse(text, n, &notes);
        assert_true(userlist_count(list) <= 3);
        userlist_unref(&list);
    }
}

static void test_userlist_refuses_a_nul(void **state)
{
    (void)state;
    static const char text[] = "\"a\" \"p\0w\"\n\"b\" \"x\"\n";
    struct notes notes;
    struct userlist *list = parse(text, sizeof text - 1, &notes);
    assert_string_equal(notes.text, "1: E line contains a NUL byte\n");
    assert_null(userlist_find(list, "a"));
    assert_non_null(userlist_find(list, "b"));
    userlist_unref(&list);
}

static void test_userlist_bounds_names_and_passwords(void **state)
{
    (void)state;
    static char text[SECRET_TEXT_MAX + 64];
    for (int extra = 0; extra <= 1; extra++) {
        struct notes notes;
        int n = snprintf(text, sizeof text, "\"%0*d\" \"pw\"", USERLIST_NAME_MAX + extra, 7);
        struct userlist *list = parse(text, (size_t)n, &notes);
        assert_int_equal(userlist_count(list), !extra);
        assert_string_equal(notes.text, extra ? "1: E user name is longer than 127 bytes\n" : "");
        userlist_unref(&list);

        n = snprintf(text, sizeof text, "\"ann\" \"%0*d\"", SECRET_TEXT_MAX + extra, 7);
        list = parse(text, (size_t)n, &notes);
        assert_int_equal(userlist_count(list), !extra);
        assert_string_equal(notes.text, extra ? "1: E password is longer than 65530 bytes\n" : "");
        userlist_unref(&list);
    }
}

static void test_userlist_finds_users_by_their_exact_name(void **state)
{
    (void)state;
    struct notes notes;
    const char *text = "\"Ann\" \"pw\"\n\"bob\" \"md58bbf3f45673bf67d02e4214911f3417f\"\n";
    struct userlist *list = parse(text, strlen(text), &notes);
    assert_int_equal(secret_kind_of(userlist_find(list, "Ann")), SECRET_PLAIN);
    assert_int_equal(secret_kind_of(userlist_find(list, "bob")), SECRET_MD5);
    assert_null(userlist_find(list, "ann"));
    assert_null(userlist_find(list, ""));
    const struct secret *kept = secret_ref(userlist_find(list, "Ann"));
    userlist_unref(&list);
    assert_span_is(secret_text(kept), "pw");
    secret_unref(&kept);
}

static void test_userlist_holds_many_and_shares_what_has_not_changed(void **state)
{
    (void)state;
    enum { N = 5000 };
    struct notes notes = {""};
    struct buf text = {0};
    char line[64], name[16];
    for (int i = 0; i < N; i++)
        buf_append(&text, line, (size_t)snprintf(line, sizeof line, "\"u%d\" \"p%d\"\n", i, i));
    struct userlist *before = userlist_parse(buf_span(&text), NULL, note, &notes);
    struct userlist *same = userlist_parse(buf_span(&text), before, note, &notes);
    assert_ptr_equal(same, before);
    userlist_unref(&same);
    buf_consume(&text, strlen("\"u0\" \"p0\"\n"));
    buf_append(&text, "\"u1\" \"another\"\n", 15);
    struct userlist *list = userlist_parse(buf_span(&text), before, note, &notes);
    assert_int_equal(userlist_count(before), N);
    assert_int_equal(userlist_count(list), N - 1);
    assert_null(userlist_find(list, "u0"));
    assert_span_is(secret_text(userlist_find(list, "u1")), "another");
    for (int i = 2; i < N; i++) {
        snprintf(name, sizeof name, "u%d", i);
        assert_ptr_equal(userlist_find(list, name), userlist_find(before, name));
    }
    userlist_unref(&before);
    assert_span_is(secret_text(userlist_find(list, "u4999")), "p4999");
    userlist_unref(&list);
    buf_reset(&text);
}

static void test_userlist_names_the_kind_that_most_secrets_are(void **state)
{
    (void)state;
#define MD5 "\"md58bbf3f45673bf67d02e4214911f3417f\"\n"
    static const struct {
        const char *text, *user;
    } cases[] = {
        {"", NULL},
        {"\"a\" \"\"\n\"b\" \"\"\n", NULL},
        {"\"a\" \"\"\n\"b\" \"\"\n\"c\" " MD5, "c"},
        {"\"a\" \"pw\"\n\"b\" " MD5, "a"},
        {"\"a\" \"pw\"\n\"b\" " MD5 "\"c\" " MD5, "b"},
    };
    for (size_t i = 0; i < ROWS(cases); i++) {
        struct notes notes;
        struct userlist *list = parse(cases[i].text, strlen(cases[i].text), &notes);
        assert_ptr_equal(userlist_usual(list),
                         cases[i].user ? userlist_find(list, cases[i].user) : NULL);
        userlist_unref(&list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_userlist_reads_and_complains),
        cmocka_unit_test(test_userlist_survives_every_truncation),
        cmocka_unit_test(test_userlist_refuses_a_nul),
        cmocka_unit_test(test_userlist_bounds_names_and_passwords),
        cmocka_unit_test(test_userlist_finds_users_by_their_exact_name),
        cmocka_unit_test(test_userlist_names_the_kind_that_most_secrets_are),
        cmocka_unit_test(test_userlist_holds_many_and_shares_what_has_not_changed),
    };
    return cmocka_run_group_tests(tests, auth_set_up, auth_tear_down);
}
