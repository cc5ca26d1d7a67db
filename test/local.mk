# Unit tests: one program per module, listed here and run by `make check`.
UNIT_TESTS =
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
UNIT_LDADD = $(PGB_LIBS) $(CMOCKA_LIBS)

# Fuzz targets. For test/fuzz/fuzz_X.c, with seeds in test/fuzz/corpus/X/, two lines at the end:
#     FUZZ_TARGETS += test/fuzz/fuzz_X
#     test_fuzz_fuzz_X_LDFLAGS = $(FUZZ_LINKING)
# They have no main of their own: with --enable-fuzz libFuzzer gives it (dev/fuzz runs them), else
# replay_main.c does and `make check` replays the corpus. LDADD is for programs that name no libraries
# themselves, which only these don't.
FUZZ_TARGETS =
EXTRA_DIST += dev examples test/examples test/fuzz/corpus test/integration test/neonfront test/soak test/support
if FUZZ
FUZZ_LINKING = $(AM_LDFLAGS) -fsanitize=fuzzer
noinst_PROGRAMS += $(FUZZ_TARGETS)
else
FUZZ_LINKING = $(AM_LDFLAGS)
FUZZ_MAIN = libreplay.a
check_LIBRARIES += libreplay.a
libreplay_a_SOURCES = test/fuzz/replay_main.c
check_PROGRAMS += $(FUZZ_TARGETS)
TESTS += $(FUZZ_TARGETS)
endif
LDADD = $(FUZZ_MAIN) $(PGB_LIBS)

# auth
UNIT_TESTS += test/unit/auth/test_base64
test_unit_auth_test_base64_SOURCES = test/unit/auth/test_base64.c test/unit/auth/auth_fixture.h
test_unit_auth_test_base64_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/auth/test_digest
test_unit_auth_test_digest_SOURCES = test/unit/auth/test_digest.c test/unit/auth/auth_fixture.h
test_unit_auth_test_digest_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/auth/test_keycache
test_unit_auth_test_keycache_SOURCES = test/unit/auth/test_keycache.c test/unit/auth/auth_fixture.h
test_unit_auth_test_keycache_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/auth/test_md5
test_unit_auth_test_md5_SOURCES = test/unit/auth/test_md5.c test/unit/auth/auth_fixture.h
test_unit_auth_test_md5_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/auth/test_saslprep
test_unit_auth_test_saslprep_SOURCES = test/unit/auth/test_saslprep.c test/unit/auth/auth_fixture.h
test_unit_auth_test_saslprep_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/auth/test_scram
test_unit_auth_test_scram_SOURCES = test/unit/auth/test_scram.c test/unit/auth/auth_fixture.h
test_unit_auth_test_scram_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/auth/test_scram_client
test_unit_auth_test_scram_client_SOURCES = test/unit/auth/test_scram_client.c test/unit/auth/auth_fixture.h
test_unit_auth_test_scram_client_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/auth/test_scram_exchange
test_unit_auth_test_scram_exchange_SOURCES = test/unit/auth/test_scram_exchange.c test/unit/auth/auth_fixture.h
test_unit_auth_test_scram_exchange_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/auth/test_scram_server
test_unit_auth_test_scram_server_SOURCES = test/unit/auth/test_scram_server.c test/unit/auth/auth_fixture.h
test_unit_auth_test_scram_server_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/auth/test_scram_text
test_unit_auth_test_scram_text_SOURCES = test/unit/auth/test_scram_text.c test/unit/auth/auth_fixture.h
test_unit_auth_test_scram_text_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/auth/test_secret
test_unit_auth_test_secret_SOURCES = test/unit/auth/test_secret.c test/unit/auth/auth_fixture.h
test_unit_auth_test_secret_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/auth/test_userlist
test_unit_auth_test_userlist_SOURCES = test/unit/auth/test_userlist.c test/unit/auth/auth_fixture.h
test_unit_auth_test_userlist_LDADD = $(UNIT_LDADD)
FUZZ_TARGETS += test/fuzz/fuzz_scram_client
test_fuzz_fuzz_scram_client_LDFLAGS = $(FUZZ_LINKING)
FUZZ_TARGETS += test/fuzz/fuzz_scram_server
test_fuzz_fuzz_scram_server_LDFLAGS = $(FUZZ_LINKING)
FUZZ_TARGETS += test/fuzz/fuzz_secret
test_fuzz_fuzz_secret_LDFLAGS = $(FUZZ_LINKING)
FUZZ_TARGETS += test/fuzz/fuzz_userlist
test_fuzz_fuzz_userlist_LDFLAGS = $(FUZZ_LINKING)

