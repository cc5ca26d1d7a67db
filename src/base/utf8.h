/* SPDX-License-Identifier: PostgreSQL */
/* utf8.h - is this UTF-8 (RFC 3629)? For texts of peers that leave us in formats that demand it. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/span.h"

/* Bytes of the character that s begins with, 1 to 4; 0 if it begins with none or is empty. */
size_t utf8_step(struct span s);
bool utf8_is_valid(struct span s);

#endif
