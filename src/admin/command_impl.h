/* SPDX-License-Identifier: PostgreSQL */
/* command_impl.h - between the files that carry out commands of the console; included by
 * command_*.c only. */
#ifndef ADMIN_COMMAND_IMPL_H
#define ADMIN_COMMAND_IMPL_H

#include "admin/console_impl.h"

/* ---- what became of it: each returns RUN_DONE ---- */

enum run_result command_done(struct console *con, const char *tag);
enum run_result command_fail(struct console *con, const char *sqlstate, const char *text);
/* con->outcome.error is set. */
enum run_result command_failed(struct console *con);

/* ---- parts ---- */

/* NULL: the command is about all. */
const char *command_database(const struct command *cmd);
/* RESUME, KILL and KILL_CLIENT in each worker. `canceled`: a RESUME that takes a PAUSE back, whose
 * client learns that it was cancelled. */
enum run_result command_send_round(struct console *con, const struct command *cmd, bool canceled);

/* command_wait.c */
enum run_result command_run_pause(struct console *con, const struct command *cmd);
enum run_result command_run_suspend(struct console *con, const struct command *cmd);
enum run_result command_run_wait_close(struct console *con, const struct command *cmd);
enum run_result command_run_shutdown(struct console *con, const struct command *cmd);

#endif
