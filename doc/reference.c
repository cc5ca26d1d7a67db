/* SPDX-License-Identifier: PostgreSQL */
/* reference.c - what people read about the settings, written from the table of settings.
 *
 *     reference manual < pgballast.5.in > pgballast.5        the manual page
 *     reference sample < pgballast.ini.in > pgballast.ini    the sample file
 *
 * The line @SETTINGS@ of the input is replaced, the rest is copied. The table knows names, kinds,
 * bounds and defaults; here is only what it does not need to run: the order in which a reader wants
 * the settings, and more words for those that one line does not explain. Every setting stands in
 * exactly one group, or nothing is written. */
#include "base/clock.h"
#include "base/mem.h"
#include "conf/config.h"
#include "conf/setting.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S(name) SETTING_##name
#define END SETTING_COUNT
#define GROUP_MAX 32

static const struct group {
    const char *title;
    enum setting_id members[GROUP_MAX]; /* up to END */
} groups[] = {
    {"Where we listen",
     {S(listen_addr), S(listen_port), S(listen_backlog), S(so_reuseport), S(tcp_defer_accept),
      S(unix_socket_dir), S(unix_socket_mode), S(unix_socket_group), S(http_addr), S(http_port),
      END}},
    {"Who may log in",
     {S(auth_type), S(auth_file), S(auth_hba_file), S(auth_ident_file), S(auth_query), S(auth_user),
      S(auth_dbname), S(auth_query_cache_time), S(auth_ldap_options), S(admin_users),
      S(stats_users), S(max_unauthenticated), S(client_login_timeout), S(scram_iterations),
      S(login_notify_message), END}},
    {"Pools and limits",
     {S(pool_mode), S(default_pool_size), S(min_pool_size), S(warm_window), S(reserve_pool_size),
      S(reserve_pool_timeout), S(max_db_connections), S(max_user_connections),
      S(max_server_connections), S(max_client_conn), S(max_db_client_connections),
      S(max_user_client_connections), S(max_wait_queue), S(max_pinned), S(server_round_robin),
      S(autodb_idle_timeout), S(pool_idle_timeout), S(peer_id), END}},
    {"Sessions",
     {S(transaction_safety), S(hidden_state), S(pin_rules), S(lazy_begin),
      S(max_prepared_statements), S(ignore_startup_parameters), S(track_extra_parameters),
      S(application_name_add_host), S(server_reset_query), S(server_reset_query_always),
      S(disable_pqexec), S(max_packet_size), END}},
    {"Time",
     {S(query_timeout), S(query_wait_timeout), S(query_wait_notify), S(cancel_wait_timeout),
      S(idle_transaction_timeout), S(transaction_timeout), S(client_idle_timeout),
      S(suspend_timeout), END}},
    {"Servers",
     {S(server_lifetime), S(server_idle_timeout), S(server_connect_timeout), S(server_wake_timeout),
      S(server_login_retry), S(server_check_delay), S(server_check_query), S(server_fast_close),
      S(max_connects), S(breaker_failures), S(breaker_open_time), S(retry_min_delay),
      S(retry_max_delay), S(retry_slow_delay), S(upstream_pooled), END}},
    {"TLS towards servers",
     {S(server_tls_sslmode), S(server_tls_ca_file), S(server_tls_cert_file), S(server_tls_key_file),
      S(server_tls_protocols), S(server_tls_ciphers), S(server_tls13_ciphers), S(channel_binding),
      S(sslnegotiation), END}},
    {"TLS towards clients",
     {S(client_tls_sslmode), S(client_tls_cert_file), S(client_tls_key_file), S(client_tls_ca_file),
      S(client_tls_protocols), S(client_tls_ciphers), S(client_tls13_ciphers),
      S(client_tls_ecdhcurve), S(client_tls_dheparams), S(client_tls_auto), END}},
    {"Connections and names",
     {S(tcp_keepalive), S(tcp_keepidle), S(tcp_keepintvl), S(tcp_keepcnt), S(tcp_user_timeout),
      S(tcp_socket_buffer), S(dns_max_ttl), S(dns_nxdomain_ttl), S(dns_zone_check_period),
      S(resolv_conf), END}},
    {"Log and figures",
     {S(logfile), S(log_format), S(log_connections), S(log_disconnections), S(log_pooler_errors),
      S(log_statements), S(log_min_duration), S(log_stats), S(stats_period), S(track_latency),
      S(verbose), S(syslog), S(syslog_ident), S(syslog_facility), END}},
    {"The process",
     {S(workers), S(user), S(pidfile), S(state_dir), S(conffile), S(job_name), S(service_name),
      S(pkt_buf), S(sbuf_loopcnt), END}},
};

