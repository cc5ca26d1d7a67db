# SPDX-License-Identifier: PostgreSQL
"""Session mode: what a client hears that it would hear from a connection of its own.

test_differential.py compares random sessions; here is what it cannot say because it differs from
connection to connection.
"""

import select
from contextlib import closing

import pytest

from support.waiting import wait_until
from support.wire import Disconnected, query


@pytest.fixture
def pooler(postgres, start_pooler):
    return start_pooler(postgres, pool_mode="session")


def notifications(connection, count):
    while len(connection.notifies) < count:
        assert select.select([connection], [], [], 20)[0], "no notification comes"
        connection.poll()
    return [(n.pid, n.payload) for n in connection.notifies]


def test_notifications_name_the_process_that_their_sender_was_told(pooler, postgres):
    with closing(pooler.connect()) as a, closing(pooler.connect()) as b:
        a.cursor().execute("LISTEN c")
        a.cursor().execute("NOTIFY c, 'own'")
        b.cursor().execute("NOTIFY c, 'of b'")
        postgres.sql("NOTIFY c, 'direct'", database="app")
        told = [a.get_backend_pid(), b.get_backend_pid()]
        heard = notifications(a, 3)
        assert [text for _, text in heard] == ["own", "of b", "direct"]
        assert [pid for pid, _ in heard[:2]] == told
        assert heard[2][0] not in told


def test_a_death_of_the_server_is_told_once_in_its_own_words(pooler, postgres):
    with pooler.login() as wire:
        wire.query("BEGIN")
        wait_until(lambda: len(postgres.backends()) == 1, "none but its own")
        (pid,) = postgres.backends()
        postgres.sql("SELECT pg_terminate_backend(%s)", (pid,))
        error = wire.read()
        fields = error.fields()
        assert (fields["S"], fields["C"]) == ("FATAL", "57P01")
        assert fields["M"] == "terminating connection due to administrator command"
        with pytest.raises(Disconnected):
            wire.read()


def test_what_a_session_set_up_is_there_to_its_end_and_gone_for_the_next(postgres, start_pooler):
    pooler = start_pooler(postgres, pool_mode="session", default_pool_size=1)
    options = "-c statement_timeout=7s -c app.tenant=one"
    with pooler.login(options=options) as wire:
        pid = wire.query("SELECT pg_backend_pid()")
        wire.query("CREATE TEMP TABLE t AS SELECT 1 AS n")
        wire.query("PREPARE p AS SELECT n FROM t")
        with pytest.raises(Exception, match="division"):
            wire.query("SELECT 1/0")
        assert wire.query("EXECUTE p") == [["1"]]
        wire.query("SET statement_timeout TO '1min'; SELECT 1; RESET ALL")
        assert wire.query("SHOW statement_timeout") == [["7s"]]
        assert wire.query("SELECT pg_backend_pid()") == pid
        wire.terminate()
    with pooler.login() as wire:
        assert wire.query("SELECT pg_backend_pid()") == pid
        assert wire.query("SHOW statement_timeout") == [["0"]]
        assert wire.query("SELECT current_setting('app.tenant', true)") in ([[None]], [[""]])
        wire.send(query("SELECT * FROM t"))
        assert wire.read_error().sqlstate == "42P01"
