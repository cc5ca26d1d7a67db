/* SPDX-License-Identifier: PostgreSQL */
/* Statements by content, the names of a client, what a server has. */
#include "prepared_fixture.h"

/* ---- statements ---- */

static void test_the_same_parse_is_the_same_statement(void **state)
{
    (void)state;
    static const uint8_t int4[] = {0, 0, 0, 23}, two[] = {0, 0, 0, 23, 0, 0, 0, 25};
    struct param_set *p = SET("application_name", "a"), *q = SET("application_name", "b");
    struct statement *a =
        statement_intern(span_str("select $1"), span_of(int4, 4), 1, p, definitions_of("db"));
    struct statement *b =
        statement_intern(span_str("select $1"), span_of(int4, 4), 1, q, definitions_of("db"));
    struct statement *c =
        statement_intern(span_str("select $1"), span_of(two, 8), 2, p, definitions_of("db"));
    struct statement *d =
        statement_intern(span_str("select $1"), no_oids, 0, p, definitions_of("db"));
    struct statement *e =
        statement_intern(span_str("select $1 "), span_of(int4, 4), 1, p, definitions_of("db"));
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_ptr_not_equal(a, d);
    assert_ptr_not_equal(a, e);
    assert_int_not_equal(statement_id(c), statement_id(d));
    assert_int_equal(statement_count_total(), 4);
    assert_true(statement_bytes_total() > 4 * sizeof "select $1");
    assert_span(statement_query(e), "select $1 ");
    struct statement *all[] = {a, b, c, d, e};
    for (size_t i = 0; i < ROWS(all); i++)
        statement_unref(&all[i]);
    assert_null(all[0]);
    statement_unref(&all[0]);
    assert_int_equal(statement_count_total(), 0);
    assert_int_equal(statement_bytes_total(), 0);
    param_set_unref(&p);
    param_set_unref(&q);
}

static void test_a_date_under_another_DateStyle_is_another_statement(void **state)
{
    (void)state;
    struct param_set *dmy = SET("DateStyle", "ISO, DMY", "application_name", "a");
    struct param_set *mdy = SET("DateStyle", "ISO, MDY", "application_name", "a");
    const char *text = "select date '01/02/2026'";
    struct statement *a = intern(text, dmy), *b = intern(text, mdy);
    assert_ptr_not_equal(a, b);
    assert_set(statement_params(a), "DateStyle=ISO, DMY");
    assert_set(statement_params(b), "DateStyle=ISO, MDY");
    /* To give the first one to a server of the second session, its DateStyle goes ahead. */
    struct param_set *ahead = params_with_parse_state(mdy, statement_params(a));
    assert_ptr_equal(ahead, dmy);
    param_set_unref(&ahead);
    param_set_unref(&dmy);
    param_set_unref(&mdy);
    statement_unref(&a);
    statement_unref(&b);
}

static void test_an_outdated_statement_stays_with_those_who_have_it(void **state)
{
    (void)state;
    struct param_set *p = param_set_empty();
    struct statement *old = intern("select * from t", p);
    statement_outdate(old);
    struct statement *now = intern("select * from t", p), *again = intern("select * from t", p);
    assert_ptr_not_equal(old, now);
    assert_ptr_equal(now, again);
    assert_span(statement_query(old), "select * from t");
    struct statement *all[] = {old, now, again};
    for (size_t i = 0; i < ROWS(all); i++)
        statement_unref(&all[i]);
    assert_int_equal(statement_count_total(), 0);
    param_set_unref(&p);
}

static void test_a_change_of_definitions_is_of_one_database(void **state)
{
    (void)state;
    struct param_set *p = param_set_empty();
    struct span text = span_str("select * from t");
    struct definitions *one = definitions_of("one"), *two = definitions_of("two");
    struct statement *old = statement_intern(text, no_oids, 0, p, one);
    struct statement *beside = statement_intern(text, no_oids, 0, p, two);
    definitions_changed(one);
    struct statement *now = statement_intern(text, no_oids, 0, p, one);
    struct statement *again = statement_intern(text, no_oids, 0, p, one);
    struct statement *still = statement_intern(text, no_oids, 0, p, two);
    assert_ptr_not_equal(old, now);
    assert_ptr_equal(now, again);
    assert_ptr_equal(beside, still);
    struct statement *all[] = {old, beside, now, again, still};
    for (size_t i = 0; i < ROWS(all); i++)
        statement_unref(&all[i]);
    param_set_unref(&p);
}

