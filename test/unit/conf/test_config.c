/* SPDX-License-Identifier: PostgreSQL */
/* test_config.c - building and asking a config. */
#include "conf/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "findings.h"
#include "base/mem.h"

static void test_config_has_the_defaults_of_its_profile(void **state)
{
    struct config *ini = config_new(CONFIG_INI), *url = config_new(CONFIG_URL);
    (void)state;
    assert_int_equal(ini->pool_mode, POOL_MODE_SESSION);
    assert_int_equal(ini->default_pool_size, 20);
    assert_int_equal(ini->min_pool_size, 0);
    assert_int_equal(ini->query_timeout_us, 0);
    assert_int_equal(ini->server_idle_timeout_us, 600000000);
    assert_int_equal(ini->server_tls_sslmode, SSLMODE_PREFER);
    assert_int_equal(ini->auth_type, AUTH_TYPE_MD5);
    assert_int_equal(ini->http_port, 0);
    assert_string_equal(ini->unix_socket_dir, "/tmp");
    assert_string_equal(ini->listen_addr, "");
    assert_int_equal(url->pool_mode, POOL_MODE_TRANSACTION);
    assert_int_equal(url->min_pool_size, 5);
    assert_int_equal(url->query_timeout_us, 30000000);
    assert_int_equal(url->query_wait_timeout_us, 30000000);
    assert_int_equal(url->server_idle_timeout_us, 240000000);
    assert_int_equal(url->server_lifetime_us, 3600000000);
    assert_int_equal(url->server_connect_timeout_us, 10000000);
    assert_int_equal(url->server_wake_timeout_us, 30000000);
    assert_int_equal(url->server_tls_sslmode, SSLMODE_REQUIRE);
    assert_int_equal(url->http_port, 6433);
    assert_int_equal(url->listen_port, 6432);
    assert_string_equal(url->listen_addr, "127.0.0.1,::1");
    assert_true(url->client_tls_auto);
    config_free(&ini);
    config_free(&url);
    assert_null(ini);
}

static void test_config_set_notes_the_origin_and_the_last_one_wins(void **state)
{
    struct config *cfg = config_new(CONFIG_INI);
    struct config_row row;
    struct error err;
    (void)state;
    assert_true(config_set(cfg, span_str("query_timeout"), "5", "a.ini:3", &err));
    assert_true(config_set(cfg, span_str("query_timeout"), "7", "command line", &err));
    assert_true(config_set_default(cfg, SETTING_query_timeout, "9", "url", &err));
    assert_true(config_set_default(cfg, SETTING_log_stats, "0", "url", &err));
    config_row(cfg, SETTING_query_timeout, &row);
    assert_string_equal(row.name, "query_timeout");
    assert_string_equal(row.value, "7");
    assert_string_equal(row.default_value, "0");
    assert_string_equal(row.origin, "command line");
    assert_true(row.changeable);
    free(row.value);
    config_row(cfg, SETTING_log_stats, &row);
    assert_string_equal(row.value, "0");
    assert_string_equal(row.origin, "url");
    free(row.value);
    config_free(&cfg);
}

static void test_config_set_names_what_it_refuses(void **state)
{
    struct config *cfg = config_new(CONFIG_INI);
    struct error err;
    (void)state;
    assert_false(config_set(cfg, span_str("pool_moed"), "session", "x", &err));
    assert_string_equal(err.text, "there is no setting \"pool_moed\"");
    assert_false(config_set(cfg, span_str("listen_port"), "0", "x", &err));
    assert_string_equal(err.text,
                        "invalid value for \"listen_port\": 0 is outside the range 1 to 65535");
    assert_null(cfg->origins[SETTING_listen_port]);
    config_free(&cfg);
}

static void test_config_row_shows_null_as_pgbouncer_does_and_no_secret(void **state)
{
    struct config *cfg = config_new(CONFIG_INI);
    struct config_row row;
    struct error err;
    (void)state;
    config_row(cfg, SETTING_auth_file, &row);
    assert_null(row.value);
    assert_null(row.default_value);
    assert_string_equal(row.origin, "default");
    config_row(cfg, SETTING_verbose, &row);
    assert_string_equal(row.value, "0");
    assert_null(row.default_value);
    free(row.value);
    config_row(cfg, SETTING_listen_port, &row);
    assert_false(row.changeable);
    free(row.value);
    assert_true(config_set(cfg, span_str("auth_ldap_options"), "ldapbindpasswd=hush", "x", &err));
    config_row(cfg, SETTING_auth_ldap_options, &row);
    assert_string_equal(row.value, "***");
    free(row.value);
    config_free(&cfg);
}

