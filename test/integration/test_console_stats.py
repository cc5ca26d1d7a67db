# SPDX-License-Identifier: PostgreSQL
"""SHOW STATS and its relatives: every figure of a known workload, to the byte."""

import re

import pytest

from support import wire
from support.waiting import wait_until


class Counted:
    """A client that knows how many bytes it has sent and read since its login."""

    def __init__(self, client):
        self.client = client
        self.sent = self.read = 0

    def say(self, *parts):
        """Send the parts and read up to as many ReadyForQuery as they will bring."""
        data = b"".join(parts)
        self.sent += len(data)
        self.client.send(data)
        for part in parts:
            if part[:1] in (b"Q", b"S"):
                self.read += sum(len(m.body) + 5 for m in self.client.read_until(b"Z"))


def totals(pooler, database="app"):
    (row,) = pooler.console(f"SHOW STATS_TOTALS WHERE database = '{database}'")
    return row


def run_known_workload(pooler):
    """What SHOW STATS_TOTALS must say behind it, but for times."""
    with pooler.login() as first, pooler.login() as second:
        a, b = Counted(first), Counted(second)
        for text in ("SELECT 1", "BEGIN", "SELECT 2", "COMMIT", "SELECT 1/0", "SELECT 1; SELECT 2"):
            a.say(wire.query(text))
        a.say(wire.query("SELECT 1"), wire.query("SELECT 2"))
        for client in (a, b):
            client.say(wire.parse("SELECT 4", "s"), wire.describe(b"S", "s"), wire.SYNC)
            run = wire.bind(statement="s") + wire.execute()
            client.say(run, run, wire.SYNC)
        b.say(wire.parse("SELECT 5"), wire.bind(), wire.execute(), wire.SYNC)
        return {
            "server_assignment_count": 9,
            "xact_count": 11,
            "query_count": 13,
            "bytes_received": a.sent + b.sent,
            "bytes_sent": a.read + b.read,
            "client_parse_count": 2,
            "server_parse_count": 1,
            "bind_count": 4,
            "client_login_count": 2,
        }


def test_a_known_workload_is_counted_exactly(single):
    wanted = run_known_workload(single)
    row = totals(single)
    # Two Queries sent at once are one assignment if they arrive as one.
    assert row.pop("server_assignment_count") in (9, 10)
    del wanted["server_assignment_count"]
    assert {name: row[name] for name in wanted} == wanted
    (stats,) = single.console("SHOW STATS WHERE database = 'app'")
    names = {"bytes_received": "received", "bytes_sent": "sent"}
    for name, value in wanted.items():
        assert stats[f"total_{names.get(name, name)}"] == value
    sums = {row["name"]: row["value"] for row in single.console("SHOW TOTALS")}
    assert sums["total_ps_client_parse_count"] == 2
    assert sums["total_ps_server_parse_count"] == 1
    assert sums["total_ps_bind_count"] == 4
    assert sums["total_xact_count"] == wanted["xact_count"]


def test_times_are_of_queries_transactions_and_waits(single):
    with single.login() as holder, single.login() as waiting:
        holder.query("BEGIN")
        waiting.send(wire.query("SELECT 1"))
        single.wait_for_pool(cl_waiting=1)
        before = totals(single)
        holder.query("SELECT pg_sleep(0.2)")
        holder.query("COMMIT")
        waiting.rows()
        row = totals(single)
    spent = {name: row[name] - before[name] for name in ("query_time", "xact_time", "wait_time")}
    assert 200_000 <= spent["query_time"] < 2_000_000
    assert spent["query_time"] <= spent["xact_time"] < 3_000_000
    assert 200_000 <= spent["wait_time"] < 3_000_000


def test_figures_go_with_their_pool_and_the_console_has_its_own(postgres, start_pooler):
    pooler = start_pooler(postgres, pool_idle_timeout=1, server_idle_timeout=1)
    with pooler.login_console("pgbouncer") as console:
        with pooler.login() as client:
            client.query("SELECT 1")
        before = totals(pooler, "pgbouncer")
        console.query("SHOW STATE")
        after = totals(pooler, "pgbouncer")
        # Ours, and that of each look before it.
        assert after["query_count"] >= before["query_count"] + 2
        assert after["bytes_received"] > before["bytes_received"]
        assert after["client_login_count"] == before["client_login_count"] + 1
        wait_until(
            lambda: not pooler.console("SHOW STATS WHERE database = 'app'"), "the pool has gone"
        )


def test_the_log_has_a_line_of_averages_for_each_period(postgres, start_pooler):
    pooler = start_pooler(postgres, stats_period=1)
    figures = (
        r"(\d+) xacts/s, (\d+) queries/s, (\d+) client parses/s, (\d+) server parses/s, (\d+) binds/s, "
        r"(\d+) client logins/s, in (\d+) B/s, out (\d+) B/s, xact (\d+) us, query (\d+) us, wait (\d+) us"
    )
    line = re.compile(rf"LOG stats: {figures}$", re.MULTILINE)

    def logged():
        for _ in range(100):
            client.query("SELECT 1")
        return any(int(match.group(1)) > 0 for match in line.finditer(pooler.log()))

    with pooler.login() as client:
        wait_until(logged, "a line has transactions")
    numbers = next(m for m in line.finditer(pooler.log()) if int(m.group(1)) > 0)
    xacts, queries, received = (int(numbers.group(i)) for i in (1, 2, 7))
    assert xacts == queries
    assert received == pytest.approx(len(wire.query("SELECT 1")) * queries, rel=0.05)
