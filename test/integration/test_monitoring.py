# SPDX-License-Identifier: PostgreSQL
"""What operators have pointed at PgBouncer for years, pointed at us: checks, exporters, psql."""

import os
import re
import shutil
import signal
import subprocess
from contextlib import closing

import psycopg2.extras
import pytest

from support.pooler import CONSOLE_PASSWORD, CONSOLE_USER

MONITOR = "other"
MONITOR_PASSWORD = "other secret"


@pytest.fixture
def watched(postgres, start_pooler):
    """A pooler with a user who may only look, and one client that did something."""
    pooler = start_pooler(postgres, stats_users=MONITOR)
    with pooler.login() as client:
        client.query("SELECT 1")
        yield pooler


def run(command, password, **options):
    environment = {**os.environ, "PGPASSWORD": password, "PGSSLMODE": "disable"}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=30, **options
    )


# check_postgres

POOL_ACTIONS = (
    "pgb_pool_cl_active pgb_pool_cl_waiting pgb_pool_sv_active pgb_pool_sv_idle pgb_pool_sv_used "
    "pgb_pool_sv_tested pgb_pool_sv_login pgb_pool_maxwait"
).split()


@pytest.fixture
def check(watched):
    """check(action, argument, …): the status word and the line of check_postgres."""
    if shutil.which("check_postgres") is None:
        pytest.skip("not installed: dev/install-packages test")

    def run_check(action, *arguments):
        command = ["check_postgres", f"--action={action}", f"--host={watched.host}"]
        command += [f"--port={watched.port}", f"--dbuser={MONITOR}", *arguments]
        done = run(command, MONITOR_PASSWORD)
        status = re.match(r"POSTGRES_\w+ (\w+): ", done.stdout)
        assert status, done.stdout + done.stderr
        return status.group(1), done.stdout

    return run_check


def test_check_postgres_reads_every_figure_of_a_pool(check):
    for action in POOL_ACTIONS:
        status, line = check(action, "--warning=50", "--critical=90")
        assert status == "OK"
        assert re.search(r" app=\d+ \* pgbouncer=\d+ ", line)
    assert check("pgb_pool_cl_active", "--warning=1", "--critical=9")[0] == "WARNING"


def test_check_postgres_compares_clients_with_the_limit(check):
    status, line = check("pgbouncer_backends", "--warning=90%", "--critical=95%")
    assert status == "OK"
    assert "2 of 300 connections" in line
    assert check("pgbouncer_backends", "--warning=1", "--critical=2")[0] == "CRITICAL"


def test_check_postgres_notices_a_changed_setting(check, watched):
    _, line = check("pgbouncer_checksum", "--critical=" + "0" * 32)
    checksum = re.search(r"checksum: ([0-9a-f]{32})", line).group(1)
    assert check("pgbouncer_checksum", f"--critical={checksum}")[0] == "OK"
    watched.console("SET server_lifetime = 7")
    assert check("pgbouncer_checksum", f"--critical={checksum}")[0] == "CRITICAL"


# Exporters and agents: columns by name, and what they make of them


def fetch(pooler, command):
    with closing(pooler.connect(user=MONITOR, dbname="pgbouncer")) as connection:
        with connection.cursor(cursor_factory=psycopg2.extras.DictCursor) as cursor:
            cursor.execute(command)
            return [dict(row) for row in cursor.fetchall()]


EXPORTER = {
    "SHOW DATABASES;": (
        "name host port database force_user pool_mode",
        "pool_size max_connections current_connections paused disabled",
    ),
    "SHOW STATS_TOTALS;": (
        "database",
        "query_count query_time bytes_received bytes_sent wait_time xact_count xact_time "
        "client_parse_count server_parse_count bind_count",
    ),
    "SHOW POOLS;": (
        "database user",
        "cl_active cl_active_cancel_req cl_waiting cl_waiting_cancel_req sv_active sv_active_cancel "
        "sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait",
    ),
}
LISTS = (
    "databases users pools free_clients used_clients login_clients free_servers used_servers "
    "dns_names dns_zones dns_queries"
).split()


