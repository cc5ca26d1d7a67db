/* SPDX-License-Identifier: PostgreSQL */
/* message.h - every message of the protocol: its letter, its name, how much of it must be seen.
 *
 * Source: PostgreSQL manual, "Frontend/Backend Protocol", section "Message Formats". One letter can
 * mean two things: 'D' is Describe from a frontend and DataRow from a backend, so there are two
 * tables. Messages without a letter (the startup packets) are in startup.h. */
#ifndef PROTO_MESSAGE_H
#define PROTO_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

enum frontend_type {
    FE_BIND = 'B',
    FE_CLOSE = 'C',
    FE_COPY_DATA = 'd',
    FE_COPY_DONE = 'c',
    FE_COPY_FAIL = 'f',
    FE_DESCRIBE = 'D',
    FE_EXECUTE = 'E',
    FE_FLUSH = 'H',
    FE_FUNCTION_CALL = 'F',
    FE_PARSE = 'P',
    FE_PASSWORD = 'p', /* PasswordMessage, SASLInitialResponse, SASLResponse, GSSResponse */
    FE_QUERY = 'Q',
    FE_SYNC = 'S',
    FE_TERMINATE = 'X',
};

enum backend_type {
    BE_AUTHENTICATION = 'R',
    BE_BACKEND_KEY_DATA = 'K',
    BE_BIND_COMPLETE = '2',
    BE_CLOSE_COMPLETE = '3',
    BE_COMMAND_COMPLETE = 'C',
    BE_COPY_BOTH = 'W',
    BE_COPY_DATA = 'd',
    BE_COPY_DONE = 'c',
    BE_COPY_IN = 'G',
    BE_COPY_OUT = 'H',
    BE_DATA_ROW = 'D',
    BE_EMPTY_QUERY = 'I',
    BE_ERROR = 'E',
    BE_FUNCTION_RESULT = 'V',
    BE_NEGOTIATE_VERSION = 'v',
    BE_NO_DATA = 'n',
    BE_NOTICE = 'N',
    BE_NOTIFICATION = 'A',
    BE_PARAMETER_DESCRIPTION = 't',
    BE_PARAMETER_STATUS = 'S',
    BE_PARSE_COMPLETE = '1',
    BE_PORTAL_SUSPENDED = 's',
    BE_READY_FOR_QUERY = 'Z',
    BE_ROW_DESCRIPTION = 'T',
};

/* How much of a message must be in memory before it can be acted upon. */
enum message_take {
    MESSAGE_STREAM, /* nothing but the header: the body passes in pieces */
    MESSAGE_HEAD,   /* the beginning of the body (Bind: two names), then it streams */
    MESSAGE_WHOLE,  /* all of it, if it is no longer than max_len; the caller decides what to do
                     * with a longer one: stream it unseen, or refuse it */
};

/* Lengths are values of the length word, which counts itself but not the letter. */
enum {
    /* The longest message: PostgreSQL builds each in one allocation of MaxAllocSize (1 GiB - 1)
     * that also holds a NUL, and the word counts its own four bytes on top. */
    MESSAGE_LEN_MAX = 0x3fffffff - 1 + 4,
    /* What a Parse may cost to remember. */
    MESSAGE_LEN_PARSE = 4 + 1024 * 1024,
    /* Errors, reports and the like from a server: far above anything PostgreSQL sends. */
    MESSAGE_LEN_REPORT = 4 + 64 * 1024,
    /* PG_MAX_AUTH_TOKEN_LENGTH: passwords can be tokens. */
    MESSAGE_LEN_PASSWORD = 65535,
    /* PQ_SMALL_MESSAGE_LIMIT: what PostgreSQL accepts where a message holds a name at most. */
    MESSAGE_LEN_SMALL = 10000,
};

struct message_row {
    uint8_t type;
    const char *name; /* as in the manual */
    enum message_take take;
    uint32_t max_len; /* longest value of the length word that is taken as `take` says */
};

/* Indexed by the letter; rows of letters that are no message have no name. */
extern const struct message_row message_frontend_rows[256];
extern const struct message_row message_backend_rows[256];

/* NULL if there is no such message in this direction. */
static inline const struct message_row *message_frontend(uint8_t type)
{
    const struct message_row *row = &message_frontend_rows[type];
    return row->name ? row : NULL;
}

static inline const struct message_row *message_backend(uint8_t type)
{
    const struct message_row *row = &message_backend_rows[type];
    return row->name ? row : NULL;
}

#endif
