/* SPDX-License-Identifier: PostgreSQL */
/* Commands as text, lists of names, values as PostgreSQL reports them. */
#include "track_fixture.h"

#include "support/guard.h"
#include "track/parameters_impl.h"

static void test_a_command_is_quoted_whatever_the_value_is(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *want;
    } cases[] = {
        {"role", NULL, "RESET \"role\""},
        {"app.x", NULL, "RESET \"app\".\"x\""},
        {"role", "app", "SET \"role\" TO 'app'"},
        {"TimeZone", "<+03>-03", "SET \"TimeZone\" TO '<+03>-03'"},
        {"app.tenant_id", "", "SET \"app\".\"tenant_id\" TO ''"},
        {"a.b.c", "1", "SET \"a\".\"b\".\"c\" TO '1'"},
        {"application_name", "it's", "SET \"application_name\" TO 'it''s'"},
        {"application_name", "'", "SET \"application_name\" TO ''''"},
        {"application_name", "\\", "SET \"application_name\" TO E'\\x5c'"},
        {"application_name", "a\\'b\\", "SET \"application_name\" TO E'a\\x5c''b\\x5c'"},
        {"application_name", "\x95\\'", "SET \"application_name\" TO E'\x95\\x5c'''"},
        {"DateStyle", "ISO, MDY", "SET \"DateStyle\" TO 'ISO, MDY'"},
        {"search_path", "", "SET \"search_path\" TO ''"},
        {"search_path", "  ", "SET \"search_path\" TO ''"},
        {"search_path", "\"\"", "SET \"search_path\" TO ''"},
        {"search_path", "Public", "SET \"search_path\" TO 'public'"},
        {"search_path", "\"$user\", public", "SET \"search_path\" TO '$user', 'public'"},
        {"search_path", " a ,\"B c\" ", "SET \"search_path\" TO 'a', 'B c'"},
        {"search_path", "\"a,b\",\"c\"\"d\"", "SET \"search_path\" TO 'a,b', 'c\"d'"},
        {"search_path", "o'x,b\\y", "SET \"search_path\" TO 'o''x', E'b\\x5cy'"},
        {"search_path", "a,", "SET \"search_path\" TO 'a,'"},
        {"temp_tablespaces", "a, b", "SET \"temp_tablespaces\" TO 'a', 'b'"},
    };
    for (size_t i = 0; i < ROWS(cases); i++) {
        struct buf out = {0};
        struct span value = span_str(cases[i].value ? cases[i].value : "");
        uint8_t *copy = guard_copy(value.p, value.n);
        struct span guarded = span_of(copy, value.n);
        params_command(&out, span_str(cases[i].name), cases[i].value ? &guarded : NULL);
        assert_span(buf_span(&out), cases[i].want);
        /* The same with LOCAL in it. */
        struct buf local = {0};
        params_command_local(&local, span_str(cases[i].name), cases[i].value ? &guarded : NULL);
        const char *tail = cases[i].want + strlen(cases[i].value ? "SET " : "RESET ");
        char want[200];
        snprintf(want, sizeof want, "SET LOCAL %s%s", tail, cases[i].value ? "" : " TO DEFAULT");
        assert_span(buf_span(&local), want);
        buf_reset(&local);
        guard_free(copy, value.n);
        buf_reset(&out);
    }
}

static void join(void *arg, struct span element)
{
    struct buf *b = arg;
    buf_append(b, "[", 1);
    buf_append(b, element.p, element.n);
    buf_append(b, "]", 1);
}

static void test_a_list_is_split_as_by_PostgreSQL(void **state)
{
    (void)state;
    static const struct {
        const char *list, *want; /* want NULL: not well formed */
    } cases[] = {
        {"", ""},
        {" \t\n\r\f", ""},
        {"a", "[a]"},
        {"A,b", "[a][b]"},
        {" a , B ", "[a][b]"},
        {"\"A\"", "[A]"},
        {"\"\"", "[]"},
        {"\"a\"\"b\"", "[a\"b]"},
        {"\"\"\"\"", "[\"]"},
        {"\" x, y\" ,z", "[ x, y][z]"},
        {"a\"b", "[a\"b]"},
        {"\"a\"b", NULL},
        {"a b", NULL},
        {"a,", NULL},
        {"a, ", NULL},
        {",a", NULL},
        {"a,,b", NULL},
        {",", NULL},
        {"\"a", NULL},
        {"\"", NULL},
        {"\"\"\"", NULL},
        {"a,\"b\"\"", NULL},
    };
    for (size_t i = 0; i < ROWS(cases); i++) {
        struct buf out = {0};
        size_t n = strlen(cases[i].list);
        uint8_t *copy = guard_copy(cases[i].list, n);
        bool ok = param_list_split(span_of(copy, n), join, &out);
        if (ok != (cases[i].want != NULL))
            fail_msg("\"%s\"", cases[i].list);
        if (ok)
            assert_span(buf_span(&out), cases[i].want);
        assert_int_equal(param_list_split(span_of(copy, n), NULL, NULL), ok);
        guard_free(copy, n);
        buf_reset(&out);
    }
}

