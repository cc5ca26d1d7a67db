# SPDX-License-Identifier: PostgreSQL
"""Nonsense from clients: an error for the one that sent it, nothing for anybody else."""

import random
import struct

import pytest

from support import wire
from support.pooler import own_certificate
from support.postgres import USERS
from support.wire import Disconnected, ServerError, Wire

GOOD_STARTUP = wire.startup({"user": "app", "database": "app"})


@pytest.fixture
def witness(pooler):
    """A client that must not notice anything, and the pooler it shares with the culprits."""
    with pooler.login() as client:
        yield pooler
        assert client.query("SELECT 1") == [["1"]]
    with pooler.login() as newcomer:
        assert newcomer.query("SELECT 1") == [["1"]]


FIRST_PACKETS = {
    "a length of zero": struct.pack("!ii", 0, wire.PROTOCOL_3_0),
    "a negative length": struct.pack("!ii", -8, wire.PROTOCOL_3_0),
    "a length of a gigabyte": struct.pack("!ii", 1 << 30, wire.PROTOCOL_3_0),
    "a length above PostgreSQL's limit": struct.pack("!ii", 10001, wire.PROTOCOL_3_0) + bytes(9993),
    "a length too small for the version": struct.pack("!i", 6) + b"\0\3",
    "protocol 2.0": struct.pack("!ii", 296, 2 << 16) + bytes(288),
    "protocol 4.0": wire.startup({"user": "app"}, version=4 << 16),
    "no terminator": struct.pack("!ii", 17, wire.PROTOCOL_3_0) + b"user\0app\0",
    "a name without a value": struct.pack("!ii", 14, wire.PROTOCOL_3_0) + b"user\0\0",
    "an HTTP request": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a cancel request without a key": wire.request(wire.CANCEL_REQUEST),
    "a cancel request with half a key": wire.request(wire.CANCEL_REQUEST, b"\0\0\0\1"),
    "a query instead of a login": wire.query("SELECT 1"),
}


@pytest.mark.parametrize("packet", FIRST_PACKETS.values(), ids=FIRST_PACKETS.keys())
def test_a_wrong_first_packet_ends_the_connection(witness, packet):
    with witness.wire() as client:
        client.send(packet)
        assert client.is_closed_by_peer()


@pytest.mark.parametrize("size", [0, 4, 7, 261, 9000])
def test_a_cancel_request_with_an_impossible_key_is_not_answered(witness, size):
    with witness.wire() as client:
        client.send(wire.request(wire.CANCEL_REQUEST, bytes(size)))
        with pytest.raises(Disconnected):
            client.read()
    witness.wait_for_log(f"closing because: bad packet header: '{8 + size:08x}04d2162e'")


def test_a_login_in_single_bytes_is_understood(pooler):
    with pooler.wire() as client:
        client.send_in_pieces(GOOD_STARTUP)
        assert client.read().letter == b"R"


def test_a_login_cut_off_anywhere_disturbs_nobody(witness):
    for size in range(len(GOOD_STARTUP)):
        with witness.wire() as client:
            client.send(GOOD_STARTUP[:size])


def test_data_smuggled_in_before_tls_is_refused(postgres, start_pooler):
    """Plain bytes right behind an SSLRequest must never count as part of the encrypted session."""
    pooler = start_pooler(postgres, client_tls_sslmode="allow", **own_certificate(postgres))
    with pooler.wire() as client:
        client.send(wire.request(wire.SSL_REQUEST), GOOD_STARTUP)
        error = client.read_error()
        assert error.sqlstate == "08P01"
        assert "unencrypted data after SSL request" in error.text
        with pytest.raises(Disconnected):
            client.read()


IN_AUTHENTICATION = {
    "a query": wire.query("SELECT 1"),
    "another startup": GOOD_STARTUP,
    "an empty answer": wire.message(b"p"),
    "an answer of a megabyte": wire.message(b"p", bytes(1 << 20)),
    "an answer that announces a gigabyte": b"p" + struct.pack("!i", 1 << 30),
    "an unknown mechanism": wire.message(b"p", b"SCRAM-MD5\0" + struct.pack("!i", 3) + b"n,,"),
    "a first message that is longer than its message": wire.message(
        b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", 1 << 20) + b"n,,n=,r=abc"
    ),
    "a first message without a nonce": wire.message(
        b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", 6) + b"n,,n=,"
    ),
}


