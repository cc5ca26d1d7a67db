/* SPDX-License-Identifier: PostgreSQL */
/* setting_list.h - the rows of the table of settings, alphabetical (the order of SHOW CONFIG).
 *
 * Included several times, each time with other definitions of the row macros, which it undefines
 * at its end; so no include guard. To add a setting: one row here, its place in doc/reference.c,
 * `make reference` for manual and sample file, a test.
 *
 *     SETTING_BOOL    (name,              ini, url,           flags, help)
 *     SETTING_INT     (name,              ini, url, min, max, flags, help)
 *     SETTING_DURATION(name,              ini, url, min, max, flags, help)   bounds in microseconds
 *     SETTING_SIZE    (name,              ini, url, min, max, flags, help)   bounds in bytes
 *     SETTING_ENUM    (name, type, words, ini, url,           flags, help)
 *     SETTING_STRING  (name,              ini, url,           flags, help)
 *     SETTING_LIST    (name,              ini, url,           flags, help)
 *
 * ini and url are the defaults of the two profiles, flags those of enum setting_flag. PgBouncer's
 * settings keep its defaults in the ini profile. */
/* clang-format off */

SETTING_LIST(admin_users, "", "", SETTING_RELOAD,
    "users who may do everything on the console")
SETTING_BOOL(application_name_add_host, "0", "0", SETTING_RELOAD,
    "append the client's address to application_name at login")
SETTING_STRING(auth_dbname, "", "", SETTING_RELOAD | SETTING_NULL,
    "database on which auth_query runs")
SETTING_STRING(auth_file, "", "", SETTING_RELOAD | SETTING_NULL,
    "file with the names and secrets of users")
SETTING_STRING(auth_hba_file, "", "", SETTING_RELOAD,
    "file with host-based access rules, for auth_type = hba")
SETTING_STRING(auth_ident_file, "", "", SETTING_RELOAD | SETTING_NULL,
    "file that maps system names to database users, for auth_type = hba")
SETTING_STRING(auth_ldap_options, "", "", SETTING_RELOAD | SETTING_NULL | SETTING_SECRET,
    "options for auth_type = ldap")
SETTING_STRING(auth_query,
    "SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END "
    "FROM pg_authid WHERE rolname=$1 AND rolcanlogin",
    "SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END "
    "FROM pg_authid WHERE rolname=$1 AND rolcanlogin",
    SETTING_RELOAD,
    "query that finds the secret of a user who is not in auth_file")
SETTING_DURATION(auth_query_cache_time, "10", "10", 0, DURATION_MAX_US, SETTING_RELOAD | SETTING_OWN,
    "how long to believe what auth_query said of a user; 0 is not at all")
SETTING_ENUM(auth_type, auth_type, auth_type_words, "md5", "scram-sha-256", SETTING_RELOAD,
    "how clients prove who they are")
SETTING_STRING(auth_user, "", "", SETTING_RELOAD | SETTING_NULL,
    "user that runs auth_query")
SETTING_DURATION(autodb_idle_timeout, "3600", "3600", 0, DURATION_MAX_US, SETTING_RELOAD,
    "forget a database made from the fallback entry after this long without use; 0 is never")
SETTING_INT(breaker_failures, "5", "5", 1, 1000000, SETTING_RELOAD | SETTING_OWN,
    "failed connects in a row after which a target is left alone for breaker_open_time")
SETTING_DURATION(breaker_open_time, "10", "10", 1, DURATION_MAX_US, SETTING_RELOAD | SETTING_OWN,
    "how long an unreachable target is left alone before one client may try it")
SETTING_DURATION(cancel_wait_timeout, "10", "10", 0, DURATION_MAX_US, SETTING_RELOAD,
    "longest wait for the effect of a cancel request; 0 is no limit")
SETTING_ENUM(channel_binding, binding_policy, binding_policy_words, "prefer", "prefer", SETTING_RELOAD | SETTING_OWN,
    "whether logins at servers are bound to the TLS channel (SCRAM-SHA-256-PLUS)")
SETTING_DURATION(client_idle_timeout, "0", "0", 0, DURATION_MAX_US, SETTING_RELOAD,
    "close a client that has been silent outside a transaction for longer; 0 is never")
SETTING_DURATION(client_login_timeout, "60", "60", 0, DURATION_MAX_US, SETTING_RELOAD,
    "close a client that takes longer to log in; 0 is never")
SETTING_STRING(client_tls13_ciphers, "", "", SETTING_RELOAD | SETTING_NULL,
    "TLS 1.3 cipher suites for clients, as OpenSSL writes them; empty is its default")
