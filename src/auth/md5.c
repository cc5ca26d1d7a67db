/* SPDX-License-Identifier: PostgreSQL */
/* md5.c - PostgreSQL's md5 password texts. */
#include "auth/md5.h"

#include "base/mem.h"
#include "auth/digest.h"

#define PREFIX_LEN 3

bool md5_is_stored_form(struct span text)
{
    if (text.n != MD5_TEXT_LEN || memcmp(text.p, "md5", PREFIX_LEN) != 0)
        return false;
    for (size_t i = PREFIX_LEN; i < MD5_TEXT_LEN; i++) {
        uint8_t c = text.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

static bool md5_text(struct span first, struct span second, char out[MD5_TEXT_LEN + 1],
                     struct error *err)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t sum[MD5_LEN];
    if (!digest_md5(first, second, sum))
        return error_set(err, SQLSTATE_INTERNAL, "md5 is not available in the OpenSSL library");
    memcpy(out, "md5", PREFIX_LEN);
    for (size_t i = 0; i < MD5_LEN; i++) {
        out[PREFIX_LEN + 2 * i] = hex[sum[i] >> 4];
        out[PREFIX_LEN + 2 * i + 1] = hex[sum[i] & 15];
    }
    out[MD5_TEXT_LEN] = '\0';
    mem_wipe(sum, sizeof sum);
    return true;
}

bool md5_stored(struct span password, struct span user, char out[MD5_TEXT_LEN + 1],
                struct error *err)
{
    return md5_text(password, user, out, err);
}

bool md5_answer(struct span stored, const uint8_t salt[MD5_SALT_LEN], char out[MD5_TEXT_LEN + 1],
                struct error *err)
{
    if (!md5_is_stored_form(stored))
        return error_set(err, SQLSTATE_INTERNAL, "not an md5 hash");
    struct span digits = span_of(stored.p + PREFIX_LEN, stored.n - PREFIX_LEN);
    return md5_text(digits, span_of(salt, MD5_SALT_LEN), out, err);
}
