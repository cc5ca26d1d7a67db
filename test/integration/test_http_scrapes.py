# SPDX-License-Identifier: PostgreSQL
"""Scrapes are served by the main thread alone: the workers do not notice them."""

import http.client
import os
import time
from contextlib import closing
from pathlib import Path

from support import process
from support.waiting import wait_until

SCRAPES = 2000


def worker_seconds(pid):
    """CPU time of all threads but the first."""
    ticks = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        if task.name != str(pid):
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def test_two_thousand_scrapes_cost_the_workers_nothing(postgres, start_pooler):
    port = process.free_port()
    pooler = start_pooler(postgres, http_port=port)
    wait_until(lambda: process.accepts_connections(port), "the HTTP port listens")
    with pooler.login() as client, pooler.login(database="second") as other:
        client.query("SELECT 1")
        other.query("SELECT 1")
        before, begun = worker_seconds(pooler.process.pid), time.monotonic()
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            for _ in range(SCRAPES):
                connection.request("GET", "/metrics")
                assert connection.getresponse().read().endswith(b"# EOF\n")
        seconds = time.monotonic() - begun
        assert seconds < 20
        # Their own sweeps, once or ten times a second, are all that runs.
        assert worker_seconds(pooler.process.pid) - before <= 0.02 + 0.01 * seconds
