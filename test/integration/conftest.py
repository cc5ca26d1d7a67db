# SPDX-License-Identifier: PostgreSQL
"""Fixtures: one PostgreSQL for all tests, a pooler of its own for each.

Run with /usr/bin/python3 -m pytest test/integration; PGBALLAST_BIN names another build. Tests that
restart or break PostgreSQL use `own_postgres`. PGBALLAST_SANITIZER is set by dev/test when the program
carries a sanitizer.
"""

import shutil
import signal

import pytest

from support import process
from support.pooler import Pooler, is_sanitized
from support.postgres import Postgres


def pytest_configure(config):
    # Ended from outside, as by a time limit: still through the fixtures, which stop what they started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.addinivalue_line("markers", "threads: exercises the workers together; run under tsan")
    config.addinivalue_line("markers", "memory: measures memory; skipped under a sanitizer")


def pytest_collection_modifyitems(items):
    if is_sanitized():
        for item in items:
            if item.get_closest_marker("memory"):
                item.add_marker(pytest.mark.skip(reason="a sanitizer's memory says nothing"))


@pytest.fixture(scope="session")
def workspace():
    """A directory that the processes' account may enter; gone after the run."""
    directory = process.new_directory("pgballast-test")
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def running_postgres(workspace, **settings):
    server = Postgres(workspace, **settings)
    try:
        yield server.create()
    finally:
        server.destroy()


@pytest.fixture(scope="session")
def shared_postgres(workspace):
    yield from running_postgres(workspace)


@pytest.fixture
def postgres(shared_postgres):
    """The common server, with no session of an earlier test left on it."""
    shared_postgres.terminate_all("app")
    shared_postgres.terminate_all("other")
    yield shared_postgres


@pytest.fixture(scope="module")
def own_postgres(workspace):
    """A server that this module's tests may kill and restart."""
    yield from running_postgres(workspace)


@pytest.fixture
def start_pooler(workspace):
    """start_pooler(upstream, setting=value, …): a running Pooler, stopped and judged at the end."""
    started = []

    def start(upstream, **settings):
        pooler = Pooler(workspace, upstream, **settings)
        started.append(pooler)
        return pooler.start()

    yield start
    stop_all(started)


@pytest.fixture
def start_from_url(workspace):
    """start_from_url(upstream, url, NAME=value, …): the same, by DATABASE_URL."""
    started = []

    def start(upstream, url, **environment):
        pooler = Pooler.from_url(workspace, upstream, url, **environment)
        started.append(pooler)
        return pooler.start()

    yield start
    stop_all(started)


def stop_all(poolers):
    """Stop every one, then raise the first complaint."""
    complaints = []
    for pooler in poolers:
        try:
            pooler.stop()
        except AssertionError as complaint:
            complaints.append(complaint)
    if complaints:
        raise complaints[0]


@pytest.fixture
def pooler(postgres, start_pooler):
    """The ordinary case: transaction mode, two workers, five servers, TLS upstream."""
    return start_pooler(postgres)


@pytest.fixture
def single(postgres, start_pooler):
    """A pool of one server, so that who has it is visible."""
    return start_pooler(postgres, default_pool_size=1)


@pytest.fixture
def console(pooler):
    """A raw connection to the console of `pooler`."""
    with pooler.login_console() as client:
        yield client
