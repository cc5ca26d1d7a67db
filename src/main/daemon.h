/* SPDX-License-Identifier: PostgreSQL */
/* daemon.h - what the program is to the operating system: account, background, pid file, what it
 * leaves behind. */
#ifndef MAIN_DAEMON_H
#define MAIN_DAEMON_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/* No core dumps and no debugger of the same account, since passwords are in memory; files are made
 * without rights for others. */
void daemon_harden(void);

/* Becomes the account `name` ("" if none is named). Root must name one. */
bool daemon_switch_user(const char *name, struct error *err);

/* Goes into the background: returns in the child only, with a descriptor for daemon_started; the
 * parent waits for that and leaves with the status. -1 and *err if it cannot. Before threads. */
int daemon_detach(struct error *err);
/* What the parent leaves with; closes the descriptor, from when on the standard descriptors lead
 * nowhere. */
void daemon_started(int fd, int status);

/* False if a process that lives, and is not the one whose place we take (0: none), has written its
 * own id. */
bool daemon_may_write_pidfile(const char *path, pid_t predecessor, struct error *err);
/* Writes our process id, under the same condition; the second in the place of the predecessor's. */
bool daemon_write_pidfile(const char *path, struct error *err);
bool daemon_replace_pidfile(const char *path, pid_t predecessor, struct error *err);
/* Removes it if it is ours. */
void daemon_remove_pidfile(const char *path);

#endif