#define N_GROUPS (sizeof groups / sizeof groups[0])

#define TLS_LIST                                                                                   \
    "A list of tlsv1.0, tlsv1.1, tlsv1.2, tlsv1.3 without gaps, or all, or secure, which is the "  \
    "last two; ! before a word takes away."

static const char *const more[SETTING_COUNT] = {
    [S(application_name_add_host)] =
        "The name becomes \"NAME - ADDRESS:PORT\". A later SET is not changed.",
    [S(auth_dbname)] = "If it is empty, auth_query runs in the database that the client asks for, "
                       "and it cannot be used for the console.",
    [S(auth_hba_file)] =
        "As pg_hba.conf: local, host, hostssl and hostnossl; databases by name, all, sameuser, "
        "replication and @file; users by name, all and @file; addresses as all, address/bits or "
        "address and mask; methods trust, reject, password, md5, scram-sha-256, cert, peer, pam, "
        "ldap; map=NAME for cert and peer, the options of auth_ldap_options for ldap. A rule for "
        "pgballast or pgbouncer is for the console. A line "
        "that is not understood is an error: pgballast does not start, or keeps the rules it has.",
    [S(auth_ident_file)] = "Each line has the name of a map, a system user or the name in a "
                           "certificate, and a database user or all.",
    [S(auth_ldap_options)] =
        "As in pg_hba.conf: ldapserver, ldapport, ldapscheme, ldaptls, ldapurl; ldapprefix and "
        "ldapsuffix, or ldapbasedn, ldapbinddn, ldapbindpasswd and ldapsearchattribute or "
        "ldapsearchfilter (with $username). Values in double quotes may hold blanks and commas. "
        "Certificates are checked as ldap.conf(5) says.",
    [S(auth_query)] =
        "The user's name is its parameter $1. It gives one row of two columns: the name that he "
        "has from now on (NULL: his own), and his secret (NULL: he cannot log in by password). No "
        "row: \"no such user\". pg_catalog comes first in its search_path, and pg_temp last.",
    [S(auth_query_cache_time)] =
        "After a wrong password it is asked again at once. That there is no such user is never "
        "kept. A reload forgets everything.",
    [S(auth_type)] =
        "md5 also uses SCRAM where the stored secret is a SCRAM verifier. any asks nobody for a "
        "password and ignores the name, so that each database needs a user; trust asks users that "
        "are known for none. cert takes who shows a certificate whose common name is the user's, "
        "exactly. hba asks auth_hba_file. pam (service pgbouncer) and ldap have the password "
        "judged "
        "elsewhere; it is also what the server is shown, if auth_file has no other for the user.",
    [S(auth_user)] = "Its password stands in auth_file. Without it, users who are not in auth_file "
                     "are unknown.",
    [S(breaker_open_time)] = "Doubles with each probe that fails, up to eight times this. Clients "
                             "are refused at once meanwhile, and told when the next try is.",
    [S(client_tls_auto)] = "It is kept in state_dir, if there is one. pgballast --print-ca prints "
                           "it, for clients that verify it.",
    [S(client_tls_ciphers)] = "default, secure, normal and fast leave it to the system.",
    [S(client_tls_protocols)] = TLS_LIST,
    [S(client_tls_sslmode)] = "verify-ca and verify-full want a certificate of each client. The "
                              "others, with client_tls_ca_file, verify the one that is shown.",
    [S(default_pool_size)] = "A pool is a database and a user. The number holds exactly, whatever "
                             "the number of threads.",
    [S(dns_max_ttl)] =
        "The record's own time to live counts if it is shorter; at least 1 s. What the hosts file "
        "says has none. Servers at addresses that a new answer lacks are closed when they are "
        "free.",
    [S(dns_nxdomain_ttl)] = "A name that was found before keeps its last addresses meanwhile.",
    [S(dns_zone_check_period)] =
        "The zone is what stands behind the first dot of a host's name. When "
        "its serial has grown, its names are asked for again.",
    [S(http_port)] = "Paths: /health, /livez, /readyz, /health/db, /pools, /metrics, /.",
    [S(ignore_startup_parameters)] =
        "Settings that PostgreSQL has need not be listed: they are followed. As in PgBouncer, "
        "application_name, client_encoding, DateStyle, TimeZone, IntervalStyle, "
        "standard_conforming_strings and those in track_extra_parameters are followed even if "
        "listed; the word options stands for all others inside of options.",
    [S(listen_addr)] = "An address that cannot be had is a warning as long as another one can.",
    [S(log_format)] = "json writes one object per line: time (UTC), pid, level, message.",
    [S(log_statements)] = "With what a statement says, but without the values that it is executed "
                          "with; cut after about 1000 bytes.",
    [S(logfile)] = "Opened anew by a reload. stderr is logged to as well, unless -q says not to.",
    [S(max_client_conn)] = "The limit of open files is raised as far as the system allows.",
    [S(max_connects)] = "One only while the target is not known to be awake.",
    [S(max_db_client_connections)] =
        "Consoles count for the database pgbouncer, but for those of users in admin_users.",
    [S(max_packet_size)] = "Letter and length included; a row of a result is one. Not while "
                           "logging in. A longer one ends the connection that "
                           "it "
                           "came by. Large messages pass through in pieces and are never "
                           "gathered, so memory is no reason to set it.",
    [S(max_prepared_statements)] =
        "For one more, the least recently used one is closed; it is parsed again when a client "
        "uses it, who does not notice. With session pooling a client's statements are its own, "
        "whatever this is. With 0 they pass as they are, in every mode: a statement is then on "
        "the server that parsed it, and a client that comes to another one, or later than "
        "somebody with the same name, reads an error or runs another's. Clients that are logged "
        "in are served as before.",
    [S(max_server_connections)] = "Keep it below what the server allows.",
    [S(max_user_client_connections)] =
        "Over all databases. Consoles count, but for those of users in admin_users.",
    [S(max_wait_queue)] = "Who comes later is refused at once.",
    [S(min_pool_size)] =
        "With an ini file as in PgBouncer: while the pool has clients, and always for the forced "
        "user of a database. With a URL, and for hosts of Neon: see warm_window.",
    [S(pool_mode)] = "In transaction mode prepared statements of the protocol and reported "
                     "parameters follow the client; other session state does not.",
    [S(query_timeout)] = "The client reads an error and keeps its session. Only if the cancel "
                         "brings nothing within cancel_wait_timeout is it closed.",
    [S(query_wait_timeout)] = "In the ini profile the client is closed, as in PgBouncer; in the "
                              "URL profile it reads an error and stays.",
    [S(server_check_query)] =
        "A server that has been idle for server_check_delay runs it when a client is to get it, "
        "not "
        "before; while it does, it is shown as tested, and until then as used. An error, or no "
        "answer within cancel_wait_timeout, closes the server and the client gets another. "
        "<empty> is done without a query: what the server has sent meanwhile, its end above all, "
        "is read before anything is sent to it.",
    [S(server_fast_close)] = "Outdated by RECONNECT or by a reload. Their clients are closed too.",
    [S(server_idle_timeout)] = "Not below min_pool_size, while the pool is in use.",
    [S(retry_max_delay)] = "If it is not set, server_login_retry is taken where that is set.",
    [S(server_login_retry)] = "Whatever the failure, and breaker_open_time too, unless that or a "
                              "retry_ setting is set to "
                              "more. Pauses begin with retry_min_delay and grow.",
    [S(server_round_robin)] = "Of the whole pool, so with several workers servers often change "
                              "threads, which costs more.",
    [S(server_tls_ciphers)] = "default, secure, normal and fast leave it to the system.",
    [S(server_tls_protocols)] = TLS_LIST,
    [S(server_tls_sslmode)] = "As in libpq. Certificates are verified by verify-ca and "
                              "verify-full only.",
    [S(server_wake_timeout)] = "Comes on top of server_connect_timeout.",
    [S(so_reuseport)] = "Each process has its own pools and limits, and needs a unix_socket_dir "
                        "and a pidfile of its own.",
    [S(state_dir)] = "The default is $STATE_DIRECTORY, which the service manager sets.",
    [S(unix_socket_dir)] =
        "Before the default comes $RUNTIME_DIRECTORY, which the service manager sets; with a URL "
        "then $XDG_RUNTIME_DIR. A database without host is looked for there, too.",
    [S(upstream_pooled)] = "A second pooler of transactions behind this one breaks what needs a "
                           "session.",
    [S(verbose)] = "The same as -v on the command line.",
    [S(warm_window)] = "So that a database that nobody uses may sleep.",
};

