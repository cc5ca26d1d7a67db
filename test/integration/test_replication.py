# SPDX-License-Identifier: PostgreSQL
"""Replication through the pooler, physical and logical, with PostgreSQL's own programs."""

import signal
import subprocess
import threading
from contextlib import closing

import psycopg2
import psycopg2.extras
import pytest

from support import process
from support.pooler import is_sanitized
from support.postgres import USERS, Postgres, bindir
from support.waiting import wait_until
from support.wire import Disconnected, ServerError, message, query

PHYSICAL = psycopg2.extras.PhysicalReplicationConnection
LOGICAL = psycopg2.extras.LogicalReplicationConnection


@pytest.fixture(scope="module")
def source(workspace):
    """A server that can be replicated from, by app; other has not the right to."""
    server = Postgres(workspace, wal_level="logical", wal_keep_size="64MB", max_wal_senders="6")
    try:
        server.create()
        server.sql("ALTER ROLE app REPLICATION")
        server.sql("CREATE TABLE t (a int PRIMARY KEY, b text)", database="app")
        server.sql("ALTER TABLE t OWNER TO app", database="app")
        yield server
    finally:
        server.destroy()


@pytest.fixture
def start(source, start_pooler):
    """As start_pooler, in front of `source`, with the name that PostgreSQL's programs ask for."""
    source.terminate_all("app")
    address = f"host={source.host} port={source.port}"
    databases = {name: address for name in ("app", "second", "replication")}
    return lambda **settings: start_pooler(source, databases=databases, **settings)


@pytest.fixture
def pooler(start):
    return start()


def connect(pooler, kind, **changes):
    return psycopg2.connect(connection_factory=kind, **pooler.parameters(**changes))


def tool(pooler, name, *arguments, **changes):
    """One of PostgreSQL's programs, against the pooler."""
    values = pooler.parameters(**changes)
    names = {"host": "HOST", "port": "PORT", "user": "USER", "sslmode": "SSLMODE"}
    environment = {"PATH": "/usr/bin:/bin", "PGPASSWORD": values["password"]}
    environment.update({"PG" + word: str(values[key]) for key, word in names.items()})
    return [bindir() / name, *arguments], environment


def run(pooler, name, *arguments, **changes):
    command, environment = tool(pooler, name, *arguments, **changes)
    done = subprocess.run(
        command, env=environment, cwd=pooler.directory, capture_output=True, text=True, timeout=60,
        check=False, **process.account(),
    )
    if done.returncode:
        raise AssertionError(f"{name}: {done.stderr}\n{pooler.log()[-2000:]}")
    return done.stdout


def walsenders(source):
    return source.value("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'")


def test_pg_basebackup_takes_a_copy_that_starts(pooler, source):
    target = process.new_directory("basebackup", pooler.directory)
    run(pooler, "pg_basebackup", "-D", target / "copy", "-X", "stream", "-c", "fast")
    assert (target / "copy" / "backup_manifest").exists()
    subprocess.run([bindir() / "pg_verifybackup", target / "copy"], check=True, capture_output=True)
    wait_until(lambda: walsenders(source) == 0, "the servers of the copy are closed")
    assert pooler.log_count("closing because: replication client was closed") >= 2
    assert "replication=yes" in pooler.log()


def test_pg_receivewal_and_pg_recvlogical_stream_until_they_are_stopped(pooler, source):
    wal = process.new_directory("wal", pooler.directory)
    source.sql("SELECT pg_create_logical_replication_slot('recv', 'test_decoding')", database="app")
    out = pooler.directory / "decoded"
    commands = (
        tool(pooler, "pg_receivewal", "-D", wal, "--no-loop", "--synchronous"),
        tool(pooler, "pg_recvlogical", "-d", "app", "-S", "recv", "--start", "-f", out, "-F", "0"),
    )
    streams = [
        subprocess.Popen(command, env=environment, cwd=pooler.directory, **process.account())
        for command, environment in commands
    ]
    try:
        source.sql("INSERT INTO t VALUES (1, 'decoded')", database="app")
        wait_until(lambda: out.exists() and "decoded" in out.read_text(), "the change is decoded")
        wait_until(lambda: any(wal.iterdir()), "a segment is written")
        kinds = {row["replication"] for row in pooler.console("SHOW CLIENTS")}
        assert kinds == {"none", "physical", "logical"}
        servers = {row["replication"]: row for row in pooler.console("SHOW SERVERS")}
        assert set(servers) == {"physical", "logical"}
        assert servers["logical"]["state"] == "active" and servers["logical"]["link"]
    finally:
        for stream in streams:
            stream.send_signal(signal.SIGINT)
    assert [stream.wait(timeout=20) for stream in streams] == [0, 0]
    wait_until(lambda: walsenders(source) == 0, "their servers are closed")
    source.sql("SELECT pg_drop_replication_slot('recv')")


