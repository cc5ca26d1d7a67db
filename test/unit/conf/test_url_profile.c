/* SPDX-License-Identifier: PostgreSQL */
/* test_url_profile.c - what one URL amounts to. */
#include "conf/url_profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "findings.h"
#include "conf/effective.h"

#define NEON "ep-cool-river-1.eu-central-1.aws.neon.tech"
#define POOLED "ep-cool-river-1-pooler.eu-central-1.aws.neon.tech"

static bool no_file(const char *path, struct buf *out, struct error *err)
{
    (void)out;
    return error_set(err, "", "cannot open \"%s\"", path);
}

struct fixture {
    struct config *cfg;
    struct findings f;
    bool ok;
};

/* `setting` is "name=value" from the command line, `var` a variable of the environment, or NULL. */
static void apply(struct fixture *x, const char *url, const char *setting, const char *var)
{
    const char *const vars[] = {var, NULL};
    struct conf_env *env = conf_env_new(vars);
    struct error err;
    x->cfg = config_new(CONFIG_URL);
    findings_init(&x->f);
    if (setting) {
        size_t n = strcspn(setting, "=");
        if (!config_set(x->cfg, span_of(setting, n), setting + n + 1, "command line", &err))
            fail_msg("%s", err.text);
    }
    x->ok = url_profile_apply(x->cfg, url, env, no_file, &x->f.sink);
    conf_env_free(&env);
}

static void fixture_fini(struct fixture *x)
{
    findings_fini(&x->f);
    config_free(&x->cfg);
}

static void test_url_serves_its_database_and_every_other_of_the_endpoint(void **state)
{
    struct fixture x;
    (void)state;
    apply(&x,
          "postgresql://app:hush@db.example.com:5433/shop?application_name=web&options=-c%20a%3Db"
          "&client_encoding=auto&connect_timeout=7",
          NULL, NULL);
    assert_true(x.ok);
    assert_string_equal(findings_text(&x.f), "");
    for (int i = 0; i < 2; i++) {
        const struct config_database *db = config_find_database(x.cfg, i ? "other" : "shop");
        assert_string_equal(db->name, i ? "*" : "shop");
        assert_string_equal(db->origin, "url");
        assert_null(db->dbname);
        assert_string_equal(db->user, "app");
        assert_string_equal(db->password, "hush");
        assert_string_equal(db->application_name, "web");
        assert_string_equal(db->options, "-c a=b");
        assert_null(db->client_encoding);
        assert_int_equal(db->n_hosts, 1);
        assert_string_equal(db->hosts[0].name, "db.example.com");
        assert_int_equal(db->hosts[0].port, 5433);
        assert_int_equal(effective_sslmode(x.cfg, db, &db->hosts[0]), SSLMODE_REQUIRE);
    }
    assert_string_equal(x.cfg->url_user, "app");
    assert_string_equal(x.cfg->url_password, "hush");
    assert_string_equal(x.cfg->stats_users, "app");
    assert_int_equal(x.cfg->server_connect_timeout_us, 7000000);
    assert_string_equal(x.cfg->origins[SETTING_server_connect_timeout], "url");
    fixture_fini(&x);
}

static void test_url_without_a_database_means_that_of_the_user(void **state)
{
    struct fixture x;
    (void)state;
    apply(&x, "postgresql://app:p@h", NULL, NULL);
    assert_true(x.ok);
    assert_string_equal(config_find_database(x.cfg, "app")->name, "app");
    fixture_fini(&x);
}

