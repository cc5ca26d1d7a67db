# SPDX-License-Identifier: PostgreSQL
"""Everything about the stand-in that may be turned while it runs.

The defaults are Neon's own where Neon has one. A change holds for what begins after it; round-trip
time and record size also for connections that are open.
"""

from dataclasses import asdict, dataclass, fields


class BadKnob(Exception):
    """No such knob, or a value it cannot take."""


@dataclass
class Knobs:
    # The network (B22): half of the round trip in each direction, and up to so much more at random.
    rtt_ms: float = 0.0
    jitter_ms: float = 0.0
    # TLS (B04): how many of 100 connections reach the proxy which knows their session.
    resume_percent: float = 100.0
    tickets: int = 2
    # Authentication (B05, B08)
    offer_plus: bool = True
    # The pump (B13): bytes of one step, which is one TLS record towards the client.
    step_bytes: int = 1024
    # Phases of a login (X13): a pause before each answer of ours, and the two budgets.
    delay_ssl_ms: float = 0.0
    delay_tls_ms: float = 0.0
    delay_sasl_ms: float = 0.0
    delay_challenge_ms: float = 0.0
    delay_final_ms: float = 0.0
    handshake_budget_ms: float = 15000.0
    scram_budget_ms: float = 15000.0
    # The compute (B10, B19)
    wake_ms: float = 300.0
    suspend_after_ms: float = 300000.0
    poll_ms: float = 500.0
    # Cancel requests (B11)
    cancel_register_ms: float = 0.0
    cancel_delay_ms: float = 0.0
    cancel_lost: bool = False

    def change(self, values):
        """All of `values` or, with BadKnob, none."""
        kinds = {field.name: field.type for field in fields(self)}
        for name, value in values.items():
            if name not in kinds:
                raise BadKnob(f"there is no knob {name!r}")
            if kinds[name] is bool:
                fits = isinstance(value, bool)
            else:
                fits = isinstance(value, (int, float)) and not isinstance(value, bool)
                fits = fits and value >= (1 if name == "step_bytes" else 0)
            if not fits:
                raise BadKnob(f"knob {name!r} does not take {value!r}")
        for name, value in values.items():
            setattr(self, name, kinds[name](value))

    def as_dict(self):
        return asdict(self)
