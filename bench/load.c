/* SPDX-License-Identifier: PostgreSQL */
/* load.c - a load generator for PostgreSQL poolers: many clients, one thread, little CPU.
 *
 * All clients log in, the load runs for --warmup seconds, the line "begin" is printed, and what
 * follows is measured for --seconds (or --transactions). The figures are printed as one line of
 * JSON. With --idle or --hold, "begin" means that all clients are logged in (and hold a
 * transaction); they stay so until standard input is closed.
 *
 * Exit status 0 also with errors among the figures; 1 if nothing could be measured. */
#include "load_client.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS_MAX 20000U
#define RAMP_DEFAULT 64U
/* No client has got an answer for so long: there will not be one. */
#define SILENCE_MAX_NS (30 * NS_PER_S)
/* Something is wrong for good. */
#define ERRORS_MAX 10000U

struct plan {
    uint64_t warmup_ns, measured_ns;
    uint64_t transactions; /* 0: by time */
};

static const char usage[] =
    "usage: load --port PORT [OPTION...]\n"
    "  --clients N            (1)            --ramp N          logins at the same time (64)\n"
    "  --protocol simple|extended|prepared   --accounts N      of pgbench_accounts (100000)\n"
    "  --query TEXT           instead of the SELECT by account; simple protocol\n"
    "  --copy-bytes N         sent when the query is a COPY FROM STDIN; --copy-row BYTES (1000)\n"
    "  --user NAME (bench)    --database NAME (bench)    --password TEXT    --tls\n"
    "  --reconnect            a connection for each transaction\n"
    "  --idle | --hold        log in (and BEGIN), then wait for the end of standard input\n"
    "  --seconds N (5)        --warmup-ms N (300)        --transactions N   instead of seconds";

enum option_code {
    OPT_PORT = 1,
    OPT_CLIENTS,
    OPT_RAMP,
    OPT_PROTOCOL,
    OPT_ACCOUNTS,
    OPT_QUERY,
    OPT_COPY_BYTES,
    OPT_COPY_ROW,
    OPT_USER,
    OPT_DATABASE,
    OPT_PASSWORD,
    OPT_TLS,
    OPT_RECONNECT,
    OPT_IDLE,
    OPT_HOLD,
    OPT_SECONDS,
    OPT_WARMUP_MS,
    OPT_TRANSACTIONS,
};

static const struct option option_table[] = {
    {"port", required_argument, NULL, OPT_PORT},
    {"clients", required_argument, NULL, OPT_CLIENTS},
    {"ramp", required_argument, NULL, OPT_RAMP},
    {"protocol", required_argument, NULL, OPT_PROTOCOL},
    {"accounts", required_argument, NULL, OPT_ACCOUNTS},
    {"query", required_argument, NULL, OPT_QUERY},
    {"copy-bytes", required_argument, NULL, OPT_COPY_BYTES},
    {"copy-row", required_argument, NULL, OPT_COPY_ROW},
    {"user", required_argument, NULL, OPT_USER},
    {"database", required_argument, NULL, OPT_DATABASE},
    {"password", required_argument, NULL, OPT_PASSWORD},
    {"tls", no_argument, NULL, OPT_TLS},
    {"reconnect", no_argument, NULL, OPT_RECONNECT},
    {"idle", no_argument, NULL, OPT_IDLE},
    {"hold", no_argument, NULL, OPT_HOLD},
    {"seconds", required_argument, NULL, OPT_SECONDS},
    {"warmup-ms", required_argument, NULL, OPT_WARMUP_MS},
    {"transactions", required_argument, NULL, OPT_TRANSACTIONS},
    {0},
};

static enum load_protocol parse_protocol(const char *text)
{
    static const char *const names[] = {
        [LOAD_SIMPLE] = "simple", [LOAD_EXTENDED] = "extended", [LOAD_PREPARED] = "prepared"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0)
            return (enum load_protocol)i;
    }
    die("--protocol \"%s\" is not simple, extended or prepared", text);
}

