/* SPDX-License-Identifier: PostgreSQL */
#include "proto/startup.h"

#include "proto/backend.h"
#include "proto/message.h"

#include "proto_fixture.h"

/* Parses a guarded copy; the spans in *m are good until it is freed. */
struct parsed {
    uint8_t *copy;
    size_t n, used;
    enum startup_kind kind;
    struct startup m;
    struct error err;
};

static struct parsed parse(struct span in)
{
    struct parsed p = {.n = in.n};
    p.copy = guard_copy(in.p, in.n);
    p.kind = startup_parse(span_of(p.copy, in.n), &p.m, &p.used, &p.err);
    assert_int_equal(p.m.kind, p.kind);
    return p;
}

static void forget(struct parsed *p)
{
    guard_free(p->copy, p->n);
}

/* Every truncation is MORE, then comes the packet, and bytes behind it are left alone. */
static void assert_needs_all_of(struct span packet)
{
    for (size_t n = 0; n < packet.n; n++) {
        struct parsed p = parse(span_of(packet.p, n));
        if (p.kind != STARTUP_MORE)
            fail_msg("%zu of %zu bytes: kind %d, %s", n, packet.n, (int)p.kind, p.err.text);
        forget(&p);
    }
}

static void build_start(struct buf *b, uint32_t version, struct span pairs)
{
    uint32_t len = (uint32_t)(8 + pairs.n);
    uint8_t head[8] = {(uint8_t)(len >> 24),     (uint8_t)(len >> 16),
                       (uint8_t)(len >> 8),      (uint8_t)len,
                       (uint8_t)(version >> 24), (uint8_t)(version >> 16),
                       (uint8_t)(version >> 8),  (uint8_t)version};
    buf_append(b, head, sizeof head);
    buf_append(b, pairs.p, pairs.n);
}

static void test_startup_knows_the_requests_for_encryption(void **state)
{
    (void)state;
    struct buf b = {0};
    startup_build_ssl_request(&b);
    assert_span_is(buf_span(&b), "\0\0\0\x08\x04\xd2\x16\x2f");
    assert_needs_all_of(buf_span(&b));
    startup_build_gss_request(&b);
    struct parsed p = parse(buf_span(&b));
    assert_int_equal(p.kind, STARTUP_SSL);
    assert_int_equal(p.used, 8);
    forget(&p);
    buf_consume(&b, 8);
    p = parse(buf_span(&b));
    assert_int_equal(p.kind, STARTUP_GSS);
    assert_int_equal(p.used, 8);
    forget(&p);
    buf_reset(&b);
}

static void test_startup_takes_cancel_keys_of_every_allowed_length(void **state)
{
    (void)state;
    uint8_t key[STARTUP_KEY_MAX + 1];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    for (size_t n = STARTUP_KEY_MIN; n <= STARTUP_KEY_MAX; n++) {
        struct buf b = {0};
        startup_build_cancel(&b, span_of(key, n));
        struct parsed p = parse(buf_span(&b));
        assert_int_equal(p.kind, STARTUP_CANCEL);
        assert_int_equal(p.used, 8 + n);
        assert_same_bytes(p.m.cancel_key, span_of(key, n));
        forget(&p);
        if (n == STARTUP_KEY_MIN || n == STARTUP_KEY_MAX)
            assert_needs_all_of(buf_span(&b));
        buf_reset(&b);
    }
}

static void test_startup_gives_back_what_was_built(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"user", "app"},
                                           {"database", "shop"},
                                           {"options", "-c geqo=off"},
                                           {"replication", "database"},
                                           {"application_name", ""}};
    struct startup_pair list[ROWS(pairs)];
    for (size_t i = 0; i < ROWS(pairs); i++)
        list[i] = (struct startup_pair){span_str(pairs[i][0]), span_str(pairs[i][1])};
    struct buf b = {0};
    startup_build(&b, list, ROWS(pairs));
    assert_needs_all_of(buf_span(&b));
    size_t len = buf_len(&b);
    buf_append(&b, "behind", 6);
    struct parsed p = parse(buf_span(&b));
    assert_int_equal(p.kind, STARTUP_START);
    assert_int_equal(p.used, len);
    assert_int_equal(p.m.version, STARTUP_VERSION_3_0);
    assert_false(p.m.negotiate);
    assert_int_equal(p.m.replication_kind, REPLICATION_LOGICAL);
    assert_span_is(p.m.user, "app");
    assert_span_is(p.m.database, "shop");
    assert_span_is(p.m.options, "-c geqo=off");
    struct startup_parameters it = startup_parameters_of(&p.m);
    struct span name, value;
    for (size_t i = 0; i < ROWS(pairs); i++) {
        assert_true(startup_parameters_next(&it, &name, &value));
        assert_true(span_is(name, pairs[i][0]));
        assert_true(span_is(value, pairs[i][1]));
    }
    assert_false(startup_parameters_next(&it, &name, &value));
    forget(&p);
    buf_reset(&b);
}

