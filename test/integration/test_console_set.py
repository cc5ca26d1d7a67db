# SPDX-License-Identifier: PostgreSQL
"""SET on the console: what can change at run time changes, for everybody, or not at all."""

import pytest

from support import wire
from support.waiting import wait_until
from support.wire import ServerError


def setting(pooler, key):
    (row,) = pooler.console(f"SHOW SETTINGS WHERE key = '{key}'")
    return row["value"], row["origin"]


def refusal_of(client, command):
    with pytest.raises(ServerError) as caught:
        client.query(command)
    return caught.value


def test_set_changes_a_setting_for_those_who_wait_already(postgres, start_pooler):
    pooler = start_pooler(postgres, default_pool_size=1)
    with pooler.login() as holder, pooler.login() as waiting:
        holder.query("BEGIN")
        waiting.send(wire.query("SELECT 1"))
        pooler.wait_for_pool(cl_waiting=1)
        pooler.console("SET default_pool_size = 2")
        assert waiting.rows() == [["1"]]
        holder.query("COMMIT")
    assert setting(pooler, "default_pool_size") == ("2", "console")


def test_the_tag_of_set_names_what_was_set(pooler, console):
    console.send(wire.query("SET query_timeout TO '1500ms'; set SERVER_LIFETIME=77"))
    tags = [m.body for m in console.read_until(b"Z") if m.letter == b"C"]
    assert tags == [b"SET query_timeout=1500ms\0", b"SET server_lifetime=77\0"]
    assert setting(pooler, "query_timeout")[0] == "1.5"
    assert setting(pooler, "server_lifetime")[0] == "77"


def test_a_reload_goes_back_to_what_the_file_says(pooler, console):
    console.query("SET default_pool_size = 7")
    console.query("SET query_timeout = 9")
    assert setting(pooler, "default_pool_size")[0] == "7"
    console.query("RELOAD")
    assert setting(pooler, "default_pool_size")[0] == "5"
    assert setting(pooler, "query_timeout")[1] == "default"


def test_set_changes_nothing_else_whatever_has_become_of_the_files(pooler, console):
    """An edit that nobody has asked to load is not applied, and one that is wrong is in nobody's way."""
    ini, users = pooler.command[1], pooler.directory / "users.txt"
    text = ini.read_text()
    ini.write_text(text.replace("second = ", "third = ").replace("pool_size = 5", "pool_size = 9"))
    with pooler.login(database="second") as client:
        console.query("SET query_timeout = 9")
        assert setting(pooler, "default_pool_size")[0] == "5"
        ini.write_text("nonsense\n" + text)
        users.rename(users.with_suffix(".away"))
        console.query("SET query_timeout = 8")
        console.query("SET query_wait_notify = 3")
        assert setting(pooler, "query_timeout") == ("8", "console")
        assert setting(pooler, "query_wait_notify") == ("3", "console")
        assert client.query("SELECT 1") == [["1"]]
        assert "not read" in refusal_of(console, f"SET auth_file = '{users}'").text
    users.with_suffix(".away").rename(users)
    ini.write_text(text)
    console.query("RELOAD")
    assert setting(pooler, "query_timeout")[1] == "default"


def test_conffile_is_what_the_next_reload_reads(pooler, console):
    other = pooler.directory / "other.ini"
    other.write_text(pooler.command[1].read_text().replace("pool_size = 5", "pool_size = 9"))
    console.query(f"SET conffile = '{other}'")
    assert setting(pooler, "default_pool_size")[0] == "5"
    for _ in range(2):
        console.query("RELOAD")
        assert setting(pooler, "default_pool_size")[0] == "9"
        assert setting(pooler, "conffile")[0] == str(other)


@pytest.mark.parametrize(
    ("command", "sqlstate"),
    [
        ("SET nothing = 1", "42704"),
        ("SET default_pool_size = many", "22023"),
        ("SET default_pool_size = '-1'", "22023"),
        ("SET default_pool_size = 99999999999999999999", "22023"),
        ("SET pool_mode = 'sometimes'", "22023"),
        ("SET query_timeout = '5 parsecs'", "22023"),
        ("SET auth_type = kerberos", "22023"),
        ("SET auth_file = '/nowhere/at/all'", "22023"),
        ("SET client_tls_sslmode = require", "22023"),
        ("SET listen_port = 99999", "22023"),
        ("SET workers = none", "22023"),
        ("SET server_lifetime = '1e999'", "22023"),
        ("SET server_lifetime = '-1'", "22023"),
        ("SET max_packet_size = '1 furlong'", "22023"),
        (f"SET query_timeout = '{'9' * 250}'", "22023"),
        (f"SET query_timeout = '{'9' * 256}'", "42601"),
        ("SET default_pool_size", "42601"),
        ("SET default_pool_size = 1.5", "42601"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_has_changed(pooler, console, command, sqlstate):
    before = pooler.console("SHOW CONFIG")
    error = refusal_of(console, command)
    assert (error.severity, error.sqlstate) == ("ERROR", sqlstate)
    assert pooler.console("SHOW CONFIG") == before
    with pooler.login() as client:
        assert client.query("SELECT 1") == [["1"]]
    console.query("SET query_timeout = 3")
    assert setting(pooler, "query_timeout")[0] == "3"


def test_two_that_set_at_once_both_get_their_way(pooler, console):
    with pooler.login_console() as second:
        for n in range(1, 6):
            console.send(wire.query(f"SET query_timeout = {n}"))
            second.send(wire.query(f"SET server_lifetime = {n}"), wire.query("SET pool_mode = x"))
            console.rows()
            second.rows()
            with pytest.raises(ServerError):
                second.rows()
            assert setting(pooler, "query_timeout")[0] == str(n)
            assert setting(pooler, "server_lifetime")[0] == str(n)


def test_a_limit_that_is_set_holds(pooler, console):
    console.query("SET query_timeout = '300ms'")
    with pooler.login() as client:
        error = refusal_of(client, "SELECT pg_sleep(20)")
        assert error.sqlstate == "57014"
    wait_until(lambda: pooler.pool()["sv_active"] == 0, "the statement has ended")


def test_set_of_what_needs_a_restart_is_answered_and_changes_nothing(pooler, console):
    before = pooler.console("SHOW SETTINGS")
    console.send(wire.query("SET listen_port = 5433; SHOW VERSION"))
    reply = console.read_until(b"Z")
    assert "".join(m.letter.decode() for m in reply) == "NCTDCZ"
    fields = reply[0].fields()
    assert (fields["S"], fields["C"]) == ("WARNING", "01000")
    assert fields["M"].startswith('"listen_port" counts from the start of the program on')
    assert reply[1].body == b"SET listen_port=5433\0"
    assert pooler.console("SHOW SETTINGS") == before
