# SPDX-License-Identifier: PostgreSQL
"""Many clients over few servers: who gets one, when, and in what state."""

import asyncio
import threading
from contextlib import closing

import asyncpg
import psycopg
import psycopg2
import pytest

from support import wire
from support.waiting import wait_until
from support.wire import ServerError


def backend_pid(client):
    return client.query("SELECT pg_backend_pid()")[0][0]


def in_threads(n, work):
    """Run work(index) in n threads at once; the first failure is raised here."""
    failures = []

    def guarded(index):
        try:
            work(index)
        except BaseException as failure:  # a thread's assertion must reach the test
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(index,), daemon=True) for index in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=90)
        assert not thread.is_alive(), "a client never finished"
    if failures:
        raise failures[0]


@pytest.mark.threads
def test_the_second_client_waits_until_the_first_transaction_ends(single):
    with single.login() as first, single.login() as second:
        first.query("BEGIN")
        second.send(wire.query("SELECT 'second'"))
        single.wait_for_pool(cl_waiting=1, sv_active=1, sv_idle=0)
        first.query("COMMIT")
        assert second.rows() == [["second"]]
        single.wait_for_pool(cl_waiting=0, sv_active=0, sv_idle=1)


def test_waiting_clients_are_served_first_come_first_served(postgres, start_pooler):
    # One worker: among several, a server may pass over a few waiters of other workers.
    single = start_pooler(postgres, default_pool_size=1, workers=1)
    with single.login() as holder:
        holder.query("BEGIN")
        clients = [single.login() for _ in range(6)]
        for position, client in enumerate(clients, start=1):
            client.send(wire.query("SELECT clock_timestamp()"))
            single.wait_for_pool(cl_waiting=position)
        holder.query("COMMIT")
        order = [client.rows()[0][0] for client in clients]
    for client in clients:
        client.close()
    assert order == sorted(order)


@pytest.mark.threads
def test_the_pool_size_holds_across_workers(postgres, start_pooler):
    pooler = start_pooler(postgres, default_pool_size=3, workers=4)
    highest = 0
    done = threading.Event()

    def watch():
        nonlocal highest
        while not done.is_set():
            highest = max(highest, len(postgres.backends()))

    def work(_):
        with closing(pooler.connect()) as connection, connection.cursor() as cursor:
            for _ in range(20):
                cursor.execute("SELECT pg_sleep(0.002)")

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        in_threads(24, work)
    finally:
        done.set()
        watcher.join()
    # All of them are used, whichever worker the clients are on: the pool is not divided.
    assert highest == 3


@pytest.mark.threads
def test_ten_clients_share_two_servers_by_transactions(postgres, start_pooler):
    pooler = start_pooler(postgres, default_pool_size=2)
    postgres.sql("DROP TABLE IF EXISTS counted; CREATE TABLE counted AS SELECT 0 AS n", database="app")
    postgres.sql("ALTER TABLE counted OWNER TO app", database="app")

    def work(_):
        with closing(psycopg2.connect(**pooler.parameters())) as connection:
            for _ in range(30):
                with connection, connection.cursor() as cursor:
                    cursor.execute("SELECT pg_backend_pid()")
                    pid = cursor.fetchone()
                    cursor.execute("UPDATE counted SET n = n + 1")
                    cursor.execute("SELECT pg_backend_pid()")
                    assert cursor.fetchone() == pid

    in_threads(10, work)
    assert postgres.value("SELECT n FROM counted", database="app") == 300
    assert len(postgres.backends()) <= 2
    pooler.wait_for_pool(cl_active=0, cl_waiting=0, sv_active=0)
    postgres.sql("DROP TABLE counted", database="app")


@pytest.mark.threads
def test_a_server_moves_to_a_client_of_another_worker(postgres, start_pooler):
    """Clients are dealt round the workers, so with one server each of them must get the same one."""
    pooler = start_pooler(postgres, default_pool_size=1, workers=4)
    clients = [pooler.login() for _ in range(8)]
    assert len({backend_pid(client) for client in clients}) == 1
    for client in clients:
        client.terminate()


def test_session_mode_keeps_the_server(postgres, start_pooler):
    pooler = start_pooler(postgres, default_pool_size=1, pool_mode="session")
    with pooler.login() as first, pooler.login() as second:
        first.query("CREATE TEMP TABLE mine (id int)")
        second.send(wire.query("SELECT to_regclass('mine')"))
        pooler.wait_for_pool(cl_waiting=1)
        first.terminate()
        assert second.rows() == [[None]]


