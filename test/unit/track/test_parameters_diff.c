/* SPDX-License-Identifier: PostgreSQL */
/* The commands between two sets: which, in which order, and that they lead there. */
#include "track_fixture.h"

static void write_down(void *arg, struct span name, const struct span *value)
{
    struct buf *b = arg;
    if (!buf_is_empty(b))
        buf_append(b, "; ", 2);
    params_command(b, name, value);
}

static void test_the_difference_is_what_must_be_set_and_reset(void **state)
{
    (void)state;
    static const struct {
        const char *want[9], *have[9], *base[9], *commands;
    } cases[] = {
        {{"a", "1"}, {"a", "1"}, {NULL}, ""},
        {{"a", "1"}, {NULL}, {NULL}, "SET \"a\" TO '1'"},
        {{"a", "1"}, {"a", "2"}, {"a", "2"}, "SET \"a\" TO '1'"},
        {{NULL}, {"a", "1"}, {NULL}, "RESET \"a\""},
        {{NULL}, {"a", "1"}, {"a", "2"}, "SET \"a\" TO '2'"},
        {{NULL}, {"a", "1"}, {"a", "1"}, ""},
        {{NULL}, {NULL}, {"a", "1"}, ""},
        {{"a", "X"}, {"a", "x"}, {NULL}, "SET \"a\" TO 'X'"},
        {{"b", "1", "d", "1"},
         {"a", "1", "c", "1", "d", "2"},
         {NULL},
         "RESET \"a\"; SET \"b\" TO '1'; RESET \"c\"; SET \"d\" TO '1'"},
        /* A role is taken on last, because it may not be allowed to set the rest. */
        {{"role", "r", "work_mem", "1MB"},
         {NULL},
         {NULL},
         "SET \"work_mem\" TO '1MB'; SET \"role\" TO 'r'"},
        {{"work_mem", "1MB"}, {"role", "r"}, {NULL}, "RESET \"role\"; SET \"work_mem\" TO '1MB'"},
        {{"role", "r"}, {"role", "s"}, {NULL}, "RESET \"role\"; SET \"role\" TO 'r'"},
        {{"role", "r", "a", "1"}, {"role", "r"}, {NULL}, "SET \"a\" TO '1'"},
        /* Leaving another identity is not done by naming the own one: that may be refused. */
        {{"session_authorization", "me"},
         {"session_authorization", "you", "role", "r"},
         {"session_authorization", "me"},
         "RESET \"role\"; RESET \"session_authorization\""},
        {{"session_authorization", "you", "role", "r", "a", "1"},
         {"session_authorization", "me"},
         {"session_authorization", "me"},
         "SET \"a\" TO '1'; SET \"session_authorization\" TO 'you'; SET \"role\" TO 'r'"},
        /* The role that stays is taken on anew, as the new authorization allows it. */
        {{"session_authorization", "you", "role", "r"},
         {"role", "r", "session_authorization", "me"},
         {"session_authorization", "me"},
         "RESET \"role\"; SET \"session_authorization\" TO 'you'; SET \"role\" TO 'r'"},
    };
    for (size_t i = 0; i < ROWS(cases); i++) {
        struct param_set *want = set_of(cases[i].want);
        struct param_set *have = set_of(cases[i].have);
        struct param_set *base = set_of(cases[i].base);
        struct buf out = {0};
        params_diff(want, have, base, write_down, &out);
        assert_span(buf_span(&out), cases[i].commands);
        buf_reset(&out);
        param_set_unref(&want);
        param_set_unref(&have);
        param_set_unref(&base);
    }
}

/* A server that carries out what it is told. */
struct server {
    struct param_builder *has;
    const struct param_set *base;
    unsigned n;
};

static void carry_out(void *arg, struct span name, const struct span *value)
{
    struct server *s = arg;
    struct span login;
    s->n++;
    if (value)
        assert_true(param_builder_put(s->has, name, *value));
    else if (params_get(s->base, name, &login))
        assert_true(param_builder_put(s->has, name, login));
    else
        param_builder_remove(s->has, name);
}

static struct param_set *random_set(uint64_t *seed, const struct param_set *from)
{
    static const char *const names[] = {
        "a", "app.x", "DateStyle", "role", "search_path", "session_authorization", "TimeZone", "z",
    };
    struct param_builder *b = param_builder_new(from);
    for (size_t i = 0; i < ROWS(names); i++) {
        char value[2] = {(char)('0' + rand_next(seed) % 3), '\0'};
        if (rand_next(seed) % 2)
            assert_true(param_builder_put(b, span_str(names[i]), span_str(value)));
    }
    return param_builder_finish(&b);
}

static void test_the_difference_leads_from_one_set_to_the_other(void **state)
{
    (void)state;
    uint64_t seed = rand_u64();
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 3000; round++) {
        struct param_set *base = random_set(&seed, NULL);
        /* As in life: both began as the base. */
        struct param_set *want = random_set(&seed, base), *have = random_set(&seed, base);
        struct server s = {.has = param_builder_new(have), .base = base};
        params_diff(want, have, base, carry_out, &s);
        assert_true(s.n <= 2 + param_set_count(want) + param_set_count(have));
        struct param_set *got = param_builder_finish(&s.has);
        assert_ptr_equal(got, want);
        s.n = 0;
        s.has = param_builder_new(got);
        params_diff(want, got, base, carry_out, &s);
        assert_int_equal(s.n, 0);
        param_builder_free(&s.has);
        param_set_unref(&got);
        param_set_unref(&want);
        param_set_unref(&have);
        param_set_unref(&base);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_difference_is_what_must_be_set_and_reset),
        cmocka_unit_test(test_the_difference_leads_from_one_set_to_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
