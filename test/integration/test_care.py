# SPDX-License-Identifier: PostgreSQL
"""connect_query, server_check_query, server_fast_close, RECONNECT: what is done to servers."""

from contextlib import closing

import psycopg2
import pytest

from support.waiting import wait_until


def line(postgres, extra):
    return f"host={postgres.host} port={postgres.port} dbname=app {extra}"


def states(pooler):
    return [row["state"] for row in pooler.console("SHOW SERVERS")]


def ask(connection, query):
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def test_connect_query_runs_once_before_the_first_client(postgres, start_pooler):
    """What it sets is what sessions begin with; one that fails is logged and does no harm."""
    pooler = start_pooler(
        postgres,
        databases={
            "app": line(postgres, "connect_query='set timezone to ''Asia/Tokyo''; set work_mem to 777'"),
            "second": line(postgres, "connect_query='select no_such_column'"),
        },
    )
    with closing(pooler.connect()) as connection:
        assert ask(connection, "SHOW timezone") == "Asia/Tokyo"
        assert ask(connection, "SHOW work_mem") == "777kB"
    with closing(pooler.connect(dbname="second")) as connection:
        assert ask(connection, "SELECT 1") == 1
    assert 'connect_query failed: column "no_such_column" does not exist' in pooler.log()


def test_connect_query_that_ends_its_connection_is_a_failed_login(postgres, start_pooler):
    pooler = start_pooler(
        postgres,
        databases={"app": line(postgres, "connect_query='select pg_terminate_backend(pg_backend_pid())'")},
    )
    with pytest.raises(psycopg2.OperationalError, match="terminating connection"):
        pooler.connect()
    assert "server login failed: FATAL terminating connection" in pooler.log()
    assert pooler.log_count("new connection to server") < 5


def test_server_that_was_idle_is_used_and_tested_before_it_is_lent(postgres, start_pooler):
    pooler = start_pooler(
        postgres, default_pool_size=1, server_check_query="select pg_sleep(0.3)", server_check_delay=0
    )
    with closing(pooler.connect()) as connection:
        pooler.wait_for_pool(sv_used=1, sv_idle=0, sv_tested=0)
        assert states(pooler) == ["used"]
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        assert postgres.backends(where="query LIKE 'SELECT 1%'")
        postgres.terminate_all()
        assert ask(connection, "SELECT 2") == 2


def test_fast_close_ends_sessions_between_their_transactions(postgres, start_pooler):
    pooler = start_pooler(postgres, pool_mode="session", server_fast_close=1)
    with pooler.login() as idle, pooler.login() as busy:
        idle.query("SELECT 1")
        busy.query("BEGIN")
        pooler.console("RECONNECT app")
        assert idle.read_error().text == "database configuration changed"
        assert busy.query("SELECT 1") == [["1"]]
        busy.query("COMMIT")
        assert busy.read_error().text == "database configuration changed"


def test_reconnect_names_its_reason_for_idle_and_for_busy_servers(postgres, start_pooler):
    pooler = start_pooler(postgres)
    with closing(pooler.connect()) as connection:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
        with closing(pooler.connect()) as other:
            ask(other, "SELECT 1")
        pooler.console("RECONNECT")
        with connection.cursor() as cursor:
            cursor.execute("COMMIT")
    wait_until(lambda: pooler.log_count("closing because: close_needed") == 1, "the busy one went")
    assert pooler.log_count("closing because: database configuration changed") == 1
