# SPDX-License-Identifier: PostgreSQL
"""Settings that change one thing each: the thing is there, and --check tells of those without effect."""

import os
import re
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from support import process, wire
from support.pooler import Pooler
from support.waiting import wait_until
from support.wire import ServerError


def check(pooler):
    """Output of --check on the pooler's file, and its exit status."""
    done = subprocess.run(
        [str(pooler.command[0]), "--check", str(pooler.command[1])], cwd=pooler.directory,
        env=pooler.environment, capture_output=True, text=True, timeout=20, **process.account(),
    )
    return done.stdout + done.stderr, done.returncode


def test_application_name_tells_where_a_client_is(postgres, start_pooler):
    pooler = start_pooler(postgres, application_name_add_host=1)
    with pooler.login(application_name="billing") as named, pooler.login() as nameless:
        for client, name in ((named, "billing"), (nameless, "app")):
            host, port = client.socket.getsockname()
            assert client.query("SHOW application_name") == [[f"{name} - {host}:{port}"]]


def test_start_up_parameters_can_be_ignored_but_not_those_that_are_always_followed(
    postgres, start_pooler
):
    pooler = start_pooler(
        postgres, ignore_startup_parameters="extra_float_digits, no_such_thing, DateStyle"
    )
    with pooler.login(extra_float_digits="-15", no_such_thing="1", DateStyle="German") as client:
        assert client.query("SHOW extra_float_digits") == [["1"]]
        assert client.query("SELECT date '2026-12-31'") == [["31.12.2026"]]


def test_a_message_can_be_shown_at_login(postgres, start_pooler, capfd):
    pooler = start_pooler(postgres, login_notify_message="maintenance at eight")
    pooler.connect().close()
    assert "NOTICE:  maintenance at eight\n" in capfd.readouterr().err


def test_statements_are_logged_when_asked_for(postgres, start_pooler):
    pooler = start_pooler(postgres, log_statements=1)
    with pooler.login() as client:
        client.query("SELECT 'simple'\n, 1")
        client.send(wire.parse("SELECT 'extended'", name="s"), wire.bind(statement="s"),
                    wire.execute(), wire.SYNC)
        client.rows()
    wait_until(lambda: "execute: s" in pooler.log(), "all three are in the log")
    assert "app/app@127.0.0.1:" in pooler.log()
    assert "statement: SELECT 'simple'\n\t, 1\n" in pooler.log()
    assert "prepare \"s\": SELECT 'extended'\n" in pooler.log()


def test_servers_are_told_the_words_of_their_line(postgres, start_pooler):
    line = (f"host={postgres.host} port={postgres.port} dbname=app timezone=Asia/Tokyo "
            "datestyle=German client_encoding=LATIN1 application_name=pool")
    pooler = start_pooler(postgres, databases={"app": line})
    with pooler.login() as client:
        assert client.query("SHOW timezone") == [["Asia/Tokyo"]]
        assert client.query("SHOW DateStyle") == [["German, DMY"]]
        assert client.query("SHOW client_encoding") == [["LATIN1"]]
        assert client.query("SHOW application_name") == [["pool"]]
        assert client.parameters["TimeZone"] == "Asia/Tokyo"


@pytest.mark.parametrize("setting", ["so_reuseport", "tcp_socket_buffer"])
def test_it_serves_with_socket_options(postgres, start_pooler, setting):
    pooler = start_pooler(postgres, **{setting: {"so_reuseport": 1}.get(setting, 65536)})
    with pooler.login() as client:
        assert client.query("SELECT 1") == [["1"]]


def test_two_processes_share_a_port(postgres, workspace, start_pooler):
    first = start_pooler(postgres, so_reuseport=1)
    second = Pooler(workspace, postgres, so_reuseport=1, listen_port=first.port)
    second.port = first.port
    try:
        second.start()
        wait_until(lambda: "process up" in second.log(), "the second is up")
        assert f"listening on 127.0.0.1:{first.port}" in second.log()
        first.stop()
        with second.login() as client:
            assert client.query("SELECT 1") == [["1"]]
    finally:
        second.stop()


