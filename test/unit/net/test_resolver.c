/* SPDX-License-Identifier: PostgreSQL */
#include "net/resolver.h"

#include "net/addr_list.h"
#include "net/mailbox.h"
#include "net_fixture.h"

#include <event2/event.h>
#include <stdio.h>

/* ---- a name server on the same loop ---------------------------------------------------- */

/* Knows every name that begins with "one" (A 192.0.2.1, and 192.0.2.2 for "two"), and the SOA of
 * any zone; RFC 1035. */
struct names {
    struct event event;
    int fd;
    char where[32];
    unsigned rcode; /* 2: it fails whatever it is asked */
    uint8_t ttl_s;
    uint8_t serial;
    uint8_t last; /* of the first address; 0: 1 */
    int asked;    /* for A records */
    int asked_soa;
};

/* mname, rname, five numbers of which the first is the serial. */
static size_t write_soa(const struct names *d, const uint8_t *q, size_t n, uint8_t *out)
{
    static const uint8_t record[] = {0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 1, 0, 22, 0, 0};
    memcpy(out, q, n);
    out[2] |= 0x80;
    out[3] = 0x80;
    out[7] = 1;
    out[9] = out[11] = 0;
    memcpy(out + n, record, sizeof record);
    n += sizeof record;
    memset(out + n, 0, 20);
    out[n + 3] = d->serial;
    return n + 20;
}

static size_t write_answer(const struct names *d, const uint8_t *q, size_t n, uint8_t *out)
{
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2};
    bool known = memcmp(q + 13, "one", 3) == 0 || memcmp(q + 13, "two", 3) == 0;
    bool is_a = q[n - 3] == 1;
    uint8_t count = known && is_a && !d->rcode ? (q[13] == 't' ? 2 : 1) : 0;
    memcpy(out, q, n);
    out[2] |= 0x80;
    out[3] = (uint8_t)(0x80 | (d->rcode ? d->rcode : (known ? 0 : 3)));
    out[7] = count;
    out[9] = out[11] = 0;
    for (uint8_t i = 0; i < count; i++) {
        memcpy(out + n, record, sizeof record);
        out[n + 9] = d->ttl_s;
        n += sizeof record;
        out[n++] = (uint8_t)(i + (d->last ? d->last : 1));
    }
    return n;
}

/* Cuts what may follow the question (EDNS). */
static size_t question_end(const uint8_t *q, size_t n)
{
    size_t at = 12;
    while (at < n && q[at])
        at += q[at] + 1u;
    return at + 5;
}

static void on_question(evutil_socket_t fd, short what, void *arg)
{
    struct names *d = arg;
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    uint8_t q[512], a[600];
    (void)what;
    ssize_t n = recvfrom(fd, q, sizeof q, 0, (struct sockaddr *)&from, &len);
    if (n < 17)
        return;
    size_t end = question_end(q, (size_t)n);
    d->asked += q[end - 3] == 1;
    d->asked_soa += q[end - 3] == 6;
    size_t size = q[end - 3] == 6 ? write_soa(d, q, end, a) : write_answer(d, q, end, a);
    sendto(fd, a, size, 0, (struct sockaddr *)&from, len);
}

static void names_open(struct names *d, struct loop *l)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    *d = (struct names){.ttl_s = 60};
    d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(d->fd, (struct sockaddr *)&a, len), 0);
    getsockname(d->fd, (struct sockaddr *)&a, &len);
    snprintf(d->where, sizeof d->where, "127.0.0.1:%u", (unsigned)ntohs(a.sin_port));
    event_assign(&d->event, loop_event_base(l), d->fd, EV_READ | EV_PERSIST, on_question, d);
    event_add(&d->event, NULL);
}

static void names_close(struct names *d)
{
    event_del(&d->event);
    close(d->fd);
}

/* ---- who asks -------------------------------------------------------------------------- */

struct world {
    struct loop *loop;
    struct names dns;
    struct mailbox box;
    struct resolver *resolver;
    int answers;
    uint64_t tag;
    struct addr_list *list;
    struct error error;
    int vanished;
    char vanished_name[32];
};

static void on_vanished(void *owner, const char *name, struct addr_list *addresses)
{
    struct world *w = owner;
    w->vanished++;
    snprintf(w->vanished_name, sizeof w->vanished_name, "%s", name);
    assert_true(addresses->n > 0);
}

static void on_answer(void *receiver, uint64_t tag, struct addr_list *addresses,
                      const struct error *err)
{
    struct world *w = receiver;
    w->answers++;
    w->tag = tag;
    addr_list_unref(&w->list);
    if (addresses)
        w->list = addr_list_ref(addresses);
    else
        w->error = *err;
}

