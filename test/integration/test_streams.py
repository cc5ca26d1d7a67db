# SPDX-License-Identifier: PostgreSQL
"""Large things pass through in pieces: memory does not grow with them."""

import struct
from contextlib import closing

import pytest

from support import wire
from support.waiting import wait_until

MEGABYTE = 1 << 20
# What a connection may hold back when its peer does not read, and room for the allocator.
SLACK_KIB = 8 * 1024


class Null:
    """A file that forgets; it counts."""

    size = 0

    def write(self, data):
        self.size += len(data)
        return len(data)


class Zeros:
    """A file of `size` bytes, in lines."""

    def __init__(self, size):
        self.left = size

    def read(self, n):
        n = min(n, self.left) // 8 * 8
        self.left -= n
        return "0123456\n" * (n // 8)


@pytest.fixture
def warm(pooler):
    """Its buffers have been used once, so that growth is growth by what follows."""
    with pooler.login() as client:
        client.query("SELECT repeat('x', 1000000)")
    return pooler


def copy_out(pooler, megabytes):
    sink = Null()
    with closing(pooler.connect()) as connection, connection.cursor() as cursor:
        cursor.copy_expert(
            "COPY (SELECT repeat('x', 1023) FROM generate_series(1, "
            f"{megabytes * 1024})) TO STDOUT",
            sink,
        )
    assert sink.size == megabytes * MEGABYTE


def test_a_thousand_columns_arrive(pooler):
    columns = ", ".join(f"{n} AS column_{n}" for n in range(1000))
    with pooler.login() as client:
        assert client.query(f"SELECT {columns}") == [[str(n) for n in range(1000)]]


def test_rows_of_many_megabytes_arrive(pooler):
    with pooler.login() as client:
        rows = client.query("SELECT repeat('x', 20000000), 'end' FROM generate_series(1, 2)")
        assert [[len(text), end] for text, end in rows] == [[20000000, "end"]] * 2


def test_a_query_of_many_megabytes_arrives(pooler):
    with pooler.login() as client:
        assert client.query(f"SELECT length('{'x' * 20000000}')") == [["20000000"]]


def test_a_parameter_of_many_megabytes_arrives(pooler):
    with pooler.login() as client:
        client.send(wire.parse("SELECT length($1::text)"), wire.bind(["x" * 20000000]))
        client.send(wire.execute(), wire.SYNC)
        assert client.rows() == [["20000000"]]


def test_a_parse_of_many_megabytes_arrives(pooler):
    with pooler.login() as client:
        client.send(wire.parse(f"SELECT length('{'x' * 5000000}')", "big"), wire.SYNC)
        assert client.read_reply() == "1Z"
        for _ in range(2):
            client.send(wire.bind(statement="big"), wire.execute(), wire.SYNC)
            assert client.rows() == [["5000000"]]


def test_an_error_message_of_a_megabyte_arrives(pooler):
    with pooler.login() as client:
        client.send(wire.query("DO $$ BEGIN RAISE EXCEPTION '%', repeat('x', 1000000); END $$"))
        error = client.read_until(b"Z")[0].fields()
        assert (error["C"], len(error["M"])) == ("P0001", 1000000)
        assert client.query("SELECT 1") == [["1"]]


@pytest.mark.memory
def test_a_hundred_megabytes_out_need_no_memory(warm):
    copy_out(warm, 1)
    before = warm.peak_kib()
    copy_out(warm, 100)
    assert warm.peak_kib() - before < SLACK_KIB


@pytest.mark.memory
def test_a_hundred_megabytes_in_need_no_memory(warm, postgres):
    postgres.sql("DROP TABLE IF EXISTS sink; CREATE UNLOGGED TABLE sink (line text)", database="app")
    postgres.sql("ALTER TABLE sink OWNER TO app", database="app")
    before = warm.peak_kib()
    with closing(warm.connect()) as connection, connection.cursor() as cursor:
        cursor.copy_expert("COPY sink FROM STDIN", Zeros(100 * MEGABYTE))
        assert cursor.rowcount == 100 * MEGABYTE // 8
    assert warm.peak_kib() - before < SLACK_KIB
    postgres.sql("DROP TABLE sink", database="app")


@pytest.mark.memory
def test_a_single_row_of_a_hundred_megabytes_needs_no_memory(warm):
    before = warm.peak_kib()
    with warm.login() as client:
        client.query("SELECT repeat('x', 100000000)")
    assert warm.peak_kib() - before < SLACK_KIB


@pytest.mark.memory
def test_a_client_that_does_not_read_stops_the_server_not_the_pooler(warm, postgres):
    """100 MB wait at PostgreSQL until the client reads, while others work."""
    before = warm.peak_kib()
    with warm.login() as slow, warm.login() as other:
        slow.send(wire.query("SELECT repeat('x', 1023) FROM generate_series(1, 102400)"))
        wait_until(
            lambda: postgres.backends(where="wait_event = 'ClientWrite'"),
            "PostgreSQL waits for its reader",
        )
        assert other.query("SELECT 1") == [["1"]]
        assert warm.peak_kib() - before < SLACK_KIB
        assert len(slow.rows()) == 102400


def test_many_small_rows_arrive_in_order(pooler):
    with pooler.login() as client:
        rows = client.query("SELECT n FROM generate_series(1, 200000) n")
        assert [int(n) for (n,) in rows] == list(range(1, 200001))


def test_messages_that_end_at_every_place_of_a_buffer_arrive(pooler):
    """Lengths around powers of two, back to back, so that headers are split everywhere."""
    with pooler.login() as client:
        lengths = [base + step for base in (8180, 16370, 65520) for step in range(0, 24)]
        client.send(*(wire.query(f"SELECT '{'y' * length}'") for length in lengths))
        for length in lengths:
            assert client.rows() == [["y" * length]]


def test_a_pipeline_whose_answers_are_not_read_does_not_lock_up(pooler):
    """Both directions are full at once: the pooler must go on as soon as the client reads."""
    group = wire.parse("SELECT repeat('z', 10000)") + wire.bind() + wire.execute() + wire.SYNC
    count = 3000
    with pooler.login() as client:
        client.socket.setblocking(False)
        pending = memoryview(group * count)
        answered = 0
        received = bytearray()

        def step():
            nonlocal pending, answered, received
            try:
                pending = pending[client.socket.send(pending) :] if pending else pending
            except BlockingIOError:
                pass
            try:
                received += client.socket.recv(MEGABYTE)
            except BlockingIOError:
                pass
            answered += drop_messages(received)
            return answered == count

        wait_until(step, "all groups are answered", seconds=60)


def drop_messages(received):
    """Remove whole messages from the front; how many ReadyForQuery were among them."""
    at = ready = 0
    while at + 5 <= len(received):
        letter, length = struct.unpack_from("!ci", received, at)
        if at + 1 + length > len(received):
            break
        ready += letter == b"Z"
        at += 1 + length
    del received[:at]
    return ready
