# Everything but main() is one library, so that tests link what the program links.
noinst_LIBRARIES += libpgballast.a
libpgballast_a_SOURCES = \
	src/base/addr.c src/base/addr.h \
	src/base/buf.c src/base/buf.h \
	src/base/clock.c src/base/clock.h \
	src/base/error.c src/base/error.h \
	src/base/list.h \
	src/base/log.c src/base/log.h \
	src/base/log_format.c src/base/log_format.h \
	src/base/mem.c src/base/mem.h \
	src/base/mutex.c src/base/mutex.h \
	src/base/rand.c src/base/rand.h \
	src/base/span.h \
	src/base/str.c src/base/str.h \
	src/base/utf8.c src/base/utf8.h

PGB_LIBS = libpgballast.a $(LIBEVENT_LIBS) $(OPENSSL_LIBS) $(INIH_LIBS) $(IDN_LIBS) $(CARES_LIBS) \
	$(PAM_LIBS) $(LDAP_LIBS)

bin_PROGRAMS += pgballast
pgballast_SOURCES = src/main/main.c
pgballast_LDFLAGS = $(PROGRAM_LDFLAGS)
pgballast_LDADD = $(PGB_LIBS)

libpgballast_a_SOURCES += \
	src/auth/auth.c src/auth/auth.h \
	src/auth/base64.c src/auth/base64.h \
	src/auth/blocking.c src/auth/blocking.h src/auth/blocking_impl.h \
	src/auth/blocking_ldap.c \
	src/auth/blocking_pam.c \
	src/auth/digest.c src/auth/digest.h \
	src/auth/hba.c src/auth/hba.h \
	src/auth/hba_names.c src/auth/hba_names.h \
	src/auth/ident.c src/auth/ident.h \
	src/auth/keycache.c src/auth/keycache.h \
	src/auth/ldap_options.c src/auth/ldap_options.h \
	src/auth/md5.c src/auth/md5.h \
	src/auth/rule_line.c src/auth/rule_line.h \
	src/auth/saslprep.c src/auth/saslprep.h \
	src/auth/scram.c src/auth/scram.h \
	src/auth/scram_client.c src/auth/scram_client.h \
	src/auth/scram_server.c src/auth/scram_server.h \
	src/auth/scram_text.c src/auth/scram_text.h \
	src/auth/secret.c src/auth/secret.h \
	src/auth/userlist.c src/auth/userlist.h

libpgballast_a_SOURCES += \
	src/conf/advice.c src/conf/advice.h \
	src/conf/conf_env.c src/conf/conf_env.h \
	src/conf/conf_files.c src/conf/conf_files.h \
	src/conf/conf_ini.c src/conf/conf_ini.h \
	src/conf/conf_load.c src/conf/conf_load.h \
	src/conf/conf_pairs.c src/conf/conf_pairs.h \
	src/conf/conf_url.c src/conf/conf_url.h \
	src/conf/config.c src/conf/config.h \
	src/conf/config_copy.c src/conf/config_copy.h \
	src/conf/effective.c src/conf/effective.h \
	src/conf/setting.c src/conf/setting.h src/conf/setting_list.h \
	src/conf/url_profile.c src/conf/url_profile.h \
	src/conf/validate.c src/conf/validate.h \
	src/conf/value.c src/conf/value.h

libpgballast_a_SOURCES += \
	src/net/addr_list.c src/net/addr_list.h \
	src/net/dialer.c src/net/dialer.h \
	src/net/hangup.c \
	src/net/io.h \
	src/net/listener.c src/net/listener.h \
	src/net/loop.c src/net/loop.h src/net/loop_impl.h \
	src/net/mailbox.c src/net/mailbox.h \
	src/net/outgoing.c src/net/outgoing.h \
	src/net/resolver.c src/net/resolver.h \
	src/net/resolver_impl.h src/net/resolver_zone.c \
	src/net/stream.c src/net/stream.h src/net/stream_impl.h \
	src/net/stream_send.c \
	src/net/stream_tls.c \
	src/net/tcp_options.c src/net/tcp_options.h \
	src/net/tls.c src/net/tls.h \
	src/net/tls_cert.c \
	src/net/tls_context.c src/net/tls_context.h src/net/tls_context_impl.h \
	src/net/tls_memory.c src/net/tls_memory.h \
	src/net/tls_selfsigned.c src/net/tls_selfsigned.h \
	src/net/tls_session.c \
	src/net/tls_trust.c

