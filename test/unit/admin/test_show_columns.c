/* SPDX-License-Identifier: PostgreSQL */
#include "admin/show_columns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* "name name …" */
static char *names_of(struct columns columns)
{
    char *text = calloc(1, 4096);
    assert_non_null(text);
    for (unsigned i = 0; i < columns.n; i++) {
        if (i)
            strcat(text, " ");
        strcat(text, columns.at[i].name);
    }
    return text;
}

/* PgBouncer's names in its order: what monitoring reads. (The integration tests compare all of
 * them, with their types, over the wire.) */
static void test_show_columns_are_pgbouncers(void **state)
{
    (void)state;
    static const struct {
        enum show what;
        const char *names;
    } rows[] = {
        {SHOW_POOLS, "database user cl_active cl_waiting cl_active_cancel_req "
                     "cl_waiting_cancel_req sv_active sv_active_cancel sv_being_canceled sv_idle "
                     "sv_used sv_tested sv_login maxwait maxwait_us pool_mode load_balance_hosts"},
        {SHOW_STATS_AVERAGES,
         "database server_assignment_count xact_count query_count bytes_received bytes_sent "
         "xact_time query_time wait_time avg_client_parse_count avg_server_parse_count "
         "avg_bind_count avg_client_login_count"},
        {SHOW_USERS, "name pool_size reserve_pool_size pool_mode max_user_connections "
                     "current_connections max_user_client_connections current_client_connections"},
        {SHOW_CLIENTS, "type user database replication state addr port local_addr local_port "
                       "connect_time request_time wait wait_us close_needed ptr link remote_pid "
                       "tls application_name prepared_statements id"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        char *names = names_of(show_at(rows[i].what)->columns);
        assert_string_equal(names, rows[i].names);
        free(names);
    }
    assert_int_equal(show_at(SHOW_STATS)->columns.n, 25);
    assert_int_equal(show_at(SHOW_DATABASES)->columns.n, 17);
    assert_int_equal(show_at(SHOW_SOCKETS)->columns.n, 28);
}

static void test_show_tables_are_sound(void **state)
{
    (void)state;
    for (int i = 0; i < SHOW_COUNT; i++) {
        const struct show_row *row = show_at((enum show)i);
        assert_non_null(row->name);
        assert_true(row->columns.n <= COLUMNS_MAX);
        for (unsigned k = 0; k < row->n_keys; k++)
            assert_true(row->keys[k] < row->columns.n);
        for (unsigned c = 0; c < row->columns.n; c++) {
            const struct column *column = &row->columns.at[c];
            assert_non_null(column->name);
            bool text = column->type == BACKEND_OID_TEXT || column->type == BACKEND_OID_BYTEA;
            assert_int_equal(column->field == COLUMN_TEXT, text);
        }
    }
}

static void test_show_is_found_by_name_in_any_case(void **state)
{
    (void)state;
    enum show what;
    assert_true(show_find(span_str("STATS_totals"), &what));
    assert_int_equal(what, SHOW_STATS_TOTALS);
    assert_true(show_find(span_str("TimeZone"), &what));
    assert_string_equal(show_at(what)->probe, "GMT");
    assert_false(show_find(span_str("stat"), &what));
    assert_false(show_find(span_str(""), &what));
}

static void test_show_totals_have_pgbouncers_inner_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "server_assignment_count",
        "xact_count",
        "query_count",
        "client_bytes",
        "server_bytes",
        "xact_time",
        "query_time",
        "wait_time",
        "ps_client_parse_count",
        "ps_server_parse_count",
        "ps_bind_count",
        "client_login_count",
    };
    const char *name;
    size_t at;
    for (unsigned i = 0; i < ROWS(names); i++) {
        assert_true(show_totals_figure(i, &name, &at));
        assert_string_equal(name, names[i]);
    }
    assert_false(show_totals_figure(ROWS(names), &name, &at));
    assert_true(show_totals_figure(3, &name, &at));
    assert_int_equal(at, offsetof(struct stats_sum, received));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_show_columns_are_pgbouncers),
        cmocka_unit_test(test_show_tables_are_sound),
        cmocka_unit_test(test_show_is_found_by_name_in_any_case),
        cmocka_unit_test(test_show_totals_have_pgbouncers_inner_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
