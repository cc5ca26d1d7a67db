/* SPDX-License-Identifier: PostgreSQL */
/* sql_traits.c - what running a statement may do to what we keep about its session. */
#include "track/sql_traits.h"

#include "base/str.h"
#include "track/sql_head.h"

static struct sql_traits of_command(struct span text, bool several)
{
    static const struct sql_traits anything = {.ending = SQL_ENDS_MAYBE, .sets = true};
    switch (sql_head_command(text, NULL, NULL)) {
    case SQL_COMMIT:
        return (struct sql_traits){.ending = SQL_ENDS_COMMIT, .sets = true};
    case SQL_ROLLBACK:
        return (struct sql_traits){.ending = SQL_ENDS_ABORT, .sets = true};
    case SQL_DEALLOCATE:
        return (struct sql_traits){.drops = SQL_DROPS_ONE};
    case SQL_DEALLOCATE_ALL:
        return (struct sql_traits){.drops = SQL_DROPS_ALL};
    case SQL_DISCARD_ALL:
        return (struct sql_traits){.drops = SQL_DROPS_ALL, .sets = true};
    case SQL_CALL:
        return anything;
    case SQL_SET:
        return several ? anything : (struct sql_traits){.sets = true};
    case SQL_OTHER:
        return several ? anything : (struct sql_traits){0};
    case SQL_EMPTY:
    case SQL_BEGIN:
        break;
    }
    return (struct sql_traits){0};
}

/* The first letter of a command that of_command knows, or of a comment in front of one. */
static bool begins_one(uint8_t first)
{
    switch (first | 0x20) {
    case 'c':
    case 'e':
    case 'r':
    case 'a':
    case 'd':
    case 's':
    case '-':
    case '/':
        return true;
    default:
        return false;
    }
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\t';
}

struct sql_traits sql_traits_look(struct span text, bool whole)
{
    while (text.n && is_blank(text.p[0])) {
        text.p++;
        text.n--;
    }
    if (!whole)
        return (struct sql_traits){.ending = SQL_ENDS_MAYBE, .sets = true};
    if (!text.n)
        return (struct sql_traits){0};
    bool several = text.n > 1 && memchr(text.p, ';', text.n - 1);
    /* Most begin with SELECT, INSERT, UPDATE or WITH: one look. */
    if (several || (!sql_begins_with_sel(text) && begins_one(text.p[0])))
        return of_command(text, several);
    return (struct sql_traits){0};
}
