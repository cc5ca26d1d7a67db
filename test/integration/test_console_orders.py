# SPDX-License-Identifier: PostgreSQL
"""What the operator orders on the console: it happens, to whom it should, and to nobody else."""

import threading

import pytest

from support import wire
from support.pooler import CONSOLE_USER
from support.waiting import wait_until
from support.wire import Disconnected, ServerError


def state_of(pooler):
    return {row["key"]: row["value"] for row in pooler.console("SHOW STATE")}


def database_of(pooler, name="app"):
    (row,) = [row for row in pooler.console("SHOW DATABASES") if row["name"] == name]
    return row


def refusal_of(client, command):
    with pytest.raises(ServerError) as caught:
        client.query(command)
    return caught.value


class Load:
    """Clients that run short transactions until told to stop; `errors` is what went wrong."""

    def __init__(self, pooler, clients=8):
        self.pooler = pooler
        self.done = 0
        self.errors = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        wait_until(lambda: self.done > 50, "the load runs")
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _run(self):
        try:
            with self.pooler.login() as client:
                while not self.stopping.is_set():
                    client.send(wire.query("BEGIN"), wire.query("SELECT 1"), wire.query("COMMIT"))
                    for _ in range(3):
                        client.rows()
                    self.done += 1
        except (ServerError, Disconnected, OSError) as error:
            self.errors.append(error)

    def goes_on(self):
        before = self.done
        wait_until(lambda: self.done > before + 50, "the load goes on")


# PAUSE and RESUME


@pytest.mark.threads
@pytest.mark.parametrize("name", ["", " app"])
def test_pause_and_resume_under_load_fail_no_statement(pooler, console, postgres, name):
    with Load(pooler) as load:
        for _ in range(3):
            console.query(f"PAUSE{name}")
            # It is complete: nobody has a server, and the database could be restarted.
            row = pooler.pool()
            assert (row["sv_active"], row["sv_idle"], row["sv_tested"]) == (0, 0, 0)
            wait_until(lambda: postgres.backends() == [], "what was closed has ended")
            before = load.done
            pooler.wait_for_pool(cl_waiting=8, cl_active=0)
            assert load.done - before <= 8
            console.query(f"RESUME{name}")
            load.goes_on()
    assert load.errors == []


def test_pause_waits_for_the_end_of_transactions(pooler, console):
    with pooler.login() as client, pooler.login(database="second") as other:
        client.query("BEGIN")
        console.send(wire.query("PAUSE app"))
        wait_until(lambda: database_of(pooler)["paused"] == 1, "the database is paused")
        assert state_of(pooler)["paused"] == "no"
        assert other.query("SELECT 1") == [["1"]]
        assert client.query("SELECT 2") == [["2"]]
        client.query("COMMIT")
        console.rows()
        assert pooler.pool()["sv_idle"] == 0
        client.send(wire.query("SELECT 3"))
        pooler.wait_for_pool(cl_waiting=1)
        console.query("RESUME app")
        assert client.rows() == [["3"]]


def test_a_pause_that_is_lifted_before_it_is_complete_says_so(pooler, console):
    with pooler.login() as client, pooler.login_console() as second:
        client.query("BEGIN")
        console.send(wire.query("PAUSE"))
        wait_until(lambda: state_of(pooler)["paused"] == "yes", "all is paused")
        for order in ("PAUSE", "KILL", "KILL app", "SUSPEND"):
            assert refusal_of(second, order).text == "already suspended/paused"
        second.query("RESUME")
        with pytest.raises(ServerError) as caught:
            console.rows()
        assert caught.value.sqlstate == "55000"
        client.query("COMMIT")


