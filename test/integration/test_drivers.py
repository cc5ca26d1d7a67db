# SPDX-License-Identifier: PostgreSQL
"""Drivers and ORMs with the URL that a provider's console shows, host and port changed, nothing else.

Each is a program of its own in drivers/; README.md there says what it does. They run in transaction mode
over two servers. A driver that is not installed is skipped; dev/packages says which are installed by
default. PGBALLAST_NPM=1 takes Node's from npm into a temporary directory.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from support import process

PROGRAMS = Path(__file__).resolve().parent / "drivers"
SERVERS = 2

ALL = "connect prepared rollback error cancel crowd"
DROPPED = 'ignoring startup parameter "channel_binding"'
WITHOUT_PREPARED = "connect rollback error cancel crowd"
PYTHON_PACKAGES = Path("/usr/lib/python3/dist-packages")
JDBC = Path("/usr/share/java/postgresql.jar")
GO_PATH = Path("/usr/share/gocode")
GO = {"GOPATH": str(GO_PATH), "GO111MODULE": "off", "GOTOOLCHAIN": "local"}
NODE_PATH = Path("/usr/share/nodejs")
NPM_PACKAGES = ("pg", "postgres", "knex", "sequelize", "typeorm", "reflect-metadata", "drizzle-orm", "kysely")


class Driver(NamedTuple):
    program: str
    # In front of the program's name.
    command: tuple
    words: str = ALL
    # dev/install-packages GROUP installs what is missing.
    group: str = "drivers"
    # A file that is there if the driver is.
    needs: Path = Path("/")
    environment: dict = {}
    # Whether it takes channel_binding, which it does not know, for a setting of the session.
    sends_it: bool = False


DRIVERS = [
    Driver("psql.sh", ("/bin/bash",), WITHOUT_PREPARED),
    Driver("psycopg2_driver.py", (sys.executable,), WITHOUT_PREPARED),
    Driver("psycopg3_driver.py", (sys.executable,)),
    Driver("asyncpg_driver.py", (sys.executable,), sends_it=True),
    Driver(
        "sqlalchemy_driver.py",
        (sys.executable,),
        WITHOUT_PREPARED,
        needs=PYTHON_PACKAGES / "sqlalchemy",
    ),
    Driver(
        "sqlalchemy_async_driver.py",
        (sys.executable,),
        needs=PYTHON_PACKAGES / "sqlalchemy",
    ),
    Driver(
        "django_driver.py",
        (sys.executable,),
        "connect migrate rollback error cancel iterate crowd",
        needs=PYTHON_PACKAGES / "django",
    ),
    Driver("pdo.php", ("php",), needs=Path("/usr/share/doc/php-pgsql")),
    Driver("dbd_pg.pl", ("perl",), needs=Path("/usr/share/doc/libdbd-pg-perl")),
    Driver("ruby_pg.rb", ("ruby",), needs=Path("/usr/share/doc/ruby-pg")),
    Driver(
        "active_record.rb",
        ("ruby",),
        "connect prepared migrate rollback error cancel crowd",
        needs=Path("/usr/share/doc/ruby-activerecord"),
    ),
    Driver("Jdbc.java", ("java", "-Xshare:auto", "-cp", JDBC), needs=JDBC),
    Driver(
        "lib_pq.go",
        ("go", "run"),
        group="go",
        needs=GO_PATH / "src/github.com/lib/pq",
        environment=GO,
        sends_it=True,
    ),
    Driver(
        "pgx.go",
        ("go", "run"),
        "connect prepared rollback error cancel batch copy crowd",
        group="go",
        needs=GO_PATH / "src/github.com/jackc/pgx",
        environment=GO,
        sends_it=True,
    ),
]


@pytest.fixture
def pooler(postgres, start_from_url, workspace):
    """By DATABASE_URL, with two servers, and a directory that keeps its certificate."""
    postgres.sql("DROP TABLE IF EXISTS driver_rows", database="app")
    postgres.sql("CREATE TABLE driver_rows (driver text, n int)", database="app")
    postgres.sql("GRANT ALL ON driver_rows TO app", database="app")
    url = (
        f"postgresql://app:app%20secret@{postgres.host}:{postgres.port}/app"
        f"?sslmode=verify-full&sslrootcert={postgres.ca_file}"
    )
    return start_from_url(
        postgres,
        url,
        PGBALLAST_DEFAULT_POOL_SIZE=str(SERVERS),
        PGBALLAST_MIN_POOL_SIZE="0",
        PGBALLAST_WORKERS="2",
        PGBALLAST_STATE_DIR=str(process.new_directory("state", workspace)),
    )


@pytest.fixture
def run_driver(pooler, postgres):
    """run_driver(driver, **environment): the words that its program has printed."""

    def run(driver, directory=None, **environment):
        directory = directory or process.new_directory("driver", pooler.directory)
        shutil.copy(PROGRAMS / driver.program, directory)
        output = process.run(
            [*driver.command, driver.program],
            cwd=directory,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(directory),
                "TMPDIR": str(directory),
                "PYTHONDONTWRITEBYTECODE": "1",
                "DATABASE_URL": (
                    f"postgresql://app:app%20secret@{pooler.host}:{pooler.port}/app"
                    "?sslmode=require&channel_binding=require"
                ),
                **driver.environment,
                **environment,
            },
        )
        assert len(postgres.backends("app")) <= SERVERS
        assert (DROPPED in pooler.log()) == driver.sends_it
        return output.split()

    return run


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.program)
def test_a_driver_works_with_the_console_s_url(driver, run_driver):
    if shutil.which(driver.command[0]) is None or not driver.needs.exists():
        pytest.skip(f"not installed: dev/install-packages {driver.group}")
    assert run_driver(driver) == driver.words.split()


# Node


@pytest.fixture(scope="module")
def node_modules(workspace):
    """A directory with NPM_PACKAGES, if PGBALLAST_NPM is set; else None."""
    if not os.environ.get("PGBALLAST_NPM"):
        return None
    directory = process.new_directory("npm", workspace)
    directory.chmod(0o755)
    subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", directory]
        + [*NPM_PACKAGES],
        check=True,
        timeout=300,
    )
    return directory


@pytest.fixture
def certificate(pooler):
    """The file for NODE_EXTRA_CA_CERTS, made as the documentation says."""
    path = pooler.directory / "pgballast.crt"
    path.write_text(
        process.run(
            [*pooler.command, "--print-ca"], cwd=pooler.directory, env=pooler.environment
        )
    )
    path.chmod(0o644)
    return path


def test_node_pg_verifies_the_certificate_that_print_ca_prints(
    node_modules, certificate, run_driver
):
    if shutil.which("node") is None or not (node_modules or (NODE_PATH / "pg").exists()):
        pytest.skip("not installed: dev/install-packages node, or PGBALLAST_NPM=1")
    words = run_driver(
        Driver("node_pg.js", ("node",)),
        node_modules,
        NODE_PATH=str(NODE_PATH),
        NODE_EXTRA_CA_CERTS=str(certificate),
    )
    assert words == "connect prepared rollback error cancel pipeline crowd".split()


def test_postgres_js_works_with_the_console_s_url(node_modules, run_driver):
    if node_modules is None:
        pytest.skip("not in Debian: PGBALLAST_NPM=1")
    driver = Driver("postgres_js.mjs", ("node",), sends_it=True)
    assert run_driver(driver, node_modules) == ALL.split()


def test_what_sits_on_node_pg_works_with_the_console_s_url(node_modules, certificate, run_driver):
    if node_modules is None:
        pytest.skip("not in Debian: PGBALLAST_NPM=1")
    words = run_driver(
        Driver("node_orms.mjs", ("node",)), node_modules, NODE_EXTRA_CA_CERTS=str(certificate)
    )
    assert words == ["knex", "sequelize", "typeorm", "drizzle", "kysely"]
