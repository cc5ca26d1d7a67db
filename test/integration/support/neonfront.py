# SPDX-License-Identifier: PostgreSQL
"""A running Neon stand-in (test/neonfront) before one of the tests' PostgreSQL servers."""

import json
import shutil
import socket
import subprocess
import urllib.parse
from pathlib import Path

import psycopg2

from . import process
from .postgres import USERS
from .waiting import DEADLINE_S, wait_until
from .wire import Wire

PROGRAM = process.SOURCE_ROOT / "test" / "neonfront"
# Certificates with and without channel binding; see certificates.py there.
BASE = "neon.localhost"
BASE_WITHOUT_PLUS = "sha384.localhost"
ENDPOINT = "ep-calm-test-123456"
# Neon's numbers, made small enough for tests.
KNOBS = {"wake_ms": 50, "poll_ms": 30}


class OrderRefused(Exception):
    """The stand-in answered an order with an error."""


class NeonFront:
    """Start with `start`, end with `stop`; `counters` and `events` tell what it has seen.

    It stands where a server stands for Pooler: it has host, port and ca_file.
    """

    host = "127.0.0.1"

    def __init__(self, parent, postgres, **knobs):
        self.postgres = postgres
        self.directory = process.new_directory("neonfront", parent)
        self.port = process.free_port()
        # Made once for all tests of a run.
        self.certificates = Path(parent) / "neonfront-certs"
        self.log_path = self.directory / "neonfront.log"
        self.event_path = self.directory / "events.jsonl"
        self.control_path = self.directory / "control"
        self.knobs = {**KNOBS, **knobs}
        self.process = None
        # A copy, since the account it runs under need not be able to read the tree.
        self.program = self.directory / "program"
        self.program.mkdir()
        for path in [PROGRAM / "neonfront", *PROGRAM.glob("*.py")]:
            shutil.copy(path, self.program)
        self.program.chmod(0o755)
        if not self.certificates.exists():
            self._make_certificates()
        self.roles_path = self.directory / "roles.json"
        self.roles_path.write_text(
            json.dumps(
                [
                    {"endpoint": ENDPOINT, "role": name, "password": password}
                    for name, password in USERS.items()
                ]
            )
        )

    def _make_certificates(self):
        self.certificates.mkdir()
        subprocess.run(
            [self.program / "neonfront", "make-certs", self.certificates]
            + [BASE, f"{BASE_WITHOUT_PLUS}:ecdsa-sha384"],
            check=True,
        )
        for path in [self.certificates, *self.certificates.iterdir()]:
            process.give(path)

    @property
    def ca_file(self):
        return self.certificates / "ca.crt"

    # Life

    def start(self):
        self.process = process.start(
            [self.program / "neonfront", "--listen", f"{self.host}:{self.port}"]
            + ["--postgres", f"{self.postgres.directory}/.s.PGSQL.{self.postgres.port}"]
            + ["--certs", self.certificates, "--roles", self.roles_path]
            + ["--control", self.control_path, "--log", self.event_path]
            + [f"--set={name}={json.dumps(value)}" for name, value in self.knobs.items()],
            self.log_path,
            cwd=self.directory,
        )
        wait_until(self._answers, "the stand-in takes orders")
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the stand-in does not start:\n{self.log_path.read_text()}")
        try:
            self.order("knobs")
        except OSError:
            return False
        return True

    def stop(self):
        """End it; a traceback in its output is a failure of the test."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            finally:
                process.kill_group(self.process)
        log = self.log_path.read_text() if self.log_path.exists() else ""
        assert "Traceback" not in log, log

    # Orders

    def order(self, command, **arguments):
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(DEADLINE_S)
            control.connect(str(self.control_path))
            control.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
            answer = json.loads(control.makefile().readline())
        if not answer["ok"]:
            raise OrderRefused(answer["error"])
        return answer["result"]

    def set(self, **knobs):
        self.order("set", **knobs)

    def suspend(self, manner="direct"):
        return self.order("suspend", manner=manner)

    def fail(self, error, times=1):
        self.order("fail", error=error, times=times)

    def counters(self):
        return self.order("counters")

    def count(self, event):
        return self.counters()["events"].get(event, 0)

    def wait_for(self, **wanted):
        """Wait until the counters have these values."""
        wait_until(
            lambda: wanted.items() <= self.counters().items(), f"the stand-in shows {wanted}"
        )

    def wait_for_event(self, event, n=1):
        wait_until(lambda: self.count(event) >= n, f"the stand-in counts {n} {event}")

    def connections(self):
        return self.order("connections")

    def events(self, name=None):
        """Lines of the event log, all or those of one event."""
        lines = [json.loads(line) for line in Path(self.event_path).read_text().splitlines()]
        return [line for line in lines if name in (None, line["event"])]

    # Clients, without a pooler

    def name(self, endpoint=ENDPOINT, base=BASE):
        return f"{endpoint}.{base}"

    def parameters(self, endpoint=ENDPOINT, base=BASE, **changes):
        parameters = {
            "host": self.name(endpoint, base),
            "hostaddr": self.host,
            "port": self.port,
            "user": "app",
            "dbname": "app",
            "sslmode": "verify-full",
            "sslrootcert": str(self.ca_file),
            "connect_timeout": 20,
            **changes,
        }
        parameters.setdefault("password", USERS.get(parameters["user"], ""))
        return parameters

    def connect(self, **changes):
        connection = psycopg2.connect(**self.parameters(**changes))
        connection.autocommit = True
        return connection

    def wire(self, server_name=None, deadline_s=DEADLINE_S):
        """A raw connection after TLS; `server_name` "" for none."""
        wire = Wire(self.host, self.port, deadline_s)
        wire.start_tls(server_name=self.name() if server_name is None else server_name or None)
        return wire

    def login(self, user="app", database="app", **parameters):
        wire = self.wire()
        wire.login(user, USERS[user], database, **parameters)
        return wire

    def url(self, user="app", database="app", endpoint=ENDPOINT, base=BASE, **options):
        """The upstream URL for a pooler, as Neon's console writes it."""
        query = {
            "sslmode": "verify-full",
            "channel_binding": "require",
            "sslrootcert": self.ca_file,
            "hostaddr": self.host,
            **options,
        }
        words = urllib.parse.urlencode({k: v for k, v in query.items() if v is not None})
        password = urllib.parse.quote(USERS[user], safe="")
        host = self.name(endpoint, base)
        return f"postgresql://{user}:{password}@{host}:{self.port}/{database}?{words}"
