/* SPDX-License-Identifier: PostgreSQL */
/* prepared_fixture.h - what the tests of prepared statements share. */
#ifndef TEST_UNIT_TRACK_PREPARED_FIXTURE_H
#define TEST_UNIT_TRACK_PREPARED_FIXTURE_H

#include "track_fixture.h"

#include "proto/frame.h"
#include "proto/frontend.h"
#include "proto/writer.h"
#include "track/prepared.h"

static const struct span no_oids = {NULL, 0};

static inline struct statement *intern(const char *query, struct param_set *params)
{
    return statement_intern(span_str(query), no_oids, 0, params, definitions_of("db"));
}

static inline void assert_unnamed(const struct client_statements *cs, const char *query,
                                  unsigned n_oids)
{
    struct buf out = {0};
    struct frame f = {0};
    struct frontend_parse m;
    assert_true(client_statements_build_unnamed(cs, &out));
    assert_int_equal(frame_next(buf_span(&out), &f), FRAME_OK);
    assert_true(f.whole && f.total == buf_len(&out));
    assert_true(frontend_parse_parse(f.body, &m));
    assert_span(m.name, "");
    assert_span(m.query, query);
    assert_int_equal(m.n_oids, n_oids);
    for (unsigned i = 0; i < n_oids; i++)
        assert_int_equal(m.oids.p[4 * i + 3], 20 + i);
    buf_reset(&out);
}

#endif
