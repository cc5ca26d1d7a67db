/* SPDX-License-Identifier: PostgreSQL */
/* Sets of settings: equal ones are the same, and what enters them. */
#include "track_fixture.h"

static void test_equal_sets_are_the_same_object(void **state)
{
    (void)state;
    struct param_set *a = SET("TimeZone", "UTC", "application_name", "x");
    struct param_set *b = SET("APPLICATION_NAME", "x", "timezone", "UTC");
    struct param_set *c = SET("TimeZone", "utc", "application_name", "x");
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_set(a, "application_name=x;TimeZone=UTC");
    param_set_unref(&a);
    assert_null(a);
    param_set_unref(&b);
    param_set_unref(&c);
    param_set_unref(&c);
}

static void test_content_is_compared_and_not_just_concatenated(void **state)
{
    (void)state;
    struct param_set *a = SET("a", "b", "c", "");
    struct param_set *b = SET("a", "", "b", "c");
    assert_ptr_not_equal(a, b);
    param_set_unref(&a);
    param_set_unref(&b);
}

static void test_the_empty_set_is_one(void **state)
{
    (void)state;
    struct param_set *a = param_set_empty();
    struct param_builder *b = param_builder_new(NULL);
    assert_true(param_builder_put(b, span_str("x"), span_str("1")));
    param_builder_remove(b, span_str("X"));
    param_builder_remove(b, span_str("never"));
    struct param_set *c = param_builder_finish(&b);
    assert_null(b);
    assert_ptr_equal(a, c);
    assert_int_equal(param_set_count(a), 0);
    param_set_unref(&a);
    param_set_unref(&c);
}

static void test_names_have_one_spelling(void **state)
{
    (void)state;
    struct param_set *s =
        SET("DATESTYLE", "ISO", "My.Var", "1", "Work_Mem", "4MB", "timezone", "x");
    struct span v;
    assert_set(s, "DateStyle=ISO;my.var=1;TimeZone=x;work_mem=4MB");
    assert_true(params_get(s, span_str("MY.var"), &v));
    assert_span(v, "1");
    assert_false(params_get(s, span_str("my.va"), &v));
    assert_false(params_get(s, span_str("my.var2"), &v));
    assert_false(params_get(s, span_str(""), &v));
    param_set_unref(&s);
}

static void test_the_builder_refuses_what_is_no_name_or_value(void **state)
{
    (void)state;
    char long_name[PARAM_NAME_MAX + 2];
    memset(long_name, 'a', sizeof long_name);
    struct param_builder *b = param_builder_new(NULL);
    static const char *const bad[] = {
        "", ".", "a.", ".a", "a..b", "1a", "a.1", "$a", "a b", "a\"b", "a;b", "a-b", "\xc3\xa4",
    };
    for (size_t i = 0; i < ROWS(bad); i++)
        assert_false(param_builder_put(b, span_str(bad[i]), span_str("x")));
    assert_false(param_builder_put(b, span_of("a\0b", 3), span_str("x")));
    assert_false(param_builder_put(b, span_of(long_name, PARAM_NAME_MAX + 1), span_str("x")));
    assert_false(param_builder_put(b, span_str("a"), span_of("x\0y", 3)));
    static const char *const good[] = {"a", "_", "a1$", "a.b", "a.b.c_9$"};
    for (size_t i = 0; i < ROWS(good); i++)
        assert_true(param_builder_put(b, span_str(good[i]), span_str("x")));
    assert_true(param_builder_put(b, span_of(long_name, PARAM_NAME_MAX), span_str("")));
    param_builder_free(&b);
    assert_null(b);
    param_builder_free(&b);
}