SETTING_BOOL(client_tls_auto, "0", "1", SETTING_RELOAD | SETTING_OWN,
    "without a certificate, make a self-signed one at start")
SETTING_STRING(client_tls_ca_file, "", "", SETTING_RELOAD,
    "authorities for client certificates")
SETTING_STRING(client_tls_cert_file, "", "", SETTING_RELOAD,
    "our certificate chain towards clients")
SETTING_STRING(client_tls_ciphers, "default", "default", SETTING_RELOAD,
    "TLS 1.2 ciphers for clients, as OpenSSL writes them")
SETTING_STRING(client_tls_dheparams, "auto", "auto", SETTING_RELOAD | SETTING_INERT,
    "ephemeral Diffie-Hellman parameters: none or auto")
SETTING_STRING(client_tls_ecdhcurve, "auto", "auto", SETTING_RELOAD,
    "curves for key exchange with clients: auto, none or names")
SETTING_STRING(client_tls_key_file, "", "", SETTING_RELOAD,
    "private key of our certificate towards clients")
SETTING_STRING(client_tls_protocols, "secure", "secure", SETTING_RELOAD,
    "TLS versions for clients: secure, all, or a list")
SETTING_ENUM(client_tls_sslmode, sslmode, sslmode_words, "disable", "prefer", SETTING_RELOAD,
    "whether clients may, must or must not use TLS, and show a certificate")
SETTING_STRING(conffile, "", "", SETTING_RELOAD | SETTING_NULL,
    "configuration file, as named on the command line")
SETTING_INT(default_pool_size, "20", "20", 0, 1000000, SETTING_RELOAD | SETTING_ZERO_UNLIMITED,
    "server connections per pool; 0 is unlimited")
SETTING_BOOL(disable_pqexec, "0", "0", SETTING_RELOAD,
    "refuse the simple query protocol")
SETTING_DURATION(dns_max_ttl, "15", "15", 0, DURATION_MAX_US, SETTING_RELOAD,
    "longest time that a resolved name is believed")
SETTING_DURATION(dns_nxdomain_ttl, "15", "1", 0, DURATION_MAX_US, SETTING_RELOAD,
    "longest time that a failed name lookup is believed")
SETTING_DURATION(dns_zone_check_period, "0", "0", 0, DURATION_MAX_US, SETTING_RELOAD,
    "interval of zone serial checks; 0 is off")
SETTING_ENUM(hidden_state, hidden_state, hidden_state_words, "trust", "trust", SETTING_RELOAD | SETTING_OWN | SETTING_INERT,
    "whether functions and triggers behind plain statements are believed to leave no session state")
SETTING_STRING(http_addr, "127.0.0.1", "127.0.0.1", SETTING_OWN,
    "address for health, metrics and status")
SETTING_INT(http_port, "0", "6433", 0, 65535, SETTING_OWN,
    "port for health, metrics and status; 0 is off")
SETTING_DURATION(idle_transaction_timeout, "0", "0", 0, DURATION_MAX_US, SETTING_RELOAD,
    "close a client that is idle inside a transaction for longer; 0 is never")
SETTING_LIST(ignore_startup_parameters, "", "", SETTING_RELOAD,
    "start-up parameters that are dropped")
SETTING_STRING(job_name, "pgbouncer", "pgbouncer", SETTING_NEEDLESS,
    "name of the Windows service, kept for compatibility")
SETTING_BOOL(lazy_begin, "0", "1", SETTING_RELOAD | SETTING_OWN | SETTING_INERT,
    "hold BEGIN back until the first statement, so that it occupies no server")
SETTING_LIST(listen_addr, "", "127.0.0.1,::1", 0,
    "addresses to listen on; * is all, empty is the Unix socket only")
SETTING_INT(listen_backlog, "128", "1024", 0, 65535, 0,
    "connections that may wait to be accepted")
SETTING_INT(listen_port, "6432", "6432", 1, 65535, 0,
    "port to listen on, and number in the name of the Unix socket")
SETTING_BOOL(log_connections, "1", "1", SETTING_RELOAD,
    "log logins and server connects")
SETTING_BOOL(log_disconnections, "1", "1", SETTING_RELOAD,
    "log disconnects with their reason")
SETTING_ENUM(log_format, log_format, log_format_words, "pgbouncer", "pgbouncer", SETTING_RELOAD | SETTING_OWN,
    "shape of log lines")
SETTING_DURATION(log_min_duration, "0", "0", 0, DURATION_MAX_US, SETTING_RELOAD | SETTING_OWN | SETTING_INERT,
    "log statements that take longer, with their phases; 0 is off")
