/* SPDX-License-Identifier: PostgreSQL */
/* command_wait.c - commands of the console that are answered when something has come to its end:
 * PAUSE, SUSPEND, WAIT_CLOSE, SHUTDOWN. They look again and again; a cancel request ends the
 * waiting, and takes back what the command has begun. */
#include "admin/command_impl.h"
#include "admin/console_impl.h"
#include "base/clock.h"
#include "base/mem.h"
#include "setup/setup.h"
#include "worker/census.h"
#include "worker/command.h"
#include "worker/visit.h"
#include "worker/worker.h"

#include <stdlib.h>

/* How often a command that waits looks whether it is over. */
#define LOOK_AGAIN_US (20 * US_PER_MS)
#define LOOK_SOON_US US_PER_MS

#define SQLSTATE_OBJECT_NOT_IN_STATE "55000"

static void look_again(struct console *con)
{
    timer_set(&con->timer, loop_now(relay_loop(con->relay)) + LOOK_AGAIN_US);
}

static void begin_wait(struct console *con, const struct command *cmd)
{
    con->waiting = *cmd;
    (void)command_was_canceled(con->relay, client_id(con->client)); /* what ran before */
}

static bool is_canceled(struct console *con)
{
    return command_was_canceled(con->relay, client_id(con->client));
}

static void was_canceled(struct console *con)
{
    command_fail(con, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
}

/* True if the wait is over. */
static bool look_at_pause(struct console *con)
{
    switch (command_pause_state(con->relay, command_database(&con->waiting))) {
    case COMMAND_PAUSING:
        return false;
    case COMMAND_PAUSED:
        command_done(con, "PAUSE");
        return true;
    case COMMAND_LIFTED:
        break;
    }
    command_fail(con, SQLSTATE_OBJECT_NOT_IN_STATE, "resumed before all transactions had ended");
    return true;
}

enum run_result command_run_pause(struct console *con, const struct command *cmd)
{
    if (!command_pause(con->relay, command_database(cmd), &con->waiting_began, &con->outcome.error))
        return command_failed(con);
    begin_wait(con, cmd);
    if (look_at_pause(con))
        return RUN_DONE;
    look_again(con);
    return RUN_LATER;
}

/* A PAUSE that is cancelled has not happened; that of somebody else goes on. */
static void cancel_pause(struct console *con)
{
    struct command resume = con->waiting;
    struct error err;
    if (!con->waiting_began) {
        was_canceled(con);
        console_goes_on(con);
        return;
    }
    resume.verb = COMMAND_RESUME;
    if (command_resume(con->relay, command_database(&resume), &err)) {
        (void)command_send_round(con, &resume, true);
        return;
    }
    con->outcome.error = err; /* the program is about to end */
    command_failed(con);
    console_goes_on(con);
}

static void go_on_pausing(struct console *con)
{
    if (look_at_pause(con))
        console_goes_on(con);
    else if (is_canceled(con))
        cancel_pause(con);
    else
        look_again(con);
}

static void visit_census(struct relay *r, void *arg)
{
    census_take(r, arg);
}

static void visited_census(struct client *c, void *arg)
{
    struct census *census = arg;
    struct console *con = c ? client_data(c) : NULL;
    bool over = con && census_stale_servers(census, command_database(&con->waiting)) == 0;
    census_free(&census);
    if (!con)
        return;
    if (over) {
        command_done(con, "WAIT_CLOSE");
    } else if (is_canceled(con)) {
        was_canceled(con);
    } else {
        look_again(con);
        return;
    }
    console_goes_on(con);
}

static void count_stale(struct console *con)
{
    visit_workers(con->relay, client_id(con->client), visit_census, visited_census,
                  census_new(con->relay));
}

enum run_result command_run_wait_close(struct console *con, const struct command *cmd)
{
    if (!command_may_wait_close(con->relay, command_database(cmd), &con->outcome.error))
        return command_failed(con);
    begin_wait(con, cmd);
    count_stale(con);
    return RUN_LATER;
}

static void visit_suspend(struct relay *r, void *arg)
{
    command_suspend_here(r, arg);
}

static void visited_suspend(struct client *c, void *arg)
{
    struct command_suspension *s = arg;
    struct console *con = c ? client_data(c) : NULL;
    bool over = s->unflushed == 0;
    free(s);
    if (!con)
        return;
    if (!command_is_suspended(con->relay)) {
        command_fail(con, SQLSTATE_OBJECT_NOT_IN_STATE, "resumed before everything was sent");
    } else if (over) {
        command_done(con, "SUSPEND");
    } else {
        look_again(con);
        return;
    }
    console_goes_on(con);
}

static void go_round_suspended(struct console *con, bool begins, bool drops)
{
    struct command_suspension *s = xcalloc(1, sizeof *s);
    s->begins = begins;
    s->drops = drops;
    visit_workers(con->relay, client_id(con->client), visit_suspend, visited_suspend, s);
}

static void count_unflushed(struct console *con)
{
    bool overdue = con->wait_until_us && loop_now(relay_loop(con->relay)) >= con->wait_until_us;
    go_round_suspended(con, false, overdue);
}

enum run_result command_run_suspend(struct console *con, const struct command *cmd)
{
    uint64_t patience = setup_config(client_context_of(con->client)->setup)->suspend_timeout_us;
    if (!command_suspend(con->relay, &con->outcome.error))
        return command_failed(con);
    begin_wait(con, cmd);
    con->wait_until_us = patience ? loop_now(relay_loop(con->relay)) + patience : 0;
    go_round_suspended(con, true, false);
    return RUN_LATER;
}

/* The program may end soon after. */
static void look_soon(struct console *con)
{
    timer_set(&con->timer, loop_now(relay_loop(con->relay)) + LOOK_SOON_US);
}

static void go_on_closing(struct console *con)
{
    if (!command_is_closed(con->relay)) {
        look_soon(con);
        return;
    }
    command_done(con, "SHUTDOWN");
    console_goes_on(con);
}

enum run_result command_run_shutdown(struct console *con, const struct command *cmd)
{
    if (cmd->shutdown != SHUTDOWN_NOW && command_is_suspended(con->relay)) {
        con->outcome.hint = "RESUME first: nothing goes on while it is suspended.";
        return command_fail(con, SQLSTATE_OBJECT_NOT_IN_STATE, "pooler is suspended");
    }
    command_shutdown(con->relay, cmd->shutdown);
    /* If it ends at once, so does this connection: that is the answer. */
    if (cmd->shutdown != SHUTDOWN_NOW) {
        begin_wait(con, cmd);
        look_soon(con);
    }
    return RUN_LATER;
}

static void on_timer(void *arg)
{
    struct console *con = arg;
    if (con->waiting.verb == COMMAND_WAIT_CLOSE)
        count_stale(con);
    else if (con->waiting.verb == COMMAND_SUSPEND)
        count_unflushed(con);
    else if (con->waiting.verb == COMMAND_SHUTDOWN)
        go_on_closing(con);
    else
        go_on_pausing(con);
}

void command_timer_init(struct console *con)
{
    timer_init(&con->timer, relay_loop(con->relay), on_timer, con);
}
