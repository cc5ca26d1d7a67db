/* SPDX-License-Identifier: PostgreSQL */
/* sql_traits.h - what running a statement may do to what we keep about its session, from its first
 * words. Cheap for the statements that most are: one look at the first letter. */
#ifndef TRACK_SQL_TRAITS_H
#define TRACK_SQL_TRAITS_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* What the loss of the server would leave unknown about what is running. */
enum sql_ending {
    SQL_ENDS_NOTHING, /* it ends no transaction but its own implicit one */
    SQL_ENDS_COMMIT,  /* exactly COMMIT: done or not, the transaction is over */
    SQL_ENDS_ABORT,   /* exactly ROLLBACK: likewise, and nothing is unknown */
    SQL_ENDS_MAYBE,   /* CALL, DO, several statements: a COMMIT may be inside */
};

/* Which names of prepared statements it takes away. */
enum sql_drops {
    SQL_DROPS_NOTHING,
    SQL_DROPS_ONE, /* exactly DEALLOCATE name: sql_head_command says which */
    SQL_DROPS_ALL, /* exactly DEALLOCATE ALL or DISCARD ALL */
};

struct sql_traits {
    uint8_t ending; /* enum sql_ending */
    uint8_t drops;  /* enum sql_drops */
    /* It may change a setting that parsing depends on: SET, RESET, what ends a transaction. What a
     * function sets in passing (set_config) is not seen. */
    bool sets;
};

/* Private: any text. */
struct sql_traits sql_traits_look(struct span text, bool whole);

/* Case does not matter. */
static inline bool sql_begins_with_sel(struct span text)
{
    return text.n > 2 && (text.p[0] | 0x20) == 's' && (text.p[1] | 0x20) == 'e' &&
           (text.p[2] | 0x20) == 'l';
}

/* whole: all of the text is there. Of a text in pieces anything must be expected. Most are one
 * SELECT: without a call. */
static inline struct sql_traits sql_traits_of(struct span text, bool whole)
{
    if (whole && sql_begins_with_sel(text) && !memchr(text.p, ';', text.n - 1))
        return (struct sql_traits){0};
    return sql_traits_look(text, whole);
}

#endif
