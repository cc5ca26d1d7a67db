/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_console: any text as a Query to the console. Every command it contains, written again with
 * everything quoted, is the same command; and reading comes to an end. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command_parse.h"
#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void put(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

static void put_quoted(struct buf *b, const char *text, char quote)
{
    buf_append(b, &quote, 1);
    for (; *text; text++) {
        if (*text == quote)
            buf_append(b, &quote, 1);
        buf_append(b, text, 1);
    }
    buf_append(b, &quote, 1);
}

static void put_command(struct buf *b, const struct command *c)
{
    static const char *const modes[] = {
        [SHUTDOWN_NOW] = "",
        [SHUTDOWN_WAIT_FOR_SERVERS] = "WAIT_FOR_SERVERS",
        [SHUTDOWN_WAIT_FOR_CLIENTS] = "WAIT_FOR_CLIENTS",
    };
    char id[32];
    put(b, command_verb_name(c->verb));
    put(b, " ");
    switch (c->verb) {
    case COMMAND_SHOW:
        put(b, show_at(c->show)->name);
        break;
    case COMMAND_SHUTDOWN:
        put(b, modes[c->shutdown]);
        break;
    case COMMAND_KILL_CLIENT:
        snprintf(id, sizeof id, "%llu", (unsigned long long)c->id);
        put(b, id);
        break;
    case COMMAND_SET:
        put(b, c->name);
        put(b, "=");
        put_quoted(b, c->value, '\'');
        break;
    case COMMAND_DISABLE:
    case COMMAND_ENABLE:
    case COMMAND_KILL:
    case COMMAND_PAUSE:
    case COMMAND_RECONNECT:
    case COMMAND_RELOAD:
    case COMMAND_RESUME:
    case COMMAND_SUSPEND:
    case COMMAND_WAIT_CLOSE:
        if (c->has_name)
            put_quoted(b, c->name, '"');
        break;
    }
}

static bool same(const struct command *a, const struct command *b)
{
    return a->verb == b->verb && a->show == b->show && a->shutdown == b->shutdown &&
           a->id == b->id && a->has_name == b->has_name && strcmp(a->name, b->name) == 0 &&
           strcmp(a->value, b->value) == 0;
}

static void check_round_trip(const struct command *c)
{
    struct buf text = {0};
    struct command again;
    struct error err;
    put_command(&text, c);
    struct span rest = buf_span(&text);
    check(command_parse(&rest, &again, &err) == COMMAND_OK);
    check(same(c, &again));
    check(command_parse(&rest, &again, &err) == COMMAND_NONE);
    buf_reset(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size);
    struct command c;
    struct error err;
    for (;;) {
        size_t before = rest.n;
        enum command_parsed got = command_parse(&rest, &c, &err);
        check(rest.n <= before);
        if (got == COMMAND_BAD)
            check(err.text[0] != '\0' && strlen(err.text) < sizeof err.text);
        if (got != COMMAND_OK)
            return 0;
        check(rest.n < before);
        c.filter = (struct filter){0}; /* fuzz_filter looks after those */
        check_round_trip(&c);
    }
}
