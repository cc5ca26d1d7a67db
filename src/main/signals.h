/* SPDX-License-Identifier: PostgreSQL */
/* signals.h - what signals mean. As in PgBouncer:
 *
 *   INT   no new clients; ends when transactions are over    a second INT or TERM: at once
 *   TERM  no new clients; ends when clients have left
 *   QUIT  ends at once                                     (INT and TERM too while it is suspended,
 *                                                          with status 1)
 *   HUP   reload; log files are opened anew
 *   USR1  PAUSE     USR2  RESUME
 *
 * In the url profile INT and TERM wait no longer than SIGNALS_DRAIN_US: platforms that send them
 * kill the process 30 s later. */
#ifndef MAIN_SIGNALS_H
#define MAIN_SIGNALS_H

#include "base/clock.h"

#define SIGNALS_DRAIN_US (25 * US_PER_S)

struct program;

/* On the main loop, until that is freed. */
void signals_watch(struct program *p);

#endif
