/* SPDX-License-Identifier: PostgreSQL */
/* utf8.c - is this UTF-8? */
#include "base/utf8.h"

/* RFC 3629, section 4. What follows the second byte is always 80..BF. The bounds of the second
 * leave out overlong forms, surrogates and what is above U+10FFFF. */
static const struct lead {
    uint8_t from, to, n, second_low, second_high;
} leads[] = {
    {0x00, 0x7F, 1, 0, 0},       {0xC2, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF},
    {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF},
    {0xF0, 0xF0, 4, 0x90, 0xBF}, {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F},
};

static bool follows(const struct lead *lead, struct span s)
{
    if (s.n < lead->n)
        return false;
    if (lead->n > 1 && (s.p[1] < lead->second_low || s.p[1] > lead->second_high))
        return false;
    for (size_t i = 2; i < lead->n; i++) {
        if (s.p[i] < 0x80 || s.p[i] > 0xBF)
            return false;
    }
    return true;
}

size_t utf8_step(struct span s)
{
    if (s.n == 0)
        return 0;
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++) {
        if (s.p[0] >= leads[i].from && s.p[0] <= leads[i].to)
            return follows(&leads[i], s) ? leads[i].n : 0;
    }
    return 0;
}

bool utf8_is_valid(struct span s)
{
    while (s.n > 0) {
        size_t n = utf8_step(s);
        if (n == 0)
            return false;
        s = span_of(s.p + n, s.n - n);
    }
    return true;
}