# proto
UNIT_TESTS += test/unit/proto/test_backend
test_unit_proto_test_backend_SOURCES = test/unit/proto/test_backend.c test/unit/proto/proto_fixture.h
test_unit_proto_test_backend_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/proto/test_frame
test_unit_proto_test_frame_SOURCES = test/unit/proto/test_frame.c test/unit/proto/proto_fixture.h
test_unit_proto_test_frame_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/proto/test_frontend
test_unit_proto_test_frontend_SOURCES = test/unit/proto/test_frontend.c test/unit/proto/proto_fixture.h
test_unit_proto_test_frontend_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/proto/test_message
test_unit_proto_test_message_SOURCES = test/unit/proto/test_message.c test/unit/proto/proto_fixture.h
test_unit_proto_test_message_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/proto/test_reader
test_unit_proto_test_reader_SOURCES = test/unit/proto/test_reader.c test/unit/proto/proto_fixture.h
test_unit_proto_test_reader_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/proto/test_report
test_unit_proto_test_report_SOURCES = test/unit/proto/test_report.c test/unit/proto/proto_fixture.h
test_unit_proto_test_report_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/proto/test_startup
test_unit_proto_test_startup_SOURCES = test/unit/proto/test_startup.c test/unit/proto/proto_fixture.h
test_unit_proto_test_startup_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/proto/test_startup_options
test_unit_proto_test_startup_options_SOURCES = test/unit/proto/test_startup_options.c test/unit/proto/proto_fixture.h
test_unit_proto_test_startup_options_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/proto/test_writer
test_unit_proto_test_writer_SOURCES = test/unit/proto/test_writer.c test/unit/proto/proto_fixture.h
test_unit_proto_test_writer_LDADD = $(UNIT_LDADD)
FUZZ_TARGETS += test/fuzz/fuzz_backend
test_fuzz_fuzz_backend_LDFLAGS = $(FUZZ_LINKING)
FUZZ_TARGETS += test/fuzz/fuzz_frame
test_fuzz_fuzz_frame_LDFLAGS = $(FUZZ_LINKING)
FUZZ_TARGETS += test/fuzz/fuzz_frontend
test_fuzz_fuzz_frontend_LDFLAGS = $(FUZZ_LINKING)
FUZZ_TARGETS += test/fuzz/fuzz_startup
test_fuzz_fuzz_startup_LDFLAGS = $(FUZZ_LINKING)

UNIT_TESTS += \
	test/unit/conf/test_advice \
	test/unit/conf/test_conf_env \
	test/unit/conf/test_conf_ini \
	test/unit/conf/test_conf_load \
	test/unit/conf/test_conf_pairs \
	test/unit/conf/test_conf_url \
	test/unit/conf/test_config \
	test/unit/conf/test_config_copy \
	test/unit/conf/test_effective \
	test/unit/conf/test_setting \
	test/unit/conf/test_url_profile \
	test/unit/conf/test_validate \
	test/unit/conf/test_value
test_unit_conf_test_advice_SOURCES = test/unit/conf/test_advice.c
test_unit_conf_test_advice_LDADD = $(UNIT_LDADD)
test_unit_conf_test_conf_env_SOURCES = test/unit/conf/test_conf_env.c test/unit/conf/findings.h
test_unit_conf_test_conf_env_LDADD = $(UNIT_LDADD)
test_unit_conf_test_conf_ini_SOURCES = test/unit/conf/test_conf_ini.c
test_unit_conf_test_conf_ini_LDADD = $(UNIT_LDADD)
test_unit_conf_test_conf_load_SOURCES = test/unit/conf/test_conf_load.c
test_unit_conf_test_conf_load_LDADD = $(UNIT_LDADD)
test_unit_conf_test_conf_pairs_SOURCES = test/unit/conf/test_conf_pairs.c
test_unit_conf_test_conf_pairs_LDADD = $(UNIT_LDADD)
test_unit_conf_test_conf_url_SOURCES = test/unit/conf/test_conf_url.c
test_unit_conf_test_conf_url_LDADD = $(UNIT_LDADD)
test_unit_conf_test_config_SOURCES = test/unit/conf/test_config.c
test_unit_conf_test_config_LDADD = $(UNIT_LDADD)
test_unit_conf_test_config_copy_SOURCES = test/unit/conf/test_config_copy.c
test_unit_conf_test_config_copy_LDADD = $(UNIT_LDADD)
test_unit_conf_test_effective_SOURCES = test/unit/conf/test_effective.c
test_unit_conf_test_effective_LDADD = $(UNIT_LDADD)
test_unit_conf_test_setting_SOURCES = test/unit/conf/test_setting.c
test_unit_conf_test_setting_LDADD = $(UNIT_LDADD)
test_unit_conf_test_url_profile_SOURCES = test/unit/conf/test_url_profile.c
test_unit_conf_test_url_profile_LDADD = $(UNIT_LDADD)
test_unit_conf_test_validate_SOURCES = test/unit/conf/test_validate.c
test_unit_conf_test_validate_LDADD = $(UNIT_LDADD)
test_unit_conf_test_value_SOURCES = test/unit/conf/test_value.c
test_unit_conf_test_value_LDADD = $(UNIT_LDADD)

