/* SPDX-License-Identifier: PostgreSQL */
/* track_fixture.h - what the tests of src/track share. */
#ifndef TEST_TRACK_FIXTURE_H
#define TEST_TRACK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/rand.h"
#include "base/span.h"
#include "base/str.h"
#include "track/parameters.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static inline void assert_span(struct span got, const char *want)
{
    if (!span_is(got, want))
        fail_msg("got \"%.*s\", not \"%s\"", (int)got.n, (const char *)got.p, want);
}

/* A set from pairs of strings that end with NULL. */
static inline struct param_set *set_of(const char *const *pairs)
{
    struct param_builder *b = param_builder_new(NULL);
    for (; *pairs; pairs += 2)
        assert_true(param_builder_put(b, span_str(pairs[0]), span_str(pairs[1])));
    return param_builder_finish(&b);
}

#define SET(...) set_of((const char *const[]){__VA_ARGS__, NULL})

/* "name=value;name=value", as the set orders them. */
static inline const char *set_text(const struct param_set *set, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < param_set_count(set); i++) {
        struct span name, value;
        param_set_at(set, i, &name, &value);
        at += (size_t)snprintf(out + at, size - at, "%s%.*s=%.*s", i ? ";" : "", (int)name.n,
                               (const char *)name.p, (int)value.n, (const char *)value.p);
        assert_true(at < size);
    }
    return out;
}

static inline void assert_set(const struct param_set *set, const char *want)
{
    char got[8192];
    assert_string_equal(set_text(set, got, sizeof got), want);
}

#endif
