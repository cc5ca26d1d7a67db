/* SPDX-License-Identifier: PostgreSQL */
#include "auth/saslprep.h"

#include <stdlib.h>

#include "auth_fixture.h"
#include "../../support/guard.h"

static const struct {
    const char *what;
    const char *in;
    const char *out;
} rows[] = {
    /* RFC 4013 section 3 */
    {"a soft hyphen is mapped to nothing", "I\xc2\xadX", "IX"},
    {"ASCII stays", "user", "user"},
    {"case is kept", "USER", "USER"},
    {"NFKC: feminine ordinal", "\xc2\xaa", "a"},
    {"NFKC: roman numeral nine", "\xe2\x85\xa8", "IX"},
    {"a control character: raw", "\x07", "\x07"},
    {"bidirectional check fails: raw",
     "\xd8\xa7"
     "1",
     "\xd8\xa7"
     "1"},
    /* beyond the RFC's examples */
    {"empty", "", ""},
    {"no-break space becomes a space", "a\xc2\xa0z", "a z"},
    {"NFKC: ligature", "\xef\xac\x81n", "fin"},
    {"decomposed is composed", "e\xcc\x81", "\xc3\xa9"},
    {"a control character among others: raw", "\xc3\xa9\x07\xc2\xad", "\xc3\xa9\x07\xc2\xad"},
    {"private use: raw", "\xee\x80\x80\xc2\xad", "\xee\x80\x80\xc2\xad"},
    {"unassigned in Unicode 3.2: raw", "\xc8\xa1q\xc2\xad", "\xc8\xa1q\xc2\xad"},
    {"nothing left: raw", "\xc2\xad", "\xc2\xad"},
    {"no UTF-8: raw", "\xff\xfe", "\xff\xfe"},
    {"truncated UTF-8: raw", "abc\xe2\x85", "abc\xe2\x85"},
    {"overlong UTF-8: raw", "\xc0\xaf", "\xc0\xaf"},
    {"surrogate: raw", "\xed\xa0\x80", "\xed\xa0\x80"},
};

static void test_saslprep_normalises_or_leaves_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        size_t n = strlen(rows[i].in), n_out = 0;
        uint8_t *copy = guard_copy(rows[i].in, n);
        char *out = saslprep(span_of(copy, n), &n_out);
        guard_free(copy, n);
        if (n_out != strlen(rows[i].out) || strcmp(out, rows[i].out) != 0)
            fail_msg("%s", rows[i].what);
        free(out);
    }
}

static void test_saslprep_leaves_a_password_with_a_nul_alone(void **state)
{
    (void)state;
    size_t n;
    char *out = saslprep(span_of("\xc2\xad\0x", 4), &n);
    assert_int_equal(n, 4);
    assert_memory_equal(out, "\xc2\xad\0x", 4);
    free(out);
}

/* U+FDFA becomes 18 characters: the largest growth there is. */
static void test_saslprep_has_room_for_the_largest_growth(void **state)
{
    (void)state;
    char in[3 * 100];
    size_t n;
    for (size_t i = 0; i < sizeof in; i += 3)
        memcpy(in + i, "\xef\xb7\xba", 3);
    char *out = saslprep(span_of(in, sizeof in), &n);
    assert_int_equal(n, 33 * 100);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saslprep_normalises_or_leaves_alone),
        cmocka_unit_test(test_saslprep_leaves_a_password_with_a_nul_alone),
        cmocka_unit_test(test_saslprep_has_room_for_the_largest_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
