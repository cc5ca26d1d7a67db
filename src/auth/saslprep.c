/* SPDX-License-Identifier: PostgreSQL */
/* saslprep.c - SASLprep through libidn. */
#include "auth/saslprep.h"

#include <stdlib.h>
#include <stringprep.h>

#include "base/mem.h"

/* The profile turns one character into at most 18 (U+FDFA), which are 33 bytes for its 3. */
#define GROWTH 12

static bool is_ascii(struct span in)
{
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] >= 0x80)
            return false;
    }
    return true;
}

/* The normalised password, or NULL if the raw bytes are to be used. */
static char *normalised(struct span in, size_t *n_out)
{
    if (is_ascii(in) || memchr(in.p, '\0', in.n))
        return NULL;
    size_t size = in.n * GROWTH + 1;
    char *text = xmalloc(size);
    memcpy(text, in.p, in.n);
    text[in.n] = '\0';
    /* Passwords are "stored strings" (RFC 4013 section 2.5): unassigned code points count as
     * prohibited. */
    int rc = stringprep(text, size, STRINGPREP_NO_UNASSIGNED, stringprep_saslprep);
    size_t n = rc == STRINGPREP_OK ? strlen(text) : 0;
    if (n == 0) {
        mem_wipe(text, size);
        free(text);
        return NULL;
    }
    *n_out = n;
    return text;
}

char *saslprep(struct span password, size_t *n_out)
{
    char *text = normalised(password, n_out);
    if (text)
        return text;
    *n_out = password.n;
    return xstrndup(password.p, password.n);
}
