/* SPDX-License-Identifier: PostgreSQL */
#include "auth/hba.h"

#include "rule_fixture.h"

/* Files beside the rules. */
static bool read_fake(const char *path, struct buf *out, struct error *err)
{
    static const struct {
        const char *path, *text;
    } files[] = {
        {"/etc/pg/shops", "shop # the first\n\"a shop\", shop2\n"},
        {"/etc/pg/lists/all", "@names\nzoe"},
        {"/etc/pg/lists/names", "ann bob\n"},
        {"/etc/pg/loop", "@loop\n"},
        {"/etc/pg/twice", "@twice @twice\n"},
        {"/etc/pg/open", "ann\n\"bob\n"},
        {"/elsewhere", "bob"},
    };
    for (size_t i = 0; i < ROWS(files); i++) {
        if (strcmp(files[i].path, path) == 0) {
            buf_append(out, files[i].text, strlen(files[i].text));
            return true;
        }
    }
    return error_set(err, "", "cannot open \"%s\"", path);
}

static struct hba *parse(const char *text, struct notes *notes)
{
    struct notes none;
    notes_begin(&none);
    struct ident *maps = ident_parse(span_str("m root app\n\"a map\" root app\n"), "", &none.sink);
    size_t n = strlen(text);
    uint8_t *copy = guard_copy(text, n);
    notes_begin(notes);
    struct hba *hba = hba_parse(span_of(copy, n), "/etc/pg/hba", read_fake, maps, &notes->sink);
    guard_free(copy, n);
    ident_free(&maps);
    return hba;
}

/* ---- errors ---------------------------------------------------------------------------- */

#define AT "/etc/pg/hba:1: E "

static const struct {
    const char *text, *problem;
} errors[] = {
    {"hostgssenc all all all trust", "\"hostgssenc\" is not supported"},
    {"include x", "\"include\" is not supported"},
    {"hots all all all trust",
     "unknown connection type \"hots\": expected local, host, hostssl or hostnossl"},
    {"local", "the line ends where a database is expected"},
    {"local all", "the line ends where a user is expected"},
    {"local all,", "the line ends where a database is expected"},
    {"local all all", "the line ends where a method is expected"},
    {"host all all", "the line ends where an address is expected"},
    {"host all all all", "the line ends where a method is expected"},
    {"host all all 127.0.0.1", "the line ends where a mask is expected"},
    {"local,host all all trust", "a connection type cannot be a list: \"local\""},
    {"local a,,b all trust", "there is nothing between two commas"},
    {"local all all trust,", "a method cannot be a list: \"trust\""},
    {"host all all 10.0.0.0/8,11.0.0.0/8 trust", "an address cannot be a list: \"10.0.0.0/8\""},
    {"local /^a all trust", "regular expressions are not supported: \"/^a\""},
    {"local all /^a trust", "regular expressions are not supported: \"/^a\""},
    {"local all +staff trust", "groups of users are not supported: \"+staff\""},
    {"local samerole all trust", "groups of users are not supported: \"samerole\""},
    {"local all @nothing trust", "cannot open \"/etc/pg/nothing\""},
    {"local all @loop trust", NULL},
    {"local all @twice trust", NULL},
    {"host all all samehost trust", "\"samehost\" is not supported as an address"},
    {"host all all example.com trust",
     "\"example.com\" is no address: host names are not supported"},
    {"host all all .example.com trust",
     "\".example.com\" is no address: host names are not supported"},
    {"host all all 127.0.0.1/33 trust", "the number of bits behind the address is not one"},
    {"host all all 127.0.0.1/ trust", "the number of bits behind the address is not one"},
    {"host all all 127.0.0.1/-1 trust", "the number of bits behind the address is not one"},
    {"host all all ::1/129 trust", "the number of bits behind the address is not one"},
    {"host all all 127.0.0.1 trust", "\"trust\" is no mask of the address before it"},
    {"host all all 127.0.0.1 ::1 trust", "\"::1\" is no mask of the address before it"},
    {"host all all 127.0.0.1/32 kerberos", "unknown authentication method \"kerberos\""},
    {"host all all 127.0.0.1/32 gss", "method \"gss\" is not supported"},
    {"local all all any", "method \"any\" is not supported"},
    {"host all all all md5 ldapbindpasswd=secret",
     "option \"ldapbindpasswd\" is not supported with md5"},
    {"local all all peer map=", "map needs a name"},
    {"local all all peer map=m map=m", "map is given twice"},
    {"local all all peer map=x",
     "ident map: x does not have a match in auth_ident_file (ident map x cannot be matched)"},
    {"local all \"all trust", "a quoted name does not end in this line"},
};

