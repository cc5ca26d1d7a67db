/* SPDX-License-Identifier: PostgreSQL */
/* test_conf_pairs.c - the lines of [databases], [users] and [peers]. */
#include "conf/conf_pairs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../support/guard.h"
#include "findings.h"

typedef bool parse_line(struct config *cfg, const char *name, const char *text, const char *origin,
                        struct config_sink *sink);

/* Parses from memory that ends at an unreadable page right behind the terminating zero. */
static bool parse(parse_line *line, struct config *cfg, const char *name, const char *text,
                  struct findings *f)
{
    size_t n = strlen(text) + 1;
    uint8_t *copy = guard_copy(text, n);
    bool ok = line(cfg, name, (const char *)copy, "f:1", &f->sink);
    guard_free(copy, n);
    return ok;
}

static void test_database_takes_every_key(void **state)
{
    struct config *cfg = config_new(CONFIG_INI);
    struct findings f;
    (void)state;
    findings_init(&f);
    assert_true(parse(conf_pairs_database, cfg, "shop",
                      "dbname=d host=h1,h2 port=7 user=u password='it''s me' auth_user=au "
                      "auth_query='SELECT 1' auth_dbname=ad pool_size=3 min_pool_size=1 "
                      "reserve_pool=2 max_db_connections=9 max_db_client_connections=99 "
                      "pool_mode=Transaction server_lifetime=5min query_wait_timeout=500ms "
                      "load_balance_hosts=disable connect_query='SET x=1' client_encoding=UTF8 "
                      "datestyle=ISO timezone=UTC application_name=app options='-c a=b' "
                      "sslmode=verify-full sslrootcert=/ca channel_binding=require "
                      "sslnegotiation=direct",
                      &f));
    const struct config_database *db = config_find_database(cfg, "shop");
    assert_string_equal(db->dbname, "d");
    assert_int_equal(db->n_hosts, 2);
    assert_string_equal(db->hosts[0].name, "h1");
    assert_string_equal(db->hosts[1].name, "h2");
    assert_int_equal(db->hosts[1].port, 7);
    assert_string_equal(db->user, "u");
    assert_string_equal(db->password, "it's me");
    assert_string_equal(db->auth_user, "au");
    assert_string_equal(db->auth_query, "SELECT 1");
    assert_string_equal(db->auth_dbname, "ad");
    assert_int_equal(db->pool_size, 3);
    assert_int_equal(db->min_pool_size, 1);
    assert_int_equal(db->reserve_pool_size, 2);
    assert_int_equal(db->max_db_connections, 9);
    assert_int_equal(db->max_db_client_connections, 99);
    assert_int_equal(db->pool_mode, POOL_MODE_TRANSACTION);
    assert_int_equal(db->server_lifetime_us, 300000000);
    assert_int_equal(db->query_wait_timeout_us, 500000);
    assert_int_equal(db->load_balance_hosts, LOAD_BALANCE_DISABLE);
    assert_string_equal(db->connect_query, "SET x=1");
    assert_string_equal(db->client_encoding, "UTF8");
    assert_string_equal(db->datestyle, "ISO");
    assert_string_equal(db->timezone, "UTC");
    assert_string_equal(db->application_name, "app");
    assert_string_equal(db->options, "-c a=b");
    assert_int_equal(db->sslmode, SSLMODE_VERIFY_FULL);
    assert_string_equal(db->sslrootcert, "/ca");
    assert_int_equal(db->channel_binding, BINDING_REQUIRE);
    assert_int_equal(db->sslnegotiation, SSLNEGOTIATION_DIRECT);
    assert_string_equal(findings_text(&f), "");
    findings_fini(&f);
    config_free(&cfg);
}