@pytest.mark.parametrize("packet", IN_AUTHENTICATION.values(), ids=IN_AUTHENTICATION.keys())
def test_a_wrong_message_in_the_authentication_ends_it(witness, packet):
    with witness.wire() as client:
        client.send(GOOD_STARTUP)
        assert client.read().letter == b"R"
        try:
            client.send(packet)
        except ConnectionError:
            return
        assert client.is_closed_by_peer()


ONCE_LOGGED_IN = {
    "an unknown letter": wire.message(b"\x7f", b"body"),
    "a length of three": b"Q" + struct.pack("!i", 3),
    "a negative length": b"Q" + struct.pack("!i", -1),
    "a length of two gigabytes": b"Q" + struct.pack("!i", 0x7FFFFFFF),
    "a password": wire.message(b"p", b"secret\0"),
    "a query without an end": wire.message(b"Q", b"SELECT 1"),
    "a parse without an end": wire.message(b"P", b"name"),
    "a parse with too few types": wire.message(b"P", b"\0SELECT 1\0" + struct.pack("!h", 5)),
    "a bind without an end": wire.message(b"B", b"portal"),
    "a describe of nothing": wire.message(b"D"),
    "a close of an unknown kind": wire.message(b"C", b"Z\0"),
    "a sync with a body": wire.message(b"S", b"body"),
    "a server's message": wire.message(b"Z", b"I"),
}


@pytest.mark.parametrize("packet", ONCE_LOGGED_IN.values(), ids=ONCE_LOGGED_IN.keys())
def test_a_wrong_message_is_answered_with_a_protocol_error(witness, packet):
    with witness.login() as client:
        client.send(packet, wire.SYNC)
        assert client.read_error().sqlstate in ("08P01", "22P05", "42601")


def numbers(*values):
    return struct.pack(f"!{len(values)}h", *values)


# Prepared by then: "s" and the one without a name.
UNREADABLE = {
    "Parse": {
        "nothing": b"",
        "a name without an end": b"t",
        "a text without an end": b"t\0SELECT 1",
        "no count": b"t\0SELECT 1\0",
        "a negative count": b"t\0SELECT 1\0" + numbers(-1),
        "too few types": b"t\0SELECT 1\0" + numbers(2, 0, 23),
        "too few types without a name": b"\0SELECT 1\0" + numbers(1),
        "something behind it": b"t\0SELECT 1\0" + numbers(0) + b"x",
    },
    "Bind": {
        "nothing": b"",
        "a portal without an end": b"p",
        "a statement without an end": b"\0s",
        "no counts": b"\0s\0",
        "negative counts": b"\0s\0" + numbers(-1, -1, -1),
        "a value longer than the message": b"\0s\0" + numbers(0, 1, 0, 1000, 0),
        "something behind it": b"\0s\0" + numbers(0, 0, 0, 0),
    },
    "Describe": {
        "nothing": b"",
        "a name without an end": b"Ss",
        "an unknown kind": b"Xs\0",
        "something behind it": b"Ss\0x",
    },
    "Close": {
        "nothing": b"",
        "a name without an end": b"Ss",
        "an unknown kind": b"\0s\0",
        "something behind it": b"Ss\0x",
    },
}
RUN_S = wire.bind(statement="s") + wire.execute()
RUN_UNNAMED = wire.bind() + wire.execute()


def around(broken):
    """What is sent, each with the number of ReadyForQuery that answer it: alone, in a pipeline whose
    names change, in a transaction."""
    yield wire.parse("SELECT 7", "s") + wire.parse("SELECT 8") + wire.SYNC, 1
    yield broken + wire.SYNC + RUN_S + RUN_UNNAMED + wire.SYNC, 2
    yield RUN_S + wire.parse("SELECT 9", "new") + broken + wire.close(b"S", "s") + wire.SYNC, 1
    yield RUN_S + wire.bind(statement="new") + wire.SYNC + broken + wire.query("SELECT 1") + wire.SYNC, 2
    yield wire.query("SET search_path = pg_catalog") + broken + wire.SYNC, 2
    yield wire.query("BEGIN") + RUN_S + broken + RUN_S + wire.SYNC + wire.query("SELECT 1"), 3
    yield wire.query("ROLLBACK") + wire.query("SHOW search_path") + RUN_S + wire.SYNC, 3