static void test_a_set_has_a_bound(void **state)
{
    (void)state;
    struct param_builder *b = param_builder_new(NULL);
    char name[16];
    for (int i = 0; i < PARAM_SET_MAX; i++) {
        snprintf(name, sizeof name, "n%d", i);
        assert_true(param_builder_put(b, span_str(name), span_str("v")));
    }
    assert_false(param_builder_put(b, span_str("more"), span_str("v")));
    assert_true(param_builder_put(b, span_str("N7"), span_str("changed")));
    struct param_set *s = param_builder_finish(&b);
    assert_int_equal(param_set_count(s), PARAM_SET_MAX);
    assert_null(params_with_report(s, span_str("more"), span_str("v")));
    param_set_unref(&s);
}

/* ---- against an obvious model ---- */

#define MODEL_NAMES 12
static const char *const model_names[MODEL_NAMES] = {
    "DateStyle", "role", "search_path", "TimeZone", "a", "a.b",
    "a_b",       "ab",   "b",           "work_mem", "z", "IntervalStyle",
};

struct model {
    int value[MODEL_NAMES]; /* 0: absent */
};

static struct param_set *set_of_model(const struct model *m)
{
    struct param_builder *b = param_builder_new(NULL);
    char value[16];
    for (int i = MODEL_NAMES; i-- > 0;) {
        if (!m->value[i])
            continue;
        snprintf(value, sizeof value, "%d", m->value[i]);
        assert_true(param_builder_put(b, span_str(model_names[i]), span_str(value)));
    }
    return param_builder_finish(&b);
}

static void test_builders_do_what_a_plain_table_does(void **state)
{
    (void)state;
    uint64_t seed = rand_u64();
    print_message("seed %llu\n", (unsigned long long)seed);
    struct model m = {{0}};
    struct param_set *set = param_set_empty();
    for (int round = 0; round < 3000; round++) {
        struct param_builder *b = param_builder_new(set);
        for (uint64_t n = rand_next(&seed) % 4; n; n--) {
            size_t i = rand_next(&seed) % MODEL_NAMES;
            char value[16];
            m.value[i] = (int)(rand_next(&seed) % 4);
            snprintf(value, sizeof value, "%d", m.value[i]);
            if (m.value[i])
                assert_true(param_builder_put(b, span_str(model_names[i]), span_str(value)));
            else
                param_builder_remove(b, span_str(model_names[i]));
        }
        struct param_set *want = set_of_model(&m);
        param_set_unref(&set);
        set = param_builder_finish(&b);
        assert_ptr_equal(set, want);
        param_set_unref(&want);
        for (size_t i = 0; i < MODEL_NAMES; i++) {
            struct span v;
            assert_int_equal(params_get(set, span_str(model_names[i]), &v), m.value[i] != 0);
        }
    }
    param_set_unref(&set);
}

/* ---- what parsing depends on ---- */

static void test_the_fingerprint_names_what_parsing_depends_on(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool matters;
    } cases[] = {
        {"role", true},
        {"session_authorization", true},
        {"search_path", true},
        {"DateStyle", true},
        {"IntervalStyle", true},
        {"TimeZone", true},
        {"client_encoding", true},
        {"standard_conforming_strings", true},
        {"application_name", false},
        {"statement_timeout", false},
        {"app.tenant", false},
    };
    struct param_set *plain = SET("extra_float_digits", "1");
    for (size_t i = 0; i < ROWS(cases); i++) {
        struct param_set *one = SET("extra_float_digits", "1", cases[i].name, "x");
        struct param_set *other = SET(cases[i].name, "y");
        bool matters = params_fingerprint(one) != params_fingerprint(plain);
        assert_int_equal(matters, cases[i].matters);
        assert_int_equal(params_fingerprint(one) != params_fingerprint(other), cases[i].matters);
        param_set_unref(&one);
        param_set_unref(&other);
    }
    struct param_set *empty = param_set_empty();
    assert_int_equal(params_fingerprint(plain), params_fingerprint(empty));
    param_set_unref(&empty);
    param_set_unref(&plain);
}

