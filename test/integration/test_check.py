# SPDX-License-Identifier: PostgreSQL
"""--check: what a file says, what is wrong with it, what is risky. Debian's sample file starts as it is."""

import os
import subprocess
from pathlib import Path

import pytest

from support import process, wire
from support.pooler import Pooler
from support.waiting import wait_until

DEBIANS = Path("/etc/pgbouncer/pgbouncer.ini")


@pytest.fixture
def check(postgres, workspace):
    """check(text, mode=…): what --check says of a file with that text, and its exit status."""
    pooler = Pooler(workspace, postgres, users={"plain": "visible"})

    def run(text, mode=0o600):
        ini = pooler.directory / "old.ini"
        ini.write_text(text)
        process.give(ini)
        ini.chmod(mode)
        done = subprocess.run(
            [str(pooler.command[0]), "--check", "old.ini"], cwd=pooler.directory,
            env=pooler.environment, capture_output=True, text=True, timeout=20, **process.account(),
        )
        assert done.stderr == ""
        return done.stdout.splitlines(), done.returncode

    return run


def test_it_says_what_it_understood(check):
    lines, status = check("""\
[databases]
a = host=/run
b = host=/run user=app
* = host=/run

[users]
app = pool_size=3

[pgbouncer]
listen_addr = 127.0.0.1
unix_socket_dir = /run/pgbouncer
auth_type = scram-sha-256
auth_file = users.txt
pool_mode = transaction
idle_transaction_timeout = 60
query_timeout = 60
""")
    assert status == 0
    assert lines == [
        "old.ini: 2 databases and all others (*), 4 users in auth_file, 1 line of [users], 0 peers",
        "listens on: 127.0.0.1 port 6432, Unix socket in /run/pgbouncer",
        "clients: auth_type = scram-sha-256, TLS disable, at most 100",
        "servers: TLS prefer, pool_mode = transaction, at most 20 in a pool",
        "NOTE old.ini:13: 4 of 4 users are stored with their passwords in plain text: a SCRAM verifier "
        "from pg_authid serves as well, where clients log in by scram-sha-256",
        "0 errors, 0 warnings, 1 note",
    ]


def test_each_error_has_its_place_and_the_status_is_that_of_a_failed_start(check):
    lines, status = check("""\
[pgbouncer]
pool_mode = rapid
no_such_setting = 1
[databases]
a = host=h port=99999
[nonsense]
""")
    assert status == 1
    assert [line[:17] for line in lines] == [
        "ERROR old.ini:2: ", "ERROR old.ini:3: ", "ERROR old.ini:5: ", "ERROR old.ini:6: ",
        "4 errors, 0 warni",
    ]


def test_advice_comes_in_the_order_of_the_file(check):
    lines, status = check("""\
[databases]
a = host=db.example user=u password=hush
a = host=db.example user=u password=hush
[pgbouncer]
listen_addr = *
auth_type = trust
auth_file = users.txt
admin_users = console, stranger
ignore_startup_parameters = extra_float_digits
pkt_buf = 8192
pkt_buf = 8192
""", mode=0o644)
    assert status == 0
    assert "hush" not in "".join(lines)
    places = [line.split(": ")[0] for line in lines[4:-1]]
    assert [place for place in places if place != "NOTE old.ini"] == [
        "WARNING old.ini",  # passwords in a file that everybody reads
        "WARNING old.ini:3",  # the database again
        "WARNING old.ini:3",  # TLS prefer
        "WARNING old.ini:5",  # without TLS
        "WARNING old.ini:6",  # trust
        "NOTE old.ini:7",  # plain text
        "WARNING old.ini:8",  # the stranger
        "NOTE old.ini:9",
        "WARNING old.ini:11",  # twice
        "NOTE old.ini:11",  # needless
    ]


@pytest.mark.skipif(
    not os.access(DEBIANS, os.R_OK), reason="Debian's pgbouncer is not installed, or not ours to read"
)
def test_debians_own_file_starts_as_it_is(postgres, workspace):
    """Only where it listens and writes is moved: another test, or a pgbouncer, may be there."""
    pooler = Pooler(workspace, postgres)
    moved = {"listen_port": pooler.port, "unix_socket_dir": pooler.directory,
             "logfile": pooler.directory / "log", "pidfile": pooler.directory / "pid"}
    pooler.command = [pooler.command[0], *(f"--set={name}={value}" for name, value in moved.items()),
                      "--quiet", DEBIANS]
    pooler.start()
    try:
        log = pooler.directory / "log"
        wait_until(lambda: log.exists() and "process up" in log.read_text(), "it is up")
        assert "ERROR" not in log.read_text()
        assert pooler.log() == ""
        with pooler.wire() as client:
            client.send(wire.startup({"user": "nobody", "database": "nothing"}))
            assert client.read().letter == b"R"
    finally:
        pooler.stop()