static void test_what_is_not_understood_is_an_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(errors); i++) {
        struct notes notes;
        char expected[256];
        assert_null(parse(errors[i].text, &notes));
        snprintf(expected, sizeof expected, AT "%s\n", errors[i].problem ? errors[i].problem : "");
        if (errors[i].problem ? strcmp(notes.text, expected) != 0
                              : !strstr(notes.text, "too many files"))
            fail_msg("\"%s\" gives\n%s", errors[i].text, notes.text);
    }
}

static void test_every_wrong_line_is_named(void **state)
{
    (void)state;
    struct notes notes;
    assert_null(parse("local all all trust\nx\nlocal all @open trust\n\nlocal all\n", &notes));
    assert_string_equal(
        notes.text,
        "/etc/pg/hba:2: E unknown connection type \"x\": expected local, host, hostssl or "
        "hostnossl\n"
        "/etc/pg/open:2: E a quoted name does not end in this line\n"
        "/etc/pg/hba:5: E the line ends where a user is expected\n");
}

static const struct {
    const char *text, *warning;
} warnings[] = {
    {"host all all 10.0.0.1/8 trust",
     "the address has bits set behind its mask, so this rule never applies"},
    {"host all all ::1/64 trust",
     "the address has bits set behind its mask, so this rule never applies"},
    {"host all all all peer", "peer needs a Unix socket, so this rule lets nobody in"},
    {"local all all cert", "cert needs TLS, so this rule lets nobody in"},
    {"hostnossl all all all cert", "cert needs TLS, so this rule lets nobody in"},
    {"local all all md5 map=m", "map has no effect with this method: it is for cert and peer"},
};

static void test_what_helps_nobody_is_a_warning(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(warnings); i++) {
        struct notes notes;
        char expected[256];
        struct hba *hba = parse(warnings[i].text, &notes);
        snprintf(expected, sizeof expected, "/etc/pg/hba:1: W %s\n", warnings[i].warning);
        assert_string_equal(notes.text, expected);
        assert_non_null(hba);
        hba_free(&hba);
    }
}

/* ---- who gets which rule ---------------------------------------------------------------- */

/* The number of the rule for "address|local [tls] database user [replication]"; 0: none. */
static unsigned find(const struct hba *hba, const char *address, const char *how,
                     const char *database, const char *user)
{
    struct addr peer;
    struct hba_request q = {.database = database, .user = user};
    q.is_tls = strstr(how, "tls");
    q.is_replication = strstr(how, "replication");
    if (strstr(how, "console"))
        q.alias = strcmp(database, "pgbouncer") == 0 ? "pgballast" : "pgbouncer";
    if (strcmp(address, "local") != 0) {
        assert_true(addr_from_literal(&peer, address, 1));
        q.peer = &peer;
    }
    const struct hba_rule *rule = hba_find(hba, &q);
    return rule ? rule->line : 0;
}

#define ANYONE "local", "", "shop", "ann"

