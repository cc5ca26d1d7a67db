/* SPDX-License-Identifier: PostgreSQL */
/* test_advice.c - each piece of advice is given where it stands, and only then. */
#include "conf/advice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/mem.h"
#include "conf/conf_ini.h"
#include "conf/validate.h"
#include "findings.h"

/* Nothing is to be said about these. With the two lines of DATABASE they are eleven. */
static const char good_main[] = "[pgbouncer]\n"
                                "auth_type=scram-sha-256\n"
                                "listen_addr=127.0.0.1\n"
                                "pool_mode=transaction\n"
                                "server_tls_sslmode=verify-full\n"
                                "idle_transaction_timeout=60\n"
                                "query_timeout=60\n"
                                "unix_socket_dir=/run/pgbouncer\n"
                                "auth_file=/users\n";

#define DATABASE "[databases]\na=host=db.example\n"
#define OPEN "listen_addr=*\nclient_tls_auto=1\nclient_tls_sslmode=require\n"

static const struct {
    const char *databases, *settings;
    const char *advice; /* NULL: none; else how its line begins */
} cases[] = {
    {DATABASE, "", NULL},
    /* who comes in */
    {DATABASE, "auth_type=trust",
     "warning main:12: auth_type = trust lets every user of this machine"},
    {DATABASE, OPEN "auth_type=trust",
     "warning main:15: auth_type = trust lets every machine that"},
    {"[databases]\na=host=h user=u\n", "auth_type=any",
     "warning main:12: auth_type = any lets every user of this machine in, under any name"},
    {DATABASE, "auth_type=md5", "note main:12: auth_type = md5: what goes over the wire"},
    {DATABASE, "auth_type=plain", NULL},
    {DATABASE, OPEN "auth_type=plain", NULL},
    {DATABASE, "scram_iterations=100", "warning main:12: scram_iterations is below 4096"},
    {DATABASE, "auth_hba_file=/hba", "warning main:12: auth_hba_file is not read unless"},
    {DATABASE, "auth_ident_file=/map", "warning main:12: auth_ident_file is not read unless"},
    {DATABASE, "admin_users=known, pgbouncer", NULL},
    {DATABASE, "admin_users=known, nobody",
     "warning main:12: admin_users names \"nobody\", who is not in auth_file"},
    {DATABASE, "stats_users=nobody", "warning main:12: stats_users names \"nobody\""},
    {DATABASE, "stats_users=nobody\nauth_user=known", NULL},
    {DATABASE, "auth_user=finder", "note main:12: auth_user \"finder\" is not in auth_file"},
    {DATABASE, "auth_user=known\nauth_dbname=a", NULL},
    /* TLS */
    {DATABASE, "listen_addr=10.0.0.1",
     "warning main:12: clients on other machines may come without"},
    {DATABASE, "listen_addr=127.0.0.1, ::1, localhost", NULL},
    {DATABASE, "listen_addr=*\nclient_tls_auto=1\nclient_tls_sslmode=prefer",
     "warning main:14: clients on other machines may come without TLS"},
    {DATABASE, OPEN, NULL},
    {DATABASE, OPEN "client_tls_protocols=all",
     "warning main:15: client_tls_protocols allows TLS 1.0 or 1.1"},
    {DATABASE, "server_tls_protocols=tlsv1.1,tlsv1.2",
     "warning main:12: server_tls_protocols allows TLS 1.0 or 1.1"},
    {DATABASE, "server_tls_sslmode=disable",
     "warning main:12: server_tls_sslmode = disable towards db.example: passwords, queries"},
    {DATABASE, "server_tls_sslmode=prefer",
     "warning main:12: server_tls_sslmode = prefer towards db.example: whoever is on the way can "
     "switch encryption off"},
    {DATABASE, "server_tls_sslmode=allow", "warning main:12: server_tls_sslmode = allow towards"},
    {DATABASE, "server_tls_sslmode=require",
     "warning main:12: server_tls_sslmode = require towards db.example: it is encrypted, but"},
    {DATABASE, "server_tls_sslmode=verify-ca",
     "note main:12: server_tls_sslmode = verify-ca towards db.example: every server"},
    {DATABASE "b=host=other.example sslmode=require\nc=host=third.example sslmode=require\n", "",
     "warning main:3: server_tls_sslmode = require towards other.example"},
    {"[databases]\na=host=127.0.0.1\nb=host=/run\n", "server_tls_sslmode=disable", NULL},
    {DATABASE, "http_port=80\nhttp_addr=0.0.0.0",
     "warning main:13: health and metrics, with names"},
    /* databases */
    {"[databases]\na=host=db:5432\n", "",
     "warning main:2: database \"a\": \"db:5432\" is no host and no IPv6 address"},
    {"[databases]\na=host=fe80::1\n", "", NULL},
    {"[databases]\na=host=postgresql://db\n", "",
     "warning main:2: database \"a\": host is a name or"},
    {"[databases]\napp*=host=h\n", "", "warning main:2: database \"app*\": only a * alone"},
    {"[databases]\na=host=h password=p\n", "",
     "warning main:2: database \"a\": password has no effect without user"},
    {"[databases]\n*=host=h password=p\n", "", "warning main:2: database \"*\": password has no"},
    {"[databases]\na=host=h user=u password=p\n", "", NULL},
    /* how many */
    {DATABASE "b=host=h\nc=host=h\n", "", NULL},
    {DATABASE "b=host=h\nc=host=h pool_size=61\n", "",
     "note : the pools may open 101 server connections together"},
    {DATABASE "b=host=h\nc=host=h pool_size=61\n", "max_db_connections=30", NULL},
    {DATABASE "b=host=h\nc=host=h pool_size=61\n", "max_server_connections=80", NULL},
    {DATABASE, "max_client_conn=5000",
     "warning main:12: max_client_conn = 5000, but no more than 1000"},
    {DATABASE, "max_client_conn=0", "note main:12: max_client_conn = 0 is as many as"},
    {DATABASE, "default_pool_size=0", "warning main:12: default_pool_size = 0 has no limit"},
    {DATABASE, "reserve_pool_size=5\nreserve_pool_timeout=0",
     "warning main:12: the reserve is never used"},
    /* sessions */
    {DATABASE, "pool_mode=session", "note main:12: pool_mode = session keeps a server for each"},
    {DATABASE, "max_prepared_statements=0",
     "warning main:12: max_prepared_statements = 0: drivers"},
    {DATABASE, "ignore_startup_parameters=extra_float_digits, x",
     "note main:12: ignore_startup_parameters is not needed"},
    {DATABASE, "server_check_query=select 1",
     "note main:12: server_check_query costs a round trip"},
    {DATABASE, "server_check_query=", NULL},
    {DATABASE, "server_reset_query_always=1", "note main:12: server_reset_query_always = 1 costs"},
    {DATABASE, "disable_pqexec=1",
     "warning main:12: disable_pqexec = 1 refuses the simple protocol"},
    /* time */
    {DATABASE, "idle_transaction_timeout=0",
     "note main:12: idle_transaction_timeout = 0: a client"},
    {DATABASE, "query_timeout=0", "note main:12: query_timeout = 0: nothing here ends"},
    {DATABASE, "query_wait_timeout=0",
     "warning main:12: query_wait_timeout = 0: while the database"},
    {DATABASE, "client_login_timeout=0", "warning main:12: client_login_timeout = 0: whoever"},
    {DATABASE, "cancel_wait_timeout=0", "note main:12: cancel_wait_timeout = 0: a cancel request"},
    {DATABASE, "server_lifetime=0", "warning main:12: server_lifetime = 0 uses each server"},
    {DATABASE, "tcp_keepalive=0", "note main:12: tcp_keepalive = 0: connections whose other end"},
    /* files */
    {DATABASE, "auth_file=/open/users",
     "warning main:12: \"/open/users\" can be read by everybody"},
    {DATABASE, OPEN "client_tls_cert_file=/c\nclient_tls_key_file=/open/key",
     "warning main:16: \"/open/key\", a private key, can be read by everybody"},
    {DATABASE, "server_tls_cert_file=/c\nserver_tls_key_file=/open/key",
     "warning main:13: \"/open/key\", a private key, can be read by everybody"},
    {"[databases]\na=host=h user=u password=p\n", "conffile=/open/ini",
     "warning /open/ini: the file contains passwords and can be read by everybody"},
    {DATABASE, "conffile=/open/ini", NULL},
    {DATABASE, "unix_socket_dir=/tmp", "note main:12: unix_socket_dir = /tmp: while we are down"},
    /* processes */
    {DATABASE, "so_reuseport=1", "warning main:12: so_reuseport without peer_id and [peers]"},
    {DATABASE, "so_reuseport=1\npeer_id=1\n[peers]\n2=host=/run/b", NULL},
    {DATABASE, "peer_id=1", "warning main:12: peer_id without [peers]"},
    {DATABASE, "[peers]\n2=host=/run/b", "warning main:13: [peers] without peer_id"},
    {DATABASE, "verbose=2", "warning main:12: verbose = 2 writes several lines"},
};