static void world_open_with(struct world *w, struct resolver_times times)
{
    struct error err;
    *w = (struct world){.loop = loop_new()};
    names_open(&w->dns, w->loop);
    const struct resolver_options o = {.times = times, .nameservers = w->dns.where};
    mailbox_init(&w->box, w->loop, w);
    w->resolver = resolver_new(w->loop, &o, &err);
    assert_non_null(w->resolver);
    resolver_on_vanished(w->resolver, on_vanished, w);
}

static void world_open(struct world *w, uint64_t max_ttl_us)
{
    world_open_with(w, (struct resolver_times){.max_ttl_us = max_ttl_us});
}

static void world_close(struct world *w)
{
    resolver_free(&w->resolver);
    mailbox_fini(&w->box);
    names_close(&w->dns);
    addr_list_unref(&w->list);
    loop_free(&w->loop);
}

static struct addr_list *ask(struct world *w, const char *name)
{
    int before = w->answers;
    resolver_ask(w->resolver, name, 5432, &w->box, on_answer, 42);
    UNTIL(w->loop, w->answers > before);
    return w->list;
}

static void assert_first(const struct addr_list *l, const char *want)
{
    char text[ADDR_TEXT];
    assert_non_null(l);
    assert_string_equal(addr_text(&l->each[0], text, sizeof text), want);
}

static void test_resolver_answers_literals_without_asking_anybody(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 15 * US_PER_S);
    assert_first(ask(&w, "192.0.2.7"), "192.0.2.7:5432");
    assert_first(ask(&w, "2001:db8::1"), "[2001:db8::1]:5432");
    assert_first(ask(&w, "/tmp/s"), "unix:/tmp/s");
    assert_int_equal(w.tag, 42);
    assert_int_equal(w.dns.asked, 0);
    world_close(&w);
}

static void test_resolver_reads_the_hosts_file(void **state)
{
    (void)state;
    struct world w;
    char text[ADDR_TEXT];
    world_open(&w, 15 * US_PER_S);
    struct addr_list *l = ask(&w, "localhost");
    assert_non_null(l);
    addr_text(&l->each[0], text, sizeof text);
    assert_true(strcmp(text, "127.0.0.1:5432") == 0 || strcmp(text, "[::1]:5432") == 0);
    world_close(&w);
}

static void note_end(const struct resolver_name *row, void *arg)
{
    *(uint64_t *)arg = row->expires_us;
}

/* For how long the only name that is known will be believed. */
static uint64_t time_left(struct world *w)
{
    uint64_t end = 0;
    resolver_each(w->resolver, note_end, &end);
    return end - loop_now(w->loop);
}

static void test_resolver_keeps_what_the_hosts_file_says_as_long_as_any_answer(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 15 * US_PER_S);
    assert_non_null(ask(&w, "localhost"));
    assert_in_range(time_left(&w), 14 * US_PER_S, 15 * US_PER_S);
    world_close(&w);
    /* Of a record, 0 is a time. */
    world_open(&w, 15 * US_PER_S);
    w.dns.ttl_s = 0;
    assert_first(ask(&w, "one.test"), "192.0.2.1:5432");
    assert_in_range(time_left(&w), 0, US_PER_S);
    world_close(&w);
}

static void test_resolver_asks_once_for_all_and_keeps_the_answer(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 15 * US_PER_S);
    for (uint64_t i = 0; i < 10; i++)
        resolver_ask(w.resolver, "one.test", (uint16_t)(1000 + i), &w.box, on_answer, i);
    UNTIL(w.loop, w.answers == 10);
    assert_int_equal(w.dns.asked, 1);
    assert_first(w.list, "192.0.2.1:1009"); /* each with its own port */
    assert_first(ask(&w, "one.test"), "192.0.2.1:5432");
    assert_int_equal(w.dns.asked, 1);
    assert_int_equal(ask(&w, "two.test")->n, 2);
    assert_int_equal(w.dns.asked, 2);
    world_close(&w);
}

static void test_resolver_asks_again_when_the_time_to_live_is_over(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, US_PER_S); /* shorter than the 60 s that the server says */
    assert_first(ask(&w, "one.test"), "192.0.2.1:5432");
    run_for(w.loop, US_PER_S + 50000);
    assert_first(ask(&w, "one.test"), "192.0.2.1:5432");
    assert_int_equal(w.dns.asked, 2);
    /* A failing server does not take away what is known. */
    w.dns.rcode = 2;
    run_for(w.loop, US_PER_S + 50000);
    assert_first(ask(&w, "one.test"), "192.0.2.1:5432");
    assert_true(w.dns.asked > 2);
    world_close(&w);
}

static void test_resolver_tells_why_a_name_has_no_address_and_asks_anew(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 15 * US_PER_S);
    assert_null(ask(&w, "nobody.test."));
    assert_string_equal(w.error.text,
                        "could not resolve host name \"nobody.test.\": Domain name not found");
    w.dns.rcode = 2;
    assert_null(ask(&w, "one.test"));
    assert_non_null(strstr(w.error.text, "could not resolve host name \"one.test\": "));
    w.dns.rcode = 0; /* it is well again, and the resolver starts afresh */
    assert_first(ask(&w, "one.test"), "192.0.2.1:5432");
    world_close(&w);
}

