/* SPDX-License-Identifier: PostgreSQL */
#include "admin/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/guard.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

struct item {
    const char *name, *note;
    int64_t size, used;
};

static const struct column item_columns[] = {
    {"name", BACKEND_OID_TEXT, COLUMN_TEXT, offsetof(struct item, name)},
    {"note", BACKEND_OID_TEXT, COLUMN_TEXT, offsetof(struct item, note)},
    {"size", BACKEND_OID_INT4, COLUMN_NUMBER, offsetof(struct item, size)},
    {"used", BACKEND_OID_INT8, COLUMN_NUMBER, offsetof(struct item, used)},
};
static const struct columns items = {item_columns, ROWS(item_columns)};

static const struct item table[] = {
    {"apple", "red", 3, 1},          {"banana", NULL, 12, 12},    {"Cherry", "red", -7, 2},
    {"d_te", "it's", 3, 9000000000}, {"e%l", "", COLUMN_NULL, 0},
};

static bool parse(const char *text, struct filter *f, struct error *err)
{
    uint8_t *copy = guard_copy(text, strlen(text));
    bool ok = filter_parse(span_of(copy, strlen(text)), items, f, err);
    guard_free(copy, strlen(text));
    return ok;
}

/* The first letters of the rows that are left. */
static void apply(const struct filter *f, char *out)
{
    struct rows r;
    rows_init(&r, items);
    for (size_t i = 0; i < ROWS(table); i++)
        rows_add(&r, &table[i]);
    filter_apply(f, &r);
    for (size_t i = 0; i < r.n; i++)
        *out++ = (char)rows_cell(&r, i, 0).p[0];
    *out = '\0';
    rows_fini(&r);
}

struct row {
    const char *clauses, *left;
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct filter f;
        struct error err;
        char left[ROWS(table) + 1];
        if (!parse(rows[i].clauses, &f, &err))
            fail_msg("%s: %s", rows[i].clauses, err.text);
        apply(&f, left);
        if (strcmp(left, rows[i].left) != 0)
            fail_msg("%s: %s instead of %s", rows[i].clauses, left, rows[i].left);
    }
}

static void test_where_compares_texts_and_numbers(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", "abCde"},
        {"where name = 'apple'", "a"},
        {"WHERE NAME <> 'apple'", "bCde"},
        {"WHERE \"name\" != 'apple'", "bCde"},
        {"WHERE name < 'b'", "aC"},
        {"WHERE note = 'it''s'", "d"},
        {"WHERE note = ''", "e"},
        {"WHERE size = 3", "ad"},
        {"WHERE size = '3'", "ad"},
        {"WHERE size > 3", "b"},
        {"WHERE size >= 3", "abd"},
        {"WHERE size < 12", "aCd"},
        {"WHERE size <= -7", "C"},
        {"WHERE size = - 7", "C"},
        {"WHERE used > 8999999999", "d"},
        {"WHERE size = used", "b"},
        {"WHERE used > size", "Cd"},
        {"WHERE name > note", "e"},
        {"WHERE size = 3 -- comment", "ad"},
    };
    check_rows(rows, ROWS(rows));
}

static void test_where_knows_null_and_logic(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"WHERE note IS NULL", "b"},
        {"WHERE note IS NOT NULL", "aCde"},
        {"WHERE note = 'red'", "aC"},
        {"WHERE NOT note = 'red'", "de"},
        {"WHERE note = 'red' OR size = 12", "abC"},
        {"WHERE note = 'red' AND size = 3", "a"},
        {"WHERE size = 12 OR note = 'red' AND size = 3", "ab"},
        {"WHERE (size = 12 OR note = 'red') AND used < 12", "aC"},
        {"WHERE NOT (size = 3 OR size = 12)", "C"},
        {"WHERE NOT NOT size = 3", "ad"},
        {"WHERE size IN (3, -7)", "aCd"},
        {"WHERE size NOT IN (3, -7)", "b"},
        {"WHERE name IN ('e%l')", "e"},
        {"WHERE note = 'red' OR note IS NULL OR size IS NULL", "abCe"},
        {"WHERE size < 0 OR size >= 0", "abCd"},
    };
    check_rows(rows, ROWS(rows));
}

static void test_where_likes_patterns(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"WHERE name LIKE 'a%'", "a"},      {"WHERE name LIKE '%a%'", "ab"},
        {"WHERE name LIKE 'c%'", ""},       {"WHERE name ILIKE 'c%'", "C"},
        {"WHERE name NOT LIKE '%e%'", "b"}, {"WHERE name LIKE 'd\\_te'", "d"},
        {"WHERE name LIKE '_\\%_'", "e"},   {"WHERE name NOT ILIKE '%E%'", "b"},
        {"WHERE note LIKE '%'", "aCde"},    {"WHERE size LIKE '1_'", "b"},
    };
    check_rows(rows, ROWS(rows));
}

static void test_order_and_limit_are_those_of_sql(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ORDER BY size", "Cadbe"},
        {"ORDER BY size DESC", "ebadC"},
        {"ORDER BY size DESC NULLS LAST", "badCe"},
        {"ORDER BY size ASC NULLS FIRST", "eCadb"},
        {"ORDER BY 1", "Cabde"},
        {"ORDER BY size, name DESC", "Cdabe"},
        {"ORDER BY note, used DESC", "edCab"},
        {"LIMIT 2", "ab"},
        {"LIMIT 0", ""},
        {"LIMIT ALL OFFSET 3", "de"},
        {"OFFSET 9", ""},
        {"WHERE size > 0 ORDER BY used DESC LIMIT 1 OFFSET 1", "b"},
    };
    check_rows(rows, ROWS(rows));
}

