# SPDX-License-Identifier: PostgreSQL
"""max_prepared_statements: how many a server keeps, when it changes, and what is counted."""

from support.wire import SYNC, bind, execute, parse, query


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
