# SPDX-License-Identifier: PostgreSQL
"""The same random sessions direct and through the pooler, compared message for message.

64 clients play their scripts at once, first each on a connection of its own to PostgreSQL, then all
of them over three servers. A script depends on nothing that another client does, so every answer
and every reported parameter must be the same. PGBALLAST_SEED repeats a run.
"""

import os
import random
import re
import struct
import threading

import pytest

from support import wire
from support.postgres import USERS
from support.wire import Disconnected, Wire

CLIENTS = 64
SERVERS = 3
STEPS = 30
DEADLINE_S = 20

# What PostgreSQL reports, and values whose effect a query shows.
REPORTED = {
    "DateStyle": ("ISO, DMY", "ISO, MDY", "SQL, DMY", "German, DMY"),
    "TimeZone": ("UTC", "Asia/Tokyo", "Europe/Rome"),
    "IntervalStyle": ("postgres", "iso_8601", "sql_standard"),
    "application_name": ("one", "two", "it's"),
    "standard_conforming_strings": ("on", "off"),
    "client_encoding": ("UTF8", "LATIN1"),
    "default_transaction_read_only": ("off", "on"),
}
LOOKS = (
    "SELECT '02-03-2004'::date - '2004-01-01'::date",
    "SELECT '2024-06-01 12:00+00'::timestamptz, '1 day 2 hours'::interval",
    "SELECT 'a\\\\b', length('\u00e9')",
    "SELECT current_setting('search_path'), current_setting('extra_float_digits')",
    *(f"SHOW {name}" for name in REPORTED),
)
FAILURES = ("SELECT 1/0", "SELEKT", "SELECT * FROM nowhere", "SELECT 'x'::int")
STARTUPS = (
    {},
    {"timezone": "Asia/Tokyo"},
    {"datestyle": "SQL, DMY", "application_name": "started"},
    {"options": r"-c search_path=pg_catalog,\ public -c extra_float_digits=0"},
    {"options": "-c search_path=public -c intervalstyle=iso_8601", "client_encoding": "LATIN1"},
)
# Statements of which many clients hold the same under different names and states.
TEXTS = (*LOOKS[:4], "SELECT $1::int + 1", "SELECT generate_series(1, 5)", *FAILURES)
NAMES = ("", "s1", "s2", "S3")
# Each breaks off in a name, or in front of a count.
UNREADABLE = tuple(wire.message(letter, b"Ss1") for letter in (b"P", b"B", b"D", b"C")) + (
    wire.message(b"P", b"s1\0SELECT 1\0"),
    wire.message(b"B", b"\0s1\0"),
)

# int4pl(2, 3)
FUNCTION_CALL = wire.message(
    b"F", struct.pack("!ihhhi1si1sh", 177, 0, 0, 2, 1, b"2", 1, b"3", 0)
)


def quoted(value):
    return "'" + value.replace("'", "''") + "'"


def group(text, values=()):
    return wire.parse(text) + wire.bind(values) + wire.execute()


