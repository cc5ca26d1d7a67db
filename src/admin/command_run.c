/* SPDX-License-Identifier: PostgreSQL */
/* command_run.c - carry out one command of the console.
 *
 *   at once        what the ledgers and the configuration answer
 *   by a visit     what must be seen or done in each worker's thread (worker/visit.h); it is lost,
 *                  and nothing else, if the client leaves meanwhile
 *   by waiting     command_wait.c
 *
 * Texts of errors are PgBouncer's where it has some. */
#include "admin/command_impl.h"
#include "admin/console_impl.h"
#include "admin/show.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/setting.h"
#include "proto/report.h"
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
#define SQLSTATE_INVALID_PARAMETER_VALUE "22023"

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

enum run_result command_done(struct console *con, const char *tag)
{
    snprintf(con->outcome.tag, sizeof con->outcome.tag, "%s", tag);
    return RUN_DONE;
}

enum run_result command_failed(struct console *con)
{
    con->outcome.failed = true;
    return RUN_DONE;
}

enum run_result command_fail(struct console *con, const char *sqlstate, const char *text)
{
    error_set(&con->outcome.error, sqlstate, "%s", text);
    return command_failed(con);
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

const char *command_database(const struct command *cmd)
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
    command_done(con, "SHOW");
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
        return command_done(con, "SHOW");
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
    const char *database = command_database(&o->cmd);
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
        command_fail(con, SQLSTATE_UNDEFINED_OBJECT, "client not found");
    else if (canceled)
        command_fail(con, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    else
        command_done(con, command_verb_name(verb));
    console_goes_on(con);
}

enum run_result command_send_round(struct console *con, const struct command *cmd, bool canceled)
{
    struct order *o = xcalloc(1, sizeof *o);
    o->cmd = *cmd;
    o->canceled = canceled;
    visit_workers(con->relay, client_id(con->client), visit_order, visited_order, o);
    return RUN_LATER;
}

static enum run_result run_resume(struct console *con, const struct command *cmd)
{
    if (!command_resume(con->relay, command_database(cmd), &con->outcome.error)) {
        if (!cmd->has_name && !inspect_is_paused(con->relay))
            con->outcome.hint = "SHOW DATABASES tells which are paused: RESUME each by its name.";
        return command_failed(con);
    }
    return command_send_round(con, cmd, false);
}

static enum run_result run_kill(struct console *con, const struct command *cmd)
{
    if (!command_kill(con->relay, command_database(cmd), &con->outcome.error))
        return command_failed(con);
    return command_send_round(con, cmd, false);
}

/* ---- the others ------------------------------------------------------------------------ */

static enum run_result run_at_once(struct console *con, const struct command *cmd,
                                   bool (*order)(struct relay *r, const char *database,
                                                 struct error *err))
{
    if (!order(con->relay, command_database(cmd), &con->outcome.error))
        return command_failed(con);
    return command_done(con, command_verb_name(cmd->verb));
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
        command_failed(con);
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
    return command_failed(con);
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
        return command_done(con, "SET");
    }
    if (!s) {
        error_set(&con->outcome.error, SQLSTATE_UNDEFINED_OBJECT,
                  "SET failed: there is no setting \"%s\"", cmd->name);
        return command_failed(con);
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

static void reloaded(struct client *c, bool ok, const struct error *err, void *arg)
{
    struct console *con = c ? client_data(c) : NULL;
    (void)arg;
    if (!con)
        return;
    if (ok) {
        if (err->text[0])
            notify(con, err->text, NULL);
        command_done(con, "RELOAD");
    } else {
        notify(con, err->text, NULL);
        command_fail(con, "F0000", "RELOAD failed, see logs for additional details");
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
        return command_send_round(con, cmd, false);
    case COMMAND_PAUSE:
        return command_run_pause(con, cmd);
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
        return command_run_shutdown(con, cmd);
    case COMMAND_SUSPEND:
        return command_run_suspend(con, cmd);
    case COMMAND_WAIT_CLOSE:
        break;
    }
    return command_run_wait_close(con, cmd);
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
        return command_fail(con, SQLSTATE_INSUFFICIENT_PRIVILEGE, "admin access needed");
    }
    if (order)
        note_order(con, cmd);
    return run_order(con, cmd);
}
