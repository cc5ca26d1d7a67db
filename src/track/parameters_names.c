/* SPDX-License-Identifier: PostgreSQL */
/* parameters_names.c - which names of settings are special, and why.
 *
 * Sources: PostgreSQL 15 to 18, src/backend/utils/misc/guc_tables.c (flags GUC_REPORT,
 * GUC_LIST_QUOTE, contexts PGC_INTERNAL and PGC_BACKEND), and the manual, chapters "Server
 * Configuration", "Protocol Flow: Asynchronous Operations" and "libpq: Parameter Key Words". */
#include "track/parameters_impl.h"

#include "base/str.h"

#include <stdlib.h>

/* What the server reports and nobody can set. */
#define FIXED PARAM_READ_ONLY
/* Words of client libraries and their URLs; a few drivers put every word they do not know into the
 * startup packet. */
#define LIBRARY (PARAM_DROP | PARAM_FOREIGN)
/* Accepted by PostgreSQL in a startup packet only (PGC_BACKEND, or preloading): a server that is
 * shared cannot have it. */
#define AT_START PARAM_DROP
/* Belongs to one transaction, so a startup packet cannot mean anything by it. */
#define PER_TRANSACTION PARAM_DROP

/* Sorted by name without regard to case, for bsearch. */
static const struct param_name names[] = {
    {"application_name", PARAM_REPORTED | PARAM_FENCE},
    {"authtype", LIBRARY},
    {"block_size", FIXED},
    {"bytea_output", PARAM_FENCE},
    {"channel_binding", LIBRARY},
    /* How the bytes of a statement are read: an escaping made for one encoding is none in another,
     * so this is never fenced, and standard_conforming_strings is not either. */
    {"client_encoding", PARAM_REPORTED | PARAM_PARSING},
    {"client_min_messages", PARAM_FENCE},
    {"connect_timeout", LIBRARY},
    {"connection_limit", LIBRARY},
    {"data_checksums", FIXED},
    {"data_directory_mode", FIXED},
    {"DateStyle", PARAM_REPORTED | PARAM_PARSING | PARAM_FENCE},
    {"dbname", LIBRARY},
    {"debug_assertions", FIXED},
    {"default_transaction_deferrable", PARAM_FENCE | PARAM_NEXT},
    {"default_transaction_isolation", PARAM_FENCE | PARAM_NEXT},
    {"default_transaction_read_only", PARAM_REPORTED | PARAM_FENCE | PARAM_NEXT},
    {"extra_float_digits", PARAM_FENCE},
    {"fallback_application_name", LIBRARY},
    {"gssdelegation", LIBRARY},
    {"gssencmode", LIBRARY},
    {"gsslib", LIBRARY},
    {"host", LIBRARY},
    {"hostaddr", LIBRARY},
    {"idle_in_transaction_session_timeout", PARAM_FENCE},
    {"idle_session_timeout", PARAM_FENCE},
    {"ignore_system_indexes", AT_START},
    {"in_hot_standby", FIXED | PARAM_REPORTED},
    {"integer_datetimes", FIXED | PARAM_REPORTED},
    {"IntervalStyle", PARAM_REPORTED | PARAM_PARSING | PARAM_FENCE},
    {"is_superuser", FIXED | PARAM_REPORTED},
    {"jit", PARAM_FENCE},
    {"jit_debugging_support", AT_START},
    {"jit_profiling_support", AT_START},
    {"keepalives", LIBRARY},
    {"keepalives_count", LIBRARY},
    {"keepalives_idle", LIBRARY},
    {"keepalives_interval", LIBRARY},
    {"krbsrvname", LIBRARY},
    {"lc_collate", FIXED},
    {"lc_ctype", FIXED},
    {"lc_monetary", PARAM_FENCE},
    {"lc_numeric", PARAM_FENCE},
    {"lc_time", PARAM_FENCE},
    {"load_balance_hosts", LIBRARY},
    {"local_preload_libraries", AT_START},
    {"lock_timeout", PARAM_FENCE},
    {"log_connections", AT_START},
    {"log_disconnections", AT_START},
    {"max_function_args", FIXED},
    {"max_identifier_length", FIXED},
    {"max_index_keys", FIXED},
    {"max_protocol_version", LIBRARY},
    {"min_protocol_version", LIBRARY},
    {"passfile", LIBRARY},
    {"password", LIBRARY},
    {"pgbouncer", LIBRARY},
    {"pool_timeout", LIBRARY},
    {"port", LIBRARY},
    {"post_auth_delay", AT_START},
    {"pre_auth_delay", AT_START},
    {"require_auth", LIBRARY},
    {"requirepeer", LIBRARY},
    {"requiressl", LIBRARY},
    {"role", PARAM_PARSING | PARAM_IDENTITY},
    {"scram_client_key", LIBRARY},
    {"scram_iterations", PARAM_REPORTED},
    {"scram_server_key", LIBRARY},
    {"search_path", PARAM_REPORTED | PARAM_PARSING | PARAM_LIST},
    {"seed", PER_TRANSACTION},
    {"segment_size", FIXED},
    {"server_encoding", FIXED | PARAM_REPORTED},
    {"server_version", FIXED | PARAM_REPORTED},
    {"server_version_num", FIXED},
    {"service", LIBRARY},
    {"servicefile", LIBRARY},
    /* PostgreSQL overwrites what a startup packet says by the user that logs in. */
    {"session_authorization", PARAM_REPORTED | PARAM_PARSING | PARAM_IDENTITY | PARAM_DROP},
    {"session_preload_libraries", AT_START},
    {"ssl_max_protocol_version", LIBRARY},
    {"ssl_min_protocol_version", LIBRARY},
    {"sslaccept", LIBRARY},
    {"sslcert", LIBRARY},
    {"sslcertmode", LIBRARY},
    {"sslcompression", LIBRARY},
    {"sslcrl", LIBRARY},
    {"sslcrldir", LIBRARY},
    {"sslkey", LIBRARY},
    {"sslkeylogfile", LIBRARY},
    {"sslmode", LIBRARY},
    {"sslnegotiation", LIBRARY},
    {"sslpassword", LIBRARY},
    {"sslrootcert", LIBRARY},
    {"sslsni", LIBRARY},
    {"standard_conforming_strings", PARAM_REPORTED | PARAM_PARSING},
    {"statement_cache_size", LIBRARY},
    {"statement_timeout", PARAM_FENCE},
    {"target_session_attrs", LIBRARY},
    {"temp_tablespaces", PARAM_LIST},
    {"TimeZone", PARAM_REPORTED | PARAM_PARSING | PARAM_FENCE},
    {"transaction_deferrable", PER_TRANSACTION},
    {"transaction_isolation", PER_TRANSACTION},
    {"transaction_read_only", PER_TRANSACTION},
    {"transaction_timeout", PARAM_FENCE},
    {"tty", LIBRARY},
    {"uselibpqcompat", LIBRARY},
    {"wal_block_size", FIXED},
    {"wal_segment_size", FIXED},
};

