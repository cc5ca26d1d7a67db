/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_sql_head: the head of a statement, cut anywhere, and a command said with more words. */
#include <stdlib.h>

#include "track/sql_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* What has been found dangerous or unknown as a whole is not safe when it is cut before a blank:
 * the words that are there are the same words. */
static void check_cuts(struct span text)
{
    if (sql_head_class(text) == SQL_GATE_SAFE)
        return;
    for (size_t n = 0; n < text.n && n < 64; n++) {
        if (text.p[n] == ' ')
            check(sql_head_class(span_of(text.p, n)) == SQL_GATE_UNSAFE);
    }
}

/* A comment in front of a statement changes nothing. */
static void check_behind_comment(struct span text)
{
    static const char comment[] = "/* /* */ ; */ -- x\n";
    size_t head = sizeof comment - 1;
    uint8_t *longer = malloc(head + text.n);
    if (!longer)
        abort();
    memcpy(longer, comment, head);
    if (text.n)
        memcpy(longer + head, text.p, text.n);
    struct span with = span_of(longer, head + text.n);
    check(sql_head_class(with) == sql_head_class(text));
    check(sql_head_command(with, NULL, NULL) == sql_head_command(text, NULL, NULL));
    free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size), name = {NULL, 0};
    bool quoted = false;
    enum sql_command command = sql_head_command(text, &name, &quoted);
    check(command == SQL_DEALLOCATE || (!name.p && !quoted));
    if (command == SQL_DEALLOCATE)
        check(name.p >= data && name.p + name.n <= data + size && (name.n || quoted));
    if (command == SQL_BEGIN)
        check(sql_head_class(text) == SQL_GATE_SAFE);
    if (command == SQL_COMMIT || command == SQL_ROLLBACK || command == SQL_DISCARD_ALL ||
        command == SQL_EMPTY)
        check(sql_head_class(text) == SQL_GATE_UNSAFE);
    check_cuts(text);
    check_behind_comment(text);
    return 0;
}