static void test_ids_are_not_used_again(void **state)
{
    (void)state;
    struct param_set *p = param_set_empty();
    uint64_t last = 0;
    for (int i = 0; i < 10; i++) {
        struct statement *st = intern("select 1", p);
        assert_true(statement_id(st) > last);
        last = statement_id(st);
        statement_unref(&st);
    }
    param_set_unref(&p);
}

static void test_a_server_is_given_the_parse_under_our_name(void **state)
{
    (void)state;
    static const uint8_t oids[] = {0, 0, 0, 23, 0, 0, 4, 18};
    static const char *const queries[] = {"", "x", "select $1, $2"};
    struct param_set *p = param_set_empty();
    char name[STATEMENT_NAME];
    assert_string_equal(statement_server_name(1, name), "PGBALLAST_1");
    assert_string_equal(statement_server_name(UINT64_MAX, name), "PGBALLAST_18446744073709551615");
    for (size_t i = 0; i < ROWS(queries); i++) {
        struct statement *st =
            statement_intern(span_str(queries[i]), span_of(oids, 8), 2, p, definitions_of("db"));
        struct buf out = {0};
        struct frame f = {0};
        struct frontend_parse m;
        statement_build_parse(&out, st);
        assert_int_equal(frame_next(buf_span(&out), &f), FRAME_OK);
        assert_true(f.whole && f.type == 'P' && f.total == buf_len(&out));
        assert_true(frontend_parse_parse(f.body, &m));
        assert_span(m.name, statement_server_name(statement_id(st), name));
        assert_span(m.query, queries[i]);
        assert_int_equal(m.n_oids, 2);
        assert_memory_equal(m.oids.p, oids, 8);
        buf_reset(&out);
        statement_unref(&st);
    }
    param_set_unref(&p);
}

/* ---- errors that a server raises for us ---- */

static void test_a_provoked_error_gets_the_words_for_the_clients_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *message, *text;
    } cases[] = {
        {"s1", "prepared statement \"%s\" does not exist",
         "prepared statement \"s1\" does not exist"},
        {"s\" 1",
         "vorbereitete Anweisung \xe2\x80\x9e%s\xe2\x80\x9c "
         "existiert nicht",
         "prepared statement \"s\" 1\" does not exist"},
        {"_TSALLABGPx", "%s", "prepared statement \"_TSALLABGPx\" does not exist"},
        {"", "%s", "prepared statement \"\" does not exist"},
    };
    for (size_t i = 0; i < ROWS(cases); i++) {
        char name[STATEMENT_PROVOKE_NAME], message[400];
        struct error err;
        statement_provoke_name(span_str(cases[i].name), name);
        int n = snprintf(message, sizeof message, "%.*s%s%s",
                         (int)(strstr(cases[i].message, "%s") - cases[i].message), cases[i].message,
                         name, strstr(cases[i].message, "%s") + 2);
        assert_true(statement_reword_provoked(span_of(message, (size_t)n), &err));
        assert_string_equal(err.sqlstate, "26000");
        assert_string_equal(err.text, cases[i].text);
    }
}

static void test_an_error_speaks_of_the_clients_name(void **state)
{
    (void)state;
    static const struct {
        const char *text, *out; /* out NULL: left alone */
    } cases[] = {
        {"prepared statement \"PGBALLAST_12\" does not exist",
         "prepared statement \"s\" does not exist"},
        {"PGBALLAST_1", "s"},
        {"PGBALLAST_1 PGBALLAST_x PGBALLAST_22", "s PGBALLAST_x s"},
        {"PGBALLAST_", NULL},
        {"PGBALLAST_UNDEFINED_1", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ROWS(cases); i++) {
        struct buf in = {0}, out = {0};
        struct frame f = {0};
        size_t mark = writer_begin(&in, 'E');
        writer_cstr(&in, span_str(cases[i].text));
        writer_end(&in, mark);
        bool done = statement_reword_name(buf_span(&in), span_str("s"), &out);
        assert_int_equal(done, cases[i].out != NULL);
        if (done) {
            assert_int_equal(frame_next(buf_span(&out), &f), FRAME_OK);
            assert_true(f.whole && f.type == 'E' && f.total == buf_len(&out));
            assert_int_equal(f.body.n, strlen(cases[i].out) + 1);
            assert_string_equal((const char *)f.body.p, cases[i].out);
        } else {
            assert_true(buf_is_empty(&out));
        }
        buf_reset(&in);
        buf_reset(&out);
    }
    struct buf none = {0};
    assert_false(statement_reword_name(no_oids, span_str("s"), &none));
}

static void test_other_errors_are_left_alone(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "",
        "syntax error",
        "prepared statement \"s1\" does not exist",
        "prepared statement \"PGBALLAST_UNDEFINED_",
        "relation \"PGBALLAST_1\"",
    };
    struct error err;
    for (size_t i = 0; i < ROWS(messages); i++)
        assert_false(statement_reword_provoked(span_str(messages[i]), &err));
    assert_false(statement_reword_provoked(no_oids, &err));
}

