# SPDX-License-Identifier: PostgreSQL
"""Clients that share one server never meet one another's state, and errors in a pipeline stay theirs.

Every client here has a pool of one server, so whatever one of them leaves there the next one finds.
What is expected is what PostgreSQL answers on connections of their own.
"""

import struct

import pytest

from support import wire
from support.wire import ServerError

LOOKS = ("DateStyle", "TimeZone", "client_encoding", "search_path", "application_name")
SESSION = "SELECT " + ", ".join(f"current_setting('{name}')" for name in LOOKS)
DAYS = "SELECT '02-03-2004'::date - '2004-01-01'::date"


@pytest.fixture
def table(postgres):
    postgres.sql("DROP TABLE IF EXISTS shared; CREATE TABLE shared (n int)", database="app")
    postgres.sql("ALTER TABLE shared OWNER TO app", database="app")
    yield lambda: postgres.value("SELECT count(*) FROM shared", database="app")
    postgres.sql("DROP TABLE shared", database="app")


def extended(text, statement=""):
    return wire.parse(text, statement) + wire.bind(statement=statement) + wire.execute()


def letters(client, n_ready):
    return [client.read_reply() for _ in range(n_ready)]


def run(client, *parts):
    """The rows of one group."""
    client.send(*parts, wire.SYNC)
    return client.rows()


# Groups without their Sync


def test_a_group_keeps_its_server_until_its_sync(single, table):
    with single.login() as first, single.login() as second:
        first.send(extended("INSERT INTO shared VALUES (1)"), wire.FLUSH)
        first.read_until(b"C")
        second.send(wire.query("SELECT count(*) FROM shared"))
        single.wait_for_pool(cl_waiting=1)
        first.send(extended("SELECT 1/0"), wire.SYNC)
        assert first.read_error().sqlstate == "22012"
        assert second.rows() == [["0"]]
    assert table() == 0, "the group failed as a whole"


def test_a_query_ends_an_open_group_and_frees_the_server(single):
    with single.login() as first, single.login() as second:
        first.send(extended("SELECT 1"), wire.query("SELECT 2"))
        first.read_until(b"Z")
        assert second.query("SELECT 3") == [["3"]]


# The unnamed statement


def test_the_unnamed_statement_of_another_client_cannot_be_bound(single):
    with single.login() as first, single.login() as second:
        run(first, wire.parse("SELECT 'secret'"))
        with pytest.raises(ServerError) as caught:
            run(second, wire.bind(), wire.execute())
        assert caught.value.sqlstate == "26000"


def test_a_function_call_leaves_the_unnamed_statement(single):
    call = wire.message(b"F", struct.pack("!ihhhi1si1sh", 177, 0, 0, 2, 1, b"2", 1, b"3", 0))
    with single.login() as client:
        run(client, wire.parse("SELECT 1"))
        client.send(call)
        client.read_until(b"Z")
        assert run(client, wire.bind(), wire.execute()) == [["1"]]


# Settings that went ahead and did not stay


@pytest.mark.parametrize(
    "pipeline",
    [
        [extended("SELECT 1/0") + wire.SYNC],
        [wire.query("SELECT 1/0")],
        [wire.query("BEGIN"), wire.query("ROLLBACK")],
        [wire.query("BEGIN"), wire.query("SELECT 1/0"), wire.query("COMMIT")],
        [wire.query("COMMIT; SELECT 1/0")],
        [wire.query("BEGIN"), wire.query("COMMIT; SELECT 1/0")],
        [wire.query("BEGIN"), wire.query("ROLLBACK AND CHAIN"), wire.query("COMMIT")],
        [wire.query("BEGIN; COMMIT; BEGIN"), wire.query("ROLLBACK")],
        [wire.query("BEGIN; ROLLBACK; BEGIN"), wire.query("COMMIT")],
        [wire.query("DO $$BEGIN ROLLBACK; END$$")],
        [wire.query("DO $$BEGIN COMMIT; RAISE 'x'; END$$")],
    ],
)
def test_settings_hold_behind_whatever_ends_a_transaction(single, pipeline):
    mine = {"timezone": "Asia/Tokyo", "options": "-c search_path=pg_catalog"}
    theirs = {"datestyle": "SQL, DMY", "client_encoding": "LATIN1", "application_name": "theirs"}
    wanted = {
        "mine": [["ISO, MDY", "Asia/Tokyo", "UTF8", "pg_catalog", ""]],
        "theirs": [["SQL, DMY", "GMT", "LATIN1", '"$user", public', "theirs"]],
    }
    with single.login(**mine) as first, single.login(**theirs) as second:
        for _ in range(2):
            assert second.query(SESSION) == wanted["theirs"]
            first.send(*pipeline, wire.query(SESSION))
            for _ in pipeline:
                first.read_until(b"Z")
            assert first.rows() == wanted["mine"], "in the same pipeline"
            assert first.query(SESSION) == wanted["mine"]
            assert second.query(SESSION) == wanted["theirs"]


