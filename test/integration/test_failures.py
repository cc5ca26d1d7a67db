# SPDX-License-Identifier: PostgreSQL
"""PostgreSQL dies, restarts, or the network breaks, while clients work."""

import threading
from contextlib import closing

import psycopg2
import pytest

from support import wire
from support.faultproxy import FaultProxy
from support.waiting import wait_until
from support.wire import Disconnected, ServerError

POOL_SIZE = 4
CLIENTS = 10

# What a statement may read whose server went away under it.
LOST = {"57P01", "57P02", "08006", "08007", "08003"}


class Load:
    """Clients that keep their connection and run short statements until told to stop."""

    def __init__(self, pooler, clients=CLIENTS):
        self.pooler = pooler
        self.stopping = threading.Event()
        self.errors = []
        self.broken = []
        self.done = [0] * clients
        self.threads = [
            threading.Thread(target=self._work, args=(index,), daemon=True)
            for index in range(clients)
        ]

    def _work(self, index):
        try:
            with closing(self.pooler.connect()) as connection, connection.cursor() as cursor:
                while not self.stopping.is_set():
                    try:
                        cursor.execute("SELECT pg_sleep(0.002)")
                        self.done[index] += 1
                    except psycopg2.Error as error:
                        self.errors.append((error.pgcode, str(error)))
                        if connection.closed:
                            raise
        except psycopg2.Error as error:
            self.broken.append(str(error))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.wait_for_progress()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=60)
        assert not any(thread.is_alive() for thread in self.threads), "a client hangs"

    def wait_for_progress(self):
        """Until every client has had an answer after now."""
        before = list(self.done)
        wait_until(
            lambda: self.broken or all(now > then for now, then in zip(self.done, before)),
            "every client makes progress",
            seconds=45,
        )
        assert not self.broken, self.pooler.log()[-6000:]


@pytest.fixture
def crashing(own_postgres, start_pooler):
    """A pooler before a server that may be broken; afterwards nothing may have leaked."""
    own_postgres.terminate_all("app")  # what an earlier test's pooler has left running
    pooler = start_pooler(own_postgres, default_pool_size=POOL_SIZE)
    yield pooler
    pooler.wait_for_pool(cl_active=0, cl_waiting=0, sv_active=0, sv_login=0)
    wait_until(
        lambda: pooler.pool()["sv_idle"] == len(own_postgres.backends()),
        "the pooler and PostgreSQL agree on the number of connections",
    )


def assert_only_running_statements_failed(load):
    assert {code for code, _ in load.errors} <= LOST, load.errors
    assert len(load.errors) <= POOL_SIZE, load.errors


@pytest.mark.threads
def test_a_killed_backend_fails_only_what_was_running(crashing, own_postgres):
    with Load(crashing) as load:
        own_postgres.kill_backend(own_postgres.backends()[0])
        wait_until(own_postgres.answers, "PostgreSQL has recovered")
        load.wait_for_progress()
    assert_only_running_statements_failed(load)


@pytest.mark.threads
def test_terminated_backends_fail_only_what_was_running(crashing, own_postgres):
    with Load(crashing) as load:
        own_postgres.terminate_all()
        load.wait_for_progress()
    assert_only_running_statements_failed(load)


@pytest.mark.threads
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_fails_only_what_was_running(crashing, own_postgres, mode):
    with Load(crashing) as load:
        own_postgres.restart(mode)
        load.wait_for_progress()
    assert_only_running_statements_failed(load)


def test_servers_that_died_while_idle_are_noticed_by_nobody(crashing, own_postgres):
    with crashing.login() as client:
        client.query("SELECT 1")
        own_postgres.terminate_all()
        crashing.wait_for_pool(sv_idle=0)
        assert client.query("SELECT 1") == [["1"]]


def test_a_lost_statement_is_an_error_and_the_client_keeps_its_connection(crashing, own_postgres):
    with crashing.login() as client:
        client.send(wire.query("SELECT pg_sleep(60)"))
        (pid,) = wait_until(
            lambda: own_postgres.backends(where="query LIKE '%pg_sleep(60)%'"), "it runs"
        )
        own_postgres.sql("SELECT pg_terminate_backend(%s)", (pid,))
        with pytest.raises(ServerError) as caught:
            client.rows()
        assert caught.value.sqlstate in LOST
        assert client.query("SELECT 1") == [["1"]]


