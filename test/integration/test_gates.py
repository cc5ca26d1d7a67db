# SPDX-License-Identifier: PostgreSQL
"""Groups in front of which the pooler has sent settings, in the same transaction, are answered as
PostgreSQL answers them: there the client's messages are the first.
"""

import pytest

from support import wire
from support.postgres import USERS
from support.wire import Wire

# Not reported by the server: a SET of it always travels with the client's first group.
SETTINGS = {"options": "-c search_path=pg_catalog"}


def described(answers):
    return [
        (m.letter, m.fields()["C"], m.fields()["M"]) if m.letter == b"E" else m for m in answers
    ]


def conversation(client, spoil, prepared, writes, n_ready):
    """What is answered to the writes, behind settings of ours if `spoil` makes some necessary."""
    for statement, text in prepared.items():
        client.send(wire.parse(text, statement), wire.SYNC)
        assert client.read_reply() == "1Z"
    spoil()
    answers = []
    for data in writes:
        client.send(data)
    while n_ready:
        answers.append(client.read())
        n_ready -= answers[-1].letter == b"Z"
    client.send(wire.query("SHOW search_path"))
    answers += client.read_until(b"Z")
    return [answer for answer in answers if answer.letter != b"S"]


def assert_as_direct(postgres, pooler, *writes, prepared=None, n_ready=1):
    prepared = prepared or {}
    with Wire("127.0.0.1", postgres.port) as client:
        client.login("app", USERS["app"], "app", **SETTINGS)
        direct = conversation(client, lambda: None, prepared, writes, n_ready)
    with pooler.login(**SETTINGS) as client, pooler.login() as other:
        pooled = conversation(client, lambda: other.query("SELECT 1"), prepared, writes, n_ready)
    assert described(pooled) == described(direct)
    return direct


ALONE = ("DISCARD ALL", "VACUUM pg_catalog.pg_foreign_server", "DO $$BEGIN COMMIT; END$$")


def bound(statement=""):
    return wire.bind(statement=statement) + wire.execute()


@pytest.mark.parametrize("text", ALONE)
@pytest.mark.parametrize(
    "group",
    [
        wire.parse("SELECT 1") + bound("alone"),
        wire.describe(b"S", "plain") + bound("alone"),
        wire.parse("SELECT 1") + bound("alone") + bound("alone"),
        wire.parse("SELECT 1") + bound() + bound("alone"),
        wire.parse("SELECT 1", "new") + wire.FLUSH + bound("alone"),
        wire.parse("SELECT 1", "new") + wire.close(b"S", "alone") + bound("alone"),
        wire.parse("SELEKT 1") + bound("alone"),
    ],
    ids=["parse", "describe", "two of them", "behind another", "flush", "closed", "behind an error"],
)
def test_a_statement_that_runs_alone_may_be_bound_behind_others(postgres, single, text, group):
    prepared = {"alone": text, "plain": "SELECT 1"}
    assert_as_direct(postgres, single, group + wire.SYNC, prepared=prepared)


@pytest.mark.parametrize("text", ALONE)
def test_the_same_parsed_in_that_group(postgres, single, text):
    for group in (
        wire.parse("SELECT 1", "s") + wire.parse(text) + bound(),
        wire.parse("SELECT 1", "s") + wire.parse(text, "t") + bound("t"),
    ):
        answers = assert_as_direct(postgres, single, group + wire.SYNC)
        assert [m.letter for m in answers[:4]] == [b"1", b"1", b"2", b"C"]
    assert_as_direct(
        postgres, single, wire.parse("SELECT 1") + wire.query(text) + wire.SYNC, n_ready=2
    )


def test_the_same_in_several_writes(postgres, single):
    prepared = {"alone": ALONE[0], "plain": "SELECT 1"}
    group = (
        wire.parse("SELECT 1", "a"),
        # On the server already: its answer is ours to give.
        wire.parse("SELECT 1", "b") + bound("alone"),
        wire.SYNC,
    )
    assert_as_direct(postgres, single, *group, prepared=prepared)


def test_the_same_where_names_are_not_followed(postgres, start_pooler):
    pooler = start_pooler(postgres, default_pool_size=1, max_prepared_statements=0)
    group = wire.parse("SELECT 1", "s") + wire.parse(ALONE[0], "t") + bound("t")
    assert_as_direct(postgres, pooler, group + wire.SYNC)


def test_it_does_not_run_behind_settings_that_are_refused(single):
    with single.login() as other, single.login(options="-c role=nobody") as client:
        other.query("SELECT 1")
        client.send(wire.parse("SELECT 1", "s"), wire.parse("DISCARD ALL"), bound(), wire.SYNC)
        assert client.read_reply() == "EZ"