static const struct {
    const char *rules;
    const char *address, *how, *database, *user;
    unsigned line;
} logins[] = {
    {"", ANYONE, 0},
    {"local all all trust", ANYONE, 1},
    {"host all all all trust", ANYONE, 0},
    {"local all all trust", "127.0.0.1", "", "shop", "ann", 0},
    {"host all all all trust", "127.0.0.1", "", "shop", "ann", 1},
    {"host all all all trust", "::1", "tls", "shop", "ann", 1},
    {"hostssl all all all trust", "::1", "tls", "shop", "ann", 1},
    {"hostssl all all all trust", "::1", "", "shop", "ann", 0},
    {"hostnossl all all all trust", "::1", "", "shop", "ann", 1},
    {"hostnossl all all all trust", "::1", "tls", "shop", "ann", 0},
    /* The first that applies. */
    {"local all ann reject\nlocal all all trust", ANYONE, 1},
    {"local all bob trust\nlocal all all reject\nlocal all ann trust", ANYONE, 2},
    /* Databases. */
    {"local shop all trust", ANYONE, 1},
    {"local Shop all trust", ANYONE, 0},
    {"local a,shop,b all trust", ANYONE, 1},
    {"local a, shop , b all trust", ANYONE, 1},
    {"local a,b all trust", ANYONE, 0},
    {"local \"all\" all trust", ANYONE, 0},
    {"local \"all\" all trust", "local", "", "all", "ann", 1},
    {"local sameuser all trust", ANYONE, 0},
    {"local sameuser all trust", "local", "", "ann", "ann", 1},
    {"local \"sameuser\" all trust", "local", "", "ann", "ann", 0},
    {"local @shops all trust", ANYONE, 1},
    {"local @shops all trust", "local", "", "a shop", "ann", 1},
    {"local @shops all trust", "local", "", "shop2", "ann", 1},
    {"local @shops all trust", "local", "", "shop3", "ann", 0},
    {"local \"@shops\" all trust", "local", "", "@shops", "ann", 1},
    /* Users. */
    {"local all ann trust", ANYONE, 1},
    {"local all bob trust", ANYONE, 0},
    {"local all zoe,\"ann\",bob trust", ANYONE, 1},
    {"local all \"all\" trust", ANYONE, 0},
    {"local all sameuser trust", "local", "", "ann", "ann", 0},
    {"local all replication trust", "local", "", "shop", "replication", 1},
    {"local all @lists/all trust", ANYONE, 1},
    {"local all @lists/all,x trust", "local", "", "shop", "zoe", 1},
    {"local all @lists/all,x trust", "local", "", "shop", "x", 1},
    {"local all @/elsewhere trust", ANYONE, 0},
    {"local all @/elsewhere trust", "local", "", "shop", "bob", 1},
    /* Physical replication has no database. */
    {"local all all trust", "local", "replication", "shop", "ann", 0},
    {"local shop all trust", "local", "replication", "shop", "ann", 0},
    {"local all,replication all trust", "local", "replication", "shop", "ann", 1},
    {"local replication all trust", "local", "replication", "shop", "ann", 1},
    {"local \"replication\" all trust", "local", "replication", "shop", "ann", 0},
    {"local replication all trust", "local", "", "replication", "ann", 0},
    {"local \"replication\" all trust", "local", "", "replication", "ann", 1},
    /* The console has two names. */
    {"local pgbouncer all trust", "local", "console", "pgballast", "ann", 1},
    {"local pgballast all trust", "local", "console", "pgbouncer", "ann", 1},
    {"local pgbouncer all trust", "local", "", "shop", "ann", 0},
    /* Addresses. */
    {"host all all 10.0.0.0/8 trust", "10.255.0.1", "", "shop", "ann", 1},
    {"host all all 10.0.0.0/8 trust", "11.0.0.1", "", "shop", "ann", 0},
    {"host all all 10.0.0.0 255.0.0.0 trust", "10.255.0.1", "", "shop", "ann", 1},
    {"host all all 10.0.0.0 255.0.0.0 trust", "11.0.0.1", "", "shop", "ann", 0},
    {"host all all 10.9.8.7/32 trust", "10.9.8.7", "", "shop", "ann", 1},
    {"host all all 10.9.8.7/32 trust", "10.9.8.6", "", "shop", "ann", 0},
    {"host all all 10.9.8.4/30 trust", "10.9.8.7", "", "shop", "ann", 1},
    {"host all all 10.9.8.4/30 trust", "10.9.8.8", "", "shop", "ann", 0},
    {"host all all 0.0.0.0/0 trust", "10.9.8.7", "", "shop", "ann", 1},
    {"host all all 0.0.0.0/0 trust", "::1", "", "shop", "ann", 0},
    {"host all all ::/0 trust", "::1", "", "shop", "ann", 1},
    {"host all all ::/0 trust", "10.9.8.7", "", "shop", "ann", 0},
    {"host all all 2001:db8::/33 trust", "2001:db8:7fff::1", "", "shop", "ann", 1},
    {"host all all 2001:db8::/33 trust", "2001:db8:8000::1", "", "shop", "ann", 0},
    {"host all all ::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff trust", "::1", "", "shop", "ann", 1},
    {"host all all 10.0.0.1/8 trust", "10.0.0.1", "", "shop", "ann", 0},
};

