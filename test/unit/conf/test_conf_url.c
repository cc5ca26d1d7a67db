/* SPDX-License-Identifier: PostgreSQL */
/* test_conf_url.c - libpq's URIs and keyword=value pairs. */
#include "conf/conf_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../support/guard.h"
#include "base/rand.h"

/* Parses from memory that ends at an unreadable page right behind the terminating zero. */
static bool parse(struct conf_url *url, const char *text, struct error *err)
{
    size_t n = strlen(text) + 1;
    uint8_t *copy = guard_copy(text, n);
    bool ok = conf_url_parse(url, (const char *)copy, err);
    guard_free(copy, n);
    return ok;
}

/* "user=u password=p dbname=d sslmode=... @ host:port(address),..." without what is not said. */
static char *describe(const struct conf_url *url, struct error *err)
{
    static char out[2048];
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = URL_USER; i < URL_PARAM_COUNT; i++)
        if (url->value[i])
            n += (size_t)snprintf(out + n, sizeof out - n, "%s=%s ",
                                  conf_url_param_name((enum url_param)i), url->value[i]);
    if (url->ignored)
        n += (size_t)snprintf(out + n, sizeof out - n, "ignored=%s ", url->ignored);
    if (url->unknown)
        n += (size_t)snprintf(out + n, sizeof out - n, "unknown=%s ", url->unknown);
    struct config_database *db = config_database_new("x", "y");
    if (!conf_url_hosts(url, "/sock", db, err)) {
        config_database_free(&db);
        return NULL;
    }
    n += (size_t)snprintf(out + n, sizeof out - n, "@");
    for (size_t i = 0; i < db->n_hosts; i++) {
        const struct config_host *h = &db->hosts[i];
        n += (size_t)snprintf(out + n, sizeof out - n, " %s:%u", h->name, (unsigned)h->port);
        if (h->address)
            n += (size_t)snprintf(out + n, sizeof out - n, "(%s)", h->address);
    }
    config_database_free(&db);
    return out;
}

#define HINT "; special characters in user and password must be percent-encoded"

