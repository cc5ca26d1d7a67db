# SPDX-License-Identifier: PostgreSQL
"""RELOAD and SIGHUP: all or nothing, and nobody is disturbed who need not be."""

import os
import signal
import threading
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from support import wire
from support.pooler import is_sanitized
from support.waiting import wait_until
from support.wire import ServerError


def change(pooler, old, new):
    """Replace a line of the pooler's file."""
    ini = pooler.command[1]
    text = ini.read_text()
    assert old in text
    ini.write_text(text.replace(old, new))


def setting(pooler, name):
    rows = pooler.console("SHOW CONFIG")
    return {row["key"]: row["value"] for row in rows}[name]


def hang_up(pooler, wanted="configuration reloaded"):
    before = pooler.log_count(wanted)
    os.kill(pooler.process.pid, signal.SIGHUP)
    wait_until(lambda: pooler.log_count(wanted) > before, f'the log says "{wanted}"')


def backend_pid(client):
    return client.query("SELECT pg_backend_pid()")[0][0]


def test_a_lower_pool_size_holds_from_the_reload_on(pooler):
    change(pooler, "default_pool_size = 5", "default_pool_size = 1")
    hang_up(pooler)
    with pooler.login() as first, pooler.login() as second:
        first.query("BEGIN")
        second.send(wire.query("SELECT 1"))
        pooler.wait_for_pool(cl_waiting=1, sv_active=1)
        first.query("COMMIT")
        assert second.rows() == [["1"]]


