# SPDX-License-Identifier: PostgreSQL
"""SHOW LATENCY: percentiles of what clients really saw."""

import json
import re
import time
import urllib.request

from support import process, wire
from support.waiting import wait_until

PAGE_AGE_S = 0.2


def fetch(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
        return reply.read().decode()


def latency(pooler, what):
    (row,) = pooler.console(f"SHOW LATENCY WHERE database = 'app' AND what = '{what}'")
    return row


def test_percentiles_show_the_few_slow_ones_that_an_average_hides(pooler):
    assert pooler.console("SHOW LATENCY") == []
    with pooler.login() as client:
        for _ in range(95):
            client.query("SELECT 1")
        for _ in range(5):
            client.query("SELECT pg_sleep(0.2)")
        query = latency(pooler, "query")
        assert query["count"] == 100
        assert query["p50_us"] < 100_000 < query["p99_us"] < 2_000_000
        assert query["p50_us"] <= query["p90_us"] <= query["p95_us"] <= query["p99_us"]
        assert 200_000 * 5 / 100 <= query["mean_us"] < query["p99_us"]
        assert query["max_us"] >= 190_000
        transaction = latency(pooler, "transaction")
        assert transaction["count"] == 100


def test_those_who_found_a_server_at_once_count_as_waits_of_no_time(single):
    with single.login() as holder, single.login() as waiting:
        for _ in range(9):
            holder.query("SELECT 1")
        holder.query("BEGIN")
        waiting.send(wire.query("SELECT 1"))
        single.wait_for_pool(cl_waiting=1)
        holder.query("SELECT pg_sleep(0.1)")
        holder.query("COMMIT")
        waiting.rows()
        wait = latency(single, "wait")
        assert wait["count"] >= 11
        assert wait["p50_us"] < 50_000
        assert wait["max_us"] >= 90_000
        transaction = latency(single, "transaction")
        assert transaction["max_us"] >= 90_000


def test_nothing_is_said_about_times_that_were_not_measured(single):
    with single.login() as client:
        client.query("BEGIN")
        transaction = latency(single, "transaction")
        assert (transaction["count"], transaction["p50_us"]) == (0, None)
        client.query("COMMIT")


def test_metrics_and_pools_have_the_same_figures(postgres, start_pooler):
    port = process.free_port()
    pooler = start_pooler(postgres, http_port=port)
    wait_until(lambda: process.accepts_connections(port), "the HTTP port listens")
    with pooler.login() as client:
        for _ in range(20):
            client.query("SELECT 1")
        client.query("SELECT pg_sleep(0.2)")
        time.sleep(PAGE_AGE_S)
        page = fetch(port, "/metrics")
        name = "pgballast_query_duration_seconds"
        labels = 'database="app",user="app"'
        buckets = [
            (bound, int(count))
            for bound, count in re.findall(rf'{name}_bucket{{{labels},le="(.*)"}} (\d+)', page)
        ]
        assert [count for _, count in buckets] == sorted(count for _, count in buckets)
        assert buckets[-1] == ("+Inf", 21)
        assert dict(buckets)["0.131072"] == 20
        assert f"{name}_count{{{labels}}} 21\n" in page
        (pool,) = json.loads(fetch(port, "/pools"))["pools"]
        query = latency(pooler, "query")
        assert pool["latency"]["query"]["count"] == query["count"] == 21
        assert pool["latency"]["query"]["p50_us"] == query["p50_us"]
