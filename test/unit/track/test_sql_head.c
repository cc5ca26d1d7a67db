/* SPDX-License-Identifier: PostgreSQL */
/* What a statement is, from its first words. */
#include "track_fixture.h"

#include "support/guard.h"
#include "track/sql_head.h"

static enum sql_gate class_of(const void *text, size_t n)
{
    uint8_t *copy = guard_copy(text, n);
    enum sql_gate got = sql_head_class(span_of(copy, n));
    guard_free(copy, n);
    return got;
}

static void test_a_pipeline_of_ours_may_precede_ordinary_statements_only(void **state)
{
    (void)state;
    static const struct {
        enum sql_gate want;
        const char *text;
    } cases[] = {
        {SQL_GATE_SAFE, "SELECT 1"},
        {SQL_GATE_SAFE, "select"},
        {SQL_GATE_SAFE, "\t\r\n\f SeLeCt 1"},
        {SQL_GATE_SAFE, "select'x'"},
        {SQL_GATE_SAFE, "((select 1) union select 2)"},
        {SQL_GATE_SAFE, "-- vacuum\nselect 1"},
        {SQL_GATE_SAFE, "-- vacuum\rselect 1"},
        {SQL_GATE_SAFE, "/* vacuum */select 1"},
        {SQL_GATE_SAFE, "/*/* vacuum */ -- */select 1"},
        {SQL_GATE_SAFE, "/***/select 1"},
        {SQL_GATE_SAFE, ";; select 1"},
        {SQL_GATE_SAFE, "with x as (select 1) select"},
        {SQL_GATE_SAFE, "insert into t values (1)"},
        {SQL_GATE_SAFE, "update t set a = 1"},
        {SQL_GATE_SAFE, "delete from t"},
        {SQL_GATE_SAFE, "merge into t"},
        {SQL_GATE_SAFE, "values (1)"},
        {SQL_GATE_SAFE, "table t"},
        {SQL_GATE_SAFE, "BEGIN"},
        {SQL_GATE_SAFE, "BEGIN; SELECT 1"},
        {SQL_GATE_SAFE, "start transaction"},
        {SQL_GATE_SAFE, "copy t from stdin"},
        {SQL_GATE_SAFE, "explain analyze select 1"},
        {SQL_GATE_SAFE, "show all"},
        {SQL_GATE_SAFE, "set work_mem = '1MB'"},
        {SQL_GATE_SAFE, "set session x.y to 1"},
        {SQL_GATE_SAFE, "set \"local\" = 1"},
        {SQL_GATE_SAFE, "reset all"},
        {SQL_GATE_SAFE, "prepare s as select 1"},
        {SQL_GATE_SAFE, "create table t (a int)"},
        {SQL_GATE_SAFE, "create temp table t (a int)"},
        {SQL_GATE_SAFE, "create or replace view v as select 1"},
        {SQL_GATE_SAFE, "create index i on t (a)"},
        {SQL_GATE_SAFE, "create unique index on t (a)"},
        {SQL_GATE_SAFE, "create index \"concurrently\" on t (a)"},
        {SQL_GATE_SAFE, "drop table t"},
        {SQL_GATE_SAFE, "drop index i;"},
        {SQL_GATE_SAFE, "drop index if exists i"},
        {SQL_GATE_SAFE, "alter role r nologin"},
        {SQL_GATE_SAFE, "refresh materialized view concurrently v"},
        {SQL_GATE_UNSAFE, ""},
        {SQL_GATE_UNSAFE, "  "},
        {SQL_GATE_UNSAFE, ";"},
        {SQL_GATE_UNSAFE, "-- select 1"},
        {SQL_GATE_UNSAFE, "/* select 1"},
        {SQL_GATE_UNSAFE, "/* /* */ select 1"},
        {SQL_GATE_UNSAFE, "/*/ select 1"},
        {SQL_GATE_UNSAFE, "vacuum"},
        {SQL_GATE_UNSAFE, "/* select */ VACUUM t"},
        {SQL_GATE_UNSAFE, ";vacuum"},
        {SQL_GATE_UNSAFE, "analyze t"},
        {SQL_GATE_UNSAFE, "cluster"},
        {SQL_GATE_UNSAFE, "reindex table t"},
        {SQL_GATE_UNSAFE, "create database d"},
        {SQL_GATE_UNSAFE, "drop database d"},
        {SQL_GATE_UNSAFE, "create tablespace s location 'x'"},
        {SQL_GATE_UNSAFE, "drop tablespace s"},
        {SQL_GATE_UNSAFE, "create subscription s"},
        {SQL_GATE_UNSAFE, "drop subscription s"},
        {SQL_GATE_UNSAFE, "create index concurrently i on t (a)"},
        {SQL_GATE_UNSAFE, "create unique index /* */ concurrently on t (a)"},
        {SQL_GATE_UNSAFE, "drop index concurrently i"},
        {SQL_GATE_UNSAFE, "alter system set work_mem = '1MB'"},
        {SQL_GATE_UNSAFE, "alter database d set tablespace s"},
        {SQL_GATE_UNSAFE, "alter table t detach partition p concurrently"},
        {SQL_GATE_UNSAFE, "alter type t add value 'x'"},
        {SQL_GATE_UNSAFE, "alter subscription s refresh publication"},
        {SQL_GATE_UNSAFE, "discard all"},
        {SQL_GATE_UNSAFE, "commit"},
        {SQL_GATE_UNSAFE, "commit prepared 'x'"},
        {SQL_GATE_UNSAFE, "rollback prepared 'x'"},
        {SQL_GATE_UNSAFE, "prepare transaction 'x'"},
        {SQL_GATE_UNSAFE, "rollback"},
        {SQL_GATE_UNSAFE, "call p()"},
        {SQL_GATE_UNSAFE, "do $$ begin end $$"},
        {SQL_GATE_UNSAFE, "savepoint s"},
        {SQL_GATE_UNSAFE, "lock table t"},
        {SQL_GATE_UNSAFE, "declare c cursor for select 1"},
        {SQL_GATE_UNSAFE, "set local work_mem = '1MB'"},
        {SQL_GATE_UNSAFE, "set transaction read only"},
        {SQL_GATE_UNSAFE, "set constraints all deferred"},
        {SQL_GATE_UNSAFE, "selectx 1"},
        {SQL_GATE_UNSAFE, "select$1"},
        {SQL_GATE_UNSAFE, "\"select\" 1"},
        {SQL_GATE_UNSAFE, "sel/**/ect 1"},
        {SQL_GATE_UNSAFE, "\vselect 1"},
        {SQL_GATE_UNSAFE, "\xef\xbb\xbfselect 1"},
        {SQL_GATE_UNSAFE, "nonsense"},
    };
    for (size_t i = 0; i < ROWS(cases); i++) {
        if (class_of(cases[i].text, strlen(cases[i].text)) != cases[i].want)
            fail_msg("%s", cases[i].text);
    }
}