/* URL, setting of the command line, variable -> mode and root certificate, or the refusal. */
static const struct {
    const char *url, *setting, *var;
    int mode;
    const char *root;  /* "-": inherited */
    const char *finds; /* part of the findings; NULL: none at all */
} sslmode_cases[] = {
    {"postgresql://u:p@h", NULL, NULL, SSLMODE_REQUIRE, "-", NULL},
    {"postgresql://u:p@h?sslmode=disable", NULL, NULL, SSLMODE_DISABLE, "-", NULL},
    {"postgresql://u:p@h?sslmode=verify-ca", NULL, NULL, SSLMODE_VERIFY_CA, "-", NULL},
    {"postgresql://u:p@h", NULL, "PGSSLMODE=prefer", SSLMODE_PREFER, "-", NULL},
    {"postgresql://u:p@h?sslmode=require", NULL, "PGSSLMODE=prefer", SSLMODE_REQUIRE, "-", NULL},
    {"postgresql://u:p@h?sslrootcert=/ca", NULL, NULL, SSLMODE_VERIFY_CA, "/ca", NULL},
    {"postgresql://u:p@h?sslrootcert=/ca&sslmode=verify-full", NULL, NULL, SSLMODE_VERIFY_FULL,
     "/ca", NULL},
    {"postgresql://u:p@h?sslrootcert=/ca", "server_tls_ca_file=/mine", NULL, SSLMODE_VERIFY_CA, "-",
     NULL},
    {"postgresql://u:p@h?sslrootcert=system", NULL, NULL, SSLMODE_VERIFY_FULL, "", NULL},
    {"postgresql://u:p@h?sslrootcert=system&sslmode=require", NULL, NULL, -1, NULL,
     "error url: sslrootcert=system needs sslmode=verify-full"},
    {"postgresql://u:p@h?sslmode=disable", "server_tls_sslmode=require", NULL, SSLMODE_REQUIRE, "-",
     NULL},
    {"postgresql://u:p@h?sslmode=strong", NULL, NULL, -1, NULL,
     "error url: sslmode must be one of: disable, allow, prefer, require, verify-ca, "
     "verify-full"},
    {"postgresql://u:p@" NEON "/d?sslmode=require", NULL, NULL, SSLMODE_VERIFY_FULL, "-",
     "note url: sslmode=require is served as verify-full"},
    {"postgresql://u:p@" NEON "/d", NULL, NULL, SSLMODE_VERIFY_FULL, "-",
     "note url: sslmode=require is served as verify-full"},
    {"postgresql://u:p@" NEON "/d?sslmode=verify-ca", NULL, NULL, SSLMODE_VERIFY_CA, "-", NULL},
    {"postgresql://u:p@" NEON "/d", "server_tls_sslmode=require", NULL, SSLMODE_REQUIRE, "-", NULL},
    {"postgresql://u:p@" NEON "/d?sslmode=prefer", NULL, NULL, -1, NULL,
     "error url: sslmode is weaker than \"require\", which Neon refuses"},
    {"postgresql://u:p@" NEON "/d", "server_tls_sslmode=disable", NULL, -1, NULL,
     "error url: sslmode is weaker than \"require\", which Neon refuses"},
    {"postgresql://u:p@EP-X.NEON.TECH./d?sslmode=allow", NULL, NULL, -1, NULL,
     "which Neon refuses"},
    {"postgresql://u:p@neon.tech.example.com/d?sslmode=allow", NULL, NULL, SSLMODE_ALLOW, "-",
     NULL},
    {"postgresql://u:p@h,ep-x.neon.tech/d?sslmode=allow", NULL, NULL, -1, NULL,
     "which Neon refuses"},
};

static void test_url_sslmode_follows_libpq_neon_and_the_settings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sslmode_cases / sizeof sslmode_cases[0]; i++) {
        struct fixture x;
        apply(&x, sslmode_cases[i].url, sslmode_cases[i].setting, sslmode_cases[i].var);
        const char *finds = findings_text(&x.f);
        if (sslmode_cases[i].finds ? !strstr(finds, sslmode_cases[i].finds) : finds[0] != '\0')
            fail_msg("%s: %s", sslmode_cases[i].url, finds);
        assert_int_equal(x.ok, sslmode_cases[i].mode >= 0);
        if (x.ok) {
            assert_int_equal(x.cfg->fallback->sslmode, sslmode_cases[i].mode);
            const char *root = x.cfg->fallback->sslrootcert;
            assert_string_equal(root ? root : "-", sslmode_cases[i].root);
        }
        fixture_fini(&x);
    }
}