def test_statement_mode_refuses_transactions(postgres, start_pooler):
    pooler = start_pooler(postgres, pool_mode="statement")
    with pooler.login() as client:
        assert client.query("SELECT 1") == [["1"]]
        client.send(wire.query("BEGIN"))
        assert "transaction" in client.read_error().text


def test_a_client_that_leaves_inside_a_transaction_is_rolled_back(single, postgres):
    postgres.sql("DROP TABLE IF EXISTS left_over; CREATE TABLE left_over (n int)", database="app")
    postgres.sql("ALTER TABLE left_over OWNER TO app", database="app")
    client = single.login()
    pid = backend_pid(client)
    client.query("BEGIN; INSERT INTO left_over VALUES (1)")
    client.close()
    single.wait_for_pool(sv_active=0, sv_idle=1)
    with single.login() as next_client:
        assert backend_pid(next_client) == pid, "the server survives"
        assert next_client.query("SELECT count(*) FROM left_over") == [["0"]]
    postgres.sql("DROP TABLE left_over", database="app")


def test_a_client_that_leaves_while_its_statement_runs_frees_the_server_soon(single, postgres):
    client = single.login()
    client.send(wire.query("SELECT pg_sleep(60)"))
    wait_until(lambda: postgres.backends(where="query LIKE '%pg_sleep(60)%'"), "it runs")
    client.close()
    with single.login() as next_client:
        assert next_client.query("SELECT 1") == [["1"]]


def test_a_client_that_leaves_the_queue_is_forgotten(single):
    with single.login() as holder:
        holder.query("BEGIN")
        waiting = single.login()
        waiting.send(wire.query("SELECT 1"))
        single.wait_for_pool(cl_waiting=1)
        waiting.close()
        single.wait_for_pool(cl_waiting=0)
        holder.query("COMMIT")
        assert holder.query("SELECT 1") == [["1"]]


@pytest.mark.threads
def test_psycopg3_prepared_statements_over_two_servers(postgres, start_pooler):
    pooler = start_pooler(postgres, default_pool_size=2)

    def work(index):
        with psycopg.connect(**pooler.parameters(), prepare_threshold=0, autocommit=True) as c:
            for n in range(30):
                row = c.execute(f"SELECT %s::int + {index % 3}, {index % 5}", (n,)).fetchone()
                assert row == (n + index % 3, index % 5)

    in_threads(10, work)


@pytest.mark.threads
def test_asyncpg_statement_cache_over_two_servers(postgres, start_pooler):
    pooler = start_pooler(postgres, default_pool_size=2)

    async def client(index):
        connection = await asyncpg.connect(
            host=pooler.host, port=pooler.port, user="app", password=pooler.users["app"],
            database="app", ssl=False,
        )  # fmt: skip
        for n in range(20):
            assert await connection.fetchval(f"SELECT $1::int + {index % 3}", n) == n + index % 3
            async with connection.transaction():
                assert await connection.fetchval("SELECT $1::text", str(n)) == str(n)
        await connection.close()

    async def everybody():
        await asyncio.gather(*(client(index) for index in range(10)))

    asyncio.run(asyncio.wait_for(everybody(), 60))


def test_a_prepared_statement_is_the_client_s_own(single):
    """Two clients use one name for two statements, on one server."""
    with single.login() as first, single.login() as second:
        for client, value in ((first, 1), (second, 2)):
            client.send(wire.parse(f"SELECT {value}", "s"), wire.SYNC)
            assert client.read_reply() == "1Z"
        for client, value in ((first, "1"), (second, "2"), (first, "1")):
            client.send(wire.bind(statement="s"), wire.execute(), wire.SYNC)
            assert client.rows() == [[value]]


def test_a_date_literal_keeps_the_datestyle_it_was_parsed_under(single):
    """The same text prepared under two DateStyles is two statements: literals are read at Parse."""
    text = "SELECT '02-03-2004'::date - '2004-01-01'::date"
    with single.login(datestyle="ISO, DMY") as dmy, single.login(datestyle="ISO, MDY") as mdy:
        for client in (dmy, mdy):
            client.send(wire.parse(text, "s"), wire.SYNC)
            assert client.read_reply() == "1Z"
        for client, days in ((dmy, "61"), (mdy, "33"), (dmy, "61")):
            client.send(wire.bind(statement="s"), wire.execute(), wire.SYNC)
            assert client.rows() == [[days]]


