/* SPDX-License-Identifier: PostgreSQL */
/* scram_text.c - the grammar of SCRAM messages. */
#include "auth/scram_text.h"

#include "auth/base64.h"

struct scram_text scram_text_of(struct span message)
{
    const uint8_t *end = message.n ? message.p + message.n : message.p;
    return (struct scram_text){.at = message.p, .end = end, .owes = true};
}

static size_t left(const struct scram_text *t)
{
    return (size_t)(t->end - t->at);
}

bool scram_text_attr(struct scram_text *t, char name, struct span *value_out)
{
    if (left(t) < 2 || t->at[0] != (uint8_t)name || t->at[1] != '=')
        return false;
    const uint8_t *value = t->at + 2;
    size_t n = left(t) - 2;
    const uint8_t *comma = memchr(value, ',', n);
    if (comma)
        n = (size_t)(comma - value);
    if (memchr(value, '\0', n))
        return false;
    *value_out = span_of(value, n);
    t->owes = comma != NULL;
    t->at = comma ? comma + 1 : t->end;
    return true;
}

static bool is_alpha(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool scram_text_extension(struct scram_text *t, struct span *value_out)
{
    return left(t) >= 2 && is_alpha(t->at[0]) && scram_text_attr(t, (char)t->at[0], value_out) &&
           value_out->n > 0;
}

bool scram_text_end(struct scram_text *t)
{
    struct span ignored;
    while (t->owes) {
        if (!scram_text_extension(t, &ignored))
            return false;
    }
    return true;
}

bool scram_text_is_mandatory_extension(const struct scram_text *t)
{
    return left(t) >= 2 && t->at[0] == 'm' && t->at[1] == '=';
}

bool scram_text_is_nonce(struct span nonce)
{
    for (size_t i = 0; i < nonce.n; i++) {
        if (nonce.p[i] < 0x21 || nonce.p[i] > 0x7e || nonce.p[i] == ',')
            return false;
    }
    return nonce.n > 0;
}

bool scram_text_positive(struct span text, uint32_t *out)
{
    uint64_t v = 0;
    if (text.n == 0 || text.n > 10 || text.p[0] == '0')
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(text.p[i] - '0');
    }
    if (v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

void scram_text_put(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void scram_text_put_base64(struct buf *b, struct span bytes)
{
    char *text = (char *)buf_reserve(b, BASE64_TEXT(bytes.n));
    buf_commit(b, base64_encode(bytes, text));
}

void scram_text_put_number(struct buf *b, uint32_t number)
{
    char digits[10]; /* of UINT32_MAX */
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    buf_append(b, digits + at, sizeof digits - at);
}
