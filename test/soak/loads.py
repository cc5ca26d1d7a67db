# SPDX-License-Identifier: PostgreSQL
"""What a soak does to a pooler: threads that each do one kind of thing until they are told to stop.

Servers are killed on purpose, so an error of the kind that a lost connection brings is no news; an
answer that belongs to somebody else is, and so is any other error.
"""

import random
import socket
import subprocess
import threading
import time
from contextlib import closing

import psycopg2
from psycopg2 import errorcodes

from support.pooler import CONSOLE_USER
from support.wire import Disconnected, ServerError, query

# What clients may read when a backend is killed under them, or the queue is suspended for a moment.
EXPECTED = {
    errorcodes.ADMIN_SHUTDOWN,
    errorcodes.CONNECTION_FAILURE,
    errorcodes.TRANSACTION_RESOLUTION_UNKNOWN,
    errorcodes.CANNOT_CONNECT_NOW,
    errorcodes.QUERY_CANCELED,
}
# libpq's own words for a connection that ended have no SQLSTATE.
EXPECTED_TEXTS = ("closed the connection", "connection already closed", "Connection reset")
PGBENCH_SECONDS = 2
CANCEL_AFTER_S = 0.05
SUSPENDED_S = 0.1
SHOWN = ("POOLS", "CLIENTS", "SERVERS", "STATS", "DATABASES", "LATENCY")
BEFORE_SUSPEND = ("RELOAD", *(f"SHOW {what}" for what in SHOWN))


class Load(threading.Thread):
    """`count` is how often `once` has run to its end, `lost` how often a killed server ended it."""

    name_of = "?"
    pause_s = 0.0

    def __init__(self, soak):
        super().__init__(daemon=True, name=self.name_of)
        self.soak = soak
        self.count = self.lost = 0
        self.complaint = None

    def run(self):
        while not self.soak.over.is_set() and self.complaint is None:
            try:
                self.once()
                self.count += 1
            except psycopg2.Error as error:
                self.judge(error)
            except (AssertionError, OSError, subprocess.SubprocessError, ServerError) as error:
                self.complaint = f"{self.name_of}: {error}"
            self.soak.over.wait(self.pause_s)

    def judge(self, error):
        expected = error.pgcode in EXPECTED or any(t in str(error) for t in EXPECTED_TEXTS)
        if expected:
            self.lost += 1
        else:
            self.complaint = f"{self.name_of}: {error.pgcode} {error}".strip()

    def once(self):
        raise NotImplementedError


class Pgbench(Load):
    """The three protocols in turn. It counts a client as failed whose server was killed."""

    name_of = "pgbench"

    def once(self):
        pooler = self.soak.pooler
        mode = ("simple", "extended", "prepared")[self.count % 3]
        command = ["pgbench", "-n", "-S", "-c", "8", "-T", str(PGBENCH_SECONDS), "-M", mode]
        command += ["-h", pooler.host, "-p", str(pooler.port), "-U", "app", "app"]
        environment = {"PGPASSWORD": pooler.users["app"], "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode not in (0, 2) and not any(t in done.stderr for t in EXPECTED_TEXTS):
            raise AssertionError(f"pgbench exits with {done.returncode}: {done.stderr[-500:]}")


class Churn(Load):
    """A new connection each time. Everybody has its own name and must get its own answers."""

    name_of = "churn"

    def once(self):
        token = f"soak-{random.getrandbits(60):x}"
        with closing(self.soak.pooler.connect(application_name=token)) as connection:
            with connection.cursor() as cursor:
                for _ in range(3):
                    cursor.execute("SELECT %s, current_setting('application_name')", (token,))
                    found = cursor.fetchone()
                    if found != (token, token):
                        raise AssertionError(f"{token} got somebody else's answer: {found}")


class Leaver(Load):
    """Goes away in the middle of a transaction, without a word."""

    name_of = "leaver"
    pause_s = 0.05

    def once(self):
        connection = self.soak.pooler.connect()
        connection.autocommit = False
        with connection.cursor() as cursor:
            cursor.execute("SELECT abalance FROM pgbench_accounts WHERE aid = 1 FOR UPDATE")
        # The descriptor stays libpq's: another thread's must not become its number meanwhile.
        with socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as same:
            same.shutdown(socket.SHUT_RDWR)
        connection.close()


class Cancel(Load):
    """A statement that only a cancel request ends. Not by psycopg2, whose cancel() stops all
    threads until it is answered, and while suspended only another thread could see to that."""

    name_of = "cancel"

    def once(self):
        try:
            with self.soak.pooler.login() as wire:
                wire.send(query("SELECT pg_sleep(20)"))
                self.soak.over.wait(CANCEL_AFTER_S)
                wire.cancel()
                error = wire.read_error()
        except (Disconnected, ServerError) as end:
            error = end
        state = getattr(error, "sqlstate", None)
        if isinstance(error, ServerError) and state not in EXPECTED:
            raise AssertionError(f"a cancelled statement ended otherwise: {error}")
        self.lost += state != errorcodes.QUERY_CANCELED


class Killer(Load):
    """Ends a server connection from PostgreSQL's side."""

    name_of = "killed backends"
    pause_s = 0.7

    def once(self):
        backends = self.soak.postgres.backends("app")
        if backends:
            self.soak.postgres.sql("SELECT pg_terminate_backend(%s)", (random.choice(backends),))


class Operator(Load):
    """RELOAD, SUSPEND, RESUME, RECONNECT and looking at everything."""

    name_of = "operator"
    pause_s = 0.5

    def once(self):
        # One connection: while suspended, nobody new is let in.
        with closing(self.soak.pooler.connect(user=CONSOLE_USER, dbname="pgballast")) as connection:
            with connection.cursor() as cursor:
                for command in BEFORE_SUSPEND:
                    cursor.execute(command)
                cursor.execute("SUSPEND")
                time.sleep(SUSPENDED_S)
                cursor.execute("RESUME")
                cursor.execute("RECONNECT app")


LOADS = (Pgbench, Churn, Churn, Leaver, Cancel, Killer, Operator)
