# SPDX-License-Identifier: PostgreSQL
"""A private PostgreSQL cluster: TLS with its own authority, SCRAM, loopback, never as root."""

import os
import signal
import subprocess
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2

from . import process
from .waiting import wait_until

USERS = {"app": "app secret", "other": "other secret"}
DATABASES = ("app", "second")
# "elsewhere" is a good certificate for a host that this server is not.
CERTIFICATES = {
    "server": ("localhost", "127.0.0.1", "::1"),
    "elsewhere": ("elsewhere.example",),
}
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

SETTINGS = {
    "listen_addresses": "localhost",
    "ssl": "on",
    "password_encryption": "scram-sha-256",
    "max_connections": "120",
    "fsync": "off",
    "autovacuum": "off",
    "log_connections": "on",
    "log_line_prefix": "%p %u@%d ",
}

HBA = """\
local all all              trust
host  all all 127.0.0.1/32 scram-sha-256
host  all all ::1/128      scram-sha-256
host  replication all 127.0.0.1/32 scram-sha-256
host  replication all ::1/128      scram-sha-256
"""


def bindir():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    if not found:
        raise AssertionError("PostgreSQL is not installed (dev/install-packages test)")
    return found[-1]


class Postgres:
    """One cluster. `settings` are lines of postgresql.conf on top of SETTINGS."""

    host = "localhost"

    def __init__(self, parent, **settings):
        self.directory = process.new_directory("postgres", parent)
        self.data = self.directory / "data"
        self.log_path = self.directory / "postgres.log"
        self.port = process.free_port()
        self.settings = {**SETTINGS, **settings}
        self.process = None

    def create(self):
        """initdb, certificates, users and databases; leaves the server running."""
        make_certs = process.SOURCE_ROOT / "dev" / "make-certs"
        for name, hosts in CERTIFICATES.items():
            subprocess.run([make_certs, self.directory, name, *hosts], check=True)
        for path in self.directory.iterdir():
            process.give(path)
        process.run(
            [bindir() / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync"]
            + ["-E", "UTF8", "--locale=C.UTF-8"],
            cwd=self.directory,
        )
        self.settings.setdefault("ssl_cert_file", str(self.directory / "server.crt"))
        self.settings.setdefault("ssl_key_file", str(self.directory / "server.key"))
        self.settings.setdefault("unix_socket_directories", str(self.directory))
        lines = [f"{name} = '{value}'\n" for name, value in self.settings.items()]
        (self.data / "postgresql.conf").write_text(f"port = {self.port}\n" + "".join(lines))
        (self.data / "pg_hba.conf").write_text(HBA)
        self.start()
        for user, password in USERS.items():
            self.sql(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
        for database in DATABASES:
            self.sql(f"CREATE DATABASE {database} OWNER app")
        return self

    @property
    def ca_file(self):
        return self.directory / "ca.crt"

    def start(self):
        self.process = process.start(
            [bindir() / "postgres", "-D", self.data], self.log_path, cwd=self.directory
        )
        wait_until(self.answers, "PostgreSQL answers")

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"PostgreSQL does not start:\n{self.log()[-2000:]}")
        try:
            self.sql("SELECT 1")
        except psycopg2.OperationalError:
            return False
        return True

    def stop(self, mode="fast"):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(STOP_SIGNALS[mode])
        self.process.wait(timeout=30)

    def restart(self, mode="fast"):
        self.stop(mode)
        self.start()

    def destroy(self):
        """The end of the cluster; its directory goes with the directory it was made in."""
        try:
            self.stop("immediate")
        finally:
            process.kill_group(self.process)

    def sql(self, text, args=None, database="postgres"):
        """Run one statement as superuser, beside the pooler; rows, or None if there are none."""
        with closing(
            psycopg2.connect(
                host=str(self.directory), port=self.port, user="postgres", dbname=database
            )
        ) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(text, args)
                return cursor.fetchall() if cursor.description else None

    def value(self, text, args=None, database="postgres"):
        return self.sql(text, args, database)[0][0]

    def backends(self, user="app", where="true"):
        """Process ids of the sessions of `user` for which `where` is true, oldest first."""
        rows = self.sql(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
            f" AND usename = '{user}' AND ({where}) ORDER BY backend_start, pid"
        )
        return [pid for (pid,) in rows]

    def terminate_all(self, user="app"):
        self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (user,)
        )

    def kill_backend(self, pid):
        """SIGKILL: the postmaster then ends every session and recovers."""
        os.kill(pid, signal.SIGKILL)

    @contextmanager
    def deaf_to_newcomers(self):
        """New connections are taken by the kernel and hear nothing; sessions go on."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def log(self):
        return self.log_path.read_text(errors="replace")
