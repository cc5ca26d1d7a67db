# SPDX-License-Identifier: PostgreSQL
"""Start, signals, stop: what the program is to whoever runs it."""

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from support import process, wire
from support.pooler import CONSOLE_USER, Pooler, own_certificate
from support.waiting import wait_until
from support.wire import Disconnected, ServerError


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
        assert waiting.read_error().text == "server shutting down"
        holder.query("COMMIT")
        ends_with(single, 0)


def test_int_sends_those_away_who_want_a_server_later(pooler):
    with pooler.login() as busy, pooler.login() as idle, pooler.wire() as console:
        console.login(CONSOLE_USER, pooler.users[CONSOLE_USER], "pgballast")
        busy.query("BEGIN")
        send(pooler, signal.SIGINT)
        wait_until(lambda: "waiting for all servers connections" in pooler.log(), "it says so")
        wait_until(lambda: not process.accepts_connections(pooler.port), "the port is closed")
        for order in ("RESUME", "SUSPEND"):
            with pytest.raises(ServerError, match="already suspended|pooler is shutting down"):
                console.query(order)
        os.kill(pooler.process.pid, signal.SIGUSR2)
        wait_until(lambda: "got SIGUSR2 while shutting down, ignoring" in pooler.log(), "it says so")
        idle.send(wire.query("SELECT 1"))
        assert idle.read_error().text == "server shutting down"
        busy.query("COMMIT")
        ends_with(pooler, 0)
    assert "closing because: server shutting down" in pooler.log()


def test_term_serves_who_has_connected_by_tcp_and_by_unix_socket_the_console_only(
    postgres, start_pooler
):
    pooler = start_pooler(postgres, unix_socket_dir=".", tcp_defer_accept=0)
    early = pooler.wire()
    with pooler.login() as client:
        send(pooler, signal.SIGTERM)
        wait_until(lambda: not process.accepts_connections(pooler.port), "the port is closed")
        early.login("app", pooler.users["app"], "app")
        assert early.query("SELECT 'served'") == [["served"]]
        early.close()
        pooler.host = str(pooler.directory)
        with pytest.raises(psycopg2.OperationalError, match="pooler is shutting down"):
            pooler.connect()
        assert pooler.console("SHOW VERSION")
        with closing(pooler.connect(user=CONSOLE_USER, dbname="pgballast")):
            client.terminate()
            wait_until(lambda: pooler.pool_is(cl_active=0), "no client is left but the console")
            assert pooler.is_running()
    ends_with(pooler, 0)


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


def test_an_address_that_fails_is_a_warning_as_long_as_one_works(postgres, start_pooler):
    pooler = start_pooler(postgres, listen_addr="198.51.100.1, 127.0.0.1")
    wait_until(lambda: "process up" in pooler.log(), "it is up")
    assert f"WARNING failed to listen on 198.51.100.1 port {pooler.port}" in pooler.log()
    assert f"LOG listening on 127.0.0.1:{pooler.port}" in pooler.log()


def test_a_start_by_url_needs_but_one_address_of_its_machine(postgres, start_from_url):
    url = f"postgresql://app:app%20secret@{postgres.host}:{postgres.port}/app?sslmode=require"
    pooler = start_from_url(postgres, url, PGBALLAST_LISTEN_ADDR="127.0.0.1,198.51.100.1")
    assert f"WARNING failed to listen on 198.51.100.1 port {pooler.port}" in pooler.log()
    assert "taken by" not in pooler.log()


def test_no_address_that_works_is_fatal(postgres, workspace):
    pooler = Pooler(workspace, postgres, listen_addr="198.51.100.1,203.0.113.1", unix_socket_dir=".")
    said = "FATAL failed to listen on any address in listen_addr list: 198.51.100.1,203.0.113.1"
    assert leaves(pooler) == (1, said)