/* PgBouncer: a negative size is "not set", and so is 0 where it says "use the global one". */
static void test_database_numbers_mean_what_they_mean_in_pgbouncer(void **state)
{
    static const struct {
        const char *text;
        int pool_size, max_db_connections;
        uint64_t lifetime, wait;
    } cases[] = {
        {"", CONFIG_INHERIT, CONFIG_INHERIT, CONFIG_INHERIT_US, CONFIG_INHERIT_US},
        {"pool_size=0 max_db_connections=0 server_lifetime=0 query_wait_timeout=0", 0,
         CONFIG_INHERIT, CONFIG_INHERIT_US, 0},
        {"pool_size=-1 max_db_connections=-1 query_wait_timeout=-1", CONFIG_INHERIT, CONFIG_INHERIT,
         CONFIG_INHERIT_US, 0},
        {"pool_size=unlimited max_db_connections=unlimited query_wait_timeout=unlimited", 0, 0,
         CONFIG_INHERIT_US, 0},
        {"server_lifetime=unlimited", CONFIG_INHERIT, CONFIG_INHERIT, DURATION_MAX_US,
         CONFIG_INHERIT_US},
        {"pool_size=010\tserver_lifetime=2", 10, CONFIG_INHERIT, 2000000, CONFIG_INHERIT_US},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *cfg = config_new(CONFIG_INI);
        struct findings f;
        findings_init(&f);
        assert_true(parse(conf_pairs_database, cfg, "*", cases[i].text, &f));
        assert_int_equal(cfg->fallback->pool_size, cases[i].pool_size);
        assert_int_equal(cfg->fallback->max_db_connections, cases[i].max_db_connections);
        assert_int_equal(cfg->fallback->server_lifetime_us, cases[i].lifetime);
        assert_int_equal(cfg->fallback->query_wait_timeout_us, cases[i].wait);
        findings_fini(&f);
        config_free(&cfg);
    }
}

