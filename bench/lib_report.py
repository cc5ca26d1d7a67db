# SPDX-License-Identifier: PostgreSQL
"""From figures to judgements and tables: medians, ratios round by round, pass or miss."""

import os
import platform
import re
import statistics
import subprocess
from pathlib import Path
from typing import NamedTuple

# Figure: heading, digits behind the point.
FIGURES = {
    "cpu_us": ("CPU µs/txn", 2),
    "switches": ("switches/txn", 2),
    "tps": ("tps", 0),
    "p50_us": ("p50 µs", 0),
    "p99_us": ("p99 µs", 0),
    "max_us": ("longest µs", 0),
    "cpu_ms": ("CPU ms/s", 0),
    "fairness": ("fewest ÷ most", 3),
    "cpu_s_per_gb": ("CPU s/GB", 3),
    "mb_per_s": ("MB/s", 0),
    "pss_mib": ("PSS MiB", 1),
    "kib": ("KiB/connection", 2),
    "idle_ms_per_s": ("idle CPU ms/s", 3),
    "calls": ("calls/txn", 2),
    "recv": ("recv", 2),
    "send": ("send", 2),
    "epoll_wait": ("epoll_wait", 2),
    "epoll_ctl": ("epoll_ctl", 2),
    "other": ("other", 2),
    "instructions": ("instructions/txn", 0),
}
# By kind of group: the columns, and the figure whose ratios are shown.
COLUMNS = {
    "load": (("cpu_us", "switches", "tps", "p50_us", "p99_us", "fairness"), "cpu_us"),
    "churn": (("cpu_us", "switches", "tps", "p50_us", "p99_us"), "cpu_us"),
    "stream": (("cpu_s_per_gb", "mb_per_s", "pss_mib"), "cpu_s_per_gb"),
    "memory": (("kib", "pss_mib", "idle_ms_per_s"), "kib"),
    "reload": (("cpu_ms", "tps", "p99_us", "max_us"), "max_us"),
    "calls": (("calls", "recv", "send", "epoll_wait", "epoll_ctl", "other"), "calls"),
    "instructions": (("instructions",), "instructions"),
}
REFERENCES = ("pgbouncer", "relay")


class Spread(NamedTuple):
    median: float
    low: float
    high: float

    def text(self, digits):
        middle = f"{self.median:.{digits}f}"
        low, high = f"{self.low:.{digits}f}", f"{self.high:.{digits}f}"
        return middle if low == high else f"{middle} ({low}–{high})"


class Judgement(NamedTuple):
    group: str
    check: object
    spread: Spread  # None: could not be measured
    why_not: str = ""
    floor: Spread = None  # the relay in the place of the lane; None where that says nothing

    @property
    def verdict(self):
        if self.spread is None:
            return "not measured"
        if self._holds(self.check.must):
            return "goal" if self._holds(self.check.goal) else "pass"
        return "MISS"

    def _holds(self, bound):
        value = self.spread.median
        return value >= bound if self.check.at_least else value <= bound

    @property
    def what(self):
        over = f" ÷ {self.check.against}" if self.check.against else ""
        return f"{self.check.lane}{over}, {FIGURES[self.check.figure][0]}"

    @property
    def must(self):
        return f"{'≥' if self.check.at_least else '≤'} {self.check.must:g}"

    @property
    def measured(self):
        if self.spread is None:
            return self.why_not
        return self.spread.text(2 if self.check.against else FIGURES[self.check.figure][1])


def spread(values):
    return Spread(statistics.median(values), min(values), max(values))


def ratios(rounds, lane, reference, figure):
    """Round by round, so that what changed between rounds drops out; empty if one is missing."""
    pairs = zip(rounds.get(lane, []), rounds.get(reference, []))
    return [a[figure] / b[figure] for a, b in pairs if b[figure] > 0]


def floor(group, check, outcome):
    """What the kernel takes for the same traffic: the relay looks at no byte. It does not pool, so
    a connection for each transaction costs it one of the server as well."""
    if check.against != "pgbouncer" or group.kind == "churn":
        return None
    values = ratios(outcome.rounds, "relay", check.against, check.figure)
    return spread(values) if values else None


def judge(group, outcome):
    for check in group.checks:
        if check.against:
            values = ratios(outcome.rounds, check.lane, check.against, check.figure)
        else:
            values = [figures[check.figure] for figures in outcome.rounds.get(check.lane, [])]
        if values:
            yield Judgement(group.name, check, spread(values), floor=floor(group, check, outcome))
        else:
            missing = [name for name in (check.lane, check.against) if name]
            why = "; ".join(outcome.failures[name] for name in missing if name in outcome.failures)
            yield Judgement(group.name, check, None, why or "a contender is not there")


