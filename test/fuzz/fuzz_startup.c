/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_startup: the first packet of a connection, and the text of the parameter "options".
 *
 * The input is taken as a packet, and then as such a text. */
#include <stdlib.h>
#include <string.h>

#include "proto/backend.h"
#include "proto/frame.h"
#include "proto/startup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* ---- options --------------------------------------------------------------------------------- */

/* Appends the bytes so that they are read as they are. */
static void escape(struct buf *b, struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        buf_append(b, "\\", 1);
        buf_append(b, s.p + i, 1);
    }
}

static void check_escaped(const struct startup_option *o)
{
    static struct startup_options_reader r;
    struct startup_option again;
    struct error err;
    struct buf b = {0};
    buf_append(&b, " --", 3);
    escape(&b, o->name);
    buf_append(&b, "=", 1);
    escape(&b, o->value);
    buf_append(&b, " ", 1);
    startup_options_begin(&r, buf_span(&b));
    check(startup_options_next(&r, &again, &err) == STARTUP_OPTIONS_SETTING);
    check(span_equal(o->name, again.name) && span_equal(o->value, again.value));
    check(startup_options_next(&r, &again, &err) == STARTUP_OPTIONS_END);
    buf_reset(&b);
}

static void walk_options(struct span options)
{
    struct startup_options_reader r;
    struct startup_option o;
    struct error err = {0};
    /* Every word takes a byte at least. */
    size_t most = options.n;
    startup_options_begin(&r, options);
    for (;;) {
        switch (startup_options_next(&r, &o, &err)) {
        case STARTUP_OPTIONS_END:
            return;
        case STARTUP_OPTIONS_BAD:
            check(err.text[0] != '\0');
            return;
        case STARTUP_OPTIONS_NEON:
            check(o.name.n > 0);
            break;
        case STARTUP_OPTIONS_SETTING:
            check(o.name.n > 0 && !memchr(o.name.p, '-', o.name.n));
            /* As one word, with "--" in front, it may outgrow a packet. */
            if (o.name.n + o.value.n + 1 < STARTUP_LEN_MAX - 2)
                check_escaped(&o);
            break;
        }
        check(most-- > 0);
    }
}

/* ---- packets --------------------------------------------------------------------------------- */

enum { PAIRS_MAX = STARTUP_LEN_MAX / 2 };

/* Built again from its pairs, it says the same. */
static void check_start(const struct startup *m)
{
    static struct startup_pair pairs[PAIRS_MAX];
    struct startup_parameters it = startup_parameters_of(m);
    struct startup again;
    struct error err;
    struct buf b = {0};
    size_t n = 0, used;
    while (startup_parameters_next(&it, &pairs[n].name, &pairs[n].value))
        check(++n < PAIRS_MAX);
    startup_build(&b, pairs, n);
    check(startup_parse(buf_span(&b), &again, &used, &err) == STARTUP_START);
    check(used == buf_len(&b) && again.version == STARTUP_VERSION_3_0);
    check(again.n_unknown == m->n_unknown && again.replication_kind == m->replication_kind);
    check(span_equal(again.user, m->user) && span_equal(again.database, m->database));
    check(span_equal(again.options, m->options) && span_equal(again.parameters, m->parameters));
    buf_reset(&b);
}

static void check_negotiation(const struct startup *m)
{
    struct backend_negotiate n;
    struct frame f = {0};
    struct buf b = {0};
    startup_build_negotiate(&b, m);
    check(frame_next(buf_span(&b), &f) == FRAME_OK && f.total == buf_len(&b));
    check(backend_parse_negotiate_version(f.body, &n) && n.n_names == m->n_unknown);
    buf_reset(&b);
}

static void check_cancel(const struct startup *m, struct span packet)
{
    struct buf b = {0};
    startup_build_cancel(&b, m->cancel_key);
    check(span_equal(buf_span(&b), packet));
    buf_reset(&b);
}

/* Less of a good packet is never refused, and never taken for a packet. */
static void check_truncations(struct span packet)
{
    struct startup m;
    struct error err;
    size_t used;
    for (size_t n = 0; n < packet.n && n < 64; n++)
        check(startup_parse(span_of(packet.p, n), &m, &used, &err) == STARTUP_MORE);
    check(startup_parse(span_of(packet.p, packet.n - 1), &m, &used, &err) == STARTUP_MORE);
}

/* Of a possible length as a packet, that is. */
static bool is_cancel(const uint8_t *data, size_t size)
{
    static const uint8_t code[] = {0x04, 0xd2, 0x16, 0x2e};
    uint32_t len = size >= 8 ? frame_u32(data) : 0;
    return len >= 8 && len <= STARTUP_LEN_MAX && memcmp(data + 4, code, sizeof code) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct startup m;
    struct error err = {0};
    size_t used = 0;
    walk_options(span_of(data, size));
    enum startup_kind kind = startup_parse(span_of(data, size), &m, &used, &err);
    check(m.kind == kind);
    if (kind == STARTUP_MORE)
        return 0;
    if (kind == STARTUP_BAD) {
        check(err.text[0]);
        check(is_cancel(data, size) == (err.sqlstate[0] == '\0'));
        return 0;
    }
    check(used >= 8 && used <= size && used <= STARTUP_LEN_MAX);
    check_truncations(span_of(data, used));
    if (kind == STARTUP_CANCEL)
        check_cancel(&m, span_of(data, used));
    if (kind != STARTUP_START)
        return 0;
    check(m.user.n > 0);
    walk_options(m.options);
    check_start(&m);
    check_negotiation(&m);
    return 0;
}
