/* SPDX-License-Identifier: PostgreSQL */
/* base64.h - base64 (RFC 4648 section 4), strict: no blanks, no line ends, padding required,
 * unused bits zero. */
#ifndef AUTH_BASE64_H
#define AUTH_BASE64_H

#include "base/span.h"

/* Characters for n bytes, without a NUL; bytes that n characters can stand for at most. */
#define BASE64_TEXT(n) (((n) + 2) / 3 * 4)
#define BASE64_BYTES(n) ((n) / 4 * 3)

/* Writes BASE64_TEXT(in.n) characters and no NUL; returns their number. */
size_t base64_encode(struct span in, char *out);
/* False if the text is malformed or stands for more than `size` bytes; what out holds is undefined
 * then. */
bool base64_decode(struct span text, uint8_t *out, size_t size, size_t *n_out);

#endif