/* ---- both kinds ------------------------------------------------------------------------ */

static bool says_nothing(const struct setting *s)
{
    return (s->flags & (SETTING_INERT | SETTING_NEEDLESS)) != 0;
}

/* Durations are written with a unit, which the table leaves out where it is seconds. */
static const char *unit_of(const struct setting *s, const char *value)
{
    bool bare = value[0] && strspn(value, "0123456789.") == strlen(value);
    return s->kind == SETTING_KIND_DURATION && bare && strcmp(value, "0") != 0 ? "s" : "";
}

static const struct setting *member(const struct group *g, size_t i)
{
    return i < GROUP_MAX && g->members[i] != END ? setting_at(g->members[i]) : NULL;
}

static bool each_stands_once(void)
{
    unsigned count[SETTING_COUNT] = {0};
    bool ok = true;
    const struct setting *s;
    for (size_t g = 0; g < N_GROUPS; g++)
        for (size_t i = 0; (s = member(&groups[g], i)) != NULL; i++)
            count[setting_id_of(s)]++;
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (count[i] != 1)
            fprintf(stderr, "doc/reference.c: setting %s stands in %u groups, not in one\n",
                    setting_at((enum setting_id)i)->name, count[i]);
        ok = ok && count[i] == 1;
    }
    return ok;
}

