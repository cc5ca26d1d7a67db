# SPDX-License-Identifier: PostgreSQL
"""The console: a database called pgballast that answers SHOW."""

import asyncio
import os
import re
import subprocess
from contextlib import closing

import asyncpg
import psycopg
import pytest

from support import process, wire
from support.columns import columns_of
from support.pooler import CONSOLE_PASSWORD, CONSOLE_USER
from support.waiting import wait_until
from support.wire import ServerError


def test_show_pools_has_pgbouncers_columns_in_its_order(pooler):
    pooler.login().terminate()
    rows = pooler.console("SHOW POOLS")
    assert rows
    for row in rows:
        assert list(row) == [name for name, _ in columns_of("POOLS")]


def test_show_pools_counts_what_is_there(single):
    with single.login() as holder, single.login() as waiting:
        holder.query("BEGIN")
        waiting.send(wire.query("SELECT 1"))
        single.wait_for_pool(
            cl_active=1, cl_waiting=1, sv_active=1, sv_idle=0, sv_login=0, pool_mode="transaction"
        )
        holder.query("COMMIT")
        waiting.rows()
        single.wait_for_pool(cl_active=2, cl_waiting=0, sv_active=0, sv_idle=1)


def test_show_pools_tells_how_long_the_oldest_has_waited(single):
    with single.login() as holder, single.login() as waiting:
        holder.query("BEGIN")
        waiting.send(wire.query("SELECT 1"))
        single.wait_for_pool(cl_waiting=1)
        row = single.pool()
        assert row["maxwait"] * 1000000 + row["maxwait_us"] > 0
        holder.query("COMMIT")
        waiting.rows()


def test_commands_are_read_without_regard_to_case_and_semicolons(pooler):
    assert pooler.console("show Pools ;") == pooler.console("SHOW POOLS")


def test_show_version_names_the_program(pooler):
    (row,) = pooler.console("SHOW VERSION")
    assert "pgballast" in row["version"].lower()


def test_the_console_is_also_called_pgbouncer(pooler):
    with pooler.wire() as client:
        client.login(CONSOLE_USER, CONSOLE_PASSWORD, "pgbouncer")
        assert client.query("SHOW VERSION")


def test_an_unknown_command_is_an_error_and_the_console_goes_on(console):
    with pytest.raises(ServerError):
        console.query("SHOW ME")
    assert console.query("SHOW VERSION")


def test_a_user_without_rights_is_refused(pooler):
    with pooler.wire() as client, pytest.raises(ServerError):
        client.login("app", pooler.users["app"], "pgballast")


def test_the_console_answers_while_every_server_is_busy(single):
    with single.login() as holder:
        holder.query("BEGIN")
        assert single.console("SHOW POOLS")
        holder.query("COMMIT")


# Every SHOW (its columns: test_console_columns.py)


def console_connection(pooler, dbname="pgballast"):
    return pooler.connect(user=CONSOLE_USER, dbname=dbname)


def test_show_gives_the_same_in_the_extended_protocol_as_text_and_binary(pooler):
    parameters = pooler.parameters(user=CONSOLE_USER, dbname="pgballast")
    with psycopg.connect(**parameters, autocommit=True) as c:
        for what in ("DATABASES", "USERS", "STATE", "CONFIG", "SETTINGS", "TOTALS", "TARGETS"):
            simple = [list(row.values()) for row in pooler.console(f"SHOW {what}")]
            for binary in (False, True):
                cursor = c.execute(f"SHOW {what}", prepare=True, binary=binary)
                assert [(d.name, d.type_code) for d in cursor.description] == columns_of(what)
                assert cursor.pgresult.fformat(0) == binary
                rows = [list(row) for row in cursor.fetchall()]
                if what == "TOTALS":  # they count these very queries
                    rows = [row[:1] for row in rows]
                    simple = [row[:1] for row in simple]
                assert rows == simple


def test_asyncpg_reads_numbers_from_the_console(pooler):
    async def read():
        connection = await asyncpg.connect(
            host=pooler.host,
            port=pooler.port,
            user=CONSOLE_USER,
            password=CONSOLE_PASSWORD,
            database="pgbouncer",
            ssl=False,
        )
        try:
            stats = await connection.fetch("SHOW STATS")
            pools = await connection.fetch("SHOW POOLS")
            again = await connection.fetch("SHOW POOLS")
            return stats, pools, again
        finally:
            await connection.close()

    with pooler.login() as client:
        client.query("SELECT 1")
        stats, pools, again = asyncio.run(read())
    row = next(row for row in stats if row["database"] == "app")
    assert row["total_query_count"] == 1
    assert row["total_client_login_count"] == 1
    row = next(row for row in pools if row["database"] == "app")
    assert (row["cl_active"], row["sv_idle"], row["load_balance_hosts"]) == (1, 1, None)
    assert again == pools


