/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_userlist: whatever the text, the users that were read are read again from what they are
 * written as. */
#include <stdlib.h>

#include "base/buf.h"
#include "auth/userlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_problem(void *arg, const struct userlist_problem *p)
{
    unsigned *n_errors = arg;
    if (p->line == 0 || p->text[0] == '\0')
        abort();
    *n_errors += p->severity == USERLIST_ERROR;
}

static void append_quoted(struct buf *b, struct span text)
{
    buf_append(b, "\"", 1);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"')
            buf_append(b, "\"", 1);
        buf_append(b, &text.p[i], 1);
    }
    buf_append(b, "\"", 1);
}

static void append_user(void *arg, const char *user, const struct secret *secret)
{
    append_quoted(arg, span_str(user));
    buf_append(arg, " ", 1);
    append_quoted(arg, secret_text(secret));
    buf_append(arg, "\n", 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned errors = 0, errors_again = 0;
    struct buf written = {0}, written_again = {0};
    struct userlist *list = userlist_parse(span_of(data, size), NULL, on_problem, &errors);
    userlist_each(list, append_user, &written);
    struct userlist *again = userlist_parse(buf_span(&written), NULL, on_problem, &errors_again);
    userlist_each(again, append_user, &written_again);
    if (errors_again || userlist_count(list) != userlist_count(again) ||
        !span_equal(buf_span(&written), buf_span(&written_again)))
        abort();
    userlist_unref(&list);
    userlist_unref(&again);
    buf_reset(&written);
    buf_reset(&written_again);
    return 0;
}