/* Options that say how much; false: not one of these. */
static bool take_number(struct load_options *o, struct plan *plan, int code, const char *text)
{
    switch (code) {
    case OPT_PORT:
        o->port = (uint16_t)parse_number("port", text, 1, 65535);
        return true;
    case OPT_CLIENTS:
        o->clients = (unsigned)parse_number("clients", text, 1, CLIENTS_MAX);
        return true;
    case OPT_RAMP:
        o->ramp = (unsigned)parse_number("ramp", text, 1, CLIENTS_MAX);
        return true;
    case OPT_ACCOUNTS:
        o->accounts = (uint32_t)parse_number("accounts", text, 1, INT32_MAX);
        return true;
    case OPT_COPY_BYTES:
        o->copy_bytes = parse_number("copy-bytes", text, 1, UINT64_MAX);
        return true;
    case OPT_COPY_ROW:
        o->copy_row_bytes = (uint32_t)parse_number("copy-row", text, 1, 65536);
        return true;
    case OPT_SECONDS:
        plan->measured_ns = parse_number("seconds", text, 1, 3600) * NS_PER_S;
        return true;
    case OPT_WARMUP_MS:
        plan->warmup_ns = parse_number("warmup-ms", text, 0, 60000) * 1000 * NS_PER_US;
        return true;
    case OPT_TRANSACTIONS:
        plan->transactions = parse_number("transactions", text, 1, UINT64_MAX);
        return true;
    default:
        return false;
    }
}

/* Options that say how; false: unknown. */
static bool take_word(struct load_options *o, int code, const char *text)
{
    switch (code) {
    case OPT_PROTOCOL:
        o->protocol = parse_protocol(text);
        return true;
    case OPT_QUERY:
        o->query = text;
        return true;
    case OPT_USER:
        o->user = text;
        return true;
    case OPT_DATABASE:
        o->database = text;
        return true;
    case OPT_PASSWORD:
        o->password = text;
        return true;
    case OPT_TLS:
        o->context = tls_client_context();
        return true;
    case OPT_RECONNECT:
        o->reconnects = true;
        return true;
    case OPT_IDLE:
        o->end = LOAD_IDLES;
        return true;
    case OPT_HOLD:
        o->end = LOAD_HOLDS;
        return true;
    default:
        return false;
    }
}

static void parse_options(struct load_options *o, struct plan *plan, int argc, char **argv)
{
    int code;

    while ((code = getopt_long(argc, argv, "", option_table, NULL)) != -1) {
        if (!take_number(o, plan, code, optarg) && !take_word(o, code, optarg))
            die("%s", usage);
    }
    if (o->port == 0 || optind != argc)
        die("%s", usage);
    if (o->reconnects && o->end != LOAD_RUNS)
        die("--reconnect goes with neither --idle nor --hold");
}

/* ---- the measured time ---- */

static void begin(struct load *l)
{
    for (unsigned i = 0; i < l->options.clients; i++)
        l->clients[i].transactions = 0;
    memset(&l->latency, 0, sizeof(l->latency));
    l->bytes = 0;
    puts("begin");
    fflush(stdout);
}

static void put_json_string(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else
            putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
    putchar('"');
}

static void report(const struct load *l, uint64_t elapsed_ns)
{
    uint64_t fewest = UINT64_MAX, most = 0;

    for (unsigned i = 0; i < l->options.clients; i++) {
        uint64_t n = l->clients[i].transactions;
        fewest = n < fewest ? n : fewest;
        most = n > most ? n : most;
    }
    printf("{\"transactions\": %llu, \"seconds\": %.6f, \"bytes\": %llu, ",
           (unsigned long long)l->latency.count, (double)elapsed_ns / (double)NS_PER_S,
           (unsigned long long)l->bytes);
    printf("\"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, ",
           (double)histogram_quantile(&l->latency, 0.50) / (double)NS_PER_US,
           (double)histogram_quantile(&l->latency, 0.99) / (double)NS_PER_US,
           (double)l->latency.max / (double)NS_PER_US);
    printf("\"fewest\": %llu, \"most\": %llu, \"lost\": %u, \"errors\": %llu, \"first_error\": ",
           (unsigned long long)fewest, (unsigned long long)most, l->n_lost,
           (unsigned long long)l->errors);
    put_json_string(l->first_error);
    puts("}");
    fflush(stdout);
}