def test_psql_runs_several_commands_and_reads_comments(pooler):
    command = ["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"]
    url = f"postgresql://{CONSOLE_USER}@{pooler.host}:{pooler.port}/pgballast?sslmode=disable"
    script = "-- who am I\nSHOW VERSION; /* and /* how */ */ SHOW STATE;;"
    done = subprocess.run(
        [*command, url, "-c", script],
        capture_output=True,
        text=True,
        timeout=20,
        env={**os.environ, "PGPASSWORD": CONSOLE_PASSWORD},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-3:] == ["active|yes", "paused|no", "suspended|no"]
    assert done.stdout.startswith("pgballast ")


def test_help_is_a_notice(pooler):
    with closing(console_connection(pooler)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW HELP")
        assert cursor.description is None
        assert "Console usage" in connection.notices[0]
        assert "SHUTDOWN" in connection.notices[0]


def test_null_and_empty_are_told_apart(pooler):
    (user,) = [row for row in pooler.console("SHOW USERS") if row["name"] == "app"]
    assert (user["pool_size"], user["pool_mode"]) == ("", None)
    (database,) = [row for row in pooler.console("SHOW DATABASES") if row["name"] == "app"]
    assert (database["force_user"], database["load_balance_hosts"]) == (None, None)
    (setting,) = [row for row in pooler.console("SHOW SETTINGS") if row["key"] == "auth_user"]
    assert (setting["value"], setting["origin"]) == (None, "default")


def test_show_clients_and_servers_name_the_pair(pooler):
    with pooler.login(application_name="the app") as client:
        client.query("BEGIN")
        (c,) = [row for row in pooler.console("SHOW CLIENTS") if row["user"] == "app"]
        (s,) = pooler.console("SHOW SERVERS")
        assert (c["state"], s["state"]) == ("active", "active")
        assert (c["link"], s["link"]) == (s["ptr"], c["ptr"])
        assert (c["application_name"], c["database"]) == ("the app", "app")
        assert s["remote_pid"] == int(client.query("SELECT pg_backend_pid()")[0][0])
        assert s["tls"].startswith("TLSv1.3/")
        client.query("COMMIT")
        (c,) = [row for row in pooler.console("SHOW CLIENTS") if row["user"] == "app"]
        assert (c["state"], c["link"]) == ("idle", "")


def test_statistics_are_those_of_each_database(pooler):
    with pooler.login() as first, pooler.login(database="second") as second:
        for _ in range(3):
            first.query("SELECT 1")
        second.query("BEGIN")
        second.query("SELECT 1")
        second.query("COMMIT")
        rows = {row["database"]: row for row in pooler.console("SHOW STATS_TOTALS")}
    assert (rows["app"]["query_count"], rows["app"]["xact_count"]) == (3, 3)
    assert (rows["second"]["query_count"], rows["second"]["xact_count"]) == (3, 1)
    assert rows["second"]["client_login_count"] == 1
    assert rows["app"]["bytes_sent"] > 0
    assert "pgbouncer" in rows


def test_averages_are_times_per_query(pooler):
    with pooler.login() as client:
        client.query("SELECT pg_sleep(0.2)")
        client.query("SELECT pg_sleep(0.2)")
        (row,) = [row for row in pooler.console("SHOW STATS") if row["database"] == "app"]
    assert 200_000 <= row["avg_query_time"] < 2_000_000
    assert row["total_query_time"] >= 400_000


# Statements and portals


def error_of(client):
    error = client.read_error()
    client.send(wire.SYNC)
    assert client.read_until(b"Z")[-1].body == b"I"
    return error.sqlstate


def test_named_statements_and_portals_live_as_the_protocol_says(console):
    console.send(wire.parse("SHOW STATE", "s"), wire.describe(b"S", "s"), wire.FLUSH)
    assert [m.letter for m in console.read_until(b"T")] == [b"1", b"t", b"T"]
    console.send(wire.bind(statement="s", portal="p"), wire.describe(b"P", "p"))
    console.send(wire.execute("p", 2), wire.execute("p", 2), wire.SYNC)
    assert console.read_reply() == "2TDDsDCZ"
    console.send(wire.bind(statement="s", portal="q"), wire.execute("p"))
    assert error_of(console) == "34000"
    console.send(wire.parse("SHOW STATE", "s"))
    assert error_of(console) == "42P05"
    console.send(wire.close(b"S", "s"), wire.close(b"S", "none"), wire.bind(statement="s"))
    assert error_of(console) == "26000"
    console.send(wire.parse("SHOW STATE; SHOW STATE"))
    assert error_of(console) == "42601"
    console.send(wire.parse("SHOW STATE"), wire.bind(["x"]))
    assert error_of(console) == "08P01"
    assert console.query("SHOW VERSION")


def test_an_empty_statement_is_no_error(console):
    console.send(wire.query(" ; -- nothing\n"))
    assert console.read_reply() == "IZ"
    console.send(wire.parse(""), wire.describe(b"S"), wire.bind(), wire.execute(), wire.SYNC)
    assert console.read_reply() == "1tn2IZ"


def test_a_pipeline_of_shows_is_answered_in_order(console):
    group = wire.parse("SHOW CLIENTS") + wire.bind() + wire.execute() + wire.SYNC
    console.send(group, wire.query("SHOW SERVERS"), group, wire.query("SHOW STATE; SHOW POOLS"))
    replies = [console.read_reply() for _ in range(4)]
    assert replies[0] == replies[2] == "12DCZ"
    assert replies[1] == "TCZ"
    assert replies[3].startswith("TDDDCT")


def test_a_command_in_pieces_is_read_whole(console):
    console.send_in_pieces(wire.query("SHOW STATE"), 1)
    assert len(console.rows()) == 3
    console.send(wire.query("SHOW STATE" + " " * 200_000))
    with pytest.raises(ServerError) as caught:
        console.rows()
    assert caught.value.sqlstate == "54000"
    assert len(console.query("SHOW STATE")) == 3


REFUSALS = {
    "SHOW ME": ("42601", "invalid command 'SHOW ME', use SHOW HELP;"),
    "SHOW POOLS CLIENTS": ("42601", "invalid command 'SHOW POOLS CLIENTS', use SHOW HELP;"),
    "BEGIN": ("42601", "invalid command 'BEGIN', use SHOW HELP;"),
    "SELECT 1": ("42601", "invalid command 'SELECT 1', use SHOW HELP;"),
    "RELOAD now": ("42601", "invalid command 'RELOAD now', use SHOW HELP;"),
    f"PAUSE {'x' * 128}": ("42601", "bad arguments"),
    "SET nothing = 7": ("42704", "SET failed"),
    "SET server_lifetime = soon": ("22023", "SET failed"),
    "ENABLE": ("42601", "a database is required"),
    "DISABLE": ("42601", "a database is required"),
    "RESUME": ("55000", "pooler is not paused/suspended"),
    "RESUME app": ("55000", "database app is not paused"),
    "KILL_CLIENT": ("42601", "invalid client pointer supplied"),
    "KILL_CLIENT x": ("42601", "invalid client pointer supplied"),
    "KILL_CLIENT 12x": ("42601", "invalid client pointer supplied"),
    "KILL_CLIENT 999999": ("42704", "client not found"),
    **{f"{verb} nowhere": ("3D000", "no such database: nowhere") for verb in (
        "PAUSE", "RESUME", "KILL", "RECONNECT", "DISABLE", "ENABLE", "WAIT_CLOSE"
    )},
    "RESUME pgbouncer": ("55000", "database pgbouncer is not paused"),
    "PAUSE pgbouncer": ("0A000", "cannot pause admin db: pgbouncer"),
    "KILL pgballast": ("0A000", "cannot kill admin db: pgballast"),
    "RECONNECT pgbouncer": ("0A000", "cannot reconnect admin db: pgbouncer"),
    "DISABLE pgbouncer": ("0A000", "cannot disable admin db: pgbouncer"),
    "ENABLE pgbouncer": ("0A000", "cannot enable admin db: pgbouncer"),
    "WAIT_CLOSE pgbouncer": ("0A000", "cannot wait in admin db: pgbouncer"),
}


def test_what_cannot_be_done_is_an_error_and_the_console_goes_on(pooler, console):
    for command, (sqlstate, text) in REFUSALS.items():
        with pytest.raises(ServerError) as caught:
            console.query(f"SHOW STATE; {command}; SHOW STATE")
        assert (caught.value.severity, caught.value.sqlstate) == ("ERROR", sqlstate), command
        assert caught.value.text.startswith(text)
        console.send(wire.parse(command), wire.bind(), wire.execute())
        assert error_of(console) == sqlstate
        assert len(console.query("SHOW STATE")) == 3
        assert f"pooler error: {text}" in pooler.log()


def test_parameters_are_refused_clearly(console):
    for text in ("SHOW POOLS WHERE database = $1", "SHOW $1", "SET query_timeout = $1", "PAUSE $1"):
        console.send(wire.parse(text))
        assert error_of(console) == "42P02"
    console.send(wire.parse("SHOW POOLS"), wire.bind(["app"]))
    assert error_of(console) == "08P01"


def test_what_is_sql_is_refused_with_what_to_do(console):
    console.send(wire.query("BEGIN"))
    fields = console.read_until(b"Z")[0].fields()
    assert fields["M"] == "invalid command 'BEGIN', use SHOW HELP;"
    assert "autocommit" in fields["H"]


def test_what_drivers_set_and_ask_is_taken(console):
    for command in ("SET client_encoding TO 'UTF8'", "set DateStyle = iso"):
        console.query(command)
    assert console.query("SHOW TimeZone") == [["GMT"]]
    assert console.query("SELECT version")[0][0].startswith("pgballast ")


def test_the_welcome_is_pgbouncers_then_what_the_client_has_sent(pooler):
    with pooler.wire() as client:
        client.login(
            CONSOLE_USER, CONSOLE_PASSWORD, "pgbouncer", application_name="watch", TimeZone="UTC"
        )
        version = client.parameters.pop("server_version")
        assert re.fullmatch(r"\d+\.\d+\.\d+/bouncer", version)
        assert list(client.parameters.items()) == [
            ("client_encoding", "UTF8"),
            ("server_encoding", "UTF8"),
            ("DateStyle", "ISO"),
            ("TimeZone", "UTC"),
            ("standard_conforming_strings", "on"),
            ("is_superuser", "on"),
            ("application_name", "watch"),
        ]
        assert len(client.key) == 8


# Rights

ORDERS = (
    "PAUSE; RESUME; SUSPEND; KILL; KILL app; KILL_CLIENT 1; RELOAD; RECONNECT; WAIT_CLOSE; DISABLE app; "
    "ENABLE app; SHUTDOWN; SHUTDOWN WAIT_FOR_CLIENTS; SET verbose = 1; SET nothing = 1"
).split("; ")


def test_a_stats_user_may_look_and_nothing_else(postgres, start_pooler):
    pooler = start_pooler(postgres, stats_users="app")
    with pooler.login(database="pgballast") as client:
        assert client.query("SHOW POOLS")
        client.query("SET application_name = x")
        for command in (*ORDERS, "SHOW FDS"):
            client.send(wire.query(command))
            fields = client.read_until(b"Z")[0].fields()
            assert (fields["M"], fields["C"]) == ("admin access needed", "42501")
            assert "admin_users" in fields["H"]
        assert client.query("SHOW STATE")[0] == ["active", "yes"]


def test_our_own_account_is_admin_over_the_unix_socket(postgres, start_pooler, workspace):
    directory = process.new_directory("socket", workspace)
    pooler = start_pooler(postgres, unix_socket_dir=directory, admin_users="")
    script = ["psql", "-X", "-A", "-t", "-h", directory, "-p", pooler.port, "-d"]
    done = process.run([*script, "pgballast", "-U", "pgballast", "-c", "PAUSE; SHOW STATE"], directory)
    assert "paused|yes" in done
    process.run([*script, "pgbouncer", "-U", "pgbouncer", "-c", "RESUME"], directory)
    with pytest.raises(AssertionError):
        process.run([*script, "pgballast", "-U", "app", "-w", "-c", "SHOW STATE"], directory)


def test_the_console_lets_the_operator_in_when_the_pooler_is_full(postgres, start_pooler):
    pooler = start_pooler(postgres, max_client_conn=1)
    # Whoever looked whether it listens counts until its end is noticed.
    with wait_until(lambda: login_if_there_is_room(pooler), "there is room"):
        with pytest.raises(ServerError) as caught:
            pooler.login()
        assert caught.value.sqlstate == "53300"
        assert pooler.console("SHOW CLIENTS")


def login_if_there_is_room(pooler):
    try:
        return pooler.login()
    except ServerError:
        return None