static void test_the_parse_state_is_what_the_fingerprint_stands_for(void **state)
{
    (void)state;
    struct param_set *now = SET("application_name", "me", "DateStyle", "ISO, DMY", "x.y", "1");
    struct param_set *then = SET("application_name", "you", "role", "r", "TimeZone", "UTC");
    struct param_set *state_then = params_parse_state(then);
    assert_set(state_then, "role=r;TimeZone=UTC");
    assert_int_equal(params_fingerprint(state_then), params_fingerprint(then));
    struct param_set *both = params_with_parse_state(now, then);
    assert_set(both, "application_name=me;role=r;TimeZone=UTC;x.y=1");
    assert_int_equal(params_fingerprint(both), params_fingerprint(then));
    struct param_set *same = params_with_parse_state(both, state_then);
    assert_ptr_equal(same, both);
    param_set_unref(&same);
    param_set_unref(&both);
    param_set_unref(&now);
    /* It outlives the set that it came from. */
    uint64_t fingerprint = params_fingerprint(then);
    param_set_unref(&then);
    struct param_set *again = SET("role", "r", "TimeZone", "UTC", "work_mem", "1MB");
    assert_int_equal(params_fingerprint(again), fingerprint);
    param_set_unref(&again);
    param_set_unref(&state_then);
}

/* ---- what servers report ---- */

static void test_reports_change_a_set_unless_nobody_can_set_them(void **state)
{
    (void)state;
    struct param_set *s = SET("TimeZone", "UTC");
    struct param_set *next = params_with_report(s, span_str("TimeZone"), span_str("GMT"));
    assert_set(next, "TimeZone=GMT");
    assert_set(s, "TimeZone=UTC");
    param_set_unref(&next);
    next = params_with_report(s, span_str("search_path"), span_str("\"$user\", public"));
    assert_set(next, "search_path=\"$user\", public;TimeZone=UTC");
    param_set_unref(&next);
    assert_null(params_with_report(s, span_str("timezone"), span_str("UTC")));
    static const char *const fixed[] = {
        "server_version", "server_encoding", "integer_datetimes", "is_superuser", "in_hot_standby",
    };
    for (size_t i = 0; i < ROWS(fixed); i++)
        assert_null(params_with_report(s, span_str(fixed[i]), span_str("on")));
    param_set_unref(&s);
}

static void test_a_clients_values_are_laid_over_those_of_a_server(void **state)
{
    (void)state;
    struct param_set *base = SET("client_encoding", "UTF8", "DateStyle", "ISO, MDY", "TimeZone",
                                 "Etc/UTC", "application_name", "pgballast");
    struct param_set *over = SET("client_encoding", "'utf-8'", "DateStyle", "german", "app.x", "1",
                                 "application_name", "psql");
    struct param_set *merged = params_lay_over(base, over);
    assert_set(merged, "app.x=1;application_name=psql;client_encoding=UTF8;DateStyle=German, DMY;"
                       "TimeZone=Etc/UTC");
    struct buf out = {0};
    params_build_reports(over, base, &out);
    static const char want[] = "S\0\0\0\x1a"
                               "application_name\0psql\0"
                               "S\0\0\0\x1a"
                               "DateStyle\0German, DMY\0";
    assert_int_equal(buf_len(&out), sizeof want - 1);
    assert_memory_equal(out.data + out.start, want, sizeof want - 1);
    for (int again = 0; again < 2; again++) {
        buf_clear(&out);
        struct param_set *same = params_welcome(base, over, &out);
        assert_ptr_equal(same, merged);
        assert_int_equal(buf_len(&out), sizeof want - 1);
        assert_memory_equal(out.data + out.start, want, sizeof want - 1);
        param_set_unref(&same);
    }
    buf_clear(&out);
    struct param_set *empty = param_set_empty();
    struct param_set *same = params_lay_over(base, empty);
    assert_ptr_equal(same, base);
    param_set_unref(&same);
    same = params_welcome(base, empty, &out);
    assert_ptr_equal(same, base);
    assert_true(buf_is_empty(&out));
    buf_reset(&out);
    param_set_unref(&same);
    param_set_unref(&empty);
    param_set_unref(&merged);
    param_set_unref(&over);
    param_set_unref(&base);
}

