/* SPDX-License-Identifier: PostgreSQL */
#include "auth/scram_text.h"

#include "auth_fixture.h"
#include "../../support/guard.h"

static void test_scram_text_takes_attributes_in_order(void **state)
{
    (void)state;
    struct span value;
    struct scram_text t = scram_text_of(span_str("n=,r=abc,x=1=2"));
    assert_false(scram_text_attr(&t, 'r', &value));
    assert_true(scram_text_attr(&t, 'n', &value));
    assert_span_is(value, "");
    assert_true(scram_text_attr(&t, 'r', &value));
    assert_span_is(value, "abc");
    assert_true(t.owes);
    assert_true(scram_text_extension(&t, &value));
    assert_span_is(value, "1=2");
    assert_false(t.owes);
    assert_true(scram_text_end(&t));
    assert_false(scram_text_extension(&t, &value));
}

static void test_scram_text_ends_only_behind_well_formed_extensions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"r=a", true},       {"r=a,x=1", true}, {"r=a,x=1,Y=2", true}, {"r=a,", false},
        {"r=a,x", false},    {"r=a,x=", false}, {"r=a,1=x", false},    {"r=a,,x=1", false},
        {"r=a,x=1,", false}, {"r=a,=1", false}, {"r=a,xx=1", false},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        size_t n = strlen(rows[i].text);
        uint8_t *copy = guard_copy(rows[i].text, n);
        struct scram_text t = scram_text_of(span_of(copy, n));
        struct span value;
        assert_true(scram_text_attr(&t, 'r', &value));
        if (scram_text_end(&t) != rows[i].good)
            fail_msg("%s", rows[i].text);
        guard_free(copy, n);
    }
}

static void test_scram_text_refuses_a_nul_and_takes_nothing(void **state)
{
    (void)state;
    struct span value;
    struct scram_text t = scram_text_of(span_of("r=a\0b,x=1", 9));
    const uint8_t *at = t.at;
    assert_false(scram_text_attr(&t, 'r', &value));
    assert_ptr_equal(t.at, at);
}

static void test_scram_text_of_nothing_holds_nothing(void **state)
{
    (void)state;
    struct span value;
    struct scram_text t = scram_text_of(span_of(NULL, 0));
    assert_false(scram_text_attr(&t, 'r', &value));
    assert_false(scram_text_end(&t));
    assert_false(scram_text_is_mandatory_extension(&t));
}

static void test_scram_text_knows_mandatory_extensions(void **state)
{
    (void)state;
    struct scram_text t = scram_text_of(span_str("m=1,n=,r=a"));
    assert_true(scram_text_is_mandatory_extension(&t));
    t = scram_text_of(span_str("n=m=,r=a"));
    assert_false(scram_text_is_mandatory_extension(&t));
}

static void test_scram_text_knows_nonces(void **state)
{
    (void)state;
    assert_true(scram_text_is_nonce(span_str("!~abc/+=")));
    assert_false(scram_text_is_nonce(span_str("")));
    assert_false(scram_text_is_nonce(span_str("a b")));
    assert_false(scram_text_is_nonce(span_str("a,b")));
    assert_false(scram_text_is_nonce(span_str("a\x7f")));
    assert_false(scram_text_is_nonce(span_str("\xc3\xa4")));
}

static void test_scram_text_reads_positive_numbers_only(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        uint32_t value;
    } rows[] = {
        {"1", true, 1},
        {"4096", true, 4096},
        {"4294967295", true, UINT32_MAX},
        {"4294967296", false, 0},
        {"42949672950", false, 0},
        {"0", false, 0},
        {"01", false, 0},
        {"", false, 0},
        {"+1", false, 0},
        {"-1", false, 0},
        {"1 ", false, 0},
        {" 1", false, 0},
        {"1e3", false, 0},
        {"0x10", false, 0},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        uint32_t v = 0;
        if (scram_text_positive(span_str(rows[i].text), &v) != rows[i].good || v != rows[i].value)
            fail_msg("%s", rows[i].text);
    }
}

static void test_scram_text_writes_what_it_reads(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {1, 9, 10, 4096, UINT32_MAX};
    for (size_t i = 0; i < ROWS(numbers); i++) {
        struct buf b = {0};
        uint32_t v = 0;
        scram_text_put_number(&b, numbers[i]);
        assert_true(scram_text_positive(buf_span(&b), &v));
        assert_int_equal(v, numbers[i]);
        buf_reset(&b);
    }
    struct buf b = {0};
    scram_text_put(&b, "s=");
    scram_text_put_base64(&b, span_str("salt"));
    scram_text_put_base64(&b, span_of(NULL, 0));
    assert_true(span_is(buf_span(&b), "s=c2FsdA=="));
    buf_reset(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scram_text_takes_attributes_in_order),
        cmocka_unit_test(test_scram_text_ends_only_behind_well_formed_extensions),
        cmocka_unit_test(test_scram_text_refuses_a_nul_and_takes_nothing),
        cmocka_unit_test(test_scram_text_of_nothing_holds_nothing),
        cmocka_unit_test(test_scram_text_knows_mandatory_extensions),
        cmocka_unit_test(test_scram_text_knows_nonces),
        cmocka_unit_test(test_scram_text_reads_positive_numbers_only),
        cmocka_unit_test(test_scram_text_writes_what_it_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