class Script:
    """One client's steps: pairs of what is sent at once and how many ReadyForQuery answer it."""

    def __init__(self, seed, index, topic):
        self.random = random.Random(f"{seed}/{index}/{topic}")
        self.index = index
        self.table = f"difference_{index}"
        self.startup = self.random.choice(STARTUPS)
        self.steps = []
        while len(self.steps) < STEPS:
            getattr(self, topic)()
        self.steps.append((wire.query("ROLLBACK"), 1))

    def say(self, *texts):
        """Statements, each a step of its own or all in one write, simple or extended."""
        messages = [self.statement(text) for text in texts]
        if self.random.random() < 0.2:
            self.steps.append((b"".join(messages), len(messages)))
        else:
            self.steps += [(message, 1) for message in messages]

    def statement(self, text):
        if ";" in text or self.random.random() < 0.6:
            return wire.query(text)
        return group(text) + wire.SYNC

    # Topics

    def values(self):
        """SET in all its forms, committed, rolled back and failing."""
        self.random.choice((self.look, self.look, self.set_now, self.set_in_transaction))()

    def names(self):
        """Prepared statements, with errors at any place of a pipeline."""
        parts, ready = [], 0
        for _ in range(self.random.randrange(1, 4)):
            for _ in range(self.random.randrange(1, 5)):
                parts.append(self.extended_message())
            parts.append(wire.SYNC)
            ready += 1
            if self.random.random() < 0.15:
                parts.append(wire.query(self.random.choice(("SELECT 7", "DEALLOCATE s1"))))
                ready += 1
        if self.random.random() < 0.2:
            end = self.random.choice(("COMMIT", "ROLLBACK"))
            parts, ready = [wire.query("BEGIN"), *parts, wire.query(end)], ready + 2
        if self.random.random() < 0.05:
            parts, ready = [wire.query("DEALLOCATE ALL")], 1
        self.steps.append((b"".join(parts), ready))

    def names_one_by_one(self):
        """The same, but nothing is sent before the group in front of it was answered."""
        parts = [self.extended_message() for _ in range(self.random.randrange(1, 4))]
        self.steps.append((b"".join(parts) + wire.SYNC, 1))
        if self.random.random() < 0.1:
            self.steps.append((wire.query(self.random.choice(("DEALLOCATE s1", "DISCARD ALL"))), 1))

    def transactions(self):
        """Rows kept and lost, savepoints, portals over several groups, COPY, function calls."""
        self.random.choice((self.rows, self.rows, self.portal, self.copy, self.function, self.look))()

    def everything(self):
        self.random.choice((self.values, self.names_one_by_one, self.transactions))()

    # Pieces

    def look(self):
        self.say(self.random.choice(LOOKS))

    def assignment(self, word="SET"):
        name = self.random.choice(list(REPORTED))
        if self.random.random() < 0.1:
            return f"{word} {name} = 'no such value'"
        return f"{word} {name} = {quoted(self.random.choice(REPORTED[name]))}"

    def set_now(self):
        failure = self.random.choice(FAILURES)
        self.say(
            self.random.choice(
                (
                    self.assignment(),
                    self.assignment("SET LOCAL"),
                    f"{self.assignment()}; {failure}",
                    f"{self.assignment()}; {self.random.choice(LOOKS)}",
                    f"BEGIN; {self.assignment()}; {self.random.choice(('COMMIT', 'ROLLBACK'))}",
                    f"RESET {self.random.choice(list(REPORTED))}",
                )
            )
        )
        self.look()

    def set_in_transaction(self):
        words = ["BEGIN", self.assignment(self.random.choice(("SET", "SET LOCAL")))]
        words.append(self.random.choice(LOOKS))
        if self.random.random() < 0.4:
            words += ["SAVEPOINT s", self.assignment(), self.random.choice(FAILURES + LOOKS)]
            words += ["ROLLBACK TO s", self.random.choice(LOOKS)]
        if self.random.random() < 0.2:
            words.append(self.random.choice(FAILURES))
        self.say(*words, self.random.choice(("COMMIT", "ROLLBACK", "COMMIT; SELECT 1/0")))
        self.look()

    def extended_message(self):
        name, text = self.random.choice(NAMES), self.random.choice(TEXTS)
        kind = self.random.random()
        if kind < 0.35:
            # Of two errors in one Parse PostgreSQL reports the text's before the name's.
            free = wire.close(b"S", name) if text in FAILURES else b""
            return free + wire.parse(text, name)
        if kind < 0.75:
            values = [str(self.random.randrange(9))] if self.random.random() < 0.3 else []
            return wire.bind(values, name) + wire.execute()
        if kind < 0.85:
            return wire.describe(b"S", name)
        if kind < 0.95:
            return wire.close(b"S", name)
        if kind < 0.98:
            return wire.execute("no such portal")
        return self.random.choice(UNREADABLE)

    def rows(self):
        insert = f"INSERT INTO {self.table} VALUES ({self.random.randrange(100)})"
        words = ["BEGIN", insert]
        if self.random.random() < 0.3:
            words += ["SAVEPOINT s", insert, self.random.choice(FAILURES), "ROLLBACK TO s"]
        if self.random.random() < 0.3:
            words.append(self.random.choice(FAILURES))
        words.append(self.random.choice(("COMMIT", "ROLLBACK")))
        self.say(*words, f"SELECT count(*), sum(n) FROM {self.table}")

    def portal(self):
        self.say("BEGIN")
        start = wire.parse("SELECT generate_series(1, 7)") + wire.bind(portal="p")
        self.steps.append((start + wire.execute("p", 2) + wire.SYNC, 1))
        for rows in (2, 2, 0, 0):
            self.steps.append((wire.describe(b"P", "p") + wire.execute("p", rows) + wire.SYNC, 1))
        self.say(self.random.choice(("COMMIT", "ROLLBACK")))
        self.steps.append((wire.execute("p", 1) + wire.SYNC, 1))

    def copy(self):
        text = f"COPY {self.table} FROM STDIN"
        rows = [b"%d\n" % self.random.randrange(100) for _ in range(self.random.randrange(200))]
        if self.random.random() < 0.3:
            rows.insert(self.random.randrange(len(rows) + 1), b"no number\n")
        data = b"".join(wire.message(b"d", row) for row in rows)
        data += self.random.choice((wire.message(b"c"), wire.message(b"f", b"no more\0")))
        if self.random.random() < 0.5:
            self.steps.append((wire.query(text) + data, 1))
        else:
            self.steps.append((group(text) + data + wire.SYNC, 1))
        self.say(f"COPY (SELECT n FROM {self.table} ORDER BY n LIMIT 20) TO STDOUT")

    def function(self):
        self.steps.append((FUNCTION_CALL, 1))


