/* SPDX-License-Identifier: PostgreSQL */
/* failure.c - tables of texts and SQLSTATEs, first match wins. */
#include "upstream/failure.h"

#include <string.h>

struct row {
    const char *match; /* a part of the text, or a whole SQLSTATE */
    enum failure_class class;
    const char *tell; /* SQLSTATE for clients; NULL: the server's own */
    const char *also; /* a part of the text behind `match`, or NULL */
};

/* Whatever stands in no table is fast: starting ("the database system is starting up", "endpoint is
 * idle, retry request"), vanishing ("error communicating with the server"), overloaded ("Control
 * plane request failed", "Couldn't connect to compute node"). */
static const struct row texts[] = {
    /* The wordings that quote a name stand first, so that no name can pass for another wording. */
    {"password authentication failed", FAILURE_PERMANENT, "28P01", NULL},
    {"database \"", FAILURE_PERMANENT, "3D000", "\" does not exist"},
    {"role \"", FAILURE_PERMANENT, "28000", "\" does not exist"},
    {"permission denied for database", FAILURE_PERMANENT, "42501", NULL},
    {"too many connections for role", FAILURE_SLOTS, "53300", NULL},
    {"too many connections for database", FAILURE_SLOTS, "53300", NULL},
    {"Inconsistent project name", FAILURE_PERMANENT, "57P03", NULL},
    {"must contain only alphanumeric characters and hyphen", FAILURE_PERMANENT, "57P03", NULL},
    {"connection is insecure", FAILURE_PERMANENT, "57P03", NULL},
    {"VPC endpoint ID is not specified", FAILURE_PERMANENT, "28000", NULL},
    {"ndpoint ID is not specified", FAILURE_PERMANENT, "57P03", NULL},
    {"is missing in startup packet", FAILURE_PERMANENT, "57P03", NULL},
    {"authentication protocol violation", FAILURE_PERMANENT, "28000", NULL},
    {"SCRAM-PLUS not used", FAILURE_PERMANENT, "28000", NULL},
    {"secure channel data mismatch", FAILURE_PERMANENT, "28000", NULL},
    {"unsupported channel binding method", FAILURE_PERMANENT, "28000", NULL},
    {"is not allowed to connect to this endpoint", FAILURE_PERMANENT, "28000", NULL},
    {"from a blocked network", FAILURE_PERMANENT, "28000", NULL},
    {"Too many connections to this endpoint", FAILURE_LIMITER, "53300", NULL},
    {"Too many connections attempts", FAILURE_LIMITER, "53300", NULL},
    {"Failed to acquire permit to connect", FAILURE_LIMITER, "53300", NULL},
    {"endpoint cannot be found", FAILURE_PERMANENT, "57P03", NULL},
    {"endpoint is disabled", FAILURE_PERMANENT, "57P03", NULL},
    {"endpoint is temporarily unavailable", FAILURE_SLOW, "57P03", NULL},
    {"exceeded the compute time", FAILURE_SLOW, "57P03", NULL},
    {"exceeded the", FAILURE_SLOW, "57P03", "quota"},
    {"exceeded the limit of concurrently active endpoints", FAILURE_SLOW, "57P03", NULL},
    {"active endpoints limit exceeded", FAILURE_SLOW, "57P03", NULL},
    {"exceeded the rate limit", FAILURE_SLOW, "53300", NULL},
    {"could not be found, or you don't have access", FAILURE_PERMANENT, "57P03", NULL},
    {"is protected and cannot be used for password-based", FAILURE_PERMANENT, "28000", NULL},
    {"remaining connection slots are reserved", FAILURE_SLOTS, "53300", NULL},
    {"too many clients already", FAILURE_SLOTS, "53300", NULL},
    {"unsupported startup parameter", FAILURE_PERMANENT, "57P03", NULL},
    {"no more connections allowed", FAILURE_LIMITER, "53300", NULL},
    {"query_wait_timeout", FAILURE_LIMITER, "53300", NULL},
};

/* Failures of the TLS handshake that the same handshake will meet again. */
static const struct row handshakes[] = {
    {"certificate", FAILURE_PERMANENT, "57P03", NULL},
    {"refused SSL", FAILURE_PERMANENT, "57P03", NULL},
    {"no application protocol", FAILURE_PERMANENT, "57P03", NULL},
    {"protocol version", FAILURE_PERMANENT, "57P03", NULL},
};

static const struct row states[] = {
    {"28P01", FAILURE_PERMANENT, NULL, NULL},    {"28000", FAILURE_PERMANENT, NULL, NULL},
    {"3D000", FAILURE_PERMANENT, NULL, NULL},    {"42501", FAILURE_PERMANENT, NULL, NULL},
    {"22023", FAILURE_PERMANENT, NULL, NULL},    {"42704", FAILURE_PERMANENT, NULL, NULL},
    {"0A000", FAILURE_PERMANENT, NULL, NULL},    {"55000", FAILURE_PERMANENT, NULL, NULL},
    {"54000", FAILURE_PERMANENT, "57P03", NULL}, /* ours: more SCRAM iterations than we take */
    {"53300", FAILURE_SLOTS, NULL, NULL},
};

/* States that say nothing: the proxy's, PgBouncer's, our own for an I/O failure, none. */
static bool says_nothing(const char *sqlstate)
{
    static const char *const mute[] = {"", SQLSTATE_INTERNAL, SQLSTATE_PROTOCOL_VIOLATION,
                                       SQLSTATE_CONNECTION_EXCEPTION, SQLSTATE_CONNECTION_FAILURE};
    for (size_t i = 0; i < sizeof mute / sizeof mute[0]; i++) {
        if (strcmp(sqlstate, mute[i]) == 0)
            return true;
    }
    return false;
}

static const struct row *by_text(const struct row *rows, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        const char *at = strstr(text, rows[i].match);
        if (at && (!rows[i].also || strstr(at + strlen(rows[i].match), rows[i].also)))
            return &rows[i];
    }
    return NULL;
}

static const struct row *by_state(const char *sqlstate)
{
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(sqlstate, states[i].match) == 0)
            return &states[i];
    }
    return NULL;
}

static const struct row *find(enum failure_phase phase, const struct error *err)
{
    switch (phase) {
    case FAILURE_IN_NETWORK:
        return NULL;
    case FAILURE_IN_TLS:
        return by_text(handshakes, sizeof handshakes / sizeof handshakes[0], err->text);
    case FAILURE_IN_LOGIN:
        break;
    }
    if (!says_nothing(err->sqlstate))
        return by_state(err->sqlstate);
    return by_text(texts, sizeof texts / sizeof texts[0], err->text);
}

enum failure_class failure_classify(enum failure_phase phase, const struct error *err,
                                    struct error *tell)
{
    static const struct row otherwise = {"", FAILURE_FAST, SQLSTATE_CANNOT_CONNECT_NOW, NULL};
    const struct row *row = find(phase, err);
    if (!row)
        row = &otherwise;
    error_set(tell, row->tell ? row->tell : err->sqlstate, "%s", err->text);
    return row->class;
}

const char *failure_class_name(enum failure_class c)
{
    static const char *const names[] = {
        [FAILURE_PERMANENT] = "permanent", [FAILURE_SLOW] = "slow",   [FAILURE_FAST] = "fast",
        [FAILURE_LIMITER] = "limiter",     [FAILURE_SLOTS] = "slots",
    };
    return names[c];
}
