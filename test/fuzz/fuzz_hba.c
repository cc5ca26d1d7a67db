/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_hba: whatever the rules, and the file of names behind a line "%%" that they may refer to:
 * errors leave no rules, and rules put in front and behind are found when they should be. Two line
 * ends stand behind the rules, as the first may be joined. */
#include <stdlib.h>

#include "auth/hba.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span names_file;

static bool read_names(const char *path, struct buf *out, struct error *err)
{
    if (path[0] != '/')
        abort();
    if (!names_file.n)
        return error_set(err, "", "no such file");
    buf_append(out, names_file.p, names_file.n);
    return true;
}

static void on_problem(void *arg, const struct rule_problem *p)
{
    (void)arg;
    if (p->line == 0 || p->text[0] == '\0' || p->path[0] != '/')
        abort();
}

static struct hba *parse(struct span front, struct span text, struct span behind)
{
    struct rule_sink sink = {.report = on_problem};
    struct buf all = {0};
    buf_append(&all, front.p, front.n);
    if (text.n)
        buf_append(&all, text.p, text.n);
    buf_append(&all, behind.p, behind.n);
    struct hba *hba = hba_parse(buf_span(&all), "/rules", read_names, NULL, &sink);
    if ((hba != NULL) != (sink.n_errors == 0))
        abort();
    buf_reset(&all);
    return hba;
}

static unsigned line_for(const struct hba *hba, const struct hba_request *q)
{
    const struct hba_rule *rule = hba_find(hba, q);
    return rule ? rule->line : 0;
}

/* The second part begins behind "%%\n". */
static struct span split(struct span *text)
{
    for (size_t i = 0; i + 3 <= text->n; i++) {
        if (memcmp(text->p + i, "%%\n", 3) == 0) {
            struct span rest = span_of(text->p + i + 3, text->n - i - 3);
            text->n = i;
            return rest;
        }
    }
    return span_of(NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size), none = span_str(""), lf = span_str("\n\n");
    struct addr peer;
    names_file = split(&text);
    addr_from_literal(&peer, "10.1.2.3", 1);
    const struct hba_request requests[] = {
        {.user = "ann", .database = "shop"},
        {.user = "ann", .database = "shop", .is_replication = true},
        {.user = "ann", .database = "pgballast", .alias = "pgbouncer", .peer = &peer},
        {.user = "ann", .database = "ann", .peer = &peer, .is_tls = true},
    };
    struct hba *hba = parse(none, text, lf);
    if (!hba)
        return 0;
    struct hba *first =
        parse(span_str("local all,replication all reject\nhost all,replication all all reject\n"),
              text, lf);
    struct hba *last = parse(
        none, text,
        span_str("\n\nlocal all,replication all trust\nhost all,replication all all trust\n"));
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        unsigned line = line_for(hba, &requests[i]);
        if (line_for(first, &requests[i]) != (requests[i].peer ? 2 : 1))
            abort();
        if (last && line_for(last, &requests[i]) == 0)
            abort();
        if (last && line && line_for(last, &requests[i]) != line)
            abort();
    }
    hba_free(&hba);
    hba_free(&first);
    hba_free(&last);
    return 0;
}
