# SPDX-License-Identifier: PostgreSQL
"""Drivers on the console that are no Python (for these: test_console.py), each a program in drivers/."""

import os
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest

from support import process
from support.pooler import CONSOLE_PASSWORD, CONSOLE_USER

PROGRAMS = Path(__file__).resolve().parent / "drivers"
JDBC = Path("/usr/share/java/postgresql.jar")
NODE_PATH = Path("/usr/share/nodejs")


@pytest.fixture
def run_program(pooler):
    """run_program(command, name, **environment): what it prints, with one client in the only pool."""

    def run(command, name, **environment):
        directory = process.new_directory("driver", pooler.directory)
        shutil.copy(PROGRAMS / name, directory)
        environment.update(PATH=os.environ["PATH"], HOME=str(directory), TMPDIR=str(directory))
        with pooler.login() as client:
            client.query("SELECT 1")
            return process.run([*command, name], cwd=directory, env=environment).split()

    return run


def test_jdbc_speaks_to_the_console_in_each_of_its_modes(pooler, run_program):
    if shutil.which("java") is None or not JDBC.exists():
        pytest.skip("not installed: dev/install-packages drivers")
    words = run_program(
        ("java", "-Xshare:auto", "-cp", JDBC),
        "ConsoleJdbc.java",
        JDBC_URL=(
            f"jdbc:postgresql://{pooler.host}:{pooler.port}/pgbouncer?user={CONSOLE_USER}"
            f"&password={quote(CONSOLE_PASSWORD)}&sslmode=disable"
        ),
    )
    assert words == ["simple", "extended", "extendedForPrepared"]


def test_node_pg_speaks_to_the_console(pooler, run_program):
    path = Path(os.environ.get("NODE_PATH", NODE_PATH))
    if shutil.which("node") is None or not (path / "pg").exists():
        pytest.skip("not installed: dev/install-packages node, or NODE_PATH names it")
    words = run_program(
        ("node",),
        "console_pg.js",
        NODE_PATH=str(path),
        DATABASE_URL=(
            f"postgresql://{CONSOLE_USER}:{quote(CONSOLE_PASSWORD)}@{pooler.host}:{pooler.port}/pgbouncer"
        ),
    )
    assert words == ["console"]