#define V(major, minor) ((uint32_t)(major) << 16 | (minor))

static void test_startup_refuses_with_the_text_that_says_why(void **state)
{
    (void)state;
    static const char layout[] = "invalid startup packet layout: expected terminator as last byte";
    static const struct {
        struct span pairs;
        uint32_t version;
        const char *sqlstate, *text;
    } rows[] = {
        {BYTES("user\0a\0\0"), V(2, 0), "0A000", "old V2 protocol not supported"},
        {BYTES("user\0a\0\0"), V(2, 9), "0A000", "old V2 protocol not supported"},
        {BYTES("user\0a\0\0"), V(4, 0), "08P01", "bad packet header: '0000001000040000'"},
        {BYTES(""), V(0, 0), "08P01", "bad packet header: '0000000800000000'"},
        {BYTES("x"), V(1234, 5679), "08P01", "bad packet header: '0000000904d2162f'"},
        {BYTES("x"), V(1234, 5680), "08P01", "bad packet header: '0000000904d21630'"},
        /* a CancelRequest is never answered */
        {BYTES(""), V(1234, 5678), "", "bad packet header: '0000000804d2162e'"},
        {BYTES("1234567"), V(1234, 5678), "", "bad packet header: '0000000f04d2162e'"},
        {BYTES(""), V(1234, 5681), "08P01", "bad packet header: '0000000804d21631'"},
        {BYTES(""), V(3, 0), "08P01", layout},
        {BYTES("user\0a\0"), V(3, 0), "08P01", layout},
        {BYTES("user\0a\0x"), V(3, 0), "08P01", layout},
        {BYTES("user\0a\0\0x"), V(3, 0), "08P01", layout},
        {BYTES("user\0a\0\0\0"), V(3, 0), "08P01", layout},
        {BYTES("user\0a\0database\0\0"), V(3, 0), "08P01", layout},
        {BYTES("\0"), V(3, 0), "28000", "no username supplied"},
        {BYTES("user\0\0\0"), V(3, 0), "28000", "no username supplied"},
        {BYTES("database\0a\0\0"), V(3, 0), "28000", "no username supplied"},
        {BYTES("user\0a\0user\0\0\0"), V(3, 0), "28000", "no username supplied"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf b = {0};
        build_start(&b, rows[i].version, rows[i].pairs);
        struct parsed p = parse(buf_span(&b));
        if (p.kind != STARTUP_BAD || strcmp(p.err.text, rows[i].text) != 0 ||
            strcmp(p.err.sqlstate, rows[i].sqlstate) != 0)
            fail_msg("row %zu: kind %d %s \"%s\"", i, (int)p.kind, p.err.sqlstate, p.err.text);
        forget(&p);
        buf_reset(&b);
    }
}

static void test_startup_judges_the_header_before_it_waits_for_more(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        enum startup_kind kind;
        const char *text;
    } rows[] = {
        {"", 0, STARTUP_MORE, ""},
        {"\0\0\x27", 3, STARTUP_MORE, ""},
        {"\0\0\0\7", 4, STARTUP_BAD, "bad packet header: '00000007'"},
        {"\0\0\x27\x14", 4, STARTUP_MORE, ""}, /* 10 004 */
        {"\0\0\x27\x15", 4, STARTUP_BAD, "bad packet header: '00002715'"},
        {"\0\0\x27\x14\0\3\0\0", 8, STARTUP_MORE, ""},
        {"\0\0\x27\x14\0\4\0\0", 8, STARTUP_BAD, "bad packet header: '0000271400040000'"},
        {"\0\0\x27\x14\x04\xd2\x16\x2e", 8, STARTUP_BAD, "bad packet header: '0000271404d2162e'"},
        {"Q\0\0\0\x0dselect 1", 13, STARTUP_BAD, "bad packet header: '510000000d73656c'"},
        {"GET / HTTP/1.1\r\n", 16, STARTUP_BAD, "bad packet header: '474554202f204854'"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct parsed p = parse(span_of(rows[i].bytes, rows[i].n));
        if (p.kind != rows[i].kind || strcmp(p.err.text, rows[i].text) != 0)
            fail_msg("row %zu: kind %d \"%s\"", i, (int)p.kind, p.err.text);
        forget(&p);
    }
}

static void test_startup_takes_a_packet_of_the_largest_size(void **state)
{
    (void)state;
    struct buf pairs = {0}, b = {0};
    static const char begin[] = "user\0a\0options";
    char *filler = malloc(STARTUP_LEN_MAX);
    assert_non_null(filler);
    memset(filler, 'x', STARTUP_LEN_MAX);
    buf_append(&pairs, begin, sizeof begin);
    buf_append(&pairs, filler, STARTUP_LEN_MAX - 8 - sizeof begin - 2);
    buf_append(&pairs, "\0", 2);
    build_start(&b, STARTUP_VERSION_3_0, buf_span(&pairs));
    assert_int_equal(buf_len(&b), STARTUP_LEN_MAX);
    struct parsed p = parse(buf_span(&b));
    assert_int_equal(p.kind, STARTUP_START);
    assert_int_equal(p.m.options.n, STARTUP_LEN_MAX - 8 - sizeof begin - 2);
    forget(&p);
    free(filler);
    buf_reset(&pairs);
    buf_reset(&b);
}

static void test_startup_reads_replication_as_postgresql_does(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool good;
        enum replication kind;
    } rows[] = {
        {"database", true, REPLICATION_LOGICAL},
        {"true", true, REPLICATION_PHYSICAL},
        {"T", true, REPLICATION_PHYSICAL},
        {"yes", true, REPLICATION_PHYSICAL},
        {"on", true, REPLICATION_PHYSICAL},
        {"1", true, REPLICATION_PHYSICAL},
        {"false", true, REPLICATION_NONE},
        {"n", true, REPLICATION_NONE},
        {"of", true, REPLICATION_NONE},
        {"OFF", true, REPLICATION_NONE},
        {"0", true, REPLICATION_NONE},
        {"DATABASE", .good = false},
        {"o", .good = false},
        {"", .good = false},
        {"falsey", .good = false},
        {"10", .good = false},
        {"maybe", .good = false},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf b = {0};
        const struct startup_pair pairs[] = {{span_str("user"), span_str("a")},
                                             {span_str("replication"), span_str(rows[i].value)}};
        startup_build(&b, pairs, ROWS(pairs));
        struct parsed p = parse(buf_span(&b));
        if (p.kind != (rows[i].good ? STARTUP_START : STARTUP_BAD) ||
            (rows[i].good && p.m.replication_kind != rows[i].kind))
            fail_msg("\"%s\"", rows[i].value);
        if (!rows[i].good)
            assert_string_equal(p.err.sqlstate, "22023");
        forget(&p);
        buf_reset(&b);
    }
}

