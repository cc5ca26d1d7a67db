# SPDX-License-Identifier: PostgreSQL
"""examples/fastapi through the pooler, in transaction mode over five servers."""

import asyncio
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from conftest import SERVERS
from support import process
from support.waiting import wait_until

REQUESTS = 120


@pytest.fixture
def app(stack, environment, copy_of):
    """The running example; its address. What it wrote to its log is judged too."""
    directory = copy_of("fastapi")
    port = process.free_port()
    log = directory / "uvicorn.log"
    server = process.start(
        [sys.executable, "-m", "uvicorn", "app.main:app", "--port", port, "--no-access-log"],
        log,
        cwd=directory,
        env=environment,
    )
    try:
        wait_until(
            lambda: server.poll() is not None or process.accepts_connections(port),
            "the example listens",
        )
        assert server.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}"
        server.terminate()
        assert server.wait(timeout=20) in (0, -15), log.read_text()
        assert "Traceback" not in log.read_text(), log.read_text()[-6000:]
    finally:
        process.kill_group(server)


PREPARE = "from app.startup import prepare_database; prepare_database()"


class Peak:
    """The most sessions that the application's user had at a time; looked at in a thread."""

    def __init__(self, postgres):
        self.postgres = postgres
        self.sessions = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        while not self.over.wait(0.02):
            self.sessions = max(self.sessions, len(self.postgres.backends("app")))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


async def request_at_once(address, calls):
    """The calls (method, path, body) in parallel: their answers, in order."""
    limits = httpx.Limits(max_connections=len(calls))
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as client:
        return await asyncio.gather(
            *(client.request(method, path, json=body) for method, path, body in calls)
        )


def shop(address, path, n):
    """n requests at once, half of them orders; none may fail. How many orders there were."""
    reads = [("GET", where, None) for where in (path, "/items", f"{path}/orders")]
    calls = [
        ("POST", f"{path}/orders", {"quantity": 1}) if i % 2 else reads[i // 2 % len(reads)]
        for i in range(n)
    ]
    answers = asyncio.run(request_at_once(address, calls))
    failed = [
        (call, answer.status_code, answer.text)
        for call, answer in zip(calls, answers)
        if answer.status_code != (201 if call[0] == "POST" else 200)
    ]
    assert failed == []
    return sum(method == "POST" for method, _, _ in calls)


def new_item(address, stock):
    answer = httpx.post(f"{address}/items", json={"name": f"test of {stock}", "stock": stock})
    assert answer.status_code == 201, answer.text
    return f"/items/{answer.json()['id']}"


def remove(address, path):
    assert httpx.delete(f"{address}{path}/orders").status_code == 204
    assert httpx.delete(f"{address}{path}").status_code == 204


def assert_ordered(address, path, stock, n):
    """Each order took effect once."""
    assert httpx.get(f"{address}{path}").json()["stock"] == stock - n
    assert len(httpx.get(f"{address}{path}/orders").json()) == n


def test_the_example_s_own_tests_pass(environment, copy_of):
    output = process.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=copy_of("fastapi"), env=environment
    )
    assert re.search(r"^\d+ passed\b", output, re.MULTILINE), output
    assert "skipped" not in output, output


def test_workers_that_start_at_the_same_time_migrate_once(stack, environment, copy_of):
    stack.postgres.sql("CREATE DATABASE fresh OWNER app")
    environment["DATABASE_URL"] = stack.url.replace("/app?", "/fresh?")
    directory = copy_of("fastapi")

    def prepare(_):
        process.run([sys.executable, "-c", PREPARE], cwd=directory, env=environment)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(prepare, range(4)))
    assert stack.postgres.sql("SELECT * FROM alembic_version", database="fresh") == [("0001",)]
    assert stack.postgres.value("SELECT count(*) FROM items", database="fresh") == 2


def test_concurrent_requests_share_five_servers(stack, app):
    path = new_item(app, 1000)
    n_orders = 0
    with Peak(stack.postgres) as peak:
        for _ in range(5):
            n_orders += shop(app, path, REQUESTS)
    assert_ordered(app, path, 1000, n_orders)
    assert 1 < peak.sessions <= SERVERS
    remove(app, path)


def asleep(front):
    front.wait_for(state="suspended", connections=0)


@pytest.mark.parametrize("wake_ms", [50, 1500])
def test_no_request_fails_when_the_database_has_fallen_asleep(stack, app, wake_ms):
    """Three times: it falls asleep by itself when nobody asks, and 120 requests wake it."""
    stack.front.set(suspend_after_ms=300, wake_ms=wake_ms)
    stock = 1001 + wake_ms
    path = new_item(app, stock)
    n_orders = 0
    for _ in range(3):
        asleep(stack.front)
        n_orders += shop(app, path, REQUESTS)
    stack.front.set(suspend_after_ms=300000)
    assert stack.front.count("wake_begin") >= 3
    assert_ordered(app, path, stock, n_orders)
    remove(app, path)


@pytest.mark.parametrize("manner", ["direct", "pooled"])
def test_no_request_fails_that_comes_right_behind_a_suspend(stack, app, manner):
    """The pooler may not have heard of it yet and gives a request a server that is already gone."""
    path = new_item(app, 2000)
    n_orders = 0
    for _ in range(3):
        stack.front.suspend(manner)
        n_orders += shop(app, path, REQUESTS)
    assert_ordered(app, path, 2000, n_orders)
    remove(app, path)


def test_no_request_fails_after_a_restart_of_the_pooler(stack, app):
    """What the app has in its own pool is then dead; its ping finds out."""
    path = new_item(app, 3000)
    n_orders = shop(app, path, REQUESTS)
    stack.pooler.stop()
    stack.pooler.start()
    n_orders += shop(app, path, REQUESTS)
    assert_ordered(app, path, 3000, n_orders)
    remove(app, path)


def test_the_health_of_the_database_is_told_by_status(stack, app):
    assert httpx.get(f"{app}/health/db").status_code == 200
    stack.front.fail("E21", times=0)
    stack.front.suspend()
    stack.front.wait_for(connections=0)
    answer = httpx.get(f"{app}/health/db")
    assert (answer.status_code, answer.json()["status"]) == (503, "error")
    assert httpx.get(f"{app}/health").status_code == 200
    stack.front.order("clear")
