# SPDX-License-Identifier: PostgreSQL
"""The stand-in's own tests: clients speak to it directly, no pooler takes part.

Run with /usr/bin/python3 -m pytest test/neonfront. PostgreSQL, processes and raw clients are those
of test/integration/support.
"""

import shutil

import pytest

from support import process
from support.neonfront import NeonFront
from support.postgres import Postgres


@pytest.fixture(scope="session")
def workspace():
    directory = process.new_directory("neonfront-test")
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(workspace):
    server = Postgres(workspace)
    try:
        yield server.create()
    finally:
        server.destroy()


@pytest.fixture
def start_front(workspace, postgres):
    """start_front(knob=value, …): a running stand-in, stopped at the end.

    It stands before `before`, which is the common PostgreSQL if nothing is said."""
    started = []

    def start(before=postgres, **knobs):
        front = NeonFront(workspace, before, **knobs)
        started.append(front)
        return front.start()

    yield start
    for front in started:
        front.stop()


@pytest.fixture
def front(start_front):
    return start_front()