const struct param_name *param_names(unsigned *n_out)
{
    *n_out = sizeof names / sizeof *names;
    return names;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

int param_name_compare(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    for (size_t i = 0; i < n; i++) {
        int d = lower(a.p[i]) - lower(b.p[i]);
        if (d)
            return d;
    }
    return (a.n > b.n) - (a.n < b.n);
}

static int compare_with_row(const void *key, const void *row)
{
    const struct span *name = key;
    return param_name_compare(*name, span_str(((const struct param_name *)row)->name));
}

const struct param_name *param_name_find(struct span name)
{
    /* Options of the protocol, not settings (manual, "Protocol Flow: Start-up"). */
    static const struct param_name protocol_option = {"_pq_.", LIBRARY};
    if (name.n >= 5 && memcmp(name.p, "_pq_.", 5) == 0)
        return &protocol_option;
    return bsearch(&name, names, sizeof names / sizeof *names, sizeof *names, compare_with_row);
}

static bool starts_identifier(uint8_t c)
{
    return (lower(c) >= 'a' && lower(c) <= 'z') || c == '_';
}

/* guc.c, assignable_custom_variable_name: letters, digits, underscores and dollar signs. */
bool param_name_is_valid(struct span name)
{
    bool fresh = true; /* at the beginning of an identifier */
    if (name.n > PARAM_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        if (fresh) {
            if (!starts_identifier(c))
                return false;
            fresh = false;
        } else if (c == '.') {
            fresh = true;
        } else if (!starts_identifier(c) && !(c >= '0' && c <= '9') && c != '$') {
            return false;
        }
    }
    return !fresh;
}

struct span param_name_spell(struct span name, const struct param_name *row,
                             char out[PARAM_NAME_MAX + 1])
{
    if (row && !(row->traits & PARAM_FOREIGN))
        return span_str(row->name);
    for (size_t i = 0; i < name.n; i++)
        out[i] = (char)lower(name.p[i]);
    out[name.n] = '\0';
    return span_of(out, name.n);
}