static void test_a_long_name_is_cut_between_characters(void **state)
{
    (void)state;
    char name[301], out[STATEMENT_PROVOKE_NAME];
    for (size_t shift = 0; shift < 2; shift++) {
        memset(name, 'x', sizeof name);
        for (size_t i = shift; i + 1 < 300; i += 2)
            memcpy(name + i, "\xc3\xa4", 2);
        statement_provoke_name(span_of(name, 300), out);
        assert_true(strlen(out) >= STATEMENT_PROVOKE_NAME - 2);
        const char *cut = strstr(out, "_TSALLABGP");
        assert_non_null(cut);
        assert_int_equal((unsigned char)cut[-1], 0xa4);
    }
}

/* ---- the names of a client ---- */

static void test_a_client_that_prepares_nothing_costs_one_pointer(void **state)
{
    (void)state;
    struct client_statements cs;
    assert_int_equal(sizeof cs, sizeof(void *));
    client_statements_init(&cs);
    assert_null(client_statements_find(&cs, span_str("x")));
    assert_false(client_statements_remove(&cs, span_str("x"), 0));
    client_statements_undo(&cs, 1);
    client_statements_clear(&cs, UINT64_MAX);
    client_statements_drop_unnamed(&cs);
    assert_int_equal(client_statements_unnamed_generation(&cs), 0);
    assert_null(client_statements_unnamed_params(&cs));
    assert_int_equal(client_statements_count(&cs), 0);
    assert_int_equal(client_statements_bytes(&cs), 0);
    assert_null(cs.names);
    client_statements_fini(&cs);
}

static void test_a_name_is_defined_once(void **state)
{
    (void)state;
    struct client_statements cs;
    struct param_set *p = param_set_empty();
    struct statement *a = intern("select 1", p), *b = intern("select 2", p);
    client_statements_init(&cs);
    assert_int_not_equal(client_statements_define(&cs, span_str("s"), a, 0, true), 0);
    assert_int_equal(client_statements_define(&cs, span_str("s"), b, 0, true), 0);
    assert_ptr_equal(client_statements_find(&cs, span_str("s")), a);
    assert_null(client_statements_find(&cs, span_str("S")));
    assert_null(client_statements_find(&cs, span_str("s1")));
    assert_int_not_equal(client_statements_define(&cs, span_str("S"), b, 0, true), 0);
    assert_int_equal(client_statements_count(&cs), 2);
    assert_true(client_statements_remove(&cs, span_str("s"), 0));
    assert_false(client_statements_remove(&cs, span_str("s"), 0));
    assert_int_not_equal(client_statements_define(&cs, span_str("s"), b, 0, true), 0);
    assert_ptr_equal(client_statements_find(&cs, span_str("s")), b);
    /* The names keep their statements. */
    statement_unref(&a);
    statement_unref(&b);
    client_statements_settle(&cs, p);
    assert_int_equal(statement_count_total(), 1);
    client_statements_clear(&cs, UINT64_MAX);
    assert_int_equal(statement_count_total(), 0);
    client_statements_fini(&cs);
    param_set_unref(&p);
}

static void test_a_failed_parse_takes_back_its_own_definition_only(void **state)
{
    (void)state;
    struct client_statements cs;
    struct param_set *p = param_set_empty();
    struct statement *st = intern("select 1", p);
    client_statements_init(&cs);
    uint32_t first = client_statements_define(&cs, span_str("s"), st, 1, true);
    uint32_t other = client_statements_define(&cs, span_str("t"), st, 1, true);
    assert_int_not_equal(first, other);
    assert_true(client_statements_remove(&cs, span_str("s"), 1));
    uint32_t second = client_statements_define(&cs, span_str("s"), st, 1, true);
    /* Parse s, Close s, Parse s in one batch, and the news about the first one comes last. */
    client_statements_undo(&cs, first);
    assert_non_null(client_statements_find(&cs, span_str("s")));
    client_statements_undo(&cs, second);
    assert_null(client_statements_find(&cs, span_str("s")));
    assert_non_null(client_statements_find(&cs, span_str("t")));
    client_statements_undo(&cs, second);
    client_statements_undo(&cs, other);
    client_statements_undo(&cs, other);
    assert_int_equal(client_statements_count(&cs), 0);
    client_statements_fini(&cs);
    statement_unref(&st);
    param_set_unref(&p);
}

