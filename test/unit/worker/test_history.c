/* SPDX-License-Identifier: PostgreSQL */
#include "worker/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "http/events.h"

struct seen {
    unsigned n;
    uint64_t first_id, last_id;
    char last[HISTORY_TEXT_SIZE];
};

static void see(const struct history_entry *e, void *arg)
{
    struct seen *s = arg;
    if (s->n++ == 0)
        s->first_id = e->id;
    else
        assert_true(e->id == s->last_id + 1);
    s->last_id = e->id;
    snprintf(s->last, sizeof s->last, "%s", e->text);
}

static struct seen look(struct history *h, enum history_ring ring)
{
    struct seen s = {.n = 0};
    history_each(h, ring, see, &s);
    return s;
}

static void test_the_last_lines_are_kept_in_order_and_the_oldest_give_way(void **state)
{
    (void)state;
    struct history *h = history_new();
    assert_int_equal(look(h, HISTORY_EVENTS).n, 0);
    for (int i = 1; i <= HISTORY_ENTRIES + 10; i++) {
        char text[32];
        snprintf(text, sizeof text, "line %d", i);
        history_note(h, HISTORY_EVENTS, LOG_INFO_LEVEL, text);
    }
    struct seen s = look(h, HISTORY_EVENTS);
    assert_int_equal(s.n, HISTORY_ENTRIES);
    assert_int_equal(s.first_id, 11);
    assert_int_equal(s.last_id, HISTORY_ENTRIES + 10);
    assert_string_equal(s.last, "line 266");
    assert_int_equal(look(h, HISTORY_ERRORS).n, 0);
    history_free(&h);
    assert_null(h);
}

static void test_lines_of_the_log_go_where_they_belong(void **state)
{
    (void)state;
    static const struct {
        enum log_level level;
        const char *text;
        unsigned events, errors;
    } rows[] = {
        {LOG_INFO_LEVEL, "process up", 1, 0},
        {LOG_INFO_LEVEL, "C-0x1: app/app@127.0.0.1:1 login attempt", 1, 0},
        {LOG_INFO_LEVEL, "S-0x1: closing because: idle", 1, 0},
        {LOG_INFO_LEVEL, "stats: 0 xacts/s", 1, 0},
        {LOG_DEBUG_LEVEL, "a detail", 1, 0},
        {LOG_WARNING_LEVEL, "C-0x1: pooler error: no", 1, 1},
        {LOG_ERROR_LEVEL, "reload failed", 1, 2},
        {LOG_FATAL_LEVEL, "out of memory", 1, 3},
        {LOG_INFO_LEVEL, "configuration reloaded", 2, 3},
    };
    struct history *h = history_new();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        history_observe(h, rows[i].level, rows[i].text);
        assert_int_equal(look(h, HISTORY_EVENTS).n, rows[i].events);
        assert_int_equal(look(h, HISTORY_ERRORS).n, rows[i].errors);
    }
    history_free(&h);
}

static void test_a_long_line_is_cut(void **state)
{
    (void)state;
    char text[2 * HISTORY_TEXT_SIZE];
    struct history *h = history_new();
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    history_note(h, HISTORY_ERRORS, LOG_ERROR_LEVEL, text);
    assert_int_equal(strlen(look(h, HISTORY_ERRORS).last), HISTORY_TEXT_SIZE - 1);
    history_free(&h);
}

static void test_the_page_has_the_latest_events_and_is_json_whatever_they_say(void **state)
{
    (void)state;
    struct history *h = history_new();
    struct buf page = {0};
    events_write(&page, NULL);
    assert_true(span_is(buf_span(&page), "{\"events\":[]}\n"));
    buf_clear(&page);
    for (int i = 0; i < EVENTS_SHOWN; i++)
        history_note(h, HISTORY_EVENTS, LOG_INFO_LEVEL, "old");
    history_note(h, HISTORY_EVENTS, LOG_INFO_LEVEL, "say \"</script>\"\n");
    events_write(&page, h);
    buf_append(&page, "", 1);
    const char *text = (const char *)buf_span(&page).p;
    assert_null(strstr(text, "{\"id\":1,"));
    assert_non_null(strstr(text, "[\n{\"id\":2,"));
    assert_non_null(strstr(text, "\"say \\\"\\u003c/script>\\\"\\u000a\"}]}\n"));
    buf_reset(&page);
    history_free(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_lines_are_kept_in_order_and_the_oldest_give_way),
        cmocka_unit_test(test_lines_of_the_log_go_where_they_belong),
        cmocka_unit_test(test_a_long_line_is_cut),
        cmocka_unit_test(test_the_page_has_the_latest_events_and_is_json_whatever_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
