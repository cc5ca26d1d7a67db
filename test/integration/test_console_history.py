# SPDX-License-Identifier: PostgreSQL
"""SHOW EVENTS and SHOW ERRORS: what happened lately, in bounded memory."""

import json
import urllib.request

import pytest

from support import process
from support.pooler import CONSOLE_USER
from support.waiting import wait_until
from support.wire import ServerError

ENTRIES = 256


def messages(pooler, ring):
    return [row["message"] for row in pooler.console(f"SHOW {ring} ORDER BY id")]


def test_events_are_starts_reloads_and_orders_with_who_gave_them(pooler):
    assert any("process up" in message for message in messages(pooler, "EVENTS"))
    pooler.console("PAUSE app")
    pooler.console("RESUME app")
    pooler.console("RELOAD")
    assert messages(pooler, "EVENTS")[-1] == "configuration reloaded"
    for order in ("PAUSE 'app'", "RESUME 'app'", "RELOAD"):
        assert f"{order} command issued by {CONSOLE_USER}" in messages(pooler, "EVENTS")


def test_a_set_is_an_order_and_no_reload(pooler):
    before = len(messages(pooler, "EVENTS"))
    pooler.console("SET query_timeout = 7")
    order = f"SET query_timeout command issued by {CONSOLE_USER}"
    assert messages(pooler, "EVENTS")[before:] == [order]
    assert "configuration reloaded" not in pooler.log()


def test_errors_are_what_the_log_has_as_warning_or_worse(pooler):
    with pytest.raises(ServerError), pooler.wire() as client:
        client.login("app", "wrong", "app")
    rows = pooler.console("SHOW ERRORS ORDER BY id DESC LIMIT 1")
    assert rows and rows[0]["severity"] in ("WARNING", "ERROR")
    assert rows[0]["message"].startswith("C-0x")
    assert "wrong" not in rows[0]["message"]


def test_the_rings_are_bounded_and_ids_show_what_was_lost(pooler):
    with pooler.wire() as client:
        client.login(CONSOLE_USER, pooler.users[CONSOLE_USER], "pgballast")
        for _ in range(ENTRIES + 20):
            with pytest.raises(ServerError):
                client.query("SHOW ME")
    rows = pooler.console("SHOW ERRORS")
    assert len(rows) == ENTRIES
    ids = [row["id"] for row in rows]
    assert ids == list(range(ids[0], ids[0] + ENTRIES)) and ids[0] > 1
    last = ids[-1]
    assert pooler.console(f"SHOW ERRORS WHERE id > {last}") == []


def test_the_status_page_has_events_and_no_errors(postgres, start_pooler):
    port = process.free_port()
    pooler = start_pooler(postgres, http_port=port)
    wait_until(lambda: process.accepts_connections(port), "the HTTP port listens")
    with pytest.raises(ServerError), pooler.wire() as client:
        client.login("app", "wrong", "app")

    def events():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/events", timeout=10) as reply:
            return [event["message"] for event in json.load(reply)["events"]]

    pooler.console("RELOAD")
    wait_until(lambda: "configuration reloaded" in events(), "the page has it")
    assert not any(message.startswith("C-0x") for message in events())
