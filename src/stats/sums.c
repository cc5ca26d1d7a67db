/* SPDX-License-Identifier: PostgreSQL */
/* sums.c - add up what workers counted. */
#include "stats/sums.h"

void stats_add(struct stats_sum *sum, const struct stats *row)
{
#define STATS_ADD(field) sum->field += counter_get(&row->field);
    STATS_FIELDS(STATS_ADD)
#undef STATS_ADD
}
