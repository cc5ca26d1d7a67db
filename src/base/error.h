/* SPDX-License-Identifier: PostgreSQL */
/* error.h - why something failed, as a value. Floors 0-2 fill it and never log; the state machine
 * that owns the connection logs it once. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>

/* SQLSTATEs we raise ourselves (PostgreSQL manual, appendix A). */
#define SQLSTATE_CONNECTION_EXCEPTION "08000"
#define SQLSTATE_CONNECTION_FAILURE "08006"
#define SQLSTATE_TRANSACTION_UNKNOWN "08007"
#define SQLSTATE_PROTOCOL_VIOLATION "08P01"
#define SQLSTATE_FEATURE_NOT_SUPPORTED "0A000"
#define SQLSTATE_INVALID_AUTHORIZATION "28000"
#define SQLSTATE_INVALID_PASSWORD "28P01"
#define SQLSTATE_UNDEFINED_STATEMENT "26000"
#define SQLSTATE_UNDEFINED_OBJECT "42704"
#define SQLSTATE_DUPLICATE_STATEMENT "42P05"
#define SQLSTATE_UNDEFINED_DATABASE "3D000"
#define SQLSTATE_TOO_MANY_CONNECTIONS "53300"
#define SQLSTATE_PROGRAM_LIMIT "54000"
#define SQLSTATE_OBJECT_IN_USE "55006"
#define SQLSTATE_QUERY_CANCELED "57014"
#define SQLSTATE_ADMIN_SHUTDOWN "57P01"
#define SQLSTATE_CANNOT_CONNECT_NOW "57P03"
#define SQLSTATE_INTERNAL "XX000"

struct error {
    char sqlstate[6]; /* what a client is told; empty if it is not for a client */
    char text[256];   /* one sentence, without newline, secrets or raw peer bytes */
};

/* Fills *err (which may be NULL: then nothing happens). Control characters in the text become '?'.
 * Returns false, so that `return error_set(...)` ends a bool function. */
_Bool error_set(struct error *err, const char *sqlstate, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
_Bool error_vset(struct error *err, const char *sqlstate, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

#endif