def test_nothing_runs_behind_a_setting_that_is_refused(single, table):
    with single.login(options="-c default_text_search_config=no.such") as client:
        insert = "INSERT INTO shared VALUES (1)"
        client.send(
            extended("SELECT 1"), wire.SYNC, extended(insert), wire.SYNC, wire.query(insert)
        )
        assert letters(client, 3) == ["EZ", "EZ", "EZ"]
        client.send(wire.query(insert))
        assert client.read_reply() == "EZ"
    assert table() == 0


@pytest.mark.parametrize("text", ["RESET datestyle", "RESET ALL", "DISCARD ALL"])
def test_reset_goes_back_to_the_client_s_own_start(single, text):
    mine = {"datestyle": "SQL, DMY", "options": "-c search_path=pg_catalog"}
    with single.login(**mine) as first, single.login() as second:
        before = second.query(SESSION)
        told(first, "SET datestyle = 'German'")
        told(first, text)
        assert second.query(SESSION) == before
        assert first.query(SESSION) == [["SQL, DMY", "GMT", "UTF8", "pg_catalog", ""]]
        assert first.parameters["DateStyle"] == "SQL, DMY"


@pytest.mark.parametrize("text", ["RESET ALL", "DISCARD ALL"])
@pytest.mark.parametrize("way", ["simple", "extended"])
def test_what_is_sent_behind_a_reset_has_the_client_s_own_start(single, text, way):
    with single.login(timezone="Asia/Tokyo") as client:
        reset = wire.query(text) if way == "simple" else extended(text) + wire.SYNC
        failing = wire.bind(statement="nope") + wire.SYNC
        client.send(reset, failing, wire.query("SHOW timezone"), extended("SHOW timezone"), wire.SYNC)
        assert client.read_reply()[-1] == "Z"
        assert client.read_reply() == "EZ"
        assert client.rows() == [["Asia/Tokyo"]]
        assert client.rows() == [["Asia/Tokyo"]]


@pytest.mark.parametrize("mode", ["transaction", "session"])
@pytest.mark.parametrize("text", ["RESET search_path", "RESET ALL", "DISCARD ALL"])
def test_a_sync_behind_a_reset_leaves_the_client_s_own_start(postgres, start_pooler, text, mode):
    pooler = start_pooler(postgres, default_pool_size=1, pool_mode=mode)
    with pooler.login(options="-c search_path=pg_catalog") as client:
        client.send(wire.query(text), wire.SYNC)
        assert letters(client, 2) == ["CZ", "Z"]
        assert client.query("SHOW search_path") == [["pg_catalog"]]
        assert client.query("SET search_path = public; SHOW search_path") == [["public"]]
        assert client.query("SHOW search_path") == [["public"]]


@pytest.mark.parametrize("text", ["RESET datestyle", "SET datestyle TO DEFAULT"])
def test_reset_of_one_setting_leaves_the_others(single, text):
    mine = {"datestyle": "SQL, DMY", "client_encoding": "LATIN1"}
    with single.login(options="-c search_path=pg_catalog", **mine) as first, single.login() as second:
        told(first, "SET client_encoding = 'UTF8'")
        told(first, "SET datestyle = 'German'")
        assert told(first, text) == ("SQL, DMY", "UTF8")
        second.query(SESSION)
        assert first.query(SESSION) == [["SQL, DMY", "GMT", "UTF8", "pg_catalog", ""]]


def test_a_setting_of_the_next_transaction_is_there_when_it_begins(single, table):
    with single.login() as first, single.login() as second:
        first.query("SET default_transaction_read_only = on")
        second.query("BEGIN")
        second.query("INSERT INTO shared VALUES (1)")
        second.query("COMMIT")
        with pytest.raises(ServerError) as caught:
            first.query("INSERT INTO shared VALUES (2)")
        assert caught.value.sqlstate == "25006"
    assert table() == 1


