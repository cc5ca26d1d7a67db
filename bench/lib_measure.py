# SPDX-License-Identifier: PostgreSQL
"""Carrying a group out: start its contenders, measure its lanes in turn, round after round."""

import os
import re
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import lib_process as process
from lib_contender import Contender
from lib_load import Load
from lib_process import BenchError

# Memory is looked at when the allocator and the kernel have come to rest.
SETTLE_S = 0.5
# What is idle has done what logins leave to be done later (buffers given back, a last look).
REST_S = 3
IDLE_WATCH_S = 5
QUICK_WATCH_S = 1
ATTACH_DEADLINE_S = 10
# What the load is not told by the group's options: they are for the functions here.
NOT_FOR_LOAD = ("few", "many", "reloads")
RELOAD_PAUSE_S = 0.2


def load_options(bench, group, lane):
    options = {"seconds": group.seconds or bench.seconds, "warmup-ms": bench.warmup_ms}
    options |= {"accounts": bench.backends.get(group.setup.backend).accounts}
    options |= group.load | lane.load
    return {name: value for name, value in options.items() if name not in NOT_FOR_LOAD}


def run_load(bench, port, options, pid, meanwhile=lambda: None):
    """The load's own figures, and what the process used meanwhile."""
    with Load(bench.tools, port, options) as load:
        load.begin()
        before = process.usage(pid)
        meanwhile()
        figures = load.end()
        used = process.usage(pid).since(before)
    if figures["transactions"] == 0:
        raise BenchError("no transaction ended within the measured time")
    return figures, used


def measure_load(bench, group, lane, contender):
    figures, used = run_load(
        bench, contender.port, load_options(bench, group, lane), contender.pid
    )
    n = figures["transactions"]
    return {
        "cpu_us": used.cpu_ns / 1000 / n,
        "switches": used.switches / n,
        "tps": n / figures["seconds"],
        "p50_us": figures["p50_us"],
        "p99_us": figures["p99_us"],
        "fairness": figures["fewest"] / figures["most"],
    }


def measure_stream(bench, group, lane, contender):
    figures, used = run_load(
        bench, contender.port, load_options(bench, group, lane), contender.pid
    )
    return {
        "cpu_s_per_gb": used.cpu_ns / figures["bytes"],
        "mb_per_s": figures["bytes"] / 1e6 / figures["seconds"],
        "pss_mib": process.pss_kib(contender.pid) / 1024,
    }


def measure_memory(bench, group, lane, contender):
    """The growth from few connections to many. `contender` has served nobody yet."""
    few, many = group.load["few"], group.load["many"]
    options = load_options(bench, group, lane)
    with ExitStack() as stack:
        sizes = []
        for clients in (few, many - few):
            load = stack.enter_context(
                Load(bench.tools, contender.port, options | {"clients": clients})
            )
            load.begin()
            time.sleep(SETTLE_S)
            sizes.append(process.pss_kib(contender.pid))
        time.sleep(REST_S)
        watch_s = QUICK_WATCH_S if bench.quick else IDLE_WATCH_S
        before = process.usage(contender.pid)
        time.sleep(watch_s)
        used = process.usage(contender.pid).since(before)
    return {
        "kib": (sizes[1] - sizes[0]) / (many - few),
        "pss_mib": sizes[1] / 1024,
        "idle_ms_per_s": used.cpu_ns / 1e6 / watch_s,
    }


def measure_reload(bench, group, lane, contender):
    options = load_options(bench, group, lane)
    asked = (group.load | lane.load)["reloads"]
    reloads = int(options["seconds"] / RELOAD_PAUSE_S) - 1 if asked else 0

    def reload():
        for _ in range(reloads):
            os.kill(contender.pid, signal.SIGHUP)
            time.sleep(RELOAD_PAUSE_S)

    figures, used = run_load(bench, contender.port, options, contender.pid, reload)
    return {
        "cpu_ms": used.cpu_ns / 1e6 / options["seconds"],
        "tps": figures["transactions"] / figures["seconds"],
        "p99_us": figures["p99_us"],
        "max_us": figures["max_us"],
    }


def fixed_load(bench, group, lane, port, transactions):
    """A run of exactly so many transactions, logins not counted."""
    options = load_options(bench, group, lane) | {"transactions": transactions}
    with Load(bench.tools, port, options) as load:
        load.begin()
        load.end()


def difference(group, count):
    """What a transaction costs in the unit that `count(transactions)` returns: logins and whatever
    else a run has to do anyway drop out."""
    few, many = group.load["few"], group.load["many"]
    return (count(many) - count(few)) / (many - few)


# ---- system calls ----


@contextmanager
def tracer(command, log_path, attached):
    """A tool attached to a process while the body runs."""
    log_path.write_text("")
    child = process.start(command, log_path)
    deadline = time.monotonic() + ATTACH_DEADLINE_S
    while not attached(log_path.read_text(errors="replace")):
        if child.poll() is not None or time.monotonic() > deadline:
            process.stop(child, signal.SIGINT)
            raise BenchError(f"{command[0]} does not attach: {log_path.read_text().strip()[-200:]}")
        time.sleep(0.05)
    try:
        yield
    finally:
        process.stop(child, signal.SIGINT)


