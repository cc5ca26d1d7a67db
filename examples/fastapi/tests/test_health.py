# SPDX-License-Identifier: PostgreSQL
import time

from sqlalchemy import create_engine

from app import database


def test_the_process_is_healthy(client):
    answer = client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_the_database_is_healthy(client):
    answer = client.get("/health/db")
    assert (answer.status_code, answer.json()["database"]) == (200, "connected")


def test_a_database_that_refuses_is_503_and_says_nothing_of_where_it_is(client, monkeypatch):
    nowhere = create_engine("postgresql://u:p@127.0.0.1:1/d")
    monkeypatch.setattr(database, "engine", nowhere)
    answer = client.get("/health/db")
    assert answer.status_code == 503
    assert answer.json() == {"status": "error", "database": "unavailable"}


def test_a_database_that_hangs_is_503_in_time(client, monkeypatch):
    monkeypatch.setattr(database, "ping", lambda: time.sleep(3))
    begun = time.monotonic()
    assert client.get("/health/db").status_code == 503
    assert time.monotonic() - begun < 2.9


def test_pool_stats_show_what_is_checked_out(client):
    before = client.get("/admin/db/pool-stats").json()
    with database.engine.connect():
        during = client.get("/admin/db/pool-stats").json()
    assert during["checked_out"] == before["checked_out"] + 1
    assert set(before) == {"size", "max", "checked_in", "checked_out", "overflow"}
