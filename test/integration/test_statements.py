# SPDX-License-Identifier: PostgreSQL
"""max_prepared_statements: how many a server keeps, when it changes, and what is counted."""

import pytest

from support.wire import SYNC, ServerError, bind, close, describe, execute, parse, query


def prepare(wire, name, text):
    wire.send(parse(text, name), SYNC)
    assert wire.read_reply() == "1Z"


def run(wire, name):
    wire.send(bind(statement=name), execute(), SYNC)
    return wire.rows()


def on_server(wire):
    return int(wire.query("SELECT count(*) FROM pg_prepared_statements")[0][0])


def test_a_server_keeps_no_more_than_it_may_also_when_that_is_lowered(postgres, start_pooler):
    pooler = start_pooler(postgres, default_pool_size=1, max_prepared_statements=5)
    with pooler.login() as wire:
        for number in range(8):
            prepare(wire, f"s{number}", f"SELECT {number}")
        assert on_server(wire) == 5
        pooler.console("SET max_prepared_statements = 2")
        assert [run(wire, f"s{number}") for number in range(8)] == [[[str(n)]] for n in range(8)]
        assert on_server(wire) == 2
        # Who began with names that are followed goes on so; who comes now is not followed.
        pooler.console("SET max_prepared_statements = 0")
        assert run(wire, "s3") == [["3"]]
        assert wire.query("SELECT 1") == [["1"]]
        with pooler.login() as later:
            prepare(later, "s3", "SELECT 'later'")
            assert run(later, "s3") == [["later"]]
        assert run(wire, "s3") == [["3"]]
        pooler.console("SET max_prepared_statements = 5")
        assert run(wire, "s4") == [["4"]]


def test_the_unnamed_statement_of_who_is_not_followed_is_nobody_elses(postgres, start_pooler):
    pooler = start_pooler(postgres, default_pool_size=1, max_prepared_statements=5)
    with pooler.login() as wire:
        pooler.console("SET max_prepared_statements = 0")
        prepare(wire, "", "SELECT 'mine'")
        assert run(wire, "") == [["mine"]]
        with pooler.login() as later:
            prepare(later, "", "SELECT 'theirs'")
        assert run(wire, "") == [["mine"]]


def test_parses_and_binds_are_counted_apart(postgres, start_pooler):
    pooler = start_pooler(postgres, default_pool_size=1)
    with pooler.login() as one, pooler.login(application_name="other") as two:
        for wire in (one, two):
            prepare(wire, "s", "SELECT 7")
            for _ in range(3):
                run(wire, "s")
        one.send(query("DEALLOCATE s"))
        assert one.read_reply() == "CZ"
    (row,) = [row for row in pooler.console("SHOW STATS") if row["database"] == "app"]
    counted = [int(row[f"total_{what}_count"]) for what in ("client_parse", "server_parse", "bind")]
    assert counted == [2, 1, 6]


def test_who_never_closes_a_statement_is_told_what_to_do(single):
    with single.login() as wire:
        for start in range(0, 32000, 1000):
            names = range(start, start + 1000)
            wire.send(*(parse("SELECT 7", f"s{number}") for number in names), SYNC)
            assert wire.read_reply() == "1" * 1000 + "Z"
        assert run(wire, "s0") == run(wire, "s31999") == [["7"]]
        wire.query("DEALLOCATE ALL")
        wire.send(*(parse("SELECT 7", f"s{number}") for number in range(32769)), SYNC)
        fields = wire.read_until(b"E")[-1].fields()
        assert (fields["S"], fields["C"]) == ("FATAL", "54000")
        assert "too many prepared statements" in fields["M"]
        assert "DEALLOCATE ALL" in fields["H"]


# Texts that are too large to be remembered


def large(text):
    return f"{text} /*{'x' * (1 << 20)}*/"


def refused(wire, *messages):
    wire.send(*messages, SYNC)
    error = wire.read_error()
    wire.read_until(b"Z")
    return error.sqlstate


