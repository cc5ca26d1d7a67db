/* SPDX-License-Identifier: PostgreSQL */
#include "relay/cancel_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Which bits are not the same in all of many keys. */
static void moving_bits(int peer, uint8_t moving[CANCEL_KEY])
{
    uint8_t first[CANCEL_KEY], next[CANCEL_KEY];
    memset(moving, 0, CANCEL_KEY);
    cancel_key_draw(first, peer);
    for (int i = 0; i < 200; i++) {
        cancel_key_draw(next, peer);
        for (int at = 0; at < CANCEL_KEY; at++)
            moving[at] |= first[at] ^ next[at];
    }
}

static void test_without_peers_a_key_is_random_as_a_whole(void **state)
{
    static const uint8_t all[CANCEL_KEY] = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t moving[CANCEL_KEY];
    (void)state;
    moving_bits(0, moving);
    assert_memory_equal(moving, all, CANCEL_KEY);
}

static void test_the_number_of_the_peer_and_the_hops_are_all_that_a_key_tells(void **state)
{
    static const uint8_t others[CANCEL_KEY] = {0x7f, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xfc};
    uint8_t moving[CANCEL_KEY], key[CANCEL_KEY];
    (void)state;
    moving_bits(16383, moving);
    assert_memory_equal(moving, others, CANCEL_KEY);
    for (int peer = 1; peer <= 65535; peer += 77) {
        cancel_key_draw(key, peer);
        assert_int_equal(cancel_key_peer(key), peer);
        assert_int_equal(key[1], peer & 0xff);
        assert_int_equal(key[2], peer >> 8);
    }
}

static void test_a_key_is_passed_on_three_times(void **state)
{
    uint8_t drawn[CANCEL_KEY], key[CANCEL_KEY];
    (void)state;
    cancel_key_draw(drawn, 7);
    memcpy(key, drawn, sizeof key);
    for (int i = 0; i < 3; i++)
        assert_true(cancel_key_spend_hop(key));
    assert_int_equal(key[7], drawn[7] & 0xfc);
    assert_false(cancel_key_spend_hop(key));
    cancel_key_restore_hops(key);
    assert_memory_equal(key, drawn, CANCEL_KEY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_peers_a_key_is_random_as_a_whole),
        cmocka_unit_test(test_the_number_of_the_peer_and_the_hops_are_all_that_a_key_tells),
        cmocka_unit_test(test_a_key_is_passed_on_three_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
