/* SPDX-License-Identifier: PostgreSQL */
#include "upstream/failure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

struct row {
    const char *id;
    const char *sqlstate;
    const char *text;
    enum failure_class class;
    const char *tell;
};

static void check(const struct row *row, enum failure_phase phase)
{
    struct error err, tell = {.sqlstate = "unset"};
    error_set(&err, row->sqlstate, "%s", row->text);
    enum failure_class class = failure_classify(phase, &err, &tell);
    if (class != row->class || strcmp(tell.sqlstate, row->tell) != 0)
        fail_msg("%s \"%s\": %s, told %s", row->id, row->text, failure_class_name(class),
                 tell.sqlstate);
    assert_string_equal(tell.text, err.text);
    assert_string_not_equal(tell.sqlstate, "XX000");
    assert_int_equal(strlen(tell.sqlstate), 5);
}

#define P FAILURE_PERMANENT
#define S FAILURE_SLOW
#define F FAILURE_FAST
#define L FAILURE_LIMITER
#define N FAILURE_SLOTS

/* What a Neon proxy says before the first ReadyForQuery. */
static const struct row proxy[] = {
    {"E01", "XX000", "connection is insecure (try using `sslmode=require`)", P, "57P03"},
    {"E02", "XX000",
     "Endpoint ID is not specified. Either please upgrade the postgres client library (libpq) for "
     "SNI support or pass the endpoint ID",
     P, "57P03"},
    {"E02", "XX000", "The endpoint ID is not specified.", P, "57P03"},
    {"E03", "XX000", "Inconsistent project name inferred from SNI ('a') and project option ('b').",
     P, "57P03"},
    {"E04", "XX000", "Project name ('a_b') must contain only alphanumeric characters and hyphen.",
     P, "57P03"},
    {"E05", "XX000", "Parameter 'user' is missing in startup packet.", P, "57P03"},
    {"E10", "XX000", "password authentication failed for user 'app'", P, "28P01"},
    {"E10", "XX000", "password authentication failed for user \"app\"", P, "28P01"},
    {"E10", "XX000", "password authentication failed for user 'query_wait_timeout'", P, "28P01"},
    {"E11", "XX000", "Authentication timed out", F, "57P03"},
    {"E11b", "XX000", "authentication protocol violation", P, "28000"},
    {"E11b", "XX000", "SCRAM-PLUS not used", P, "28000"},
    {"E11b", "XX000", "insecure connection: secure channel data mismatch", P, "28000"},
    {"E11b", "XX000", "unsupported channel binding method tls-unique", P, "28000"},
    {"E12", "XX000",
     "This IP address 192.0.2.1 is not allowed to connect to this endpoint. Please add it to the "
     "allowed list in the Neon console.",
     P, "28000"},
    {"E13", "XX000", "This connection is trying to access this endpoint from a blocked network.", P,
     "28000"},
    {"E14", "XX000",
     "VPC endpoint ID is not specified. This endpoint requires a VPC endpoint ID to connect.", P,
     "28000"},
    {"E15", "XX000", "This VPC endpoint id vpce-1 is not allowed to connect to this endpoint.", P,
     "28000"},
    {"E16", "XX000", "Too many connections to this endpoint. Please try again later.", L, "53300"},
    {"E17", "XX000", "Too many connections attempts", L, "53300"},
    {"E18", "XX000",
     "Failed to acquire permit to connect to the database. Too many database connection attempts "
     "are currently ongoing.",
     L, "53300"},
    {"E19", "XX000", "Couldn't connect to compute node", F, "57P03"},
    {"E20", "XX000", "Control plane request failed", F, "57P03"},
    {"E21", "XX000", "Control plane request failed: endpoint cannot be found", P, "57P03"},
    {"E21", "XX000", "Control plane request failed: endpoint is disabled", P, "57P03"},
    {"E21b", "XX000",
     "Control plane request failed: endpoint is temporarily unavailable. Check your quotas and/or "
     "contact our support.",
     S, "57P03"},
    {"E22", "XX000",
     "Your account or project has exceeded the compute time quota. Upgrade your plan to increase "
     "limits.",
     S, "57P03"},
    {"E22", "XX000", "Your account or project has exceeded the active time quota.", S, "57P03"},
    {"E22", "XX000", "Your account or project has exceeded the written data quota.", S, "57P03"},
    {"E22", "XX000", "Your account or project has exceeded the data transfer quota.", S, "57P03"},
    {"E22", "XX000", "Your account or project has exceeded the logical size quota.", S, "57P03"},
    {"E22", "XX000", "You've exceeded the compute time for this branch.", S, "57P03"},
    {"E22b", "XX000",
     "Your account or project has exceeded the quota. Upgrade your plan to increase limits.", S,
     "57P03"},
    {"E23", "XX000",
     "You have exceeded the limit of concurrently active endpoints. Please suspend some endpoints "
     "and try again.",
     S, "57P03"},
    {"E23", "XX000", "active endpoints limit exceeded", S, "57P03"},
    {"E24", "XX000",
     "Your project already has running operations. Please wait until they complete, and then try "
     "again.",
     F, "57P03"},
    {"E25", "XX000", "You've exceeded the rate limit. Please wait a moment and try again.", S,
     "53300"},
    {"E26", "XX000", "The requested endpoint could not be found, or you don't have access to it.",
     P, "57P03"},
    {"E26", "XX000", "The requested branch could not be found, or you don't have access to it.", P,
     "57P03"},
    {"E27", "XX000",
     "The role you're attempting to use is protected and cannot be used for password-based "
     "authentication.",
     P, "28000"},
    {"E28", "XX000", "endpoint is idle, retry request", F, "57P03"},
    {"E28", "XX000", "timed out while waiting for endpoint to become active", F, "57P03"},
    {"E29", "XX000", "error communicating with the server: Broken pipe", F, "57P03"},
    {"E29", "XX000", "connection closed", F, "57P03"},
    {"E29", "XX000", "unexpected message from server", F, "57P03"},
    {"E29", "XX000", "authentication error: unsupported", F, "57P03"},
    {"E29", "XX000", "Internal error", F, "57P03"},
    {"E30", "XX000",
     "remaining connection slots are reserved for non-replication superuser connections", N,
     "53300"},
    {"E30", "XX000",
     "remaining connection slots are reserved for roles with the SUPERUSER attribute", N, "53300"},
    {"E30", "XX000", "sorry, too many clients already", N, "53300"},
    {"E30", "XX000", "too many connections for role \"app\"", N, "53300"},
    {"E30", "XX000", "too many connections for database \"shop\"", N, "53300"},
    {"E31", "XX000", "unsupported startup parameter: search_path", P, "57P03"},
    {"E31", "XX000", "unsupported startup parameter in options: jit", P, "57P03"},
    {"E32", "XX000", "no more connections allowed (max_client_conn)", L, "53300"},
    {"E32", "08P01", "no more connections allowed (max_client_conn)", L, "53300"},
    {"E33", "XX000", "query_wait_timeout", L, "53300"},
    {"E33", "08P01", "query_wait_timeout", L, "53300"},
    {"E34", "XX000",
     "server login has been failing, cached error: connect failed (server_login_retry)", F,
     "57P03"},
    {"E34", "08P01",
     "server login has been failing, cached error: connect failed (server_login_retry)", F,
     "57P03"},
    {"E35", "XX000", "database \"shop\" does not exist", P, "3D000"},
    {"E35", "XX000", "role \"app\" does not exist", P, "28000"},
    {"E35", "XX000", "permission denied for database \"shop\"", P, "42501"},
    {"E36", "XX000", "the database system is starting up", F, "57P03"},
    {"E36", "XX000", "the database system is shutting down", F, "57P03"},
    {"E36", "XX000", "the database system is not yet accepting connections", F, "57P03"},
    {"E36", "XX000", "the database system is in recovery mode", F, "57P03"},
    {"E40", "57P01", "terminating connection due to administrator command", F, "57P03"},
    {"E42", "57P02", "terminating connection because of crash of another server process", F,
     "57P03"},
    {"", "XX000", "something new", F, "57P03"},
};

