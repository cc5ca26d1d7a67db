# SPDX-License-Identifier: PostgreSQL
"""Cancel requests for commands of the console that wait."""

import time

import pytest

from support import wire
from support.waiting import wait_until
from support.wire import ServerError


def paused(pooler):
    (row,) = pooler.console("SHOW DATABASES WHERE name = 'app'")
    (state,) = pooler.console("SHOW STATE WHERE key = 'paused'")
    return row["paused"] == 1 or state["value"] == "yes"


def assert_canceled(console):
    with pytest.raises(ServerError) as caught:
        console.rows()
    assert (caught.value.severity, caught.value.sqlstate) == ("ERROR", "57014")


@pytest.mark.parametrize("command", ["PAUSE", "PAUSE app"])
def test_a_pause_that_is_cancelled_has_not_happened(pooler, console, command):
    with pooler.login() as client:
        client.query("BEGIN")
        console.send(wire.query(f"{command}; SHOW STATE"))
        wait_until(lambda: paused(pooler), "it is paused")
        console.cancel()
        assert_canceled(console)
        assert not paused(pooler)
        client.query("COMMIT")
        assert client.query("SELECT 1") == [["1"]]
    assert console.query("SHOW VERSION")


def test_who_cancels_its_own_waiting_leaves_the_pause_of_another(pooler, console):
    with pooler.login() as client, pooler.login_console() as second:
        client.query("BEGIN")
        console.send(wire.query("PAUSE app"))
        wait_until(lambda: paused(pooler), "it is paused")
        second.send(wire.query("PAUSE app"))
        wait_until(lambda: pooler.log_count("PAUSE 'app' command issued") == 2, "both wait")
        second.cancel()
        assert_canceled(second)
        assert paused(pooler)
        client.query("COMMIT")
        console.rows()
        second.query("RESUME app")


def test_wait_close_is_cancelled_and_the_servers_still_go(pooler, console):
    with pooler.login() as client:
        client.query("BEGIN")
        console.query("RECONNECT app")
        console.send(wire.parse("WAIT_CLOSE app"), wire.bind(), wire.execute(), wire.SYNC)
        assert console.read_until(b"2")
        console.cancel()
        assert_canceled(console)
        client.query("COMMIT")
        console.query("WAIT_CLOSE app")


def test_a_late_cancel_hits_nothing_that_comes_after(pooler, console):
    console.query("SHOW STATE")
    console.cancel()
    with pooler.login() as client:
        client.query("BEGIN")
        console.send(wire.query("PAUSE app"))
        wait_until(lambda: paused(pooler), "it is paused")
        time.sleep(0.1)
        assert paused(pooler)
        client.query("COMMIT")
        console.rows()
    console.query("RESUME app")
