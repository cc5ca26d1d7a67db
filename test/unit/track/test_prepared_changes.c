/* SPDX-License-Identifier: PostgreSQL */
/* Changes of a client's statements that are on their way, and taken back. */
#include "prepared_fixture.h"

/* ---- changes that are taken back ---- */

struct names_case {
    struct client_statements cs;
    struct param_set *params;
    struct statement *a, *b;
};

static void begin_names(struct names_case *c)
{
    c->params = param_set_empty();
    c->a = intern("select 1", c->params);
    c->b = intern("select 2", c->params);
    client_statements_init(&c->cs);
}

static void end_names(struct names_case *c)
{
    client_statements_fini(&c->cs);
    statement_unref(&c->a);
    statement_unref(&c->b);
    param_set_unref(&c->params);
    assert_int_equal(statement_count_total(), 0);
}

static struct statement *named(const struct names_case *c, const char *name)
{
    return client_statements_find(&c->cs, span_str(name));
}

static void test_a_close_that_was_skipped_gives_the_name_back(void **state)
{
    (void)state;
    struct names_case c;
    begin_names(&c);
    client_statements_define(&c.cs, span_str("s"), c.a, 1, true);
    client_statements_unit_over(&c.cs, 1, c.params);
    uint32_t closed = client_statements_remove(&c.cs, span_str("s"), 2);
    assert_null(named(&c, "s"));
    assert_int_equal(client_statements_look(&c.cs, span_str("s")).unit, 2);
    assert_int_equal(client_statements_look(&c.cs, span_str("t")).unit, 0);
    assert_span(client_statements_name_of(&c.cs, closed, NULL), "s");
    client_statements_undo(&c.cs, closed);
    assert_ptr_equal(named(&c, "s"), c.a);
    assert_int_equal(client_statements_look(&c.cs, span_str("s")).unit, 0);
    /* The next one is answered: it is final. */
    closed = client_statements_remove(&c.cs, span_str("s"), 3);
    client_statements_settle(&c.cs, c.params);
    client_statements_undo(&c.cs, closed);
    assert_null(named(&c, "s"));
    end_names(&c);
}

static void test_a_skipped_group_leaves_each_name_as_it_was(void **state)
{
    (void)state;
    struct names_case c;
    begin_names(&c);
    client_statements_define(&c.cs, span_str("s"), c.a, 0, true);
    /* Close s, Parse s, Close s, Parse s: skipped from each one on, in their order. */
    for (size_t from = 0; from < 4; from++) {
        struct statement *left[] = {c.a, NULL, c.b, NULL};
        uint32_t changes[4];
        changes[0] = client_statements_remove(&c.cs, span_str("s"), 1);
        changes[1] = client_statements_define(&c.cs, span_str("s"), c.b, 1, true);
        changes[2] = client_statements_remove(&c.cs, span_str("s"), 1);
        changes[3] = client_statements_define(&c.cs, span_str("s"), c.b, 1, true);
        for (size_t i = from; i < ROWS(changes); i++)
            client_statements_undo(&c.cs, changes[i]);
        assert_ptr_equal(named(&c, "s"), left[from]);
        assert_int_equal(client_statements_count(&c.cs), left[from] != NULL);
        client_statements_settle(&c.cs, c.params);
        assert_ptr_equal(named(&c, "s"), left[from]);
        client_statements_remove(&c.cs, span_str("s"), 0);
        client_statements_define(&c.cs, span_str("s"), c.a, 0, true);
    }
    end_names(&c);
}