FUZZ_TARGETS += test/fuzz/fuzz_env test/fuzz/fuzz_ini test/fuzz/fuzz_url
test_fuzz_fuzz_env_LDFLAGS = $(FUZZ_LINKING)
test_fuzz_fuzz_ini_LDFLAGS = $(FUZZ_LINKING)
test_fuzz_fuzz_url_LDFLAGS = $(FUZZ_LINKING)
EXTRA_DIST += etc/pgballast.ini

# stats, upstream, expected answers
UNIT_TESTS += test/unit/stats/test_histogram
test_unit_stats_test_histogram_SOURCES = test/unit/stats/test_histogram.c
test_unit_stats_test_histogram_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/stats/test_sums
test_unit_stats_test_sums_SOURCES = test/unit/stats/test_sums.c
test_unit_stats_test_sums_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/track/test_expect
test_unit_track_test_expect_SOURCES = test/unit/track/test_expect.c
test_unit_track_test_expect_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/track/test_expect_random
test_unit_track_test_expect_random_SOURCES = test/unit/track/test_expect_random.c
test_unit_track_test_expect_random_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/upstream/test_failure
test_unit_upstream_test_failure_SOURCES = test/unit/upstream/test_failure.c
test_unit_upstream_test_failure_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/upstream/test_target
test_unit_upstream_test_target_SOURCES = test/unit/upstream/test_target.c
test_unit_upstream_test_target_LDADD = $(UNIT_LDADD)

# track
UNIT_TESTS += test/unit/track/test_intern
test_unit_track_test_intern_SOURCES = test/unit/track/test_intern.c test/unit/track/track_fixture.h
test_unit_track_test_intern_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/track/test_parameters
test_unit_track_test_parameters_SOURCES = test/unit/track/test_parameters.c test/unit/track/track_fixture.h
test_unit_track_test_parameters_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/track/test_parameters_diff
test_unit_track_test_parameters_diff_SOURCES = test/unit/track/test_parameters_diff.c test/unit/track/track_fixture.h
test_unit_track_test_parameters_diff_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/track/test_parameters_text
test_unit_track_test_parameters_text_SOURCES = test/unit/track/test_parameters_text.c test/unit/track/track_fixture.h
test_unit_track_test_parameters_text_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/track/test_prepared
test_unit_track_test_prepared_SOURCES = test/unit/track/test_prepared.c test/unit/track/prepared_fixture.h test/unit/track/track_fixture.h
test_unit_track_test_prepared_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/track/test_prepared_changes
test_unit_track_test_prepared_changes_SOURCES = test/unit/track/test_prepared_changes.c test/unit/track/prepared_fixture.h test/unit/track/track_fixture.h
test_unit_track_test_prepared_changes_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/track/test_prepared_random
test_unit_track_test_prepared_random_SOURCES = test/unit/track/test_prepared_random.c test/unit/track/prepared_fixture.h test/unit/track/track_fixture.h
test_unit_track_test_prepared_random_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/track/test_sql_head
test_unit_track_test_sql_head_SOURCES = test/unit/track/test_sql_head.c test/unit/track/track_fixture.h
test_unit_track_test_sql_head_LDADD = $(UNIT_LDADD)
FUZZ_TARGETS += test/fuzz/fuzz_sql_head
test_fuzz_fuzz_sql_head_LDFLAGS = $(FUZZ_LINKING)

