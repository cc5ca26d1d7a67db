/* SPDX-License-Identifier: PostgreSQL */
/* What running a statement may do to what is kept about its session. */
#include "track_fixture.h"

#include "track/sql_traits.h"

static void test_the_first_words_say_what_a_statement_may_do(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum sql_ending ending;
        enum sql_drops drops;
        bool sets;
    } cases[] = {
        {"", SQL_ENDS_NOTHING, SQL_DROPS_NOTHING, false},
        {"  \n\t", SQL_ENDS_NOTHING, SQL_DROPS_NOTHING, false},
        {"SELECT 1", SQL_ENDS_NOTHING, SQL_DROPS_NOTHING, false},
        {"select 1;", SQL_ENDS_NOTHING, SQL_DROPS_NOTHING, false},
        {"/* why */ SELECT 1", SQL_ENDS_NOTHING, SQL_DROPS_NOTHING, false},
        {"INSERT INTO t VALUES (1)", SQL_ENDS_NOTHING, SQL_DROPS_NOTHING, false},
        {"DELETE FROM t", SQL_ENDS_NOTHING, SQL_DROPS_NOTHING, false},
        {"CREATE TABLE t ()", SQL_ENDS_NOTHING, SQL_DROPS_NOTHING, false},
        {"BEGIN", SQL_ENDS_NOTHING, SQL_DROPS_NOTHING, false},
        {"COMMIT", SQL_ENDS_COMMIT, SQL_DROPS_NOTHING, true},
        {" end;", SQL_ENDS_COMMIT, SQL_DROPS_NOTHING, true},
        {"-- done\nCOMMIT", SQL_ENDS_COMMIT, SQL_DROPS_NOTHING, true},
        {"COMMIT AND CHAIN", SQL_ENDS_MAYBE, SQL_DROPS_NOTHING, true},
        {"ROLLBACK", SQL_ENDS_ABORT, SQL_DROPS_NOTHING, true},
        {"ROLLBACK TO s", SQL_ENDS_NOTHING, SQL_DROPS_NOTHING, true},
        {"CALL p()", SQL_ENDS_MAYBE, SQL_DROPS_NOTHING, true},
        {"do $$begin end$$", SQL_ENDS_MAYBE, SQL_DROPS_NOTHING, true},
        {"SELECT 1; COMMIT", SQL_ENDS_MAYBE, SQL_DROPS_NOTHING, true},
        {"SET x = 1", SQL_ENDS_NOTHING, SQL_DROPS_NOTHING, true},
        {"set local x to 1", SQL_ENDS_NOTHING, SQL_DROPS_NOTHING, true},
        {"RESET ALL", SQL_ENDS_NOTHING, SQL_DROPS_NOTHING, true},
        {"DEALLOCATE s", SQL_ENDS_NOTHING, SQL_DROPS_ONE, false},
        {"deallocate all", SQL_ENDS_NOTHING, SQL_DROPS_ALL, false},
        {"DISCARD ALL;", SQL_ENDS_NOTHING, SQL_DROPS_ALL, true},
        {"DISCARD PLANS", SQL_ENDS_NOTHING, SQL_DROPS_NOTHING, false},
        {"DEALLOCATE s; SELECT 1", SQL_ENDS_MAYBE, SQL_DROPS_NOTHING, true},
    };
    for (size_t i = 0; i < ROWS(cases); i++) {
        struct sql_traits t = sql_traits_of(span_str(cases[i].text), true);
        if (t.ending != cases[i].ending || t.drops != cases[i].drops || t.sets != cases[i].sets)
            fail_msg("'%s': ending %d, drops %d, sets %d", cases[i].text, t.ending, t.drops,
                     t.sets);
    }
}

static void test_of_a_text_in_pieces_anything_is_expected(void **state)
{
    (void)state;
    struct sql_traits t = sql_traits_of(span_str("SELECT 1"), false);
    assert_int_equal(t.ending, SQL_ENDS_MAYBE);
    assert_int_equal(t.drops, SQL_DROPS_NOTHING);
    assert_true(t.sets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_words_say_what_a_statement_may_do),
        cmocka_unit_test(test_of_a_text_in_pieces_anything_is_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