def readable(answer):
    """An answer without what may differ: source lines of reports, names on the server."""
    if answer.letter in (b"E", b"N"):
        fields = answer.fields()
        if fields["C"] == "22P06":
            return None  # a warning about backslashes, also by the values that a failed gate left
        fields["M"] = re.sub('prepared statement "[^"]*"', "prepared statement", fields["M"])
        return answer.letter, tuple((key, fields.get(key)) for key in "VCMDHP")
    return answer


def play(client, script, reports):
    """A list of answers for each step, the parameters as told by then at its end; `reports`: also
    each report between the others, those that came together sorted."""
    transcript = []
    failed = False  # the transaction: of several errors another one may come first
    for message, ready in script.steps:
        answers = []
        transcript.append(answers)
        try:
            client.send(message)
            while ready:
                answer = client.read()
                if answer.letter == b"S":
                    name, value, _ = answer.body.split(b"\0")
                    client.parameters[name.decode()] = value.decode()
                    if reports and answers and isinstance(answers[-1], list):
                        answers[-1] = sorted(answers[-1] + [answer])
                    elif reports:
                        answers.append([answer])
                    continue
                if failed and answer.letter == b"E":
                    answers.append("an error in a failed transaction")
                elif said := readable(answer):
                    answers.append(said)
                if answer.letter == b"Z":
                    failed = answer.body == b"E"
                ready -= answer.letter == b"Z"
        except (Disconnected, OSError) as end:
            answers.append(("the connection ended", type(end).__name__))
            return transcript
        answers.append({name: client.parameters.get(name) for name in REPORTED})
    return transcript


def play_all(port, scripts, reports=False):
    transcripts = [[("no login",)] for _ in scripts]

    def work(index):
        with Wire("127.0.0.1", port, deadline_s=DEADLINE_S) as client:
            client.login("app", USERS["app"], "app", **scripts[index].startup)
            transcripts[index] = play(client, scripts[index], reports)

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(scripts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=3 * DEADLINE_S)
        assert not thread.is_alive(), "a client never finished"
    return transcripts


def first_difference(script, expected, got):
    """A description, or None."""
    for step, (wanted, had) in enumerate(zip(expected, got)):
        if wanted != had:
            sent = [before for before, _ in script.steps[max(0, step - 2) : step + 1]]
            return (
                f"client {script.index} ({script.startup}), step {step}\n"
                f"  sent   {sent}\n  direct {wanted}\n  pooled {had}"
            )
    return None if len(expected) == len(got) else f"client {script.index}: one ended early"


def empty_tables(postgres):
    postgres.sql(
        "SET client_min_messages = error;"
        + "".join(
            f"CREATE TABLE IF NOT EXISTS difference_{index} (n int);"
            f"ALTER TABLE difference_{index} OWNER TO app; TRUNCATE difference_{index};"
            for index in range(CLIENTS)
        ),
        database="app",
    )


@pytest.mark.threads
@pytest.mark.parametrize(
    "topic",
    [
        "transactions",
        "values",
        "names_one_by_one",
        "names",
        "everything",
    ],
)
def test_sessions_through_fewer_servers_are_as_direct_ones(postgres, start_pooler, topic):
    compare(postgres, start_pooler(postgres, default_pool_size=SERVERS), topic, CLIENTS)


@pytest.mark.parametrize("most", [1, 3])
def test_names_are_the_same_where_servers_keep_few_of_them(postgres, start_pooler, most):
    pooler = start_pooler(postgres, default_pool_size=2, max_prepared_statements=most)
    compare(postgres, pooler, "names", CLIENTS // 2)
    assert pooler.log_count("not what was expected") == 0


@pytest.mark.parametrize("topic", ["values", "names", "everything"])
def test_in_session_mode_each_report_comes_where_it_does_directly(postgres, start_pooler, topic):
    """Servers are used by several clients in turn."""
    pooler = start_pooler(postgres, pool_mode="session", default_pool_size=4 * SERVERS)
    compare(postgres, pooler, topic, 8 * SERVERS, reports=True)


def compare(postgres, pooler, topic, clients, reports=False):
    seed = os.environ.get("PGBALLAST_SEED") or str(random.SystemRandom().randrange(1 << 32))
    print(f"PGBALLAST_SEED={seed}")
    scripts = [Script(seed, index, topic) for index in range(clients)]
    transcripts = []
    for port in (postgres.port, pooler.port):
        empty_tables(postgres)
        transcripts.append(play_all(port, scripts, reports))
    differences = [
        difference
        for script, expected, got in zip(scripts, *transcripts)
        if (difference := first_difference(script, expected, got))
    ]
    assert not differences, f"PGBALLAST_SEED={seed}: {len(differences)} clients\n" + "\n".join(
        differences[:5]
    )
