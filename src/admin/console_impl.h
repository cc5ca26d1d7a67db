/* SPDX-License-Identifier: PostgreSQL */
/* console_impl.h - the struct behind the console; included by console*.c and command_*.c only. */
#ifndef ADMIN_CONSOLE_IMPL_H
#define ADMIN_CONSOLE_IMPL_H

#include "admin/command_parse.h"
#include "admin/rows.h"
#include "base/buf.h"
#include "base/error.h"
#include "client/client.h"
#include "net/loop.h"
#include "net/outgoing.h"

struct portal;
struct prepared;
struct relay;

/* What became of a command. */
struct outcome {
    bool failed;
    struct error error;
    const char *hint; /* NULL: none */
    struct rows rows; /* without columns: the command has none */
    char tag[COMMAND_NAME_MAX + COMMAND_VALUE_MAX + 8];
};

/* To whom the outcome is due. */
enum console_asked { CONSOLE_ASKED_NONE, CONSOLE_ASKED_QUERY, CONSOLE_ASKED_EXECUTE };

struct console {
    /* Set at birth. */
    struct client *client; /* this is its client_data */
    struct relay *relay;   /* of the client's worker */
    void *session;         /* what the relay had as client_data; it gets it back at the end */
    bool may_admin;

    /* Reading: a message that came in pieces. */
    struct buf message;
    bool too_long; /* its rest goes nowhere */

    /* A command that is under way elsewhere; what comes meanwhile is held. */
    bool busy;
    enum console_asked asked;
    struct outcome outcome;
    struct command waiting; /* PAUSE, SUSPEND, WAIT_CLOSE, SHUTDOWN */
    bool waiting_began;     /* PAUSE: it was not paused before */
    struct timer timer;
    uint64_t wait_until_us; /* SUSPEND; 0: for ever */

    /* The simple protocol: a Query with what is left of it. */
    char *script;
    struct span script_rest;
    bool script_began; /* something of it was a command */
    bool script_held;  /* it goes on when what was said has been sent */

    /* The extended protocol. */
    struct prepared *statements; /* by name */
    struct portal *portals;      /* by name; gone with the next Sync */
    struct portal *executing;    /* the one that the outcome is due to */
    int32_t max_rows;
    bool skip_to_sync;

    struct outgoing out; /* composed, sent at the end of the input */
    struct timer stalled;
    size_t unsent; /* when that was set */
};

/* Every bound of what a console keeps: nobody needs more, and it is not for storing things. */
#define CONSOLE_MESSAGE_MAX 65536
#define CONSOLE_STATEMENTS_MAX 256

/* console.c */
struct buf *console_out(struct console *con);
/* Logs the error, and appends it as ERROR. */
void console_report(struct console *con, const struct error *err, const char *hint);
/* The outcome of a command that was under way is there. The last call in its caller: the client may
 * be gone behind it. */
void console_goes_on(struct console *con);

/* console_extended.c */
void console_parse(struct console *con, struct span body);
void console_bind(struct console *con, struct span body);
void console_describe(struct console *con, struct span body);
void console_execute(struct console *con, struct span body);
void console_close(struct console *con, struct span body);
void console_sync(struct console *con);
/* The outcome of console_execute's command is there. */
void console_executed(struct console *con);
void console_extended_fini(struct console *con);

/* command_run.c */
enum run_result {
    RUN_DONE,  /* con->outcome is what became of it */
    RUN_LATER, /* console_goes_on is called when it is */
};
enum run_result command_run(struct console *con, const struct command *cmd);
/* At birth; timer_fini at the end. */
void command_timer_init(struct console *con);
/* Columns of what the command answers with; none (n is 0) for most. */
struct columns command_columns(const struct command *cmd);
void outcome_fini(struct outcome *o);

#endif
