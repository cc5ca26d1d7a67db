/* SPDX-License-Identifier: PostgreSQL */
/* base64.c - strict base64. */
#include "auth/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(struct span in, char *out)
{
    size_t at = 0;
    for (size_t i = 0; i < in.n; i += 3) {
        size_t n = in.n - i;
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

/* What the characters from ' ' on stand for; -1: nothing. */
static const int8_t values[] = {
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 62, -1, -1, -1, 63, 52, 53, 54, 55, 56, 57, 58, 59,
    60, 61, -1, -1, -1, -1, -1, -1, -1, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, -1, -1, -1, -1, -1, -1, 26, 27, 28, 29, 30, 31, 32,
    33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, -1, -1, -1, -1, -1,
};

static int value_of(uint8_t c)
{
    uint8_t at = (uint8_t)(c - ' ');
    return at < sizeof values ? values[at] : -1;
}

/* Four characters; negative: not all of them are digits. */
static int32_t value_of_four(const uint8_t *p)
{
    int a = value_of(p[0]), b = value_of(p[1]), c = value_of(p[2]), d = value_of(p[3]);
    return (a | b | c | d) < 0 ? -1 : a << 18 | b << 12 | c << 6 | d;
}

/* The last four characters, which end with `pad` signs: 3 - pad bytes, and no bit beyond them. */
static bool decode_end(const uint8_t *p, size_t pad, uint8_t *out)
{
    const uint8_t padded[4] = {p[0], p[1], pad == 2 ? (uint8_t)'A' : p[2], 'A'};
    int32_t v = value_of_four(padded);
    if (v < 0 || v & (pad == 2 ? 0xffff : 0xff))
        return false;
    *out++ = (uint8_t)(v >> 16);
    if (pad == 1)
        *out = (uint8_t)(v >> 8);
    return true;
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

    size_t whole = pad ? text.n - 4 : text.n;
    for (size_t i = 0; i < whole; i += 4) {
        int32_t v = value_of_four(text.p + i);
        if (v < 0)
            return false;
        *out++ = (uint8_t)(v >> 16);
        *out++ = (uint8_t)(v >> 8);
        *out++ = (uint8_t)v;
    }
    *n_out = n;
    return !pad || decode_end(text.p + whole, pad, out);
}
