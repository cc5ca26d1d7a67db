# SPDX-License-Identifier: PostgreSQL
"""B01 to B05 and B07: up to the StartupMessage."""

import random
import socket
import ssl
import struct

import pytest

from support import wire
from support.neonfront import BASE, BASE_WITHOUT_PLUS, ENDPOINT
from support.wire import Disconnected, Wire


def any_server():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def direct(front, alpn=None, context=None, session=None):
    context = context or any_server()
    if alpn:
        context.set_alpn_protocols(alpn)
    raw = Wire(front.host, front.port)
    raw.socket = context.wrap_socket(raw.socket, server_hostname=front.name(), session=session)
    raw.certificate = raw.socket.getpeercert(binary_form=True)
    return raw


def client_hello(front):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = any_server()
    context.set_alpn_protocols(["postgresql"])
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=front.name()).do_handshake()
    return outgoing.read()


def test_b01_ssl_is_granted_and_gss_is_not(front):
    with Wire(front.host, front.port) as client:
        client.send(wire.request(wire.GSSENC_REQUEST))
        assert client.read_byte() == b"N"
        client.start_tls(server_name=front.name())
        client.login("app", "app secret", "app")
        assert client.query("SELECT 1") == [["1"]]


@pytest.mark.parametrize("code", [wire.SSL_REQUEST, wire.GSSENC_REQUEST])
def test_b01_no_request_is_answered_inside_tls(front, code):
    with front.wire() as client:
        client.send(wire.request(code))
        assert client.is_closed_by_peer()


def test_b01_gss_is_not_asked_for_twice(front):
    with Wire(front.host, front.port) as client:
        client.send(wire.request(wire.GSSENC_REQUEST), wire.request(wire.GSSENC_REQUEST))
        assert client.read_byte() == b"N"
        assert client.is_closed_by_peer()


@pytest.mark.parametrize("alpn", [None, ["postgresql"], ["h2", "postgresql"]])
def test_b01_direct_tls_with_or_without_alpn(front, alpn):
    with direct(front, alpn) as client:
        assert client.socket.selected_alpn_protocol() == ("postgresql" if alpn else None)
        client.login("app", "app secret", "app")
        assert front.events("tls")[0]["how"] == "direct"


def test_b01_another_alpn_list_is_refused_by_alert(front):
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        direct(front, ["h2", "http/1.1"])


def test_b01_the_client_hello_may_be_glued_to_the_request(front):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = any_server().wrap_bio(incoming, outgoing, server_hostname=front.name())
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with socket.create_connection((front.host, front.port), timeout=20) as raw:
        raw.sendall(wire.request(wire.SSL_REQUEST) + outgoing.read())
        assert raw.recv(1) == b"S"
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                incoming.write(raw.recv(65536))
        assert tls.version() == "TLSv1.3"


def test_b01_a_hello_in_single_bytes_is_a_hello(front):
    with Wire(front.host, front.port) as client:
        client.send_in_pieces(client_hello(front))
        assert client.socket.recv(1) == bytes([22])  # a handshake record, not an alert


def test_b02_plain_startup_is_e01(front):
    with Wire(front.host, front.port) as client:
        client.send(wire.startup({"user": "app", "database": "app"}))
        refused = client.read().fields()
        assert refused == {
            "S": "ERROR",
            "C": "XX000",
            "M": "connection is insecure (try using `sslmode=require`)",
        }
        assert client.is_closed_by_peer()


@pytest.mark.parametrize(
    "name, certificate",
    [
        (f"{ENDPOINT}.{BASE}", BASE),
        (f"{ENDPOINT}.{BASE_WITHOUT_PLUS}", BASE_WITHOUT_PLUS),
        (f"a.deeper.{BASE}", BASE),
        ("db.example.com", "default"),
        ("", "default"),
    ],
)
def test_b03_the_certificate_is_chosen_by_server_name(front, name, certificate):
    with front.wire(server_name=name):
        front.wait_for_event("tls")
        assert front.events("tls")[0]["certificate"] == certificate


