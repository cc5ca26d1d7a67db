/* SPDX-License-Identifier: PostgreSQL */
/* command_run.c - carry out one command of the console.
 *
 *   at once        what the ledgers and the configuration answer
 *   by a visit     what must be seen or done in each worker's thread (worker/visit.h); it is lost,
 *                  and nothing else, if the client leaves meanwhile
 *   by waiting     PAUSE, SUSPEND, WAIT_CLOSE and SHUTDOWN look again and again until what they
 * wait for has come
 *
 * Texts of errors are PgBouncer's where it has some. */
#include "admin/console_impl.h"
#include "admin/show.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/setting.h"
#include "proto/report.h"
#include "setup/setup.h"
#include "worker/census.h"
#include "worker/command.h"
#include "worker/history.h"
#include "worker/inspect.h"
#include "worker/process.h"
#include "worker/visit.h"
#include "worker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQLSTATE_INSUFFICIENT_PRIVILEGE "42501"
#define SQLSTATE_UNDEFINED_OBJECT "42704"
#define SQLSTATE_OBJECT_NOT_IN_STATE "55000"
#define SQLSTATE_INVALID_PARAMETER_VALUE "22023"

/* How often a command that waits looks whether it is over. */
#define LOOK_AGAIN_US (20 * US_PER_MS)
#define LOOK_SOON_US US_PER_MS

static const char help[] = "\n\tSHOW HELP|CONFIG|DATABASES|POOLS|CLIENTS|SERVERS|USERS|VERSION"
                           "\n\tSHOW PEERS|PEER_POOLS"
                           "\n\tSHOW FDS|SOCKETS|ACTIVE_SOCKETS|LISTS|MEM|STATE"
                           "\n\tSHOW DNS_HOSTS|DNS_ZONES"
                           "\n\tSHOW STATS|STATS_TOTALS|STATS_AVERAGES|TOTALS"
                           "\n\tSHOW SETTINGS|TARGETS|HEALTH|LATENCY|EVENTS|ERRORS"
                           "\n\tSHOW ... [WHERE ...] [ORDER BY ...] [LIMIT <n>] [OFFSET <n>]"

                           "\n\tSET <key> = <value>"
                           "\n\tRELOAD"
                           "\n\tPAUSE [<db>]"
                           "\n\tRESUME [<db>]"
                           "\n\tDISABLE <db>"
                           "\n\tENABLE <db>"
                           "\n\tSUSPEND"
                           "\n\tRECONNECT [<db>]"
                           "\n\tWAIT_CLOSE [<db>]"
                           "\n\tKILL [<db>]"
                           "\n\tKILL_CLIENT <client_id>"
                           "\n\tSHUTDOWN"
                           "\n\tSHUTDOWN WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS\n";

/* ---- outcomes -------------------------------------------------------------------------- */

void outcome_fini(struct outcome *o)
{
    rows_fini(&o->rows);
    *o = (struct outcome){0};
}

static enum run_result done(struct console *con, const char *tag)
{
    snprintf(con->outcome.tag, sizeof con->outcome.tag, "%s", tag);
    return RUN_DONE;
}

/* con->outcome.error is set. */
static enum run_result failed(struct console *con)
{
    con->outcome.failed = true;
    return RUN_DONE;
}

static enum run_result fail(struct console *con, const char *sqlstate, const char *text)
{
    error_set(&con->outcome.error, sqlstate, "%s", text);
    return failed(con);
}

static void notify(struct console *con, const char *text, const char *detail)
{
    struct error what;
    error_set(&what, "00000", "%s", text);
    report_notice(console_out(con), "NOTICE", &what, detail, NULL);
}

/* 01000: PostgreSQL's class for warnings. */
static void warn(struct console *con, const struct error *what)
{
    report_notice(console_out(con), "WARNING", what, NULL, NULL);
}

static const char *database_of(const struct command *cmd)
{
    return cmd->has_name ? cmd->name : NULL;
}

/* ---- SHOW ------------------------------------------------------------------------------ */

struct columns command_columns(const struct command *cmd)
{
    return cmd->verb == COMMAND_SHOW ? show_at(cmd->show)->columns : (struct columns){0};
}

static void take_shown(struct console *con, struct show_run *run)
{
    show_finish(con->relay, run);
    show_take_rows(run, &con->outcome.rows);
    done(con, "SHOW");
}