/* A text that is cut may at worst be thought dangerous. */
static void test_no_cut_makes_a_dangerous_statement_safe(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "vacuum t",
        "create index concurrently i on t (a)",
        "create unique index concurrently on t",
        "drop index concurrently i",
        "create database d",
        "drop database d",
        "alter system set a=1",
        "alter database d set tablespace s",
        "commit prepared 'x'",
        "rollback prepared 'x'",
        "prepare transaction 'x'",
        "set local a = 1",
        "set transaction read only",
        "set constraints all deferred",
        "reindex table t",
        "cluster t",
        "discard all",
        "do $$ $$",
        "call p()",
        "savepoint s",
        "declare c cursor for select 1",
        "/* a */ create -- b\n database d",
        "end",
        "release s",
        "abort",
        "drop subscription s",
        "create tablespace s",
        "analyze t",
        "alter table t detach partition p concurrently",
        "lock t",
        "checkpoint",
    };
    for (size_t i = 0; i < ROWS(texts); i++) {
        for (size_t n = 0; n <= strlen(texts[i]); n++) {
            if (class_of(texts[i], n) != SQL_GATE_UNSAFE)
                fail_msg("%.*s", (int)n, texts[i]);
        }
    }
}

static void test_a_nul_ends_the_text(void **state)
{
    (void)state;
    static const char text[] = "create\0table t";
    assert_int_equal(class_of(text, sizeof text), SQL_GATE_UNSAFE);
    assert_int_equal(class_of("select\0", 7), SQL_GATE_SAFE);
    assert_int_equal(sql_head_command(span_of("begin\0x", 7), NULL, NULL), SQL_BEGIN);
}

