/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_ident: whatever the text, errors leave no maps, and a line put behind it is found. */
#include <stdlib.h>

#include "auth/ident.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_problem(void *arg, const struct rule_problem *p)
{
    (void)arg;
    if (p->line == 0 || p->text[0] == '\0')
        abort();
}

static struct ident *parse(struct span text, struct span behind)
{
    struct rule_sink sink = {.report = on_problem};
    struct buf all = {0};
    if (text.n)
        buf_append(&all, text.p, text.n);
    buf_append(&all, behind.p, behind.n);
    struct ident *ident = ident_parse(buf_span(&all), "/maps", &sink);
    if ((ident != NULL) != (sink.n_errors == 0))
        abort();
    buf_reset(&all);
    return ident;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char line[] = "\n\n\"\xff\xfe\" \"a b\" \"all\"\n";
    struct span text = span_of(data, size);
    struct ident *ident = parse(text, span_str("\n\n"));
    struct ident *more = ident ? parse(text, span_str(line)) : NULL;
    if (more && (!ident_has_map(more, "\xff\xfe") || !ident_allows(more, "\xff\xfe", "a b", "all")))
        abort();
    if (more && !ident_has_map(ident, "\xff\xfe") && ident_allows(more, "\xff\xfe", "a b", "x"))
        abort();
    ident_free(&ident);
    ident_free(&more);
    return 0;
}