def test_nowhere_to_listen_is_fatal(postgres, workspace):
    pooler = Pooler(workspace, postgres, listen_addr="", unix_socket_dir="")
    assert leaves(pooler) == (1, "FATAL cannot load config file")
    said = run(pooler)
    assert "ERROR" in said.stderr and "nowhere to listen on" in said.stderr


def test_a_unix_socket_that_somebody_answers_on_is_not_taken(postgres, workspace, start_pooler):
    first = start_pooler(postgres, unix_socket_dir=".")
    second = Pooler(
        workspace, postgres, unix_socket_dir=first.directory, listen_port=first.port,
        listen_addr="127.0.0.2",
    )
    status, said = leaves(second)
    assert status == 1
    assert "unix socket is in use, cannot continue" in said
    first.host = str(first.directory)
    assert first.console("SHOW VERSION")


def test_a_unix_socket_may_be_abstract(postgres, start_pooler):
    name = f"@pgballast-test-{os.getpid()}"
    pooler = start_pooler(postgres, unix_socket_dir=name)
    wait_until(lambda: "process up" in pooler.log(), "it is up")
    with closing(pooler.connect(host=name)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    status, said = leaves(pooler, "-R")
    assert status == 1
    assert "unix_socket_dir must name a directory" in said


def test_it_says_its_version_first_wherever_it_is_asked(pooler):
    said = subprocess.run([pooler.command[0], "-V"], capture_output=True, text=True, timeout=20)
    lines = said.stdout.splitlines()
    assert (said.returncode, said.stderr) == (0, "")
    assert pooler.console("SHOW VERSION") == [{"version": lines[0]}]
    wait_until(lambda: "process up" in pooler.log(), "it is up")
    libraries = [line.removesuffix(")") for line in lines[1:4]]
    up = next(line for line in pooler.log().splitlines() if "process up: " in line)
    assert f"process up: {lines[0]}, {libraries[0]} (epoll), {libraries[1]}, {libraries[2]}" in up


@pytest.mark.parametrize("name", ["pgballast", "pgbouncer"])
def test_under_either_name_it_does_the_same(postgres, workspace, name):
    pooler = Pooler(workspace, postgres)
    program = pooler.directory / name
    if program != pooler.command[0]:
        shutil.copy(pooler.command[0], program)
        pooler.command[0] = program
    bad = subprocess.run([program, "--bad"], capture_output=True, text=True, timeout=20)
    assert bad.returncode == 1
    assert bad.stderr.splitlines()[-1] == f'Try "{name} --help" for more information.'
    usage = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=20)
    assert (usage.returncode, usage.stderr) == (0, "")
    pooler.command.insert(1, "--quiet")
    pooler.command[2].write_text(pooler.command[2].read_text() + "logfile = own.log\n")
    pooler.start()
    with pooler.login() as client:
        assert client.query("SELECT 1") == [["1"]]
    with pooler.wire() as console:
        console.login(CONSOLE_USER, pooler.users[CONSOLE_USER], "pgbouncer")
        assert console.query("SHOW VERSION")
    pooler.stop()
    assert pooler.log() == ""
    assert "process up: " in (pooler.directory / "own.log").read_text()


def test_log_lines_can_be_json(postgres, start_pooler):
    pooler = start_pooler(postgres, log_format="json")
    pooler.login().terminate()
    wait_until(lambda: "closing because" in pooler.log(), "the client's end is in the log")
    lines = [json.loads(line) for line in pooler.log().splitlines()]
    assert all(set(line) == {"time", "pid", "level", "message"} for line in lines)
    assert any("closing because" in line["message"] for line in lines)