@pytest.mark.parametrize("first", ["SELECT 'first'", large("SELECT 'first'")], ids=["small", "large"])
@pytest.mark.parametrize("second", ["SELECT 2", large("SELECT 2")], ids=["small", "large"])
def test_a_name_is_given_once_whatever_the_size_of_its_text(single, first, second):
    with single.login() as wire:
        prepare(wire, "s", first)
        assert refused(wire, parse(second, "s")) == "42P05"
        assert run(wire, "s") == [["first"]]
        wire.send(close(b"S", "s"), parse(second, "s"), SYNC)
        assert wire.read_reply() == "31Z"
        assert run(wire, "s") == [["2"]]
        assert refused(wire, parse(second, "t"), parse(first, "t")) == "42P05"
        wire.query("DISCARD ALL")
        prepare(wire, "s", first)
        assert run(wire, "s") == [["first"]]


@pytest.mark.parametrize("unnamed", ["SELECT 5", large("SELECT 5")], ids=["small", "large"])
def test_a_large_text_that_fails_leaves_the_unnamed_statement(single, unnamed):
    with single.login() as wire:
        prepare(wire, "", unnamed)
        assert refused(wire, parse(large("SELEKT"), "s")) == "42601"
        assert run(wire, "") == [["5"]]


# Definitions change


@pytest.fixture
def table(postgres):
    """owner(text) runs it beside the pooler; the table "changing" has one row, n = 1."""

    def owner(text):
        postgres.sql(f"SET ROLE app; {text}", database="app")

    owner("DROP TABLE IF EXISTS changing; CREATE TABLE changing AS SELECT 1 AS n")
    yield owner
    owner("DROP TABLE changing")


LOOK = "SELECT * FROM changing"


def test_a_parse_behind_a_change_of_definitions_is_one(single, table):
    with single.login() as one, single.login() as two:
        for wire in (one, two):
            prepare(wire, "s", LOOK)
            assert run(wire, "s") == [["1"]]
        one.query("ALTER TABLE changing ADD m int DEFAULT 2")
        prepare(one, "t", LOOK)
        prepare(two, "t", LOOK)
        assert run(one, "t") == run(two, "t") == [["1", "2"]]
        with pytest.raises(ServerError, match="cached plan must not change result type"):
            run(two, "s")
        one.query("DROP TABLE changing")
        one.query("CREATE TABLE changing AS SELECT 'x' AS n")
        prepare(two, "u", LOOK)
        assert run(two, "u") == [["x"]]


def name_on_server(wire, name, text):
    prepare(wire, name, text)
    run(wire, name)
    return wire.query(
        f"SELECT name FROM pg_prepared_statements WHERE statement = '{text}' ORDER BY prepare_time"
    )[-1]


def test_a_change_of_definitions_is_of_its_database(single, table):
    text = "SELECT 40 + 2"
    with single.login() as one, single.login(database="second") as two:
        before = [name_on_server(wire, "s", text) for wire in (one, two)]
        one.query("ALTER TABLE changing ADD m int DEFAULT 2")
        after = [name_on_server(wire, "t", text) for wire in (one, two)]
    assert after[0] != before[0]
    assert after[1] == before[1]


@pytest.mark.parametrize(
    ("text", "change", "sqlstate"),
    [
        (LOOK, "ADD m int DEFAULT 2", "0A000"),
        ("SELECT n FROM changing WHERE n = $1", "ALTER n TYPE text", "42883"),
    ],
    ids=["another result", "another parameter"],
)
def test_who_is_told_that_a_statement_is_outdated_parses_it_again(
    single, table, text, change, sqlstate
):
    with single.login() as one, single.login() as two:
        prepare(one, "s", text)
        table(f"ALTER TABLE changing {change}")
        for wire in (one, two):
            if wire is one:
                wire.send(describe(b"S", "s"), SYNC)
                assert wire.read_error().sqlstate == sqlstate
                wire.read_until(b"Z")
            prepare(wire, "t", text)
            wire.send(describe(b"S", "t"), SYNC)
            assert wire.read_reply() == "tTZ"