libpgballast_a_SOURCES += \
	src/proto/backend.c src/proto/backend.h \
	src/proto/frame.c src/proto/frame.h \
	src/proto/frontend.c src/proto/frontend.h \
	src/proto/message.c src/proto/message.h \
	src/proto/reader.h \
	src/proto/report.c src/proto/report.h \
	src/proto/startup.c src/proto/startup.h \
	src/proto/writer.c src/proto/writer.h

pgballast_SOURCES += \
	src/main/daemon.c src/main/daemon.h \
	src/main/check.c src/main/check.h \
	src/main/greeting.c src/main/greeting.h \
	src/main/holder.c src/main/holder.h \
	src/main/listen.c src/main/listen.h \
	src/main/logging.c src/main/logging.h \
	src/main/options.c src/main/options.h \
	src/main/program.c src/main/program.h \
	src/main/reload.c src/main/reload.h \
	src/main/signals.c src/main/signals.h \
	src/main/systemd.c src/main/systemd.h \
	src/main/takeover.c src/main/takeover.h \
	src/main/shutdown.c src/main/shutdown.h

libpgballast_a_SOURCES += \
	src/setup/rules.c src/setup/rules.h \
	src/setup/setup.c src/setup/setup.h

libpgballast_a_SOURCES += \
	src/client/client.c src/client/client.h src/client/client_impl.h \
	src/client/client_login.c src/client/client_login.h \
	src/client/client_method.c src/client/client_method.h \
	src/client/client_requests.c \
	src/client/client_startup.c \
	src/client/client_verify.c \
	src/client/client_who.c src/client/client_who.h

libpgballast_a_SOURCES += \
	src/server/server.c src/server/server.h src/server/server_impl.h \
	src/server/server_login.c \
	src/server/server_responses.c

libpgballast_a_SOURCES += \
	src/relay/auth_query.c src/relay/auth_query.h \
	src/relay/broker.c src/relay/broker.h \
	src/relay/cancel.c src/relay/cancel.h \
	src/relay/cancel_key.c src/relay/cancel_key.h \
	src/relay/control.c src/relay/control.h \
	src/relay/dial.c src/relay/dial.h \
	src/relay/ends.c \
	src/relay/findings.c \
	src/relay/id_table.c src/relay/id_table.h \
	src/relay/forward.c src/relay/forward.h \
	src/relay/forward_extended.c src/relay/forward_extended.h \
	src/relay/handover.c src/relay/handover.h \
	src/relay/care.c src/relay/care.h \
	src/relay/vanish.c src/relay/vanish.h \
	src/relay/leave.c src/relay/leave.h \
	src/relay/link.c src/relay/link.h \
	src/relay/look.c src/relay/look.h \
	src/relay/lookups.c src/relay/lookups.h \
	src/relay/names.c src/relay/names.h \
	src/relay/own.c src/relay/own.h \
	src/relay/order.c src/relay/order.h \
	src/relay/provide.c src/relay/provide.h \
	src/relay/peer.c src/relay/peer.h \
	src/relay/peer_ledger.c src/relay/peer_ledger.h \
	src/relay/reset.c src/relay/reset.h \
	src/relay/pids.c src/relay/pids.h \
	src/relay/places.c src/relay/places.h \
	src/relay/refit.c src/relay/refit.h \
	src/relay/relay.c src/relay/relay.h src/relay/relay_impl.h \
	src/relay/respond.c \
	src/relay/session.c \
	src/relay/suspend.c src/relay/suspend.h \
	src/relay/terms.c src/relay/terms.h src/relay/terms_impl.h \
	src/relay/tick.c src/relay/tick.h \
	src/relay/verify.c src/relay/verify.h