static void test_exact_commands_are_recognised(void **state)
{
    (void)state;
    static const struct {
        enum sql_command want;
        const char *text, *name;
        bool quoted;
    } cases[] = {
        {SQL_EMPTY, "", NULL, false},
        {SQL_EMPTY, " ; /* x */ -- y", NULL, false},
        {SQL_OTHER, "/* x", NULL, false},
        {SQL_BEGIN, "begin", NULL, false},
        {SQL_BEGIN, " BEGIN ; ", NULL, false},
        {SQL_BEGIN, "begin isolation level read committed, read only", NULL, false},
        {SQL_BEGIN, "start transaction", NULL, false},
        {SQL_BEGIN, "start transaction not deferrable;", NULL, false},
        {SQL_OTHER, "start", NULL, false},
        {SQL_OTHER, "begin; select 1", NULL, false},
        {SQL_OTHER, "begin 'x'", NULL, false},
        {SQL_COMMIT, "commit", NULL, false},
        {SQL_COMMIT, "/*x*/ COMMIT /*y*/ WORK -- z", NULL, false},
        {SQL_COMMIT, "end transaction;;", NULL, false},
        {SQL_COMMIT, "commit and no chain", NULL, false},
        {SQL_CALL, "commit and chain", NULL, false},
        {SQL_CALL, "commit prepared 'x'", NULL, false},
        {SQL_CALL, "commit; vacuum", NULL, false},
        {SQL_ROLLBACK, "rollback", NULL, false},
        {SQL_ROLLBACK, "abort work", NULL, false},
        {SQL_SET, "rollback to s", NULL, false},
        {SQL_SET, "rollback work to savepoint s", NULL, false},
        {SQL_DISCARD_ALL, "discard all", NULL, false},
        {SQL_DISCARD_ALL, "DISCARD/**/ALL;", NULL, false},
        {SQL_OTHER, "discard plans", NULL, false},
        {SQL_OTHER, "discard all all", NULL, false},
        {SQL_OTHER, "discard", NULL, false},
        {SQL_DEALLOCATE_ALL, "deallocate all", NULL, false},
        {SQL_DEALLOCATE_ALL, "deallocate prepare all", NULL, false},
        {SQL_DEALLOCATE, "deallocate s1", "s1", false},
        {SQL_DEALLOCATE, "DEALLOCATE PREPARE Pdo_1 ;", "Pdo_1", false},
        {SQL_DEALLOCATE, "deallocate \"S 1\"", "S 1", true},
        {SQL_DEALLOCATE, "deallocate \"all\"", "all", true},
        {SQL_DEALLOCATE, "deallocate prepare", "prepare", false},
        {SQL_DEALLOCATE, "deallocate prepare prepare", "prepare", false},
        {SQL_OTHER, "deallocate", NULL, false},
        {SQL_OTHER, "deallocate 1", NULL, false},
        {SQL_OTHER, "deallocate a b", NULL, false},
        {SQL_OTHER, "deallocate \"a\"\"b\"", NULL, false},
        {SQL_OTHER, "deallocate \"a", NULL, false},
        {SQL_OTHER, "deallocate a; deallocate b", NULL, false},
        {SQL_OTHER, "select 1", NULL, false},
        {SQL_SET, "set x = 1", NULL, false},
        {SQL_SET, "RESET ALL", NULL, false},
        {SQL_CALL, "call p()", NULL, false},
        {SQL_CALL, "/**/DO $$begin end$$", NULL, false},
    };
    for (size_t i = 0; i < ROWS(cases); i++) {
        size_t n = strlen(cases[i].text);
        uint8_t *copy = guard_copy(cases[i].text, n);
        struct span name = {NULL, 0};
        bool quoted = false;
        if (sql_head_command(span_of(copy, n), &name, &quoted) != cases[i].want)
            fail_msg("%s", cases[i].text);
        assert_int_equal(sql_head_command(span_of(copy, n), NULL, NULL), cases[i].want);
        assert_span(name, cases[i].name ? cases[i].name : "");
        assert_int_equal(quoted, cases[i].quoted);
        guard_free(copy, n);
    }
}