SETTING_BOOL(log_pooler_errors, "1", "1", SETTING_RELOAD,
    "log the errors that are sent to clients")
SETTING_BOOL(log_statements, "0", "0", SETTING_RELOAD | SETTING_OWN,
    "log statements")
SETTING_BOOL(log_stats, "1", "1", SETTING_RELOAD,
    "log one line of totals every stats_period")
SETTING_STRING(logfile, "", "", SETTING_RELOAD,
    "append the log to this file")
SETTING_STRING(login_notify_message, "", "", SETTING_RELOAD,
    "notice for each client at login")
SETTING_INT(max_client_conn, "100", "0", 0, 10000000, SETTING_RELOAD,
    "client connections; 0 is as many as the descriptors allow")
SETTING_INT(max_connects, "4", "4", 1, 10000, SETTING_RELOAD | SETTING_OWN,
    "connections opened at the same time to one target")
SETTING_INT(max_db_client_connections, "0", "0", 0, 10000000, SETTING_RELOAD | SETTING_ZERO_UNLIMITED,
    "client connections per database; 0 is unlimited")
SETTING_INT(max_db_connections, "0", "0", 0, 1000000, SETTING_RELOAD | SETTING_ZERO_UNLIMITED,
    "server connections per database; 0 is unlimited")
SETTING_SIZE(max_packet_size, "2147483647", "2147483647", 8, UINT32_MAX, SETTING_RELOAD,
    "largest protocol message of a client or a server")
SETTING_INT(max_pinned, "0", "0", 0, 1000000, SETTING_RELOAD | SETTING_OWN | SETTING_ZERO_UNLIMITED | SETTING_INERT,
    "servers of a pool that may be pinned to clients at a time; 0 is unlimited")
SETTING_INT(max_prepared_statements, "200", "200", 0, 1000000, SETTING_RELOAD,
    "prepared statements kept on each server; 0 is off")
SETTING_INT(max_server_connections, "0", "20", 0, 1000000, SETTING_RELOAD | SETTING_OWN | SETTING_ZERO_UNLIMITED,
    "server connections of all pools together; 0 is unlimited")
SETTING_INT(max_unauthenticated, "1000", "1000", 1, 10000000, SETTING_RELOAD | SETTING_OWN,
    "client connections that have not logged in yet")
SETTING_INT(max_user_client_connections, "0", "0", 0, 10000000, SETTING_RELOAD | SETTING_ZERO_UNLIMITED,
    "client connections per user; 0 is unlimited")
SETTING_INT(max_user_connections, "0", "0", 0, 1000000, SETTING_RELOAD | SETTING_ZERO_UNLIMITED,
    "server connections per user; 0 is unlimited")
SETTING_INT(max_wait_queue, "0", "10000", 0, 10000000, SETTING_RELOAD | SETTING_OWN | SETTING_ZERO_UNLIMITED,
    "clients that may wait in the queue of one pool; 0 is unlimited")
SETTING_INT(min_pool_size, "0", "5", 0, 1000000, SETTING_RELOAD,
    "server connections kept open in a pool that is in use")
SETTING_INT(peer_id, "0", "0", 0, 65535, SETTING_RELOAD,
    "our number among the processes of [peers]; 0 is alone")
SETTING_STRING(pidfile, "", "", 0,
    "file for the process id; needed for -d")
SETTING_LIST(pin_rules, "", "", SETTING_RELOAD | SETTING_OWN | SETTING_INERT,
    "functions that leave session state behind")
SETTING_SIZE(pkt_buf, "4096", "4096", 1, INT32_MAX, SETTING_NEEDLESS,
    "size of PgBouncer's stream buffers, kept for compatibility")
SETTING_DURATION(pool_idle_timeout, "0", "0", 0, DURATION_MAX_US, SETTING_RELOAD,
    "forget a pool without clients and servers after this long; 0 is never")
SETTING_ENUM(pool_mode, pool_mode, pool_mode_words, "session", "transaction", SETTING_RELOAD,
    "when a server becomes free for other clients: after session, transaction or statement")
SETTING_DURATION(query_timeout, "0", "30", 0, DURATION_MAX_US, SETTING_RELOAD,
    "cancel a statement that takes longer; 0 is never")
SETTING_DURATION(query_wait_notify, "5", "5", 0, DURATION_MAX_US, SETTING_RELOAD,
    "tell a client that it is queued after this long; 0 is never")
SETTING_DURATION(query_wait_timeout, "120", "30", 0, DURATION_MAX_US, SETTING_RELOAD,
    "give up on a statement that has waited longer for a server; 0 is never")
