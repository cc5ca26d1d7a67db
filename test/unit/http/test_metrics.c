/* SPDX-License-Identifier: PostgreSQL */
/* The page is held against the rules of OpenMetrics 1.0 that a scraper trips over: families are
 * declared once, before their samples, which follow at once; suffixes fit the type; no sample
 * occurs twice; the last line is "# EOF". */
#include "http/metrics.h"

#include "http_fixture.h"

#include <ctype.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LINES_MAX 4096

/* ---- a small checker ------------------------------------------------------------------- */

struct checker {
    char family[128], kind[16];
    const char *seen[LINES_MAX]; /* families and samples, without values */
    size_t n_seen;
    bool has_help, ended;
};

static void note_unique(struct checker *c, const char *what)
{
    for (size_t i = 0; i < c->n_seen; i++)
        assert_string_not_equal(c->seen[i], what);
    assert_in_range(c->n_seen, 0, LINES_MAX - 1);
    c->seen[c->n_seen++] = what;
}

static void check_comment(struct checker *c, char *line)
{
    char word[16], name[128], rest[256] = "";
    if (strcmp(line, "# EOF") == 0) {
        c->ended = true;
        return;
    }
    assert_in_range(sscanf(line, "# %15s %127s %255[^\n]", word, name, rest), 3, 3);
    if (strcmp(word, "TYPE") == 0) {
        strcpy(c->family, name);
        assert_in_range(strlen(rest), 1, sizeof c->kind - 1);
        strcpy(c->kind, rest);
        c->has_help = false;
        note_unique(c, line);
        return;
    }
    assert_string_equal(name, c->family);
    if (strcmp(word, "UNIT") == 0) {
        assert_true(strlen(name) > strlen(rest));
        assert_string_equal(name + strlen(name) - strlen(rest), rest);
    } else {
        assert_string_equal(word, "HELP");
        c->has_help = true;
    }
}

static const char *suffix_of(const char *kind)
{
    if (strcmp(kind, "counter") == 0)
        return "_total";
    return strcmp(kind, "info") == 0 ? "_info" : "";
}

/* Behind the labels: label = name "=" DQUOTE *( escaped ) DQUOTE, separated by commas. */
static char *skip_labels(char *at)
{
    if (*at != '{')
        return at;
    do {
        at++;
        assert_true(isalpha((unsigned char)*at));
        while (isalnum((unsigned char)*at) || *at == '_')
            at++;
        assert_true(at[0] == '=' && at[1] == '"');
        for (at += 2; *at != '"'; at++) {
            assert_true(*at != '\0');
            if (*at != '\\')
                continue;
            at++;
            assert_true(*at == '\\' || *at == '"' || *at == 'n');
        }
        at++;
    } while (*at == ',');
    assert_true(*at == '}');
    return at + 1;
}

static void check_sample(struct checker *c, char *line)
{
    char name[160], *rest;
    snprintf(name, sizeof name, "%s%s", c->family, suffix_of(c->kind));
    assert_true(c->has_help);
    assert_true(strncmp(line, name, strlen(name)) == 0);
    if (strcmp(c->kind, "histogram") == 0) {
        size_t n = strcspn(line + strlen(name), "{");
        char *suffix = line + strlen(name);
        assert_true((n == 7 && strncmp(suffix, "_bucket", n) == 0) ||
                    (n == 6 && strncmp(suffix, "_count", n) == 0) ||
                    (n == 4 && strncmp(suffix, "_sum", n) == 0));
        strncat(name, suffix, n);
    }
    char *value = skip_labels(line + strlen(name));
    assert_true(*value == ' ');
    *value++ = '\0';
    assert_true(isdigit((unsigned char)*value));
    (void)strtod(value, &rest);
    assert_true(*rest == '\0');
    note_unique(c, line);
}

/* Changes the page. Returns how many samples it has. */
static size_t check_page(char *page)
{
    struct checker c = {.n_seen = 0};
    size_t samples = 0;
    for (char *line = page, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        assert_false(c.ended);
        if (line[0] == '#') {
            check_comment(&c, line);
        } else {
            check_sample(&c, line);
            samples++;
        }
    }
    assert_true(c.ended);
    return samples;
}

/* ---- tests ----------------------------------------------------------------------------- */

static void test_a_page_without_pools_is_valid(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    char *page = page_of(metrics_write, &s);
    assert_true(check_page(page) >= 5);
    free(page);
}

static void test_a_page_with_pools_and_targets_is_valid_whatever_their_names(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    scene_add_pool(&s, "app", "app");
    scene_add_pool(&s, "a\"},x{y=\"", "back\\slash\\");
    scene_add_pool(&s, "two\nlines # EOF\n# EOF", "");
    scene_add_target(&s, "::1", SNAPSHOT_TARGET_AWAKE);
    scene_add_target(&s, "/run/\"pg\"", SNAPSHOT_TARGET_FAILING);
    char *page = page_of(metrics_write, &s);
    assert_true(check_page(page) > 3 * 30);
    free(page);
}

/* As a number or as seconds, behind the labels of the pool. */
static void assert_has_value(const char *page, uint64_t value)
{
    char number[64], seconds[64];
    snprintf(number, sizeof number, "} %" PRIu64 "\n", value);
    snprintf(seconds, sizeof seconds, "} %" PRIu64 ".%06" PRIu64 "\n", value / 1000000,
             value % 1000000);
    assert_true(strstr(page, number) || strstr(page, seconds));
}