/* ---- the loop ---- */

/* Handles what happens within `timeout_ms`; false if nothing did. */
static bool turn(struct load *l, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];

    int n = epoll_wait(l->epoll, events, EVENTS_MAX, timeout_ms);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == NULL)
            l->is_stopping = true; /* standard input */
        else
            client_handle_event(l, events[i].data.ptr, events[i].events);
    }
    l->now = now_ns();
    return n > 0;
}

static bool is_hopeless(const struct load *l)
{
    return l->n_lost == l->options.clients || l->errors > ERRORS_MAX;
}

/* Runs until `deadline` (ns) or `count` transactions, whichever is given; false when it is
 * hopeless. */
static bool run_until(struct load *l, uint64_t deadline, uint64_t count)
{
    uint64_t last_event = l->now;

    while (l->now < deadline && (count == 0 || l->latency.count < count)) {
        uint64_t left_ms = (deadline - l->now) / (1000 * NS_PER_US) + 1;
        if (turn(l, left_ms < 1000 ? (int)left_ms : 1000))
            last_event = l->now;
        else if (l->now - last_event > SILENCE_MAX_NS)
            die("no answer for %llu seconds", SILENCE_MAX_NS / NS_PER_S);
        if (is_hopeless(l))
            return false;
    }
    return true;
}

/* Until every client has logged in once. */
static void log_in(struct load *l)
{
    uint64_t last_event = l->now;

    load_start_clients(l);
    while (l->n_ready < l->options.clients) {
        if (turn(l, 1000))
            last_event = l->now;
        else if (l->now - last_event > SILENCE_MAX_NS)
            die("no answer to a login for %llu seconds", SILENCE_MAX_NS / NS_PER_S);
        if (l->n_lost > 0)
            die("a client cannot log in: %s", l->first_error);
    }
}

/* For as long as standard input is open. */
static void rest(struct load *l)
{
    watch(l->epoll, 0, EPOLLIN | EPOLLHUP, NULL);
    while (!l->is_stopping)
        turn(l, -1);
}

int main(int argc, char **argv)
{
    struct plan plan = {.warmup_ns = 300 * 1000 * NS_PER_US, .measured_ns = 5 * NS_PER_S};
    static struct load load = {.options = {.clients = 1,
                                           .ramp = RAMP_DEFAULT,
                                           .user = "bench",
                                           .database = "bench",
                                           .password = "",
                                           .accounts = 100000,
                                           .copy_row_bytes = 1000},
                               .random = 0x9E3779B97F4A7C15ULL};

    parse_options(&load.options, &plan, argc, argv);
    prepare_process();
    load.epoll = make_epoll();
    load.clients = calloc(load.options.clients, sizeof(*load.clients));
    if (load.clients == NULL)
        die("out of memory");
    for (unsigned i = 0; i < load.options.clients; i++)
        load.clients[i].conn.fd = -1;
    size_t row = wire_begin(&load.copy_data, 'd');
    memset(bytes_reserve(&load.copy_data, load.options.copy_row_bytes), 'x',
           load.options.copy_row_bytes);
    load.copy_data.end += load.options.copy_row_bytes;
    load.copy_data.data[load.copy_data.end - 1] = '\n';
    wire_end(&load.copy_data, row);

    load.now = now_ns();
    log_in(&load);
    if (load.options.end == LOAD_RUNS && plan.transactions == 0)
        run_until(&load, load.now + plan.warmup_ns, 0);
    begin(&load);
    uint64_t start = load.now;
    if (load.options.end != LOAD_RUNS)
        rest(&load);
    else if (plan.transactions > 0)
        run_until(&load, UINT64_MAX, plan.transactions);
    else
        run_until(&load, start + plan.measured_ns, 0);
    report(&load, load.now - start);
    return is_hopeless(&load) ? 1 : 0;
}