static struct span main_text;

static bool read_main(const char *path, struct buf *out, struct error *err)
{
    (void)path;
    (void)err;
    buf_append(out, main_text.p, main_text.n);
    return true;
}

static bool knows(void *owner, const char *user)
{
    (void)owner;
    return strcmp(user, "known") == 0;
}

static unsigned mode_of(void *owner, const char *path)
{
    (void)owner;
    return strncmp(path, "/open/", 6) == 0 ? 0644 : 0640;
}

/* The advice on one file, as findings_text writes it. A setting given again in the case replaces
 * the good one; that there are two is none of our business here. */
static void advise_on(const char *databases, const char *settings, size_t n_plain,
                      struct findings *f)
{
    const struct advice_facts facts = {.max_descriptors = 1000,
                                       .n_users = 1,
                                       .n_plain = n_plain,
                                       .knows_user = knows,
                                       .mode_of = mode_of};
    struct findings ignored;
    struct config *cfg = config_new(CONFIG_INI);
    char *text = xasprintf("%s%s%s\n", databases, good_main, settings);
    main_text = span_str(text);
    findings_init(&ignored);
    findings_init(f);
    assert_true(conf_ini_read(cfg, "main", read_main, &ignored.sink));
    if (!config_validate(cfg, &ignored.sink))
        fail_msg("%s%s", text, findings_text(&ignored));
    advice_give(cfg, &facts, &f->sink);
    findings_fini(&ignored);
    config_free(&cfg);
    free(text);
}

