# Manual pages, and what is written from the table of settings. The results are kept in the tree, so
# that a change of the table shows what readers will see of it; `make reference` writes them again.
dist_man_MANS = doc/pgballast.1 doc/pgballast.5
examplesdir = $(docdir)/examples
dist_doc_DATA = README.md CHANGELOG.md LICENSE doc/auth_query.md doc/benchmarks.md doc/console.md \
	doc/from-pgbouncer.md doc/operations.md doc/transparency.md
dist_examples_DATA = etc/pgballast.ini etc/pgballast.service etc/pgballast.socket etc/pgballast_hba.conf
EXTRA_DIST += doc/pgballast.5.in doc/pgballast.ini.in doc/check-reference

check_PROGRAMS += doc/reference
doc_reference_SOURCES = doc/reference.c
doc_reference_LDADD = $(PGB_LIBS)
TESTS += doc/check-reference

.PHONY: reference
reference: doc/reference
	doc/reference manual < $(srcdir)/doc/pgballast.5.in > $(srcdir)/doc/pgballast.5
	doc/reference sample < $(srcdir)/doc/pgballast.ini.in > $(srcdir)/etc/pgballast.ini