def test_check_tells_what_has_no_effect_and_where_it_stands(postgres, start_pooler):
    pooler = start_pooler(
        postgres, hidden_state="reset", pkt_buf=8192, transaction_safety="full",
    )
    output, status = check(pooler)
    lines = pooler.command[1].read_text().splitlines()
    at = {line.split(" = ")[0]: number for number, line in enumerate(lines, 1)}
    ini = pooler.command[1]
    assert status == 0
    assert f"WARNING {ini}:{at['hidden_state']}: hidden_state has no effect" in output
    assert f"NOTE {ini}:{at['pkt_buf']}: pkt_buf is accepted for PgBouncer's sake" in output
    assert "transaction_safety" not in output


@pytest.mark.parametrize("workers", [1, 2])
def test_idle_servers_take_turns_if_asked_to(postgres, start_pooler, workers):
    pooler = start_pooler(postgres, server_round_robin=1, workers=workers, default_pool_size=3)
    clients = [pooler.login() for _ in range(3)]
    for client in clients:
        client.query("BEGIN")
    for client in clients:
        client.query("COMMIT")
    seen = [clients[0].query("SELECT pg_backend_pid()")[0][0] for _ in range(9)]
    assert len(set(seen)) == 3
    assert seen[:3] == seen[3:6] == seen[6:]
    for client in clients:
        client.close()


def test_simple_queries_can_be_refused_but_not_those_of_the_console(postgres, start_pooler):
    pooler = start_pooler(postgres, disable_pqexec=1)
    with pooler.login() as client:
        client.send(wire.parse("SELECT 1"), wire.bind(), wire.execute(), wire.SYNC)
        assert client.rows() == [["1"]]
        client.send(wire.query("SELECT 1"))
        assert client.read_error().text == "PQexec disallowed"
    assert pooler.console("SHOW VERSION")


def test_messages_of_clients_can_be_bounded(postgres, start_pooler):
    pooler = start_pooler(postgres, max_packet_size=1000)
    with pooler.login() as client:
        text = "SELECT 1 -- ".ljust(1000 - 6)
        assert client.query(text) == [["1"]]
        client.send(wire.query(text + " "))
        wanted = "message of 1001 bytes is longer than max_packet_size (1000)"
        assert wanted in client.read_error().text


def row_of(size):
    """A Query whose DataRow is of that size: letter, length, number of columns, length of one."""
    return f"SELECT repeat('x', {size - 5 - 2 - 4})"


@pytest.mark.parametrize("size", [1001, 5000, 200000])
def test_messages_of_servers_can_be_bounded(postgres, start_pooler, size):
    pooler = start_pooler(postgres, max_packet_size=1000, default_pool_size=1)
    with pooler.login() as client:
        assert len(client.query(row_of(1000))[0][0]) == 1000 - 11
        before = client.query("SELECT pg_backend_pid()")
        with pytest.raises(ServerError) as refused:
            client.query(row_of(size))
        wanted = f"message of {size} bytes from the server is longer than max_packet_size (1000)"
        assert refused.value.sqlstate == "54000"
        assert f"bad pkt header: {wanted}" == refused.value.text
        assert client.query("SELECT pg_backend_pid()") != before
    pooler.wait_for_log(f"closing because: bad pkt header: {wanted}")


def test_rows_before_one_that_is_too_long_are_passed_on(postgres, start_pooler):
    pooler = start_pooler(postgres, max_packet_size=1000, default_pool_size=1)
    with pooler.login() as client:
        client.send(wire.query(f"{row_of(900)} UNION ALL {row_of(1001)} UNION ALL {row_of(900)}"))
        assert client.read_reply() == "TDEZ"
        client.send(wire.query(f"COPY ({row_of(900)} UNION ALL {row_of(1200)}) TO STDOUT"))
        assert client.read_reply() == "HdEZ"
        # An error is a message, too.
        client.send(wire.query("SELECT repeat('x', 2000)::int"))
        assert client.read_error().sqlstate == "54000"
        assert client.read().letter == b"Z"
        assert client.query("SELECT 1") == [["1"]]