# pool
UNIT_TESTS += test/unit/pool/test_cap
test_unit_pool_test_cap_SOURCES = test/unit/pool/test_cap.c test/unit/pool/pool_fixture.h
test_unit_pool_test_cap_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/pool/test_pool
test_unit_pool_test_pool_SOURCES = test/unit/pool/test_pool.c test/unit/pool/pool_fixture.h
test_unit_pool_test_pool_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/pool/test_pool_dial
test_unit_pool_test_pool_dial_SOURCES = test/unit/pool/test_pool_dial.c test/unit/pool/pool_fixture.h
test_unit_pool_test_pool_dial_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/pool/test_pool_own
test_unit_pool_test_pool_own_SOURCES = test/unit/pool/test_pool_own.c test/unit/pool/pool_fixture.h
test_unit_pool_test_pool_own_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/pool/test_pool_random
test_unit_pool_test_pool_random_SOURCES = test/unit/pool/test_pool_random.c test/unit/pool/pool_fixture.h
test_unit_pool_test_pool_random_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/pool/test_pool_threads
test_unit_pool_test_pool_threads_SOURCES = test/unit/pool/test_pool_threads.c test/unit/pool/pool_fixture.h
test_unit_pool_test_pool_threads_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/pool/test_pool_window
test_unit_pool_test_pool_window_SOURCES = test/unit/pool/test_pool_window.c test/unit/pool/pool_fixture.h
test_unit_pool_test_pool_window_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/pool/test_registry
test_unit_pool_test_registry_SOURCES = test/unit/pool/test_registry.c test/unit/pool/pool_fixture.h
test_unit_pool_test_registry_LDADD = $(UNIT_LDADD)

UNIT_TESTS += test/unit/net/test_dialer
test_unit_net_test_dialer_SOURCES = test/unit/net/test_dialer.c test/unit/net/net_fixture.h
test_unit_net_test_dialer_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/net/test_listener
test_unit_net_test_listener_SOURCES = test/unit/net/test_listener.c test/unit/net/net_fixture.h
test_unit_net_test_listener_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/net/test_loop
test_unit_net_test_loop_SOURCES = test/unit/net/test_loop.c test/unit/net/net_fixture.h
test_unit_net_test_loop_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/net/test_mailbox
test_unit_net_test_mailbox_SOURCES = test/unit/net/test_mailbox.c test/unit/net/net_fixture.h
test_unit_net_test_mailbox_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/net/test_outgoing
test_unit_net_test_outgoing_SOURCES = test/unit/net/test_outgoing.c test/unit/net/net_fixture.h
test_unit_net_test_outgoing_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/net/test_resolver
test_unit_net_test_resolver_SOURCES = test/unit/net/test_resolver.c test/unit/net/net_fixture.h
test_unit_net_test_resolver_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/net/test_stream
test_unit_net_test_stream_SOURCES = test/unit/net/test_stream.c test/unit/net/net_fixture.h
test_unit_net_test_stream_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/net/test_stream_move
test_unit_net_test_stream_move_SOURCES = test/unit/net/test_stream_move.c test/unit/net/net_fixture.h \
	test/unit/net/tls_fixture.h test/unit/net/net_certs.h
test_unit_net_test_stream_move_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/net/test_stream_tls
test_unit_net_test_stream_tls_SOURCES = test/unit/net/test_stream_tls.c test/unit/net/net_fixture.h \
	test/unit/net/tls_fixture.h test/unit/net/net_certs.h
test_unit_net_test_stream_tls_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/net/test_tls_context
test_unit_net_test_tls_context_SOURCES = test/unit/net/test_tls_context.c test/unit/net/net_fixture.h \
	test/unit/net/tls_fixture.h test/unit/net/net_certs.h
test_unit_net_test_tls_context_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/net/test_tls_selfsigned
test_unit_net_test_tls_selfsigned_SOURCES = test/unit/net/test_tls_selfsigned.c test/unit/net/net_fixture.h \
	test/unit/net/tls_fixture.h test/unit/net/net_certs.h
test_unit_net_test_tls_selfsigned_LDADD = $(UNIT_LDADD)

