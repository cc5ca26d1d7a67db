# SPDX-License-Identifier: PostgreSQL
"""Under a service manager: sockets from it, words to it, its journal, the units in etc/.

None of this needs systemd to run: the two protocols are environment variables, descriptors and
datagrams (sd_listen_fds(3), sd_notify(3), systemd.exec(5)).
"""

import configparser
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager

import pytest

from support import process
from support.pooler import Pooler
from support.waiting import wait_until

ETC = process.SOURCE_ROOT / "etc"

# What systemd does between fork and exec: descriptors from 3 on, and the process they are meant for.
LAUNCHER = """
import os, sys
fds, pid, command = [int(n) for n in sys.argv[1].split(",")], sys.argv[2], sys.argv[3:]
high = [os.dup(fd) for fd in fds]
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(high)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, inheritable=True)
os.environ.update(LISTEN_FDS=str(len(fds)), LISTEN_PID=pid if pid != "self" else str(os.getpid()))
os.execv(command[0], command)
"""


def hand_over(pooler, sockets, pid="self"):
    """Have the pooler started with these listening sockets."""
    pooler.pass_fds = [s.fileno() for s in sockets]
    numbers = ",".join(str(fd) for fd in pooler.pass_fds)
    pooler.command = [sys.executable, "-c", LAUNCHER, numbers, pid, *pooler.command]


@contextmanager
def activation_sockets(pooler):
    """As etc/pgballast.socket: TCP in both families, and a Unix socket; where they are."""
    path = pooler.directory / f".s.PGSQL.{pooler.port}"
    with ExitStack() as stack:
        tcp = stack.enter_context(socket.socket())
        tcp6 = stack.enter_context(socket.socket(socket.AF_INET6))
        local = stack.enter_context(socket.socket(socket.AF_UNIX))
        tcp6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        tcp6.bind(("::1", pooler.port))
        tcp.bind(("127.0.0.1", pooler.port))
        local.bind(str(path))
        path.chmod(0o777)
        for s in (tcp, tcp6, local):
            s.listen(16)
        yield tcp, tcp6, local


def ends(pooler):
    """Start it and wait for its end; its status."""
    pooler.process = process.start(
        pooler.command, pooler.log_path, pooler.directory, pooler.environment, pooler.pass_fds
    )
    return pooler.process.wait(timeout=20)


@pytest.mark.parametrize("listen_addr", ["", "127.0.0.2"])
def test_sockets_of_the_service_manager_are_the_only_ones(postgres, workspace, listen_addr):
    pooler = Pooler(workspace, postgres, listen_addr=listen_addr or None, unix_socket_dir=None)
    with activation_sockets(pooler) as sockets:
        hand_over(pooler, sockets)
        pooler.start()
        try:
            for host in ("127.0.0.1", "::1", str(pooler.directory)):
                with closing(pooler.connect(host=host)) as connection:
                    connection.cursor().execute("SELECT 1")
            assert not process.accepts_connections(pooler.port, "127.0.0.2")
            assert pooler.log_count("listening on ") == 3
            said = "listen_addr is ignored: the service manager has opened the sockets"
            assert (said in pooler.log()) == bool(listen_addr)
        finally:
            pooler.stop()
        # They are not ours to close: who connects meanwhile waits for the next start.
        assert process.accepts_connections(pooler.port)
        assert (pooler.directory / f".s.PGSQL.{pooler.port}").exists()


def test_sockets_that_are_meant_for_another_process_are_left_alone(postgres, workspace):
    pooler = Pooler(workspace, postgres)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        hand_over(pooler, [other], pid="1")
        pooler.start()
        pooler.stop()
        assert f"127.0.0.1:{other.getsockname()[1]}" not in pooler.log()


def test_a_descriptor_that_is_no_listening_socket_ends_the_start(postgres, workspace):
    pooler = Pooler(workspace, postgres)
    with socket.socket() as plain:
        hand_over(pooler, [plain])
        assert ends(pooler) == 1
    assert "FATAL inherited descriptor 3 is not a listening socket" in pooler.log()


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_the_service_manager_is_told_what_goes_on(postgres, workspace, kind):
    pooler = Pooler(workspace, postgres, stats_period=1)
    path = str(pooler.directory / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path if kind == "path" else "\0" + path)
        if kind == "path":
            os.chmod(path, 0o777)
        manager.settimeout(20)
        pooler.environment["NOTIFY_SOCKET"] = path if kind == "path" else "@" + path
        messages = iter(lambda: manager.recv(512).decode(), None)
        apart_from_status = (m for m in messages if not m.startswith("STATUS="))
        try:
            pooler.start()
            assert next(messages) == "READY=1"
            assert next(messages).startswith("STATUS=stats: 0 xacts/s, 0 queries/s")
            before = clock_us()
            pooler.process.send_signal(signal.SIGHUP)
            word, stamp = next(apart_from_status).split("\n")
            assert word == "RELOADING=1"
            assert before <= int(stamp.removeprefix("MONOTONIC_USEC=")) <= clock_us()
            assert next(apart_from_status) == "READY=1"
        finally:
            pooler.stop()
        assert next(apart_from_status) == "STOPPING=1"