@pytest.mark.parametrize(
    "group",
    [
        wire.execute(),
        wire.describe(b"P"),
        wire.close(b"P") + wire.execute(),
        wire.parse("SELECT 1") + wire.execute(),
        wire.parse("SELECT 1") + wire.FLUSH + wire.describe(b"P"),
        wire.parse("SELECT 1") + wire.bind(portal="p") + wire.execute(),
        wire.parse("SELECT 1") + wire.bind(portal="p") + wire.describe(b"P"),
        wire.parse("SELECT 1") + wire.bind() + wire.describe(b"P") + wire.execute(),
    ],
)
def test_a_portal_of_ours_is_not_there(postgres, single, group):
    assert_as_direct(postgres, single, group + wire.SYNC)


# Statements that are parsed again under the settings of their first Parse


def parsed_again(client, spoil, text, *messages):
    """`s` was prepared under other settings, and the server that keeps one has it no more."""
    answers = []
    for data in (
        wire.parse(text, "s") + wire.SYNC,
        wire.query("SET TimeZone = 'Asia/Tokyo'"),
        wire.parse("SELECT 1", "t") + bound("t") + wire.SYNC,
        *messages,
    ):
        spoil()
        client.send(data)
        answers.append([m for m in client.read_until(b"Z") if m.letter not in b"SN"])
    assert client.query("SHOW TimeZone") == [["Asia/Tokyo"]]
    return [described(answer) for answer in answers]


@pytest.fixture(params=[False, True], ids=["", "contended"])
def assert_parsed_again_as_direct(postgres, start_pooler, request):
    pooler = start_pooler(postgres, default_pool_size=1, max_prepared_statements=1)

    def check(text, *messages):
        with Wire("127.0.0.1", postgres.port) as client:
            client.login("app", USERS["app"], "app")
            direct = parsed_again(client, lambda: None, text, *messages)
        with pooler.login() as client, pooler.login() as other:

            def spoil():
                if request.param and pooler.pool_is(sv_active=0):
                    other.query("SELECT 1")

            assert parsed_again(client, spoil, text, *messages) == direct
        return direct[3:]

    return check


@pytest.mark.parametrize("text", ALONE[1:])
@pytest.mark.parametrize("first", [b"", wire.describe(b"S", "s")], ids=["bound", "described"])
def test_it_runs_alone_when_it_is_parsed_again(assert_parsed_again_as_direct, text, first):
    group = first + bound("s") + wire.SYNC
    answers = assert_parsed_again_as_direct(text, group, group)
    assert [answer[-2].letter for answer in answers] == [b"C", b"C"]


def test_in_one_write_behind_a_query(assert_parsed_again_as_direct):
    messages = wire.query("SELECT 1") + bound("s") + wire.SYNC
    assert_parsed_again_as_direct(ALONE[1], messages, b"", bound("s") + wire.SYNC)


def test_in_a_transaction_it_is_the_same_error(assert_parsed_again_as_direct):
    begin = wire.query("BEGIN"), bound("s") + wire.SYNC, wire.query("ROLLBACK")
    (_, refused, _, run) = assert_parsed_again_as_direct(ALONE[1], *begin, bound("s") + wire.SYNC)
    assert (refused[1][1], run[1].letter) == ("25001", b"C")


def test_if_it_cannot_be_parsed_any_more_that_is_the_error_of_its_group(
    postgres, assert_parsed_again_as_direct
):
    procedure = "CREATE OR REPLACE PROCEDURE going() LANGUAGE sql AS ''"
    postgres.sql(f"SET ROLE app; {procedure}", database="app")
    drop, create = wire.query("DROP PROCEDURE going()"), wire.query(procedure)
    group = bound("s") + wire.parse("SELECT 1", "u") + wire.SYNC
    (_, refused, _, run) = assert_parsed_again_as_direct(
        "CALL going()", drop, group, create, bound("s") + wire.SYNC
    )
    assert (refused[0][1], run[1].letter) == ("42883", b"C")


def test_what_failed_before_is_not_the_error_of_a_statement_that_is_parsed_again(
    assert_parsed_again_as_direct,
):
    """In a failed transaction it is parsed as well, behind nothing."""
    alone = bound("s") + wire.SYNC
    begin = wire.query("BEGIN"), wire.query("SELECT 1/0"), alone, wire.query("ROLLBACK")
    answers = assert_parsed_again_as_direct(ALONE[1], *begin, alone)
    assert (answers[2][0][1], answers[4][1].letter) == ("25P02", b"C")
