/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_frame: a stream cut into messages, and the short cut over rows against the long way. */
#include <stdlib.h>

#include "proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static size_t skip_slowly(struct span in, uint32_t max_len)
{
    size_t at = 0;
    struct frame f = {0};
    while (frame_next(span_of(in.p + at, in.n - at), &f) == FRAME_OK && f.whole &&
           (f.type == BE_DATA_ROW || f.type == BE_COPY_DATA) && f.type == in.p[0] &&
           f.body_len + 4 <= max_len)
        at += f.total;
    return at;
}

/* What is told about a message does not depend on how much of its body has arrived. */
static void check_in_pieces(struct span in, const struct frame *f)
{
    for (size_t n = 0; n < FRAME_HEADER; n++) {
        struct frame g;
        check(frame_next(span_of(in.p, n), &g) == FRAME_MORE);
    }
    for (size_t n = FRAME_HEADER; n <= f->body.n + FRAME_HEADER && n < 64; n++) {
        struct frame g;
        check(frame_next(span_of(in.p, n), &g) == FRAME_OK);
        check(g.type == f->type && g.total == f->total && g.body_len == f->body_len);
        check(g.whole == (n >= f->total) && g.body.n == n - FRAME_HEADER);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size);
    for (;;) {
        struct frame f = {0};
        check(frame_skip_rows(in, MESSAGE_LEN_MAX) == skip_slowly(in, MESSAGE_LEN_MAX));
        check(frame_skip_rows(in, 9) == skip_slowly(in, 9));
        enum frame_result got = frame_next(in, &f);
        check(got != FRAME_MORE || in.n < FRAME_HEADER);
        if (got != FRAME_OK)
            return 0;
        check(f.total == FRAME_HEADER + (size_t)f.body_len && f.body.n <= f.body_len);
        check(f.whole == (f.body.n == f.body_len) && f.whole == (f.total <= in.n));
        check_in_pieces(in, &f);
        if (!f.whole)
            return 0;
        in = span_of(in.p + f.total, in.n - f.total);
    }
}