static const struct {
    const char *text, *is; /* is: description, or NULL: refused with error */
    const char *error;
} cases[] = {
    /* The forms of libpq's manual. */
    {"postgresql://", "@ /sock:5432", NULL},
    {"postgresql://localhost", "@ localhost:5432", NULL},
    {"postgresql://localhost:5433", "@ localhost:5433", NULL},
    {"postgresql://localhost/mydb", "dbname=mydb @ localhost:5432", NULL},
    {"postgresql://user@localhost", "user=user @ localhost:5432", NULL},
    {"postgresql://user:secret@localhost", "user=user password=secret @ localhost:5432", NULL},
    {"postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp",
     "user=other dbname=otherdb application_name=myapp connect_timeout=10 @ localhost:5432", NULL},
    {"postgresql://host1:123,host2:456/somedb?target_session_attrs=any&application_name=myapp",
     "dbname=somedb application_name=myapp ignored=target_session_attrs @ host1:123 host2:456",
     NULL},
    {"postgresql:///mydb?host=localhost&port=5433", "dbname=mydb @ localhost:5433", NULL},
    {"postgresql://[2001:db8::1234]/database", "dbname=database @ 2001:db8::1234:5432", NULL},
    {"postgresql://[::1]:5433", "@ ::1:5433", NULL},
    {"postgresql:///dbname?host=/var/lib/postgresql", "dbname=dbname @ /var/lib/postgresql:5432",
     NULL},
    {"postgresql://%2Fvar%2Flib%2Fpostgresql/dbname", "dbname=dbname @ /var/lib/postgresql:5432",
     NULL},
    {"postgres://u@h/d", "user=u dbname=d @ h:5432", NULL},
    /* What Neon's console hands out. */
    {"postgresql://app:npg_x@ep-a-b-1.eu-central-1.aws.neon.tech/neondb"
     "?sslmode=require&channel_binding=require",
     "user=app password=npg_x dbname=neondb sslmode=require channel_binding=require "
     "@ ep-a-b-1.eu-central-1.aws.neon.tech:5432",
     NULL},
    {"postgresql://u:p@h/d?options=endpoint%3Dep-x&sslnegotiation=direct",
     "user=u password=p dbname=d sslnegotiation=direct options=endpoint=ep-x @ h:5432", NULL},
    /* Percent-encoding. */
    {"postgresql://us%40er:p%3Aw%2F%25@h/d%20b", "user=us@er password=p:w/% dbname=d b @ h:5432",
     NULL},
    {"postgresql://h/d?application%5Fname=a%26b", "dbname=d application_name=a&b @ h:5432", NULL},
    {"postgresql://u:a+b@h", "user=u password=a+b @ h:5432", NULL},
    {"postgresql://h:54%333", "@ h:5433", NULL},
    {"postgresql://u:p:q@h", "user=u password=p:q @ h:5432", NULL},
    {"postgresql://u:p?q@h", "user=u password=p?q @ h:5432", NULL},
    {"postgresql://:p@h", "password=p @ h:5432", NULL},
    {"postgresql://u:@h", "user=u @ h:5432", NULL},
    {"postgresql://@h", "@ h:5432", NULL},
    {"postgresql://u%4g@h", NULL, "a % must be followed by two hexadecimal digits" HINT},
    {"postgresql://u%4", NULL, "a % must be followed by two hexadecimal digits" HINT},
    {"postgresql://u%00@h", NULL, "%00 is not allowed"},
    /* Hosts and ports. */
    {"postgresql://a,b,c:1/d", "dbname=d @ a:5432 b:5432 c:1", NULL},
    {"postgresql://a:1,b:2,c:3", "@ a:1 b:2 c:3", NULL},
    {"postgresql://a,b?port=7", "@ a:7 b:7", NULL},
    {"postgresql://a,b?port=7,8", "@ a:7 b:8", NULL},
    {"postgresql://a,b?port=7,", "@ a:7 b:5432", NULL},
    {"postgresql://a,b?port=7,8,9", NULL, "there are 3 ports for 2 hosts"},
    {"postgresql://a,,b", "@ a:5432 /sock:5432 b:5432", NULL},
    {"postgresql://[::1],[fe80::1%25eth0]:7", "@ ::1:5432 fe80::1%eth0:7", NULL},
    {"postgresql://[::1", NULL, "an IPv6 address in brackets is empty or has no end"},
    {"postgresql://[]", NULL, "an IPv6 address in brackets is empty or has no end"},
    {"postgresql://[::1]x", NULL, "unexpected text behind the bracket of an IPv6 address"},
    {"postgresql://h:0", NULL, "a port is not a number from 1 to 65535" HINT},
    {"postgresql://h:65536", NULL, "a port is not a number from 1 to 65535" HINT},
    {"postgresql://h:x", NULL, "a port is not a number from 1 to 65535" HINT},
    {"postgresql://h:", "@ h:5432", NULL},
    {"postgresql://h?hostaddr=10.0.0.1", "@ h:5432(10.0.0.1)", NULL},
    {"postgresql://a,b?hostaddr=10.0.0.1", NULL, "there are 1 addresses for 2 hosts"},
    {"postgresql://?hostaddr=10.0.0.1&port=9", "@ 10.0.0.1:9(10.0.0.1)", NULL},
    /* Parameters. */
    {"postgresql://h?", "@ h:5432", NULL},
    {"postgresql://h/?user=u&password=p&dbname=d", "user=u password=p dbname=d @ h:5432", NULL},
    {"postgresql://u@h/d?user=v&dbname=e", "user=v dbname=e @ h:5432", NULL},
    {"postgresql://h?sslmode=", "@ h:5432", NULL},
    {"postgresql://h?ssl=true", "sslmode=require @ h:5432", NULL},
    {"postgresql://h?ssl=verify-full", "sslmode=verify-full @ h:5432", NULL},
    {"postgresql://h?sslmode=verify-ca&ssl=true", "sslmode=verify-ca @ h:5432", NULL},
    {"postgresql://h?pgbouncer=true&schema=public&keepalives=1",
     "ignored=keepalives unknown=pgbouncer, schema @ h:5432", NULL},
    {"postgresql://h?sslmode", NULL, "a parameter behind the ? has no ="},
    {"postgresql://h?&", NULL, "a parameter behind the ? has no ="},
    {"postgresql://h?a=b=c", NULL, "a parameter behind the ? has more than one ="},
    /* The driver of SQLAlchemy. */
    {"postgresql+psycopg2://u@h/d", "user=u dbname=d @ h:5432", NULL},
    {"postgres+asyncpg://u@h/d", "user=u dbname=d @ h:5432", NULL},
    /* Not PostgreSQL, or not a URL. */
    {"mysql://u:p@h/d", NULL, "it is not a PostgreSQL URL (postgresql://user:password@host/db)"},
    {"'postgresql://h/d'", NULL, "there is something in front of postgresql://, perhaps a quote"},
    {"psql postgres://h/d", NULL, "there is something in front of postgresql://, perhaps a quote"},
    {"postgresqlx://h", NULL, "it is not a PostgreSQL URL (postgresql://user:password@host/db)"},
    {"Postgresql://h", NULL, "it is not a PostgreSQL URL (postgresql://user:password@host/db)"},
    {"sqlite.db", NULL, "expected keyword=value pairs"},
    /* Passwords with unescaped characters, which must not pass for hosts or names. */
    {"postgresql://u:p@ss@h/d", NULL, "a host is not a name, address or directory" HINT},
    {"postgresql://u:12/34@h/d", NULL, "there is a @ behind the host" HINT},
    {"postgresql://u:p/w@h/d", NULL, "there is a @ behind the host" HINT},
    {"postgresql://u:p@s:s@h/d", NULL, "a port is not a number from 1 to 65535" HINT},
    /* keyword=value. */
    {"host=h port=7 user=u password=p dbname=d", "user=u password=p dbname=d @ h:7", NULL},
    {" host = h \t\n user\t=\tu ", "user=u @ h:5432", NULL},
    {"user='a b' password='it\\'s' host=h", "user=a b password=it's @ h:5432", NULL},
    {"user=a\\ b password=c\\\\d host=h", "user=a b password=c\\d @ h:5432", NULL},
    {"host=/run/x,h2 port=1,2", "@ /run/x:1 h2:2", NULL},
    {"password='' user=u", "user=u @ /sock:5432", NULL},
    {"user=", "@ /sock:5432", NULL},
    {"", "@ /sock:5432", NULL},
    {"user='a", NULL, "a quoted value has no end"},
    {"user='a\\'", NULL, "a quoted value has no end"},
    {"user", NULL, "expected keyword=value pairs"},
    {"user =", "@ /sock:5432", NULL},
};