@pytest.mark.parametrize("last", ["SELECT 1", "SELECT 1/0"], ids=["open", "failed"])
def test_a_transaction_that_its_client_leaves_takes_settings_with_it(single, last):
    """PostgreSQL does not report work_mem: what the server has is known from what became of ours."""
    with single.login() as plain:
        assert plain.query("SHOW work_mem") == [["4MB"]]
        with single.login(work_mem="5MB") as leaver:
            leaver.query("BEGIN")
            leaver.send(wire.query(last))
            leaver.read_reply()
        single.wait_for_pool(sv_idle=1, cl_active=1)
        with single.login(work_mem="5MB") as heir:
            assert heir.query("SHOW work_mem") == [["5MB"]]


@pytest.mark.parametrize("text", ["SELECT pg_sleep(0.05)", "SELECT pg_sleep(0.05), 1/0"])
@pytest.mark.parametrize("value", ["5MB", "nonsense"])
def test_a_statement_that_its_client_does_not_wait_for_leaves_no_settings(single, text, value):
    with single.login() as plain:
        assert plain.query("SHOW work_mem") == [["4MB"]]
        with single.login(work_mem=value) as leaver:
            leaver.send(wire.query(text))
        single.wait_for_pool(cl_active=1)
        assert plain.query("SHOW work_mem") == [["4MB"]]
        with single.login(work_mem="5MB") as heir:
            assert heir.query("SHOW work_mem") == [["5MB"]]


# What the client is told of its parameters


def told(client, text):
    """Run the text; what the client then believes of its DateStyle and encoding."""
    client.send(wire.query(text))
    for answer in client.read_until(b"Z"):
        if answer.letter == b"S":
            name, value, _ = answer.body.decode().split("\0")
            client.parameters[name] = value
    return client.parameters["DateStyle"], client.parameters["client_encoding"]


def test_a_rollback_does_not_tell_of_the_values_of_others(single):
    with single.login() as first, single.login(
        datestyle="SQL, DMY", client_encoding="LATIN1"
    ) as second:
        second.query("SELECT 1")
        assert told(first, "BEGIN") == ("ISO, MDY", "UTF8")
        assert told(first, "ROLLBACK") == ("ISO, MDY", "UTF8")


def test_a_value_set_and_committed_in_one_query_is_told(single):
    with single.login(client_encoding="LATIN1") as first, single.login() as second:
        second.query("SELECT 1")
        assert told(first, "BEGIN; SET client_encoding = 'UTF8'; COMMIT") == ("ISO, MDY", "UTF8")


def test_an_error_behind_a_savepoint_leaves_what_was_set_in_front_of_it(single):
    with single.login(datestyle="SQL, DMY") as first, single.login() as second:
        second.query("SELECT 1")
        told(first, "BEGIN")
        told(first, "SET datestyle = 'ISO, MDY'")
        told(first, "SAVEPOINT s")
        assert told(first, "SELECT 1/0") == ("ISO, MDY", "UTF8")
        told(first, "ROLLBACK")


@pytest.mark.parametrize(
    "set_text, end_text",
    [
        ("SET datestyle = 'SQL, DMY'", "ROLLBACK"),
        ("SET LOCAL datestyle = 'SQL, DMY'", "COMMIT"),
    ],
)
def test_a_value_that_ends_with_its_transaction_is_reported_back(single, set_text, end_text):
    with single.login() as client:
        told(client, "BEGIN")
        assert told(client, set_text) == ("SQL, DMY", "UTF8")
        assert told(client, end_text) == ("ISO, MDY", "UTF8")


# Prepared statements are shared by what they were parsed under


@pytest.mark.parametrize(
    "before, after",
    [
        (["BEGIN", "SET LOCAL datestyle = 'ISO, DMY'"], ["COMMIT"]),
        (["BEGIN", "SET datestyle = 'ISO, DMY'"], ["ROLLBACK"]),
    ],
)
def test_a_statement_parsed_under_a_passing_datestyle_is_not_shared(single, before, after):
    with single.login() as first, single.login() as second:
        for text in before:
            first.query(text)
        assert run(first, extended(DAYS, "s")) == [["61"]]
        for text in after:
            first.query(text)
        assert run(second, extended(DAYS, "s")) == [["33"]]
        assert run(first, wire.bind(statement="s"), wire.execute()) == [["61"]]


