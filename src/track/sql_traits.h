/* SPDX-License-Identifier: PostgreSQL */
/* sql_traits.h - what running a statement may do to what we keep about its session, from its first
 * words. Cheap for the statements that most are: one look at the first letter. */
#ifndef TRACK_SQL_TRAITS_H
#define TRACK_SQL_TRAITS_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

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

/* whole: all of the text is there. Of a text in pieces anything must be expected. */
struct sql_traits sql_traits_of(struct span text, bool whole);

#endif
