# SPDX-License-Identifier: PostgreSQL
"""What is compared: pgballast with one worker and with two, PgBouncer, HAProxy, the plain relay; and
the poolers once more with many users or databases.

The poolers are configured from one list of settings; what differs stands apart.
"""

import base64
import hashlib
import hmac
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass

import lib_process as process
from lib_backend import DATABASE, USER, make_certificate
from lib_process import BenchError

PASSWORD = "bench secret"
SCRAM_ITERATIONS = 4096
MANY_USERS = 10000
MANY_DATABASES = 1000


@dataclass(frozen=True)
class Setup:
    """What a scenario asks of the process in the middle."""

    backend: str  # postgres or canned
    upstream_tls: bool = False
    client_tls: bool = False
    auth: str = "trust"
    pool_size: int = 20
    max_clients: int = 6000


def scram_secret():
    """The password as a server stores it, so that nobody needs PBKDF2 for a login."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, SCRAM_ITERATIONS)

    def key(label):
        return hmac.new(salted, label, "sha256").digest()

    def text(data):
        return base64.b64encode(data).decode()

    stored = hashlib.sha256(key(b"Client Key")).digest()
    server = key(b"Server Key")
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{text(salt)}${text(stored)}:{text(server)}"


def pooler_settings(setup, port, directory, tls_files):
    """PgBouncer's names, which pgballast understands as well."""
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256" if setup.auth == "scram" else "trust",
        "auth_file": directory / "users.txt",
        "pool_mode": "transaction",
        "default_pool_size": setup.pool_size,
        "max_client_conn": setup.max_clients,
        "server_tls_sslmode": "require" if setup.upstream_tls else "disable",
        "log_connections": 0,
        "log_disconnections": 0,
    }
    if setup.client_tls:
        cert, key = tls_files
        settings |= {
            "client_tls_sslmode": "require",
            "client_tls_cert_file": cert,
            "client_tls_key_file": key,
        }
    return settings


OWN_SETTINGS = {
    "pgbouncer": lambda workers: {},
    "pgballast": lambda workers: {"workers": workers},
}

HAPROXY_CONFIG = """
global
    nbthread 1
    maxconn {max_clients}
defaults
    mode tcp
    timeout connect 10s
    timeout client 1h
    timeout server 1h
listen bench
    bind 127.0.0.1:{port}
    server postgres 127.0.0.1:{server_port}
"""