static void test_startup_takes_the_last_of_two_equal_names(void **state)
{
    (void)state;
    struct buf b = {0};
    build_start(&b, STARTUP_VERSION_3_0, LITERAL("user\0a\0user\0b\0\0"));
    struct parsed p = parse(buf_span(&b));
    assert_int_equal(p.kind, STARTUP_START);
    assert_span_is(p.m.user, "b");
    forget(&p);
    buf_reset(&b);
}

static void test_startup_negotiates_newer_versions_and_unknown_options(void **state)
{
    (void)state;
    static const struct {
        struct span pairs;
        uint32_t version;
        bool negotiate;
        uint32_t n_names;
        struct span names;
    } rows[] = {
        {BYTES("user\0a\0\0"), V(3, 0), false, 0, {NULL, 0}},
        {BYTES("user\0a\0\0"), V(3, 2), true, 0, {NULL, 0}},
        {BYTES("user\0a\0\0"), V(3, 65535), true, 0, {NULL, 0}},
        {BYTES("_pq_.one\0001\0user\0a\0_pq_.\0x\0_pq_.two\0002\0\0"), V(3, 0), true, 2,
         BYTES("_pq_.one\0_pq_.two\0")},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf b = {0}, answer = {0};
        struct backend_negotiate n;
        build_start(&b, rows[i].version, rows[i].pairs);
        struct parsed p = parse(buf_span(&b));
        assert_int_equal(p.kind, STARTUP_START);
        assert_int_equal(p.m.negotiate, rows[i].negotiate);
        startup_build_negotiate(&answer, &p.m);
        assert_true(backend_parse_negotiate_version(body_of(&answer, BE_NEGOTIATE_VERSION), &n));
        assert_int_equal(n.version, STARTUP_VERSION_3_0);
        assert_int_equal(n.n_names, rows[i].n_names);
        assert_same_bytes(n.names, rows[i].names);
        forget(&p);
        buf_reset(&b);
        buf_reset(&answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_startup_knows_the_requests_for_encryption),
        cmocka_unit_test(test_startup_takes_cancel_keys_of_every_allowed_length),
        cmocka_unit_test(test_startup_gives_back_what_was_built),
        cmocka_unit_test(test_startup_refuses_with_the_text_that_says_why),
        cmocka_unit_test(test_startup_judges_the_header_before_it_waits_for_more),
        cmocka_unit_test(test_startup_takes_a_packet_of_the_largest_size),
        cmocka_unit_test(test_startup_reads_replication_as_postgresql_does),
        cmocka_unit_test(test_startup_takes_the_last_of_two_equal_names),
        cmocka_unit_test(test_startup_negotiates_newer_versions_and_unknown_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