def test_a_statement_parsed_in_the_write_of_its_set_is_not_shared(single):
    with single.login() as first, single.login() as second:
        first.send(wire.query("SET datestyle = 'ISO, DMY'"), extended(DAYS, "s"), wire.SYNC)
        first.rows()
        assert first.rows() == [["61"]]
        assert run(second, extended(DAYS, "s")) == [["33"]]


def test_a_statement_whose_table_is_gone_fails_when_it_is_used(single):
    """A server that has parsed the text does not parse it again: doc/transparency.md."""
    with single.login() as first, single.login() as second:
        first.query("CREATE TABLE passing (n int)")
        for client in (first, second):
            run(client, wire.parse("SELECT * FROM passing", "s"))
        first.query("DROP TABLE passing")
        run(first, wire.close(b"S", "s"))
        with pytest.raises(ServerError) as caught:
            run(first, extended("SELECT * FROM passing", "s"))
        assert caught.value.sqlstate == "42P01"


@pytest.mark.parametrize("word", ["SET", "SET LOCAL"])
@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_a_statement_is_parsed_again_without_a_trace_in_the_transaction(single, word, end):
    with single.login() as first, single.login() as second:
        run(first, wire.parse(DAYS, "s"))
        second.query("DISCARD ALL")  # the server has forgotten it
        first.query("BEGIN")
        first.query(f"{word} datestyle = 'SQL, DMY'")
        assert run(first, wire.bind(statement="s"), wire.execute()) == [["33"]]
        assert first.query("SHOW datestyle") == [["SQL, DMY"]]
        first.query(end)
        kept = word == "SET" and end == "COMMIT"
        assert first.query("SHOW datestyle") == [["SQL, DMY" if kept else "ISO, MDY"]]
        assert second.query("SHOW datestyle") == [["ISO, MDY"]]


# Names in a pipeline with errors


def test_a_close_that_was_skipped_has_closed_nothing(single):
    with single.login() as client:
        run(client, wire.parse("SELECT 1", "s"))
        client.send(wire.parse("SELEKT"), wire.close(b"S", "s"), wire.SYNC)
        assert client.read_reply() == "EZ"
        assert run(client, wire.bind(statement="s"), wire.execute()) == [["1"]]


def test_a_deallocate_that_was_skipped_has_closed_nothing(single):
    with single.login() as client:
        run(client, wire.parse("SELECT 1", "s"))
        client.send(wire.parse("SELEKT"), wire.query("DEALLOCATE s"), wire.SYNC)
        assert client.read_reply() == "EZ"
        assert run(client, wire.bind(statement="s"), wire.execute()) == [["1"]]


def test_a_parse_that_was_skipped_leaves_the_unnamed_statement(single):
    with single.login() as client:
        run(client, wire.parse("SELECT 1"))
        client.send(wire.bind(statement="never"), wire.parse("SELECT 2"), wire.SYNC)
        assert client.read_reply() == "EZ"
        assert run(client, wire.bind(), wire.execute()) == [["1"]]


def test_a_name_whose_parse_fails_is_free_for_the_next_group_of_the_same_write(single):
    with single.login() as client:
        client.send(wire.parse("SELEKT", "s"), wire.SYNC, extended("SELECT 1", "s"), wire.SYNC)
        assert letters(client, 2) == ["EZ", "12DCZ"]


def test_two_names_for_one_bad_text_in_one_write_both_fail(single):
    bad = "SELECT * FROM nowhere"
    with single.login() as client:
        client.send(wire.parse(bad, "s1"), wire.SYNC, wire.parse(bad, "s2"), wire.SYNC)
        assert letters(client, 2) == ["EZ", "EZ"]


def test_an_error_names_the_client_s_statement_not_the_server_s(single):
    with single.login() as client:
        client.send(wire.parse("SELEKT", "s"), wire.SYNC, wire.bind(statement="s"), wire.SYNC)
        client.read_until(b"Z")
        assert client.read_error().text == 'prepared statement "s" does not exist'


