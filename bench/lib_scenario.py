# SPDX-License-Identifier: PostgreSQL
"""What is measured, and how good it must be: tables, no action.

A Group is measured in one interleaved run: lane 1, lane 2, … and again from the start, so that
whatever else the machine does hits all lanes alike. A Check compares one figure of a lane with the
same figure of another lane, round by round, or with a fixed bound.

S1 simple, S2 extended, S3 prepared protocol with the SELECT of `pgbench -S` against PostgreSQL;
S4 a connection for each transaction; S5 memory; S6 streams; S7 a thousand clients over 20 servers;
S8 a backend that answers at once; S9 system calls; S10 instructions; S11 reloads.
"""

from dataclasses import dataclass, field, replace

from lib_contender import MANY_DATABASES, MANY_USERS, PASSWORD, Setup

SERVERS = 20
MIB = 1 << 20
# PgBouncer learnt to follow prepared statements in transaction mode.
PREPARED_SINCE = (1, 21)
# A relay has a server for each client; more than this PostgreSQL is not asked to bear.
RELAY_POSTGRES_CLIENTS = 64


@dataclass(frozen=True)
class Lane:
    contender: str
    label: str = ""
    load: dict = field(default_factory=dict)  # on top of the group's

    @property
    def name(self):
        return f"{self.contender} {self.label}".strip()


@dataclass(frozen=True)
class Check:
    """`figure` of `lane` divided by that of `against`, or by itself if that is empty."""

    figure: str
    lane: str
    against: str
    must: float
    goal: float
    at_least: bool = False


@dataclass(frozen=True)
class Group:
    key: str  # S1, S2, …
    title: str
    setup: Setup
    lanes: tuple
    checks: tuple
    load: dict
    kind: str = "load"  # load, stream, churn, idle, memory, calls, instructions, reload
    seconds: int = 0  # 0: as the command line says
    rounds: int = 0
    quick: bool = False  # part of --quick

    @property
    def name(self):
        return f"{self.key} {self.title}"


def cpu(lane, must, goal, against="pgbouncer"):
    return Check("cpu_us", lane, against, must, goal)


def lanes(*contenders, **load):
    return tuple(Lane(contender, load=load) for contender in contenders)


def number(clients):
    return "1 client" if clients == 1 else f"{clients} clients"


def transport(tls):
    return "TLS upstream" if tls else "plain"


def queries(key, tls, clients, two_workers):
    """S1 or S2 with so many clients."""
    protocol = "simple" if key == "S1" else "extended"
    names = ["pgbouncer", "pgballast"]
    if two_workers:
        names.append("pgballast-2")
    if clients <= RELAY_POSTGRES_CLIENTS:
        names += ["relay"] if tls else ["relay", "haproxy"]
    if clients == 1:
        checks = (cpu("pgballast", 1.00, 0.90), Check("p50_us", "pgballast", "pgbouncer", 1.0, 0.9))
    else:
        checks = (cpu("pgballast", 0.90, 0.80 if tls else 0.82),)
    return Group(
        key,
        f"{protocol}, {transport(tls)}, {number(clients)}",
        Setup("postgres", upstream_tls=tls),
        lanes(*names),
        checks,
        {"clients": clients, "protocol": protocol},
        quick=key == "S1" and tls and clients == 16,
    )


def prepared(tls, clients, backend, pgbouncer_can, must, goal):
    """S3, and S8 with prepared statements. Against PgBouncer where it can follow them, else against
    our own simple protocol."""
    contestants = [Lane("pgballast"), Lane("pgballast", "simple", {"protocol": "simple"})]
    if pgbouncer_can:
        contestants.insert(0, Lane("pgbouncer"))
        check = cpu("pgballast", must, goal)
    else:
        check = cpu("pgballast", 1.10, 1.05, against="pgballast simple")
    if backend == "canned" or clients <= RELAY_POSTGRES_CLIENTS:
        contestants.append(Lane("relay"))
    return Group(
        "S8" if backend == "canned" else "S3",
        f"prepared, {transport(tls)}, {number(clients)}",
        Setup(backend, upstream_tls=tls),
        tuple(contestants),
        (check,),
        {"clients": clients, "protocol": "prepared"},
    )


