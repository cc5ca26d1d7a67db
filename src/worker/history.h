/* SPDX-License-Identifier: PostgreSQL */
/* history.h - what has happened lately, in bounded memory: SHOW EVENTS, SHOW ERRORS, the status
 * page.
 *
 *   events   what concerns the program as a whole: starts, reloads, signals, orders of operators
 *   errors   everything that the log has as a warning or worse
 *
 * Both are rings of the last HISTORY_ENTRIES lines. Any thread; a short lock for each line, which
 * is nothing beside writing it to the log. */
#ifndef WORKER_HISTORY_H
#define WORKER_HISTORY_H

#include "base/log.h"

#include <stdint.h>

#define HISTORY_ENTRIES 256
#define HISTORY_TEXT_SIZE 400

enum history_ring { HISTORY_EVENTS, HISTORY_ERRORS, HISTORY_RINGS };

struct history_entry {
    uint64_t id;      /* counts up from 1 in each ring: gaps show what was lost */
    uint64_t wall_us; /* since 1970 */
    enum log_level level;
    char text[HISTORY_TEXT_SIZE]; /* cut to fit */
};

struct history;

struct history *history_new(void);
void history_free(struct history **h);

void history_note(struct history *h, enum history_ring ring, enum log_level level,
                  const char *text);
/* An observer of the log (base/log.h): enters the line where it belongs, if anywhere. */
void history_observe(void *h, enum log_level level, const char *text);

/* The oldest first; entries are borrowed until the callback returns. NULL has none. */
void history_each(struct history *h, enum history_ring ring,
                  void (*fn)(const struct history_entry *e, void *arg), void *arg);

#endif