def test_the_exporter_of_prometheus_community_finds_all_it_asks_for(watched):
    for command, (labels, numbers) in EXPORTER.items():
        rows = fetch(watched, command)
        for row in rows:
            assert all(isinstance(row[name], (str, int, type(None))) for name in labels.split())
            assert all(float(row[name]) >= 0 for name in numbers.split())
        assert {row.get("database") for row in rows} >= {"app", "pgbouncer"}
    lists = {row["list"]: float(row["items"]) for row in fetch(watched, "SHOW LISTS;")}
    assert set(LISTS) <= set(lists)
    assert (lists["databases"], lists["pools"], lists["used_servers"]) == (3, 2, 1)
    config = fetch(watched, "SHOW CONFIG;")
    # It counts the columns, and stops at any other number.
    assert {len(row) for row in config} == {4}
    values = {row["key"]: row["value"] for row in config}
    assert float(values["max_client_conn"]) == 300
    assert float(values["max_user_connections"]) == 0
    (version,) = fetch(watched, "SHOW VERSION;")
    assert list(version) == ["version"]


def test_the_agent_of_datadog_finds_all_it_asks_for(watched):
    (row,) = [row for row in fetch(watched, "SHOW STATS") if row["database"] != "pgbouncer"]
    for name in ("xact_count", "query_count", "query_time", "xact_time", "wait_time"):
        assert row[f"total_{name}"] >= 0
        assert row[f"avg_{name}"] >= 0
    for name in ("total_received", "total_sent", "avg_recv", "avg_sent"):
        assert row[name] >= 0
    (row,) = [row for row in fetch(watched, "SHOW POOLS") if row["database"] != "pgbouncer"]
    assert row["maxwait_us"] >= 0
    for row in fetch(watched, "SHOW DATABASES"):
        assert row["pool_size"] >= row["current_connections"] >= 0
    assert re.findall(r"\d+\.\d+\.\d+", fetch(watched, "SHOW VERSION;")[0]["version"])
    # It reads times of day without the zone.
    for row in fetch(watched, "SHOW CLIENTS"):
        for name in ("connect_time", "request_time"):
            assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]", row[name])


# psql


def psql_command(pooler):
    url = f"postgresql://{CONSOLE_USER}@{pooler.host}:{pooler.port}/pgbouncer"
    return ["psql", "-X", "-d", url]


@pytest.fixture
def psql(watched):
    def run_psql(*arguments, script=None):
        return run([*psql_command(watched), *arguments], CONSOLE_PASSWORD, input=script)

    return run_psql


def test_psql_shows_tables_wide_and_long(psql):
    done = psql("-c", "show pools; show stats")
    assert done.returncode == 0, done.stderr
    assert "load_balance_hosts" in done.stdout
    assert "avg_client_login_count" in done.stdout
    assert psql("-x", "-c", "show state").stdout.startswith("-[ RECORD 1 ]")


def test_psql_watches_pools_and_ctrl_c_ends_that(watched):
    environment = {**os.environ, "PGPASSWORD": CONSOLE_PASSWORD, "PGSSLMODE": "disable"}
    watching = subprocess.Popen(
        [*psql_command(watched), "-f", "-"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with watching:
        watching.stdin.write("show state \\watch 0.05\n")
        watching.stdin.close()
        seen = 0
        while seen < 3:
            seen += "suspended" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        watching.stdout.read()
    assert "ERROR" not in watched.log()


def test_psql_learns_from_its_own_questions_that_this_is_no_database(psql):
    for question in ("\\l", "\\d", "\\du", "select 1"):
        done = psql("-c", question)
        assert done.returncode == 1
        assert "invalid command 'select" in done.stderr.lower()
        assert "use SHOW HELP;" in done.stderr
    done = psql(script="\\conninfo\nBEGIN;\nSHOW HELP;\nshow version;\n")
    assert "autocommit" in done.stderr
    assert "Console usage" in done.stderr
    assert "pgballast" in done.stdout