def test_a_lost_transaction_is_not_continued_on_another_server(crashing, own_postgres):
    """What follows in the transaction must not run outside of it."""
    own_postgres.sql("DROP TABLE IF EXISTS once; CREATE TABLE once (n int)", database="app")
    own_postgres.sql("ALTER TABLE once OWNER TO app", database="app")
    with crashing.login() as client:
        client.query("BEGIN")
        client.query("INSERT INTO once VALUES (1)")
        own_postgres.terminate_all()
        wait_until(lambda: not own_postgres.backends(), "the backend is gone")
        with pytest.raises((ServerError, Disconnected)):
            client.query("INSERT INTO once VALUES (2)")
    assert own_postgres.sql("TABLE once", database="app") == []


def test_a_commit_on_a_dying_connection_says_that_the_outcome_is_unknown(own_postgres, start_pooler):
    with FaultProxy(own_postgres.port, ca_file=own_postgres.ca_file) as proxy:
        pooler = start_pooler(proxy)
        with pooler.login() as client:
            client.query("BEGIN")
            proxy.blackhole = True
            client.send(wire.query("COMMIT"))
            pooler.wait_for_pool(sv_active=1)
            proxy.reset()
            with pytest.raises(ServerError) as caught:
                client.rows()
            assert caught.value.sqlstate == "08007"
            proxy.blackhole = False
            assert client.query("SELECT 1") == [["1"]]


@pytest.mark.parametrize("how", ["cut", "reset"])
def test_a_broken_network_connection_is_an_error_for_its_client_only(own_postgres, start_pooler, how):
    with FaultProxy(own_postgres.port, ca_file=own_postgres.ca_file) as proxy:
        pooler = start_pooler(proxy)
        with pooler.login() as client:
            client.send(wire.query("SELECT pg_sleep(60)"))
            wait_until(
                lambda: own_postgres.backends(where="query LIKE '%pg_sleep(60)%'"), "it runs"
            )
            getattr(proxy, how)()
            with pytest.raises(ServerError) as caught:
                client.rows()
            assert caught.value.sqlstate == "08006"
            assert client.query("SELECT 1") == [["1"]]


def test_answers_that_come_in_single_bytes_are_understood(own_postgres, start_pooler):
    with FaultProxy(own_postgres.port, ca_file=own_postgres.ca_file) as proxy:
        proxy.chunk = 1
        pooler = start_pooler(proxy)
        with pooler.login() as client:
            rows = client.query("SELECT n, repeat('x', n) FROM generate_series(1, 50) n")
            assert rows == [[str(n), "x" * n] for n in range(1, 51)]


@pytest.mark.parametrize("n_bytes", [0, 1, 5, 100, 600, 1000])
def test_a_login_that_breaks_off_anywhere_is_tried_again(own_postgres, start_pooler, n_bytes):
    with FaultProxy(own_postgres.port, ca_file=own_postgres.ca_file) as proxy:
        proxy.cut_after(n_bytes)
        pooler = start_pooler(proxy)
        with pytest.raises(ServerError) as caught:
            pooler.login()
        assert caught.value.sqlstate == "57P03"
        proxy.cut_after(None)

        def logs_in():
            try:
                pooler.login().terminate()
            except ServerError:
                return False
            return True

        wait_until(logs_in, "the server is tried again")


@pytest.mark.threads
def test_clients_that_die_under_load_leak_nothing(crashing, own_postgres):
    crashing.login().terminate()
    crashing.wait_for_pool(cl_active=0)
    with Load(crashing, clients=4):
        for _ in range(60):
            client = crashing.login()
            client.send(wire.query("SELECT repeat('x', 100000) FROM generate_series(1, 20)"))
            client.close()
    crashing.wait_for_pool(cl_active=0, cl_waiting=0, sv_active=0)
    settled = crashing.descriptors()
    for _ in range(20):
        crashing.login().close()
    wait_until(lambda: crashing.descriptors() <= settled, "the descriptors are closed again")