def test_b03_verify_full_accepts_the_wildcard_and_nothing_else(front):
    with front.connect(sslmode="verify-full") as connection:
        assert connection.info.ssl_in_use
    with pytest.raises(Exception, match="does not match host name"):
        front.connect(base="example.com")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_b03_both_versions_of_tls(front, version):
    context = any_server()
    context.minimum_version = context.maximum_version = version
    with direct(front, context=context) as client:
        client.login("app", "app secret", "app")
        assert client.socket.version() == {771: "TLSv1.2", 772: "TLSv1.3"}[version]


def resumed(front, knob):
    front.set(resume_percent=knob)
    context = any_server()
    with direct(front, context=context) as client:
        client.login("app", "app secret", "app")
        session = client.socket.session
    with direct(front, context=context, session=session) as client:
        client.login("app", "app secret", "app")
        return client.socket.session_reused


def test_b04_sessions_are_resumed_by_the_proxy_that_knows_them(front):
    assert resumed(front, 100)
    assert not resumed(front, 0)


def offered(front, base):
    with front.wire(server_name=front.name(base=base)) as client:
        client.send(wire.startup({"user": "app"}))
        return client.read().body[4:].strip(b"\0").split(b"\0")


def test_b05_plus_depends_on_the_hash_of_the_certificate(front):
    assert offered(front, BASE) == [b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256"]
    assert offered(front, BASE_WITHOUT_PLUS) == [b"SCRAM-SHA-256"]
    front.set(offer_plus=False)
    assert offered(front, BASE) == [b"SCRAM-SHA-256"]


def test_b07_newer_minor_versions_are_negotiated_down(front):
    with front.wire() as client:
        parameters = {"user": "app", "_pq_.one": "1", "_pq_.two": "2"}
        client.send(wire.startup(parameters, version=(3 << 16) + 2))
        answer = client.read()
        assert answer.letter == b"v"
        assert answer.body == struct.pack("!ii", 3 << 16, 2) + b"_pq_.one\0_pq_.two\0"
        assert client.read().letter == b"R"


def test_b07_extensions_of_version_3_0_are_dropped(front):
    with front.wire() as client:
        client.login("app", "app secret", "app", **{"_pq_.one": "1"})


BAD_STARTUPS = {
    "major version 2": wire.startup({"user": "app"}, version=2 << 16),
    "major version 4": wire.startup({"user": "app"}, version=4 << 16),
    "longer than 10000 bytes": wire.startup({"user": "app", "options": "x" * 10000}),
    "not UTF-8": wire.startup({"user": b"\xff"}),
    "without its end": struct.pack("!ii", 13, 3 << 16) + b"user\0",
    "shorter than its head": struct.pack("!ii", 7, 3 << 16),
}


@pytest.mark.parametrize("packet", BAD_STARTUPS.values(), ids=BAD_STARTUPS.keys())
def test_b07_bad_startup_packets_end_without_a_word(front, packet):
    with front.wire() as client:
        client.send(packet)
        with pytest.raises(Disconnected, match="0 bytes|EOF"):
            client.read()


def test_b07_a_password_message_above_512_bytes_ends_it(front):
    with front.wire() as client:
        client.send(wire.startup({"user": "app"}))
        assert client.read().letter == b"R"
        client.send(wire.message(b"p", b"x" * 513))
        assert client.is_closed_by_peer()


def test_damaged_hellos_and_startup_packets_end_one_connection_and_nothing_else(front):
    """What the stand-in does not survive it would report as a traceback, which stop() looks for."""
    chance = random.Random(20)
    good = [client_hello(front), wire.startup({"user": "app", "database": "app"})]
    for number in range(300):
        damaged = bytearray(good[number % 2])
        for _ in range(chance.randrange(1, 6)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        del damaged[chance.randrange(1, len(damaged) + 1) :]
        with Wire(front.host, front.port) as client:
            client.send(bytes(damaged))
            client.socket.shutdown(socket.SHUT_WR)
            while client.socket.recv(65536):
                pass
    front.wait_for(connections=0)
    with front.login() as client:
        assert client.query("SELECT 1") == [["1"]]