def test_who_logs_in_while_all_is_paused_waits(pooler, console):
    console.query("PAUSE")
    assert refusal_of(console, "RESUME app").text == "database app is not paused"
    with pooler.wire() as client:
        thread = threading.Thread(
            target=client.login, args=("app", pooler.users["app"], "app"), daemon=True
        )
        thread.start()
        pooler.wait_for_pool(cl_waiting=1, sv_login=0)
        console.query("RESUME")
        thread.join(20)
        assert client.query("SELECT 1") == [["1"]]


def test_a_console_that_leaves_while_it_pauses_leaves_the_pause(pooler):
    with pooler.login() as client:
        client.query("BEGIN")
        with pooler.login_console() as console:
            console.send(wire.query("PAUSE app"))
            wait_until(lambda: database_of(pooler)["paused"] == 1, "the database is paused")
        client.query("COMMIT")
        client.send(wire.query("SELECT 1"))
        pooler.wait_for_pool(cl_waiting=1)
        pooler.console("RESUME app")
        assert client.rows() == [["1"]]


# KILL


def test_kill_client_ends_that_client_only(pooler, console):
    with pooler.login() as victim, pooler.login() as other:
        victim.query("BEGIN")
        (row,) = [row for row in pooler.console("SHOW CLIENTS") if row["state"] == "active"]
        console.query(f"KILL_CLIENT {row['id']}")
        error = victim.read_error()
        assert (error.sqlstate, error.text) == ("57P01", "admin forced disconnect")
        assert victim.is_closed_by_peer()
        # Its server is rolled back and kept.
        pooler.wait_for_pool(cl_active=1, sv_active=0, sv_tested=0, sv_idle=1)
        assert other.query("SELECT 1") == [["1"]]
        # The log names clients in hexadecimal.
        (row,) = [row for row in pooler.console("SHOW CLIENTS") if row["user"] == "app"]
        console.query(f"KILL_CLIENT {row['ptr']}")
        assert other.is_closed_by_peer()


def test_a_console_may_kill_itself(console, pooler):
    (row,) = [row for row in pooler.console("SHOW CLIENTS") if row["port"] == own_port(console)]
    console.send(wire.query(f"KILL_CLIENT {row['id']}"))
    assert console.read_error().text == "admin forced disconnect"
    assert console.is_closed_by_peer()


def own_port(client):
    return client.socket.getsockname()[1]


@pytest.mark.threads
def test_kill_ends_a_database_and_spares_the_others(pooler, console, postgres):
    with Load(pooler) as load, pooler.login(database="second") as other:
        other.query("BEGIN")
        console.query("KILL app")
        wait_until(lambda: len(load.errors) == 8, "all clients were told")
        assert {getattr(error, "text", "database removed") for error in load.errors} == {
            "database removed"
        }
        pooler.wait_for_pool(cl_active=0, cl_waiting=0, sv_active=0, sv_idle=0)
        wait_until(
            lambda: not postgres.backends(where="datname = 'app'"), "no session is left"
        )
        assert other.query("SELECT 1") == [["1"]]
        other.query("COMMIT")
        assert database_of(pooler)["paused"] == 1
        assert database_of(pooler, "second")["paused"] == 0
        console.query("RESUME app")
    with pooler.login() as client:
        assert client.query("SELECT 1") == [["1"]]


def test_kill_of_all_pauses_each_database_that_has_a_pool_until_resume(pooler, console):
    with pooler.login() as client:
        client.query("SELECT 1")
        console.query("KILL")
        assert client.is_closed_by_peer()
    assert (database_of(pooler)["paused"], database_of(pooler, "second")["paused"]) == (1, 0)
    assert state_of(pooler)["paused"] == "no"
    console.query("KILL; RESUME")
    assert database_of(pooler)["paused"] == 0
    assert refusal_of(console, "RESUME").text == "pooler is not paused/suspended"
    with pooler.login() as client:
        assert client.query("SELECT 1") == [["1"]]