static void test_config_finds_databases_users_and_the_fallback(void **state)
{
    struct config *cfg = config_new(CONFIG_INI);
    (void)state;
    assert_null(config_find_database(cfg, "shop"));
    config_add_database(cfg, config_database_new("shop", "a:1"));
    config_add_database(cfg, config_database_new("blog", "a:2"));
    config_add_user(cfg, config_user_new("ann", "a:3"));
    config_add_peer(cfg, config_peer_new(2, "a:4"));
    assert_string_equal(config_find_database(cfg, "shop")->origin, "a:1");
    assert_null(config_find_database(cfg, "sho"));
    config_add_database(cfg, config_database_new("*", "a:5"));
    assert_string_equal(config_find_database(cfg, "sho")->name, "*");
    assert_string_equal(config_find_user(cfg, "ann")->origin, "a:3");
    assert_null(config_find_user(cfg, "bob"));
    /* The last line of a name counts. */
    config_add_database(cfg, config_database_new("shop", "a:6"));
    config_add_database(cfg, config_database_new("*", "a:7"));
    config_add_user(cfg, config_user_new("ann", "a:8"));
    config_add_peer(cfg, config_peer_new(2, "a:9"));
    assert_string_equal(config_find_database(cfg, "shop")->origin, "a:6");
    assert_string_equal(cfg->fallback->origin, "a:7");
    assert_string_equal(config_find_user(cfg, "ann")->origin, "a:8");
    assert_int_equal(HASH_COUNT(cfg->databases), 2);
    assert_int_equal(HASH_COUNT(cfg->peers), 1);
    config_free(&cfg);
}

static void test_config_database_says_nothing_until_told(void **state)
{
    struct config_database *db = config_database_new("a", "b");
    (void)state;
    assert_int_equal(db->pool_size, CONFIG_INHERIT);
    assert_int_equal(db->sslmode, CONFIG_INHERIT);
    assert_int_equal(db->server_lifetime_us, CONFIG_INHERIT_US);
    assert_null(db->user);
    config_add_host(db, span_str("h1"), NULL, 1);
    config_add_host(db, span_str("h2"), "10.0.0.1", 2);
    assert_int_equal(db->n_hosts, 2);
    assert_string_equal(db->hosts[1].address, "10.0.0.1");
    db->password = xstrdup("secret");
    config_database_free(&db);
    assert_null(db);
}

static void test_config_report_counts_errors_and_hides_control_bytes(void **state)
{
    struct findings f;
    (void)state;
    findings_init(&f);
    config_report(&f.sink, CONFIG_NOTE, "url", "one");
    config_report(&f.sink, CONFIG_WARNING, "url", "two");
    assert_false(config_report(&f.sink, CONFIG_ERROR, "x:1", "a\nb%c", 7));
    assert_int_equal(f.sink.n_errors, 1);
    assert_string_equal(findings_text(&f), "note url: one\nwarning url: two\nerror x:1: a?b?\n");
    findings_fini(&f);
}

static void test_config_console_names_are_both_reserved(void **state)
{
    (void)state;
    assert_true(config_is_console("pgballast"));
    assert_true(config_is_console("pgbouncer"));
    assert_false(config_is_console("pgbouncer2"));
    assert_string_equal(config_console_alias("pgballast"), "pgbouncer");
    assert_string_equal(config_console_alias("pgbouncer"), "pgballast");
    assert_null(config_console_alias("pgbouncer2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_has_the_defaults_of_its_profile),
        cmocka_unit_test(test_config_set_notes_the_origin_and_the_last_one_wins),
        cmocka_unit_test(test_config_set_names_what_it_refuses),
        cmocka_unit_test(test_config_row_shows_null_as_pgbouncer_does_and_no_secret),
        cmocka_unit_test(test_config_finds_databases_users_and_the_fallback),
        cmocka_unit_test(test_config_database_says_nothing_until_told),
        cmocka_unit_test(test_config_report_counts_errors_and_hides_control_bytes),
        cmocka_unit_test(test_config_console_names_are_both_reserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