# admin, and the statistics that it shows
UNIT_TESTS += test/unit/admin/test_command_parse
test_unit_admin_test_command_parse_SOURCES = test/unit/admin/test_command_parse.c
test_unit_admin_test_command_parse_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/admin/test_rows
test_unit_admin_test_rows_SOURCES = test/unit/admin/test_rows.c
test_unit_admin_test_rows_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/admin/test_show_columns
test_unit_admin_test_show_columns_SOURCES = test/unit/admin/test_show_columns.c
test_unit_admin_test_show_columns_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/stats/test_figures
test_unit_stats_test_figures_SOURCES = test/unit/stats/test_figures.c
test_unit_stats_test_figures_LDADD = $(UNIT_LDADD)
FUZZ_TARGETS += test/fuzz/fuzz_console
test_fuzz_fuzz_console_LDFLAGS = $(FUZZ_LINKING)

# http, and what it brought to base
UNIT_TESTS += test/unit/base/test_utf8
test_unit_base_test_utf8_SOURCES = test/unit/base/test_utf8.c
test_unit_base_test_utf8_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/http/test_text
test_unit_http_test_text_SOURCES = test/unit/http/test_text.c
test_unit_http_test_text_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/http/test_crowd
test_unit_http_test_crowd_SOURCES = test/unit/http/test_crowd.c
test_unit_http_test_crowd_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/http/test_health
test_unit_http_test_health_SOURCES = test/unit/http/test_health.c test/unit/http/http_fixture.h
test_unit_http_test_health_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/http/test_pool_list
test_unit_http_test_pool_list_SOURCES = test/unit/http/test_pool_list.c test/unit/http/http_fixture.h
test_unit_http_test_pool_list_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/http/test_metrics
test_unit_http_test_metrics_SOURCES = test/unit/http/test_metrics.c test/unit/http/http_fixture.h
test_unit_http_test_metrics_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/base/test_rand
test_unit_base_test_rand_SOURCES = test/unit/base/test_rand.c
test_unit_base_test_rand_LDADD = $(UNIT_LDADD)

# Replay scripts: each is a test, played by test/replay/replay on the fake network of test/support, whose
# objects stand in front of the library's.
check_PROGRAMS += test/replay/replay
test_replay_replay_SOURCES = \
	test/replay/actor.c test/replay/actor.h \
	test/replay/notation.c test/replay/notation.h \
	test/replay/play.c test/replay/play.h test/replay/play_impl.h \
	test/replay/play_scene.c \
	test/replay/play_talk.c \
	test/replay/replay.c \
	test/replay/stage.c test/replay/stage.h \
	test/replay/words.c test/replay/words.h \
	test/support/fake_dialer.c test/support/fake_impl.h \
	test/support/fake_listener.c \
	test/support/fake_loop.c \
	test/support/fake_net.h \
	test/support/fake_rand.c \
	test/support/fake_stream.c \
	test/support/fake_tls.c
