/* SPDX-License-Identifier: PostgreSQL */
/* auth_fixture.h - what the tests of auth/ share. */
#ifndef TEST_UNIT_AUTH_FIXTURE_H
#define TEST_UNIT_AUTH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "auth/auth.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static inline int auth_set_up(void **state)
{
    (void)state;
    return auth_init(NULL) ? 0 : -1;
}

static inline int auth_tear_down(void **state)
{
    (void)state;
    auth_fini();
    return 0;
}

static inline void assert_span_is(struct span actual, const char *expected)
{
    assert_int_equal(actual.n, strlen(expected));
    if (actual.n)
        assert_memory_equal(actual.p, expected, actual.n);
}

static inline void assert_hex(const uint8_t *bytes, size_t n, const char *hex)
{
    static const char digits[] = "0123456789abcdef";
    assert_int_equal(strlen(hex), 2 * n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(hex[2 * i], digits[bytes[i] >> 4]);
        assert_int_equal(hex[2 * i + 1], digits[bytes[i] & 15]);
    }
}

#endif