@pytest.mark.parametrize("text", ["DEALLOCATE ALL", "DISCARD ALL"])
def test_names_are_free_behind_deallocate_all_in_one_write(single, text):
    with single.login() as client:
        run(client, wire.parse("SELECT 1", "s"))
        client.send(wire.query(text), extended("SELECT 2", "s"), wire.SYNC)
        assert letters(client, 2) == ["CZ", "12DCZ"]
        assert run(client, wire.bind(statement="s"), wire.execute()) == [["2"]]


@pytest.mark.parametrize("text", ["DEALLOCATE s", "DEALLOCATE PREPARE s", 'DEALLOCATE "s"'])
def test_deallocate_by_the_extended_protocol_frees_the_name(single, text):
    with single.login() as client:
        run(client, wire.parse("SELECT 1", "s"))
        run(client, extended(text))
        assert run(client, extended("SELECT 2", "s")) == [["2"]]


def test_a_deallocate_is_about_who_has_the_name_when_it_is_bound(single):
    with single.login() as client:
        client.send(
            wire.parse("DEALLOCATE s"),
            wire.parse("SELECT 1", "s"),
            wire.bind(),
            wire.execute(),
            wire.SYNC,
        )
        assert client.read_reply() == "112CZ"
        run(client, wire.parse("SELECT 2", "s"))
        run(client, wire.parse("DEALLOCATE s"))
        run(client, wire.close(b"S", "s"))
        with pytest.raises(ServerError) as caught:
            run(client, wire.bind(), wire.execute())
        assert caught.value.text == 'prepared statement "s" does not exist'


@pytest.mark.xfail(strict=True, reason="known difference: SQL DEALLOCATE is followed as a simple Query of its own only")
@pytest.mark.parametrize("text", ["DEALLOCATE s; SELECT 7", "SELECT 7; DEALLOCATE s"])
def test_deallocate_among_other_statements_frees_the_name(single, text):
    with single.login() as client:
        run(client, wire.parse("SELECT 1", "s"))
        assert client.query(text) == [["7"]]
        assert run(client, extended("SELECT 2", "s")) == [["2"]]


@pytest.mark.parametrize("text", ["DEALLOCATE ALL", "DEALLOCATE s"])
def test_deallocate_in_the_same_group_frees_the_name(single, text):
    with single.login() as client:
        run(client, wire.parse("SELECT 1", "s"))
        client.send(extended(text), extended("SELECT 2", "s"), wire.SYNC)
        assert client.read_reply() == "12C12DCZ"
        client.send(wire.parse("SELEKT"), extended(text), wire.SYNC)
        assert client.read_reply() == "EZ"
        assert run(client, wire.bind(statement="s"), wire.execute()) == [["2"]]


def test_a_failed_transaction_is_ended_by_a_prepared_rollback(postgres, start_pooler):
    """The server lacks it, and it was parsed under another time zone."""
    pooler = start_pooler(postgres, default_pool_size=1, max_prepared_statements=1)
    with pooler.login() as first, pooler.login() as second:
        run(first, wire.parse("ROLLBACK", "s"))
        first.query("SET timezone = 'Asia/Tokyo'")
        for text in ("SELECT 1", "SELECT 2"):
            run(second, extended(text))
            first.query("SELECT 3")
        run(second, wire.parse("SELECT 1", "s"))
        first.query("BEGIN")
        with pytest.raises(ServerError):
            first.query("SELEKT")
        first.send(wire.bind(statement="s"), wire.execute(), wire.SYNC)
        assert first.read_reply() == "2CZ"
        assert first.query("SHOW timezone") == [["Asia/Tokyo"]]


def test_a_text_is_parsed_anew_when_its_table_has_changed(single):
    """Each client is told once, whoever else has prepared the same."""
    text = "SELECT * FROM changing"
    with single.login() as first, single.login() as second, single.login() as third:
        first.query("CREATE TABLE changing (a int)")
        for client in (first, second):
            run(client, extended(text, "s"))
        third.query("ALTER TABLE changing ADD COLUMN b int")
        for client in (first, second):
            with pytest.raises(ServerError) as caught:
                run(client, wire.bind(statement="s"), wire.execute())
            assert caught.value.sqlstate == "0A000"
            client.send(wire.close(b"S", "s"), extended(text, "s"), wire.SYNC)
            assert client.read_reply() == "312CZ"
        run(third, extended(text, "s"))
        third.query("DROP TABLE changing")