test_replay_replay_LDADD = $(PGB_LIBS)
TEST_EXTENSIONS = .replay
REPLAY_LOG_COMPILER = $(top_builddir)/test/replay/replay
REPLAY_TESTS = \
	test/replay/answer-out-of-turn-in-a-group.replay \
	test/replay/answers-of-extended-messages.replay \
	test/replay/auth-query-fails.replay \
	test/replay/auth-query-finds-a-secret.replay \
	test/replay/auth-query-is-asked-again.replay \
	test/replay/auth-query-of-several-workers.replay \
	test/replay/auth-query-renames-to-somebody-listed.replay \
	test/replay/auth-query-waits-in-the-queue.replay \
	test/replay/auth-query-whose-client-leaves.replay \
	test/replay/authentication-ok-before-proof.replay \
	test/replay/bind-behind-a-parse-that-was-skipped.replay \
	test/replay/bind-behind-a-second-parse-that-was-skipped.replay \
	test/replay/breaker-sends-one-probe.replay \
	test/replay/bytes-behind-an-sslrequest.replay \
	test/replay/cancel-of-a-queued-statement.replay \
	test/replay/cancel-of-a-running-statement.replay \
	test/replay/cancel-that-brings-nothing.replay \
	test/replay/cancel-whose-connection-does-not-end.replay \
	test/replay/cancel-whose-connection-hangs-in-a-transaction.replay \
	test/replay/cancel-with-a-key-of-impossible-length.replay \
	test/replay/cancel-with-a-wrong-key.replay \
	test/replay/client-does-not-wait-for-the-login.replay \
	test/replay/client-idle-timeout.replay \
	test/replay/client-leaves-a-running-statement.replay \
	test/replay/client-leaves-an-open-group.replay \
	test/replay/client-leaves-and-its-rollback-is-not-answered.replay \
	test/replay/client-leaves-and-its-rollback-takes-long.replay \
	test/replay/client-leaves-and-its-statement-ends.replay \
	test/replay/client-leaves-and-the-cancel-brings-nothing.replay \
	test/replay/client-leaves-half-a-message.replay \
	test/replay/client-leaves-in-a-transaction.replay \
	test/replay/client-leaves-in-copy-in.replay \
	test/replay/client-leaves-the-queue.replay \
	test/replay/client-leaves-while-a-server-is-on-its-way.replay \
	test/replay/client-login-timeout.replay \
	test/replay/client-that-does-not-read.replay \
	test/replay/client-that-has-rested-is-watched-again.replay \
	test/replay/close-inside-a-transaction.replay \
	test/replay/close-of-a-statement.replay \
	test/replay/commit-in-flight-is-unknown.replay \
	test/replay/connect-query-runs-before-the-first-client.replay \
	test/replay/console-that-does-not-read-is-closed.replay \
	test/replay/copy-done-comes-late-behind-a-reset.replay \
	test/replay/copy-fail-by-the-client.replay \
	test/replay/copy-fails-and-data-comes-late.replay \
	test/replay/copy-in-large-messages.replay \
	test/replay/copy-in.replay \
	test/replay/copy-out.replay \
	test/replay/deallocate-all.replay \
	test/replay/deallocate.replay \
	test/replay/duplicate-statement-name.replay \
	test/replay/encryption-is-refused-politely.replay \
	test/replay/failed-parse-frees-the-name.replay \
	test/replay/fenced-difference.replay \
	test/replay/forced-user-has-min-pool-size-without-clients.replay \
	test/replay/full-queue-is-refused.replay \
	test/replay/function-call.replay \
	test/replay/gated-difference-extended-query.replay \
	test/replay/gated-difference-is-rolled-back-with-the-statement.replay \
	test/replay/gated-difference-simple-query.replay \
	test/replay/handover-server-dies.replay \
	test/replay/hosts-in-the-order-written.replay \
	test/replay/hosts-take-turns-and-a-dead-one-is-passed-over.replay \
	test/replay/idle-server-of-another-worker-is-asked-for.replay \
	test/replay/idle-server-says-goodbye.replay \
	test/replay/idle-transaction-begins-when-the-statement-ends.replay \
	test/replay/idle-transaction-timeout.replay \
	test/replay/large-parse-does-not-uncover-the-unnamed-statement-of-others.replay \
	test/replay/large-parse-keeps-the-server.replay \
	test/replay/large-unnamed-statement-is-followed.replay \
	test/replay/malformed-messages-of-clients.replay \
	test/replay/malformed-messages-of-servers.replay \
	test/replay/malformed-reports-of-servers.replay \
	test/replay/malformed-startup-packets.replay \
	test/replay/min-pool-size-is-kept-while-there-are-clients.replay \
	test/replay/names-go-behind-a-close-that-was-skipped.replay \
	test/replay/new-server-is-given-away-at-once.replay \
	test/replay/newer-protocol-is-negotiated.replay \
	test/replay/notices-and-notifications.replay \
	test/replay/notifications-name-who-was-told.replay \
	test/replay/parse-of-a-known-statement-is-answered-in-its-turn.replay \
	test/replay/parse-of-a-known-statement-needs-no-server.replay \
	test/replay/passwords-of-clients-by-md5.replay \
	test/replay/passwords-of-clients-in-clear.replay \
	test/replay/passwords-of-clients.replay \
	test/replay/pipeline-longer-than-the-bound.replay \
	test/replay/pipeline-longer-than-the-ring.replay \
	test/replay/prepared-statement-on-another-server.replay \
	test/replay/query-in-a-copy-closes-the-connection.replay \
	test/replay/query-in-a-group-whose-statement-is-refused.replay \
	test/replay/query-timeout-before-a-fence-is-over.replay \
	test/replay/query-timeout-cancels-first.replay \
	test/replay/query-timeout-closes-when-the-cancel-brings-nothing.replay \
	test/replay/query-timeout-of-a-queued-statement.replay \
	test/replay/query-timeout-of-an-open-group.replay \
	test/replay/query-wait-timeout-keeps-the-session.replay \
	test/replay/query-wait-timeout-of-pgbouncer.replay \
	test/replay/queue-outlasts-a-restart-of-the-database.replay \
	test/replay/refused-breaker-is-told-at-the-login.replay \
	test/replay/refused-connections-back-off.replay \
	test/replay/refused-fence-closes-the-connection.replay \
	test/replay/rolled-back-gate-before-two-syncs.replay \
	test/replay/rolled-back-gate-before-a-name-that-waits.replay \
	test/replay/refused-gate-before-a-simple-query.replay \
	test/replay/refused-gate-before-an-extended-query.replay \
	test/replay/refused-gate-before-two-queries.replay \
	test/replay/reset-query-always.replay \
	test/replay/reset-query-that-fails-closes-the-server.replay \
	test/replay/replication-ended-by-the-client.replay \
	test/replay/replication-ended-by-the-server.replay \
	test/replay/replication-is-refused-alone.replay \
	test/replay/replication-that-is-not-read.replay \
	test/replay/replication-waits-in-the-queue-and-makes-room.replay \
	test/replay/room-for-a-statement-behind-an-error.replay \
	test/replay/second-client-waits.replay \
	test/replay/server-check-query.replay \
	test/replay/server-idle-timeout-and-lifetime.replay \
	test/replay/server-is-handed-to-the-worker-that-waits.replay \
	test/replay/server-lifetime-zero-is-one-use.replay \
	test/replay/server-lost-before-a-fence-is-over.replay \
	test/replay/server-lost-in-a-pipeline.replay \
	test/replay/server-lost-in-the-middle-of-a-row.replay \
	test/replay/server-lost-inside-a-transaction.replay \
	test/replay/server-lost-outside-a-transaction.replay \
	test/replay/server-last-words-are-relayed-once.replay \
	test/replay/server-refusal-is-relayed-whole.replay \
	test/replay/server-refuses-the-password.replay \
	test/replay/server-says-goodbye-behind-an-answer.replay \
	test/replay/server-speaks-out-of-turn-in-the-login.replay \
	test/replay/server-that-does-not-read.replay \
	test/replay/server-waits-for-a-cancel-that-may-still-hit.replay \
	test/replay/servers-lost-before-a-fence-is-over.replay \
	test/replay/servers-leave-an-address-that-has-gone.replay \
	test/replay/servers-that-trust.replay \
	test/replay/servers-with-clear-passwords.replay \
	test/replay/servers-with-md5.replay \
	test/replay/servers-with-scram.replay \
	test/replay/session-mode-keeps-the-server.replay \
	test/replay/session-mode-resets-to-the-clients-own-start.replay \
	test/replay/set-follows-the-client.replay \
	test/replay/skipped-parse-frees-the-name.replay \
	test/replay/starting-database-is-waited-for.replay \
	test/replay/statement-mode-refuses-transactions.replay \
	test/replay/statement-parsed-under-another-datestyle.replay \
	test/replay/text-that-one-server-knows-is-not-taken-to-be-on-another.replay \
	test/replay/too-many-clients-already.replay \
	test/replay/transaction-timeout.replay \
	test/replay/unknown-database-at-the-server.replay \
	test/replay/unknown-database.replay \
	test/replay/unknown-name.replay \
	test/replay/unnamed-statement-that-was-skipped-is-given-again.replay \
	test/replay/vacuum-gets-the-error-of-its-fence.replay \
	test/replay/vacuum-waits-for-its-fence.replay \
	test/replay/violation-behind-the-end-of-a-row.replay
