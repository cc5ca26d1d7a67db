/* SPDX-License-Identifier: PostgreSQL */
/* test_conf_env.c - variables of the environment and of .env files. */
#include "conf/conf_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "findings.h"
#include "../../support/guard.h"
#include "base/mem.h"

/* Parses the text from memory that ends at an unreadable page. */
static void parse(struct conf_env *env, const char *text, size_t n, struct findings *f)
{
    uint8_t *copy = guard_copy(text, n);
    conf_env_parse(env, span_of(copy, n), ".env", &f->sink);
    guard_free(copy, n);
}

static void test_env_file_reads_every_form_of_line(void **state)
{
    static const struct {
        const char *text, *value; /* of A; NULL: not set */
        const char *error;        /* NULL: none */
    } cases[] = {
        {"A=b", "b", NULL},
        {"A=b\n", "b", NULL},
        {"A=b\r\n", "b", NULL},
        {"  A = b c \t\n", "b c", NULL},
        {"A=", "", NULL},
        {"A=\nB=1", "", NULL},
        {"export A=b", "b", NULL},
        {"export\tA=b", "b", NULL},
        {"export=1\nA=b", "b", NULL},
        {"# c\n\n \nA=b # comment", "b", NULL},
        {"A=b#no comment", "b#no comment", NULL},
        {"A=#comment", "", NULL},
        {"A='b # \"c\" \\n'", "b # \"c\" \\n", NULL},
        {"A=\"b\\n\\\"c\\\" \\$d \\e\"", "b\n\"c\" $d \\e", NULL},
        {"A=\"b\nc\"\nB=1", "b\nc", NULL},
        {"A='b' # comment", "b", NULL},
        {"A=\"\"", "", NULL},
        {"A=b\nA=c", "c", NULL},
        {"\xef\xbb\xbf"
         "A=b",
         "b", NULL},
        {"A=postgresql://u:p=1&2@h/db?x=y", "postgresql://u:p=1&2@h/db?x=y", NULL},
        {"A", NULL, "error .env:1: expected NAME=value\n"},
        {"\n\nA b=c", NULL, "error .env:3: expected NAME=value\n"},
        {"=b", NULL, "error .env:1: expected NAME=value\n"},
        {"1A=b", NULL, "error .env:1: expected NAME=value\n"},
        {"export A", NULL, "error .env:1: expected NAME=value\n"},
        {"A=\"b", NULL, "error .env:1: the quoted value has no end\n"},
        {"A='b\nc", NULL, "error .env:1: the quoted value has no end\n"},
        {"A='b'c", NULL, "error .env:1: there is text behind the quoted value\n"},
        {"B='1\n2'\n?\nA=b", "b", "error .env:3: expected NAME=value\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct conf_env *env = conf_env_new(NULL);
        struct conf_env_var var;
        struct findings f;
        findings_init(&f);
        parse(env, cases[i].text, strlen(cases[i].text), &f);
        assert_string_equal(findings_text(&f), cases[i].error ? cases[i].error : "");
        assert_int_equal(conf_env_get(env, "A", &var), cases[i].value != NULL);
        if (cases[i].value) {
            assert_string_equal(var.value, cases[i].value);
            assert_true(var.from_file);
        }
        findings_fini(&f);
        conf_env_free(&env);
    }
}

static void test_env_file_survives_every_truncation(void **state)
{
    static const char text[] = "export A=\"b\\n\\\"c\" # d\r\nB='e\nf'\nC = g # h\n\n# i\nD=\n";
    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        struct conf_env *env = conf_env_new(NULL);
        struct findings f;
        findings_init(&f);
        parse(env, text, n, &f);
        findings_fini(&f);
        conf_env_free(&env);
    }
}

static void test_env_file_refuses_a_zero_byte(void **state)
{
    struct conf_env *env = conf_env_new(NULL);
    struct findings f;
    (void)state;
    findings_init(&f);
    parse(env, "A=b\0c", 5, &f);
    assert_string_equal(findings_text(&f), "error .env:1: the value contains a zero byte\n");
    findings_fini(&f);
    conf_env_free(&env);
}

