# SPDX-License-Identifier: PostgreSQL
"""A console that does not take its answers: nobody else notices."""

import time

from support import wire
from support.pooler import CONSOLE_PASSWORD, CONSOLE_USER



def test_answers_to_a_script_are_not_piled_up_and_arrive_whole(pooler):
    """They would be 25 MB. (Under a sanitizer SHOW MEM is 0.)"""
    with pooler.wire() as slow:
        slow.login(CONSOLE_USER, CONSOLE_PASSWORD, "pgballast")
        slow.send(wire.query("SHOW CONFIG;" * 2000))
        time.sleep(0.5)
        (heap,) = pooler.console("SHOW MEM WHERE name = 'heap'")
        assert heap["used"] < 8000
        assert slow.read_reply().count("C") == 2000
        assert slow.query("SHOW VERSION")
