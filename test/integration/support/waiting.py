# SPDX-License-Identifier: PostgreSQL
"""Waiting for a thing, with a deadline. No test sleeps for a guessed time."""

import time

DEADLINE_S = 20.0
POLL_S = 0.01


def wait_until(condition, what, seconds=DEADLINE_S):
    """Call `condition` until it is true and return its value; fail naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain until {what}")
        time.sleep(POLL_S)