TESTS += $(REPLAY_TESTS)
EXTRA_DIST += $(REPLAY_TESTS) test/replay/README.md

# base: the log
UNIT_TESTS += test/unit/base/test_log_format
test_unit_base_test_log_format_SOURCES = test/unit/base/test_log_format.c
test_unit_base_test_log_format_LDADD = $(UNIT_LDADD)

# worker: what happened lately
UNIT_TESTS += test/unit/worker/test_history
test_unit_worker_test_history_SOURCES = test/unit/worker/test_history.c
test_unit_worker_test_history_LDADD = $(UNIT_LDADD)

# admin: which rows of a SHOW are wanted
UNIT_TESTS += test/unit/admin/test_filter
test_unit_admin_test_filter_SOURCES = test/unit/admin/test_filter.c
test_unit_admin_test_filter_LDADD = $(UNIT_LDADD)
FUZZ_TARGETS += test/fuzz/fuzz_filter
test_fuzz_fuzz_filter_LDFLAGS = $(FUZZ_LINKING)
UNIT_TESTS += test/unit/track/test_sql_traits
test_unit_track_test_sql_traits_SOURCES = test/unit/track/test_sql_traits.c test/unit/track/track_fixture.h
test_unit_track_test_sql_traits_LDADD = $(UNIT_LDADD)