static void visit_show(struct relay *r, void *arg)
{
    show_visit(r, arg);
}

static void visited_show(struct client *c, void *arg)
{
    struct show_run *run = arg;
    struct console *con = c ? client_data(c) : NULL;
    if (con)
        take_shown(con, run);
    show_free(&run);
    if (con)
        console_goes_on(con);
}

static enum run_result run_show(struct console *con, const struct command *cmd)
{
    if (cmd->show == SHOW_HELP) {
        notify(con, "Console usage", help);
        return done(con, "SHOW");
    }
    struct show_run *run = show_begin(con->relay, cmd->show, &cmd->filter);
    if (show_visits(cmd->show)) {
        visit_workers(con->relay, client_id(con->client), visit_show, visited_show, run);
        return RUN_LATER;
    }
    take_shown(con, run);
    show_free(&run);
    return RUN_DONE;
}

/* ---- orders that each worker carries out ----------------------------------------------- */

struct order {
    struct command cmd;
    bool found;    /* KILL_CLIENT */
    bool canceled; /* RESUME: it takes a PAUSE back that was not to be waited for */
};

static void visit_order(struct relay *r, void *arg)
{
    struct order *o = arg;
    const char *database = database_of(&o->cmd);
    if (o->cmd.verb == COMMAND_RESUME)
        command_resume_here(r, database);
    else if (o->cmd.verb == COMMAND_KILL)
        command_kill_here(r, database);
    else if (command_kill_client_here(r, o->cmd.id))
        o->found = true;
}

