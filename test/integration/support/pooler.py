# SPDX-License-Identifier: PostgreSQL
"""One running pgballast, its console and its log."""

import os
import re
import shutil
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg2
import psycopg2.extras
import pytest

from . import process
from .postgres import USERS
from .waiting import wait_until
from .wire import Wire

CONSOLE_USER = "console"
CONSOLE_PASSWORD = "console secret"

SETTINGS = {
    "listen_addr": "127.0.0.1",
    "unix_socket_dir": "",
    "auth_type": "scram-sha-256",
    "pool_mode": "transaction",
    "workers": 2,
    "default_pool_size": 5,
    "max_client_conn": 300,
    "admin_users": CONSOLE_USER,
    "server_tls_sslmode": "verify-full",
    "server_connect_timeout": 10,
    "server_login_retry": 1,
    "query_wait_timeout": 30,
}

SANITIZER_REPORT = re.compile(
    r"ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion .* failed"
)
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "exitcode=99:halt_on_error=0:second_deadlock_stack=1",
}


def binary():
    """The program under test: PGBALLAST_BIN, else what dev/build makes."""
    path = Path(os.environ.get("PGBALLAST_BIN", process.SOURCE_ROOT / "build" / "pgballast"))
    if not path.exists():
        raise AssertionError(f"{path} does not exist (dev/build, or set PGBALLAST_BIN)")
    return path


def is_sanitized():
    """Whether the program carries a sanitizer: its memory then says nothing."""
    return "PGBALLAST_SANITIZER" in os.environ


def quoted(word):
    return '"' + word.replace('"', '""') + '"'


def own_certificate(postgres):
    """Settings that give the pooler the certificate which PostgreSQL shows as well."""
    return {
        "client_tls_cert_file": postgres.directory / "server.crt",
        "client_tls_key_file": postgres.directory / "server.key",
    }


