# SPDX-License-Identifier: PostgreSQL
"""Start, signals, stop: what the program is to whoever runs it."""

import json
import os
import signal
import socket
import subprocess

import pytest

from support import process, wire
from support.pooler import Pooler
from support.waiting import wait_until
from support.wire import ServerError


def ends_with(pooler, status, seconds=20):
    pooler.process.wait(timeout=seconds)
    assert pooler.process.returncode == status


def send(pooler, signo):
    os.kill(pooler.process.pid, signo)


def test_term_waits_for_clients_and_lets_no_new_ones_in(pooler):
    with pooler.login() as client:
        client.query("SELECT 1")
        send(pooler, signal.SIGTERM)
        wait_until(lambda: "waiting for all clients disconnect" in pooler.log(), "it says so")
        wait_until(lambda: not process.accepts_connections(pooler.port), "the port is closed")
        assert client.query("SELECT 'still served'") == [["still served"]]
    ends_with(pooler, 0)
    assert "client connections dropped, exiting" in pooler.log()


def test_int_waits_for_transactions_only(pooler):
    with pooler.login() as busy, pooler.login() as idle:
        idle.query("SELECT 1")
        busy.query("BEGIN")
        send(pooler, signal.SIGINT)
        wait_until(lambda: "waiting for all servers connections" in pooler.log(), "it says so")
        assert busy.query("SELECT 'still served'") == [["still served"]]
        busy.query("COMMIT")
        ends_with(pooler, 0)
    assert "server connections dropped, exiting" in pooler.log()


def test_int_sends_those_away_who_wait_for_a_server(single):
    with single.login() as holder, single.login() as waiting:
        holder.query("BEGIN")
        waiting.send(wire.query("SELECT 1"))
        single.wait_for_pool(cl_waiting=1)
        send(single, signal.SIGINT)
        assert waiting.read_error().text == "pooler is shutting down"
        holder.query("COMMIT")
        ends_with(single, 0)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_the_wait(pooler, first):
    with pooler.login() as client:
        client.query("BEGIN")
        send(pooler, first)
        wait_until(lambda: "shutting down" in pooler.log(), "the first has come")
        send(pooler, signal.SIGTERM)
        ends_with(pooler, 0)
    assert "while shutting down, fast exit" in pooler.log()


def test_quit_ends_at_once(pooler):
    with pooler.login() as client:
        client.query("BEGIN")
        send(pooler, signal.SIGQUIT)
        ends_with(pooler, 0)


def test_usr1_pauses_and_usr2_resumes(pooler):
    with pooler.login() as client:
        client.query("SELECT 1")
        send(pooler, signal.SIGUSR1)
        wait_until(lambda: "got SIGUSR1" in pooler.log(), "it is paused")
        client.send(wire.query("SELECT 'later'"))
        pooler.wait_for_pool(cl_waiting=1)
        send(pooler, signal.SIGUSR2)
        assert client.rows() == [["later"]]


def test_a_port_that_is_taken_is_named_with_its_holder(postgres, workspace):
    url = f"postgresql://app:x@localhost:{process.free_port()}/app?sslmode=require"
    second = Pooler.from_url(workspace, postgres, url)
    second.environment["PGBALLAST_LISTEN_PORT"] = str(postgres.port)
    with pytest.raises(AssertionError, match="exits with 1"):
        second.start()
        second.process.wait(timeout=20)
        raise AssertionError(f"exits with {second.process.returncode}")
    assert f"127.0.0.1 port {postgres.port}" in second.log()
    assert "(taken by postgres, pid " in second.log()


def test_log_lines_can_be_json(postgres, start_pooler):
    pooler = start_pooler(postgres, log_format="json")
    pooler.login().terminate()
    wait_until(lambda: "closing because" in pooler.log(), "the client's end is in the log")
    lines = [json.loads(line) for line in pooler.log().splitlines()]
    assert all(set(line) == {"time", "pid", "level", "message"} for line in lines[1:])
    assert any("closing because" in line["message"] for line in lines)


def test_log_lines_can_be_switched_off(postgres, start_pooler):
    pooler = start_pooler(postgres, log_connections=0, log_disconnections=0, log_pooler_errors=0)
    pooler.login().terminate()
    with pytest.raises(ServerError), pooler.wire() as client:
        client.login("app", "wrong", "app")
    for text in ("login attempt", "new connection to server", "closing because", "pooler error"):
        assert text not in pooler.log()


def test_totals_are_logged_each_period(postgres, start_pooler):
    pooler = start_pooler(postgres, stats_period=1)
    wait_until(lambda: "stats: " in pooler.log(), "there is a line of totals")


def test_the_service_manager_is_told_what_goes_on(postgres, workspace):
    path = process.new_directory("notify", workspace) / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        path.chmod(0o777)
        manager.settimeout(20)
        pooler = Pooler(workspace, postgres)
        pooler.environment["NOTIFY_SOCKET"] = str(path)
        try:
            pooler.start()
            assert manager.recv(512) == b"READY=1"
            send(pooler, signal.SIGHUP)
            assert manager.recv(512).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert manager.recv(512) == b"READY=1"
        finally:
            pooler.stop()
        assert manager.recv(512) == b"STOPPING=1"


def test_in_the_background_it_leaves_when_it_is_up_and_keeps_a_pidfile(postgres, workspace):
    pooler = Pooler(workspace, postgres, pidfile="pid", logfile="file.log")
    pooler.command.insert(1, "-d")
    process.run(pooler.command, pooler.directory, pooler.environment)
    pid = int((pooler.directory / "pid").read_text())
    try:
        assert process.accepts_connections(pooler.port)
        again = subprocess.run(
            [str(part) for part in pooler.command], cwd=pooler.directory, env=pooler.environment,
            capture_output=True, text=True, timeout=20, **process.account(),
        )
        assert again.returncode == 1
        assert "another instance running?" in again.stderr
    finally:
        os.kill(pid, signal.SIGQUIT)
    wait_until(lambda: not (pooler.directory / "pid").exists(), "the pid file is gone")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can try to run it as root")
def test_root_is_refused_unless_it_names_another_user(postgres, workspace):
    pooler = Pooler(workspace, postgres)
    done = subprocess.run(
        [str(part) for part in pooler.command], cwd=pooler.directory, env=pooler.environment,
        capture_output=True, text=True, timeout=20,
    )
    assert done.returncode == 1
    assert "should not run as root" in done.stderr
