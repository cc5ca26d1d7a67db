# SPDX-License-Identifier: PostgreSQL
# The programs that bench/run works with. They share no code with pgballast.

noinst_PROGRAMS += bench/canned bench/load bench/relay

bench_net_sources = \
	bench/common.c bench/common.h \
	bench/conn.c bench/conn.h \
	bench/wire.c bench/wire.h

bench_canned_SOURCES = \
	bench/canned.c \
	bench/canned_answers.c bench/canned_answers.h \
	bench/canned_session.c bench/canned_session.h \
	bench/canned_settings.c bench/canned_settings.h \
	$(bench_net_sources)
bench_canned_LDADD = $(OPENSSL_LIBS)

bench_load_SOURCES = \
	bench/histogram.c bench/histogram.h \
	bench/load.c \
	bench/load_client.c bench/load_client.h \
	bench/scram_login.c bench/scram_login.h \
	$(bench_net_sources)
bench_load_LDADD = $(OPENSSL_LIBS)

bench_relay_SOURCES = bench/relay.c $(bench_net_sources)
bench_relay_LDADD = $(OPENSSL_LIBS)

EXTRA_DIST += \
	bench/run \
	bench/lib_backend.py \
	bench/lib_contender.py \
	bench/lib_load.py \
	bench/lib_measure.py \
	bench/lib_process.py \
	bench/lib_report.py \
	bench/lib_scenario.py