def churn():
    load = {"clients": 16, "reconnect": True, "user": "bench"}
    trust = Group(
        "S4",
        "a connection for each transaction, trust",
        Setup("canned"),
        lanes("pgbouncer", "pgballast", "relay"),
        (cpu("pgballast", 0.90, 0.75),),
        load,
        kind="churn",
    )
    scram = replace(
        trust,
        title="a connection for each transaction, SCRAM",
        setup=Setup("canned", auth="scram"),
        lanes=lanes("pgbouncer", "pgballast"),
        checks=(cpu("pgballast", 0.85, 0.65),),
        load=load | {"password": PASSWORD},
        quick=True,
    )
    tls = replace(
        trust,
        title="a connection for each transaction, TLS to clients (RSA-2048)",
        setup=Setup("canned", client_tls=True),
        checks=(cpu("pgballast", 0.95, 0.88),),
        load=load | {"tls": True},
    )
    users = replace(
        scram,
        title=f"a connection for each transaction, SCRAM, one of {MANY_USERS} users",
        lanes=lanes("pgballast", "pgballast-users", "pgbouncer-users"),
        checks=(cpu("pgballast-users", 1.05, 1.0, against="pgballast"),),
        quick=False,
    )
    return [trust, scram, tls, users]


def reloads():
    """The longest that a client waited for its answer while the process was told to read its
    configuration anew several times a second, and while it was left alone: what the machine itself
    makes it wait is in both."""
    return Group(
        "S11",
        f"reload of {MANY_DATABASES} databases",
        Setup("canned"),
        (
            Lane("pgballast-databases", "left alone", {"reloads": False}),
            Lane("pgballast-databases"),
            Lane("pgbouncer-databases", "left alone", {"reloads": False}),
            Lane("pgbouncer-databases"),
        ),
        (Check("max_us", "pgballast-databases", "", 10000, 5000),),
        {"clients": 1, "reloads": True},
        kind="reload",
        quick=True,
    )