libpgballast_a_SOURCES += \
	src/worker/census.c src/worker/census.h \
	src/worker/command.c src/worker/command.h \
	src/worker/inspect.c src/worker/inspect.h \
	src/worker/process.c src/worker/process.h \
	src/worker/visit.c src/worker/visit.h \
	src/worker/words.h \
	src/worker/worker.c src/worker/worker.h

libpgballast_a_SOURCES += \
	src/pool/cap.c \
	src/pool/cap.h \
	src/pool/limits.c \
	src/pool/limits.h \
	src/pool/pool.c \
	src/pool/pool.h \
	src/pool/pool_control.c \
	src/pool/pool_dial.c src/pool/pool_own.c \
	src/pool/pool_impl.h \
	src/pool/pool_serve.c \
	src/pool/registry.c \
	src/pool/registry.h

libpgballast_a_SOURCES += \
	src/track/expect.c \
	src/track/expect.h \
	src/track/intern.c \
	src/track/intern.h \
	src/track/parameters.c \
	src/track/parameters.h \
	src/track/parameters_accepted.c \
	src/track/parameters_command.c \
	src/track/parameters_diff.c \
	src/track/parameters_impl.h \
	src/track/parameters_names.c \
	src/track/parameters_values.c \
	src/track/parameters_welcome.c \
	src/track/prepared.h \
	src/track/prepared_client.c \
	src/track/prepared_impl.h \
	src/track/prepared_server.c \
	src/track/prepared_statement.c \
	src/track/prepared_unnamed.c \
	src/track/sql_head.c \
	src/track/sql_head.h \
	src/track/sql_traits.c \
	src/track/sql_traits.h

libpgballast_a_SOURCES += \
	src/upstream/failure.c \
	src/upstream/failure.h \
	src/upstream/target.c \
	src/upstream/target.h

libpgballast_a_SOURCES += \
	src/stats/counter.h \
	src/stats/figures.c src/stats/figures.h \
	src/stats/histogram.c \
	src/stats/histogram.h \
	src/stats/latency.c \
	src/stats/latency.h \
	src/stats/sums.c \
	src/stats/sums.h

libpgballast_a_SOURCES += \
	src/admin/command_impl.h \
	src/admin/command_parse.c src/admin/command_parse.h \
	src/admin/command_run.c \
	src/admin/command_wait.c \
	src/admin/console.c src/admin/console.h src/admin/console_impl.h \
	src/admin/console_extended.c \
	src/admin/filter.c src/admin/filter.h src/admin/filter_parse.c \
	src/admin/rows.c src/admin/rows.h \
	src/admin/show.c src/admin/show.h \
	src/admin/show_columns.c src/admin/show_columns.h \
	src/admin/show_process.c src/admin/show_process.h \
	src/admin/show_sockets.c src/admin/show_sockets.h \
	src/admin/token.c src/admin/token.h

libpgballast_a_SOURCES += \
	src/worker/history.c src/worker/history.h \
	src/worker/snapshot.c src/worker/snapshot.h \
	src/worker/wake.c src/worker/wake.h \
	src/http/crowd.c src/http/crowd.h \
	src/http/events.c src/http/events.h \
	src/http/health.c src/http/health.h \
	src/http/http.c src/http/http.h \
	src/http/http_listen.c src/http/http_listen.h \
	src/http/metrics.c src/http/metrics.h \
	src/http/pool_list.c src/http/pool_list.h \
	src/http/status.c src/http/status.h \
	src/http/text.c src/http/text.h \
	src/http/wait.c src/http/wait.h