static void test_database_lines_that_are_refused_say_why(void **state)
{
    static const struct {
        const char *name, *text, *error;
    } cases[] = {
        {"a", "host", "database \"a\": syntax error in connection string: expected key=value"},
        {"a", "=x", "database \"a\": syntax error in connection string: expected key=value"},
        {"a", "host=h ; note",
         "database \"a\": syntax error in connection string: expected key=value"},
        {"a", "colour=red", "database \"a\": unrecognized connection parameter: \"colour\""},
        {"a", "password=''",
         "database \"a\": syntax error in connection string: a value is empty (password)"},
        {"a",
         "user=", "database \"a\": syntax error in connection string: a value is empty (user)"},
        {"a", "password='hush",
         "database \"a\": syntax error in connection string: a quoted value has no end "
         "(password)"},
        {"a", "password='hush'x",
         "database \"a\": syntax error in connection string: there is no space behind a quoted "
         "value (password)"},
        {"a", "pool_size=abc",
         "database \"a\": invalid value for \"pool_size\": \"abc\" is not a whole number"},
        {"a", "port=0", "database \"a\": invalid port: 0"},
        {"a", "port=99999", "database \"a\": invalid port: 99999"},
        {"a", "host=a,b port=1,2,3", "database \"a\": there are 3 ports for 2 hosts"},
        {"a", "host=a,,b", "database \"a\": the list of hosts has an empty entry"},
        {"a", "pool_mode=fast",
         "database \"a\": invalid value for \"pool_mode\": \"fast\" is none of: session, "
         "transaction, statement"},
        {"pgbouncer", "host=h", "database name \"pgbouncer\" is reserved"},
        {"pgballast", "host=h", "database name \"pgballast\" is reserved"},
        {"1234567890123456789012345678901234567890123456789012345678901234", "host=h",
         "the database name is longer than 63 bytes"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *cfg = config_new(CONFIG_INI);
        struct findings f;
        char want[300];
        findings_init(&f);
        assert_false(parse(conf_pairs_database, cfg, cases[i].name, cases[i].text, &f));
        snprintf(want, sizeof want, "error f:1: %s\n", cases[i].error);
        assert_string_equal(findings_text(&f), want);
        assert_null(cfg->databases);
        findings_fini(&f);
        config_free(&cfg);
    }
}

static void test_database_pairs_may_have_tabs_between_and_equals_signs_inside(void **state)
{
    struct config *cfg = config_new(CONFIG_INI);
    struct findings f;
    (void)state;
    findings_init(&f);
    assert_true(
        parse(conf_pairs_database, cfg, "a", "user\t= u\t password=x=y port=1,2\thost=h,i", &f));
    const struct config_database *db = config_find_database(cfg, "a");
    assert_string_equal(db->user, "u");
    assert_string_equal(db->password, "x=y");
    assert_int_equal(db->hosts[0].port, 1);
    assert_int_equal(db->hosts[1].port, 2);
    findings_fini(&f);
    config_free(&cfg);
}

static void test_a_database_that_comes_twice_is_warned_about(void **state)
{
    struct config *cfg = config_new(CONFIG_INI);
    struct findings f;
    (void)state;
    findings_init(&f);
    assert_true(parse(conf_pairs_database, cfg, "*", "host=a", &f));
    assert_true(parse(conf_pairs_database, cfg, "x", "host=a", &f));
    assert_true(parse(conf_pairs_database, cfg, "x", "host=b", &f));
    assert_string_equal(findings_text(&f), "warning f:1: database \"x\" replaces the one at f:1\n");
    assert_string_equal(config_find_database(cfg, "x")->hosts[0].name, "b");
    findings_fini(&f);
    config_free(&cfg);
}

static void test_user_takes_every_key(void **state)
{
    struct config *cfg = config_new(CONFIG_INI);
    struct findings f;
    (void)state;
    findings_init(&f);
    assert_true(parse(conf_pairs_user, cfg, "ann",
                      "pool_mode=statement pool_size=4 reserve_pool_size=1 max_user_connections=0 "
                      "max_user_client_connections=unlimited query_timeout=0 "
                      "idle_transaction_timeout=unlimited transaction_timeout=1.5 "
                      "client_idle_timeout=1h query_wait_timeout=0",
                      &f));
    const struct config_user *user = config_find_user(cfg, "ann");
    assert_int_equal(user->pool_mode, POOL_MODE_STATEMENT);
    assert_int_equal(user->pool_size, 4);
    assert_int_equal(user->reserve_pool_size, 1);
    assert_int_equal(user->max_user_connections, CONFIG_INHERIT);
    assert_int_equal(user->max_user_client_connections, 0);
    assert_int_equal(user->query_timeout_us, CONFIG_INHERIT_US);
    assert_int_equal(user->idle_transaction_timeout_us, 0);
    assert_int_equal(user->transaction_timeout_us, 1500000);
    assert_int_equal(user->client_idle_timeout_us, 3600000000);
    assert_int_equal(user->query_wait_timeout_us, 0);
    assert_false(parse(conf_pairs_user, cfg, "bob", "host=h", &f));
    assert_int_equal(findings_count(&f, "user \"bob\": unrecognized"), 1);
    findings_fini(&f);
    config_free(&cfg);
}

static void test_peer_needs_a_number_and_a_host(void **state)
{
    static const struct {
        const char *id, *text, *error;
    } cases[] = {
        {"2", "host=h", NULL},
        {"65535", "host=/run/x port=7 pool_size=3", NULL},
        {"0", "host=h", "a peer is named by a number from 1 to 65535, not \"0\""},
        {"x", "host=h", "a peer is named by a number from 1 to 65535, not \"x\""},
        {"2", "port=7", "peer 2: host was not provided"},
        {"2", "host=a,b", "peer 2: a peer has one host"},
        {"2", "host=a port=x", "peer 2: invalid port: x"},
        {"2", "host=a user=b", "peer 2: unrecognized connection parameter: \"user\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *cfg = config_new(CONFIG_INI);
        struct findings f;
        findings_init(&f);
        bool ok = parse(conf_pairs_peer, cfg, cases[i].id, cases[i].text, &f);
        assert_int_equal(ok, cases[i].error == NULL);
        if (cases[i].error)
            assert_non_null(strstr(findings_text(&f), cases[i].error));
        else
            assert_int_equal(cfg->peers->id, atoi(cases[i].id));
        findings_fini(&f);
        config_free(&cfg);
    }
}

static void test_pairs_survive_every_truncation(void **state)
{
    static const char text[] = "host=a,b port = 1,2 password='it''s' pool_size=unlimited "
                               "server_lifetime=1.5h pool_mode=session";
    struct config *cfg = config_new(CONFIG_INI);
    struct findings f;
    (void)state;
    findings_init(&f);
    for (size_t n = 0; n < sizeof text; n++) {
        char cut[sizeof text];
        snprintf(cut, sizeof cut, "%.*s", (int)n, text);
        (void)parse(conf_pairs_database, cfg, "a", cut, &f);
    }
    findings_fini(&f);
    config_free(&cfg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_database_takes_every_key),
        cmocka_unit_test(test_database_numbers_mean_what_they_mean_in_pgbouncer),
        cmocka_unit_test(test_database_lines_that_are_refused_say_why),
        cmocka_unit_test(test_database_pairs_may_have_tabs_between_and_equals_signs_inside),
        cmocka_unit_test(test_a_database_that_comes_twice_is_warned_about),
        cmocka_unit_test(test_user_takes_every_key),
        cmocka_unit_test(test_peer_needs_a_number_and_a_host),
        cmocka_unit_test(test_pairs_survive_every_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
