# SPDX-License-Identifier: PostgreSQL
"""The servers behind the poolers: a private PostgreSQL with ssl=on, and the canned one.

Both take plain and TLS connections on one port and let the user in without a password: what a login
at the server costs is none of the figures here.
"""

from pathlib import Path

import lib_process as process
from lib_process import BenchError

USER = DATABASE = "bench"

POSTGRES_SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
ssl = on
ssl_cert_file = '{cert}'
ssl_key_file = '{key}'
max_connections = 400
shared_buffers = '256MB'
fsync = off
autovacuum = off
"""

POSTGRES_HBA = "host all all 127.0.0.0/8 trust\n"  # the relay connects from several, see common.c


def make_certificate(directory):
    """RSA-2048, the kind that most servers have: (certificate, key)."""
    cert, key = directory / "server.crt", directory / "server.key"
    process.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "2"]
        + ["-subj", "/CN=localhost", "-keyout", key, "-out", cert]
    )
    for path in (cert, key):
        path.chmod(0o600)
        process.give(path)
    return cert, key


def postgres_bindir():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    if not found:
        raise BenchError("PostgreSQL is not installed (dev/install-packages bench)")
    return found[-1]


class Postgres:
    """Tables of pgbench at `scale`: 100 000 accounts each."""

    name = "PostgreSQL"

    def __init__(self, tools, scale):
        self.accounts = 100000 * scale
        self.port = process.free_port()
        directory = process.new_directory("postgres")
        log_path = directory / "postgres.log"
        data = directory / "data"
        bindir = postgres_bindir()
        cert, key = make_certificate(directory)
        process.run(
            [bindir / "initdb", "-D", data, "-U", USER, "-A", "trust", "--no-sync"]
            + ["-E", "UTF8", "--locale=C.UTF-8"],
            cwd=directory,
            as_account=True,
        )
        settings = POSTGRES_SETTINGS.format(port=self.port, cert=cert, key=key)
        with open(data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(settings)
        (data / "pg_hba.conf").write_text(POSTGRES_HBA)
        child = process.start(
            [bindir / "postgres", "-D", data],
            log_path,
            cwd=directory,
            as_account=True,
            cpus=tools.other_cpus,
        )
        process.wait_for_port(child, self.port, log_path)
        address = ["-h", "127.0.0.1", "-p", self.port, "-U", USER]
        process.run([bindir / "createdb", *address, DATABASE])
        process.run([bindir / "pgbench", *address, "-i", "-q", "-s", scale, DATABASE])


class Canned:
    """Answers at once; bench/canned.c says what it understands."""

    name = "canned backend"
    accounts = 100000

    def __init__(self, tools):
        self.port = process.free_port()
        directory = process.new_directory("canned")
        log_path = directory / "canned.log"
        cert, key = make_certificate(directory)
        child = process.start(
            [tools.canned, "--listen", self.port, "--cert", cert, "--key", key],
            log_path,
            cpus=tools.other_cpus,
        )
        process.wait_for_port(child, self.port, log_path)


class Backends:
    """Each is started when first asked for."""

    def __init__(self, tools, scale):
        self._makers = {"postgres": lambda: Postgres(tools, scale), "canned": lambda: Canned(tools)}
        self._running = {}

    def get(self, kind):
        if kind not in self._running:
            self._running[kind] = self._makers[kind]()
        return self._running[kind]
