/* SPDX-License-Identifier: PostgreSQL */
/* proto_fixture.h - what the tests of src/proto share. */
#ifndef TEST_PROTO_FIXTURE_H
#define TEST_PROTO_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/span.h"
#include "proto/frame.h"
#include "support/guard.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* A literal with its inner NULs, without the one that C appends. */
#define LITERAL(text) span_of((text), sizeof(text) - 1)

/* The same as an initialiser of a static table. */
#define BYTES(text)                                                                                \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

static inline void assert_same_bytes(struct span got, struct span want)
{
    assert_int_equal(got.n, want.n);
    if (want.n)
        assert_memory_equal(got.p, want.p, want.n);
}

#define assert_span_is(got, text) assert_same_bytes((got), LITERAL(text))

/* The body of the one message that *b holds. */
static inline struct span body_of(const struct buf *b, uint8_t type)
{
    struct frame f = {0};
    assert_int_equal(frame_next(buf_span(b), &f), FRAME_OK);
    assert_int_equal(f.type, type);
    assert_true(f.whole);
    assert_int_equal(f.total, buf_len(b));
    return f.body;
}

/* Feeds `parse` the whole body, every truncation of it, and the body with one byte too many, each
 * ending at an unreadable page. Only the whole one may pass. */
static inline void parse_exactly(struct span body, bool (*parse)(struct span))
{
    uint8_t *longer = malloc(body.n + 1);
    assert_non_null(longer);
    memcpy(longer, body.p, body.n);
    longer[body.n] = 'x';
    for (size_t n = 0; n <= body.n + 1; n++) {
        uint8_t *copy = guard_copy(longer, n);
        bool passed = parse(span_of(copy, n));
        guard_free(copy, n);
        if (passed != (n == body.n))
            fail_msg("%zu of %zu bytes: %s", n, body.n, passed ? "passed" : "refused");
    }
    free(longer);
}

#endif