static void test_environment_wins_over_the_file(void **state)
{
    static const char *const vars[] = {"A=env", "EMPTY=", "=odd", "odd", NULL};
    struct conf_env *env = conf_env_new(vars);
    struct conf_env_var var;
    struct findings f;
    (void)state;
    findings_init(&f);
    parse(env, "A=file\nB=file\nEMPTY=file", 25, &f);
    assert_true(conf_env_get(env, "A", &var));
    assert_string_equal(var.value, "env");
    assert_string_equal(var.origin, "environment A");
    assert_true(conf_env_get(env, "B", &var));
    assert_string_equal(var.value, "file");
    assert_string_equal(var.origin, ".env:2");
    assert_true(conf_env_get(env, "EMPTY", &var));
    assert_string_equal(var.value, "");
    assert_false(conf_env_get(env, "odd", &var));
    findings_fini(&f);
    conf_env_free(&env);
}

static bool fake_read(const char *path, struct buf *out, struct error *err)
{
    if (strcmp(path, "/secret") != 0)
        return error_set(err, "", "cannot open \"%s\"", path);
    buf_append(out, "hush\r\n\n", 7);
    return true;
}

static void test_env_secret_comes_from_the_variable_or_its_file(void **state)
{
    static const struct {
        const char *a, *b;
        const char *value, *error;
    } cases[] = {
        {"S=direct", "X=1", "direct", NULL},
        {"S_FILE=/secret", "X=1", "hush", NULL},
        {"S_FILE=/secret", "S=", "hush", NULL},
        {"S_FILE=", "S=direct", "direct", NULL},
        {"X=1", "Y=1", NULL, NULL},
        {"S_FILE=/secret", "S=direct", NULL, "S and S_FILE are both set; keep one of them"},
        {"S_FILE=/none", "X=1", NULL, "cannot open \"/none\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const vars[] = {cases[i].a, cases[i].b, NULL};
        struct conf_env *env = conf_env_new(vars);
        char *value = NULL;
        const char *origin;
        struct error err = {"", ""};
        bool ok = conf_env_secret(env, "S", fake_read, &value, &origin, &err);
        assert_int_equal(ok, cases[i].error == NULL);
        assert_string_equal(err.text, cases[i].error ? cases[i].error : "");
        if (cases[i].value)
            assert_string_equal(value, cases[i].value);
        else
            assert_null(value);
        secret_free(&value);
        conf_env_free(&env);
    }
}

/* What the variables make of a setting. */
static const struct {
    enum config_profile profile;
    const char *var;
    const char *setting, *value, *origin; /* value NULL: still the default */
    const char *findings;
} name_cases[] = {
    {CONFIG_URL, "DB_POOL_MIN=2", "min_pool_size", "2", "environment DB_POOL_MIN", ""},
    {CONFIG_URL, "DB_POOL_MAX=50", "default_pool_size", "50", "environment DB_POOL_MAX", ""},
    {CONFIG_URL, "DB_POOL_MAX=50", "max_server_connections", "50", "environment DB_POOL_MAX", ""},
    {CONFIG_URL, "DB_POOL_RECYCLE=1800", "server_lifetime", "1800", "environment DB_POOL_RECYCLE",
     ""},
    {CONFIG_URL, "DB_POOL_RECYCLE=-1", "server_lifetime", "10000000000",
     "environment DB_POOL_RECYCLE", ""},
    {CONFIG_URL, "DB_CONNECT_TIMEOUT=5", "server_connect_timeout", "5",
     "environment DB_CONNECT_TIMEOUT", ""},
    {CONFIG_URL, "DB_QUERY_TIMEOUT=500ms", "query_timeout", "0.5", "environment DB_QUERY_TIMEOUT",
     ""},
    {CONFIG_URL, "DB_POOL_MAX=", "default_pool_size", NULL, NULL, ""},
    {CONFIG_INI, "DB_POOL_MAX=50", "default_pool_size", NULL, NULL, ""},
    {CONFIG_URL, "DB_POOL_MAX=lots", "default_pool_size", NULL, NULL,
     "error environment DB_POOL_MAX: DB_POOL_MAX: invalid value for \"default_pool_size\": "
     "\"lots\" is not a whole number\n"},
    {CONFIG_URL, "API_PORT=8080", "http_port", "8080", "environment API_PORT", ""},
    {CONFIG_URL, "API_PORT=1023", "http_port", NULL, NULL,
     "error environment API_PORT: API_PORT must be a port from 1024 to 65535, not \"1023\"\n"},
    {CONFIG_URL, "API_PORT=65536", "http_port", NULL, NULL,
     "error environment API_PORT: API_PORT must be a port from 1024 to 65535, not \"65536\"\n"},
    {CONFIG_URL, "API_PORT=http", "http_port", NULL, NULL,
     "error environment API_PORT: API_PORT must be a port from 1024 to 65535, not \"http\"\n"},
    {CONFIG_URL, "API_PORT=1024", "http_port", "1024", "environment API_PORT", ""},
    {CONFIG_URL, "API_PORT=65535", "http_port", "65535", "environment API_PORT", ""},
    {CONFIG_URL, "DEBUG=true", "log_statements", "1", "environment DEBUG", ""},
    {CONFIG_URL, "DEBUG=0", "log_statements", NULL, NULL, ""},
    {CONFIG_URL, "DEBUG=express:*", "log_statements", NULL, NULL, ""},
    {CONFIG_INI, "PGBALLAST_POOL_MODE=statement", "pool_mode", "statement",
     "environment PGBALLAST_POOL_MODE", ""},
    {CONFIG_INI, "PGBALLAST_LISTEN_ADDR=", "listen_addr", "", "environment PGBALLAST_LISTEN_ADDR",
     ""},
    {CONFIG_INI, "PGBALLAST_POOL_MODE=x", "pool_mode", NULL, NULL,
     "error environment PGBALLAST_POOL_MODE: PGBALLAST_POOL_MODE: invalid value for "
     "\"pool_mode\": \"x\" is none of: session, transaction, statement\n"},
    {CONFIG_INI, "PGBALLAST_COLOUR=x", "pool_mode", NULL, NULL,
     "warning environment PGBALLAST_COLOUR: PGBALLAST_COLOUR is ignored: there is no such "
     "setting\n"},
    {CONFIG_INI, "PGBALLAST_PORT_6432_TCP=tcp://10.0.0.1:6432", "pool_mode", NULL, NULL, ""},
    {CONFIG_INI, "PGBALLAST_SERVICE_HOST=10.0.0.1", "pool_mode", NULL, NULL, ""},
};

static void test_env_names_set_settings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof name_cases / sizeof name_cases[0]; i++) {
        const char *const vars[] = {name_cases[i].var, NULL};
        struct conf_env *env = conf_env_new(vars);
        struct config *cfg = config_new(name_cases[i].profile);
        const struct setting *s = setting_find(span_str(name_cases[i].setting));
        struct config_row row;
        struct findings f;
        findings_init(&f);
        bool ok = conf_env_apply(env, cfg, &f.sink);
        assert_string_equal(findings_text(&f), name_cases[i].findings);
        assert_int_equal(ok, f.sink.n_errors == 0);
        config_row(cfg, setting_id_of(s), &row);
        assert_string_equal(row.origin, name_cases[i].origin ? name_cases[i].origin : "default");
        assert_string_equal(row.value,
                            name_cases[i].value ? name_cases[i].value : row.default_value);
        free(row.value);
        findings_fini(&f);
        config_free(&cfg);
        conf_env_free(&env);
    }
}