def test_every_mode_of_tls_to_servers_comes_with_a_reload(pooler):
    """Servers are replaced by such as the mode wants; a mode that stays leaves them alone."""
    before, was = None, "verify-full"
    for mode in ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"):
        change(pooler, f"server_tls_sslmode = {was}", f"server_tls_sslmode = {mode}")
        hang_up(pooler)
        with pooler.login() as client:
            (row,) = client.query("SELECT pid, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            assert row == [backend_pid(client), "f" if mode == "disable" else "t"]
            assert row[0] != before or mode == "prefer"
            hang_up(pooler)
            assert backend_pid(client) == row[0]
        before, was = row[0], mode
    assert "closing because: database configuration changed" in pooler.log()


def test_servers_survive_a_reload_that_does_not_concern_them(pooler):
    with pooler.login() as client:
        before = backend_pid(client)
        change(pooler, "query_wait_timeout = 30", "query_wait_timeout = 20")
        hang_up(pooler)
        assert backend_pid(client) == before


def test_servers_are_replaced_when_the_database_is_another(pooler):
    with pooler.login() as client:
        assert client.query("SELECT current_database()") == [["app"]]
        change(pooler, "dbname=app", "dbname=second")
        hang_up(pooler)
        wait_until(
            lambda: client.query("SELECT current_database()") == [["second"]],
            "new servers are connected to the other database",
        )


def test_servers_are_replaced_when_hosts_are_taken_otherwise(postgres, start_pooler):
    hosts = f"host={postgres.host},{postgres.host} port={postgres.port} dbname=app"
    pooler = start_pooler(postgres, databases={"app": hosts})
    with pooler.login() as client:
        before = backend_pid(client)
        change(pooler, hosts, f"{hosts} load_balance_hosts=disable")
        hang_up(pooler)
        wait_until(lambda: backend_pid(client) != before, "another server is connected to")


def test_servers_are_kept_while_they_are_shared_as_before(postgres, start_pooler):
    pooler = start_pooler(postgres, pool_mode="transaction", default_pool_size=1)
    with pooler.login() as client:
        before = backend_pid(client)
        pooler.console("SET pool_mode = statement")
        pooler.console("SET max_prepared_statements = 0")
        assert backend_pid(client) == before
        pooler.console("SET pool_mode = session")
        wait_until(lambda: backend_pid(client) != before, "another server is connected to")


def test_a_session_begins_with_nothing_behind_clients_that_still_share(postgres, start_pooler):
    left = "SELECT count(*) FROM pg_class WHERE relname = 'left_behind'"
    pooler = start_pooler(postgres, pool_mode="transaction", default_pool_size=1)
    with pooler.login() as client:
        client.query("SELECT 1")
        pooler.console("SET pool_mode = session")
        client.query("CREATE TEMP TABLE left_behind ()")
        with pooler.login() as session:
            assert session.query(left) == [["0"]]
            server = backend_pid(session)
        assert backend_pid(client) == server


def test_a_transaction_ends_on_the_server_it_began_on(pooler):
    with pooler.login() as client:
        client.query("BEGIN")
        before = backend_pid(client)
        change(pooler, "dbname=app", "dbname=second")
        hang_up(pooler)
        assert backend_pid(client) == before
        client.query("COMMIT")
        wait_until(lambda: backend_pid(client) != before, "the next one is on another")


def test_nothing_is_applied_from_a_file_with_errors_and_all_are_named(pooler):
    change(pooler, "default_pool_size = 5", "default_pool_size = many\nno_such_setting = 1")
    hang_up(pooler, "reload failed, nothing has changed")
    assert "default_pool_size" in pooler.log()
    assert "no_such_setting" in pooler.log()
    assert setting(pooler, "default_pool_size") == "5"


def test_the_console_is_told_that_a_reload_failed_and_goes_on(pooler):
    change(pooler, "default_pool_size = 5", "default_pool_size = many")
    wanted = "RELOAD failed, see logs for additional details"
    with pytest.raises(psycopg2.Error, match=wanted) as caught:
        pooler.console("RELOAD")
    assert caught.value.pgcode == "F0000"
    change(pooler, "default_pool_size = many", "default_pool_size = 7")
    pooler.console("RELOAD")
    assert setting(pooler, "default_pool_size") == "7"


def test_clients_of_a_database_that_is_gone_are_told_so(pooler):
    with pooler.login() as client, pooler.login(database="second") as other:
        client.query("SELECT 1")
        lines = pooler.command[1].read_text().splitlines(keepends=True)
        pooler.command[1].write_text("".join(l for l in lines if not l.startswith("app = ")))
        hang_up(pooler)
        assert client.read_error().text == "database removed"
        assert other.query("SELECT 1") == [["1"]]


def test_settings_that_need_a_restart_are_named_and_shown_as_they_are(pooler):
    before = pooler.console("SHOW CONFIG")
    change(pooler, "workers = 2", "workers = 3\nlisten_backlog = 77")
    with closing(pooler.connect(user="console", dbname="pgballast")) as console:
        console.cursor().execute("RELOAD")
        told = "changed, but only a restart makes it count: listen_backlog, workers"
        assert told in pooler.log()
        assert told in "".join(console.notices)
    assert pooler.console("SHOW CONFIG") == before


def test_the_log_file_is_opened_anew(postgres, start_pooler, workspace):
    pooler = start_pooler(postgres, logfile="pooler.file")
    path = pooler.directory / "pooler.file"
    wait_until(lambda: "process up" in path.read_text(), "it is up")
    path.rename(path.with_suffix(".old"))
    hang_up(pooler)
    wait_until(path.exists, "the log file is there again")
    assert "configuration reloaded" in path.read_text()


def test_the_certificate_made_at_start_outlives_a_reload(postgres, start_pooler):
    pooler = start_pooler(postgres, client_tls_sslmode="prefer", client_tls_auto=1)

    def certificate():
        with pooler.wire() as client:
            client.start_tls()
            return client.socket.getpeercert(binary_form=True)

    before = certificate()
    hang_up(pooler)
    assert certificate() == before


TEN_ERRORS = """\
[databases]
app = host=localhost prot=5432
pgbouncer = host=localhost
second = host=
[nosuch]
[users]
app = pool_size=many
[pgballast]
default_pool_size = 1x
no_such_setting = 1
pool_mode = sometimes
listen_port = 99999
server_lifetime = -1
%include /nowhere/at/all
just text
"""


def test_each_of_many_errors_is_named_with_its_place(pooler):
    before = pooler.command[1].read_text()
    pooler.command[1].write_text(TEN_ERRORS)
    hang_up(pooler, "reload failed, nothing has changed")
    wrong = [2, 3, 4, 5, 7, 9, 10, 11, 12, 13, 14, 15]
    for number in wrong:
        assert f"ERROR {pooler.command[1]}:{number}: " in pooler.log()
    assert pooler.log_count(f"ERROR {pooler.command[1]}:") == len(wrong)
    with pooler.login() as client:
        assert client.query("SELECT 1") == [["1"]]
    pooler.command[1].write_text(before)
    hang_up(pooler)


@pytest.mark.threads
def test_traffic_goes_on_while_the_configuration_is_loaded_again_and_again(pooler):
    ini = pooler.command[1].read_text()
    ended = threading.Event()
    failures = []
    logins = [0] * 6

    def work(number):
        try:
            while not ended.is_set():
                with pooler.login() as client:
                    for _ in range(20):
                        client.send(wire.parse("SELECT $1::int", name="s"),
                                    wire.bind([number], statement="s"), wire.execute(), wire.SYNC)
                        assert client.rows() == [[str(number)]]
                        client.send(wire.close(b"S", "s"), wire.SYNC)
                        client.rows()
                logins[number] += 1
        except Exception as failure:  # told by the main thread
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(logins))]
    for thread in threads:
        thread.start()
    try:
        for turn in range(20):
            size = 1 + turn % 5
            pooler.command[1].write_text(
                ini.replace("default_pool_size = 5", f"default_pool_size = {size}")
            )
            hang_up(pooler)
            wait_until(lambda: failures or min(logins) > turn // 5, "all of them get on")
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert not failures


def busy_us(pooler):
    """Processor time of each thread but the first, which is not a worker: proc(5), schedstat."""
    tasks = Path(f"/proc/{pooler.process.pid}/task")
    return {
        task.name: int((task / "schedstat").read_text().split()[0]) // 1000
        for task in tasks.iterdir()
        if task.name != str(pooler.process.pid)
    }


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer's time says nothing")
def test_a_reload_of_a_thousand_databases_holds_no_worker_for_ten_milliseconds(
    postgres, start_pooler
):
    line = f"host={postgres.host} port={postgres.port} dbname=app"
    names = [f"d{number}" for number in range(1000)]
    pooler = start_pooler(
        postgres, databases={name: line for name in names}, max_server_connections=20
    )
    clients = [pooler.login(database=name) for name in names[:20] for _ in range(10)]
    worst = []
    for _ in range(5):
        before = busy_us(pooler)
        hang_up(pooler)
        after = busy_us(pooler)
        worst.append(max(after[task] - before[task] for task in before))
    for client in clients:
        client.close()
    # Waiting for a processor is the machine's; what the reload takes of it is ours.
    assert min(worst) < 10_000, worst
    assert len(before) == 2