static void test_the_names_of_a_client_are_bounded(void **state)
{
    (void)state;
    struct client_statements cs;
    struct param_set *p = param_set_empty();
    struct statement *st = intern("select 1", p);
    char name[16];
    client_statements_init(&cs);
    size_t before = client_statements_bytes(&cs);
    for (int i = 0; i < CLIENT_STATEMENTS_MAX; i++) {
        assert_false(client_statements_is_full(&cs));
        snprintf(name, sizeof name, "%d", i);
        assert_int_not_equal(client_statements_define(&cs, span_str(name), st, 0, true), 0);
        assert_true(client_statements_bytes(&cs) > before);
        before = client_statements_bytes(&cs);
    }
    assert_true(client_statements_is_full(&cs));
    assert_int_equal(client_statements_define(&cs, span_str("more"), st, 0, true), 0);
    assert_true(client_statements_remove(&cs, span_str("7"), 0));
    assert_false(client_statements_is_full(&cs));
    client_statements_fini(&cs);
    statement_unref(&st);

    char *big = malloc(STATEMENT_PARSE_MAX);
    assert_non_null(big);
    memset(big, ' ', STATEMENT_PARSE_MAX);
    st = statement_intern(span_of(big, STATEMENT_PARSE_MAX), no_oids, 0, p, definitions_of("db"));
    client_statements_init(&cs);
    unsigned n = 0;
    for (; !client_statements_is_full(&cs); n++) {
        snprintf(name, sizeof name, "%u", n);
        assert_int_not_equal(client_statements_define(&cs, span_str(name), st, 0, true), 0);
    }
    assert_int_equal(n, CLIENT_STATEMENTS_BYTES_MAX / STATEMENT_PARSE_MAX);
    client_statements_fini(&cs);
    statement_unref(&st);
    free(big);
    param_set_unref(&p);
}

/* ---- the unnamed statement ---- */

static void test_the_unnamed_statement_is_kept_and_each_parse_counts(void **state)
{
    (void)state;
    static const uint8_t oids[] = {0, 0, 0, 20, 0, 0, 0, 21};
    struct client_statements cs;
    struct buf out = {0};
    struct param_set *p = SET("DateStyle", "a"), *q = SET("DateStyle", "b", "x", "1");
    client_statements_init(&cs);
    client_statements_set_unnamed(&cs, span_str("select $1"), span_of(oids, 4), 1, p, 7);
    uint64_t first = client_statements_unnamed_generation(&cs);
    assert_int_not_equal(first, 0);
    assert_unnamed(&cs, "select $1", 1);
    assert_set(client_statements_unnamed_params(&cs), "DateStyle=a");
    /* The same text again: names in it may mean something else by now. */
    client_statements_set_unnamed(&cs, span_str("select $1"), span_of(oids, 4), 1, q, 7);
    uint64_t second = client_statements_unnamed_generation(&cs);
    assert_true(second > first);
    assert_unnamed(&cs, "select $1", 1);
    assert_set(client_statements_unnamed_params(&cs), "DateStyle=b");
    client_statements_set_unnamed(&cs, span_str("select $1, $2"), span_of(oids, 8), 2, q, 7);
    assert_unnamed(&cs, "select $1, $2", 2);
    client_statements_set_unnamed(&cs, span_str(""), no_oids, 0, q, 7);
    assert_unnamed(&cs, "", 0);
    /* Dropped, it is gone, and the next one is not mistaken for it. */
    client_statements_drop_unnamed(&cs);
    assert_int_equal(client_statements_unnamed_generation(&cs), 0);
    assert_null(client_statements_unnamed_params(&cs));
    assert_false(client_statements_build_unnamed(&cs, &out));
    client_statements_set_unnamed(&cs, span_str(""), no_oids, 0, q, 7);
    assert_true(client_statements_unnamed_generation(&cs) > second);
    client_statements_clear(&cs, UINT64_MAX);
    assert_unnamed(&cs, "", 0);
    client_statements_fini(&cs);
    param_set_unref(&p);
    param_set_unref(&q);
}