SETTING_INT(reserve_pool_size, "0", "0", 0, 1000000, SETTING_RELOAD,
    "further server connections for a pool whose clients wait; 0 is none")
SETTING_DURATION(reserve_pool_timeout, "5", "5", 0, DURATION_MAX_US, SETTING_RELOAD,
    "wait after which the reserve is used; 0 is never")
SETTING_STRING(resolv_conf, "", "", 0,
    "another resolv.conf")
SETTING_DURATION(retry_max_delay, "5", "5", 1, DURATION_MAX_US, SETTING_RELOAD | SETTING_OWN,
    "longest pause between attempts to connect after quick failures")
SETTING_DURATION(retry_min_delay, "250ms", "250ms", 1, DURATION_MAX_US, SETTING_RELOAD | SETTING_OWN,
    "first pause between attempts to connect after a quick failure")
SETTING_DURATION(retry_slow_delay, "30", "30", 1, DURATION_MAX_US, SETTING_RELOAD | SETTING_OWN,
    "pause between attempts after an answer that the other side remembers for a while")
SETTING_INT(sbuf_loopcnt, "5", "5", 0, INT32_MAX, SETTING_RELOAD | SETTING_NEEDLESS,
    "buffers handled per wake-up in PgBouncer, kept for compatibility")
SETTING_INT(scram_iterations, "4096", "4096", 1, 1000000, SETTING_RELOAD,
    "SCRAM iterations for secrets that are stored in plain text")
SETTING_DURATION(server_check_delay, "30", "30", 0, DURATION_MAX_US, SETTING_RELOAD,
    "idle time after which a server is checked before use; 0 is always")
SETTING_STRING(server_check_query, "<empty>", "<empty>", SETTING_RELOAD,
    "query that checks a server before a client gets it; empty is no check")
SETTING_DURATION(server_connect_timeout, "15", "10", 1, DURATION_MAX_US, SETTING_RELOAD,
    "longest time for connecting and logging in at a server, waking not counted")
SETTING_BOOL(server_fast_close, "0", "0", SETTING_RELOAD,
    "close outdated servers of session pools between transactions")
SETTING_DURATION(server_idle_timeout, "600", "240", 0, DURATION_MAX_US, SETTING_RELOAD,
    "close a server that has been idle for longer; 0 is never")
SETTING_DURATION(server_lifetime, "3600", "3600", 0, DURATION_MAX_US, SETTING_RELOAD,
    "close a free server that is older; 0 is after one use")
SETTING_DURATION(server_login_retry, "15", "1", 0, DURATION_MAX_US, SETTING_RELOAD,
    "longest pause after a failed connect before the next")
SETTING_STRING(server_reset_query, "DISCARD ALL", "DISCARD ALL", SETTING_RELOAD,
    "query that cleans a server of a session pool")
SETTING_BOOL(server_reset_query_always, "0", "0", SETTING_RELOAD,
    "run server_reset_query in every pool mode")
SETTING_BOOL(server_round_robin, "0", "0", SETTING_RELOAD,
    "use the server that was idle longest instead of shortest")
SETTING_STRING(server_tls13_ciphers, "", "", SETTING_RELOAD | SETTING_NULL,
    "TLS 1.3 cipher suites for servers, as OpenSSL writes them; empty is its default")
SETTING_STRING(server_tls_ca_file, "", "", SETTING_RELOAD,
    "authorities for server certificates; empty is the system's store")
SETTING_STRING(server_tls_cert_file, "", "", SETTING_RELOAD,
    "our certificate towards servers")
SETTING_STRING(server_tls_ciphers, "default", "default", SETTING_RELOAD,
    "TLS 1.2 ciphers for servers, as OpenSSL writes them")
SETTING_STRING(server_tls_key_file, "", "", SETTING_RELOAD,
    "private key of our certificate towards servers")
SETTING_STRING(server_tls_protocols, "secure", "secure", SETTING_RELOAD,
    "TLS versions for servers: secure, all, or a list")
SETTING_ENUM(server_tls_sslmode, sslmode, sslmode_words, "prefer", "require", SETTING_RELOAD,
    "whether servers must use TLS and how their certificates are verified")
SETTING_DURATION(server_wake_timeout, "30", "30", 1, DURATION_MAX_US, SETTING_RELOAD | SETTING_OWN,
    "longest time that a suspended database may take to start")
SETTING_STRING(service_name, "", "", SETTING_NULL | SETTING_NEEDLESS,
    "name of the Windows service, kept for compatibility")
SETTING_BOOL(so_reuseport, "0", "0", 0,
    "let several processes listen on the same port")
