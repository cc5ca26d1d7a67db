/* SPDX-License-Identifier: PostgreSQL */
/* frame.c - the tight loop over rows; everything else of frame.h is inline. */
#include "proto/frame.h"

size_t frame_skip_rows(struct span in, uint32_t max_len)
{
    if (in.n < FRAME_HEADER || (in.p[0] != BE_DATA_ROW && in.p[0] != BE_COPY_DATA))
        return 0;
    uint8_t type = in.p[0];
    size_t at = 0;
    while (in.n - at >= FRAME_HEADER && in.p[at] == type) {
        uint32_t len = frame_u32(in.p + at + 1);
        /* The letter is one byte more than len. */
        if (frame_len_is_bad(len, max_len) || len >= in.n - at)
            break;
        at += 1 + (size_t)len;
    }
    return at;
}
