# SPDX-License-Identifier: PostgreSQL
"""B13 to B15, B19, B22 and the faults X01 to X13: sessions, their end, sleep and time."""

import json
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import wire
from support.neonfront import OrderRefused
from support.waiting import wait_until
from support.wire import Disconnected, ServerError, Wire

from test_login import start_sleeping


class RecordWire(Wire):
    """A logged-in client that sees TLS records, and by what a connection ends."""

    def __init__(self, front):
        super().__init__(front.host, front.port)
        self.raw, self.socket = self.socket, self
        self.raw.sendall(wire.request(wire.SSL_REQUEST))
        assert self.raw.recv(1) == b"S"
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=front.ca_file)
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=front.name())
        self.received = b""
        self._step(self.tls.do_handshake)
        self.certificate = self.tls.getpeercert(binary_form=True)
        self.login("app", "app secret", "app")

    def _step(self, call, *arguments):
        while True:
            try:
                return call(*arguments)
            except ssl.SSLWantReadError:
                self._flush()
                piece = self.raw.recv(65536)
                if not piece:
                    raise ssl.SSLEOFError("no close_notify") from None
                self.received += piece
                self.incoming.write(piece)

    def _flush(self):
        if self.outgoing.pending:
            self.raw.sendall(self.outgoing.read())

    # As Wire uses its socket

    def sendall(self, data):
        self.tls.write(data)
        self._flush()

    def recv(self, size):
        try:
            return self._step(self.tls.read, size)
        except ssl.SSLZeroReturnError:
            return b""

    def close(self):
        self.raw.close()

    def record_sizes(self):
        """Lengths of all records that came, in order."""
        sizes, at = [], 0
        while at + 5 <= len(self.received):
            sizes.append(int.from_bytes(self.received[at + 3 : at + 5], "big"))
            at += 5 + sizes[-1]
        return sizes

    def last_words(self):
        """Letters of what is still read, and the end: "close_notify", "end of file" or "reset"."""
        letters = b""
        try:
            while True:
                letters += self.read().letter
        except Disconnected as end:
            ends = {"end of stream": "close_notify", "no close": "end of file", "reset": "reset"}
            return letters, next(what for text, what in ends.items() if text in str(end))


@pytest.mark.parametrize("step", [1024, 16384])
def test_b13_the_pump_makes_one_record_of_each_step(front, step):
    front.set(step_bytes=step)
    with RecordWire(front) as client:
        before = len(client.record_sizes())
        assert len(client.query("SELECT repeat('x', 100000)")[0][0]) == 100000
        sizes = client.record_sizes()[before:]
        # TLS 1.3 adds the type of the content and a tag of 16 bytes. PostgreSQL writes 8 KiB at a time,
        # so a longer step may find no more than that.
        assert min(step, 8192) + 17 <= max(sizes) <= step + 17
        assert len(sizes) >= 100000 // step


def test_b14_a_session_that_postgres_ends_ends_with_close_notify(front, postgres):
    with RecordWire(front) as client:
        postgres.terminate_all("app")
        assert client.last_words() == (b"E", "close_notify")


class ResettingPostgres:
    """Accepts everybody; whoever is not the stand-in itself is reset at the first query."""

    port = 1

    def __init__(self, directory):
        self.directory = directory
        path = directory / f".s.PGSQL.{self.port}"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        path.chmod(0o777)
        self.listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            session, _ = self.listener.accept()
            if b"neonfront" in session.recv(4096):
                session.close()
                continue
            key, ready = wire.message(b"K", bytes(8)), wire.message(b"Z", b"I")
            session.sendall(wire.message(b"R", bytes(4)) + key + ready)
            # Closed with a query unread: the other side reads ECONNRESET.
            session.recv(1, socket.MSG_PEEK)
            session.close()


def test_b14_a_session_that_postgres_resets_ends_without_close_notify(start_front, workspace):
    front = start_front(before=ResettingPostgres(workspace))
    with RecordWire(front) as client:
        client.send(wire.query("SELECT 1"))
        assert client.last_words() == (b"", "end of file")


def test_b14_half_a_connection_is_not_kept(front):
    with front.login() as client:
        client.socket.shutdown(socket.SHUT_WR)
        front.wait_for_event("end")
        assert front.events("end")[0]["why"] == "client closed"


def test_b15_the_statement_of_a_lost_client_is_cancelled(front, postgres):
    client = start_sleeping(front, postgres)
    client.close()
    wait_until(
        lambda: not postgres.backends(where="query LIKE '%pg_sleep%' AND state = 'active'"),
        "it is cancelled",
    )
    front.wait_for_event("abandoned")


# B19: sleep


@pytest.fixture
def sleepy(start_front):
    """Suspends after 400 ms."""
    front = start_front(suspend_after_ms=400)
    front.order("reset")
    return front


def test_b19_an_idle_connection_does_not_keep_it_awake(sleepy):
    with sleepy.login() as client:
        client.query("SELECT 1")
        sleepy.wait_for(state="suspended")
        assert client.read_error().sqlstate == "57P01"
    assert sleepy.counters()["awake_s"] < 10


def test_b19_an_open_transaction_keeps_it_awake(sleepy):
    with sleepy.login() as client:
        client.query("BEGIN")
        time.sleep(1.0)  # More than twice the time after which it would sleep.
        assert sleepy.counters()["state"] == "active"
        assert sleepy.events("activity")[-1]["reason"] == "session not idle"
        client.query("ROLLBACK")
        sleepy.wait_for(state="suspended")