static void visited_order(struct client *c, void *arg)
{
    struct order *o = arg;
    struct console *con = c ? client_data(c) : NULL;
    enum command_verb verb = o->cmd.verb;
    bool missed = verb == COMMAND_KILL_CLIENT && !o->found;
    bool canceled = o->canceled;
    free(o);
    if (!con)
        return;
    if (missed)
        fail(con, SQLSTATE_UNDEFINED_OBJECT, "client not found");
    else if (canceled)
        fail(con, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    else
        done(con, command_verb_name(verb));
    console_goes_on(con);
}

static enum run_result send_round(struct console *con, const struct command *cmd, bool canceled)
{
    struct order *o = xcalloc(1, sizeof *o);
    o->cmd = *cmd;
    o->canceled = canceled;
    visit_workers(con->relay, client_id(con->client), visit_order, visited_order, o);
    return RUN_LATER;
}

static enum run_result run_resume(struct console *con, const struct command *cmd)
{
    if (!command_resume(con->relay, database_of(cmd), &con->outcome.error)) {
        if (!cmd->has_name && !inspect_is_paused(con->relay))
            con->outcome.hint = "SHOW DATABASES tells which are paused: RESUME each by its name.";
        return failed(con);
    }
    return send_round(con, cmd, false);
}

static enum run_result run_kill(struct console *con, const struct command *cmd)
{
    if (!command_kill(con->relay, database_of(cmd), &con->outcome.error))
        return failed(con);
    return send_round(con, cmd, false);
}

/* ---- orders that are waited for -------------------------------------------------------- */

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

/* True if the wait is over. */
static bool look_at_pause(struct console *con)
{
    switch (command_pause_state(con->relay, database_of(&con->waiting))) {
    case COMMAND_PAUSING:
        return false;
    case COMMAND_PAUSED:
        done(con, "PAUSE");
        return true;
    case COMMAND_LIFTED:
        break;
    }
    fail(con, SQLSTATE_OBJECT_NOT_IN_STATE, "resumed before all transactions had ended");
    return true;
}

static enum run_result run_pause(struct console *con, const struct command *cmd)
{
    if (!command_pause(con->relay, database_of(cmd), &con->outcome.error))
        return failed(con);
    begin_wait(con, cmd);
    if (look_at_pause(con))
        return RUN_DONE;
    look_again(con);
    return RUN_LATER;
}

/* A PAUSE that is cancelled has not happened. */
static void cancel_pause(struct console *con)
{
    struct command resume = con->waiting;
    struct error err;
    resume.verb = COMMAND_RESUME;
    if (command_resume(con->relay, database_of(&resume), &err)) {
        (void)send_round(con, &resume, true);
        return;
    }
    con->outcome.error = err; /* the program is about to end */
    failed(con);
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
    bool over = con && census_stale_servers(census, database_of(&con->waiting)) == 0;
    census_free(&census);
    if (!con)
        return;
    if (over) {
        done(con, "WAIT_CLOSE");
    } else if (is_canceled(con)) {
        fail(con, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
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

static enum run_result run_wait_close(struct console *con, const struct command *cmd)
{
    if (!command_may_wait_close(con->relay, database_of(cmd), &con->outcome.error))
        return failed(con);
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
        fail(con, SQLSTATE_OBJECT_NOT_IN_STATE, "resumed before everything was sent");
    } else if (over) {
        done(con, "SUSPEND");
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

static enum run_result run_suspend(struct console *con, const struct command *cmd)
{
    uint64_t patience = setup_config(client_context_of(con->client)->setup)->suspend_timeout_us;
    if (!command_suspend(con->relay, &con->outcome.error))
        return failed(con);
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
    done(con, "SHUTDOWN");
    console_goes_on(con);
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

/* ---- the others ------------------------------------------------------------------------ */

static enum run_result run_at_once(struct console *con, const struct command *cmd,
                                   bool (*order)(struct relay *r, const char *database,
                                                 struct error *err))
{
    if (!order(con->relay, database_of(cmd), &con->outcome.error))
        return failed(con);
    return done(con, command_verb_name(cmd->verb));
}

/* Settings that drivers set without being asked. */
static bool is_probe(const char *key)
{
    enum show what;
    struct span name = span_str(key);
    if (span_is_nocase(name, "application_name") || span_is_nocase(name, "extra_float_digits"))
        return true;
    return show_find(name, &what) && show_at(what)->probe;
}

static void set_done(struct console *con, const struct command *cmd)
{
    snprintf(con->outcome.tag, sizeof con->outcome.tag, "SET %s=%s", cmd->name, cmd->value);
}

static void was_set(struct client *c, bool ok, const struct error *err, void *arg)
{
    struct console *con = c ? client_data(c) : NULL;
    struct command *cmd = arg;
    if (con && ok) {
        set_done(con, cmd);
    } else if (con) {
        error_set(&con->outcome.error, SQLSTATE_INVALID_PARAMETER_VALUE, "SET failed: %s",
                  err->text);
        failed(con);
    }
    free(cmd);
    if (con)
        console_goes_on(con);
}

static enum run_result was_refused(struct console *con, const struct command *cmd,
                                   const struct error *why)
{
    error_set(&con->outcome.error, SQLSTATE_INVALID_PARAMETER_VALUE,
              "SET failed: invalid value for \"%s\": %s", cmd->name, why->text);
    return failed(con);
}

/* Scripts set such things too, and PgBouncer says nothing: so it is no error, but said. */
static enum run_result run_set_for_restart(struct console *con, const struct command *cmd)
{
    struct error what;
    error_set(&what, "01000", "\"%s\" counts from the start of the program on: nothing was changed",
              cmd->name);
    warn(con, &what);
    set_done(con, cmd);
    return RUN_DONE;
}

static enum run_result run_set(struct console *con, const struct command *cmd)
{
    struct error err;
    const struct setting *s = setting_find(span_str(cmd->name));
    if (is_probe(cmd->name)) {
        notify(con, "SET ignored", NULL);
        return done(con, "SET");
    }
    if (!s) {
        error_set(&con->outcome.error, SQLSTATE_UNDEFINED_OBJECT,
                  "SET failed: there is no setting \"%s\"", cmd->name);
        return failed(con);
    }
    if (!setting_accepts(s, cmd->value, &err))
        return was_refused(con, cmd, &err);
    if (!(s->flags & SETTING_RELOAD))
        return run_set_for_restart(con, cmd);
    if (s->flags & SETTING_INERT)
        notify(con, "this setting changes nothing in this version", NULL);
    struct command *copy = xmalloc(sizeof *copy);
    *copy = *cmd;
    process_set(con->relay, client_id(con->client), cmd->name, cmd->value, was_set, copy);
    return RUN_LATER;
}

static enum run_result run_shutdown(struct console *con, const struct command *cmd)
{
    if (cmd->shutdown != SHUTDOWN_NOW && command_is_suspended(con->relay)) {
        con->outcome.hint = "RESUME first: nothing goes on while it is suspended.";
        return fail(con, SQLSTATE_OBJECT_NOT_IN_STATE, "pooler is suspended");
    }
    command_shutdown(con->relay, cmd->shutdown);
    /* If it ends at once, so does this connection: that is the answer. */
    if (cmd->shutdown != SHUTDOWN_NOW) {
        begin_wait(con, cmd);
        look_soon(con);
    }
    return RUN_LATER;
}

static void reloaded(struct client *c, bool ok, const struct error *err, void *arg)
{
    struct console *con = c ? client_data(c) : NULL;
    (void)arg;
    if (!con)
        return;
    if (ok) {
        if (err->text[0])
            notify(con, err->text, NULL);
        done(con, "RELOAD");
    } else {
        notify(con, err->text, NULL);
        fail(con, "F0000", "RELOAD failed, see logs for additional details");
    }
    console_goes_on(con);
}

static enum run_result run_order(struct console *con, const struct command *cmd)
{
    switch (cmd->verb) {
    case COMMAND_DISABLE:
        return run_at_once(con, cmd, command_disable);
    case COMMAND_ENABLE:
        return run_at_once(con, cmd, command_enable);
    case COMMAND_KILL:
        return run_kill(con, cmd);
    case COMMAND_KILL_CLIENT:
        return send_round(con, cmd, false);
    case COMMAND_PAUSE:
        return run_pause(con, cmd);
    case COMMAND_RECONNECT:
        return run_at_once(con, cmd, command_reconnect);
    case COMMAND_RELOAD:
        process_reload(con->relay, client_id(con->client), reloaded, NULL);
        return RUN_LATER;
    case COMMAND_RESUME:
        return run_resume(con, cmd);
    case COMMAND_SET:
        return run_set(con, cmd);
    case COMMAND_SHOW:
        return run_show(con, cmd);
    case COMMAND_SHUTDOWN:
        return run_shutdown(con, cmd);
    case COMMAND_SUSPEND:
        return run_suspend(con, cmd);
    case COMMAND_WAIT_CLOSE:
        break;
    }
    return run_wait_close(con, cmd);
}

/* PgBouncer's form. Values of settings may be secret. Owned. */
static char *order_text(const struct command *cmd)
{
    static const char *const modes[] = {
        [SHUTDOWN_NOW] = "",
        [SHUTDOWN_WAIT_FOR_SERVERS] = " WAIT_FOR_SERVERS",
        [SHUTDOWN_WAIT_FOR_CLIENTS] = " WAIT_FOR_CLIENTS",
    };
    const char *verb = command_verb_name(cmd->verb);
    if (cmd->verb == COMMAND_SET)
        return xasprintf("SET %s", cmd->name);
    if (cmd->verb == COMMAND_KILL_CLIENT)
        return xasprintf("%s '%llu'", verb, (unsigned long long)cmd->id);
    if (cmd->has_name)
        return xasprintf("%s '%s'", verb, cmd->name);
    return xasprintf("%s%s", verb, modes[cmd->shutdown]);
}

static void note_order(struct console *con, const struct command *cmd)
{
    struct history *history = inspect_history(con->relay);
    char *order = order_text(cmd);
    client_log(con->client, LOG_INFO_LEVEL, "%s command issued", order);
    if (history) {
        char *text = xasprintf("%s command issued by %s", order, client_user(con->client));
        history_note(history, HISTORY_EVENTS, LOG_INFO_LEVEL, text);
        free(text);
    }
    free(order);
}

/* Looking is free but at descriptors, as in PgBouncer. */
static bool is_order(const struct command *cmd)
{
    if (cmd->verb == COMMAND_SHOW)
        return false;
    return cmd->verb != COMMAND_SET || !is_probe(cmd->name);
}

enum run_result command_run(struct console *con, const struct command *cmd)
{
    bool order = is_order(cmd);
    bool free = !order && !(cmd->verb == COMMAND_SHOW && cmd->show == SHOW_FDS);
    if (!free && !con->may_admin) {
        con->outcome.hint =
            "Users named in admin_users have it; those in stats_users may only look.";
        return fail(con, SQLSTATE_INSUFFICIENT_PRIVILEGE, "admin access needed");
    }
    if (order)
        note_order(con, cmd);
    return run_order(con, cmd);
}
