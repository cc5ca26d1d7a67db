# SPDX-License-Identifier: PostgreSQL
"""The console: a database called pgballast that answers SHOW."""

import pytest

from support import wire
from support.pooler import CONSOLE_PASSWORD, CONSOLE_USER
from support.wire import ServerError

# PgBouncer's columns come first and in its order, so that its dashboards read ours.
POOLS_COLUMNS = [
    "database",
    "user",
    "cl_active",
    "cl_waiting",
    "cl_active_cancel_req",
    "cl_waiting_cancel_req",
    "sv_active",
    "sv_active_cancel",
    "sv_being_canceled",
    "sv_idle",
    "sv_used",
    "sv_tested",
    "sv_login",
    "maxwait",
    "maxwait_us",
    "pool_mode",
]


@pytest.fixture
def console(pooler):
    with pooler.wire() as client:
        client.login(CONSOLE_USER, CONSOLE_PASSWORD, "pgballast")
        yield client


def test_show_pools_has_pgbouncers_columns_in_its_order(pooler):
    pooler.login().terminate()
    rows = pooler.console("SHOW POOLS")
    assert rows
    for row in rows:
        assert list(row)[: len(POOLS_COLUMNS)] == POOLS_COLUMNS


def test_show_pools_counts_what_is_there(single):
    with single.login() as holder, single.login() as waiting:
        holder.query("BEGIN")
        waiting.send(wire.query("SELECT 1"))
        single.wait_for_pool(
            cl_active=1, cl_waiting=1, sv_active=1, sv_idle=0, sv_login=0, pool_mode="transaction"
        )
        holder.query("COMMIT")
        waiting.rows()
        single.wait_for_pool(cl_active=2, cl_waiting=0, sv_active=0, sv_idle=1)


def test_show_pools_tells_how_long_the_oldest_has_waited(single):
    with single.login() as holder, single.login() as waiting:
        holder.query("BEGIN")
        waiting.send(wire.query("SELECT 1"))
        single.wait_for_pool(cl_waiting=1)
        row = single.pool()
        assert row["maxwait"] * 1000000 + row["maxwait_us"] > 0
        holder.query("COMMIT")
        waiting.rows()


def test_commands_are_read_without_regard_to_case_and_semicolons(pooler):
    assert pooler.console("show Pools ;") == pooler.console("SHOW POOLS")


def test_show_version_names_the_program(pooler):
    (row,) = pooler.console("SHOW VERSION")
    assert "pgballast" in row["version"].lower()


def test_the_console_is_also_called_pgbouncer(pooler):
    with pooler.wire() as client:
        client.login(CONSOLE_USER, CONSOLE_PASSWORD, "pgbouncer")
        assert client.query("SHOW VERSION")


def test_an_unknown_command_is_an_error_and_the_console_goes_on(console):
    with pytest.raises(ServerError):
        console.query("SHOW ME")
    assert console.query("SHOW VERSION")


def test_a_user_without_rights_is_refused(pooler):
    with pooler.wire() as client, pytest.raises(ServerError):
        client.login("app", pooler.users["app"], "pgballast")


def test_the_console_answers_while_every_server_is_busy(single):
    with single.login() as holder:
        holder.query("BEGIN")
        assert single.console("SHOW POOLS")
        holder.query("COMMIT")
