/* SPDX-License-Identifier: PostgreSQL */
/* base64.c - strict base64. */
#include "auth/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(struct span in, char *out)
{
    size_t at = 0;
    for (size_t i = 0; i < in.n; i += 3) {
        size_t n = in.n - i < 3 ? in.n - i : 3;
        uint32_t v = (uint32_t)in.p[i] << 16;
        if (n > 1)
            v |= (uint32_t)in.p[i + 1] << 8;
        if (n > 2)
            v |= in.p[i + 2];
        out[at++] = alphabet[v >> 18];
        out[at++] = alphabet[v >> 12 & 63];
        out[at++] = n > 1 ? alphabet[v >> 6 & 63] : '=';
        out[at++] = n > 2 ? alphabet[v & 63] : '=';
    }
    return at;
}

static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

bool base64_decode(struct span text, uint8_t *out, size_t size, size_t *n_out)
{
    size_t pad = 0;
    if (text.n % 4 != 0)
        return false;
    if (text.n && text.p[text.n - 1] == '=')
        pad = text.p[text.n - 2] == '=' ? 2 : 1;
    size_t n = BASE64_BYTES(text.n) - pad;
    if (n > size)
        return false;

    size_t at = 0;
    uint32_t v = 0;
    for (size_t i = 0; i < text.n; i++) {
        int digit = i < text.n - pad ? value_of(text.p[i]) : 0;
        if (digit < 0)
            return false;
        v = v << 6 | (uint32_t)digit;
        if (i % 4 != 3)
            continue;
        for (int shift = 16; shift >= 0; shift -= 8) {
            if (at < n)
                out[at++] = (uint8_t)(v >> shift);
            else if (v >> shift & 0xff)
                return false;
        }
        v = 0;
    }
    *n_out = n;
    return true;
}
