/* SPDX-License-Identifier: PostgreSQL */
/* test_setting.c - the table of settings. */
#include "conf/setting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "conf/config.h"

/* pgbouncer-compatible names: all that a pgbouncer.ini on Unix may contain. */
static const char *const pgbouncer_names[] = {
    "admin_users",
    "application_name_add_host",
    "auth_dbname",
    "auth_file",
    "auth_hba_file",
    "auth_ident_file",
    "auth_ldap_options",
    "auth_query",
    "auth_type",
    "auth_user",
    "autodb_idle_timeout",
    "cancel_wait_timeout",
    "client_idle_timeout",
    "client_login_timeout",
    "client_tls13_ciphers",
    "client_tls_ca_file",
    "client_tls_cert_file",
    "client_tls_ciphers",
    "client_tls_dheparams",
    "client_tls_ecdhcurve",
    "client_tls_key_file",
    "client_tls_protocols",
    "client_tls_sslmode",
    "conffile",
    "default_pool_size",
    "disable_pqexec",
    "dns_max_ttl",
    "dns_nxdomain_ttl",
    "dns_zone_check_period",
    "idle_transaction_timeout",
    "ignore_startup_parameters",
    "job_name",
    "listen_addr",
    "listen_backlog",
    "listen_port",
    "log_connections",
    "log_disconnections",
    "log_pooler_errors",
    "log_stats",
    "logfile",
    "login_notify_message",
    "max_client_conn",
    "max_db_client_connections",
    "max_db_connections",
    "max_packet_size",
    "max_prepared_statements",
    "max_user_client_connections",
    "max_user_connections",
    "min_pool_size",
    "peer_id",
    "pidfile",
    "pkt_buf",
    "pool_mode",
    "pool_idle_timeout",
    "query_timeout",
    "query_wait_notify",
    "query_wait_timeout",
    "reserve_pool_size",
    "reserve_pool_timeout",
    "resolv_conf",
    "sbuf_loopcnt",
    "scram_iterations",
    "server_check_delay",
    "server_check_query",
    "server_connect_timeout",
    "server_fast_close",
    "server_idle_timeout",
    "server_lifetime",
    "server_login_retry",
    "server_reset_query",
    "server_reset_query_always",
    "server_round_robin",
    "server_tls13_ciphers",
    "server_tls_ca_file",
    "server_tls_cert_file",
    "server_tls_ciphers",
    "server_tls_key_file",
    "server_tls_protocols",
    "server_tls_sslmode",
    "service_name",
    "so_reuseport",
    "stats_period",
    "stats_users",
    "suspend_timeout",
    "syslog",
    "syslog_facility",
    "syslog_ident",
    "tcp_defer_accept",
    "tcp_keepalive",
    "tcp_keepcnt",
    "tcp_keepidle",
    "tcp_keepintvl",
    "tcp_socket_buffer",
    "tcp_user_timeout",
    "track_extra_parameters",
    "transaction_timeout",
    "unix_socket_dir",
    "unix_socket_group",
    "unix_socket_mode",
    "user",
    "verbose",
};

static void test_setting_list_is_sorted_so_that_it_can_be_searched(void **state)
{
    (void)state;
    for (enum setting_id id = 1; id < SETTING_COUNT; id++)
        assert_true(strcmp(setting_at(id - 1)->name, setting_at(id)->name) < 0);
}

static void test_setting_find_knows_every_name_and_no_part_of_one(void **state)
{
    (void)state;
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        const struct setting *s = setting_at(id);
        struct span name = span_str(s->name);
        char longer[100];
        assert_ptr_equal(setting_find(name), s);
        assert_int_equal(setting_id_of(s), id);
        snprintf(longer, sizeof longer, "%s_", s->name);
        assert_null(setting_find(span_str(longer)));
        const struct setting *cut = setting_find(span_of(name.p, name.n - 1));
        assert_true(cut == NULL || strlen(cut->name) == name.n - 1);
    }
    assert_null(setting_find(span_str("")));
    assert_null(setting_find(span_str("Pool_Mode")));
    assert_null(setting_find(span_of("user\0", 5)));
}

static void test_setting_list_has_every_setting_of_pgbouncer(void **state)
{
    size_t n = sizeof pgbouncer_names / sizeof pgbouncer_names[0], n_own = 0;
    (void)state;
    for (size_t i = 0; i < n; i++) {
        const struct setting *s = setting_find(span_str(pgbouncer_names[i]));
        if (!s || (s->flags & SETTING_OWN))
            fail_msg("%s is missing or marked as ours", pgbouncer_names[i]);
    }
    for (enum setting_id id = 0; id < SETTING_COUNT; id++)
        n_own += (setting_at(id)->flags & SETTING_OWN) != 0;
    assert_int_equal(n + n_own, SETTING_COUNT);
}

