/* SPDX-License-Identifier: PostgreSQL */
/* test_conf_load.c - all sources together, from real files in a temporary directory. */
#include "conf/conf_load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "conf/conf_files.h"
#include "findings.h"
#include "base/mem.h"

struct fixture {
    char dir[64];
    char *ini, *env_file;
    struct findings f;
};

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    struct fixture *x = xcalloc(1, sizeof *x);
    strcpy(x->dir, "/tmp/pgballast-test-XXXXXX");
    if (!mkdtemp(x->dir))
        return -1;
    x->ini = xasprintf("%s/a.ini", x->dir);
    x->env_file = xasprintf("%s/.env", x->dir);
    findings_init(&x->f);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    unlink(x->ini);
    unlink(x->env_file);
    rmdir(x->dir);
    findings_fini(&x->f);
    free(x->ini);
    free(x->env_file);
    free(x);
    return 0;
}

/* One row for each set of sources that name the same setting: who wins, and where from. */
static void test_load_precedence_is_command_line_environment_file_default(void **state)
{
    struct fixture *x = *state;
    put_file(x->env_file, "PGBALLAST_QUERY_TIMEOUT=2\n");
    const char *const vars[] = {"PGBALLAST_QUERY_TIMEOUT=3", NULL};
    const struct config_override override = {"query_timeout", "4", NULL};
    char *file_origin = xasprintf("%s:2", x->ini), *env_origin = xasprintf("%s:1", x->env_file);
    const struct {
        bool file, env_file, env, line;
        unsigned seconds;
        const char *origin;
    } cases[] = {
        {false, false, false, false, 0, NULL},
        {true, false, false, false, 1, file_origin},
        {true, true, false, false, 2, env_origin},
        {true, true, true, false, 3, "environment PGBALLAST_QUERY_TIMEOUT"},
        {true, false, true, false, 3, "environment PGBALLAST_QUERY_TIMEOUT"},
        {true, true, true, true, 4, "command line"},
        {false, false, false, true, 4, "command line"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *cfg = NULL;
        put_file(x->ini, cases[i].file ? "[pgbouncer]\nquery_timeout=1\n[databases]\n*=host=h\n"
                                       : "[pgbouncer]\n[databases]\n*=host=h\n");
        struct config_request req = {
            .profile = CONFIG_INI,
            .ini_path = x->ini,
            .env = cases[i].env ? vars : NULL,
            .env_file = cases[i].env_file ? x->env_file : NULL,
            .overrides = &override,
            .n_overrides = cases[i].line,
        };
        if (!config_load(&req, &cfg, &x->f.sink))
            fail_msg("%s", findings_text(&x->f));
        assert_int_equal(cfg->query_timeout_us, cases[i].seconds * 1000000ULL);
        if (cases[i].origin)
            assert_string_equal(cfg->origins[SETTING_query_timeout], cases[i].origin);
        else
            assert_null(cfg->origins[SETTING_query_timeout]);
        assert_string_equal(cfg->conffile, x->ini);
        config_free(&cfg);
    }
    free(file_origin);
    free(env_origin);
}

static void test_load_collects_the_errors_of_all_sources_and_gives_nothing(void **state)
{
    struct fixture *x = *state;
    const char *const vars[] = {"PGBALLAST_LISTEN_PORT=x", NULL};
    const struct config_override overrides[] = {{"colour", "red", NULL},
                                                {"pool_mode", "fast", NULL}};
    struct config *cfg = NULL;
    put_file(x->ini, "[pgballast]\nnope=1\npool_mode=transaction\n");
    put_file(x->env_file, "???\n");
    struct config_request req = {.profile = CONFIG_INI,
                                 .ini_path = x->ini,
                                 .env = vars,
                                 .env_file = x->env_file,
                                 .overrides = overrides,
                                 .n_overrides = 2};
    assert_false(config_load(&req, &cfg, &x->f.sink));
    assert_null(cfg);
    assert_int_equal(x->f.sink.n_errors, 5);
    assert_int_equal(findings_count(&x->f, ".env:1: expected NAME=value"), 1);
    assert_int_equal(findings_count(&x->f, "a.ini:2: there is no setting \"nope\""), 1);
    assert_int_equal(findings_count(&x->f, "environment PGBALLAST_LISTEN_PORT: "), 1);
    assert_int_equal(findings_count(&x->f, "command line: there is no setting \"colour\""), 1);
    assert_int_equal(findings_count(&x->f, "command line: invalid value for \"pool_mode\""), 1);
}

static void test_load_names_the_file_that_it_cannot_read(void **state)
{
    struct fixture *x = *state;
    struct config *cfg = NULL;
    struct config_request req = {.profile = CONFIG_INI, .ini_path = x->ini, .env_file = x->dir};
    assert_false(config_load(&req, &cfg, &x->f.sink));
    assert_int_equal(findings_count(&x->f, "a.ini\": No such file or directory"), 1);
    assert_int_equal(findings_count(&x->f, "is not a regular file"), 1);
}

static void test_load_of_a_url_takes_all_that_a_python_stack_sets(void **state)
{
    struct fixture *x = *state;
    const char *const vars[] = {"DB_POOL_MAX=8",
                                "API_PORT=8000",
                                "RUNTIME_DIRECTORY=/run/a:/run/b",
                                "XDG_RUNTIME_DIR=/run/user/1",
                                "STATE_DIRECTORY=/var/lib/p",
                                NULL};
    struct config *cfg = NULL;
    put_file(x->env_file, "DATABASE_URL='postgresql://app:hush@db/shop'\nAPI_PORT=80\n");
    struct config_request req = {.profile = CONFIG_URL, .env = vars, .env_file = x->env_file};
    if (!config_load(&req, &cfg, &x->f.sink))
        fail_msg("%s", findings_text(&x->f));
    assert_string_equal(cfg->url_user, "app");
    assert_string_equal(cfg->url_password, "hush");
    assert_int_equal(cfg->default_pool_size, 8);
    assert_int_equal(cfg->max_server_connections, 8);
    assert_int_equal(cfg->http_port, 8000);
    assert_string_equal(cfg->unix_socket_dir, "/run/a");
    assert_string_equal(cfg->origins[SETTING_unix_socket_dir], "environment RUNTIME_DIRECTORY");
    assert_string_equal(cfg->state_dir, "/var/lib/p");
    config_free(&cfg);
}

static void test_load_of_a_url_without_runtime_directory_has_no_socket(void **state)
{
    struct fixture *x = *state;
    struct config *cfg = NULL;
    struct config_request req = {.profile = CONFIG_URL, .url = "postgresql://u:p@h/d"};
    assert_true(config_load(&req, &cfg, &x->f.sink));
    assert_string_equal(cfg->unix_socket_dir, "");
    config_free(&cfg);
    const char *const vars[] = {"XDG_RUNTIME_DIR=/run/user/1", NULL};
    req.env = vars;
    assert_true(config_load(&req, &cfg, &x->f.sink));
    assert_string_equal(cfg->unix_socket_dir, "/run/user/1");
    config_free(&cfg);
}

static void test_load_ignores_database_url_when_there_is_an_ini_file(void **state)
{
    struct fixture *x = *state;
    const char *const vars[] = {"DATABASE_URL=postgresql://u:p@h/d", "DB_POOL_MAX=3", NULL};
    struct config *cfg = NULL;
    put_file(x->ini, "[pgbouncer]\n[databases]\na=host=h\n");
    struct config_request req = {.profile = CONFIG_INI, .ini_path = x->ini, .env = vars};
    assert_true(config_load(&req, &cfg, &x->f.sink));
    assert_null(cfg->fallback);
    assert_null(cfg->url_user);
    assert_int_equal(cfg->default_pool_size, 20);
    config_free(&cfg);
}

static void test_read_from_disk_reads_files_longer_than_one_step(void **state)
{
    struct fixture *x = *state;
    size_t n = 300000;
    char *text = xmalloc(n + 1);
    struct buf out = {0};
    struct error err;
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + i % 23);
    text[n] = '\0';
    put_file(x->ini, text);
    assert_true(conf_read_from_disk(x->ini, &out, &err));
    assert_int_equal(buf_len(&out), n);
    assert_memory_equal(buf_span(&out).p, text, n);
    conf_wipe(&out);
    assert_null(out.data);
    free(text);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_load_precedence_is_command_line_environment_file_default),
        TEST(test_load_collects_the_errors_of_all_sources_and_gives_nothing),
        TEST(test_load_names_the_file_that_it_cannot_read),
        TEST(test_load_of_a_url_takes_all_that_a_python_stack_sets),
        TEST(test_load_of_a_url_without_runtime_directory_has_no_socket),
        TEST(test_load_ignores_database_url_when_there_is_an_ini_file),
        TEST(test_read_from_disk_reads_files_longer_than_one_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
