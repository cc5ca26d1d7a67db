/* SPDX-License-Identifier: PostgreSQL */
/* frame.c - the tight loop over rows; everything else of frame.h is inline. */
#include "proto/frame.h"

size_t frame_skip_rows(struct span in)
{
    if (in.n < FRAME_HEADER || (in.p[0] != BE_DATA_ROW && in.p[0] != BE_COPY_DATA))
        return 0;
    uint8_t type = in.p[0];
    size_t at = 0;
    while (in.n - at >= FRAME_HEADER && in.p[at] == type) {
        uint32_t len = frame_u32(in.p + at + 1);
        /* The letter is one byte more than len. */
        if (len < 4 || len > MESSAGE_LEN_MAX || len >= in.n - at)
            break;
        at += 1 + (size_t)len;
    }
    return at;
}
