# SPDX-License-Identifier: PostgreSQL
"""Several processes behind one port: cancel requests find the one whose client they are about."""

import signal
import socket
import struct
import threading
from contextlib import ExitStack, closing

import psycopg2
import pytest

from support import process, wire
from support.waiting import wait_until

CANCEL = 80877102
HOPS = 3


def key_of(peer, hops=HOPS):
    return bytes([1, peer & 0xFF, peer >> 8, 4, 5, 6, 7, 0xA8 | hops])


def send_cancel(pooler, key):
    """A CancelRequest whose connection is left open."""
    client = pooler.wire()
    client.send(wire.request(CANCEL, key))
    return client


class StandIn:
    """A peer of which only the port and what it receives matter."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(20)
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def take(self):
        """A connection, and the key that came by it."""
        connection, _ = self.socket.accept()
        connection.settimeout(20)
        packet = connection.recv(64)
        assert struct.unpack("!II", packet[:8]) == (16, CANCEL)
        return connection, packet[8:]


@pytest.fixture
def stand_in():
    with StandIn() as peer:
        yield peer


class Group:
    """So many processes on one port, peers of one another by their Unix sockets."""

    def __init__(self, n, postgres, workspace, start_pooler):
        self.postgres, self.start_pooler = postgres, start_pooler
        self.port = process.free_port()
        self.places = [process.new_directory("socket", workspace) for _ in range(n)]
        self.members = [self.start(number) for number in range(1, n + 1)]

    def start(self, number):
        """The process of this number, also one that takes the place of another."""
        peers = {n: f"host={place} port={self.port}" for n, place in enumerate(self.places, 1)}
        place = self.places[number - 1]
        pooler = self.start_pooler(
            self.postgres, listen_port=self.port, so_reuseport=1, unix_socket_dir=place,
            peer_id=number, peers=peers,
        )
        wait_until(lambda: "process up" in pooler.log(), "it is up")
        pooler.host = str(place)  # what asks for this very one goes by its socket
        return pooler


@pytest.fixture
def start_group(postgres, workspace, start_pooler):
    return lambda n: Group(n, postgres, workspace, start_pooler)


def is_running(postgres):
    return postgres.backends(where="state = 'active' AND query LIKE '%pg_sleep(60)%'")


def assert_cancel_hits(connection, postgres):
    def cancel_when_running():
        wait_until(lambda: is_running(postgres), "the statement runs")
        connection.cancel()

    canceller = threading.Thread(target=cancel_when_running)
    canceller.start()
    with connection.cursor() as cursor, pytest.raises(psycopg2.errors.QueryCanceled):
        cursor.execute("SELECT pg_sleep(60)")
    canceller.join()


@pytest.mark.threads
def test_a_cancel_hits_whichever_process_it_arrives_at(postgres, start_group):
    group = start_group(3).members
    for _ in range(20):
        with closing(group[0].connect(host="127.0.0.1")) as connection:
            assert_cancel_hits(connection, postgres)
    forwarded = sum(pooler.log_count("successfully sent cancel request") for pooler in group)
    assert forwarded > 0
    assert sum(len(pooler.console("SHOW PEER_POOLS")) for pooler in group) > 0
    for pooler in group:
        assert [row["peer_id"] for row in pooler.console("SHOW PEERS")] == [1, 2, 3]
        assert all(set(row.values()) <= {row["peer_id"], 0} for row in pooler.console("SHOW PEER_POOLS"))


class Visitors:
    """Clients that come by TCP, ask a few things, and leave, until told to stop."""

    def __init__(self, pooler, clients=4):
        self.pooler = pooler
        self.errors = []
        self.visits = 0
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._visit) for _ in range(clients)]

    def _visit(self):
        while not self.stopping.is_set():
            try:
                with closing(self.pooler.connect(host="127.0.0.1")) as connection:
                    with connection.cursor() as cursor:
                        for _ in range(3):
                            cursor.execute("SELECT 1")
            except psycopg2.Error as error:
                self.errors.append(error)
            self.visits += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


@pytest.mark.threads
def test_processes_are_restarted_one_by_one_and_no_client_notices(start_group):
    group = start_group(2)
    with closing(group.members[0].connect()) as stays, Visitors(group.members[0]) as visitors:
        for number in (1, 2):
            old = group.members[number - 1]
            old.process.send_signal(signal.SIGTERM)
            if number == 1:
                wait_until(lambda: "waiting for all clients" in old.log(), "it has begun to end")
                with stays.cursor() as cursor:
                    cursor.execute("SELECT 'still served'")
                stays.close()
            old.process.wait(timeout=20)
            before = visitors.visits
            group.members[number - 1] = group.start(number)
            wait_until(lambda: visitors.visits > before + 20, "they go on")
    assert visitors.errors == []


def number_in_key(connection):
    """The peer that a psycopg2 connection is with; the first half of its key passes for a pid."""
    pid = connection.get_backend_pid()
    return pid >> 16 & 0xFF | pid & 0xFF00


def test_a_cancel_reaches_a_process_that_lets_nobody_in_any_more(postgres, start_group):
    first, second = start_group(2).members
    with ExitStack() as stack:
        while True:
            client = stack.enter_context(closing(second.connect(host="127.0.0.1")))
            if number_in_key(client) == 1:
                break
        first.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "waiting for all clients" in first.log(), "it has begun to end")
        assert_cancel_hits(client, postgres)
    first.process.wait(timeout=20)


def test_a_key_says_whose_client_it_is(postgres, start_pooler):
    pooler = start_pooler(postgres, peer_id=0x1234)
    keys = []
    with ExitStack() as stack:
        for _ in range(20):
            keys.append(stack.enter_context(pooler.login()).key)
    assert all(key[0] < 0x80 and key[1] == 0x34 and key[2] == 0x12 and key[7] & 3 == HOPS for key in keys)
    assert len(set(keys)) == len(keys)


def test_a_cancel_is_passed_on_with_one_hop_less_and_ends_with_the_peers_connection(
    postgres, start_pooler, stand_in
):
    pooler = start_pooler(postgres, peer_id=1, peers={2: f"host=127.0.0.1 port={stand_in.port}"})
    with send_cancel(pooler, key_of(2)) as requester:
        connection, key = stand_in.take()
        assert key == key_of(2, HOPS - 1)
        (row,) = pooler.console("SHOW PEER_POOLS")
        assert row == {
            "peer_id": 2, "cl_active_cancel_req": 1, "cl_waiting_cancel_req": 0, "sv_active_cancel": 1,
            "sv_login": 0,
        }
        (client,) = pooler.console("SHOW CLIENTS WHERE state = 'active_cancel_req'")
        assert client["user"] == "(nouser)"
        connection.close()
        assert requester.is_closed_by_peer()
    assert f"peer-2@127.0.0.1:{stand_in.port} closing because: successfully sent cancel" in pooler.log()
    with send_cancel(pooler, key_of(2, hops=0)) as spent, send_cancel(pooler, key_of(3)) as unknown:
        assert spent.is_closed_by_peer()
        assert unknown.is_closed_by_peer()
    # Whoever asked may leave: the request goes on.
    send_cancel(pooler, key_of(2)).close()
    connection, _ = stand_in.take()
    connection.close()


def test_no_more_cancels_than_its_pool_size_are_on_their_way_to_a_peer(postgres, start_pooler, stand_in):
    pooler = start_pooler(
        postgres, peer_id=1, peers={2: f"host=localhost port={stand_in.port} pool_size=1"}
    )
    with send_cancel(pooler, key_of(2)) as first, send_cancel(pooler, key_of(2, hops=1)) as second:
        connection, key = stand_in.take()
        wait_until(
            lambda: pooler.console("SHOW PEER_POOLS")[0]["cl_waiting_cancel_req"] == 1, "one waits"
        )
        lists = {row["list"]: row["items"] for row in pooler.console("SHOW LISTS")}
        assert (lists["peers"], lists["peer_pools"]) == (1, 1)
        connection.close()
        connection, next_key = stand_in.take()
        assert {key, next_key} == {key_of(2, HOPS - 1), key_of(2, 0)}
        connection.close()
        assert first.is_closed_by_peer() and second.is_closed_by_peer()


def test_a_peer_that_does_not_answer_is_given_up(postgres, start_pooler, stand_in):
    pooler = start_pooler(
        postgres, peer_id=1, cancel_wait_timeout="0.2",
        peers={2: f"host=127.0.0.1 port={stand_in.port} pool_size=1", 3: "host=/nowhere"},
    )
    with send_cancel(pooler, key_of(2)) as requester, send_cancel(pooler, key_of(2)) as queued:
        assert requester.is_closed_by_peer()
        assert queued.is_closed_by_peer()
    assert f"WARNING peer-2@127.0.0.1:{stand_in.port} closing because: cancel_wait_timeout" in pooler.log()
    with send_cancel(pooler, key_of(3)) as requester:
        assert requester.is_closed_by_peer()
    assert "peer-3@/nowhere:6432 closing because: connect failed" in pooler.log()


def test_a_reload_of_peers_is_all_or_nothing(postgres, start_pooler, stand_in):
    line = f"2 = host=127.0.0.1 port={stand_in.port} pool_size=1"
    pooler = start_pooler(postgres, unix_socket_dir=".", peer_id=1, peers={2: line[4:]})
    ini = pooler.command[1]
    text = ini.read_text()
    ini.write_text(text.replace(line, "3 = host=127.0.0.1\n4 = port=1"))
    with pytest.raises(psycopg2.DatabaseError, match="RELOAD failed"):
        pooler.console("RELOAD")
    assert "peer 4: host was not provided for peer 4" in pooler.log()
    with send_cancel(pooler, key_of(2)), send_cancel(pooler, key_of(2)) as queued:
        under_way, _ = stand_in.take()
        wait_until(
            lambda: pooler.console("SHOW PEER_POOLS")[0]["cl_waiting_cancel_req"] == 1, "one waits"
        )
        ini.write_text(text.replace(line, "3 = host=127.0.0.1"))
        pooler.console("RELOAD")
        assert queued.is_closed_by_peer()
        under_way.close()
    assert [row["peer_id"] for row in pooler.console("SHOW PEERS")] == [3]
    wait_until(lambda: not pooler.console("SHOW PEER_POOLS"), "nothing is on its way to it")