def test_a_statement_of_a_failed_transaction_is_there_for_others(single):
    with single.login() as first, single.login() as second:
        run(first, wire.parse("SELECT 1", "s"))
        first.query("BEGIN")
        with pytest.raises(ServerError):
            first.query("SELEKT")
        for _ in range(2):
            with pytest.raises(ServerError) as caught:
                run(first, wire.parse("SELECT 1", "t"))
            assert caught.value.sqlstate == "25P02"
        with pytest.raises(ServerError) as caught:
            run(first, wire.parse("SELECT 1", "s"))
        assert caught.value.sqlstate == "25P02"
        first.query("ROLLBACK")
        assert run(second, extended("SELECT 1", "s")) == [["1"]]
        assert run(first, extended("SELECT 1", "t")) == [["1"]]


@pytest.mark.parametrize("text", ["SELECT 2", "SELEKT"])
def test_a_taken_name_is_an_error_that_names_it(single, text):
    with single.login() as client:
        for name in ("other", "s"):
            run(client, wire.parse("SELECT 1", name))
        with pytest.raises(ServerError) as caught:
            run(client, wire.parse(text, "s"))
        if text == "SELEKT":
            assert caught.value.sqlstate == "42601"
        else:
            assert caught.value.sqlstate == "42P05"
            assert caught.value.text == 'prepared statement "s" already exists'
        assert run(client, wire.bind(statement="s"), wire.execute()) == [["1"]]


def test_what_a_client_left_unanswered_is_not_believed_to_be_there(single):
    """It leaves behind a pipeline of which the last group will be skipped."""
    with single.login() as second:
        with single.login() as first:
            first.send(
                wire.query("SELECT pg_sleep(0.3)"),
                wire.query("SELECT 1"),
                wire.parse("SELEKT"),
                wire.parse("SELECT 'skipped'", "s"),
                wire.SYNC,
            )
        assert run(second, extended("SELECT 'skipped'", "s")) == [["skipped"]]


def test_only_the_first_63_bytes_of_a_name_count(single):
    with single.login() as client:
        run(client, wire.parse("SELECT 1", "x" * 70))
        assert run(client, wire.bind(statement="x" * 63), wire.execute()) == [["1"]]
        run(client, wire.close(b"S", "x" * 64))
        assert run(client, extended("SELECT 2", "x" * 65)) == [["2"]]


def test_a_sync_that_copy_ignores_does_not_end_the_group(single, table):
    with single.login() as first, single.login() as second:
        first.send(extended("COPY shared FROM STDIN"), wire.SYNC)
        first.read_until(b"G")
        first.send(wire.message(b"d", b"1\n"), wire.message(b"c"), wire.FLUSH)
        first.read_until(b"C")
        second.send(wire.query("SELECT count(*) FROM shared"))
        single.wait_for_pool(cl_waiting=1)
        first.send(extended("SELECT 1/0"), wire.SYNC)
        assert first.read_error().sqlstate == "22012"
        assert second.rows() == [["0"]]
    assert table() == 0, "COPY and what follows are one group"


def test_a_described_vacuum_runs_behind_settings_of_ours(single):
    with single.login() as other, single.login(timezone="Asia/Tokyo") as client:
        run(client, wire.parse("VACUUM", "s"))
        other.query("SELECT 1")
        client.send(
            wire.describe(b"S", "s"), wire.bind(statement="s"), wire.execute(), wire.SYNC
        )
        assert client.read_reply() == "tn2CZ"


# Long pipelines


def test_a_group_of_very_many_messages_goes_through(single):
    n = 60000
    with single.login() as client:
        run(client, wire.parse("SELECT 1", "s"))
        one = wire.bind(statement="s") + wire.execute()
        client.socket.setblocking(False)
        data, got = memoryview(one * n + wire.SYNC), bytearray()
        waited = 0
        while not got.endswith(b"Z\0\0\0\5I"):
            progress = False
            try:
                data = data[client.socket.send(data[:65536]) :] if data else data
                progress = bool(data)
            except BlockingIOError:
                pass
            try:
                got += client.socket.recv(1 << 20)
                progress = True
            except BlockingIOError:
                pass
            waited = 0 if progress else waited + 1
            assert waited < 1_000_000, f"stuck with {len(got)} bytes read, {len(data)} unsent"
        assert got.count(b"SELECT 1\0") == n
