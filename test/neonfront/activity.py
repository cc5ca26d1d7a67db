# SPDX-License-Identifier: PostgreSQL
"""What keeps the compute awake, as Neon's monitor sees it (B19).

Looked at every `poll_ms`; the compute is suspended when nothing has counted for `suspend_after_ms`.
"""

import asyncio
from typing import NamedTuple

from compute import Unreachable
from wire import ServerRefusal

# One row: totals of the counters, sessions that are not plain idle, seconds since the newest change
# of an idle one, replication and background work.
SAMPLE = """
SELECT (SELECT coalesce(sum(active_time), 0) || '/' || coalesce(sum(sessions), 0)
          FROM pg_stat_database
         WHERE datname NOT IN ('postgres', 'template0', 'template1')),
       count(*) FILTER (WHERE client AND state IS DISTINCT FROM 'idle'),
       min(extract(epoch FROM clock_timestamp() - state_change))
           FILTER (WHERE client AND state = 'idle'),
       count(*) FILTER (WHERE backend_type = 'walsender'),
       count(*) FILTER (WHERE backend_type = 'logical replication worker'),
       count(*) FILTER (WHERE backend_type = 'autovacuum worker')
  FROM (SELECT *, backend_type = 'client backend' AND usename <> current_user AS client
          FROM pg_stat_activity) AS a
"""


class Sample(NamedTuple):
    counters: str
    n_busy: int
    newest_change: float  # of an idle session, on the loop's clock; None without one
    n_walsenders: int
    n_subscriptions: int
    n_autovacuum: int


class Monitor:
    def __init__(self, compute, knobs, events, suspend):
        """`suspend()` is awaited when the time has come."""
        self.compute = compute
        self.knobs = knobs
        self.events = events
        self.suspend = suspend
        self.loop = asyncio.get_running_loop()
        self.n_logins = 0
        compute.on_awake = self.begin_anew
        self.begin_anew()

    def begin_anew(self):
        """The compute has just started: that is activity, and the counters are new."""
        self.last_active = self.counters_at = self.loop.time()
        self.counters = None

    def idle_s(self):
        return self.loop.time() - self.last_active

    async def run(self):
        while True:
            await asyncio.sleep(self.knobs.poll_ms / 1000)
            if self.compute.state != "active":
                continue
            life = self.compute.life
            try:
                sample = await self._sample()
            except (Unreachable, ServerRefusal):
                continue  # PostgreSQL is being restarted by a test; it says nothing about activity.
            if life != self.compute.life or self.compute.state != "active":
                continue
            self._judge(sample)
            if self.idle_s() * 1000 >= self.knobs.suspend_after_ms:
                await self.suspend()

    async def _sample(self):
        row = (await self.compute.ask(SAMPLE))[0]
        newest = None if row[2] is None else self.loop.time() - max(float(row[2]), 0)
        return Sample(row[0], int(row[1]), newest, int(row[3]), int(row[4]), int(row[5]))

    def _judge(self, sample):
        now = self.loop.time()
        reasons = {}
        if self.n_logins:
            reasons["login in progress"] = now
        if sample.n_busy:
            reasons["session not idle"] = now
        if sample.newest_change is not None:
            reasons["change of an idle session"] = sample.newest_change
        if sample.n_walsenders:
            reasons["replication"] = now
        if sample.n_subscriptions:
            reasons["subscription"] = now
        if sample.n_autovacuum:
            reasons["autovacuum"] = now
        if self.counters is not None and sample.counters != self.counters:
            reasons["counters"] = self._time_of_counters(sample, now)
        if sample.counters != self.counters:
            self.counters, self.counters_at = sample.counters, now
        reason = max(reasons, key=reasons.get, default=None)
        # Clocks of two processes: what is not clearly later is not news.
        if reason and reasons[reason] > self.last_active + 0.001:
            self.last_active = reasons[reason]
            self.events.add("activity", reason=reason)

    def _time_of_counters(self, sample, now):
        """When what the counters show took place.

        PostgreSQL writes them up to ten seconds after the statement. That is nothing beside Neon's
        minutes, but much beside the seconds of a test; a change of state since the last time they
        moved explains them.
        """
        changed = sample.newest_change
        return changed if changed is not None and changed > self.counters_at else now