static void test_resolver_believes_a_failure_for_its_time(void **state)
{
    (void)state;
    struct world w;
    world_open_with(&w, (struct resolver_times){.max_ttl_us = US_PER_S, .failed_ttl_us = 200000});
    assert_null(ask(&w, "nobody.test"));
    int asked = w.dns.asked;
    assert_null(ask(&w, "nobody.test"));
    assert_non_null(strstr(w.error.text, "could not resolve host name \"nobody.test\""));
    assert_int_equal(w.dns.asked, asked);
    run_for(w.loop, 250000);
    assert_null(ask(&w, "nobody.test"));
    assert_true(w.dns.asked > asked);
    world_close(&w);
}

static void test_resolver_tells_of_addresses_that_are_gone(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, US_PER_S);
    assert_first(ask(&w, "one.test"), "192.0.2.1:5432");
    run_for(w.loop, US_PER_S + 50000);
    assert_first(ask(&w, "one.test"), "192.0.2.1:5432");
    assert_int_equal(w.vanished, 0);
    w.dns.last = 9;
    run_for(w.loop, US_PER_S + 50000);
    assert_first(ask(&w, "one.test"), "192.0.2.9:5432");
    assert_int_equal(w.vanished, 1);
    assert_string_equal(w.vanished_name, "one.test");
    world_close(&w);
}

static void test_resolver_asks_again_for_a_name_in_doubt(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 15 * US_PER_S);
    assert_first(ask(&w, "one.test"), "192.0.2.1:5432");
    w.dns.last = 9;
    resolver_doubt(w.resolver, "one.test");
    resolver_doubt(w.resolver, "nobody.test");
    run_for(w.loop, US_PER_S + 50000);
    assert_first(ask(&w, "one.test"), "192.0.2.9:5432");
    world_close(&w);
}

static void find_zone(const struct resolver_zone *row, void *arg)
{
    struct resolver_zone *out = arg;
    assert_string_equal(row->name, "test");
    *out = *row;
}

static void test_resolver_asks_again_when_the_serial_of_the_zone_has_grown(void **state)
{
    (void)state;
    struct world w;
    struct resolver_zone zone = {0};
    world_open_with(&w,
                    (struct resolver_times){.max_ttl_us = 60 * US_PER_S, .zone_check_us = 20000});
    w.dns.serial = 7;
    assert_first(ask(&w, "one.test"), "192.0.2.1:5432");
    assert_int_equal(ask(&w, "two.test")->n, 2);
    UNTIL(w.loop, w.dns.asked_soa >= 2);
    assert_int_equal(w.dns.asked, 2);
    w.dns.last = 9;
    w.dns.serial = 8;
    UNTIL(w.loop, w.vanished == 2);
    assert_int_equal(w.dns.asked, 4);
    resolver_each_zone(w.resolver, find_zone, &zone);
    assert_int_equal(zone.serial, 8);
    assert_int_equal(zone.n_names, 2);
    /* Off: nobody asks any more. */
    resolver_set_times(w.resolver, &(struct resolver_times){.max_ttl_us = US_PER_S});
    run_for(w.loop, 50000);
    int asked = w.dns.asked_soa;
    run_for(w.loop, 100000);
    assert_int_equal(w.dns.asked_soa, asked);
    world_close(&w);
}

static void test_resolver_may_be_freed_with_questions_open(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 15 * US_PER_S);
    resolver_ask(w.resolver, "one.test", 1, &w.box, on_answer, 1);
    loop_turn(w.loop); /* the question is on its way to the server */
    resolver_ask(w.resolver, "two.test", 1, &w.box, on_answer, 2);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolver_answers_literals_without_asking_anybody),
        cmocka_unit_test(test_resolver_reads_the_hosts_file),
        cmocka_unit_test(test_resolver_keeps_what_the_hosts_file_says_as_long_as_any_answer),
        cmocka_unit_test(test_resolver_asks_once_for_all_and_keeps_the_answer),
        cmocka_unit_test(test_resolver_asks_again_when_the_time_to_live_is_over),
        cmocka_unit_test(test_resolver_tells_why_a_name_has_no_address_and_asks_anew),
        cmocka_unit_test(test_resolver_believes_a_failure_for_its_time),
        cmocka_unit_test(test_resolver_tells_of_addresses_that_are_gone),
        cmocka_unit_test(test_resolver_asks_again_for_a_name_in_doubt),
        cmocka_unit_test(test_resolver_asks_again_when_the_serial_of_the_zone_has_grown),
        cmocka_unit_test(test_resolver_may_be_freed_with_questions_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
