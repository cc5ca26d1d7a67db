/* SPDX-License-Identifier: PostgreSQL */
/* notation.h - messages of the protocol as text, in both directions.
 *
 *     Query "SELECT 1"                     Parse "name" "text" [type OID …]
 *     Bind "portal" "statement" ["value" | null …]
 *     Describe S "name"    Close P "name"  Execute "portal" [rows]
 *     ErrorResponse "57014" "text" [severity ["detail" ["hint"]]]       DataRow ["value" | null …]
 *     RowDescription ["column" …]          ReadyForQuery T
 *     StartupMessage "user" "app" …        CancelRequest "key"       SSLRequest
 *     Bytes 51 0000 "raw"                  Byte "N" (the answer to SSLRequest)
 *
 * Names are those of the manual (proto/message.h). What comes is written as words too and held
 * against the words that were expected: * matches any word, ... all that follow; $x matches
 * anything the first time and the same thing from then on; of an error or a notice the end may be
 * left away. */
#ifndef REPLAY_NOTATION_H
#define REPLAY_NOTATION_H

#include "base/buf.h"
#include "replay/words.h"

/* Who speaks. */
enum speaker {
    SPEAKER_FRONTEND,
    SPEAKER_BACKEND,
};

/* Appends the message that the words describe. */
bool notation_build(struct buf *out, enum speaker who, const struct word *w, size_t n,
                    struct error *err);
/* Appends the text of one whole message. A malformed body is shown as Malformed with its bytes. */
void notation_show(struct buf *text, enum speaker who, struct span message);
/* The same for a packet that opens a connection. */
void notation_show_startup(struct buf *text, struct span packet);
/* Appends words as they would stand in a script. */
void notation_show_words(struct buf *text, const struct word *w, size_t n);

/* What $x stands for, while one script runs. */
struct bindings {
    struct words names, values;
};
void bindings_free(struct bindings *b);

bool notation_matches(struct bindings *b, const struct word *want, size_t n_want,
                      const struct word *got, size_t n_got);

#endif