def test_an_unknown_prepared_statement_is_an_error_not_the_end(single):
    with single.login() as client:
        client.send(wire.bind(statement="never"), wire.execute(), wire.SYNC)
        with pytest.raises(ServerError) as caught:
            client.rows()
        assert caught.value.sqlstate == "26000"
        assert client.query("SELECT 1") == [["1"]]


def test_a_closed_statement_name_is_free_again(single):
    with single.login() as client:
        for value in ("1", "2"):
            client.send(wire.parse(f"SELECT {value}", "s"), wire.bind(statement="s"))
            client.send(wire.execute(), wire.close(b"S", "s"), wire.SYNC)
            assert client.rows() == [[value]]


def test_a_failed_parse_frees_the_name(single):
    with single.login() as client:
        client.send(wire.parse("SELEKT 1", "s"), wire.SYNC)
        with pytest.raises(ServerError):
            client.rows()
        client.send(wire.parse("SELECT 1", "s"), wire.bind(statement="s"), wire.execute(), wire.SYNC)
        assert client.rows() == [["1"]]


def test_reported_parameters_follow_the_client_not_the_server(single):
    with single.login(application_name="one") as one, single.login(timezone="Asia/Tokyo") as two:
        for _ in range(3):
            assert one.query("SHOW application_name") == [["one"]]
            assert two.query("SHOW timezone") == [["Asia/Tokyo"]]
            assert one.query("SHOW timezone") != [["Asia/Tokyo"]]


def test_a_set_of_a_reported_parameter_stays_with_its_client(single):
    with single.login() as one, single.login() as two:
        before = two.query("SHOW datestyle")
        one.query("SET datestyle = 'SQL, DMY'")
        assert two.query("SHOW datestyle") == before
        assert one.query("SHOW datestyle") == [["SQL, DMY"]]


def test_reset_goes_back_to_the_client_s_own_start(postgres, start_pooler):
    """RESET means the start-up value of this session, whatever the server began with."""
    pooler = start_pooler(postgres, default_pool_size=1)
    with pooler.login(TimeZone="Asia/Tokyo", work_mem="7MB") as client, pooler.login() as other:
        for reset in ("RESET ALL", "RESET timezone; RESET work_mem", "DISCARD ALL"):
            client.query("SET timezone = 'UTC'")
            client.query("SET work_mem = '9MB'")
            for statement in reset.split("; "):
                client.query(statement)
            assert client.query("SHOW timezone") == [["Asia/Tokyo"]], reset
            assert client.query("SHOW work_mem") == [["7MB"]], reset
            assert other.query("SHOW work_mem") != [["7MB"]]
            assert other.query("SHOW timezone") != [["Asia/Tokyo"]]


def test_a_refused_startup_setting_runs_nothing(postgres, start_pooler):
    """The SET that goes ahead of the statement fails: the statement behind it must not run."""
    postgres.sql("DROP TABLE IF EXISTS guarded; CREATE TABLE guarded (n int)", database="app")
    postgres.sql("ALTER TABLE guarded OWNER TO app", database="app")
    pooler = start_pooler(postgres, default_pool_size=1)
    with pooler.login(statement_timeout="bogus") as client:
        for insert in ("INSERT INTO guarded VALUES (1)", "VACUUM guarded"):
            client.send(wire.query(insert))
            assert client.read_error().sqlstate == "22023"
            client.read_until(b"Z")
        client.send(wire.parse("INSERT INTO guarded VALUES (2)"), wire.bind(), wire.execute(), wire.SYNC)
        assert client.read_error().sqlstate == "22023"
        client.read_until(b"Z")
        client.send(wire.query("INSERT INTO guarded VALUES (3)"), wire.query("INSERT INTO guarded VALUES (4)"))
        for _ in range(2):
            assert client.read_error().sqlstate == "22023"
            client.read_until(b"Z")
    with pooler.login() as client:
        assert client.query("SELECT count(*) FROM guarded") == [["0"]]
    postgres.sql("DROP TABLE guarded", database="app")
