# SPDX-License-Identifier: PostgreSQL
"""WHERE, ORDER BY and LIMIT behind every SHOW of the console."""

import psycopg
import pytest

from support.columns import COLUMNS, columns_of
from support.pooler import CONSOLE_PASSWORD, CONSOLE_USER
from support.wire import ServerError


@pytest.fixture
def console(pooler):
    with pooler.wire() as client:
        client.login(CONSOLE_USER, CONSOLE_PASSWORD, "pgballast")
        yield client


@pytest.mark.parametrize("what", COLUMNS)
def test_every_show_takes_clauses_and_keeps_its_columns(pooler, what):
    pooler.login().terminate()
    (name, oid) = columns_of(what)[0]
    text = "x" if oid == 25 else "-1"
    rows = pooler.console(f"SHOW {what} ORDER BY {name} DESC LIMIT 1")
    assert len(rows) == min(1, len(pooler.console(f"SHOW {what}")))
    assert pooler.console(f"SHOW {what} WHERE {name} = '{text}'") == []
    for row in pooler.console(f"SHOW {what} WHERE {name} IS NOT NULL"):
        assert list(row) == [title for title, _ in columns_of(what)]


def test_clauses_choose_and_sort_rows(pooler):
    with pooler.login(), pooler.login(database="second"):
        rows = pooler.console("SHOW CLIENTS WHERE user = 'app' ORDER BY database DESC")
        assert [row["database"] for row in rows] == ["second", "app"]
        (row,) = pooler.console("SHOW POOLS WHERE database LIKE 'sec%' AND cl_active >= 1")
        assert row["database"] == "second"
        names = [row["key"] for row in pooler.console("SHOW CONFIG WHERE key LIKE 'server%life%'")]
        assert names == ["server_lifetime"]
        assert len(pooler.console("SHOW CLIENTS WHERE user = 'app' LIMIT 1")) == 1


def test_clauses_work_in_the_extended_protocol_and_in_scripts(pooler, console):
    parameters = pooler.parameters(user=CONSOLE_USER, dbname="pgballast")
    with psycopg.connect(**parameters, autocommit=True) as connection:
        cursor = connection.execute(
            "SHOW STATE WHERE key = 'paused'", prepare=True, binary=True
        )
        assert cursor.fetchall() == [("paused", "no")]
    rows = console.query("SHOW STATE LIMIT 0; SHOW STATE WHERE value = 'yes' OR key = 'x;y'")
    assert rows[-1] == ["active", "yes"]


@pytest.mark.parametrize(
    ("clauses", "sqlstate"),
    [
        ("WHERE nothing = 1", "42703"),
        ("WHERE database = 1", "42804"),
        ("WHERE database = ", "42601"),
        ("ORDER BY 99", "42703"),
        ("WHERE " + "(" * 1000, "54001"),
        ("WITH x", "42601"),
    ],
)
def test_clauses_that_make_no_sense_are_errors(console, clauses, sqlstate):
    with pytest.raises(ServerError) as caught:
        console.query(f"SHOW POOLS {clauses}")
    assert caught.value.sqlstate == sqlstate
    assert console.query("SHOW VERSION")