static void test_the_first_rule_that_applies_decides(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(logins); i++) {
        struct notes notes;
        struct hba *hba = parse(logins[i].rules, &notes);
        if (!hba)
            fail_msg("\"%s\": %s", logins[i].rules, notes.text);
        unsigned line =
            find(hba, logins[i].address, logins[i].how, logins[i].database, logins[i].user);
        if (line != logins[i].line)
            fail_msg("\"%s\": %s %s %s %s gets line %u", logins[i].rules, logins[i].address,
                     logins[i].how, logins[i].database, logins[i].user, line);
        hba_free(&hba);
    }
}

static void list_rule(void *arg, const struct hba_rule *rule)
{
    char *text = arg;
    size_t at = strlen(text);
    snprintf(text + at, 512 - at, "%u %s %s\n", rule->line, hba_method_name(rule->method),
             rule->map ? rule->map : "-");
}

static void test_methods_and_maps_are_read(void **state)
{
    (void)state;
    struct notes notes;
    char text[512] = "";
    struct hba *hba = parse("local all all trust\nlocal all all reject\nlocal all all password\n"
                            "local all all md5\nlocal all all scram-sha-256\n"
                            "host all all all cert map=m\nlocal all all \\\n peer map=\"a map\"\n"
                            "local all all peer # map=m",
                            &notes);
    assert_string_equal(notes.text, "");
    hba_each(hba, list_rule, text);
    assert_string_equal(text, "1 trust -\n2 reject -\n3 password -\n4 md5 -\n"
                              "5 scram-sha-256 -\n6 cert m\n7 peer a map\n9 peer -\n");
    hba_free(&hba);
    assert_null(hba);
}

static void test_every_truncation_is_survived(void **state)
{
    (void)state;
    static const char text[] = "host a,\"b\" @shops 10.0.0.0 255.0.0.0 cert map=m\n"
                               "local sameuser all peer";
    for (size_t n = 0; n < sizeof text; n++) {
        char part[sizeof text];
        struct notes notes;
        memcpy(part, text, n);
        part[n] = '\0';
        struct hba *hba = parse(part, &notes);
        assert_int_equal(hba == NULL, notes.sink.n_errors != 0);
        hba_free(&hba);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_understood_is_an_error),
        cmocka_unit_test(test_every_wrong_line_is_named),
        cmocka_unit_test(test_what_helps_nobody_is_a_warning),
        cmocka_unit_test(test_the_first_rule_that_applies_decides),
        cmocka_unit_test(test_methods_and_maps_are_read),
        cmocka_unit_test(test_every_truncation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
