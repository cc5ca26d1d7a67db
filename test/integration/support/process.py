# SPDX-License-Identifier: PostgreSQL
"""The account, the directories and the ports that the tests' processes get."""

import os
import pwd
import random
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

SOURCE_ROOT = Path(__file__).resolve().parents[3]


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


def free_port():
    """A loopback port nobody listens on, below the range that outgoing connections use."""
    while True:
        port = random.randrange(12000, 32000)
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