/* ---- the manual page, man(7) ----------------------------------------------------------- */

/* Text that man(7) would not understand as its own. */
static void put_text(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '\\')
            fputs("\\e", stdout);
        else if (*p == '-')
            fputs("\\-", stdout);
        else if ((*p == '.' || *p == '\'') && p == text)
            printf("\\&%c", *p);
        else
            putchar(*p);
    }
}

static void put_sentence(const char *text)
{
    char first[] = {(char)toupper((unsigned char)text[0]), '\0'};
    put_text(first);
    put_text(text + 1);
    puts(text[strlen(text) - 1] == '.' ? "" : ".");
}

static void put_default(const struct setting *s, const char *value)
{
    fputs(value[0] ? "\\fB" : "empty", stdout);
    put_text(value);
    fputs(unit_of(s, value), stdout);
    if (value[0])
        fputs("\\fR", stdout);
}

static void put_words(const struct setting *s)
{
    const char *between = "";
    fputs("One of", stdout);
    for (const struct value_word *w = s->words; w->word; w++) {
        printf("%s \\fB", between);
        put_text(w->word);
        fputs("\\fR", stdout);
        between = ",";
    }
    puts(".");
}

static void put_bounds(const struct setting *s)
{
    if (s->kind == SETTING_KIND_INT && (s->flags & SETTING_OCTAL))
        printf(", from %#" PRIo64 " to %#" PRIo64, s->min, s->max);
    else if (s->kind == SETTING_KIND_INT || s->kind == SETTING_KIND_SIZE)
        printf(", from %" PRId64 " to %" PRId64, s->min, s->max);
    else if (s->kind == SETTING_KIND_DURATION && s->min >= (int64_t)US_PER_S)
        printf(", at least %" PRId64 "s", s->min / (int64_t)US_PER_S);
}