def test_a_message_that_is_too_long_ends_a_transaction(postgres, start_pooler):
    pooler = start_pooler(postgres, max_packet_size=1000)
    with pooler.login() as client:
        client.query("BEGIN")
        client.send(wire.query(row_of(1001)))
        error = client.read_error()
        assert (error.severity, error.sqlstate) == ("FATAL", "54000")
        assert client.is_closed_by_peer()


def test_the_bound_of_messages_holds_for_open_connections(postgres, start_pooler):
    pooler = start_pooler(postgres, default_pool_size=1)
    with pooler.login() as client:
        assert len(client.query(row_of(100000))[0][0]) == 100000 - 11
        before = client.query("SELECT pg_backend_pid()")
        pooler.console("SET max_packet_size = 1000")
        assert client.query("SELECT pg_backend_pid()") == before
        with pytest.raises(ServerError, match="longer than max_packet_size"):
            client.query(row_of(1001))
        pooler.console("SET max_packet_size = '1MB'")
        assert len(client.query(row_of(100000))[0][0]) == 100000 - 11


def test_tls_versions_are_those_of_the_list(postgres, start_pooler):
    pooler = start_pooler(
        postgres, client_tls_sslmode="require", client_tls_auto=1,
        client_tls_protocols="all, !tlsv1.3", server_tls_protocols="tlsv1.2",
    )
    with pooler.wire() as client:
        client.start_tls()
        assert client.socket.version() == "TLSv1.2"
    with closing(pooler.connect(sslmode="require")) as connection:
        connection.cursor().execute("SELECT 1")
    assert "SSL established: TLSv1.2/" in pooler.log()


def test_pools_that_nobody_uses_are_forgotten_when_asked_to(postgres, start_pooler):
    address = f"host={postgres.host} port={postgres.port}"
    pooler = start_pooler(
        postgres, databases={"app": f"{address} dbname=app", "*": address},
        server_idle_timeout=1, autodb_idle_timeout=1,
    )
    for name in ("app", "second"):
        with pooler.login(database=name) as client:
            client.query("SELECT 1")
    wait_until(lambda: not pooler.pool("second"), "the pool of a name that * knows is gone")
    assert "cleaning up idle pool for user app on db second because: pool idle timeout" in pooler.log()
    assert pooler.log_count("registered new auto-database: second") == 1
    assert "dropping database 'second' as it does not exist anymore or inactive" in pooler.log()
    assert pooler.pool("app")
    ini = pooler.command[1].read_text()
    pooler.command[1].write_text(ini.replace("\nserver_idle", "\npool_idle_timeout = 1\nserver_idle"))
    pooler.console("RELOAD")
    wait_until(lambda: not pooler.pool("app"), "that of the other, too")
    with pooler.login() as client:
        assert client.query("SELECT 1") == [["1"]]


DEBIANS = Path("/etc/pgbouncer/pgbouncer.ini")


@pytest.mark.skipif(
    not os.access(DEBIANS, os.R_OK), reason="Debian's pgbouncer is not installed, or not ours to read"
)
def test_every_setting_of_debians_pgbouncer_is_understood(postgres, workspace):
    pooler = Pooler(workspace, postgres)
    text = re.sub(r"^;(?=[a-z_0-9]+ = )", "", DEBIANS.read_text(), flags=re.MULTILINE)
    # The examples of files to read, and databases that are no settings.
    text = re.sub(r"^(.*_file|auth_hba_file|forcedb|.*_sslmode) = .*", "", text, flags=re.MULTILINE)
    pooler.command[1].write_text(text)
    output, status = check(pooler)
    assert (status, output.count("ERROR")) == (0, 0), output
