/* SPDX-License-Identifier: PostgreSQL */
/* check.h - --check: what a configuration says, what is wrong with it, what is risky. */
#ifndef MAIN_CHECK_H
#define MAIN_CHECK_H

struct options;

/* Reads everything that `o` names and writes to standard output what was understood and every
 * finding with its place, in the order of the files. Returns the exit status: 0 if pgballast would
 * start with it, else that of a failed start. */
int check_configuration(const struct options *o);

#endif
