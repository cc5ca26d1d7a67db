/* SPDX-License-Identifier: PostgreSQL */
/* test_config_copy.c - one config made of another. */
#include "conf/config_copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "findings.h"
#include "conf/conf_ini.h"
#include "conf/validate.h"

static const char text[] = "[pgballast]\n"
                           "listen_addr = *\n"
                           "query_timeout = 1234567us\n"
                           "tcp_user_timeout = 1500\n"
                           "max_packet_size = 64kB\n"
                           "unix_socket_mode = 0750\n"
                           "pool_mode = statement\n"
                           "auth_user = looker\n"
                           "server_login_retry = 3\n"
                           "[databases]\n"
                           "a = host=one,two port=6000 user=u password='p w' pool_size=3\n"
                           "b = sslrootcert=/ca pool_mode=session connect_query='select 1'\n"
                           "* = dbname=x server_lifetime=9\n"
                           "[users]\n"
                           "u = pool_size=2 query_timeout=1\n"
                           "[peers]\n"
                           "7 = host=h port=7 pool_size=2\n";

static bool read_text(const char *path, struct buf *out, struct error *err)
{
    (void)path;
    (void)err;
    buf_append(out, text, sizeof text - 1);
    return true;
}

static struct config *validated(struct findings *f)
{
    struct config *cfg = config_new(CONFIG_INI);
    assert_true(conf_ini_read(cfg, "f", read_text, &f->sink));
    assert_true(config_validate(cfg, &f->sink));
    return cfg;
}

static void check_lines(const struct config *copy)
{
    const struct config_database *a = config_find_database(copy, "a");
    assert_int_equal(a->n_hosts, 2);
    assert_string_equal(a->hosts[1].name, "two");
    assert_int_equal(a->hosts[1].port, 6000);
    assert_string_equal(a->user, "u");
    assert_string_equal(a->password, "p w");
    assert_int_equal(a->pool_size, 3);
    assert_int_equal(a->pool_mode, CONFIG_INHERIT);
    const struct config_database *b = config_find_database(copy, "b");
    assert_string_equal(b->hosts[0].name, "/tmp");
    assert_string_equal(b->sslrootcert, "/ca");
    assert_string_equal(b->connect_query, "select 1");
    assert_ptr_equal(a->hh.next, b);
    assert_string_equal(config_find_database(copy, "c")->dbname, "x");
    assert_int_equal(config_find_user(copy, "u")->query_timeout_us, 1000000);
    assert_int_equal(copy->peers->id, 7);
    assert_string_equal(copy->peers->host.name, "h");
}

static void test_config_copy_has_everything_and_outlives_the_original(void **state)
{
    struct findings f;
    (void)state;
    findings_init(&f);
    struct config *cfg = validated(&f), *other = validated(&f);
    struct config *copy = config_copy(cfg);
    config_free(&cfg);
    assert_true(config_validate(copy, &f.sink));
    for (int i = 0; i < SETTING_COUNT; i++) {
        const char *is = copy->origins[i], *was = other->origins[i];
        assert_true(setting_equal(setting_at((enum setting_id)i), copy, other));
        assert_true(!is == !was && (!is || strcmp(is, was) == 0));
    }
    check_lines(copy);
    config_free(&copy);
    config_free(&other);
    findings_fini(&f);
}

static void test_config_copy_derives_anew_what_follows_from_others(void **state)
{
    struct findings f;
    struct error err;
    (void)state;
    findings_init(&f);
    struct config *cfg = validated(&f), *copy = config_copy(cfg);
    assert_int_equal(cfg->retry_max_delay_us, 3000000);
    assert_true(config_set(copy, span_str("server_login_retry"), "5", "console", &err));
    assert_true(config_validate(copy, &f.sink));
    assert_int_equal(copy->retry_max_delay_us, 5000000);
    config_free(&cfg);
    config_free(&copy);
    findings_fini(&f);
}

static void test_config_keep_started_leaves_what_a_reload_may_change(void **state)
{
    struct findings f;
    struct error err;
    (void)state;
    findings_init(&f);
    struct config *started = validated(&f), *cfg = validated(&f);
    assert_null(config_keep_started(cfg, started));
    assert_true(config_set(cfg, span_str("listen_port"), "7000", "f:9", &err));
    assert_true(config_set(cfg, span_str("workers"), "3", "f:10", &err));
    assert_true(config_set(cfg, span_str("query_timeout"), "5", "f:11", &err));
    char *names = config_keep_started(cfg, started);
    assert_string_equal(names, "listen_port, workers");
    assert_int_equal(cfg->listen_port, started->listen_port);
    assert_null(cfg->origins[SETTING_workers]);
    assert_int_equal(cfg->query_timeout_us, 5000000);
    free(names);
    config_free(&started);
    config_free(&cfg);
    findings_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_copy_has_everything_and_outlives_the_original),
        cmocka_unit_test(test_config_copy_derives_anew_what_follows_from_others),
        cmocka_unit_test(test_config_keep_started_leaves_what_a_reload_may_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
