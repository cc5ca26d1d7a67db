# SPDX-License-Identifier: PostgreSQL
"""The event log: one JSON object a line, for people and for assertions.

Each line has `time` (seconds of the wall clock), `connection` (0: none) and `event`; an `end`
carries the bytes of both directions. Events are counted by name as well, so that a test need not
read the file.
"""

import json
import time
from collections import Counter


class Events:
    def __init__(self, path=None):
        self.file = open(path, "a", buffering=1, encoding="utf-8") if path else None
        self.counts = Counter()

    def add(self, event, connection=0, **details):
        self.counts[event] += 1
        if self.file:
            line = {"time": round(time.time(), 6), "connection": connection, "event": event}
            self.file.write(json.dumps({**line, **details}) + "\n")

    def reset(self):
        """Counts begin anew; the file stays."""
        self.counts.clear()

    def close(self):
        """What ends after this, while the process stops, is counted only."""
        if self.file:
            self.file.close()
        self.file = None