static void test_advice_is_given_where_it_stands_and_only_then(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct findings f;
        advise_on(cases[i].databases, cases[i].settings, 0, &f);
        const char *text = findings_text(&f), *want = cases[i].advice;
        size_t n_lines = want ? 1 : 0;
        if (findings_count(&f, "") != n_lines || (want && strncmp(text, want, strlen(want)) != 0))
            fail_msg("%s%s\nwanted: %s\ngot: %s", cases[i].databases, cases[i].settings,
                     want ? want : "nothing", text);
        findings_fini(&f);
    }
}

static void test_advice_counts_passwords_in_plain_text(void **state)
{
    struct findings f;
    (void)state;
    advise_on(DATABASE, "", 1, &f);
    assert_int_equal(
        findings_count(&f, "note main:11: 1 of 1 users are stored with their passwords"), 1);
    assert_int_equal(findings_count(&f, ""), 1);
    findings_fini(&f);
}

/* One thing may be risky in two ways. */
static void test_advice_on_clear_passwords_comes_with_that_on_clear_traffic(void **state)
{
    struct findings f;
    (void)state;
    advise_on(DATABASE, "listen_addr=0.0.0.0\nauth_type=plain", 0, &f);
    assert_int_equal(findings_count(&f, "warning main:13: auth_type = plain sends passwords"), 1);
    assert_int_equal(findings_count(&f, "warning main:12: clients on other machines may come"), 1);
    assert_int_equal(findings_count(&f, ""), 2);
    findings_fini(&f);
}

/* Out of the box each of PgBouncer's defaults that we would not have chosen gets its line. */
static void test_advice_on_defaults_names_the_file(void **state)
{
    const struct advice_facts facts = {.knows_user = knows, .mode_of = mode_of};
    struct config *cfg = config_new(CONFIG_INI);
    struct findings f;
    struct error err;
    (void)state;
    findings_init(&f);
    assert_true(config_set(cfg, span_str("conffile"), "/etc/x.ini", "command line", &err));
    advice_give(cfg, &facts, &f.sink);
    assert_int_equal(findings_count(&f, "note /etc/x.ini: "), findings_count(&f, ""));
    assert_int_equal(findings_count(&f, "auth_type = md5"), 1);
    assert_int_equal(findings_count(&f, "unix_socket_dir = /tmp"), 1);
    findings_fini(&f);
    config_free(&cfg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_advice_is_given_where_it_stands_and_only_then),
        cmocka_unit_test(test_advice_counts_passwords_in_plain_text),
        cmocka_unit_test(test_advice_on_clear_passwords_comes_with_that_on_clear_traffic),
        cmocka_unit_test(test_advice_on_defaults_names_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
