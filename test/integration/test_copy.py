# SPDX-License-Identifier: PostgreSQL
"""COPY in both directions, complete, failing and broken off."""

import io
import time
from contextlib import closing

import psycopg2
import pytest

from support import wire
from support.wire import ServerError
from support.waiting import wait_until


@pytest.fixture
def table(postgres):
    postgres.sql("DROP TABLE IF EXISTS copied; CREATE TABLE copied (id int, word text)", database="app")
    postgres.sql("ALTER TABLE copied OWNER TO app", database="app")
    yield "copied"
    postgres.sql("DROP TABLE copied", database="app")


def test_copy_in_then_out_gives_back_what_went_in(pooler, table):
    data = "".join(f"{n}\tword {n}\n" for n in range(20000))
    with closing(pooler.connect()) as connection, connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {table} FROM STDIN", io.StringIO(data))
        out = io.StringIO()
        cursor.copy_expert(f"COPY (SELECT * FROM {table} ORDER BY id) TO STDOUT", out)
    assert out.getvalue() == data


def test_copy_in_with_bad_data_fails_and_the_session_goes_on(pooler, table):
    with closing(pooler.connect()) as connection, connection.cursor() as cursor:
        with pytest.raises(psycopg2.errors.InvalidTextRepresentation):
            cursor.copy_expert(f"COPY {table} FROM STDIN", io.StringIO("1\ta\nx\tb\n" * 10000))
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone() == (0,)


def test_copyfail_ends_a_copy(pooler, table):
    with pooler.login() as client:
        client.send(wire.query(f"COPY {table} FROM STDIN"))
        assert client.read().letter == b"G"
        client.send(wire.message(b"d", b"1\ta\n"), wire.message(b"f", b"changed my mind\0"))
        with pytest.raises(ServerError) as caught:
            client.rows()
        assert caught.value.sqlstate == "57014"
        assert client.query(f"SELECT count(*) FROM {table}") == [["0"]]


def test_copy_in_by_the_extended_protocol(pooler, table):
    with pooler.login() as client:
        client.send(wire.parse(f"COPY {table} FROM STDIN"), wire.bind(), wire.execute(), wire.SYNC)
        assert [m.letter for m in client.read_until(b"G")] == [b"1", b"2", b"G"]
        # The server ignores the Sync that came before the data, so the group needs its own.
        client.send(wire.message(b"d", b"1\ta\n"), wire.message(b"c"), wire.SYNC)
        assert client.read_reply() == "CZ"
        assert client.query(f"SELECT count(*) FROM {table}") == [["1"]]


def test_a_copy_into_a_missing_table_swallows_the_data_sent_with_it(pooler):
    with pooler.login() as client:
        client.send(
            wire.query("COPY nowhere FROM STDIN"), wire.message(b"d", b"1\n"), wire.message(b"c")
        )
        with pytest.raises(ServerError) as caught:
            client.rows()
        assert caught.value.sqlstate == "42P01"
        assert client.query("SELECT 1") == [["1"]]


def test_a_client_that_vanishes_inside_copy_in_leaves_a_clean_server(single, table, postgres):
    client = single.login()
    client.send(wire.query(f"COPY {table} FROM STDIN"), wire.message(b"d", b"1\ta\n"))
    assert client.read().letter == b"G"
    client.close()
    single.wait_for_pool(cl_active=0, sv_active=0)
    with single.login() as next_client:
        assert next_client.query(f"SELECT count(*) FROM {table}") == [["0"]]
    wait_until(lambda: len(postgres.backends()) == 1, "one server connection is left")


def test_a_client_that_vanishes_inside_copy_out_leaves_a_clean_server(single):
    client = single.login()
    client.send(wire.query("COPY (SELECT generate_series(1, 10000000)) TO STDOUT"))
    assert client.read().letter == b"H"
    client.close()
    with single.login() as next_client:
        assert next_client.query("SELECT 1") == [["1"]]


def test_a_client_that_vanishes_inside_a_copy_behind_its_sync_keeps_nobody_waiting(single, table):
    """The COPY has ignored its Sync; the next client waits for the end of that group."""
    with single.login() as witness:
        client = single.login()
        client.send(
            wire.parse(f"COPY {table} FROM STDIN"), wire.bind(), wire.execute(), wire.SYNC
        )
        client.read_until(b"G")
        client.close()
        started = time.monotonic()
        witness.query("SELECT 1")
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "broken",
    [
        wire.parse("SELECT 1", "copy"),
        wire.close(b"S", "copy"),
        wire.describe(b"S", "copy"),
        wire.parse("SELECT 1", "shared"),
        wire.close(b"S", "mine"),
        wire.query("DEALLOCATE copy"),
    ],
    ids=["parse", "close", "describe", "parse of a known text", "close of a known name", "deallocate"],
)
@pytest.mark.parametrize("sync", [wire.SYNC, b""], ids=["behind a sync", "in the group"])
def test_a_message_about_a_name_ends_a_copy_as_any_other(single, table, broken, sync):
    with single.login() as client:
        client.send(wire.parse("SELECT 1", "mine"), wire.SYNC)
        assert client.read_reply() == "1Z"
        text = f"COPY {table} FROM STDIN"
        client.send(wire.parse(text, "copy"), wire.bind(statement="copy"), wire.execute(), sync)
        client.send(wire.FLUSH)
        client.read_until(b"G")
        client.send(broken, wire.SYNC)
        error = client.read_error()
        assert error.sqlstate == "08P01"
        assert "during COPY from stdin" in error.text
    single.wait_for_pool(cl_active=0, sv_active=0)
