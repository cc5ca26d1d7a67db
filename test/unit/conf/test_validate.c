/* SPDX-License-Identifier: PostgreSQL */
/* test_validate.c - settings that do not go together, and values that follow from others. */
#include "conf/validate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "findings.h"

/* Sets "name=value name=value ..." (values without blanks) with the origin "f:1". */
static void set_all(struct config *cfg, const char *settings)
{
    struct span pair;
    while (value_list_next(&settings, &pair)) {
        char text[200];
        struct error err;
        snprintf(text, sizeof text, "%.*s", (int)pair.n, (const char *)pair.p);
        char *equals = strchr(text, '=');
        *equals = '\0';
        if (!config_set(cfg, span_str(text), equals + 1, "f:1", &err))
            fail_msg("%s", err.text);
    }
}

static void add_database(struct config *cfg, const char *name, const char *host, uint16_t port)
{
    struct config_database *db = config_database_new(name, "f:9");
    config_add_host(db, span_str(host), NULL, port);
    config_add_database(cfg, db);
}

static void test_validate_finds_settings_that_do_not_go_together(void **state)
{
    static const struct {
        enum config_profile profile;
        const char *settings, *findings;
    } cases[] = {
        {CONFIG_INI, "", ""},
        {CONFIG_URL, "", ""},
        {CONFIG_INI, "unix_socket_dir=",
         "error : nowhere to listen on: listen_addr and unix_socket_dir are both empty\n"},
        {CONFIG_INI, "unix_socket_dir= listen_addr=*", ""},
        {CONFIG_INI, "http_port=6432", "error f:1: http_port and listen_port are the same\n"},
        {CONFIG_INI, "client_tls_cert_file=/c",
         "error f:1: client_tls_cert_file and client_tls_key_file belong together\n"},
        {CONFIG_INI, "server_tls_key_file=/k",
         "error f:1: server_tls_cert_file and server_tls_key_file belong together\n"},
        {CONFIG_INI, "client_tls_sslmode=require",
         "error f:1: client_tls_sslmode needs client_tls_cert_file and client_tls_key_file, or "
         "client_tls_auto = 1\n"},
        {CONFIG_INI, "client_tls_sslmode=require client_tls_auto=1", ""},
        {CONFIG_INI,
         "client_tls_sslmode=verify-full client_tls_cert_file=/c client_tls_key_file=/k",
         "error f:1: client_tls_sslmode = verify-ca or verify-full needs client_tls_ca_file\n"},
        {CONFIG_INI, "auth_type=hba", "error f:1: auth_type = hba needs auth_hba_file\n"},
        {CONFIG_INI, "auth_type=hba auth_hba_file=/h auth_ident_file=/i", ""},
        {CONFIG_INI, "auth_type=any",
         "warning f:9: database \"d\": auth_type = any needs a user here: nobody can log in to "
         "it\n"},
        {CONFIG_INI, "auth_type=cert",
         "error f:1: auth_type = cert needs client_tls_sslmode = verify-full\n"},
        {CONFIG_INI, "auth_dbname=pgbouncer",
         "error f:1: cannot use the reserved \"pgbouncer\" database as an auth_dbname\n"},
        {CONFIG_INI, "auth_dbname=nowhere",
         "warning f:1: authentication database \"nowhere\" is not configured\n"},
        {CONFIG_INI, "server_login_retry=0", ""},
        {CONFIG_INI, "client_tls_protocols=tlsv1.4",
         "error f:1: invalid value for \"client_tls_protocols\": \"tlsv1.4\" is no TLS version\n"},
        /* What changes nothing is named, unless it only repeats the default. */
        {CONFIG_INI, "lazy_begin=0 pkt_buf=4kB", ""},
        {CONFIG_INI, "lazy_begin=1 pkt_buf=8kB",
         "warning f:1: lazy_begin has no effect in this version\n"
         "note f:1: pkt_buf is accepted for PgBouncer's sake: there is nothing here that it "
         "changes\n"},
        {CONFIG_INI, "default_pool_size=30 max_server_connections=10",
         "warning f:1: default_pool_size is larger than max_server_connections, which limits all "
         "pools together\n"},
        {CONFIG_INI, "min_pool_size=30",
         "warning f:1: min_pool_size is larger than default_pool_size, which limits it\n"},
        {CONFIG_INI, "sslnegotiation=direct",
         "error f:9: database \"d\": sslnegotiation = direct needs sslmode = require or "
         "stricter\n"},
        {CONFIG_INI, "sslnegotiation=direct server_tls_sslmode=require", ""},
        /* Several at once. */
        {CONFIG_INI, "auth_type=hba http_port=6432",
         "error f:1: http_port and listen_port are the same\n"
         "error f:1: auth_type = hba needs auth_hba_file\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *cfg = config_new(cases[i].profile);
        struct findings f;
        findings_init(&f);
        set_all(cfg, cases[i].settings);
        add_database(cfg, "d", "h", 5432);
        bool ok = config_validate(cfg, &f.sink);
        assert_string_equal(findings_text(&f), cases[i].findings);
        assert_int_equal(ok, f.sink.n_errors == 0);
        findings_fini(&f);
        config_free(&cfg);
    }
}

static void test_validate_lets_defaults_follow_what_was_said(void **state)
{
    static const struct {
        const char *settings;
        int pool, min, cap;
    } cases[] = {
        {"", 20, 5, 20},
        {"default_pool_size=50", 50, 5, 50},
        {"max_server_connections=10", 10, 5, 10},
        {"max_server_connections=3", 3, 3, 3},
        {"default_pool_size=2", 2, 2, 20},
        {"default_pool_size=unlimited", 0, 5, 20},
        {"max_server_connections=unlimited", 20, 5, 0},
        {"default_pool_size=2 min_pool_size=4", 2, 4, 20},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *cfg = config_new(CONFIG_URL);
        struct findings f;
        findings_init(&f);
        set_all(cfg, cases[i].settings);
        add_database(cfg, "d", "h", 5432);
        assert_true(config_validate(cfg, &f.sink));
        assert_int_equal(cfg->default_pool_size, cases[i].pool);
        assert_int_equal(cfg->min_pool_size, cases[i].min);
        assert_int_equal(cfg->max_server_connections, cases[i].cap);
        findings_fini(&f);
        config_free(&cfg);
    }
}

static void test_validate_puts_databases_without_host_behind_the_socket(void **state)
{
    struct config *cfg = config_new(CONFIG_INI);
    struct findings f;
    (void)state;
    findings_init(&f);
    add_database(cfg, "d", "", 5433);
    assert_true(config_validate(cfg, &f.sink));
    assert_string_equal(config_find_database(cfg, "d")->hosts[0].name, "/tmp");
    assert_int_equal(config_find_database(cfg, "d")->hosts[0].port, 5433);
    config_free(&cfg);
    cfg = config_new(CONFIG_INI);
    set_all(cfg, "unix_socket_dir= listen_addr=*");
    add_database(cfg, "d", "", 5433);
    assert_false(config_validate(cfg, &f.sink));
    assert_string_equal(findings_text(&f),
                        "error f:9: database \"d\" has no host, and unix_socket_dir is empty\n");
    findings_fini(&f);
    config_free(&cfg);
}

static void test_validate_refuses_names_of_the_console_and_long_ones(void **state)
{
    struct config *cfg = config_new(CONFIG_URL);
    struct findings f;
    (void)state;
    findings_init(&f);
    add_database(cfg, "pgballast", "h", 5432);
    add_database(cfg, "1234567890123456789012345678901234567890123456789012345678901234", "h", 1);
    assert_false(config_validate(cfg, &f.sink));
    assert_int_equal(findings_count(&f, "is reserved for the console"), 1);
    assert_int_equal(findings_count(&f, "is longer than 63 bytes"), 1);
    findings_fini(&f);
    config_free(&cfg);
}

static void test_validate_refuses_a_url_that_points_at_ourselves(void **state)
{
    static const struct {
        const char *host;
        uint16_t port;
        bool ok;
    } cases[] = {
        {"localhost", 6432, false}, {"127.0.0.1", 6432, false}, {"::1", 6432, false},
        {"localhost", 5432, true},  {"db", 6432, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *cfg = config_new(CONFIG_URL);
        struct findings f;
        findings_init(&f);
        add_database(cfg, "*", cases[i].host, cases[i].port);
        assert_int_equal(config_validate(cfg, &f.sink), cases[i].ok);
        assert_int_equal(findings_count(&f, "where pgballast itself listens"), !cases[i].ok);
        findings_fini(&f);
        config_free(&cfg);
    }
}

static void test_validate_takes_pgbouncers_retry_as_the_longest_pause(void **state)
{
    static const struct {
        const char *settings;
        uint64_t longest_us;
    } cases[] = {
        {"", 5 * US_PER_S},
        {"server_login_retry=3", 3 * US_PER_S},
        {"server_login_retry=0", US_PER_MS},
        {"server_login_retry=3 retry_max_delay=7", 7 * US_PER_S},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *cfg = config_new(CONFIG_INI);
        struct findings f;
        findings_init(&f);
        set_all(cfg, cases[i].settings);
        add_database(cfg, "d", "h", 1);
        assert_true(config_validate(cfg, &f.sink));
        assert_int_equal(cfg->retry_max_delay_us, cases[i].longest_us);
        findings_fini(&f);
        config_free(&cfg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_validate_finds_settings_that_do_not_go_together),
        cmocka_unit_test(test_validate_lets_defaults_follow_what_was_said),
        cmocka_unit_test(test_validate_puts_databases_without_host_behind_the_socket),
        cmocka_unit_test(test_validate_refuses_names_of_the_console_and_long_ones),
        cmocka_unit_test(test_validate_refuses_a_url_that_points_at_ourselves),
        cmocka_unit_test(test_validate_takes_pgbouncers_retry_as_the_longest_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