def test_verbose_on_the_command_line_is_the_setting_until_it_is_set(postgres, workspace):
    """With -v -v: SHOW CONFIG says so, SET lowers it, and a reload goes back to it."""
    pooler = Pooler(workspace, postgres)
    pooler.command[1:1] = ["-v", "-v"]
    try:
        pooler.start()

        def levels():
            before = len(pooler.log())
            with pooler.login() as client:
                assert client.query("SELECT 1") == [["1"]]
            pooler.console("SHOW VERSION")
            return {level for level in ("DEBUG", "NOISE") if f" {level} " in pooler.log()[before:]}

        def shown():
            return pooler.console("SHOW SETTINGS WHERE key = 'verbose'")[0]

        assert (shown()["value"], shown()["origin"]) == ("2", "command line")
        assert levels()
        pooler.console("SET verbose = 0")
        assert shown()["value"] == "0"
        wait_until(lambda: not levels(), "it says less")
        pooler.console("RELOAD")
        assert shown()["value"] == "2"
        assert levels()
    finally:
        pooler.stop()


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


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_root_with_nothing_but_a_url_becomes_nobody(postgres, workspace):
    url = f"postgresql://app:app%20secret@{postgres.host}:{postgres.port}/app?sslmode=require"
    pooler = Pooler.from_url(workspace, postgres, url)
    with open(pooler.log_path, "ab") as log:
        pooler.process = subprocess.Popen(
            [str(pooler.command[0])], stderr=log, cwd="/", env=pooler.environment,
            start_new_session=True,
        )
    try:
        wait_until(pooler._listens, "the pooler listens")
        with pooler.login() as client:
            assert client.query("SELECT 1") == [["1"]]
        assert pooler.status("Uid") == pwd.getpwnam("nobody").pw_uid
        assert 'going on as user "nobody"' in pooler.log()
    finally:
        pooler.stop()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_root_becomes_the_user_that_is_named_and_has_read_its_keys_before(postgres, workspace):
    pooler = Pooler(workspace, postgres, client_tls_sslmode="prefer", **own_certificate(postgres))
    key = pooler.directory / "key"
    key.write_bytes((postgres.directory / "server.key").read_bytes())
    key.chmod(0o600)  # root's: nobody else can read it
    ini = pooler.command[1]
    ini.write_text(ini.read_text().replace(str(postgres.directory / "server.key"), str(key)))
    command = [str(pooler.command[0]), "-u", "nobody", str(ini)]
    with open(pooler.log_path, "ab") as log:
        pooler.process = subprocess.Popen(
            command, stderr=log, cwd="/", env=pooler.environment, start_new_session=True
        )
    try:
        wait_until(lambda: "process up" in pooler.log(), "it is up")
        nobody = pwd.getpwnam("nobody")
        status = Path(f"/proc/{pooler.process.pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in status)
        assert fields["Uid"].split() == [str(nobody.pw_uid)] * 4
        assert fields["Gid"].split() == [str(nobody.pw_gid)] * 4
        assert set(fields["Groups"].split()) <= {str(nobody.pw_gid)}
        with pooler.wire() as client:
            client.start_tls()
    finally:
        pooler.stop()


def test_a_pidfile_of_a_process_that_is_gone_is_replaced(postgres, workspace):
    pooler = Pooler(workspace, postgres, pidfile="pid")
    gone = subprocess.Popen(["true"])
    gone.wait()
    path = pooler.directory / "pid"
    path.write_text(f"{gone.pid}\n")
    process.give(path)
    pooler.start()
    assert path.read_text() == f"{pooler.process.pid}\n"
    pooler.stop()
    assert not path.exists()


def test_the_background_needs_a_pidfile(postgres, workspace):
    pooler = Pooler(workspace, postgres)
    assert leaves(pooler, "-d") == (1, "FATAL daemon needs pidfile configured")


def test_a_failed_start_in_the_background_is_told_by_the_status(postgres, workspace):
    pooler = Pooler(workspace, postgres, pidfile="pid", unix_socket_dir="/nowhere")
    status, said = leaves(pooler, "-d")
    assert status == 1
    assert "/nowhere/.s.PGSQL." in said
    assert not (pooler.directory / "pid").exists()


def run(pooler, *options):
    program, ini = pooler.command
    return subprocess.run(
        [str(program), *options, str(ini)], cwd=pooler.directory, env=pooler.environment,
        capture_output=True, text=True, timeout=20, **process.account(),
    )


def leaves(pooler, *options):
    """Status and last line, without its time, of a start that is over at once."""
    done = run(pooler, *options)
    return done.returncode, done.stderr.splitlines()[-1].partition("] ")[2]


def test_with_quiet_the_log_file_says_why_it_does_not_start(postgres, workspace):
    pooler = Pooler(workspace, postgres, logfile="start.log")
    ini = pooler.command[1]
    ini.write_text(ini.read_text() + "no_such_setting = 1\n")
    refused = run(pooler, "--quiet")
    assert (refused.returncode, refused.stderr) == (1, "")
    log = (pooler.directory / "start.log").read_text()
    assert 'there is no setting "no_such_setting"' in log
    assert "FATAL cannot load config file" in log


def test_the_unix_socket_has_the_mode_and_the_group_it_is_given(postgres, start_pooler):
    group = process.account().get("group", os.getgid())
    pooler = start_pooler(
        postgres, unix_socket_dir=".", unix_socket_mode="0710", unix_socket_group=group
    )
    about = (pooler.directory / f".s.PGSQL.{pooler.port}").stat()
    assert stat.S_IMODE(about.st_mode) == 0o710
    assert about.st_gid == group
    pooler.stop()
    assert not (pooler.directory / f".s.PGSQL.{pooler.port}").exists()


def test_the_limit_of_open_files_is_raised_and_told(postgres, workspace):
    pooler = Pooler(workspace, postgres)
    pooler.command = ["/bin/sh", "-c", 'ulimit -Sn 100; ulimit -Hn 500; exec "$@"', "sh"] + pooler.command
    pooler.start()
    pooler.stop()
    expected = 300 + 2 * 5 + 64  # clients, servers of two databases, some
    assert (
        f"LOG kernel file descriptor limit: 500; max_client_conn: 300, max expected fd use: {expected}"
        in pooler.log()
    )


def test_fewer_open_files_than_the_configuration_may_want_are_a_warning(postgres, workspace):
    pooler = Pooler(workspace, postgres)
    pooler.command = ["/bin/sh", "-c", 'ulimit -n 200; exec "$@"', "sh"] + pooler.command
    pooler.start()
    pooler.stop()
    assert "WARNING kernel file descriptor limit: 200; max_client_conn: 300" in pooler.log()


NASTY = ["quo\"te", "back\\slash", "ümläut €", "tab\tand\nnewline", "\x01\x1b[31m\x7f", b"\xff\xfe\xc3", "x" * 120]


@pytest.mark.parametrize("log_format", ["json", "pgbouncer"])
def test_no_name_breaks_a_line_of_the_log(postgres, start_pooler, log_format):
    pooler = start_pooler(postgres, log_format=log_format, log_statements=1)
    for name in NASTY:
        with pooler.wire() as client, pytest.raises((ServerError, Disconnected)):
            client.login(name, "wrong", name, application_name=name)
        with pooler.login() as client, contextlib.suppress(ServerError):
            raw = name if isinstance(name, bytes) else name.encode()
            client.send(wire.message(b"Q", b"SELECT '" + raw + b"'\0"))
            client.rows()
    wait_until(lambda: pooler.log_count("closing because") >= 2 * len(NASTY), "all have gone")
    text = pooler.log_path.read_bytes()
    if log_format == "json":
        lines = [json.loads(line) for line in text.splitlines()]
        assert any("ümläut €/ümläut €@" in line["message"] for line in lines)
        assert any("SELECT 'tab\tand\nnewline'" in line["message"] for line in lines)
    else:
        stamp = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+ \[\d+\] [A-Z]+ ")
        lines = text.split(b"\n")[:-1]
        assert all(stamp.match(line) or line.startswith(b"\t") for line in lines)
        assert b"SELECT 'tab\tand\n\tnewline'" in text
        assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", text)
