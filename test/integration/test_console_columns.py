# SPDX-License-Identifier: PostgreSQL
"""Every SHOW column for column, as the wire has it, in both protocols; and what the rows say."""

import os
import struct
import threading
from contextlib import closing

import pytest

from support import process, wire
from support.columns import COLUMNS, SIZES, columns_of


def described(message):
    """[(name, table, attribute, type, size, modifier, format), …] of a RowDescription."""
    (n,) = struct.unpack_from("!h", message.body)
    at, columns = 2, []
    for _ in range(n):
        end = message.body.index(b"\0", at)
        name = message.body[at:end].decode()
        columns.append((name, *struct.unpack_from("!ihihih", message.body, end + 1)))
        at = end + 19
    assert at == len(message.body)
    return columns


def wanted(what, code=0):
    return [(name, 0, 0, oid, SIZES[oid], -1, code) for name, oid in columns_of(what)]


def test_every_show_has_its_columns_in_both_protocols(pooler, console):
    with pooler.login() as client:
        client.query("BEGIN")
        for what in COLUMNS:
            console.send(wire.query(f"SHOW {what}"))
            reply = console.read_until(b"Z")
            assert described(reply[0]) == wanted(what), what
            assert reply[-2].body == b"SHOW\0"
            rows = [m.columns() for m in reply if m.letter == b"D"]
            assert all(len(row) == len(columns_of(what)) for row in rows)

            console.send(wire.parse(f"select {what.lower()}"), wire.describe(b"S"))
            console.send(wire.bind(formats=[1]), wire.describe(b"P"), wire.execute(), wire.SYNC)
            reply = console.read_until(b"Z")
            assert "".join(m.letter.decode() for m in reply[:5]) == "1tT2T"
            assert described(reply[2]) == wanted(what)
            assert described(reply[4]) == wanted(what, code=1)
            assert (reply[-2].letter, reply[-2].body) == (b"C", b"SHOW\0")


def test_help_names_every_show_of_pgbouncer(console):
    console.send(wire.query("SHOW HELP"))
    notice, complete, _ = console.read_until(b"Z")
    assert (notice.letter, complete.body) == (b"N", b"SHOW\0")
    fields = notice.fields()
    assert (fields["S"], fields["C"], fields["M"]) == ("NOTICE", "00000", "Console usage")
    for what in COLUMNS:
        assert what.islower() or what in fields["D"]


def test_descriptors_are_listed_without_what_proves_a_user(pooler):
    with pooler.login(TimeZone="Asia/Tokyo") as client:
        client.query("BEGIN")
        rows = pooler.console("SHOW FDS")
        (listening,) = [row for row in rows if row["task"] == "pooler"]
        assert (listening["port"], listening["user"]) == (pooler.port, None)
        (mine,) = [row for row in rows if row["task"] == "client" and row["user"] == "app"]
        (server,) = [row for row in rows if row["task"] == "server"]
        assert (mine["fd"], server["fd"]) == (server["link"], mine["link"])
        assert (mine["timezone"], mine["std_strings"]) == ("Asia/Tokyo", "on")
        assert mine["port"] == client.socket.getsockname()[1]
        for row in rows:
            assert row["password"] is row["scram_client_key"] is row["scram_server_key"] is None
            assert row["cancel"] == 0


def test_connections_are_listed_by_database_and_user(pooler):
    with pooler.login(database="second"), pooler.login(user="other"), pooler.login(), pooler.login():
        rows = pooler.console("SHOW CLIENTS")
        keys = [(row["database"], row["user"], row["id"]) for row in rows]
        assert keys == sorted(keys)
        assert [row["database"] for row in rows] == ["app", "app", "app", "pgbouncer", "second"]
        assert [row["user"] for row in rows][:3] == ["app", "app", "other"]


def test_show_pools_counts_cancel_requests_that_wait_for_the_server(postgres, single):
    with single.login() as client:
        client.send(wire.query("SELECT pg_sleep(60)"))
        single.wait_for_pool(sv_active=1)
        with postgres.deaf_to_newcomers():
            canceling = threading.Thread(target=client.cancel)
            canceling.start()
            single.wait_for_pool(cl_waiting_cancel_req=1, cl_active_cancel_req=0, sv_active_cancel=1)
        canceling.join()
        with pytest.raises(wire.ServerError) as caught:
            client.rows()
        assert caught.value.sqlstate == "57014"
        single.wait_for_pool(cl_waiting_cancel_req=0, sv_active_cancel=0, sv_idle=1)


def test_show_mem_has_pgbouncers_names_for_what_there_is(pooler):
    with pooler.login() as client:
        client.query("SELECT 1")
        rows = {row["name"]: row for row in pooler.console("SHOW MEM")}
    caches = {name: (row["used"], row["free"]) for name, row in rows.items() if name != "heap"}
    assert caches == {
        "db_cache": (3, 0),
        "peer_cache": (0, 0),
        "pool_cache": (1, 0),
        "server_cache": (1, 0),
        "client_cache": (2, 0),
    }
    for name in caches:
        assert rows[name]["memtotal"] == rows[name]["size"] * rows[name]["used"]
        assert 100 < rows[name]["size"] < 4000 or name == "peer_cache"


def test_names_of_hosts_are_listed_with_their_addresses(postgres, start_pooler):
    line = f"host=localhost port={postgres.port} dbname=app"
    pooler = start_pooler(postgres, databases={"app": line, "second": line})
    assert pooler.console("SHOW DNS_HOSTS") == []
    with pooler.login() as client:
        client.query("SELECT 1")
        (row,) = pooler.console("SHOW DNS_HOSTS")
        lists = {row["list"]: row["items"] for row in pooler.console("SHOW LISTS")}
    assert row["hostname"] == "localhost"
    assert set(row["addrs"].split(",")) <= {"127.0.0.1", "::1"} and row["addrs"]
    assert 10 <= row["ttl"] <= 15  # dns_max_ttl: the hosts file names no time
    assert (lists["dns_names"], lists["dns_queries"], lists["dns_pending"]) == (1, 0, 0)
    assert len(pooler.console("SHOW POOLS")) == lists["pools"]


def test_ends_of_unix_sockets_are_told_by_process_and_port(postgres, start_pooler, workspace):
    directory = process.new_directory("socket", workspace)
    line = f"host={postgres.directory} port={postgres.port} dbname=app"
    pooler = start_pooler(postgres, unix_socket_dir=directory, databases={"app": line})
    with closing(pooler.connect(host=str(directory))) as connection:
        connection.cursor().execute("SELECT 1")
        (client,) = pooler.console("SHOW CLIENTS WHERE user = 'app'")
        (server,) = pooler.console("SHOW SERVERS")
    for row, port in ((client, pooler.port), (server, postgres.port)):
        assert (row["addr"], row["port"]) == ("unix", port)
        assert (row["local_addr"], row["local_port"]) == ("unix", port)
        assert row["tls"] == ""
    assert client["remote_pid"] == os.getpid()
    assert server["remote_pid"] > 0
