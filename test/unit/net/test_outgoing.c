/* SPDX-License-Identifier: PostgreSQL */
#include "net/outgoing.h"

#include "base/rand.h"
#include "net_fixture.h"

static struct buf gather(struct outgoing *o)
{
    const struct iovec *parts;
    struct buf all = {0};
    unsigned n = outgoing_parts(o, &parts);
    assert_true(n <= OUTGOING_PARTS);
    for (unsigned i = 0; i < n; i++)
        buf_append(&all, parts[i].iov_base, parts[i].iov_len);
    return all;
}

/* Too long to be copied. */
static const char long_piece[OUTGOING_COPIED + 1] = "long";

static void test_outgoing_keeps_the_order_of_calls(void **state)
{
    (void)state;
    struct outgoing o = {0};
    outgoing_ref(&o, "one ", 4);
    buf_append(outgoing_buf(&o), "two ", 4);
    buf_append(outgoing_buf(&o), "three ", 6);
    outgoing_ref(&o, long_piece, sizeof long_piece);
    outgoing_ref(&o, "", 0);
    buf_append(outgoing_buf(&o), "five", 4);
    assert_int_equal(outgoing_bytes(&o), 18 + sizeof long_piece);
    struct buf all = gather(&o);
    assert_memory_equal(all.data, "one two three ", 14);
    assert_memory_equal(all.data + 14, long_piece, sizeof long_piece);
    assert_memory_equal(all.data + 14 + sizeof long_piece, "five", 4);
    assert_int_equal(o.n_parts, 4);
    buf_reset(&all);
    outgoing_clear(&o);
    assert_int_equal(outgoing_bytes(&o), 0);
    outgoing_fini(&o);
}

static void test_outgoing_copies_short_pieces_behind_bytes_of_ours(void **state)
{
    (void)state;
    char piece[] = "three ";
    struct outgoing o = {0};
    outgoing_ref(&o, "one ", 4);
    buf_append(outgoing_buf(&o), "two ", 4);
    outgoing_ref(&o, piece, 6);
    memset(piece, 'x', 6);
    outgoing_ref(&o, "four ", 5);
    outgoing_ref(&o, long_piece, sizeof long_piece);
    outgoing_ref(&o, "five", 4);
    struct buf all = gather(&o);
    assert_int_equal(buf_len(&all), 23 + sizeof long_piece);
    assert_memory_equal(all.data, "one two three four ", 19);
    assert_memory_equal(all.data + 19, long_piece, sizeof long_piece);
    assert_memory_equal(all.data + 19 + sizeof long_piece, "five", 4);
    assert_int_equal(o.n_parts, 4);
    buf_reset(&all);
    outgoing_fini(&o);
}

static void test_outgoing_merges_adjacent_pieces(void **state)
{
    (void)state;
    static const char text[] = "abcdefghij";
    struct outgoing o = {0};
    for (int i = 0; i < 10; i++)
        outgoing_ref(&o, text + i, 1);
    assert_int_equal(o.n_parts, 1);
    outgoing_ref(&o, text, 3); /* not adjacent */
    assert_int_equal(o.n_parts, 2);
    struct buf all = gather(&o);
    assert_true(span_is(buf_span(&all), "abcdefghijabc"));
    buf_reset(&all);
    outgoing_fini(&o);
}

static void test_outgoing_copies_when_its_parts_are_used_up(void **state)
{
    (void)state;
    char text[4 * OUTGOING_PARTS];
    struct outgoing o = {0};
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof text; i += 2) /* gaps: nothing merges */
        outgoing_ref(&o, text + i, 1);
    buf_append(outgoing_buf(&o), "!", 1);
    outgoing_ref(&o, "?", 1);
    assert_int_equal(outgoing_bytes(&o), 2 * OUTGOING_PARTS + 2);
    /* What was copied does not depend on its origin any more. */
    memset(text + 2 * OUTGOING_PARTS, 'y', 2 * OUTGOING_PARTS);
    struct buf all = gather(&o);
    assert_int_equal(o.n_parts, OUTGOING_PARTS);
    assert_int_equal(buf_len(&all), 2 * OUTGOING_PARTS + 2);
    assert_null(memchr(all.data, 'y', buf_len(&all)));
    assert_memory_equal(all.data + buf_len(&all) - 2, "!?", 2);
    buf_reset(&all);
    outgoing_fini(&o);
}

/* Against the obvious way: one buffer that everything is copied to. */
static void test_outgoing_equals_a_plain_concatenation_on_random_calls(void **state)
{
    (void)state;
    static uint8_t source[4096];
    uint64_t seed = rand_u64() | 1;
    struct outgoing o = {0};
    print_message("seed %llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < sizeof source; i++)
        source[i] = (uint8_t)rand_next(&seed);
    for (int round = 0; round < 300; round++) {
        struct buf want = {0};
        size_t at = 0;
        uint64_t calls = rand_next(&seed) % 300;
        for (uint64_t i = 0; i < calls; i++) {
            size_t n = rand_next(&seed) % (rand_next(&seed) % 4 ? 40 : 2 * OUTGOING_COPIED);
            if (rand_next(&seed) % 3)
                at = rand_next(&seed) % (sizeof source - 2 * OUTGOING_COPIED);
            if (rand_next(&seed) % 2)
                outgoing_ref(&o, source + at, n);
            else
                buf_append(outgoing_buf(&o), source + at, n);
            buf_append(&want, source + at, n);
            at = (at + n) % (sizeof source - 2 * OUTGOING_COPIED);
        }
        assert_int_equal(outgoing_bytes(&o), buf_len(&want));
        struct buf got = gather(&o);
        if (!span_equal(buf_span(&got), buf_span(&want)))
            fail_msg("round %d differs", round);
        buf_reset(&got);
        buf_reset(&want);
        outgoing_clear(&o);
    }
    outgoing_fini(&o);
}

static void test_outgoing_gives_a_huge_scratch_back(void **state)
{
    (void)state;
    struct outgoing o = {0};
    buf_reserve(outgoing_buf(&o), 1 << 20);
    outgoing_clear(&o);
    assert_int_equal(o.scratch.cap, 0);
    buf_append(outgoing_buf(&o), "x", 1);
    outgoing_clear(&o);
    assert_int_not_equal(o.scratch.cap, 0);
    outgoing_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outgoing_keeps_the_order_of_calls),
        cmocka_unit_test(test_outgoing_copies_short_pieces_behind_bytes_of_ours),
        cmocka_unit_test(test_outgoing_merges_adjacent_pieces),
        cmocka_unit_test(test_outgoing_copies_when_its_parts_are_used_up),
        cmocka_unit_test(test_outgoing_equals_a_plain_concatenation_on_random_calls),
        cmocka_unit_test(test_outgoing_gives_a_huge_scratch_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
