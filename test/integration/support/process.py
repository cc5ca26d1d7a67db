# SPDX-License-Identifier: PostgreSQL
"""The account, the directories and the ports that the tests' processes get."""

import itertools
import os
import pwd
import random
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

SOURCE_ROOT = Path(__file__).resolve().parents[3]

# Below the range that outgoing connections use, and each process that runs tests beside others
# (pytest-xdist calls them gw0, gw1, …) has a part of its own: what is free is taken only later.
FIRST_PORT, LAST_PORT, PARTS = 12000, 32000, 16


def account():
    """Arguments for subprocess that drop root: neither PostgreSQL nor the pooler runs as root."""
    if os.getuid() != 0:
        return {}
    entry = pwd.getpwnam("postgres")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def give(path):
    """Hand a file or directory over to the account of the tests' processes."""
    owner = account()
    if owner:
        os.chown(path, owner["user"], owner["group"])


def new_directory(name, parent=None):
    """A directory of mode 700 that belongs to that account."""
    directory = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
    give(directory)
    return directory


def own_ports():
    """Without end, those of this process's part in turn: the one given last comes last again."""
    size = (LAST_PORT - FIRST_PORT) // PARTS
    part = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PARTS
    for number in itertools.count(random.randrange(size)):
        yield FIRST_PORT + part * size + number % size


_own_ports = own_ports()


def free_port():
    """A loopback port nobody listens on."""
    for port in _own_ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def accepts_connections(port, host="127.0.0.1"):
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def listens_on_file(name):
    """Whether a Unix socket of this name is open, without a connection that somebody counts.

    Only the name: a directory is told as the program was, and one that takes over appends to it.
    """
    listening = "00010000"  # __SO_ACCEPTCON of linux/net.h, in the flags of /proc/net/unix
    rows = (line.split() for line in Path("/proc/net/unix").read_text().splitlines())
    return any(row[3] == listening and name in row[-1] for row in rows)


def start(command, log_path, cwd, env=None, pass_fds=()):
    """Start a process in a session of its own, both outputs going to the file `log_path`."""
    with open(log_path, "ab") as log:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            start_new_session=True,
            pass_fds=pass_fds,
            **account(),
        )


def run(command, cwd, env=None):
    """Run a program to its end under the account; its output is part of the error if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=env,
        timeout=120,
        **account(),
    )
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} exits with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def kill_group(process):
    """End a process started by `start` and all that it has started."""
    if process is None or process.poll() is not None:
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