static void test_what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *clauses, *sqlstate;
    } rows[] = {
        {"WHERE", "42601"},
        {"WHERE name", "42601"},
        {"WHERE name =", "42601"},
        {"WHERE name = apple", "42703"},
        {"WHERE nothing = 1", "42703"},
        {"WHERE \"NAME\" = 'x'", "42703"},
        {"WHERE name = 3", "42804"},
        {"WHERE size = 'x'", "42804"},
        {"WHERE size = name", "42804"},
        {"WHERE size = 99999999999999999999", "42601"},
        {"WHERE size = 3x", "42601"},
        {"WHERE size = 1.5", "42601"},
        {"WHERE 3 = size", "42703"},
        {"WHERE (size = 3", "42601"},
        {"WHERE size = 3)", "42601"},
        {"WHERE size = 3 AND", "42601"},
        {"WHERE size IN ()", "42601"},
        {"WHERE size IN (1", "42601"},
        {"WHERE size IS 3", "42601"},
        {"WHERE name LIKE name", "42601"},
        {"WHERE name NOT 'x'", "42601"},
        {"ORDER size", "42601"},
        {"ORDER BY", "42601"},
        {"ORDER BY 5", "42703"},
        {"ORDER BY 0", "42703"},
        {"ORDER BY size NULLS", "42601"},
        {"ORDER BY 1,1,1,1,1,1,1,1,1", "54001"},
        {"LIMIT -1", "42601"},
        {"LIMIT x", "42601"},
        {"LIMIT 1 WHERE size = 3", "42601"},
        {"size = 3", "42601"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct filter f;
        struct error err;
        if (parse(rows[i].clauses, &f, &err))
            fail_msg("%s is no error", rows[i].clauses);
        if (strcmp(err.sqlstate, rows[i].sqlstate) != 0)
            fail_msg("%s: %s %s", rows[i].clauses, err.sqlstate, err.text);
    }
}

static char *repeated(const char *first, const char *again, int n, const char *last)
{
    size_t size = strlen(first) + strlen(again) * (size_t)n + strlen(last) + 1;
    char *text = malloc(size);
    assert_non_null(text);
    char *end = stpcpy(text, first);
    while (n-- > 0)
        end = stpcpy(end, again);
    strcpy(end, last);
    return text;
}

static void test_conditions_are_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *first, *again, *last;
        int fits, too_many;
    } rows[] = {
        {"WHERE size = 1", " OR size = 1", "", 31, 32}, {"WHERE size IN (1", ",1", ")", 31, 32},
        {"WHERE ", "NOT ", "size = 1", 31, 32},         {"WHERE ", "(", "size = 1", 0, 100000},
        {"WHERE name = '", "x", "'", 511, 512},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct filter f;
        struct error err;
        char *fits = repeated(rows[i].first, rows[i].again, rows[i].fits, rows[i].last);
        char *more = repeated(rows[i].first, rows[i].again, rows[i].too_many, rows[i].last);
        if (!parse(fits, &f, &err))
            fail_msg("%s: %s", fits, err.text);
        assert_false(parse(more, &f, &err));
        assert_string_equal(err.sqlstate, "54001");
        free(fits);
        free(more);
    }
}

static void test_every_truncation_is_read_to_its_end_and_not_beyond(void **state)
{
    (void)state;
    static const char text[] =
        "WHERE (name NOT LIKE 'a%' /* x */ OR size IN (1, -2)) AND note IS NOT NULL "
        "ORDER BY \"size\" DESC NULLS LAST, 2 LIMIT 10 OFFSET 3";
    for (size_t n = 0; n < sizeof text; n++) {
        struct filter f;
        struct error err;
        uint8_t *copy = guard_copy(text, n);
        bool ok = filter_parse(span_of(copy, n), items, &f, &err);
        guard_free(copy, n);
        if (n == sizeof text - 1)
            assert_true(ok);
        if (!ok)
            assert_true(err.text[0]);
    }
}

static void test_like_is_quick_with_many_percents(void **state)
{
    (void)state;
    char text[2000], pattern[200];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof pattern; i += 2)
        memcpy(pattern + i, "%a", 2);
    pattern[sizeof pattern - 1] = 'b';
    assert_false(filter_like(span_of(text, sizeof text), span_of(pattern, sizeof pattern), false));
    assert_true(filter_like(span_str("\xc3\xa4x"), span_str("_x"), false));
    assert_true(filter_like(span_str(""), span_str("%%"), false));
    assert_false(filter_like(span_str(""), span_str("_"), false));
    assert_true(filter_like(span_str("a\\"), span_str("a\\"), false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_compares_texts_and_numbers),
        cmocka_unit_test(test_where_knows_null_and_logic),
        cmocka_unit_test(test_where_likes_patterns),
        cmocka_unit_test(test_order_and_limit_are_those_of_sql),
        cmocka_unit_test(test_what_is_wrong_is_said),
        cmocka_unit_test(test_conditions_are_bounded),
        cmocka_unit_test(test_every_truncation_is_read_to_its_end_and_not_beyond),
        cmocka_unit_test(test_like_is_quick_with_many_percents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