static void put_kind(const struct setting *s)
{
    const char *kind = setting_kind_name(s);
    if (s->kind == SETTING_KIND_ENUM) {
        put_words(s);
        return;
    }
    printf("%c%s", toupper((unsigned char)kind[0]), kind + 1);
    put_bounds(s);
    puts(s->flags & SETTING_MS ? "; a bare number is milliseconds." : ".");
}

static void put_defaults(const struct setting *s)
{
    fputs("Default: ", stdout);
    put_default(s, s->ini_default);
    if (strcmp(s->ini_default, s->url_default) != 0) {
        fputs("; with a URL ", stdout);
        put_default(s, s->url_default);
    }
    puts(".");
}

static void put_setting(const struct setting *s)
{
    puts(".TP");
    printf(".B %s\n", s->name);
    put_sentence(s->help);
    if (more[setting_id_of(s)])
        put_sentence(more[setting_id_of(s)]);
    put_kind(s);
    put_defaults(s);
    if (!(s->flags & SETTING_RELOAD))
        puts("A change takes a restart.");
    if (s->flags & SETTING_OWN)
        puts("PgBouncer does not have it.");
    if (s->flags & SETTING_INERT)
        puts("\\fIAccepted, but without effect in this version.\\fR");
    if (s->flags & SETTING_NEEDLESS)
        puts("\\fIAccepted for PgBouncer\\(aqs sake; there is nothing here that it changes.\\fR");
}

static void manual_group(const struct group *g)
{
    const struct setting *s;
    fputs(".SS ", stdout);
    put_text(g->title);
    putchar('\n');
    for (size_t i = 0; (s = member(g, i)) != NULL; i++)
        put_setting(s);
}

/* ---- the sample file ------------------------------------------------------------------- */

/* What changes nothing is left to the manual, and so is what only the command line says. */
static void sample_group(const struct group *g)
{
    const struct setting *s;
    printf("\n;;; %s\n\n", g->title);
    for (size_t i = 0; (s = member(g, i)) != NULL; i++) {
        if (says_nothing(s) || setting_id_of(s) == S(conffile))
            continue;
        printf(";; %s\n", s->help);
        printf(";%s =%s%s\n", s->name, s->ini_default[0] ? " " : "", s->ini_default);
    }
}

/* ---- main ------------------------------------------------------------------------------ */

static void fill_in(void (*put_group)(const struct group *g))
{
    char line[1024];
    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "@SETTINGS@\n") != 0)
            fputs(line, stdout);
        else
            for (size_t g = 0; g < N_GROUPS; g++)
                put_group(&groups[g]);
    }
}

int main(int argc, char **argv)
{
    bool manual = argc == 2 && strcmp(argv[1], "manual") == 0;
    bool sample = argc == 2 && strcmp(argv[1], "sample") == 0;
    if (!manual && !sample) {
        fputs("usage: reference manual|sample < FILE.in > FILE\n", stderr);
        return 2;
    }
    if (!each_stands_once())
        return 1;
    fill_in(manual ? manual_group : sample_group);
    return fflush(stdout) == 0 && !ferror(stdin) ? 0 : 1;
}