SETTING_ENUM(sslnegotiation, sslnegotiation, sslnegotiation_words, "postgres", "postgres", SETTING_RELOAD | SETTING_OWN,
    "how TLS with servers begins: by asking (postgres) or at once (direct)")
SETTING_STRING(state_dir, "", "", SETTING_OWN,
    "directory for what should survive a restart; empty is none")
SETTING_DURATION(stats_period, "60", "60", US_PER_S, DURATION_MAX_US, SETTING_RELOAD,
    "period of averages and of the log line with totals")
SETTING_LIST(stats_users, "", "", SETTING_RELOAD,
    "users who may read on the console")
SETTING_DURATION(suspend_timeout, "10", "10", 0, DURATION_MAX_US, SETTING_RELOAD,
    "longest wait for buffers to empty on SUSPEND; 0 is no limit")
SETTING_BOOL(syslog, "0", "0", SETTING_RELOAD,
    "log to syslog too")
SETTING_STRING(syslog_facility, "daemon", "daemon", SETTING_RELOAD,
    "syslog facility: auth, authpriv, daemon, user, local0 to local7")
SETTING_STRING(syslog_ident, "pgbouncer", "pgballast", SETTING_RELOAD,
    "program name in syslog")
SETTING_BOOL(tcp_defer_accept, "1", "1", SETTING_RELOAD,
    "accept connections only when they have sent something")
SETTING_BOOL(tcp_keepalive, "1", "1", SETTING_RELOAD,
    "keep connections alive by probes of the operating system")
SETTING_INT(tcp_keepcnt, "0", "3", 0, 1000, SETTING_RELOAD,
    "probes without answer before a connection is dead; 0 is the system's default")
SETTING_DURATION(tcp_keepidle, "0", "60", 0, 32767 * US_PER_S, SETTING_RELOAD,
    "silence before the first probe; 0 is the system's default")
SETTING_DURATION(tcp_keepintvl, "0", "10", 0, 32767 * US_PER_S, SETTING_RELOAD,
    "time between probes; 0 is the system's default")
SETTING_SIZE(tcp_socket_buffer, "0", "0", 0, 1073741824, SETTING_RELOAD,
    "size of the kernel's socket buffers; 0 is the system's default")
SETTING_DURATION(tcp_user_timeout, "0", "30s", 0, INT32_MAX * US_PER_MS, SETTING_RELOAD | SETTING_MS,
    "longest time that sent bytes may stay unacknowledged; 0 is the system's default")
SETTING_LIST(track_extra_parameters, "IntervalStyle", "IntervalStyle", 0,
    "parameters that ignore_startup_parameters does not reach; all are followed anyway")
SETTING_BOOL(track_latency, "1", "1", SETTING_RELOAD | SETTING_OWN | SETTING_INERT,
    "keep histograms of waits, statements and transactions")
SETTING_ENUM(transaction_safety, transaction_safety, transaction_safety_words, "full", "full", SETTING_RELOAD | SETTING_OWN | SETTING_INERT,
    "how session state is kept apart in transaction pooling")
SETTING_DURATION(transaction_timeout, "0", "0", 0, DURATION_MAX_US, SETTING_RELOAD,
    "close a client whose transaction is open for longer; 0 is never")
SETTING_STRING(unix_socket_dir, "/tmp", "", 0,
    "directory of the Unix socket; @ begins an abstract name, empty is none")
SETTING_STRING(unix_socket_group, "", "", 0,
    "group of the Unix socket, by name or number")
SETTING_INT(unix_socket_mode, "0777", "0700", 0, 0777, SETTING_OCTAL,
    "permissions of the Unix socket")
SETTING_ENUM(upstream_pooled, upstream_pooled, upstream_pooled_words, "keep", "direct", SETTING_RELOAD | SETTING_OWN,
    "whether a -pooler host in the URL is replaced by its direct host")
SETTING_STRING(user, "", "", SETTING_NULL,
    "system user to become when started as root")
SETTING_INT(verbose, "0", "0", 0, 1000, SETTING_RELOAD | SETTING_NULL,
    "more log: 1 is debug, 2 is noise")
SETTING_DURATION(warm_window, "60", "60", 0, DURATION_MAX_US, SETTING_RELOAD | SETTING_OWN,
    "how long after the last use of a pool min_pool_size is kept up")
SETTING_INT(workers, "0", "0", 0, 64, SETTING_OWN,
    "threads that serve connections; 0 is one per processor, at most 4")

#undef SETTING_BOOL
#undef SETTING_INT
#undef SETTING_DURATION
#undef SETTING_SIZE
#undef SETTING_ENUM
#undef SETTING_STRING
#undef SETTING_LIST
