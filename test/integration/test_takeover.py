# SPDX-License-Identifier: PostgreSQL
"""-R: a new process takes the place of one that runs; its clients stay with it until they leave."""

import os
import socket
import threading
from contextlib import closing

import psycopg2
import pytest

from support import process, wire
from support.pooler import Pooler
from support.waiting import wait_until
from support.wire import ServerError


@pytest.fixture
def successor(workspace, postgres):
    """successor(old, setting=value, …): a pooler on the old one's port and sockets, not started yet."""
    made = []

    def make(old, **settings):
        pooler = Pooler(
            workspace, postgres, listen_port=old.port, unix_socket_dir=old.directory,
            pidfile=old.directory / "pid", **settings
        )
        pooler.command.insert(1, "-R")
        made.append(pooler)
        return pooler

    yield make
    for pooler in made:
        pooler.stop()


def start_old(postgres, start_pooler, **settings):
    return start_pooler(postgres, unix_socket_dir=".", pidfile="pid", **settings)


def is_running(postgres):
    return postgres.backends(where="state = 'active' AND query LIKE '%pg_sleep(60)%'")


def comes_up(pooler):
    pooler.start()
    wait_until(lambda: "process up" in pooler.log() or not pooler.is_running(), "it is up")
    assert pooler.is_running(), pooler.log()


def fails(pooler):
    pooler.process = process.start(
        pooler.command, pooler.log_path, pooler.directory, pooler.environment
    )
    status = pooler.process.wait(timeout=20)
    pooler.process = None
    return status, pooler.log().splitlines()[-1].partition("] ")[2]


@pytest.mark.parametrize("shared", [0, 1])
def test_clients_stay_and_new_ones_reach_the_new_process(postgres, start_pooler, successor, shared):
    old = start_old(postgres, start_pooler, so_reuseport=shared)
    new = successor(old, so_reuseport=shared)
    with old.login() as stays:
        stays.query("BEGIN")
        comes_up(new)
        assert f"-R: taking over from process {old.process.pid}" in new.log()
        assert (old.directory / "pid").read_text() == f"{new.process.pid}\n"
        assert stays.query("SELECT 'still served'") == [["still served"]]
        with new.login() as client:
            assert client.query("SELECT 1") == [["1"]]
        new.host = str(old.directory)
        assert new.console("SHOW CLIENTS WHERE database = 'app'") == []
        stays.query("COMMIT")
        # Its requests to cancel arrive at the new process.
        stays.send(wire.query("SELECT pg_sleep(60)"))
        wait_until(lambda: is_running(postgres), "the statement runs")
        stays.cancel()
        with pytest.raises(ServerError, match="57014"):
            stays.rows()
        assert (old.directory / f".s.PGSQL.{old.port}.old").exists()
    assert old.process.wait(timeout=20) == 0
    with old.wire() as late:
        late.send(wire.request(80877102, stays.key))
        assert late.is_closed_by_peer()
    assert not (old.directory / f".s.PGSQL.{old.port}.old").exists()
    assert "client connections dropped, exiting" in old.log()
    assert (old.directory / "pid").exists()
    assert new.console("SHOW VERSION")


@pytest.mark.threads
def test_with_a_shared_port_no_visitor_notices(postgres, start_pooler, successor):
    old = start_old(postgres, start_pooler, so_reuseport=1)
    new = successor(old, so_reuseport=1)
    errors, visits, stopping = [], [0], threading.Event()

    def visit():
        while not stopping.is_set():
            try:
                with closing(old.connect()) as connection, connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
            except psycopg2.Error as error:
                errors.append(error)
            visits[0] += 1

    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: visits[0] > 10, "they come")
    comes_up(new)
    old.process.wait(timeout=20)
    before = visits[0]
    wait_until(lambda: visits[0] > before + 20, "they go on")
    stopping.set()
    for thread in threads:
        thread.join()
    assert errors == []


def test_where_nobody_runs_it_is_an_ordinary_start(postgres, workspace):
    pooler = Pooler(workspace, postgres, unix_socket_dir=".", pidfile="pid")
    pooler.command.insert(1, "--reboot")
    comes_up(pooler)
    assert "LOG -R: nobody answers on ./.s.PGSQL." in pooler.log()
    assert (pooler.directory / "pid").read_text() == f"{pooler.process.pid}\n"
    pooler.stop()


def test_health_and_metrics_follow_when_the_old_process_has_left(postgres, start_pooler, successor):
    port = process.free_port()
    old = start_old(postgres, start_pooler, http_port=port)
    new = successor(old, http_port=port)
    with old.login():
        comes_up(new)
        assert "going on without health and metrics" in new.log()
    old.process.wait(timeout=20)
    wait_until(lambda: "health and metrics are served from now on" in new.log(), "they are back")
    assert process.accepts_connections(port)


def test_a_start_that_fails_leaves_the_old_process_as_it_is(postgres, start_pooler, successor):
    old = start_old(postgres, start_pooler)
    new = successor(old, so_reuseport=1)  # which the old one has not
    assert fails(new) == (1, "FATAL failed to listen on any address in listen_addr list: 127.0.0.1")
    with old.login() as client:
        assert client.query("SELECT 1") == [["1"]]
    assert (old.directory / "pid").read_text() == f"{old.process.pid}\n"
    old.host = str(old.directory)
    assert old.console("SHOW STATE")[0] == {"key": "active", "value": "yes"}


def test_it_takes_over_from_nobody_it_does_not_understand(postgres, workspace):
    pooler = Pooler(workspace, postgres, unix_socket_dir=".")
    pooler.command.insert(1, "-R")
    path = pooler.directory / f".s.PGSQL.{pooler.port}"
    answers = [
        wire.message(b"R", b"\0\0\0\0") + wire.message(b"Z", b"I"),
        wire.message(b"D", b"\0\1\0\0\0\x10PgBouncer 1.25.2") + wire.message(b"Z", b"I"),
    ]

    def serve(listening):
        connection, _ = listening.accept()
        with connection:
            for answer in answers:
                connection.recv(4096)
                connection.sendall(answer)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        os.chmod(path, 0o777)
        listening.listen(1)
        server = threading.Thread(target=serve, args=(listening,))
        server.start()
        status, said = fails(pooler)
        server.join()
    assert status == 1
    assert said == (
        f"FATAL -R: could not take over from process {os.getpid()}: "
        'it is "PgBouncer 1.25.2": end it with SIGTERM, then start without -R'
    )