def said(port, broken):
    """Each answer; of errors what they say, but for the name of a statement."""
    answers = []
    with Wire("127.0.0.1", port) as client:
        client.login("app", USERS["app"], "app")
        for messages, ready in around(broken):
            client.send(messages)
            while ready:
                answer = client.read()
                ready -= answer.letter == b"Z"
                fields = answer.fields() if answer.letter == b"E" else {}
                text = fields.get("M", "").split('"')[0]
                answers.append((fields["S"], fields["C"], text) if fields else answer)
        assert client.query("SELECT 1") == [["1"]]
    return [answer for answer in answers if answer[0] not in (b"S", b"N")]


@pytest.mark.parametrize("mode", ["transaction", "session"])
@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_read_is_the_error_that_it_is_in_postgresql(
    postgres, start_pooler, kind, mode
):
    pooler = start_pooler(postgres, default_pool_size=1, pool_mode=mode)
    with pooler.login() as client:
        client.query("SELECT 1")
    servers = postgres.backends("app")
    for body in UNREADABLE[kind].values():
        broken = wire.message({"Parse": b"P", "Bind": b"B", "Describe": b"D", "Close": b"C"}[kind], body)
        assert said(pooler.port, broken) == said(postgres.port, broken), body
    assert set(servers) <= set(postgres.backends("app"))
    # Of a Bind only the names are looked at, and names only where they are followed.
    seen = {"Bind": 3}.get(kind, len(UNREADABLE[kind]))
    if mode == "transaction":
        assert pooler.log_count("broken ") == pooler.log_count(f"broken {kind} packet") == 5 * seen


@pytest.mark.parametrize("letter", [b"E", b"D", b"C", b"f"])
def test_a_message_that_no_server_would_read_ends_nobody_elses_server(postgres, single, letter):
    with single.login() as client:
        client.query("SELECT 1")
        (server,) = postgres.backends("app")
        client.send(wire.message(letter, bytes(10000)), wire.SYNC)
        assert client.read_error().severity == "FATAL"
        assert client.is_closed_by_peer()
    with single.login() as witness:
        assert witness.query("SELECT pg_backend_pid()") == [[str(server)]]


def test_copy_data_outside_a_copy_is_ignored_as_postgresql_does(pooler):
    with pooler.login() as client:
        client.send(wire.message(b"d", b"data"), wire.message(b"c"), wire.query("SELECT 1"))
        assert client.rows() == [["1"]]


def test_a_message_cut_off_anywhere_disturbs_nobody(witness):
    whole = wire.parse("SELECT $1::int", oids=[23]) + wire.bind([1]) + wire.execute() + wire.SYNC
    for size in range(len(whole)):
        client = witness.login()
        client.send(whole[:size])
        client.close()
    witness.wait_for_pool(cl_active=1, cl_waiting=0, sv_active=0)


def test_messages_in_single_bytes_are_understood(pooler):
    with pooler.login() as client:
        client.send_in_pieces(
            wire.parse("SELECT $1::int", "s", oids=[23])
            + wire.bind([7], "s")
            + wire.execute()
            + wire.SYNC
        )
        assert client.rows() == [["7"]]


@pytest.mark.threads
def test_random_bytes_disturb_nobody(witness):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(100):
        client = witness.login() if chance.random() < 0.5 else witness.wire()
        try:
            client.send(chance.randbytes(chance.randrange(1, 2000)))
        except ConnectionError:
            pass
        client.close()
    witness.wait_for_pool(cl_active=1, cl_waiting=0, sv_active=0)


def test_a_query_longer_than_it_announced_is_two_messages(witness):
    """The rest of a statement behind a NUL must not run."""
    with witness.login() as client:
        client.send(wire.message(b"Q", b"SELECT 1\0; SELECT 2\0"))
        try:
            reply = client.read_until(b"Z")
        except (Disconnected, ServerError):
            return
        assert not [m for m in reply if m.letter == b"D" and m.columns() == ["2"]]
