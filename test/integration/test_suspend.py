# SPDX-License-Identifier: PostgreSQL
"""SUSPEND: what is due is sent, nothing is read, nobody is accepted, until RESUME."""

import os
import select
import signal
import threading
from contextlib import closing

import psycopg2
import pytest

from support import wire
from support.pooler import CONSOLE_PASSWORD, CONSOLE_USER
from support.waiting import wait_until
from support.wire import Disconnected, ServerError


@pytest.fixture
def console(pooler):
    with console_of(pooler) as client:
        yield client


def console_of(pooler):
    client = pooler.wire()
    client.login(CONSOLE_USER, CONSOLE_PASSWORD, "pgbouncer")
    return client


def refusal_of(client, command):
    with pytest.raises(ServerError) as caught:
        client.query(command)
    return caught.value.text


def is_silent(*clients):
    sockets = [client.socket for client in clients]
    return select.select(sockets, [], [], 0.1)[0] == []


STATES = {
    "active": [["active", "yes"], ["paused", "no"], ["suspended", "no"]],
    "suspended": [["active", "no"], ["paused", "no"], ["suspended", "yes"]],
}


def test_nothing_is_read_and_nobody_accepted_until_resume(pooler, console):
    with pooler.login() as inside, pooler.login() as outside:
        inside.query("BEGIN")
        console.send(wire.query("SUSPEND"))
        assert console.read_until(b"Z")[-2].body == b"SUSPEND\0"
        assert console.query("SHOW STATE") == STATES["suspended"]
        assert console.query("SHOW HEALTH")[0][:2] == ["process", "suspended"]
        inside.send(wire.query("SELECT 'inside'"))
        outside.send(wire.query("SELECT 'outside'"))
        with pooler.wire() as new:
            new.send(wire.startup({"user": "app", "database": "app"}))
            assert is_silent(inside, outside, new)
            console.query("RESUME")
            assert inside.rows() == [["inside"]]
            assert outside.rows() == [["outside"]]
            assert new.read().letter == b"R"
        assert console.query("SHOW STATE") == STATES["active"]
        inside.query("COMMIT")


def test_what_is_refused_around_it(pooler, console):
    pooler.login().terminate()
    console.query("PAUSE app")
    assert refusal_of(console, "SUSPEND") == "cannot suspend with paused databases"
    console.query("RESUME app")
    console.query("PAUSE")
    assert refusal_of(console, "SUSPEND") == "already suspended/paused"
    console.query("RESUME")
    console.query("SUSPEND")
    for command in ("SUSPEND", "PAUSE", "PAUSE app", "KILL", "KILL app"):
        assert refusal_of(console, command) == "already suspended/paused"
    assert refusal_of(console, "SHUTDOWN WAIT_FOR_CLIENTS") == "pooler is suspended"
    os.kill(pooler.process.pid, signal.SIGUSR1)
    wait_until(lambda: "LOG already suspended/paused" in pooler.log(), "the signal changes nothing")
    os.kill(pooler.process.pid, signal.SIGUSR2)
    wait_until(lambda: console.query("SHOW STATE") == STATES["active"], "the signal resumes")
    assert refusal_of(console, "RESUME") == "pooler is not paused/suspended"


def test_when_the_last_console_has_gone_it_resumes(pooler):
    with pooler.login() as client, console_of(pooler) as other:
        with console_of(pooler) as console:
            console.query("SUSPEND")
            client.send(wire.query("SELECT 1"))
        assert is_silent(client)
        other.close()
        assert client.rows() == [["1"]]
    assert "admin disappeared when suspended, doing RESUME" in pooler.log()


LARGE = "SELECT repeat('x', 1000) FROM generate_series(1, 20000)"


def test_it_waits_for_what_is_to_be_sent(pooler, console):
    with pooler.login() as client:
        client.send(wire.query(LARGE))
        wait_until(lambda: blocked(pooler), "the client is not sent everything")
        console.send(wire.query("SUSPEND"))
        assert is_silent(console)
        held = 0
        while console.socket not in select.select([console.socket, client.socket], [], [], 20)[0]:
            held += len(client.socket.recv(1 << 16))
        assert console.read_until(b"Z")[-2].body == b"SUSPEND\0"
        assert 0 < held < 20000 * 1000
        console.query("RESUME")
        while not client.socket.recv(1 << 16).endswith(b"Z\0\0\0\5I"):
            pass


def blocked(pooler):
    return [row for row in pooler.console("SHOW SOCKETS") if row["type"] == "C" and row["send_avail"]]


def test_after_suspend_timeout_whoever_does_not_read_is_closed(postgres, start_pooler):
    pooler = start_pooler(postgres, suspend_timeout="0.2")
    with console_of(pooler) as console, pooler.login() as client, pooler.login() as other:
        client.send(wire.query(LARGE))
        wait_until(lambda: blocked(pooler), "the client is not sent everything")
        console.query("SUSPEND")
        assert "closing because: suspend_timeout" in pooler.log()
        console.query("RESUME")
        with pytest.raises((Disconnected, ServerError)):
            client.rows()
        assert other.query("SELECT 1") == [["1"]]


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_would_wait_ends_it_at_once(pooler, console, signo):
    console.query("SUSPEND")
    os.kill(pooler.process.pid, signo)
    assert pooler.process.wait(timeout=20) == 1
    assert "FATAL suspend was in progress, going down immediately" in pooler.log()
    pooler.process.returncode = 0


@pytest.mark.threads
def test_suspend_and_resume_under_load_fail_no_statement(pooler, console):
    errors, done, stopping = [], [0], threading.Event()

    def work():
        try:
            while not stopping.is_set():
                with closing(pooler.connect()) as connection, connection.cursor() as cursor:
                    for _ in range(20):
                        cursor.execute("SELECT repeat('x', 10000)")
                        done[0] += 1
        except psycopg2.Error as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        before = done[0]
        wait_until(lambda: done[0] > before + 20 or errors, "they get on")
        console.query("SUSPEND")
        console.query("RESUME")
    stopping.set()
    for thread in threads:
        thread.join()
    assert errors == []