def test_the_service_manager_is_not_told_what_the_console_changes(postgres, workspace):
    pooler = Pooler(workspace, postgres, log_stats=0)
    path = str(pooler.directory / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        os.chmod(path, 0o777)
        manager.settimeout(20)
        pooler.environment["NOTIFY_SOCKET"] = path
        messages = iter(lambda: manager.recv(512).decode(), None)
        apart_from_status = (m for m in messages if not m.startswith("STATUS="))
        try:
            pooler.start()
            pooler.console("SET query_timeout = 7")
            pooler.console("RELOAD")
        finally:
            pooler.stop()
        assert [next(apart_from_status), next(apart_from_status)] == ["READY=1", "STOPPING=1"]


def clock_us():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


@contextmanager
def journal(pooler):
    """The pooler's stderr as systemd makes it: a stream socket that JOURNAL_STREAM names."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        about = os.fstat(theirs.fileno())
        pooler.environment["JOURNAL_STREAM"] = f"{about.st_dev}:{about.st_ino}"
        pooler.pass_fds = [theirs.fileno()]
        onto = "import os, sys; os.dup2(int(sys.argv[1]), 2); os.execv(sys.argv[2], sys.argv[2:])"
        pooler.command = [sys.executable, "-c", onto, str(theirs.fileno()), *pooler.command]
        yield ours


def start_and_quit(pooler):
    pooler.start()
    pooler.process.send_signal(signal.SIGQUIT)
    pooler.process.wait(timeout=20)


def test_the_journal_gets_levels_instead_of_time_and_process(postgres, workspace):
    pooler = Pooler(workspace, postgres, lazy_begin=1)
    with journal(pooler) as stream:
        start_and_quit(pooler)
        lines = stream.recv(1 << 20).decode().splitlines()
    assert any(line.startswith("<4>WARNING ") and "lazy_begin" in line for line in lines)
    assert "<6>LOG got SIGQUIT, fast exit" in lines
    assert all(line[0] == "<" and line[2] == ">" for line in lines)


def test_the_journal_gets_json_as_it_is(postgres, workspace):
    pooler = Pooler(workspace, postgres, log_format="json")
    with journal(pooler) as stream:
        start_and_quit(pooler)
        lines = stream.recv(1 << 20).decode().splitlines()
    assert json.loads(lines[-1])["message"] == "exiting"


@pytest.mark.skipif(
    os.getuid() != 0 or os.path.exists("/dev/log"), reason="/dev/log is not ours to make"
)
def test_syslog_gets_each_line_with_facility_level_and_name(postgres, start_pooler):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind("/dev/log")
        try:
            os.chmod("/dev/log", 0o666)
            log.settimeout(20)
            start_pooler(postgres, syslog=1, syslog_ident="ballast", syslog_facility="local3")
            messages = iter(lambda: log.recv(4096).decode(), None)
            up = next(m for m in messages if "process up" in m)
        finally:
            os.unlink("/dev/log")
    # local3 is 19, informational is 6 (RFC 5424, section 6.2.1).
    assert up.startswith(f"<{19 * 8 + 6}>")
    assert " ballast[" in up


# The units


def unit(name):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(ETC / name)
    return parser


def test_the_units_own_commands_start_reload_and_stop_it(postgres, workspace):
    service = unit("pgballast.service")["Service"]
    pooler = Pooler(workspace, postgres)
    written = shlex.split(service["ExecStart"])
    assert written == ["/usr/bin/pgballast", "/etc/pgballast/pgballast.ini"]
    pooler.environment["RUNTIME_DIRECTORY"] = str(pooler.directory)
    pooler.start()
    try:
        reload = service["ExecReload"].replace("$MAINPID", str(pooler.process.pid))
        subprocess.run(shlex.split(reload), check=True)
        wait_until(lambda: "configuration reloaded" in pooler.log(), "it has reloaded")
        pooler.process.send_signal(signal.Signals[service["KillSignal"]])
        assert pooler.process.wait(timeout=20) == 0
    finally:
        pooler.stop()


def test_the_runtime_directory_is_where_the_unix_socket_goes_if_nothing_is_said(
    postgres, workspace
):
    pooler = Pooler(workspace, postgres, unix_socket_dir=None)
    pooler.environment["RUNTIME_DIRECTORY"] = str(pooler.directory)
    pooler.start()
    wait_until(lambda: "process up" in pooler.log(), "it is up")
    try:
        with closing(pooler.connect(host=str(pooler.directory))) as connection:
            connection.cursor().execute("SELECT 1")
    finally:
        pooler.stop()


@pytest.fixture
def installed_units(tmp_path):
    """The units with a program that exists, since they name the one that will be installed."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    for name in ("pgballast.service", "pgballast.socket"):
        text = (ETC / name).read_text().replace("/usr/bin/pgballast", "/bin/true")
        (tmp_path / name).write_text(text)
    return tmp_path


def analyze(*arguments):
    done = subprocess.run(
        ["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, timeout=20
    )
    return done.returncode, done.stdout + done.stderr


def test_systemd_finds_nothing_wrong_with_the_units(installed_units):
    status, output = analyze(
        "verify", "--man=no", installed_units / "pgballast.service",
        installed_units / "pgballast.socket",
    )
    assert (status, output) == (0, "")


def test_systemd_finds_the_service_well_protected(installed_units):
    status, output = analyze(
        "security", "--offline=yes", "--threshold=20", installed_units / "pgballast.service"
    )
    assert status == 0, output