static void test_url_is_read_as_libpq_reads_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct conf_url url;
        struct error err = {"", ""};
        const char *is = NULL;
        if (parse(&url, cases[i].text, &err)) {
            is = describe(&url, &err);
            conf_url_fini(&url);
        }
        if ((is != NULL) != (cases[i].is != NULL))
            fail_msg("%s: %s", cases[i].text, is ? is : err.text);
        if (is)
            assert_string_equal(is, cases[i].is);
        else
            assert_string_equal(err.text, cases[i].error);
    }
}

static void test_url_survives_every_truncation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t n = 0; n < strlen(cases[i].text); n++) {
            char cut[256];
            struct conf_url url;
            struct error err;
            snprintf(cut, sizeof cut, "%.*s", (int)n, cases[i].text);
            if (parse(&url, cut, &err)) {
                describe(&url, &err);
                conf_url_fini(&url);
            }
        }
    }
}

/* Whatever stands unescaped in a password, no error text shows four characters of it in a row. */
static void test_url_errors_never_show_the_password(void **state)
{
    static const char alphabet[] = "@:/?#[]%&=, '\\x";
    uint64_t seed = 20260101;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char password[32], text[128];
        size_t n = 4 + rand_next(&seed) % 20;
        for (size_t i = 0; i < n; i++)
            password[i] = rand_next(&seed) % 3 ? (char)('A' + rand_next(&seed) % 26)
                                               : alphabet[rand_next(&seed) % (sizeof alphabet - 1)];
        password[n] = '\0';
        snprintf(text, sizeof text, "postgresql://user:%s@host/db", password);
        struct conf_url url;
        struct error err = {"", ""};
        if (parse(&url, text, &err)) {
            describe(&url, &err);
            conf_url_fini(&url);
        }
        for (size_t i = 0; i + 4 <= n; i++) {
            char part[5] = {0};
            memcpy(part, password + i, 4);
            if (strstr(err.text, part))
                fail_msg("%s shows %s", err.text, part);
        }
    }
}

static bool fake_read(const char *path, struct buf *out, struct error *err)
{
    (void)path;
    (void)err;
    buf_append(out, "filed\n", 6);
    return true;
}

static void test_url_takes_what_it_leaves_open_from_the_environment(void **state)
{
    static const char *const vars[] = {
        "PGHOST=envhost", "PGPORT=7",        "PGUSER=envuser",   "PGPASSWORD_FILE=/x",
        "PGDATABASE=",    "PGSSLMODE=allow", "PGAPPNAME=envapp", NULL,
    };
    struct conf_env *env = conf_env_new(vars);
    struct conf_url url;
    struct error err;
    (void)state;
    assert_true(parse(&url, "postgresql://u@/d?application_name=mine", &err));
    assert_true(conf_url_add_environment(&url, env, fake_read, &err));
    assert_string_equal(describe(&url, &err), "user=u password=filed dbname=d sslmode=allow "
                                              "application_name=mine @ envhost:7");
    conf_url_fini(&url);
    conf_env_free(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url_is_read_as_libpq_reads_it),
        cmocka_unit_test(test_url_survives_every_truncation),
        cmocka_unit_test(test_url_errors_never_show_the_password),
        cmocka_unit_test(test_url_takes_what_it_leaves_open_from_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