static void test_every_figure_of_show_stats_is_there(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    struct snapshot_pool *p = scene_add_pool(&s, "app", "app");
    uint64_t n = 7000001;
#define FILL(field) p->total.field = n++;
    STATS_FIELDS(FILL)
#undef FILL
    char *page = page_of(metrics_write, &s);
    for (uint64_t i = 7000001; i < n; i++)
        assert_has_value(page, i);
    free(page);
}

static void test_samples_read_as_their_family_says(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    struct snapshot_pool *p = scene_add_pool(&s, "app", "web");
    p->waiting = 4;
    p->idle = 5;
    p->oldest_wait_us = 1250000;
    p->refused[SNAPSHOT_REFUSED_PINNED] = 6;
    p->total.query_time = 2000001;
    struct snapshot_target *t = scene_add_target(&s, "db", SNAPSHOT_TARGET_ASLEEP);
    t->wakes = 2;
    s.snapshot.clients = 11;
    char *page = page_of(metrics_write, &s);
    static const char *const lines[] = {
        "\npgballast_clients 11\n",
        "\n# TYPE pgballast_query_time_seconds counter\n",
        "\n# UNIT pgballast_query_time_seconds seconds\n",
        "\npgballast_query_time_seconds_total{database=\"app\",user=\"web\"} 2.000001\n",
        "\npgballast_pool_clients_waiting{database=\"app\",user=\"web\"} 4\n",
        "\npgballast_pool_oldest_wait_seconds{database=\"app\",user=\"web\"} 1.250000\n",
        "\npgballast_pool_servers{database=\"app\",user=\"web\",state=\"idle\"} 5\n",
        "\npgballast_pool_refusals_total{database=\"app\",user=\"web\",reason=\"pinned\"} 6\n",
        "\npgballast_target_wakes_total{host=\"db\",port=\"5432\"} 2\n",
        "{host=\"db\",port=\"5432\",pgballast_target_state=\"asleep\"} 1\n",
        "{host=\"db\",port=\"5432\",pgballast_target_state=\"awake\"} 0\n",
        "\npgballast_target_breaker_open{host=\"db\",port=\"5432\"} 0\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_non_null(strstr(page, lines[i]));
    free(page);
}

static void test_times_are_histograms_whose_buckets_only_grow(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s);
    struct snapshot_pool *p = scene_add_pool(&s, "app", "web");
    for (size_t i = 0; i < SNAPSHOT_BUCKETS; i++)
        p->latency[LATENCY_QUERY].cumulated[i] = 10 + i;
    p->latency[LATENCY_QUERY].sum_us = 1500000;
    char *page = page_of(metrics_write, &s);
    static const char *const lines[] = {
        "\n# TYPE pgballast_query_duration_seconds histogram\n",
        "\n# UNIT pgballast_query_duration_seconds seconds\n",
        "\npgballast_query_duration_seconds_bucket{database=\"app\",user=\"web\",le=\"0.000128\"} "
        "10\n",
        "\npgballast_query_duration_seconds_bucket{database=\"app\",user=\"web\",le=\"+Inf\"} 29\n"
        "pgballast_query_duration_seconds_count{database=\"app\",user=\"web\"} 29\n"
        "pgballast_query_duration_seconds_sum{database=\"app\",user=\"web\"} 1.500000\n",
        "\npgballast_wait_duration_seconds_count{database=\"app\",user=\"web\"} 0\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_non_null(strstr(page, lines[i]));
    free(page);
}

static void test_the_bounds_of_buckets_are_bounds_of_what_is_noted(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < SNAPSHOT_BUCKETS; i++) {
        uint64_t bound = snapshot_bucket_us(i);
        assert_true(bound < snapshot_bucket_us(i + 1));
        assert_true(histogram_bucket_low_us(histogram_bucket(bound)) == bound);
    }
}

/* What the bound on pools is for. */
static void test_the_longest_page_of_ordinary_names_is_below_a_megabyte(void **state)
{
    (void)state;
    struct scene s;
    struct snapshot_pool *pools = calloc(SNAPSHOT_POOLS_MAX, sizeof *pools);
    scene_init(&s);
    s.snapshot.pools = pools;
    s.snapshot.n_pools = s.snapshot.n_pools_all = SNAPSHOT_POOLS_MAX;
    for (size_t i = 0; i < SNAPSHOT_POOLS_MAX; i++) {
        snprintf(pools[i].database, sizeof pools[i].database, "customer_%04zu", i);
        snprintf(pools[i].user, sizeof pools[i].user, "application");
        pools[i].mode = "transaction";
        pools[i].total.received = pools[i].total.query_time = 1000000000000;
        for (size_t j = 0; j < SNAPSHOT_BUCKETS; j++)
            pools[i].latency[LATENCY_QUERY].cumulated[j] = 1000000000;
    }
    char *page = page_of(metrics_write, &s);
    assert_in_range(strlen(page), 100000, 1000000);
    free(page);
    free(pools);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_page_without_pools_is_valid),
        cmocka_unit_test(test_a_page_with_pools_and_targets_is_valid_whatever_their_names),
        cmocka_unit_test(test_every_figure_of_show_stats_is_there),
        cmocka_unit_test(test_samples_read_as_their_family_says),
        cmocka_unit_test(test_times_are_histograms_whose_buckets_only_grow),
        cmocka_unit_test(test_the_bounds_of_buckets_are_bounds_of_what_is_noted),
        cmocka_unit_test(test_the_longest_page_of_ordinary_names_is_below_a_megabyte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
