# SPDX-License-Identifier: PostgreSQL
"""Where the examples run: PostgreSQL, before it the Neon stand-in, before that a pooler of five servers.

Run with /usr/bin/python3 -m pytest test/examples; PGBALLAST_BIN names another build. It stands on the
classes of test/integration/support.
"""

import os
import shutil
import signal
from types import SimpleNamespace

import pytest

from support import process
from support.neonfront import NeonFront
from support.pooler import Pooler
from support.postgres import Postgres

SERVERS = 5


def pytest_configure():
    # Ended from outside, as by a time limit: still through the fixtures, which stop what they started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def workspace():
    """A directory that the processes' account may enter; gone after the run."""
    directory = process.new_directory("pgballast-examples")
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
def stack(workspace, postgres):
    """What an app developer has: the pooler by DATABASE_URL, and the app's own URL."""
    front = NeonFront(workspace, postgres)
    settings = {"DEFAULT_POOL_SIZE": SERVERS, "WORKERS": 2}
    pooler = Pooler.from_url(
        workspace,
        front,
        front.url(),
        **{f"PGBALLAST_{name}": str(value) for name, value in settings.items()},
    )
    try:
        front.start()
        pooler.start()
        # The console's string with host and port changed, nothing else.
        url = (
            f"postgresql://app:app%20secret@{pooler.host}:{pooler.port}/app"
            "?sslmode=require&channel_binding=require"
        )
        yield SimpleNamespace(postgres=postgres, front=front, pooler=pooler, url=url)
    finally:
        try:
            pooler.stop()
        finally:
            front.stop()


@pytest.fixture
def copy_of(workspace):
    """copy_of("fastapi"): that example where the processes' account may read it."""

    def copy(name):
        directory = process.new_directory(name, workspace)
        shutil.copytree(
            process.SOURCE_ROOT / "examples" / name,
            directory,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        directory.chmod(0o755)
        return directory

    return copy


@pytest.fixture
def environment(stack):
    """Of the example's processes: nothing of ours but the URL."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "PYTHONDONTWRITEBYTECODE": "1",
        "DATABASE_URL": stack.url,
    }