static void test_all_names_go_and_come_back(void **state)
{
    (void)state;
    struct names_case c;
    begin_names(&c);
    client_statements_define(&c.cs, span_str("s"), c.a, 1, true);
    client_statements_define(&c.cs, span_str("t"), c.b, 1, true);
    uint32_t all = client_statements_remove_all(&c.cs, 2);
    assert_int_equal(client_statements_count(&c.cs), 0);
    uint32_t again = client_statements_define(&c.cs, span_str("s"), c.b, 2, true);
    assert_ptr_equal(named(&c, "s"), c.b);
    assert_true(client_statements_undo(&c.cs, all));
    assert_false(client_statements_undo(&c.cs, again));
    assert_ptr_equal(named(&c, "s"), c.a);
    assert_ptr_equal(named(&c, "t"), c.b);
    /* What a Close had taken away and gives back, they take behind it. */
    uint32_t closed = client_statements_remove(&c.cs, span_str("s"), 3);
    client_statements_remove_all(&c.cs, 4);
    client_statements_undo(&c.cs, closed);
    assert_int_equal(client_statements_look(&c.cs, span_str("s")).unit, 4);
    client_statements_unit_over(&c.cs, 3, c.params);
    client_statements_unit_over(&c.cs, 4, c.params);
    assert_int_equal(client_statements_count(&c.cs), 0);
    client_statements_define(&c.cs, span_str("s"), c.a, 4, true);
    /* Seen only when it was answered: what was given behind it stays. */
    client_statements_define(&c.cs, span_str("u"), c.b, 5, true);
    client_statements_clear(&c.cs, 4);
    assert_null(named(&c, "s"));
    assert_ptr_equal(named(&c, "u"), c.b);
    end_names(&c);
}

static void test_a_name_depends_on_its_parse_alone_if_nothing_else_changes_it(void **state)
{
    (void)state;
    struct names_case c;
    begin_names(&c);
    client_statements_define(&c.cs, span_str("s"), c.a, 1, true);
    assert_true(client_statements_look(&c.cs, span_str("s")).parsed);
    client_statements_remove(&c.cs, span_str("s"), 1);
    assert_false(client_statements_look(&c.cs, span_str("s")).parsed);
    client_statements_define(&c.cs, span_str("s"), c.b, 1, true);
    assert_false(client_statements_look(&c.cs, span_str("s")).parsed);
    client_statements_define(&c.cs, span_str("t"), c.a, 1, false);
    assert_false(client_statements_look(&c.cs, span_str("t")).parsed);
    end_names(&c);
}

static void test_a_definition_that_failed_does_not_come_back_with_its_close(void **state)
{
    (void)state;
    struct names_case c;
    begin_names(&c);
    uint32_t defined = client_statements_define(&c.cs, span_str("s"), c.a, 1, true);
    uint32_t closed = client_statements_remove(&c.cs, span_str("s"), 2);
    client_statements_undo(&c.cs, defined);
    struct statement *st;
    assert_span(client_statements_name_of(&c.cs, closed, &st), "s");
    assert_null(st);
    client_statements_undo(&c.cs, closed);
    assert_null(named(&c, "s"));
    /* What was sent behind it may still speak of it. */
    assert_span(client_statements_name_of(&c.cs, defined, &st), "s");
    assert_ptr_equal(st, c.a);
    client_statements_settle(&c.cs, c.params);
    assert_int_equal(client_statements_name_of(&c.cs, defined, &st).n, 0);
    assert_null(st);
    end_names(&c);
}

static void test_a_name_counts_to_63_bytes(void **state)
{
    (void)state;
    struct names_case c;
    char name[70];
    memset(name, 'x', sizeof name);
    begin_names(&c);
    client_statements_define(&c.cs, span_of(name, 64), c.a, 0, true);
    assert_ptr_equal(client_statements_find(&c.cs, span_of(name, 70)), c.a);
    assert_ptr_equal(client_statements_find(&c.cs, span_of(name, 63)), c.a);
    assert_null(client_statements_find(&c.cs, span_of(name, 62)));
    assert_int_equal(client_statements_define(&c.cs, span_of(name, 63), c.b, 0, true), 0);
    end_names(&c);
}

static void test_a_private_statement_is_shared_with_nobody(void **state)
{
    (void)state;
    struct names_case c;
    begin_names(&c);
    struct param_set *dmy = SET("DateStyle", "ISO, DMY", "application_name", "a");
    struct statement *p = statement_private(span_str("select 1"), no_oids, 0);
    struct statement *q = statement_private(span_str("select 1"), no_oids, 0);
    struct statement *shared = intern("select 1", c.params);
    assert_ptr_not_equal(p, q);
    assert_ptr_not_equal(p, shared);
    assert_ptr_equal(shared, c.a);
    client_statements_define(&c.cs, span_str("p"), p, 4, true);
    assert_null(statement_params(p));
    client_statements_unit_over(&c.cs, 3, c.params);
    assert_null(statement_params(p));
    client_statements_unit_over(&c.cs, 4, dmy);
    assert_set(statement_params(p), "DateStyle=ISO, DMY");
    client_statements_unit_over(&c.cs, 5, c.params);
    assert_set(statement_params(p), "DateStyle=ISO, DMY");
    struct statement *all[] = {p, q, shared};
    for (size_t i = 0; i < ROWS(all); i++)
        statement_unref(&all[i]);
    param_set_unref(&dmy);
    end_names(&c);
}