static void test_url_of_a_pooled_neon_host_becomes_the_direct_one(void **state)
{
    static const struct {
        const char *url, *setting, *host, *options, *finds;
    } cases[] = {
        {"postgresql://u:p@" POOLED "/d?sslmode=verify-full", NULL, NEON, NULL,
         "note url: host \"" POOLED "\" is replaced by the direct host \"" NEON "\""},
        {"postgresql://u:p@" POOLED "/d?sslmode=verify-full", "upstream_pooled=keep", POOLED, NULL,
         "warning url: host \"" POOLED "\" pools transactions itself"},
        {"postgresql://u:p@" POOLED
         "/d?sslmode=verify-full&options=endpoint%3Dep-cool-river-1-pooler%20-c%20a%3Db",
         NULL, NEON, "endpoint=ep-cool-river-1 -c a=b", "is replaced"},
        {"postgresql://u:p@" NEON "/d?sslmode=verify-full&options=endpoint%3Dep-cool-river-1", NULL,
         NEON, "endpoint=ep-cool-river-1", ""},
        {"postgresql://u:p@my-pooler.example.com/d", NULL, "my-pooler.example.com", NULL, ""},
        {"postgresql://u:p@-pooler.neon.tech/d?sslmode=verify-full", NULL, "-pooler.neon.tech",
         NULL, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture x;
        apply(&x, cases[i].url, cases[i].setting, NULL);
        assert_true(x.ok);
        for (int j = 0; j < 2; j++) {
            const struct config_database *db = config_find_database(x.cfg, j ? "d" : "other");
            assert_string_equal(db->hosts[0].name, cases[i].host);
            assert_string_equal(db->options ? db->options : "",
                                cases[i].options ? cases[i].options : "");
        }
        assert_non_null(strstr(findings_text(&x.f), cases[i].finds));
        assert_int_equal(findings_count(&x.f, ""), cases[i].finds[0] != '\0');
        fixture_fini(&x);
    }
}

static void test_url_settings_give_way_to_the_environment_and_command_line(void **state)
{
    struct fixture x;
    (void)state;
    apply(&x, "postgresql://u:p@h?connect_timeout=1&channel_binding=require",
          "server_connect_timeout=3", NULL);
    assert_true(x.ok);
    assert_int_equal(x.cfg->server_connect_timeout_us, 3000000);
    assert_int_equal(effective_channel_binding(x.cfg, x.cfg->fallback), BINDING_REQUIRE);
    fixture_fini(&x);
    apply(&x, "postgresql://u:p@h?connect_timeout=1&channel_binding=require",
          "channel_binding=disable", NULL);
    assert_int_equal(x.cfg->server_connect_timeout_us, 2000000);
    assert_int_equal(effective_channel_binding(x.cfg, x.cfg->fallback), BINDING_DISABLE);
    fixture_fini(&x);
    apply(&x, "postgresql://u:p@h?connect_timeout=0", NULL, NULL);
    assert_int_equal(x.cfg->server_connect_timeout_us, DURATION_MAX_US);
    fixture_fini(&x);
}

static void test_url_hosts_are_tried_in_order_unless_shuffled(void **state)
{
    struct fixture x;
    (void)state;
    apply(&x, "postgresql://u:p@a,b:7/d", NULL, NULL);
    assert_int_equal(x.cfg->fallback->load_balance_hosts, LOAD_BALANCE_DISABLE);
    assert_int_equal(x.cfg->fallback->n_hosts, 2);
    fixture_fini(&x);
    apply(&x, "postgresql://u:p@a,b:7/d?load_balance_hosts=random", NULL, NULL);
    assert_int_equal(x.cfg->fallback->load_balance_hosts, LOAD_BALANCE_ROUND_ROBIN);
    fixture_fini(&x);
}

static void test_url_that_cannot_be_used_is_refused_in_one_sentence(void **state)
{
    static const struct {
        const char *url, *var, *finding;
    } cases[] = {
        {NULL, NULL,
         "error environment DATABASE_URL: there is no database to connect to; set DATABASE_URL to "
         "postgresql://user:password@host/database or name a configuration file\n"},
        {NULL, "DATABASE_URL=",
         "error environment DATABASE_URL: the database URL is empty; set DATABASE_URL to "
         "postgresql://user:password@host/database\n"},
        {"  ", NULL,
         "error url: the database URL is empty; set DATABASE_URL to "
         "postgresql://user:password@host/database\n"},
        {NULL, "DATABASE_URL=mysql://u:hush@h/d",
         "error environment DATABASE_URL: the database URL cannot be used: it is not a PostgreSQL "
         "URL (postgresql://user:password@host/db)\n"},
        {NULL, "DATABASE_URL=postgresql://u:hush%@h/d",
         "error environment DATABASE_URL: the database URL cannot be used: a % must be followed by "
         "two hexadecimal digits; special characters in user and password must be "
         "percent-encoded\n"},
        {"postgresql://h/d", NULL,
         "error url: the URL names no user; set DATABASE_URL to "
         "postgresql://user:password@host/database\n"},
        {"postgresql://u:p@h:x/d", NULL,
         "error url: a port is not a number from 1 to 65535; special characters in user and "
         "password must be percent-encoded\n"},
        {"postgresql://u:p@h/d?connect_timeout=soon", NULL,
         "error url: connect_timeout is not a whole number of seconds\n"},
        {"postgresql://u:p@h/d?sslmode=disable&sslnegotiation=direct", NULL,
         "error url: sslnegotiation=direct needs sslmode=require or stricter\n"},
        {NULL, "DATABASE_URL_FILE=/none",
         "error environment DATABASE_URL: cannot open \"/none\"\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture x;
        apply(&x, cases[i].url, NULL, cases[i].var);
        assert_false(x.ok);
        assert_string_equal(findings_text(&x.f), cases[i].finding);
        assert_null(strstr(findings_text(&x.f), "hush"));
        fixture_fini(&x);
    }
}

static void test_url_oddities_are_mentioned(void **state)
{
    static const struct {
        const char *url, *setting, *finding;
    } cases[] = {
        {"postgresql://u@h/d", NULL,
         "warning url: the URL has no password, so no client can log in with one\n"},
        {"postgresql://u@h/d", "auth_type=trust", ""},
        {"postgresql://u:p@h/d?pgbouncer=true&gssencmode=disable", NULL,
         "note url: parameters of the URL without effect: gssencmode\n"
         "warning url: unknown parameters of the URL are ignored: pgbouncer\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture x;
        apply(&x, cases[i].url, cases[i].setting, NULL);
        assert_true(x.ok);
        assert_string_equal(findings_text(&x.f), cases[i].finding);
        fixture_fini(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url_serves_its_database_and_every_other_of_the_endpoint),
        cmocka_unit_test(test_url_without_a_database_means_that_of_the_user),
        cmocka_unit_test(test_url_sslmode_follows_libpq_neon_and_the_settings),
        cmocka_unit_test(test_url_of_a_pooled_neon_host_becomes_the_direct_one),
        cmocka_unit_test(test_url_settings_give_way_to_the_environment_and_command_line),
        cmocka_unit_test(test_url_hosts_are_tried_in_order_unless_shuffled),
        cmocka_unit_test(test_url_that_cannot_be_used_is_refused_in_one_sentence),
        cmocka_unit_test(test_url_oddities_are_mentioned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