def group_table(group, outcome):
    """Rows of text, the heading first."""
    columns, main = COLUMNS[group.kind]
    references = [name for name in REFERENCES if outcome.rounds.get(name)]
    rows = [[""] + [FIGURES[name][0] for name in columns] + [f"÷ {name}" for name in references]]
    for lane, rounds in outcome.rounds.items():
        if lane in outcome.failures:
            rows.append([lane, "failed: " + outcome.failures[lane]])
            continue
        row = [lane]
        for name in columns:
            row.append(spread([figures[name] for figures in rounds]).text(FIGURES[name][1]))
        for reference in references:
            values = ratios(outcome.rounds, lane, reference, main)
            row.append(spread(values).text(2) if values else "–")
        rows.append(row)
    return rows


def plain_table(rows):
    width = max(len(row) for row in rows)
    sizes = [
        max((len(row[i]) for row in rows if len(row) > max(i, 2)), default=0) for i in range(width)
    ]
    sizes[0] = max(len(row[0]) for row in rows)
    lines = []
    for row in rows:
        cells = [cell.rjust(size) for cell, size in zip(row[1:], sizes[1:])]
        lines.append("  " + "  ".join([row[0].ljust(sizes[0])] + cells).rstrip())
    return "\n".join(lines)


def markdown_table(rows):
    width = len(rows[0])
    lines = []
    for number, row in enumerate(rows):
        cells = [cell.replace("|", "\\|") for cell in row] + [""] * (width - len(row))
        lines.append("| " + " | ".join(cells) + " |")
        if number == 0:
            lines.append("|---" * width + "|")
    return "\n".join(lines)


def judgement_rows(judgements):
    rows = [["scenario", "figure", "measured", "must", "goal", "", "relay"]]
    for judgement in judgements:
        row = [judgement.group, judgement.what, judgement.measured, judgement.must]
        relay = f"{judgement.floor.median:.2f}" if judgement.floor else "–"
        rows.append(row + [f"{judgement.check.goal:g}", judgement.verdict, relay])
    return rows


# ---- the machine ----


def first_match(path, pattern):
    found = re.search(pattern, Path(path).read_text(), re.M) if Path(path).exists() else None
    return found.group(1).strip() if found else "unknown"


def machine(bench):
    """Rows that describe what the figures were measured on."""
    openssl = subprocess.run(["openssl", "version"], capture_output=True, text=True)
    version = {
        kind: ".".join(map(str, bench.tools.version(kind))) or "not there"
        for kind in ("pgballast", "pgbouncer", "haproxy")
    }
    memory_kib = int(first_match("/proc/meminfo", r"^MemTotal:\s+(\d+)"))
    rounds = f"{bench.rounds} rounds of {bench.seconds} s, interleaved"
    return [
        ["", ""],
        ["CPU", f"{os.cpu_count()} × {first_match('/proc/cpuinfo', r'^model name.*: (.*)')}"],
        ["memory", f"{memory_kib / (1 << 20):.0f} GiB"],
        ["system", first_match("/etc/os-release", r'^PRETTY_NAME="(.*)"')],
        ["kernel", platform.release()],
        ["OpenSSL", openssl.stdout.split("(")[0].strip()],
        ["pgballast", version["pgballast"]],
        ["PgBouncer", version["pgbouncer"]],
        ["HAProxy", version["haproxy"]],
        ["measured", rounds + (", contenders pinned to one CPU" if bench.pin else "")],
    ]


INTRODUCTION = """\
# Benchmarks

Written by `dev/bench --markdown doc/benchmarks.md`; `bench/` has the programs. Everything runs on
one machine over the loopback: the load, the process in the middle and the server share its CPUs, so
tps says more about the machine than about a pooler. What counts is the CPU time of the process in
the middle alone, and its ratio to PgBouncer and to a relay that looks at no byte. Each cell is the
median of the rounds with the lowest and the highest. Ratios are taken round by round.

The poolers share out 20 server connections, unless said. HAProxy and the relay do not pool: they
have a server connection for each client, which PostgreSQL has to bear."""


def markdown(bench, judgements, tables):
    """`tables` is a list of (group, rows)."""
    parts = [INTRODUCTION, markdown_table(machine(bench)), "## What must hold"]
    parts.append(
        '"must" is what a release has to keep, "goal" what we aim for. Ratios unless the figure '
        "stands alone. The last column is the same ratio of the relay: what is left when nothing is "
        "done but receiving and sending."
    )
    parts.append(markdown_table(judgement_rows(judgements)))
    parts.append("## Figures")
    for group, rows in tables:
        parts += [f"### {group.name}", markdown_table(rows)]
    return "\n\n".join(parts) + "\n"
