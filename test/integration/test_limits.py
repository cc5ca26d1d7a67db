# SPDX-License-Identifier: PostgreSQL
"""Every limit and every time-out, as clients of several users and databases meet them."""

import threading
import time
from collections import Counter
from contextlib import closing

import psycopg2.extras
import pytest

from support.waiting import wait_until
from support.wire import Disconnected, ServerError, query

USERS = ("app", "other")
DATABASES = ("app", "second")

MAX_DB_CONNECTIONS = 5
MAX_USER_CONNECTIONS = 6
MAX_SERVER_CONNECTIONS = 9
POOL_SIZE = 3
RESERVE = 1
MAX_CLIENTS = 160
MAX_DB_CLIENTS = 78
MAX_USER_CLIENTS = 76


class Watch:
    """Looks all the time at what PostgreSQL and the console count, and keeps the highest."""

    def __init__(self, postgres, pooler):
        self.postgres, self.pooler = postgres, pooler
        self.highest = Counter()
        self.samples = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(timeout=30)

    def _note(self, **counts):
        for name, count in counts.items():
            self.highest[name] = max(self.highest[name], count)

    def _look_at_postgres(self):
        rows = self.postgres.sql(
            "SELECT usename, datname, count(*) FROM pg_stat_activity"
            " WHERE usename IN ('app', 'other') GROUP BY 1, 2"
        )
        databases, users = Counter(), Counter()
        for user, database, count in rows:
            databases[database] += count
            users[user] += count
        self._note(
            pool=max((count for _, _, count in rows), default=0),
            database=max(databases.values(), default=0),
            user=max(users.values(), default=0),
            total=sum(databases.values()),
        )

    def _look_at_console(self, cursor):
        cursor.execute("SHOW DATABASES")
        rows = cursor.fetchall()
        self._note(
            shown_database=max(row["current_connections"] for row in rows),
            database_clients=max(row["current_client_connections"] for row in rows),
        )
        cursor.execute("SHOW USERS")
        rows = cursor.fetchall()
        self._note(
            shown_user=max(row["current_connections"] for row in rows),
            user_clients=max(row["current_client_connections"] for row in rows),
        )

    def _run(self):
        with closing(self.pooler.connect(user="console", dbname="pgballast")) as connection:
            with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                while not self.stopping.is_set():
                    self._look_at_postgres()
                    self._look_at_console(cursor)
                    self.samples += 1


