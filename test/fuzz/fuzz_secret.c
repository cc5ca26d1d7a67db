/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_secret: a text that is taken for a SCRAM verifier is written the same again, so nothing that
 * is not exactly one is taken for one; and no form accepts its own text as the password, except
 * the plain one. */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "auth/auth.h"
#include "auth/base64.h"
#include "auth/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void append_base64(struct buf *b, const uint8_t *p, size_t n)
{
    char *text = (char *)buf_reserve(b, BASE64_TEXT(n));
    buf_commit(b, base64_encode(span_of(p, n), text));
}

static void check_scram_text(const struct secret *s)
{
    struct scram_verifier v;
    struct buf b = {0};
    char head[64];
    if (!secret_verifier(s, 1, &v, NULL))
        abort();
    int n = snprintf(head, sizeof head, SCRAM_NAME_PLAIN "$%u:", (unsigned)v.iterations);
    buf_append(&b, head, (size_t)n);
    append_base64(&b, v.salt, v.salt_len);
    buf_append(&b, "$", 1);
    append_base64(&b, v.stored_key, SCRAM_KEY_LEN);
    buf_append(&b, ":", 1);
    append_base64(&b, v.server_key, SCRAM_KEY_LEN);
    if (!span_equal(buf_span(&b), secret_text(s)))
        abort();
    buf_reset(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    if (!auth_init(NULL))
        abort();
    const struct secret *s = secret_new(span_of(data, size), &err);
    if (!s) {
        if (err.text[0] == '\0')
            abort();
        return 0;
    }
    switch (secret_kind_of(s)) {
    case SECRET_NONE:
    case SECRET_MD5:
    case SECRET_PLAIN: {
        bool same = secret_check_password(s, span_str("u"), secret_text(s), NULL, NULL);
        if (same != (secret_kind_of(s) == SECRET_PLAIN))
            abort();
        break;
    }
    case SECRET_SCRAM: /* checking a password may take 100 000 iterations */
        check_scram_text(s);
        break;
    }
    secret_unref(&s);
    return 0;
}