/* Every default must be readable in both profiles, and printing must not lose anything. */
static void test_setting_text_of_every_default_reads_back(void **state)
{
    (void)state;
    for (int profile = CONFIG_INI; profile <= CONFIG_URL; profile++) {
        struct config *a = config_new((enum config_profile)profile);
        struct config *b = config_new(CONFIG_INI);
        for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
            const struct setting *s = setting_at(id);
            struct error err;
            char *once = setting_text(s, a);
            if (!setting_store(s, b, once, &err))
                fail_msg("%s: %s", s->name, err.text);
            char *twice = setting_text(s, b);
            assert_string_equal(once, twice);
            free(once);
            free(twice);
        }
        config_free(&a);
        config_free(&b);
    }
}

static void test_setting_help_is_one_line_without_full_stop(void **state)
{
    (void)state;
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        const struct setting *s = setting_at(id);
        size_t n = strlen(s->help);
        assert_true(n > 10 && n < 110);
        assert_null(strchr(s->help, '\n'));
        assert_true(s->help[n - 1] != '.');
        assert_string_not_equal(setting_kind_name(s), "?");
    }
}

static void test_setting_store_keeps_the_old_value_on_failure(void **state)
{
    static const struct {
        const char *name, *value, *error;
    } cases[] = {
        {"default_pool_size", "many", "\"many\" is not a whole number"},
        {"listen_port", "65536", "65536 is outside the range 1 to 65535"},
        {"listen_port", "unlimited", "\"unlimited\" is not a whole number"},
        {"pool_mode", "fast", "\"fast\" is none of: session, transaction, statement"},
        {"log_stats", "loud", "\"loud\" is neither on nor off"},
        {"server_connect_timeout", "0", "0 is outside the range 1e-06s to 1e+10s"},
    };
    struct config *cfg = config_new(CONFIG_INI);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct setting *s = setting_find(span_str(cases[i].name));
        struct error err;
        char *before = setting_text(s, cfg);
        assert_false(setting_store(s, cfg, cases[i].value, &err));
        assert_string_equal(err.text, cases[i].error);
        char *after = setting_text(s, cfg);
        assert_string_equal(before, after);
        free(before);
        free(after);
    }
    config_free(&cfg);
}

static void test_setting_store_reads_the_spellings_of_the_fields(void **state)
{
    struct config *cfg = config_new(CONFIG_INI);
    (void)state;
    const struct {
        const char *name, *value, *text;
    } cases[] = {
        {"default_pool_size", "unlimited", "0"},
        {"unix_socket_mode", "0700", "0700"},
        {"tcp_user_timeout", "30s", "30000"},
        {"query_timeout", "1.5", "1.5"},
        {"max_packet_size", "1MB", "1048576"},
        {"pool_mode", "TRANSACTION", "transaction"},
        {"syslog", "yes", "1"},
        {"tcp_keepidle", "2min", "120"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct setting *s = setting_find(span_str(cases[i].name));
        assert_true(setting_store(s, cfg, cases[i].value, NULL));
        char *text = setting_text(s, cfg);
        assert_string_equal(text, cases[i].text);
        free(text);
    }
    assert_int_equal(cfg->unix_socket_mode, 0700);
    assert_int_equal(cfg->tcp_user_timeout_us, 30000000);
    assert_int_equal(cfg->query_timeout_us, 1500000);
    assert_int_equal(cfg->pool_mode, POOL_MODE_TRANSACTION);
    config_free(&cfg);
}

static void test_setting_copy_takes_every_field_as_it_is(void **state)
{
    struct config *from = config_new(CONFIG_INI), *to = config_new(CONFIG_URL);
    (void)state;
    from->query_timeout_us = UINT64_MAX; /* above what setting_store takes */
    from->listen_backlog = -7;
    for (int i = 0; i < SETTING_COUNT; i++)
        setting_copy(setting_at((enum setting_id)i), to, from);
    for (int i = 0; i < SETTING_COUNT; i++)
        assert_true(setting_equal(setting_at((enum setting_id)i), to, from));
    assert_true(to->query_timeout_us == UINT64_MAX);
    assert_int_equal(to->listen_backlog, -7);
    config_free(&from);
    config_free(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_setting_list_is_sorted_so_that_it_can_be_searched),
        cmocka_unit_test(test_setting_find_knows_every_name_and_no_part_of_one),
        cmocka_unit_test(test_setting_list_has_every_setting_of_pgbouncer),
        cmocka_unit_test(test_setting_text_of_every_default_reads_back),
        cmocka_unit_test(test_setting_help_is_one_line_without_full_stop),
        cmocka_unit_test(test_setting_copy_takes_every_field_as_it_is),
        cmocka_unit_test(test_setting_store_keeps_the_old_value_on_failure),
        cmocka_unit_test(test_setting_store_reads_the_spellings_of_the_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