def test_a_subscription_follows_through_the_pooler(pooler, source):
    url = "host=127.0.0.1 port={port} user=app dbname=app password='{password}' sslmode=disable"
    source.sql("CREATE PUBLICATION pub FOR TABLE t", database="app")
    source.sql("SELECT pg_create_logical_replication_slot('sub', 'pgoutput')", database="app")
    source.sql("CREATE TABLE t (a int PRIMARY KEY, b text)", database="second")
    source.sql(
        f"CREATE SUBSCRIPTION sub CONNECTION '{url.format(**pooler.parameters())}'".replace(
            "'app secret'", "''app secret''"
        )
        + " PUBLICATION pub WITH (create_slot = false, copy_data = true)",
        database="second",
    )
    try:
        source.sql("INSERT INTO t VALUES (10, 'followed')", database="app")
        wait_until(
            lambda: source.sql("SELECT b FROM t WHERE a = 10", database="second"),
            "the row has come over",
        )
    finally:
        source.sql("ALTER SUBSCRIPTION sub DISABLE", database="second")
        source.sql("ALTER SUBSCRIPTION sub SET (slot_name = NONE)", database="second")
        source.sql("DROP SUBSCRIPTION sub", database="second")
        wait_until(lambda: walsenders(source) == 0, "nobody uses the slot")
        source.sql("SELECT pg_drop_replication_slot('sub')", database="app")
        source.sql("DROP PUBLICATION pub", database="app")


def test_the_server_is_started_with_what_the_client_asked_for(pooler):
    options = r"-c geqo=off -c application_name=from\ options --work-mem=1234"
    for name in ("unknown", "known"):  # the pool's servers have reported nothing yet, then they have
        with pooler.login(replication="database", options=options, DateStyle="German") as wire:
            show = {n: wire.query(f"SHOW {n}")[0][0] for n in ("geqo", "work_mem", "datestyle")}
            assert show == {"geqo": "off", "work_mem": "1234kB", "datestyle": "German, DMY"}, name
            assert wire.query("SHOW application_name") == [["from options"]]
            wire.query("SET work_mem TO '5MB'")
            wire.query("RESET work_mem")
            assert wire.query("SHOW work_mem") == [["1234kB"]]
            assert wire.query("IDENTIFY_SYSTEM")[0][3] == "app"
        pooler.connect().close()


def test_a_refused_client_is_told_why_and_nobody_else_is(pooler, source):
    with closing(pooler.connect(user="other")) as ordinary, ordinary.cursor() as cursor:
        cursor.execute("SELECT 1")
        with pooler.login("other", replication="database") as wire:
            wire.send(query("IDENTIFY_SYSTEM"))
            error = wire.read_error()
            assert (error.severity, error.sqlstate) == ("FATAL", "42501")
            assert "login failed" in error.text and "must be superuser or repl" in error.text
            assert wire.is_closed_by_peer()
        # Nobody has been in this pool yet, so its login waits for the server that it will have.
        with pytest.raises(ServerError, match="login failed: unrecognized conf") as refused:
            pooler.login(replication="true", options="-c no_such_thing=1")
        assert refused.value.sqlstate == "42704"
        cursor.execute("SELECT 2")
        pooler.connect(user="other", dbname="second").close()
    assert pooler.log_count("closing because: login failed (age") == 4


def test_junk_is_no_kind_of_replication(pooler):
    with pooler.wire() as wire, pytest.raises(ServerError) as refused:
        wire.login("app", USERS["app"], "app", replication="perhaps")
    assert refused.value.sqlstate == "22023"
    with pooler.login(replication="off") as wire:
        assert wire.query("SELECT 1") == [["1"]]
        assert pooler.console("SHOW SERVERS")[0]["replication"] == "none"


