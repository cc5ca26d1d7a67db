/* SPDX-License-Identifier: PostgreSQL */
/* command_parse.h - the console's language: text to struct.
 *
 *   query     = *( [ command ] ";" ) [ command ]
 *   command   = ("SHOW" / "SELECT") thing [ clauses ]         ; filter.h
 *             / "SET" word ("=" / "TO") value
 *             / ("PAUSE" / "RESUME" / "KILL" / "RECONNECT" / "WAIT_CLOSE") [ name ]
 *             / ("DISABLE" / "ENABLE") name
 *             / "KILL_CLIENT" number
 *             / "SHUTDOWN" [ "WAIT_FOR_SERVERS" / "WAIT_FOR_CLIENTS" ]
 *             / "RELOAD" / "SUSPEND"
 *   name      = word / <"> … <">, in which "" stands for one quote
 *   value     = name / "'" … "'", in which '' stands for one quote
 *   word      = 1*( letter / digit / "_" )
 *
 * Keywords are read in any case, names as they are. Comments are those of SQL: -- to the end of the
 * line, and nested ones. Pure: no effect but on its arguments. */
#ifndef ADMIN_COMMAND_PARSE_H
#define ADMIN_COMMAND_PARSE_H

#include "admin/filter.h"
#include "admin/show_columns.h"
#include "base/error.h"
#include "base/span.h"
#include "worker/command.h"

#include <stdint.h>

/* A name of a database can be this long (client_startup.c); a value of SET as in PgBouncer. */
#define COMMAND_NAME_MAX 127
#define COMMAND_VALUE_MAX 255

enum command_verb {
    COMMAND_DISABLE,
    COMMAND_ENABLE,
    COMMAND_KILL,
    COMMAND_KILL_CLIENT,
    COMMAND_PAUSE,
    COMMAND_RECONNECT,
    COMMAND_RELOAD,
    COMMAND_RESUME,
    COMMAND_SET,
    COMMAND_SHOW,
    COMMAND_SHUTDOWN,
    COMMAND_SUSPEND,
    COMMAND_WAIT_CLOSE,
};

struct command {
    enum command_verb verb;
    enum show show;                    /* SHOW */
    struct filter filter;              /* ... which rows of it */
    enum shutdown_mode shutdown;       /* SHUTDOWN */
    uint64_t id;                       /* KILL_CLIENT */
    bool has_name;                     /* else the command is about everything */
    char name[COMMAND_NAME_MAX + 1];   /* a database; the key of SET */
    char value[COMMAND_VALUE_MAX + 1]; /* SET */
};

enum command_parsed {
    COMMAND_OK,
    COMMAND_NONE, /* nothing but blanks and comments was left */
    COMMAND_BAD,  /* *err says why; *text is not to be read any further */
};

/* Takes the next command from the front of *text. */
enum command_parsed command_parse(struct span *text, struct command *out, struct error *err);

/* What may help whoever wrote a text that is no command; NULL: nothing beyond the error. */
const char *command_hint(struct span text);

/* In upper case; also the tag of its CommandComplete. */
const char *command_verb_name(enum command_verb verb);

#endif