/* ---- startup ---- */

static void test_startup_parameters_are_kept_dropped_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        enum param_taken want;
        const char *sqlstate;
    } cases[] = {
        {"application_name", "x", PARAM_KEPT, NULL},
        {"datestyle", "iso", PARAM_KEPT, NULL},
        {"extra_float_digits", "3", PARAM_KEPT, NULL},
        {"jit", "off", PARAM_KEPT, NULL},
        {"my.setting", "", PARAM_KEPT, NULL},
        {"role", "app", PARAM_KEPT, NULL},
        {"search_path", "a, \"b c\"", PARAM_KEPT, NULL},
        {"search_path", "a,,b", PARAM_REFUSED, "22023"},
        {"SSLMODE", "require", PARAM_DROPPED, NULL},
        {"channel_binding", "require", PARAM_DROPPED, NULL},
        {"sslnegotiation", "direct", PARAM_DROPPED, NULL},
        {"connect_timeout", "10", PARAM_DROPPED, NULL},
        {"target_session_attrs", "any", PARAM_DROPPED, NULL},
        {"keepalives_idle", "1", PARAM_DROPPED, NULL},
        {"_pq_.something", "1", PARAM_DROPPED, NULL},
        {"session_authorization", "root", PARAM_DROPPED, NULL},
        {"local_preload_libraries", "x", PARAM_DROPPED, NULL},
        {"transaction_isolation", "serializable", PARAM_DROPPED, NULL},
        {"server_version", "9", PARAM_REFUSED, "55P02"},
        {"is_superuser", "on", PARAM_REFUSED, "55P02"},
        {"", "x", PARAM_REFUSED, "42704"},
        {"a;drop table t", "x", PARAM_REFUSED, "42704"},
    };
    for (size_t i = 0; i < ROWS(cases); i++) {
        struct param_builder *b = param_builder_new(NULL);
        struct error err = {0};
        enum param_taken got =
            params_take_startup(b, span_str(cases[i].name), span_str(cases[i].value), &err);
        if (got != cases[i].want)
            fail_msg("%s: %d", cases[i].name, (int)got);
        assert_string_equal(err.sqlstate, cases[i].sqlstate ? cases[i].sqlstate : "");
        struct param_set *set = param_builder_finish(&b);
        assert_int_equal(param_set_count(set), got == PARAM_KEPT);
        param_set_unref(&set);
    }
}

static void test_startup_parameters_have_bounds(void **state)
{
    (void)state;
    struct param_builder *b = param_builder_new(NULL);
    struct error err;
    char *value = malloc(PARAM_VALUE_MAX + 1), name[16];
    assert_non_null(value);
    memset(value, 'v', PARAM_VALUE_MAX + 1);
    assert_int_equal(
        params_take_startup(b, span_str("a"), span_of(value, PARAM_VALUE_MAX + 1), &err),
        PARAM_REFUSED);
    assert_string_equal(err.sqlstate, SQLSTATE_PROGRAM_LIMIT);
    for (int i = 0; i < PARAM_STARTUP_MAX; i++) {
        snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(
            params_take_startup(b, span_str(name), span_of(value, PARAM_VALUE_MAX), &err),
            PARAM_KEPT);
    }
    assert_int_equal(params_take_startup(b, span_str("more"), span_str("v"), &err), PARAM_REFUSED);
    assert_string_equal(err.sqlstate, SQLSTATE_PROGRAM_LIMIT);
    assert_int_equal(params_take_startup(b, span_str("sslmode"), span_str("v"), &err),
                     PARAM_DROPPED);
    param_builder_free(&b);
    free(value);
}

