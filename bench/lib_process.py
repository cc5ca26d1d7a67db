# SPDX-License-Identifier: PostgreSQL
"""Processes that the benchmark starts: their account, directories, ports, and what they use.

Whatever is started here is ended when the benchmark ends, however that happens.
"""

import atexit
import contextlib
import os
import pwd
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

SOURCE_ROOT = Path(__file__).resolve().parents[1]
START_DEADLINE_S = 15
STOP_DEADLINE_S = 10

_started = []
_directories = []


class BenchError(Exception):
    """Something could not be measured; the text says why."""


def account():
    """Arguments for subprocess that drop root: PostgreSQL and PgBouncer refuse to run as root."""
    if os.getuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        entry = pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def give(path):
    """Hand a file over to that account."""
    owner = account()
    if owner:
        os.chown(path, owner["user"], owner["group"])


def new_directory(name):
    """A private directory of that account, removed at the end."""
    directory = Path(tempfile.mkdtemp(prefix=f"pgballast-bench-{name}-"))
    _directories.append(directory)
    give(directory)
    return directory


def free_port():
    """A loopback port nobody listens on, below the range that outgoing connections use."""
    while True:
        port = random.randrange(12000, 32000)
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def start(command, log_path, cwd=None, as_account=False, cpus=None, **streams):
    """Start a process in a session of its own. What it says goes to `log_path`, unless `streams`
    redirect it."""
    command = [str(part) for part in command]
    if cpus is not None:
        command = ["taskset", "-c", cpus] + command
    with open(log_path, "ab") as log:
        streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **streams}
        process = subprocess.Popen(
            command,
            cwd=cwd,
            start_new_session=True,
            **streams,
            **(account() if as_account else {}),
        )
    _started.append(process)
    return process


def stop(process, how=signal.SIGTERM):
    """End a process and everything in its session."""
    if process.poll() is None:
        process.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_DEADLINE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()
    if process in _started:
        _started.remove(process)


def stop_all():
    for process in reversed(list(_started)):
        stop(process, signal.SIGINT)
    for directory in _directories:
        shutil.rmtree(directory, ignore_errors=True)


def prepare():
    """To be called once: clean up at the end, allow as many descriptors as the system does."""
    atexit.register(stop_all)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run(command, cwd=None, as_account=False):
    """Run to the end; its output is part of the error if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=120,
        **(account() if as_account else {}),
    )
    if done.returncode != 0:
        raise BenchError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def wait_for_port(process, port, log_path):
    """Until the process listens there; its last words are the error if it does not."""
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    words = Path(log_path).read_text(errors="replace").strip()[-500:]
    raise BenchError(f"{Path(process.args[0]).name} does not listen on {port}: {words}")


class Usage(NamedTuple):
    """What a process has used so far, all threads together."""

    cpu_ns: int
    switches: int  # voluntary and involuntary

    def since(self, before):
        return Usage(self.cpu_ns - before.cpu_ns, self.switches - before.switches)


def usage(pid):
    """Of the living threads; the processes measured here keep theirs."""
    cpu_ns = switches = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        # Time on a CPU in ns, time waiting for one, number of time slices.
        cpu_ns += int((task / "schedstat").read_text().split()[0])
        for line in (task / "status").read_text().splitlines():
            if "ctxt_switches:" in line:
                switches += int(line.split()[1])
    return Usage(cpu_ns, switches)


def pss_kib(pid):
    """Proportional set size."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise BenchError("the kernel does not tell the proportional set size")