def users_file(users):
    """The one who logs in, between others."""
    secret = scram_secret()
    names = [f"user{number:05}" for number in range(users - 1)]
    names.insert(users // 2, USER)
    return "".join(f'"{name}" "{secret}"\n' for name in names)


def pooler_command(kind, workers, users=1, databases=1):
    """A function that writes the configuration and returns the command."""

    def command(tools, setup, backend, port, directory, tls_files):
        settings = pooler_settings(setup, port, directory, tls_files)
        settings |= OWN_SETTINGS[kind](workers)
        (directory / "users.txt").write_text(users_file(users))
        address = f"host=127.0.0.1 port={backend.port}"
        names = [DATABASE] + [f"database{number:04}" for number in range(databases - 1)]
        lines = ["[databases]", f"* = {address}"]
        lines += [f"{name} = {address} dbname={DATABASE}" for name in names]
        lines += ["[pgbouncer]"] + [f"{name} = {value}" for name, value in settings.items()]
        (directory / "pooler.ini").write_text("\n".join(lines) + "\n")
        # A copy that the account can execute, wherever the tree lies.
        program = shutil.copy(tools.program(kind), directory / kind)
        return [program, directory / "pooler.ini"]

    return command


def haproxy_command(tools, setup, backend, port, directory, tls_files):
    config = directory / "haproxy.cfg"
    config.write_text(
        HAPROXY_CONFIG.format(max_clients=setup.max_clients, port=port, server_port=backend.port)
    )
    return [tools.program("haproxy"), "-db", "-f", config]


def relay_command(tools, setup, backend, port, directory, tls_files):
    command = [tools.program("relay"), "--listen", port, "--server", backend.port]
    if setup.upstream_tls:
        command.append("--server-tls")
    if setup.client_tls:
        command += ["--cert", tls_files[0], "--key", tls_files[1]]
    return command


COMMANDS = {
    "pgballast": pooler_command("pgballast", 1),
    "pgballast-2": pooler_command("pgballast", 2),
    "pgballast-users": pooler_command("pgballast", 1, users=MANY_USERS),
    "pgballast-databases": pooler_command("pgballast", 1, databases=MANY_DATABASES),
    "pgbouncer": pooler_command("pgbouncer", 1),
    "pgbouncer-users": pooler_command("pgbouncer", 1, users=MANY_USERS),
    "pgbouncer-databases": pooler_command("pgbouncer", 1, databases=MANY_DATABASES),
    "haproxy": haproxy_command,
    "relay": relay_command,
}


def program_of(kind):
    """The contender without what is special about its configuration."""
    return kind.partition("-")[0]


class Contender:
    """One of COMMANDS at work between a port of its own and a backend."""

    def __init__(self, tools, kind, setup, backend, prefix=()):
        """`prefix` is put before the command: a tool that the program runs under."""
        self.kind = kind
        self.port = process.free_port()
        self.directory = process.new_directory(kind)
        self.log_path = self.directory / "log"
        tls_files = make_certificate(self.directory) if setup.client_tls else None
        command = COMMANDS[kind](tools, setup, backend, self.port, self.directory, tls_files)
        for path in self.directory.iterdir():
            process.give(path)
        self._process = process.start(
            [*prefix, *command],
            self.log_path,
            cwd=self.directory,
            # The relay is built in the tree, which the account may be unable to read.
            as_account=kind != "relay",
            cpus=tools.contender_cpus(kind),
        )
        try:
            process.wait_for_port(self._process, self.port, self.log_path)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self):
        return self._process.pid

    def check_alive(self):
        if self._process.poll() is not None:
            words = self.log_path.read_text(errors="replace").strip()[-300:]
            raise BenchError(f"{self.kind} died with status {self._process.returncode}: {words}")

    def stop(self):
        process.stop(self._process, signal.SIGTERM)


class Tools:
    """The programs, where they are, and on which CPUs they run."""

    def __init__(self, build, pgballast=None, pin=False):
        self.directory = process.new_directory("tools")
        self.load = self._built(build / "bench" / "load")
        self.canned = self._built(build / "bench" / "canned")
        self._programs = {
            "relay": self._built(build / "bench" / "relay"),
            "pgballast": pgballast or build / "pgballast",
            "pgbouncer": shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin"),
            "haproxy": shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/bin"),
        }
        if not os.access(self._programs["pgballast"], os.X_OK):
            self._programs["pgballast"] = None
        self._pin = pin
        self.other_cpus = f"1-{os.cpu_count() - 1}" if pin else None

    @staticmethod
    def _built(path):
        if not os.access(path, os.X_OK):
            raise BenchError(f"{path} is not there: build first (dev/bench does)")
        return path

    def has(self, kind):
        return self._programs[program_of(kind)] is not None

    def program(self, kind):
        return self._programs[kind]

    def contender_cpus(self, kind):
        """One CPU of its own for a single thread; who has two workers gets no restriction."""
        return "0" if self._pin and kind != "pgballast-2" else None

    def version(self, kind):
        """The number that the program gives itself, as a tuple; empty if it gives none."""
        if kind == "relay" or not self.has(kind):
            return ()
        option = "-v" if kind == "haproxy" else "--version"
        done = subprocess.run([self.program(kind), option], capture_output=True, text=True)
        found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
        return tuple(int(part) for part in found.group().split(".")) if found else ()