static void test_an_error_about_a_name_shows_no_raw_bytes(void **state)
{
    (void)state;
    struct param_builder *b = param_builder_new(NULL);
    struct error err;
    char name[400];
    memset(name, '\xff', sizeof name);
    assert_int_equal(params_take_startup(b, span_of(name, sizeof name), span_str("v"), &err),
                     PARAM_REFUSED);
    for (const char *p = err.text; *p; p++)
        assert_true(*p >= 0x20 && *p < 0x7f);
    param_builder_free(&b);
}

/* ---- fences ---- */

static void test_only_harmless_values_that_were_accepted_may_travel_unguarded(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool harmless;
    } cases[] = {
        {"DateStyle", true},
        {"TIMEZONE", true},
        {"application_name", true},
        {"statement_timeout", true},
        {"bytea_output", true},
        {"role", false},
        {"search_path", false},
        {"session_authorization", false},
        {"row_security", false},
        {"app.tenant", false},
        {"client_encoding", false},
        {"standard_conforming_strings", false},
        /* Never in the client's own transaction, which has begun by then. */
        {"default_transaction_read_only", true},
        {"unheard_of", false},
    };
    assert_false(params_may_gate(span_str("DEFAULT_transaction_isolation")));
    assert_true(params_may_gate(span_str("search_path")));
    assert_true(params_may_gate(span_str("app.tenant")));
    struct param_accepted *a = param_accepted_new();
    struct span v = span_str("1");
    for (size_t i = 0; i < ROWS(cases); i++) {
        struct span name = span_str(cases[i].name);
        assert_false(params_may_fence(a, name, v));
        params_note_accepted(a, name, v);
        if (params_may_fence(a, name, v) != cases[i].harmless)
            fail_msg("%s", cases[i].name);
        assert_false(params_may_fence(a, name, span_str("2")));
    }
    assert_true(params_may_fence(a, span_str("datestyle"), v));
    param_accepted_clear(a);
    assert_false(params_may_fence(a, span_str("DateStyle"), v));
    param_accepted_free(&a);
    assert_null(a);
    param_accepted_free(&a);
}

static void test_accepted_values_are_bounded_and_the_newest_is_known(void **state)
{
    (void)state;
    struct param_accepted *a = param_accepted_new();
    struct span name = span_str("application_name");
    char value[16];
    for (int i = 0; i < 5000; i++) {
        snprintf(value, sizeof value, "%d", i);
        params_note_accepted(a, name, span_str(value));
        params_note_accepted(a, name, span_str(value));
        assert_true(params_may_fence(a, name, span_str(value)));
    }
    assert_false(params_may_fence(a, name, span_str("0")));
    param_accepted_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_sets_are_the_same_object),
        cmocka_unit_test(test_content_is_compared_and_not_just_concatenated),
        cmocka_unit_test(test_the_empty_set_is_one),
        cmocka_unit_test(test_names_have_one_spelling),
        cmocka_unit_test(test_the_builder_refuses_what_is_no_name_or_value),
        cmocka_unit_test(test_a_set_has_a_bound),
        cmocka_unit_test(test_builders_do_what_a_plain_table_does),
        cmocka_unit_test(test_the_fingerprint_names_what_parsing_depends_on),
        cmocka_unit_test(test_the_parse_state_is_what_the_fingerprint_stands_for),
        cmocka_unit_test(test_reports_change_a_set_unless_nobody_can_set_them),
        cmocka_unit_test(test_a_clients_values_are_laid_over_those_of_a_server),
        cmocka_unit_test(test_startup_parameters_are_kept_dropped_or_refused),
        cmocka_unit_test(test_startup_parameters_have_bounds),
        cmocka_unit_test(test_an_error_about_a_name_shows_no_raw_bytes),
        cmocka_unit_test(test_only_harmless_values_that_were_accepted_may_travel_unguarded),
        cmocka_unit_test(test_accepted_values_are_bounded_and_the_newest_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
