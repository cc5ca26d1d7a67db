/* SPDX-License-Identifier: PostgreSQL */
/* scram_text.h - the grammar of SCRAM messages (RFC 5802 section 7), for both sides.
 *
 *   message  = attr-val *("," attr-val)          attr-val = ALPHA "=" value
 *   value    = 1*value-char                      any UTF-8 except NUL and ","
 *   nonce    = "r=" 1*(%x21-2B / %x2D-7E)        printable except ","
 *
 * A user name may be empty ("n="): PostgreSQL's clients send it so. */
#ifndef AUTH_SCRAM_TEXT_H
#define AUTH_SCRAM_TEXT_H

#include "base/buf.h"

/* A reader of attributes. `owes` says that a comma was read, so another attribute must follow. */
struct scram_text {
    const uint8_t *at;
    const uint8_t *end;
    bool owes;
};

struct scram_text scram_text_of(struct span message);
/* Takes `name=value` and the comma behind it. False, and nothing is taken, if something else comes
 * next or the value contains a NUL. */
bool scram_text_attr(struct scram_text *t, char name, struct span *value_out);
/* Takes one optional extension, `ALPHA=value`, and the comma behind it. */
bool scram_text_extension(struct scram_text *t, struct span *value_out);
/* Takes optional extensions up to the end of the message; false unless that ends the message
 * properly. */
bool scram_text_end(struct scram_text *t);
/* The next attribute is "m=": an extension that must not be ignored (section 5.1). */
bool scram_text_is_mandatory_extension(const struct scram_text *t);

bool scram_text_is_nonce(struct span nonce);
/* posit-number = %x31-39 *DIGIT; false above UINT32_MAX. */
bool scram_text_positive(struct span text, uint32_t *out);

/* Append to a message. */
void scram_text_put(struct buf *b, const char *text);
void scram_text_put_base64(struct buf *b, struct span bytes);
void scram_text_put_number(struct buf *b, uint32_t number);

#endif