# stats: percentiles
UNIT_TESTS += test/unit/stats/test_latency
test_unit_stats_test_latency_SOURCES = test/unit/stats/test_latency.c
test_unit_stats_test_latency_LDADD = $(UNIT_LDADD)

UNIT_TESTS += test/unit/relay/test_id_table
test_unit_relay_test_id_table_SOURCES = test/unit/relay/test_id_table.c
test_unit_relay_test_id_table_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/relay/test_lookups
test_unit_relay_test_lookups_SOURCES = test/unit/relay/test_lookups.c
test_unit_relay_test_lookups_LDADD = $(UNIT_LDADD)

# relay: cancel requests among peers
UNIT_TESTS += test/unit/relay/test_cancel_key test/unit/relay/test_peer_ledger
test_unit_relay_test_cancel_key_SOURCES = test/unit/relay/test_cancel_key.c
test_unit_relay_test_cancel_key_LDADD = $(UNIT_LDADD)
test_unit_relay_test_peer_ledger_SOURCES = test/unit/relay/test_peer_ledger.c
test_unit_relay_test_peer_ledger_LDADD = $(UNIT_LDADD)

UNIT_TESTS += test/unit/base/test_mutex
test_unit_base_test_mutex_SOURCES = test/unit/base/test_mutex.c
test_unit_base_test_mutex_LDADD = $(UNIT_LDADD)

UNIT_TESTS += test/unit/client/test_client_who
test_unit_client_test_client_who_SOURCES = test/unit/client/test_client_who.c
test_unit_client_test_client_who_LDADD = $(UNIT_LDADD)

# auth: PAM and LDAP
UNIT_TESTS += test/unit/auth/test_blocking
test_unit_auth_test_blocking_SOURCES = test/unit/auth/test_blocking.c test/unit/auth/auth_fixture.h
test_unit_auth_test_blocking_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/auth/test_ldap_options
test_unit_auth_test_ldap_options_SOURCES = test/unit/auth/test_ldap_options.c test/unit/auth/auth_fixture.h
test_unit_auth_test_ldap_options_LDADD = $(UNIT_LDADD)
FUZZ_TARGETS += test/fuzz/fuzz_ldap_options
test_fuzz_fuzz_ldap_options_LDFLAGS = $(FUZZ_LINKING)
# auth: rules
UNIT_TESTS += test/unit/auth/test_rule_line
test_unit_auth_test_rule_line_SOURCES = test/unit/auth/test_rule_line.c test/unit/auth/auth_fixture.h \
	test/unit/auth/rule_fixture.h
test_unit_auth_test_rule_line_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/auth/test_hba
test_unit_auth_test_hba_SOURCES = test/unit/auth/test_hba.c test/unit/auth/auth_fixture.h \
	test/unit/auth/rule_fixture.h
test_unit_auth_test_hba_LDADD = $(UNIT_LDADD)
UNIT_TESTS += test/unit/auth/test_ident
test_unit_auth_test_ident_SOURCES = test/unit/auth/test_ident.c test/unit/auth/auth_fixture.h \
	test/unit/auth/rule_fixture.h
test_unit_auth_test_ident_LDADD = $(UNIT_LDADD)
FUZZ_TARGETS += test/fuzz/fuzz_hba
test_fuzz_fuzz_hba_LDFLAGS = $(FUZZ_LINKING)
FUZZ_TARGETS += test/fuzz/fuzz_ident
test_fuzz_fuzz_ident_LDFLAGS = $(FUZZ_LINKING)

UNIT_TESTS += test/unit/net/test_tls_memory
test_unit_net_test_tls_memory_SOURCES = test/unit/net/test_tls_memory.c test/unit/net/net_fixture.h
test_unit_net_test_tls_memory_LDADD = $(UNIT_LDADD)