def strace_counts(bench, group, lane, contender, transactions):
    """Calls by name, all threads."""
    out = bench.tools.directory / "strace.out"
    out.write_text("")
    command = ["strace", "-c", "-f", "-q", "-o", out, "-p", contender.pid]
    # With -q it says nothing when it has attached; the kernel does.
    status = f"/proc/{contender.pid}/status"

    def attached(_):
        with open(status, encoding="ascii") as lines:
            return not any(line.split() == ["TracerPid:", "0"] for line in lines)

    with tracer(command, bench.tools.directory / "strace.log", attached):
        fixed_load(bench, group, lane, contender.port, transactions)
    # % time, seconds, usecs/call, calls, [errors,] syscall
    row = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", re.M)
    rows = row.findall(out.read_text())
    return {name: int(calls) for calls, name in rows if name != "total"}


def measure_calls(bench, group, lane, contender):
    """Under strace, which makes every call slow; so a wake-up finds more events than it would."""
    runs = {}

    def count(transactions):
        runs[transactions] = strace_counts(bench, group, lane, contender, transactions)
        return sum(runs[transactions].values())

    calls = difference(group, count)
    few, many = runs[group.load["few"]], runs[group.load["many"]]
    n = group.load["many"] - group.load["few"]
    each = {name: (many[name] - few.get(name, 0)) / n for name in many}
    result = {"calls": calls}
    for name in ("recv", "send", "epoll_wait", "epoll_ctl"):
        result[name] = sum(value for key, value in each.items() if key.startswith(name))
    # read() and write() are receiving and sending to some.
    result["recv"] += each.get("read", 0) + each.get("readv", 0)
    result["send"] += each.get("write", 0) + each.get("writev", 0)
    result["other"] = calls - sum(result[name] for name in result if name != "calls")
    return result


# ---- instructions ----


def measure_instructions(bench, group, lane, _):
    """Under callgrind, one process for each run: its total is known when it ends."""

    def count(transactions):
        out = process.new_directory("callgrind") / "out"
        prefix = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"]
        backend = bench.backends.get(group.setup.backend)
        contender = Contender(bench.tools, lane.contender, group.setup, backend, prefix)
        try:
            fixed_load(bench, group, lane, contender.port, transactions)
        finally:
            contender.stop()
        found = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.M)
        if not found:
            raise BenchError("callgrind has left no total")
        return int(found.group(1))

    return {"instructions": difference(group, count)}


# ---- groups ----

MEASURES = {
    "load": measure_load,
    "churn": measure_load,
    "stream": measure_stream,
    "memory": measure_memory,
    "reload": measure_reload,
    "calls": measure_calls,
    "instructions": measure_instructions,
}
# Kinds whose lanes need a contender that has served nobody.
FRESH = ("memory",)
NEEDS = {"calls": "strace", "instructions": "valgrind"}


class Outcome(NamedTuple):
    """What became of a group: figures of each round by lane, and why lanes have none."""

    rounds: dict
    failures: dict


class Contenders:
    """Those of one group. They live as long as it, but where each measurement needs a fresh one."""

    def __init__(self, bench, group):
        self._bench = bench
        self._group = group
        self._running = {}

    def take(self, kind):
        if self._group.kind == "instructions":
            return None
        if kind not in self._running:
            backend = self._bench.backends.get(self._group.setup.backend)
            self._running[kind] = Contender(self._bench.tools, kind, self._group.setup, backend)
        return self._running[kind]

    def done_with(self, kind, failed):
        if (failed or self._group.kind in FRESH) and kind in self._running:
            self._running.pop(kind).stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for contender in self._running.values():
            contender.stop()


def measure_lane(bench, group, lane, contenders):
    """The figures of one round, or a BenchError that says what went wrong first."""
    contender = None
    failed = True
    try:
        contender = contenders.take(lane.contender)
        figures = MEASURES[group.kind](bench, group, lane, contender)
        if contender:
            contender.check_alive()
        failed = False
        return figures
    except (BenchError, OSError, ValueError, subprocess.SubprocessError) as error:
        if contender:
            contender.check_alive()
        raise BenchError(str(error)) from error
    finally:
        contenders.done_with(lane.contender, failed)


def measure_group(bench, group, on_lane):
    """All rounds of all lanes; a lane that fails once is left out from then on. `on_lane(round,
    lane name)` is told of progress."""
    chosen = [lane for lane in group.lanes if bench.tools.has(lane.contender)]
    outcome = Outcome({lane.name: [] for lane in chosen}, {})
    with Contenders(bench, group) as contenders:
        for number in range(min(bench.rounds, group.rounds or bench.rounds)):
            for lane in chosen:
                if lane.name in outcome.failures:
                    continue
                on_lane(number, lane.name)
                try:
                    figures = measure_lane(bench, group, lane, contenders)
                    outcome.rounds[lane.name].append(figures)
                except BenchError as error:
                    outcome.failures[lane.name] = str(error)
    return outcome