def test_an_idle_server_makes_room_and_a_busy_one_is_waited_for(start, source):
    pooler = start(default_pool_size=1, query_wait_timeout=20)
    with closing(pooler.connect()) as ordinary, ordinary.cursor() as cursor:
        cursor.execute("SELECT 1")
        with pooler.login(replication="database") as wire:
            assert len(wire.query("IDENTIFY_SYSTEM")) == 1
            wait_until(lambda: (walsenders(source), source.backends()) == (1, []), "the place is its")
        assert pooler.log_count("closing because: evicted") == 1
        cursor.execute("BEGIN")
        with pooler.login(replication="database") as wire:
            wire.send(query("IDENTIFY_SYSTEM"))
            pooler.wait_for_pool(cl_waiting=1)
            second = pooler.connect()
            waits = threading.Thread(target=lambda: second.cursor().execute("SELECT 3"))
            waits.start()
            pooler.wait_for_pool(cl_waiting=2)
            cursor.execute("COMMIT")
            assert len(wire.rows()) == 1  # it came first, and its place is not given to the other
            wait_until(lambda: (walsenders(source), source.backends()) == (1, []), "the place is its")
        waits.join()
        second.close()


def test_what_makes_its_server_obsolete_ends_it_at_once(pooler, source):
    for command, text in (
        ("RECONNECT app", "database configuration changed"),
        ("KILL app", ""),
    ):
        with pooler.login(replication="database") as wire:
            wire.query("IDENTIFY_SYSTEM")
            pooler.console(command)
            assert text in wire.read_error().text
            assert wire.is_closed_by_peer()
        wait_until(lambda: walsenders(source) == 0, "its server is closed")
        pooler.console("RESUME app") if command.startswith("KILL") else None


def test_time_outs_of_statements_do_not_end_a_stream(start, source):
    pooler = start(query_timeout=0.2, transaction_timeout=0.2, idle_transaction_timeout=0.2)
    with closing(connect(pooler, LOGICAL)) as stream, stream.cursor() as cursor:
        cursor.execute("CREATE_REPLICATION_SLOT timed TEMPORARY LOGICAL test_decoding")
        cursor.start_replication("timed", decode=True)
        with closing(pooler.connect(user="other")) as other, other.cursor() as beside:
            with pytest.raises(psycopg2.Error, match="query timeout"):
                beside.execute("SELECT pg_sleep(5)")
        source.sql("INSERT INTO t VALUES (20, 'late')", database="app")
        wait_until(lambda: "late" in getattr(cursor.read_message(), "payload", ""), "it streams")


def test_a_stream_that_is_not_read_is_held_back_and_comes_whole(pooler, source):
    """Some 30 MB of changes wait in PostgreSQL, not in the pooler."""
    source.sql("SELECT pg_create_logical_replication_slot('slow', 'test_decoding')", database="app")
    source.sql(
        "INSERT INTO t SELECT 1000 + i, repeat('x', 30000) FROM generate_series(1, 1000) i",
        database="app",
    )
    with pooler.login(replication="database") as wire:
        wire.send(query("START_REPLICATION SLOT slow LOGICAL 0/0"))
        wire.read_until(b"W")
        before = pooler.peak_kib()
        wait_until(
            lambda: source.value(
                "SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'walsender'"
            ) == "WalSenderWriteData",
            "the server is blocked",
        )
        got = 0
        while got < 1000:
            got += b"INSERT" in wire.read().body
        assert is_sanitized() or pooler.peak_kib() - before < 8192
        wire.send(message(b"c"))
        wire.read_until(b"c")
        assert [m.letter for m in wire.read_until(b"Z")][-2:] == [b"C", b"Z"]
        assert wire.query("IDENTIFY_SYSTEM")[0][3] == "app"
    wait_until(lambda: walsenders(source) == 0, "nobody uses the slot")
    source.sql("SELECT pg_drop_replication_slot('slow')", database="app")
    source.sql("DELETE FROM t", database="app")


def test_the_end_of_the_server_ends_the_stream_with_its_words(pooler, source):
    with pooler.login(replication="database") as wire:
        wire.query("IDENTIFY_SYSTEM")
        source.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   " WHERE backend_type = 'walsender'")
        error = wire.read_error()
        assert error.sqlstate == "57P01" and error.severity == "FATAL"
        with pytest.raises(Disconnected):
            wire.read()