static void test_api_port_of_an_env_file_belongs_to_the_app(void **state)
{
    struct conf_env *env = conf_env_new(NULL);
    struct config *cfg = config_new(CONFIG_URL);
    struct findings f;
    (void)state;
    findings_init(&f);
    parse(env, "API_PORT=80\nDB_POOL_MIN=3\n", 26, &f);
    assert_true(conf_env_apply(env, cfg, &f.sink));
    assert_int_equal(cfg->http_port, 6433);
    assert_int_equal(cfg->min_pool_size, 3);
    assert_string_equal(cfg->origins[SETTING_min_pool_size], ".env:2");
    findings_fini(&f);
    config_free(&cfg);
    conf_env_free(&env);
}

static void test_own_names_win_over_names_of_the_stack(void **state)
{
    static const char *const vars[] = {"PGBALLAST_DEFAULT_POOL_SIZE=7", "DB_POOL_MAX=50", NULL};
    struct conf_env *env = conf_env_new(vars);
    struct config *cfg = config_new(CONFIG_URL);
    struct findings f;
    (void)state;
    findings_init(&f);
    assert_true(conf_env_apply(env, cfg, &f.sink));
    assert_int_equal(cfg->default_pool_size, 7);
    assert_int_equal(cfg->max_server_connections, 50);
    findings_fini(&f);
    config_free(&cfg);
    conf_env_free(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_env_file_reads_every_form_of_line),
        cmocka_unit_test(test_env_file_survives_every_truncation),
        cmocka_unit_test(test_env_file_refuses_a_zero_byte),
        cmocka_unit_test(test_environment_wins_over_the_file),
        cmocka_unit_test(test_env_secret_comes_from_the_variable_or_its_file),
        cmocka_unit_test(test_env_names_set_settings),
        cmocka_unit_test(test_api_port_of_an_env_file_belongs_to_the_app),
        cmocka_unit_test(test_own_names_win_over_names_of_the_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