class Pooler:
    """Start with `start`, end with `stop`, which also looks at the exit status and the log."""

    host = "127.0.0.1"

    def __init__(self, parent, upstream, users=None, **settings):
        """`settings` go on top of SETTINGS; `upstream` has host, port and ca_file; `peers={id: line}`.

        The databases are upstream's own ones under their own names; `databases={name: line}`
        replaces them. `user_lines={name: line}` are lines of [users].
        """
        self.directory = process.new_directory("pooler", parent)
        self.log_path = self.directory / "pooler.log"
        self.port = settings.get("listen_port") or process.free_port()
        self.socket_directory = None
        self.process = None
        self.pass_fds = ()
        program = self.directory / "pgballast"
        shutil.copy(binary(), program)
        program.chmod(0o755)
        self.environment = {"PATH": os.environ["PATH"], **SANITIZER_OPTIONS}
        self.users = {**USERS, **(users or {}), CONSOLE_USER: CONSOLE_PASSWORD}
        self.command = [program, self._write_ini(upstream, settings)]

    def _write_ini(self, upstream, settings):
        address = f"host={upstream.host} port={upstream.port}"
        databases = settings.pop(
            "databases", {name: f"{address} dbname={name}" for name in ("app", "second")}
        )
        peers = settings.pop("peers", {})
        user_lines = settings.pop("user_lines", {})
        userlist = self.directory / "users.txt"
        userlist.write_text(
            "".join(f"{quoted(name)} {quoted(secret)}\n" for name, secret in self.users.items())
        )
        values = {
            **SETTINGS,
            "listen_port": self.port,
            "auth_file": userlist,
            "server_tls_ca_file": upstream.ca_file,
            **settings,
        }
        self.socket_directory = values["unix_socket_dir"]
        lines = ["[databases]"]
        lines += [f"{name} = {line}" for name, line in databases.items()]
        lines += ["", "[peers]"] + [f"{number} = {line}" for number, line in peers.items()]
        lines += ["", "[users]"]
        lines += [f"{name} = {line}" for name, line in user_lines.items()]
        lines += ["", "[pgballast]"]
        lines += [f"{name} = {value}" for name, value in values.items() if value is not None]
        ini = self.directory / "pgballast.ini"
        ini.write_text("\n".join(lines) + "\n")
        for path in (userlist, ini):
            path.chmod(0o600)
            process.give(path)
        return ini

    @classmethod
    def from_url(cls, parent, upstream, url, **environment):
        """As an app developer starts it: DATABASE_URL and nothing else but two free ports."""
        self = cls(parent, upstream)
        self.command = self.command[:1]
        self.environment.update(
            DATABASE_URL=url,
            PGBALLAST_LISTEN_PORT=str(self.port),
            PGBALLAST_HTTP_PORT=str(process.free_port()),
            **environment,
        )
        return self

    # Life

    def start(self):
        self.process = process.start(
            self.command, self.log_path, cwd=self.directory, env=self.environment,
            pass_fds=self.pass_fds,
        )
        wait_until(self._listens, "the pooler listens")
        return self

    def _listens(self):
        if self.process.poll() is not None:
            raise AssertionError(
                f"the pooler exits with {self.process.returncode}:\n{self.log()[-3000:]}"
            )
        return process.accepts_connections(self.port) and self._listens_on_its_file()

    def _listens_on_its_file(self):
        """It is opened after the port; between bind(2) and listen(2) it refuses."""
        return not self.socket_directory or process.listens_on_file(f".s.PGSQL.{self.port}")

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """SIGTERM; a second one for clients that a failed test has left behind. Then judge."""
        if self.process is None:
            return
        try:
            if self.is_running():
                self.process.send_signal(signal.SIGTERM)
                if not self._ends_within(3):
                    self.process.send_signal(signal.SIGTERM)
                if not self._ends_within(20):
                    raise AssertionError(f"the pooler does not stop:\n{self.log()[-3000:]}")
        finally:
            process.kill_group(self.process)
        self.check()

    def _ends_within(self, seconds):
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def check(self):
        """It ended by itself and in order, and no sanitizer had anything to say."""
        report = SANITIZER_REPORT.search(self.log())
        if report:
            raise AssertionError(f"in the pooler's log:\n{self.log()[report.start():][:6000]}")
        if self.process.returncode != 0:
            raise AssertionError(
                f"the pooler ended with {self.process.returncode}:\n{self.log()[-3000:]}"
            )

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_count(self, text):
        return self.log().count(text)

    def wait_for_log(self, text):
        """A client may be told before the log is."""
        wait_until(lambda: text in self.log(), f'the log says "{text}"')

    # Clients

    def parameters(self, **changes):
        """Connection parameters as libpq's drivers name them."""
        parameters = {
            "host": self.host,
            "port": self.port,
            "user": "app",
            "dbname": "app",
            "sslmode": "disable",
            "connect_timeout": 20,
            **changes,
        }
        parameters.setdefault("password", self.users.get(parameters["user"], ""))
        return parameters

    def connect(self, **changes):
        """A psycopg2 connection in autocommit, so that only what a test writes is sent."""
        connection = psycopg2.connect(**self.parameters(**changes))
        connection.autocommit = True
        return connection

    def wire(self, **changes):
        """A raw connection that is not logged in yet."""
        return Wire(self.host, self.port, **changes)

    def login(self, user="app", database="app", **parameters):
        """A raw connection that is logged in."""
        wire = self.wire()
        wire.login(user, self.users[user], database, **parameters)
        return wire

    # Console

    def login_console(self, database="pgballast"):
        """A raw connection of the operator's."""
        wire = self.wire()
        wire.login(CONSOLE_USER, CONSOLE_PASSWORD, database)
        return wire

    def console(self, command):
        """Rows of one console command as dictionaries, in the console's order of columns."""
        with closing(self.connect(user=CONSOLE_USER, dbname="pgballast")) as connection:
            with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(command)
                return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def pool(self, database="app", user="app"):
        """The pool's row of SHOW POOLS; None before the pool exists."""
        for row in self.console("SHOW POOLS"):
            if (row["database"], row["user"]) == (database, user):
                return row
        return None

    def pool_is(self, database="app", user="app", **wanted):
        row = self.pool(database, user) or {}
        return all(row.get(name) == value for name, value in wanted.items())

    def wait_for_pool(self, database="app", user="app", **wanted):
        """Wait until the pool's row of SHOW POOLS has these values."""
        wait_until(
            lambda: self.pool_is(database, user, **wanted),
            f"the pool {database}/{user} shows {wanted}",
        )

    # Figures

    def status(self, field):
        """A number of /proc/PID/status, memory in KiB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+)", text, re.MULTILINE).group(1))

    def peak_kib(self):
        return self.status("VmHWM")

    def descriptors(self):
        """Of a process that lets nobody look at its secrets: only root may count them."""
        try:
            return len(os.listdir(f"/proc/{self.process.pid}/fd"))
        except PermissionError:
            pytest.skip("only root may count the descriptors")