/* Deep nesting and long runs cost their length, and no stack. */
static void test_long_comments_are_skipped(void **state)
{
    (void)state;
    const size_t depth = 200000;
    char *text = malloc(4 * depth + 8);
    assert_non_null(text);
    for (size_t i = 0; i < depth; i++) {
        memcpy(text + 2 * i, "/*", 2);
        memcpy(text + 2 * (depth + i), "*/", 2);
    }
    memcpy(text + 4 * depth, "select 1", 8);
    assert_int_equal(sql_head_class(span_of(text, 4 * depth + 8)), SQL_GATE_SAFE);
    assert_int_equal(sql_head_class(span_of(text, 4 * depth - 1)), SQL_GATE_UNSAFE);
    free(text);
}

static void test_what_is_reset_is_recognised(void **state)
{
    (void)state;
    static const struct {
        enum sql_reset reset;
        const char *text, *name;
    } cases[] = {
        {SQL_RESETS_ONE, "RESET datestyle", "datestyle"},
        {SQL_RESETS_ONE, "/**/ reset \"DateStyle\" ;", "DateStyle"},
        {SQL_RESETS_ONE, "RESET app.user.id", "app.user.id"},
        {SQL_RESETS_ONE, "RESET TIME ZONE", "TimeZone"},
        {SQL_RESETS_ONE, "RESET SESSION AUTHORIZATION", "session_authorization"},
        {SQL_RESETS_ONE, "SET datestyle TO DEFAULT", "datestyle"},
        {SQL_RESETS_ONE, "set session datestyle = default", "datestyle"},
        {SQL_RESETS_ONE, "SET TIME ZONE DEFAULT", "TimeZone"},
        {SQL_RESETS_ONE, "SET SESSION AUTHORIZATION DEFAULT", "session_authorization"},
        {SQL_RESETS_ALL, "RESET ALL", NULL},
        {SQL_RESETS_ALL, "discard all ;", NULL},
        {SQL_RESETS_NOTHING, "DISCARD PLANS", NULL},
        {SQL_RESETS_NOTHING, "DISCARD", NULL},
        {SQL_RESETS_UNKNOWN, "RESET ALL; SELECT 1", NULL},
        {SQL_RESETS_UNKNOWN, "RESET a; RESET b", NULL},
        {SQL_RESETS_UNKNOWN, "RESET", NULL},
        {SQL_RESETS_UNKNOWN, "RESET TRANSACTION ISOLATION LEVEL", NULL},
        {SQL_RESETS_NOTHING, "SET LOCAL datestyle TO DEFAULT", NULL},
        {SQL_RESETS_NOTHING, "SET datestyle TO 'ISO'", NULL},
        {SQL_RESETS_NOTHING, "SET datestyle TO DEFAULT; SELECT 1", NULL},
        {SQL_RESETS_NOTHING, "SELECT 1", NULL},
        {SQL_RESETS_NOTHING, "", NULL},
    };
    for (size_t i = 0; i < ROWS(cases); i++) {
        struct span name = {0};
        enum sql_reset got = sql_head_reset(span_str(cases[i].text), &name);
        if (got != cases[i].reset || (cases[i].name && !span_is(name, cases[i].name)))
            fail_msg("'%s': %d '%.*s'", cases[i].text, got, (int)name.n, (const char *)name.p);
    }
}

static void test_reset_all_at_the_end_of_several_statements_is_seen(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;",
        "select 1;reset all",
        "SELECT 1 -- once\n; RESET\tALL ; ; \n",
    };
    static const char *const no[] = {
        "",
        ";",
        "RESET ALL",
        "SELECT 1; RESET x",
        "SELECT 1; RESET ALL; SELECT 2",
        "RESET x; SELECT 1 -- ; RESET ALL",
        "SELECT '; RESET ALL'",
        "SELECT 1; RESETALL",
        "SELECT 1; RESET BALL",
        "SELECT 1 RESET ALL",
        "ALL",
    };
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        if (!sql_ends_with_reset_all(span_str(yes[i])))
            fail_msg("'%s'", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        if (sql_ends_with_reset_all(span_str(no[i])))
            fail_msg("'%s'", no[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reset_all_at_the_end_of_several_statements_is_seen),
        cmocka_unit_test(test_a_pipeline_of_ours_may_precede_ordinary_statements_only),
        cmocka_unit_test(test_no_cut_makes_a_dangerous_statement_safe),
        cmocka_unit_test(test_a_nul_ends_the_text),
        cmocka_unit_test(test_exact_commands_are_recognised),
        cmocka_unit_test(test_what_is_reset_is_recognised),
        cmocka_unit_test(test_long_comments_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