static void test_bytes_move_between_text_and_types_without_confusion(void **state)
{
    (void)state;
    struct client_statements cs;
    struct param_set *p = param_set_empty();
    client_statements_init(&cs);
    /* Together the same eight bytes. */
    client_statements_set_unnamed(&cs, span_str("abcd"), span_of("\0\0\0\x14", 4), 1, p, 7);
    assert_unnamed(&cs, "abcd", 1);
    client_statements_set_unnamed(&cs, span_str("abcdefgh"), no_oids, 0, p, 7);
    assert_unnamed(&cs, "abcdefgh", 0);
    client_statements_set_unnamed(&cs, span_str("abcd"), span_of("efgh", 4), 1, p, 7);
    struct buf out = {0};
    assert_true(client_statements_build_unnamed(&cs, &out));
    assert_int_equal(out.data[out.start + 5 + 1 + 4 + 1 + 1], 1);
    buf_reset(&out);
    client_statements_fini(&cs);
    param_set_unref(&p);
}

static void test_a_huge_unnamed_statement_does_not_leave_its_buffer_behind(void **state)
{
    (void)state;
    struct client_statements cs;
    struct param_set *p = param_set_empty();
    char *big = malloc(500000);
    assert_non_null(big);
    memset(big, ' ', 500000);
    client_statements_init(&cs);
    client_statements_set_unnamed(&cs, span_of(big, 500000), no_oids, 0, p, 7);
    client_statements_unnamed_answered(&cs, true);
    assert_true(client_statements_bytes(&cs) >= 500000);
    client_statements_set_unnamed(&cs, span_str("small"), no_oids, 0, p, 7);
    client_statements_unnamed_answered(&cs, true);
    assert_true(client_statements_bytes(&cs) < 20000);
    assert_unnamed(&cs, "small", 0);
    client_statements_fini(&cs);
    free(big);
    param_set_unref(&p);
}

/* ---- what a server has ---- */

/* It is parsed there, and what has to make room is closed; returns the last of that, or 0. */
static uint64_t give(struct server_statements *ss, uint64_t id)
{
    uint64_t goes, went = 0;
    if (server_statements_touch(ss, id))
        return 0;
    server_statements_add(ss, id, 1, 0);
    while ((goes = server_statements_excess(ss))) {
        server_statements_remove(ss, goes, 1);
        server_statements_closed(ss, goes);
        went = goes;
    }
    server_statements_parsed(ss, id);
    return went;
}

static void take(struct server_statements *ss, uint64_t id)
{
    if (!server_statements_touch(ss, id))
        return;
    server_statements_remove(ss, id, 1);
    server_statements_closed(ss, id);
}

static void test_the_least_recently_used_statement_makes_room(void **state)
{
    (void)state;
    struct server_statements ss;
    server_statements_init(&ss, 3);
    assert_int_equal(server_statements_cap(&ss), 3);
    for (uint64_t id = 1; id <= 3; id++)
        assert_int_equal(give(&ss, id), 0);
    assert_true(server_statements_touch(&ss, 1));
    assert_false(server_statements_touch(&ss, 9));
    assert_int_equal(give(&ss, 4), 2);
    assert_int_equal(give(&ss, 4), 0);
    assert_int_equal(give(&ss, 5), 3);
    assert_int_equal(server_statements_count(&ss), 3);
    server_statements_set_cap(&ss, 2);
    assert_int_equal(give(&ss, 6), 4);
    assert_int_equal(server_statements_count(&ss), 2);
    server_statements_dropped(&ss, false);
    assert_int_equal(server_statements_count(&ss), 0);
    assert_false(server_statements_touch(&ss, 6));
    assert_int_equal(give(&ss, 4), 0);
    server_statements_fini(&ss);
}

static void test_a_statement_whose_close_was_skipped_goes_next(void **state)
{
    (void)state;
    struct server_statements ss;
    server_statements_init(&ss, 2);
    give(&ss, 1);
    give(&ss, 2);
    server_statements_add(&ss, 3, 1, 0);
    assert_int_equal(server_statements_excess(&ss), 1);
    server_statements_remove(&ss, 1, 1);
    assert_int_equal(server_statements_excess(&ss), 0);
    server_statements_undone(&ss, 1);
    server_statements_undone(&ss, 3);
    assert_int_equal(server_statements_count(&ss), 2);
    assert_true(server_statements_has(&ss, 1));
    assert_false(server_statements_knows(&ss, 3));
    assert_int_equal(give(&ss, 4), 1);
    assert_true(server_statements_touch(&ss, 2));
    assert_true(server_statements_touch(&ss, 4));
    server_statements_fini(&ss);
}

