# SPDX-License-Identifier: PostgreSQL
"""The drivers of the Python world, in their default settings, through transaction pooling."""

import asyncio
from contextlib import closing

import asyncpg
import psycopg
import psycopg2
import pytest

from support import wire
from support.wire import ServerError


def psycopg3(pooler, **changes):
    return psycopg.connect(**pooler.parameters(**changes))


def with_asyncpg(pooler, work, **changes):
    """Run the coroutine function `work` with a connection."""

    async def session():
        connection = await asyncpg.connect(
            host=pooler.host,
            port=pooler.port,
            user="app",
            password=pooler.users["app"],
            database="app",
            ssl=False,
            **changes,
        )
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(asyncio.wait_for(session(), 60))


def test_psycopg2_runs_simple_queries(pooler):
    with closing(pooler.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT %s::int + 1, %s", (41, "it's"))
        assert cursor.fetchall() == [(42, "it's")]


def test_psycopg2_transactions_commit_and_roll_back(pooler, postgres):
    with closing(psycopg2.connect(**pooler.parameters())) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kept (id int)")
            connection.commit()
            cursor.execute("INSERT INTO kept VALUES (1)")
            connection.rollback()
            cursor.execute("INSERT INTO kept VALUES (2)")
            connection.commit()
    assert postgres.sql("TABLE kept", database="app") == [(2,)]
    postgres.sql("DROP TABLE kept", database="app")


def test_psycopg3_runs_extended_queries(pooler):
    with psycopg3(pooler) as connection:
        row = connection.execute("SELECT %s::int, %s::text, %s::bytea", (1, None, b"\0x")).fetchone()
        assert row == (1, None, b"\0x")


def test_psycopg3_pipelines(pooler):
    with psycopg3(pooler, autocommit=True) as connection, connection.pipeline():
        cursors = [connection.execute("SELECT %s::int", (n,)) for n in range(50)]
        assert [cursor.fetchone()[0] for cursor in cursors] == list(range(50))


def test_psycopg3_pipeline_goes_on_after_an_error(pooler):
    with psycopg3(pooler, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero), connection.pipeline():
            connection.execute("SELECT %s::int", (1,))
            connection.execute("SELECT 1 / %s::int", (0,))
            connection.execute("SELECT %s::int", (2,))
        assert connection.execute("SELECT 3").fetchone() == (3,)


def test_psycopg3_server_side_cursor(pooler):
    with psycopg3(pooler) as connection:
        with connection.cursor(name="many") as cursor:
            cursor.itersize = 100
            cursor.execute("SELECT generate_series(1, 1000)")
            assert sum(n for (n,) in cursor) == 500500


def test_asyncpg_runs_queries_with_its_statement_cache(pooler):
    async def work(connection):
        return [await connection.fetchval("SELECT $1::int * 2", n) for n in range(20)]

    assert with_asyncpg(pooler, work) == [n * 2 for n in range(20)]


def test_asyncpg_reports_an_error_and_goes_on(pooler):
    async def work(connection):
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.fetchval("SELECT 1 / $1::int", 0)
        return await connection.fetchval("SELECT 7")

    assert with_asyncpg(pooler, work) == 7


def test_asyncpg_iterates_a_cursor_in_a_transaction(pooler):
    async def work(connection):
        async with connection.transaction():
            cursor = connection.cursor("SELECT generate_series(1, 500)", prefetch=50)
            return sum([row[0] async for row in cursor])

    assert with_asyncpg(pooler, work) == 125250


def test_an_error_names_its_sqlstate_detail_and_position(pooler):
    with closing(pooler.connect()) as connection, connection.cursor() as cursor:
        with pytest.raises(psycopg2.errors.UndefinedTable) as caught:
            cursor.execute("SELECT * FROM nowhere")
        assert caught.value.diag.statement_position == "15"
        cursor.execute("SELECT 1")


def test_notices_arrive(pooler):
    with closing(pooler.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("DO $$ BEGIN RAISE NOTICE 'hello'; END $$")
        assert connection.notices == ["NOTICE:  hello\n"]


def test_several_statements_in_one_query_are_one_transaction(pooler):
    with pooler.login() as client:
        with pytest.raises(ServerError) as caught:
            client.query("CREATE TABLE half (id int); SELECT 1/0")
        assert caught.value.sqlstate == "22012"
        assert client.query("SELECT to_regclass('half')") == [[None]]


def test_an_empty_query_is_answered(pooler):
    with pooler.login() as client:
        client.send(wire.query(""))
        assert client.read_reply() == "IZ"


def test_an_extended_query_with_all_its_messages(pooler):
    with pooler.login() as client:
        client.send(
            wire.parse("SELECT $1::int AS n", oids=[23]),
            wire.describe(b"S"),
            wire.bind([5]),
            wire.describe(b"P"),
            wire.execute(),
            wire.close(b"P"),
            wire.SYNC,
        )
        assert client.read_reply() == "1tT2TDC3Z"


def test_flush_brings_answers_before_sync(pooler):
    with pooler.login() as client:
        client.send(wire.parse("SELECT 1"), wire.FLUSH)
        assert client.read().letter == b"1"
        client.send(wire.bind(), wire.execute(), wire.FLUSH)
        assert [m.letter for m in client.read_until(b"C")] == [b"2", b"D", b"C"]
        client.send(wire.SYNC)
        assert client.read_reply() == "Z"


def test_a_portal_is_fetched_in_parts(pooler):
    with pooler.login() as client:
        client.send(wire.parse("SELECT generate_series(1, 5)"), wire.bind(portal="p"))
        client.send(wire.execute("p", 3), wire.execute("p", 3), wire.SYNC)
        assert client.read_reply() == "12DDDsDDCZ"


def test_two_sync_groups_sent_at_once_are_answered_in_order(pooler):
    with pooler.login() as client:
        failing = [wire.parse("SELECT 1/0"), wire.bind(), wire.execute(), wire.SYNC]
        working = [wire.parse("SELECT 2"), wire.bind(), wire.execute(), wire.SYNC]
        client.send(*failing, *working)
        # The division is carried out when Bind plans it.
        assert client.read_reply() == "1EZ"
        assert client.read_reply() == "12DCZ"


def test_a_function_call_is_answered(pooler, postgres):
    oid = postgres.value("SELECT 'int4pl(int,int)'::regprocedure::oid", database="app")
    body = oid.to_bytes(4, "big") + bytes.fromhex("0000 0002 00000001 32 00000001 33 0000")
    with pooler.login() as client:
        client.send(wire.message(b"F", body))
        assert client.read_reply() == "VZ"


def test_parameter_status_tells_what_the_session_has(pooler):
    with pooler.login(application_name="reporting") as client:
        assert client.parameters["application_name"] == "reporting"
        assert client.parameters["server_version"].startswith("15")
        assert client.query("SHOW application_name") == [["reporting"]]


def test_newer_protocol_versions_are_negotiated_down(pooler):
    with pooler.wire() as client:
        options = {"user": "app", "database": "app", "_pq_.unknown": "1"}
        client.send(wire.startup(options, version=(3 << 16) + 9))
        answer = client.read()
        assert answer.letter == b"v"
        assert b"_pq_.unknown\0" in answer.body
        assert client.read().letter == b"R"


def test_gssencrequest_is_refused_and_the_login_goes_on(pooler):
    with pooler.wire() as client:
        client.send(wire.request(wire.GSSENC_REQUEST))
        assert client.read_byte() == b"N"
        client.login("app", pooler.users["app"], "app")
        assert client.query("SELECT 1") == [["1"]]
