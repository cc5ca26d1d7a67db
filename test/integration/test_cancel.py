# SPDX-License-Identifier: PostgreSQL
"""Cancel requests: at the right statement, at no other, and harmless when late."""

import threading
from contextlib import closing

import psycopg2
import pytest

from support import wire
from support.waiting import wait_until
from support.wire import ServerError

SLEEP = "SELECT pg_sleep(60)"


def is_running(postgres):
    return postgres.backends(where="state = 'active' AND query LIKE '%pg_sleep(60)%'")


def assert_canceled(client):
    with pytest.raises(ServerError) as caught:
        client.rows()
    assert caught.value.sqlstate == "57014"


def test_a_running_statement_is_cancelled(pooler, postgres):
    with pooler.login() as client:
        client.send(wire.query(SLEEP))
        wait_until(lambda: is_running(postgres), "the statement runs")
        client.cancel()
        assert_canceled(client)
        assert client.query("SELECT 1") == [["1"]]


def test_a_queued_statement_is_cancelled_without_running(single, postgres):
    with single.login() as holder, single.login() as client:
        holder.query("BEGIN")
        client.send(wire.query(SLEEP))
        single.wait_for_pool(cl_waiting=1)
        client.cancel()
        assert_canceled(client)
        assert not is_running(postgres)
        holder.query("COMMIT")
        assert client.query("SELECT 1") == [["1"]]


def test_a_copy_in_is_cancelled(pooler, postgres):
    postgres.sql("DROP TABLE IF EXISTS target; CREATE TABLE target (n int)", database="app")
    postgres.sql("ALTER TABLE target OWNER TO app", database="app")
    with pooler.login() as client:
        client.send(wire.query("COPY target FROM STDIN"))
        assert client.read().letter == b"G"
        client.send(wire.message(b"d", b"1\n"))
        client.cancel()
        # The server notices an interrupt in COPY when the next piece of data arrives.
        client.send(wire.message(b"d", b"2\n"), wire.message(b"c"))
        assert_canceled(client)
        assert client.query("SELECT count(*) FROM target") == [["0"]]
    postgres.sql("DROP TABLE target", database="app")


def test_a_copy_out_is_cancelled(pooler):
    with pooler.login() as client:
        client.send(wire.query("COPY (SELECT generate_series(1, 100000000)) TO STDOUT"))
        assert client.read().letter == b"H"
        client.cancel()
        assert_canceled(client)
        assert client.query("SELECT 1") == [["1"]]


def test_a_cancel_with_a_wrong_key_does_nothing(pooler, postgres):
    with pooler.login() as client:
        client.send(wire.query("SELECT pg_sleep(0.5)"))
        client.key = bytes(8)
        client.cancel()
        assert client.rows() == [[""]]


def test_a_cancel_of_an_idle_client_hits_nobody(single):
    """The key of a client without a server must not reach the server's present user."""
    with single.login() as idle, single.login() as busy:
        assert idle.query("SELECT 1") == [["1"]]
        busy.send(wire.query("SELECT pg_sleep(0.5)"))
        single.wait_for_pool(sv_active=1)
        idle.cancel()
        assert busy.rows() == [[""]]


@pytest.mark.threads
def test_a_cancel_that_comes_too_late_does_not_hit_the_next_client(single):
    """Over and over: one client's cancel races with the end of its statement."""
    with single.login() as racer, single.login() as bystander:
        for _ in range(40):
            racer.send(wire.query("SELECT 1"))
            racer.cancel()
            bystander.send(wire.query("SELECT pg_sleep(0.005)"))
            try:
                racer.rows()
            except ServerError as canceled:
                assert canceled.sqlstate == "57014"
            assert bystander.rows() == [[""]]


def test_a_cancel_behind_a_57014_of_another_origin_hits_nobody_else(single):
    """The statement says 57014 by itself while the request is on its way."""
    fails = "DO $$ BEGIN PERFORM pg_sleep(0.004); RAISE EXCEPTION 'own' USING ERRCODE = '57014'; END $$"
    with single.login() as racer, single.login() as bystander:
        for turn in range(200):
            racer.send(wire.query(fails))
            canceller = threading.Timer(0.0005 * (turn % 10), racer.cancel)
            canceller.start()
            bystander.send(wire.query("SELECT pg_sleep(0.005)"))
            with pytest.raises(ServerError):
                racer.rows()
            assert bystander.rows() == [[""]]
            canceller.join()


def test_cancel_keys_are_not_the_servers_own(pooler, postgres):
    with pooler.login() as client:
        pids = postgres.backends()
        client.query("SELECT 1")
        assert int.from_bytes(client.key[:4], "big") not in pids


def test_a_cancel_through_psycopg2(pooler, postgres):
    with closing(pooler.connect()) as connection, connection.cursor() as cursor:

        def cancel_when_running():
            wait_until(lambda: is_running(postgres), "the statement runs")
            connection.cancel()

        canceller = threading.Thread(target=cancel_when_running)
        canceller.start()
        with pytest.raises(psycopg2.errors.QueryCanceled):
            cursor.execute(SLEEP)
        canceller.join()
        cursor.execute("SELECT 1")