/* What PostgreSQL 15 reports after `SET name TO value`, before being what it was. */
static void test_values_are_spelled_as_the_server_reports_them(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *before, *want;
    } cases[] = {
        {"DateStyle", "ISO", "ISO, MDY", "ISO, MDY"},
        {"DateStyle", "iso", "Postgres, DMY", "ISO, DMY"},
        {"DateStyle", "dmy", "ISO, MDY", "ISO, DMY"},
        {"DateStyle", "European, SQL", "ISO, MDY", "SQL, DMY"},
        {"DateStyle", "us", "German, DMY", "German, MDY"},
        {"DateStyle", "german", "ISO, MDY", "German, DMY"},
        {"DateStyle", "german, YMD", "ISO, MDY", "German, YMD"},
        {"DateStyle", "YMD, german", "ISO, MDY", "German, YMD"},
        {"DateStyle", "postgres, mdy", NULL, "Postgres, MDY"},
        {"DateStyle", "", "ISO, MDY", "ISO, MDY"},
        {"DateStyle", "iso", NULL, "iso"},
        {"DateStyle", "iso, sql", "ISO, MDY", "iso, sql"},
        {"DateStyle", "mdy, dmy", "ISO, MDY", "mdy, dmy"},
        {"DateStyle", "default", "ISO, MDY", "default"},
        {"DateStyle", "nonsense", "ISO, MDY", "nonsense"},
        {"DateStyle", "iso,", "ISO, MDY", "iso,"},
        {"DateStyle", "iso", "odd", "iso"},
        {"client_encoding", "utf8", NULL, "UTF8"},
        {"client_encoding", "'UTF-8'", NULL, "UTF8"},
        {"client_encoding", "Unicode", NULL, "UTF8"},
        {"client_encoding", "sql_ascii", NULL, "SQL_ASCII"},
        {"client_encoding", "iso-8859-1", NULL, "LATIN1"},
        {"client_encoding", "windows-1252", NULL, "WIN1252"},
        {"client_encoding", "utf\xc3\xbc", NULL, "utf\xc3\xbc"},
        {"client_encoding", "utf8000000000000000000000000000000000000", NULL,
         "utf8000000000000000000000000000000000000"},
        {"client_encoding", "auto", NULL, "auto"},
        {"client_encoding", "", NULL, ""},
        {"IntervalStyle", "ISO_8601", NULL, "iso_8601"},
        {"IntervalStyle", "other", NULL, "other"},
        {"standard_conforming_strings", "TRUE", NULL, "on"},
        {"standard_conforming_strings", "0", NULL, "off"},
        {"standard_conforming_strings", "of", NULL, "of"},
        {"default_transaction_read_only", "yes", NULL, "on"},
        {"TimeZone", "utc", "GMT", "utc"},
        {"app.x", "ISO", "x", "ISO"},
        {"application_name", "short", NULL, "short"},
        {"application_name", "0123456789012345678901234567890123456789012345678901234567890123",
         NULL, "012345678901234567890123456789012345678901234567890123456789012"},
        {"application_name",
         "01234567890123456789012345678901234567890123456789012345678901\xc3\xa4", NULL,
         "01234567890123456789012345678901234567890123456789012345678901"},
    };
    for (size_t i = 0; i < ROWS(cases); i++) {
        char out[PARAM_CANONICAL_MAX];
        struct span before = span_str(cases[i].before ? cases[i].before : "");
        size_t n = strlen(cases[i].value);
        uint8_t *copy = guard_copy(cases[i].value, n);
        struct span got = param_value_canonical(span_str(cases[i].name), span_of(copy, n),
                                                cases[i].before ? &before : NULL, out);
        assert_span(got, cases[i].want);
        guard_free(copy, n);
    }
}

/* bsearch finds a row only if the table is in order: each known name must be found, in any case. */
static void test_special_names_are_found(void **state)
{
    (void)state;
    static const char *const some[] = {
        "application_name",
        "CLIENT_ENCODING",
        "datestyle",
        "intervalstyle",
        "timezone",
        "role",
        "search_path",
        "Server_Version",
        "sslmode",
        "sslsni",
        "wal_segment_size",
        "authtype",
        "jit",
        "port",
        "temp_tablespaces",
        "uselibpqcompat",
        "tty",
        "transaction_timeout",
        "is_superuser",
        "in_hot_standby",
        "integer_datetimes",
        "scram_iterations",
        "seed",
        "session_authorization",
        "statement_timeout",
        "standard_conforming_strings",
        "default_transaction_read_only",
        "extra_float_digits",
        "lock_timeout",
        "_pq_.x",
    };
    for (size_t i = 0; i < ROWS(some); i++) {
        if (!param_name_find(span_str(some[i])))
            fail_msg("%s", some[i]);
    }
    static const char *const none[] = {"", "work_mem", "a.role", "rol", "roles", "_pq_", "_pq_x"};
    for (size_t i = 0; i < ROWS(none); i++)
        assert_null(param_name_find(span_str(none[i])));
    unsigned n;
    const struct param_name *rows = param_names(&n);
    for (unsigned i = 0; i < n; i++) {
        assert_ptr_equal(param_name_find(span_str(rows[i].name)), &rows[i]);
        assert_true(param_name_is_valid(span_str(rows[i].name)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_command_is_quoted_whatever_the_value_is),
        cmocka_unit_test(test_a_list_is_split_as_by_PostgreSQL),
        cmocka_unit_test(test_values_are_spelled_as_the_server_reports_them),
        cmocka_unit_test(test_special_names_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