def test_resume_of_all_leaves_what_was_paused_by_name(pooler, console):
    pooler.login().terminate()
    pooler.login(database="second").terminate()
    console.query("PAUSE app; KILL; RESUME second")
    console.send(wire.query("RESUME"))
    fields = console.read_until(b"Z")[0].fields()
    assert fields["M"] == "pooler is not paused/suspended"
    assert "RESUME each by its name" in fields["H"]
    assert (database_of(pooler)["paused"], database_of(pooler, "second")["paused"]) == (1, 0)
    console.query("PAUSE; RESUME")
    assert database_of(pooler)["paused"] == 1
    console.query("RESUME app")


# DISABLE, RECONNECT


def test_disable_keeps_newcomers_out_and_enable_lets_them_in(pooler, console):
    with pooler.login() as client:
        console.query("DISABLE app")
        assert database_of(pooler)["disabled"] == 1
        with pytest.raises(ServerError) as caught:
            pooler.login()
        assert (caught.value.severity, caught.value.sqlstate) == ("FATAL", "57P03")
        assert client.query("SELECT 1") == [["1"]]
        console.query("ENABLE app")
        with pooler.login() as second:
            assert second.query("SELECT 1") == [["1"]]


def test_reconnect_replaces_servers_when_they_are_free(pooler, console):
    with pooler.login() as client:
        pid = client.query("SELECT pg_backend_pid()")
        client.query("BEGIN")
        console.query("RECONNECT")
        (row,) = pooler.console("SHOW SERVERS")
        assert row["close_needed"] == 1
        console.send(wire.query("WAIT_CLOSE app"))
        with pooler.login_console() as second:
            second.query("WAIT_CLOSE second")
        assert client.query("SELECT pg_backend_pid()") == pid
        client.query("COMMIT")
        console.rows()
        assert client.query("SELECT pg_backend_pid()") != pid
        (row,) = pooler.console("SHOW SERVERS")
        assert row["close_needed"] == 0


# SHUTDOWN


def exits(pooler):
    wait_until(lambda: not pooler.is_running(), "the pooler has ended")
    pooler.check()


def test_shutdown_ends_the_program_at_once(pooler, console):
    with pooler.login() as client:
        client.query("BEGIN")
        console.send(wire.query("SHUTDOWN"))
        exits(pooler)


def test_shutdown_waits_for_servers(pooler, console):
    with pooler.login() as client:
        client.query("BEGIN")
        console.query("SHUTDOWN WAIT_FOR_SERVERS")
        wait_until(lambda: console.query("SHOW STATE")[1] == ["paused", "yes"], "all is paused")
        with pytest.raises(OSError):
            pooler.login()
        assert refusal_of(console, "RESUME").text == "pooler is shutting down"
        assert client.query("SELECT 1") == [["1"]]
        assert pooler.is_running()
        client.query("COMMIT")
        exits(pooler)


def test_shutdown_waits_for_clients(pooler, console):
    with pooler.login() as client:
        console.query("SHUTDOWN WAIT_FOR_CLIENTS")
        assert client.query("SELECT 1") == [["1"]]
        assert console.query("SHOW POOLS")
        client.terminate()
    assert pooler.is_running()
    console.terminate()
    exits(pooler)


def test_orders_are_in_the_log_with_who_gave_them(pooler, console):
    console.query("PAUSE app; RESUME app; RELOAD; SET query_timeout = 7")
    wait_until(lambda: "SET query_timeout command issued" in pooler.log(), "the orders are logged")
    line = next(line for line in pooler.log().splitlines() if "PAUSE 'app' command issued" in line)
    assert f"pgballast/{CONSOLE_USER}@127.0.0.1" in line
    assert pooler.log_count("RESUME 'app' command issued") == 1
    assert pooler.log_count("RELOAD command issued") == 1


# Names that only the fallback entry makes