def memory(most_clients):
    """`few` and `many` connections are compared, so that what a process has anyway drops out."""
    contestants = lanes("pgbouncer", "pgballast", "relay", "haproxy")
    idle = Group(
        "S5",
        f"{most_clients} idle clients",
        Setup("canned"),
        contestants,
        (
            Check("kib", "pgballast", "pgbouncer", 1.00, 0.60),
            Check("kib", "pgballast", "", 1.10, 0.60),
            Check("idle_ms_per_s", "pgballast", "", 1.0, 0.1),
        ),
        {"few": most_clients // 10, "many": most_clients, "idle": True},
        kind="memory",
        rounds=3,
        quick=True,
    )
    tls = replace(
        idle,
        title="idle TLS clients",
        setup=Setup("canned", client_tls=True),
        lanes=lanes("pgbouncer", "pgballast", "relay"),
        checks=(Check("kib", "pgballast", "pgbouncer", 1.00, 0.90),),
        load={"few": 100, "many": 1000, "idle": True, "tls": True},
        quick=False,
    )
    servers = replace(
        idle,
        title="clients that hold a TLS server connection",
        setup=Setup("canned", upstream_tls=True, pool_size=1000),
        lanes=lanes("pgbouncer", "pgballast", "relay"),
        checks=(
            Check("kib", "pgballast", "pgbouncer", 0.65, 0.50),
            Check("kib", "pgballast", "", 25.0, 20.0),
        ),
        load={"few": 50, "many": 500, "hold": True},
        quick=False,
    )
    return [idle, tls, servers]


def streams():
    kinds = {
        "SELECT": ("canned", {"query": f"SELECT stream({64 * MIB},1000)"}, None),
        "COPY IN": ("canned", {"query": "COPY sink FROM STDIN", "copy-bytes": 64 * MIB}, None),
        "COPY OUT": (
            "postgres",
            # Made row by row, so it trickles in pieces of PostgreSQL's output buffer.
            {"query": "COPY pgbench_accounts TO STDOUT"},
            (1.00, 0.75),
        ),
    }
    for name, (backend, load, bounds) in kinds.items():
        for tls in (False, True):
            must, goal = bounds or ((0.75, 0.60) if tls else (0.60, 0.45))
            names = ["pgbouncer", "pgballast", "relay"] + ([] if tls else ["haproxy"])
            yield Group(
                "S6",
                f"{name}, {transport(tls)}",
                Setup(backend, upstream_tls=tls),
                lanes(*names),
                (Check("cpu_s_per_gb", "pgballast", "pgbouncer", must, goal),),
                load,
                kind="stream",
                quick=tls and name == "SELECT",
            )


def crowd():
    return Group(
        "S7",
        f"1000 clients over {SERVERS} servers, TLS upstream",
        Setup("postgres", upstream_tls=True),
        lanes("pgbouncer", "pgballast", "pgballast-2"),
        (
            cpu("pgballast", 0.90, 0.80),
            Check("p99_us", "pgballast", "pgbouncer", 1.00, 0.90),
            Check("fairness", "pgballast", "", 0.95, 0.98, at_least=True),
            Check("fairness", "pgballast-2", "", 0.95, 0.98, at_least=True),
        ),
        {"clients": 1000},
        seconds=30,
        rounds=2,
    )


def canned(pgbouncer_can):
    for tls in (False, True):
        names = ["pgbouncer", "pgballast", "pgballast-2", "relay"] + ([] if tls else ["haproxy"])
        yield Group(
            "S8",
            f"simple, {transport(tls)}, 64 clients",
            Setup("canned", upstream_tls=tls),
            lanes(*names),
            (
                cpu("pgballast", 0.85 if tls else 0.88, 0.77 if tls else 0.80),
                Check("tps", "pgballast", "pgbouncer", 1.12, 1.25, at_least=True),
                cpu("pgballast-2", 1.20, 1.08, against="pgballast"),
            ),
            {"clients": 64},
            quick=tls,
        )
        yield Group(
            "S8",
            f"simple, {transport(tls)}, 16 clients (nobody waits)",
            Setup("canned", upstream_tls=tls),
            lanes("pgballast", "pgballast-2"),
            (cpu("pgballast-2", 1.10, 1.03, against="pgballast"),),
            {"clients": 16},
            quick=tls,
        )
        bounds = (0.70, 0.62) if tls else (0.75, 0.66)
        yield prepared(tls, 64, "canned", pgbouncer_can, *bounds)


def calls():
    for tls in (False, True):
        yield Group(
            "S9",
            f"system calls, simple, {transport(tls)}, 64 clients",
            Setup("canned", upstream_tls=tls),
            lanes("pgbouncer", "pgballast", "pgballast-2", "relay"),
            (
                Check("calls", "pgballast", "pgbouncer", 0.65, 0.58),
                Check("calls", "pgballast", "", 4.6, 4.1),
            ),
            {"clients": 64, "few": 5000, "many": 25000},
            kind="calls",
            rounds=1,
            quick=tls,
        )


def instructions(pgbouncer_can):
    cases = [("simple", False, 0.50, 0.25), ("simple", True, 0.80, 0.73)]
    if pgbouncer_can:
        cases.append(("prepared", True, 0.55, 0.49))
    for protocol, tls, must, goal in cases:
        checks = [Check("instructions", "pgballast", "pgbouncer", must, goal)]
        if not tls:
            checks.append(Check("instructions", "pgballast", "", 2450, 1200))
        yield Group(
            "S10",
            f"user instructions, {protocol}, {transport(tls)}, 64 clients",
            Setup("canned", upstream_tls=tls),
            lanes("pgbouncer", "pgballast", "relay"),
            tuple(checks),
            {"clients": 64, "protocol": protocol, "few": 2000, "many": 12000},
            kind="instructions",
            rounds=1,
        )


def all_groups(pgbouncer_version, client_counts, idle_clients):
    pgbouncer_can = pgbouncer_version >= PREPARED_SINCE
    groups = []
    for key in ("S1", "S2"):
        for tls in (False, True):
            for n in client_counts:
                groups.append(queries(key, tls, n, two_workers=key == "S1" and n == 64))
    for tls in (False, True):
        bounds = (0.75, 0.65) if tls else (0.78, 0.68)
        for n in client_counts:
            groups.append(prepared(tls, n, "postgres", pgbouncer_can, *bounds))
    groups += churn()
    groups += memory(idle_clients)
    groups += streams()
    groups.append(crowd())
    groups += canned(pgbouncer_can)
    groups += calls()
    groups += instructions(pgbouncer_can)
    groups.append(reloads())
    return groups