static void test_every_wording_of_the_proxy_has_its_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(proxy); i++)
        check(&proxy[i], FAILURE_IN_LOGIN);
}

static void test_an_sqlstate_decides_in_any_language_and_whatever_the_names(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", "28P01", "Passwort-Authentifizierung für Benutzer »app« fehlgeschlagen", P, "28P01"},
        {"", "28000", "no pg_hba.conf entry for host \"192.0.2.1\"", P, "28000"},
        {"", "3D000", "Datenbank »shop« existiert nicht", P, "3D000"},
        {"", "3D000", "database \"query_wait_timeout\" does not exist", P, "3D000"},
        {"", "3D000", "database \"sorry, too many clients already\" does not exist", P, "3D000"},
        {"", "42501", "permission denied for database \"shop\"", P, "42501"},
        {"", "22023", "invalid value for parameter \"TimeZone\": \"x\"", P, "22023"},
        {"", "42704", "unrecognized configuration parameter \"x\"", P, "42704"},
        {"", "55000", "database \"t\" is not currently accepting connections", P, "55000"},
        {"", "0A000", "unsupported frontend protocol 3.0", P, "0A000"},
        {"", "54000", "the server asks for 9000000 SCRAM iterations, at most 100000 are accepted",
         P, "57P03"},
        {"", "53300", "leider sind schon zu viele Clients verbunden", N, "53300"},
        {"", "53300", "too many connections for role \"app\"", N, "53300"},
        {"", "57P03", "the database system is starting up", F, "57P03"},
        {"", "57P01", "terminating connection due to administrator command", F, "57P03"},
        {"", "57P02", "terminating connection because of crash", F, "57P03"},
        {"", "53200", "out of memory", F, "57P03"},
        {"", "58P01", "could not open file", F, "57P03"},
        {"", "XX001", "invalid page", F, "57P03"},
        {"", "XX002", "index is corrupted", F, "57P03"},
    };
    for (size_t i = 0; i < ROWS(rows); i++)
        check(&rows[i], FAILURE_IN_LOGIN);
}

