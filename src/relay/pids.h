/* SPDX-License-Identifier: PostgreSQL */
/* pids.h - the process numbers that clients were told, by those of the servers they use.
 *
 * A NotificationResponse names the process that has notified. Clients compare that with the number
 * in their BackendKeyData, which is ours (cancel.h), so the one is put in place of the other.
 * Servers of all workers are in one table under its lock, which is taken when a server opens and
 * closes and when somebody is notified; whom a server serves is an atomic in its entry. */
#ifndef RELAY_PIDS_H
#define RELAY_PIDS_H

#include "base/span.h"

#include <stdatomic.h>
#include <stdint.h>

struct lent;
struct pid_entry;
struct pids;
struct target;

struct pids *pids_new(void);
/* No server is left. */
void pids_free(struct pids **p);

/* The server of l is open; NULL if it has told no process number. */
struct pid_entry *pids_add(struct pids *p, const struct target *target, uint32_t pid);
/* Clears the pointer; NULL inside is fine. */
void pids_remove(struct pid_entry **e);

/* The server is linked to a client whose key begins with these bytes; NULL is fine. */
void pids_note_client(struct pid_entry *e, const uint8_t key[4]);
/* What the client was told that uses this server of the target, or did so last; `pid` itself if it
 * is no server of ours. */
uint32_t pids_told(struct pids *p, const struct target *target, uint32_t pid);

#endif