def test_orders_reach_databases_that_only_the_fallback_entry_knows(postgres, start_pooler):
    address = f"host={postgres.host} port={postgres.port}"
    pooler = start_pooler(postgres, databases={"app": address, "*": address})
    with pooler.login_console() as console:
        for command in ("RESUME second", "ENABLE second"):
            error = refusal_of(console, command)
            assert (error.sqlstate, error.text) == ("3D000", "no such database: second")
        console.query("PAUSE second; DISABLE second")
        row = database_of(pooler, "second")
        assert (row["paused"], row["disabled"]) == (1, 1)
        with pytest.raises(ServerError) as caught:
            pooler.login(database="second")
        assert caught.value.text.startswith('database "second" is disabled')
        console.query("ENABLE second; RESUME second; RECONNECT second; WAIT_CLOSE second")
        with pooler.login(database="second") as client:
            assert client.query("SELECT 1") == [["1"]]
        console.query("KILL second; RESUME second")


def test_databases_of_the_fallback_entry_are_shown_while_they_are_in_use(postgres, start_pooler):
    address = f"host={postgres.host} port={postgres.port}"
    pooler = start_pooler(postgres, databases={"*": address}, server_idle_timeout=1)

    def shown():
        return [row["name"] for row in pooler.console("SHOW DATABASES")]

    assert shown() == ["pgbouncer"]
    with pooler.login() as client:
        assert client.query("SELECT 1") == [["1"]]
        assert shown() == ["app", "pgbouncer"]
    wait_until(lambda: shown() == ["pgbouncer"], "its last server has gone")
    pooler.console("PAUSE app")
    assert shown() == ["app", "pgbouncer"]
    pooler.console("RESUME app")
    assert shown() == ["pgbouncer"]
    with pooler.login() as client:
        assert shown() == ["app", "pgbouncer"]


def test_orders_about_a_database_go_with_its_line(pooler, console):
    with pooler.login(database="second") as client:
        assert client.query("SELECT 1") == [["1"]]
    console.query("PAUSE second; DISABLE second")
    ini = pooler.command[1]
    text = ini.read_text()
    ini.write_text(text.replace("second = ", "third = "))
    console.query("RELOAD")
    assert refusal_of(console, "RESUME second").sqlstate == "3D000"
    ini.write_text(text)
    console.query("RELOAD")
    row = database_of(pooler, "second")
    assert (row["paused"], row["disabled"]) == (0, 0)
    with pooler.login(database="second") as client:
        assert client.query("SELECT 1") == [["1"]]


# Several who wait


@pytest.mark.threads
def test_all_who_wait_for_the_same_are_answered(pooler):
    with pooler.login() as client, pooler.login(database="second") as other:
        client.query("BEGIN")
        other.query("BEGIN")
        orders = ("PAUSE app", "PAUSE", "PAUSE app", "PAUSE second", "PAUSE second")
        consoles = [pooler.login_console() for _ in orders]
        for console, order in zip(consoles, orders):
            console.send(wire.query(order))
        wait_until(lambda: state_of(pooler)["paused"] == "yes", "all is paused")
        client.query("COMMIT")
        consoles[0].rows()
        consoles[2].rows()
        assert database_of(pooler, "second")["paused"] == 1
        other.query("COMMIT")
        for console in (consoles[1], *consoles[3:]):
            console.rows()
        consoles[0].query("RESUME; RESUME app; RESUME second")
        for console in consoles:
            console.close()
        assert client.query("SELECT 1") == other.query("SELECT 1") == [["1"]]


def test_a_pause_after_wait_close_still_waits_for_transactions(pooler, console):
    with pooler.login() as client:
        client.query("BEGIN")
        console.query("WAIT_CLOSE app; WAIT_CLOSE")
        console.send(wire.query("PAUSE app"))
        wait_until(lambda: database_of(pooler)["paused"] == 1, "the database is paused")
        assert client.query("SELECT 1") == [["1"]]
        client.query("COMMIT")
        assert console.read_until(b"Z")[0].body == b"PAUSE\0"
        console.query("RESUME app")