class Crowd:
    """Clients that come, work a little in transactions, leave, and come again."""

    def __init__(self, pooler, clients, rounds):
        self.pooler, self.rounds = pooler, rounds
        self.refused = Counter()
        self.broken = []
        self.done = Counter()
        self.threads = [
            threading.Thread(target=self._work, args=(index,), daemon=True) for index in range(clients)
        ]

    def run(self):
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join(timeout=60)
        assert not any(thread.is_alive() for thread in self.threads), "a client hangs"

    def _work(self, index):
        user, database = USERS[index % 2], DATABASES[index // 2 % 2]
        for _ in range(self.rounds):
            try:
                with self.pooler.login(user, database) as wire:
                    for _ in range(3):
                        wire.query("BEGIN; SELECT pg_sleep(0.002); COMMIT")
                        self.done[user, database] += 1
                    wire.terminate()
            except ServerError as error:
                self.refused[error.text] += 1
            except (Disconnected, OSError) as error:
                self.broken.append(str(error))


@pytest.mark.threads
def test_no_limit_is_ever_exceeded_by_two_hundred_clients(postgres, start_pooler):
    pooler = start_pooler(
        postgres,
        default_pool_size=POOL_SIZE,
        reserve_pool_size=RESERVE,
        reserve_pool_timeout=0.05,
        max_db_connections=MAX_DB_CONNECTIONS,
        max_user_connections=MAX_USER_CONNECTIONS,
        max_server_connections=MAX_SERVER_CONNECTIONS,
        max_client_conn=MAX_CLIENTS,
        max_db_client_connections=MAX_DB_CLIENTS,
        max_user_client_connections=MAX_USER_CLIENTS,
        auth_type="trust",
        log_connections=0,
        log_disconnections=0,
        log_pooler_errors=0,
        server_tls_sslmode="disable",
    )
    crowd = Crowd(pooler, clients=200, rounds=3)
    with Watch(postgres, pooler) as watch:
        crowd.run()
    assert not crowd.broken
    assert set(crowd.refused) <= {
        "no more connections allowed (max_client_conn)",
        "client connections exceeded (max_db_client_connections)",
        "client connections exceeded (max_user_client_connections)",
    }
    assert len(crowd.done) == 4 and watch.samples > 3
    highest = watch.highest
    assert highest["pool"] <= POOL_SIZE + RESERVE
    assert max(highest["database"], highest["shown_database"]) <= MAX_DB_CONNECTIONS
    assert max(highest["user"], highest["shown_user"]) <= MAX_USER_CONNECTIONS
    assert highest["total"] <= MAX_SERVER_CONNECTIONS
    assert highest["database_clients"] <= MAX_DB_CLIENTS
    assert highest["user_clients"] <= MAX_USER_CLIENTS


def test_clients_beyond_a_limit_are_told_which(postgres, start_pooler):
    """The limit of a user counts who logs in, also where all share the database's user."""
    shared = f"host={postgres.host} port={postgres.port} dbname=app user=app password='app secret'"
    pooler = start_pooler(
        postgres,
        databases={"app": f"{shared} max_db_client_connections=2", "second": shared},
        user_lines={"other": "max_user_client_connections=1", "app": "max_user_client_connections=unlimited"},
        max_user_client_connections=1,
        max_client_conn=4,
    )
    with pooler.login("other", "second"):
        with pytest.raises(ServerError, match=r"client connections exceeded \(max_user_client_connections\)"):
            pooler.login("other", "app")
        shown = {row["name"]: row["current_client_connections"] for row in pooler.console("SHOW USERS")}
        assert (shown["other"], shown["app"]) == (1, 0)
        with pooler.login("app", "app"), pooler.login("app", "app"):
            with pytest.raises(ServerError, match=r"exceeded \(max_db_client_connections\)") as refused:
                pooler.login("app", "app")
            assert refused.value.sqlstate == "53300"
            with pooler.login("app", "second"):
                with pytest.raises(ServerError, match=r"no more connections allowed \(max_client_conn\)"):
                    pooler.login("app", "second")


@pytest.mark.parametrize("setting", ["max_user_client_connections", "max_db_client_connections"])
def test_consoles_of_those_who_only_look_are_counted(postgres, start_pooler, setting):
    pooler = start_pooler(postgres, stats_users="other", **{setting: 1})

    def counted():
        shown = {row["name"]: row for row in pooler.console("SHOW DATABASES")}["pgbouncer"]
        users = {row["name"]: row for row in pooler.console("SHOW USERS")}
        return shown["current_client_connections"], users["other"]["current_client_connections"]

    with pooler.login("other", "pgballast"):
        with pytest.raises(ServerError, match=rf"client connections exceeded \({setting}\)") as refused:
            pooler.login("other", "pgbouncer")
        assert refused.value.sqlstate == "53300"
        # Those in admin_users are neither refused nor counted.
        with pooler.login_console(), pooler.login_console():
            assert counted() == (1, 1)
    wait_until(lambda: counted() == (0, 0), "its place is free")
    with pooler.login("other", "pgbouncer"):
        assert counted() == (1, 1)


# Each is far from the others, so that what ends a client is certain.
TIMEOUTS = {
    "query timeout": ({"query_timeout": 1}, ["SELECT pg_sleep(30)"]),
    "transaction timeout": ({"transaction_timeout": 1}, ["BEGIN", None]),
    "idle transaction timeout": ({"idle_transaction_timeout": 1}, ["BEGIN", None]),
    "client_idle_timeout": ({"client_idle_timeout": 1}, ["SELECT 1", None]),
}


@pytest.mark.parametrize("text", TIMEOUTS)
def test_a_time_out_of_one_user_ends_that_user_only(postgres, start_pooler, text):
    """The words are PgBouncer's, to the client and in the log."""
    settings, statements = TIMEOUTS[text]
    line = " ".join(f"{name}={value}" for name, value in settings.items())
    pooler = start_pooler(postgres, user_lines={"app": line})
    with pooler.login("other") as other, pooler.login("app") as wire:
        other.query("SELECT 1")
        if text != "client_idle_timeout":
            other.query("BEGIN")
        with pytest.raises(ServerError, match=text):
            for statement in statements:
                if statement is None:
                    raise wire.read_error()
                wire.query(statement)
        wait_until(lambda: text in pooler.log(), "the log says so")
        assert other.query("SELECT 2") == [["2"]]


def test_an_idle_time_out_that_comes_later_ends_who_has_rested_before(postgres, start_pooler):
    """A client that has nothing that can become due is not looked at any more, until a reload."""
    pooler = start_pooler(postgres)
    with pooler.login("app") as wire:
        wire.query("SELECT 1")
        rested_at = time.monotonic() + 2.5
        wait_until(lambda: time.monotonic() > rested_at, "it has rested")
        pooler.console("SET client_idle_timeout = 1")
        with pytest.raises(ServerError, match="client_idle_timeout"):
            raise wire.read_error()


def test_a_time_out_of_a_user_in_the_queue_needs_no_global_one(postgres, start_pooler):
    pooler = start_pooler(
        postgres,
        default_pool_size=1,
        query_wait_timeout=0,
        user_lines={"app": "query_wait_timeout=1"},
        databases={
            "app": f"host={postgres.host} port={postgres.port} user=app password='app secret'"
        },
    )
    with pooler.login("other", "app") as holder, pooler.login("app", "app") as wire:
        holder.query("BEGIN")
        with pytest.raises(ServerError, match="query_wait_timeout"):
            wire.send(query("SELECT 1"))
            raise wire.read_error()
        wait_until(lambda: "closing because: query_wait_timeout" in pooler.log(), "the log says so")


def test_unlimited_lifts_a_limit_for_one_database_and_one_user(postgres, start_pooler):
    line = f"host={postgres.host} port={postgres.port}"
    pooler = start_pooler(
        postgres,
        databases={"app": f"{line} max_db_connections=unlimited pool_size=unlimited", "second": line},
        user_lines={"app": "query_timeout=unlimited"},
        max_db_connections=1,
        default_pool_size=1,
        query_timeout=1,
    )
    shown = {row["name"]: row for row in pooler.console("SHOW DATABASES")}
    assert (shown["app"]["max_connections"], shown["second"]["max_connections"]) == (0, 1)
    assert (shown["app"]["pool_size"], shown["second"]["pool_size"]) == (0, 1)
    with pooler.login() as first, pooler.login() as second, pooler.login("other", "second") as third:
        first.query("BEGIN")
        second.query("BEGIN")
        with pytest.raises(ServerError, match="query timeout"):
            third.query("SELECT pg_sleep(30)")
        assert second.query("SELECT pg_sleep(2.2)") == [[""]]
