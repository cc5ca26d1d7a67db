# SPDX-License-Identifier: PostgreSQL
"""/health/db?wake=1 connects to a database that sleeps, and answers within two seconds."""

import http.client
import json
import socket
import time
from contextlib import closing

import pytest

from support import process
from support.postgres import USERS
from support.waiting import wait_until


@pytest.fixture
def start(start_pooler, postgres):
    def start(host, port, **settings):
        web = process.free_port()
        line = f"host={host} port={port} dbname=app user=app password='{USERS['app']}'"
        pooler = start_pooler(postgres, http_port=web, databases={"app": line}, **settings)
        wait_until(lambda: process.accepts_connections(web), "the HTTP port listens")
        return pooler, web

    return start


def ask(port, path="/health/db?wake=1"):
    """(status, health, seconds)"""
    begun = time.monotonic()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, json.load(reply), time.monotonic() - begun


def test_wake_connects_and_says_so_and_without_it_nothing_is_touched(postgres, start):
    pooler, port = start(postgres.host, postgres.port)
    assert ask(port, "/health/db")[1]["database"] == "never contacted"
    wait_until(lambda: postgres.backends() == [], "none but those of a test before")
    status, health, seconds = ask(port)
    assert (status, health["database"]) == (200, "connected")
    assert seconds < 2
    assert len(postgres.backends()) == 1
    assert ask(port)[1]["database"] == "connected"
    assert len(postgres.backends()) == 1
    with pooler.login() as client:
        assert client.query("SELECT 1") == [["1"]]
    assert len(postgres.backends()) == 1


def test_wake_of_a_database_out_of_reach_is_503_with_the_reason(start):
    _, port = start("127.0.0.1", process.free_port())
    status, health, seconds = ask(port)
    assert (status, health["database"]) == (503, "unreachable")
    assert "refused" in health["error"]
    assert seconds < 2


def test_wake_of_a_database_that_takes_its_time_is_answered_in_two_seconds(start):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        _, port = start("127.0.0.1", silent.getsockname()[1])
        status, health, seconds = ask(port)
        assert status == 200 and health["database"] in ("never contacted", "waking")
        assert 1 < seconds < 2
        # Who does not wait for the answer is forgotten.
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", port)) as hasty:
                hasty.sendall(b"GET /health/db?wake=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert ask(port, "/health/db")[2] < 1


def test_wake_leaves_a_paused_database_alone(postgres, start):
    pooler, port = start(postgres.host, postgres.port)
    pooler.console("PAUSE")
    ask(port)
    wait_until(lambda: postgres.backends() == [], "none but those of a test before")
    pooler.console("RESUME")
    wait_until(lambda: ask(port)[1]["database"] == "connected", "it is woken")
