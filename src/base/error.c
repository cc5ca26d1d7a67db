/* SPDX-License-Identifier: PostgreSQL */
/* error.c - fill an error value. */
#include "base/error.h"

#include <stdio.h>

_Bool error_vset(struct error *err, const char *sqlstate, const char *fmt, va_list ap)
{
    if (!err)
        return 0;
    snprintf(err->sqlstate, sizeof err->sqlstate, "%s", sqlstate);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    for (char *p = err->text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
    return 0;
}

_Bool error_set(struct error *err, const char *sqlstate, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    error_vset(err, sqlstate, fmt, ap);
    va_end(ap);
    return 0;
}