static void test_a_server_knows_whose_unnamed_statement_it_has(void **state)
{
    (void)state;
    struct server_statements ss;
    server_statements_init(&ss, 1);
    assert_false(server_statements_unnamed_is(&ss, 0, 0));
    assert_false(server_statements_unnamed_is(&ss, 7, 0));
    server_statements_set_unnamed(&ss, 7, 3, 1);
    assert_true(server_statements_unnamed_is(&ss, 7, 3));
    assert_false(server_statements_unnamed_is(&ss, 7, 4));
    assert_false(server_statements_unnamed_is(&ss, 8, 3));
    server_statements_dropped(&ss, false);
    assert_false(server_statements_unnamed_is(&ss, 7, 3));
    server_statements_fini(&ss);
}

/* A plain array, newest last. */
struct lru_model {
    uint64_t ids[64];
    unsigned n;
};

static bool model_take(struct lru_model *m, uint64_t id)
{
    for (unsigned i = 0; i < m->n; i++) {
        if (m->ids[i] != id)
            continue;
        memmove(m->ids + i, m->ids + i + 1, (m->n - i - 1) * sizeof *m->ids);
        m->n--;
        return true;
    }
    return false;
}

static uint64_t model_add(struct lru_model *m, unsigned cap, uint64_t id)
{
    uint64_t evicted = 0;
    if (!model_take(m, id) && m->n >= cap) {
        evicted = m->ids[0];
        model_take(m, evicted);
    }
    m->ids[m->n++] = id;
    return evicted;
}

static void test_the_table_does_what_a_plain_array_does(void **state)
{
    (void)state;
    uint64_t seed = rand_u64();
    print_message("seed %llu\n", (unsigned long long)seed);
    struct server_statements ss;
    struct lru_model m = {.n = 0};
    const unsigned cap = 8;
    server_statements_init(&ss, cap);
    for (int round = 0; round < 20000; round++) {
        uint64_t id = 1 + rand_next(&seed) % 20;
        switch (rand_next(&seed) % 8) {
        case 0:
            take(&ss, id);
            model_take(&m, id);
            break;
        case 1:
            if (rand_next(&seed) % 50 == 0) {
                server_statements_dropped(&ss, false);
                m.n = 0;
            }
            break;
        case 2:
        case 3: {
            bool has = model_take(&m, id);
            if (has)
                m.ids[m.n++] = id;
            assert_int_equal(server_statements_touch(&ss, id), has);
            break;
        }
        default:
            assert_int_equal(give(&ss, id), model_add(&m, cap, id));
        }
        assert_int_equal(server_statements_count(&ss), m.n);
    }
    server_statements_fini(&ss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_parse_is_the_same_statement),
        cmocka_unit_test(test_a_date_under_another_DateStyle_is_another_statement),
        cmocka_unit_test(test_an_outdated_statement_stays_with_those_who_have_it),
        cmocka_unit_test(test_a_change_of_definitions_is_of_one_database),
        cmocka_unit_test(test_ids_are_not_used_again),
        cmocka_unit_test(test_a_server_is_given_the_parse_under_our_name),
        cmocka_unit_test(test_a_provoked_error_gets_the_words_for_the_clients_name),
        cmocka_unit_test(test_other_errors_are_left_alone),
        cmocka_unit_test(test_an_error_speaks_of_the_clients_name),
        cmocka_unit_test(test_a_long_name_is_cut_between_characters),
        cmocka_unit_test(test_a_client_that_prepares_nothing_costs_one_pointer),
        cmocka_unit_test(test_a_name_is_defined_once),
        cmocka_unit_test(test_a_failed_parse_takes_back_its_own_definition_only),
        cmocka_unit_test(test_the_names_of_a_client_are_bounded),
        cmocka_unit_test(test_the_unnamed_statement_is_kept_and_each_parse_counts),
        cmocka_unit_test(test_bytes_move_between_text_and_types_without_confusion),
        cmocka_unit_test(test_a_huge_unnamed_statement_does_not_leave_its_buffer_behind),
        cmocka_unit_test(test_the_least_recently_used_statement_makes_room),
        cmocka_unit_test(test_a_statement_whose_close_was_skipped_goes_next),
        cmocka_unit_test(test_a_server_knows_whose_unnamed_statement_it_has),
        cmocka_unit_test(test_the_table_does_what_a_plain_array_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