static void test_a_skipped_parse_leaves_the_unnamed_statement(void **state)
{
    (void)state;
    struct names_case c;
    begin_names(&c);
    client_statements_set_unnamed(&c.cs, span_str("old"), no_oids, 0, c.params, 7);
    client_statements_unnamed_answered(&c.cs, true);
    uint64_t old = client_statements_unnamed_generation(&c.cs);
    client_statements_set_unnamed(&c.cs, span_str("new"), no_oids, 0, c.params, 7);
    assert_unnamed(&c.cs, "new", 0);
    client_statements_unnamed_skipped(&c.cs);
    assert_unnamed(&c.cs, "old", 0);
    assert_int_equal(client_statements_unnamed_generation(&c.cs), old);
    client_statements_close_unnamed(&c.cs, 7);
    assert_int_equal(client_statements_unnamed_generation(&c.cs), 0);
    client_statements_unnamed_skipped(&c.cs);
    assert_unnamed(&c.cs, "old", 0);
    /* One that fails, unlike one that is skipped, leaves none. */
    client_statements_set_unnamed(&c.cs, span_str("bad"), no_oids, 0, c.params, 7);
    client_statements_unnamed_answered(&c.cs, false);
    assert_int_equal(client_statements_unnamed_generation(&c.cs), 0);
    /* The first of three was answered, the others were skipped. */
    client_statements_set_unnamed(&c.cs, span_str("first"), no_oids, 0, c.params, 7);
    client_statements_close_unnamed(&c.cs, 7);
    client_statements_set_unnamed(&c.cs, span_str("third"), no_oids, 0, c.params, 7);
    client_statements_unnamed_answered(&c.cs, true);
    assert_true(client_statements_unnamed_changes(&c.cs));
    client_statements_unnamed_skipped(&c.cs);
    client_statements_unnamed_skipped(&c.cs);
    assert_false(client_statements_unnamed_changes(&c.cs));
    assert_unnamed(&c.cs, "first", 0);
    end_names(&c);
}

static void test_of_a_very_long_pipeline_only_the_server_knows_the_text(void **state)
{
    (void)state;
    struct names_case c;
    begin_names(&c);
    struct buf out = {0};
    char *big = calloc(1, STATEMENT_PARSE_MAX);
    assert_non_null(big);
    memset(big, ' ', STATEMENT_PARSE_MAX);
    for (int i = 0; i < 3; i++)
        client_statements_set_unnamed(&c.cs, span_of(big, STATEMENT_PARSE_MAX), no_oids, 0,
                                      c.params, 7);
    assert_true(client_statements_bytes(&c.cs) < 3 * STATEMENT_PARSE_MAX);
    assert_int_not_equal(client_statements_unnamed_generation(&c.cs), 0);
    assert_null(client_statements_unnamed_query(&c.cs).p);
    assert_false(client_statements_build_unnamed(&c.cs, &out));
    client_statements_settle(&c.cs, c.params);
    client_statements_set_unnamed(&c.cs, span_str("small"), no_oids, 0, c.params, 7);
    client_statements_unnamed_answered(&c.cs, true);
    assert_unnamed(&c.cs, "small", 0);
    free(big);
    end_names(&c);
}

/* ---- a server ---- */