def test_b19_statements_keep_it_awake(sleepy):
    with sleepy.login() as client:
        end = time.monotonic() + 1.2
        while time.monotonic() < end:
            assert client.query("SELECT 1") == [["1"]]
            time.sleep(0.1)
        assert sleepy.counters()["events"].get("suspended", 0) == 0


def test_b19_opening_a_connection_counts(sleepy):
    end = time.monotonic() + 1.2
    while time.monotonic() < end:
        sleepy.login().terminate()
        time.sleep(0.1)
    assert sleepy.counters()["events"].get("suspended", 0) == 0
    sleepy.wait_for(state="suspended")


def test_b19_the_billing_clock_stands_still_during_sleep(sleepy):
    sleepy.wait_for(state="suspended")
    first = sleepy.counters()["awake_s"]
    time.sleep(0.2)
    assert sleepy.counters()["awake_s"] == first


@pytest.mark.parametrize("rtt", [20, 80])
def test_b22_each_round_trip_takes_so_much_longer(front, rtt):
    with front.login() as client:
        front.set(rtt_ms=rtt)
        begun = time.monotonic()
        for _ in range(5):
            assert client.query("SELECT 1") == [["1"]]
        took_ms = (time.monotonic() - begun) * 1000
        assert 5 * rtt <= took_ms < 5 * rtt + 2000
        assert len(client.query("SELECT repeat('x', 300000)")[0][0]) == 300000


# Faults


def test_x01_many_clients_wait_for_one_start(front):
    front.suspend()
    front.set(wake_ms=300)
    with ThreadPoolExecutor(8) as threads:
        clients = list(threads.map(lambda _: front.login(), range(8)))
    for client in clients:
        assert client.query("SELECT 1") == [["1"]]
        client.close()
    assert front.count("wake_begin") == 1


def test_x02_all_idle_connections_read_57p01_at_once(front):
    clients = [RecordWire(front) for _ in range(8)]
    begun = time.monotonic()
    assert front.suspend() == 8
    for client in clients:
        fields = client.read_until(b"E")[-1].fields()
        assert (fields["S"], fields["V"], fields["C"]) == ("FATAL", "FATAL", "57P01")
        assert client.last_words() == (b"", "close_notify")
        client.close()
    assert time.monotonic() - begun < 1.0
    assert front.suspend() is None


def test_x03_pooled_connections_end_without_a_message(front):
    with RecordWire(front) as client:
        front.suspend(manner="pooled")
        assert client.last_words() == (b"", "close_notify")


@pytest.mark.parametrize(
    "how, end", [("eof", "end of file"), ("reset", "reset"), ("goodbye", "close_notify")]
)
def test_x05_an_idle_connection_is_cut(front, how, end):
    with RecordWire(front) as client:
        client.query("SELECT 1")
        assert front.order("cut", how=how, which="idle") == 1
        assert client.last_words() == (b"", end)


@pytest.mark.parametrize("manner, letters", [("direct", b"E"), ("pooled", b"")])
def test_x07_a_restart_in_the_middle_of_a_result(front, manner, letters):
    with RecordWire(front) as client:
        rows = "repeat('x', 1000), pg_sleep(i / 200) FROM generate_series(1, 9999) AS i"
        client.send(wire.query(f"SELECT {rows}"))
        assert client.read_until(b"D")
        front.order("restart", manner=manner)
        rest, end = client.last_words()
        assert rest.strip(b"D") == letters and end == "close_notify"
    front.wait_for(state="active")


def test_x09_refusals_come_as_scripted_and_then_stop(front):
    front.fail("E28", times=2)
    front.fail("E16")
    texts = []
    while True:
        with front.wire() as client:
            try:
                client.login("app", "app secret", "app")
                break
            except ServerError as error:
                texts.append(error.text)
    assert texts == [
        "endpoint is idle, retry request",
        "endpoint is idle, retry request",
        "Too many connections to this endpoint. Please try again later.",
    ]


def test_x13_the_handshake_has_a_budget_and_ends_without_a_word(front):
    front.set(handshake_budget_ms=200, delay_ssl_ms=5000)
    with Wire(front.host, front.port) as client:
        client.send(wire.request(wire.SSL_REQUEST))
        with pytest.raises(Disconnected):
            client.read_byte()


def test_x13_the_exchange_has_a_budget_and_ends_with_e11(front):
    front.set(scram_budget_ms=200, delay_challenge_ms=5000)
    with front.wire() as client, pytest.raises(ServerError, match="Authentication timed out"):
        client.login("app", "app secret", "app")


# Orders


def test_an_order_that_makes_no_sense_changes_nothing(front):
    for order in [
        {"command": "set", "rtt_ms": 5, "no_such_knob": 1},
        {"command": "set", "rtt_ms": -1},
        {"command": "set", "step_bytes": 0},
        {"command": "fail", "error": "E99"},
        {"command": "suspend", "manner": "sideways"},
        {"command": "nothing"},
    ]:
        with pytest.raises(OrderRefused):
            front.order(**order)
    assert front.order("knobs")["rtt_ms"] == 0
    assert front.counters()["script"] == 0


def test_every_line_of_the_event_log_has_time_connection_and_event(front):
    front.login().terminate()
    front.wait_for_event("end")
    lines = front.events()
    assert {"accept", "tls", "startup", "proven", "ready", "end"} <= {e["event"] for e in lines}
    assert all({"time", "connection", "event"} <= line.keys() for line in lines)
    assert front.events("end")[0]["bytes_out"] > 0
    assert "app secret" not in json.dumps(lines)