static void test_networks_fail_fast_and_certificates_for_good(void **state)
{
    (void)state;
    static const struct {
        enum failure_phase phase;
        struct row row;
    } rows[] = {
        {FAILURE_IN_NETWORK, {"", "", "connect to 192.0.2.1:5432: Connection refused", F, "57P03"}},
        {FAILURE_IN_NETWORK, {"", "", "connect: Network is unreachable", F, "57P03"}},
        {FAILURE_IN_NETWORK, {"E49", "", "connect timeout", F, "57P03"}},
        {FAILURE_IN_NETWORK, {"", "", "certificate.example: no such host", F, "57P03"}},
        {FAILURE_IN_NETWORK, {"", "08006", "Connection reset by peer", F, "57P03"}},
        {FAILURE_IN_TLS,
         {"", "", "TLS handshake failed: unexpected eof while reading", F, "57P03"}},
        {FAILURE_IN_TLS, {"", "", "TLS handshake: timeout", F, "57P03"}},
        {FAILURE_IN_TLS, {"E48", "", "certificate verify failed: expired", P, "57P03"}},
        {FAILURE_IN_TLS, {"E48", "", "tlsv1 alert no application protocol", P, "57P03"}},
        {FAILURE_IN_TLS, {"E48", "", "tlsv1 alert protocol version", P, "57P03"}},
        {FAILURE_IN_TLS, {"", "08006", "server refused SSL", P, "57P03"}},
        {FAILURE_IN_LOGIN, {"", "08006", "connection closed by the server", F, "57P03"}},
        {FAILURE_IN_LOGIN, {"E50", "", "login timeout", F, "57P03"}},
        {FAILURE_IN_LOGIN,
         {"", "28000", "server asks for an md5 password, but channel_binding=require", P, "28000"}},
    };
    for (size_t i = 0; i < ROWS(rows); i++)
        check(&rows[i].row, rows[i].phase);
}

static void test_classes_have_names(void **state)
{
    (void)state;
    for (int c = FAILURE_PERMANENT; c <= FAILURE_SLOTS; c++)
        assert_non_null(failure_class_name((enum failure_class)c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_wording_of_the_proxy_has_its_class),
        cmocka_unit_test(test_an_sqlstate_decides_in_any_language_and_whatever_the_names),
        cmocka_unit_test(test_networks_fail_fast_and_certificates_for_good),
        cmocka_unit_test(test_classes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