static void test_what_a_server_has_is_what_it_has_answered(void **state)
{
    (void)state;
    struct server_statements ss;
    server_statements_init(&ss, 9);
    /* The first Parse is skipped, Close and Parse of the next unit are answered. */
    server_statements_add(&ss, 1, 1, 0);
    server_statements_remove(&ss, 1, 2);
    server_statements_add(&ss, 1, 2, 0);
    assert_int_equal(server_statements_unit(&ss, 1), 2);
    server_statements_undone(&ss, 1);
    assert_true(server_statements_touch(&ss, 1));
    server_statements_closed(&ss, 1);
    assert_false(server_statements_has(&ss, 1));
    server_statements_parsed(&ss, 1);
    assert_true(server_statements_has(&ss, 1));
    assert_int_equal(server_statements_unit(&ss, 1), 0);
    /* Closed, and the Parse behind that fails. */
    server_statements_remove(&ss, 1, 3);
    server_statements_add(&ss, 1, 3, 0);
    server_statements_closed(&ss, 1);
    server_statements_undone(&ss, 1);
    assert_false(server_statements_knows(&ss, 1));
    server_statements_fini(&ss);
}

static void test_a_statement_is_of_the_parse_that_was_all_that_was_sent_of_it(void **state)
{
    (void)state;
    struct server_statements ss;
    server_statements_init(&ss, 9);
    server_statements_add(&ss, 1, 1, 77);
    assert_true(server_statements_is_of(&ss, 1, 77));
    assert_false(server_statements_is_of(&ss, 1, 78));
    assert_false(server_statements_is_of(&ss, 2, 77));
    server_statements_remove(&ss, 1, 1);
    server_statements_add(&ss, 1, 1, 77);
    assert_false(server_statements_is_of(&ss, 1, 77));
    server_statements_add(&ss, 2, 1, 0);
    assert_false(server_statements_is_of(&ss, 2, 0));
    server_statements_add(&ss, 3, 1, 5);
    server_statements_drop_all(&ss, 1);
    assert_false(server_statements_is_of(&ss, 3, 5));
    server_statements_fini(&ss);
}

static void test_what_a_server_was_to_forget_is_recalled(void **state)
{
    (void)state;
    struct server_statements ss;
    server_statements_init(&ss, 9);
    server_statements_add(&ss, 1, 1, 0);
    server_statements_add(&ss, 2, 2, 0);
    server_statements_parsed(&ss, 1);
    server_statements_drop_all(&ss, 5);
    assert_int_equal(server_statements_count(&ss), 0);
    assert_int_equal(server_statements_unit(&ss, 1), 5);
    server_statements_add(&ss, 3, 6, 0);
    server_statements_undone(&ss, 2);
    assert_int_equal(server_statements_count(&ss), 1);
    server_statements_drop_undone(&ss);
    assert_true(server_statements_touch(&ss, 1));
    assert_false(server_statements_knows(&ss, 2));
    assert_true(server_statements_touch(&ss, 3));
    server_statements_parsed(&ss, 3);
    server_statements_drop_all(&ss, 7);
    server_statements_add(&ss, 4, 7, 0);
    server_statements_dropped(&ss, true);
    assert_false(server_statements_knows(&ss, 1));
    assert_true(server_statements_touch(&ss, 4));
    server_statements_parsed(&ss, 4);
    /* One of which never anything was heard. */
    server_statements_drop_all(&ss, 8);
    server_statements_settle(&ss);
    assert_true(server_statements_touch(&ss, 4));
    server_statements_fini(&ss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_close_that_was_skipped_gives_the_name_back),
        cmocka_unit_test(test_a_skipped_group_leaves_each_name_as_it_was),
        cmocka_unit_test(test_all_names_go_and_come_back),
        cmocka_unit_test(test_a_name_depends_on_its_parse_alone_if_nothing_else_changes_it),
        cmocka_unit_test(test_a_definition_that_failed_does_not_come_back_with_its_close),
        cmocka_unit_test(test_a_name_counts_to_63_bytes),
        cmocka_unit_test(test_a_private_statement_is_shared_with_nobody),
        cmocka_unit_test(test_a_skipped_parse_leaves_the_unnamed_statement),
        cmocka_unit_test(test_of_a_very_long_pipeline_only_the_server_knows_the_text),
        cmocka_unit_test(test_what_a_server_has_is_what_it_has_answered),
        cmocka_unit_test(test_a_statement_is_of_the_parse_that_was_all_that_was_sent_of_it),
        cmocka_unit_test(test_what_a_server_was_to_forget_is_recalled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
