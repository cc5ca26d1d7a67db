# SPDX-License-Identifier: PostgreSQL
"""What a ClientHello says in clear: the server name and the application protocols.

RFC 8446 section 4.1.2, RFC 6066 section 3 (server_name), RFC 7301 section 3.1 (ALPN). The library
underneath cannot refuse a handshake over ALPN with the alert that the proxy sends, so the hello is
read before the library sees it.
"""

import struct
from typing import NamedTuple

from wire import ProtocolViolation

HANDSHAKE_RECORD = 22
CLIENT_HELLO = 1
EXTENSION_SERVER_NAME = 0
EXTENSION_ALPN = 16
RECORD_MAX = 16384

# Fatal, no_application_protocol (120), in clear as RFC 8446 wants it before the keys are agreed.
NO_APPLICATION_PROTOCOL = bytes([21, 3, 3, 0, 2, 2, 120])


class Hello(NamedTuple):
    server_name: str  # lower case; empty without the extension
    protocols: tuple  # of ALPN; empty without the extension


class Cursor:
    """Reads big-endian numbers and counted bytes; ProtocolViolation when they run out."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, size):
        if self.at + size > len(self.data):
            raise ProtocolViolation("truncated ClientHello")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def counted(self, size):
        return self.take(self.number(size))

    def more(self):
        return self.at < len(self.data)


def parse(body):
    """The body of the handshake message ClientHello."""
    hello = Cursor(body)
    hello.take(2 + 32)  # legacy_version, random
    hello.counted(1)  # legacy_session_id
    hello.counted(2)  # cipher_suites
    hello.counted(1)  # legacy_compression_methods
    name, protocols = "", ()
    extensions = Cursor(hello.counted(2) if hello.more() else b"")
    while extensions.more():
        kind = extensions.number(2)
        content = Cursor(extensions.counted(2))
        if kind == EXTENSION_SERVER_NAME:
            name = _server_name(Cursor(content.counted(2)))
        elif kind == EXTENSION_ALPN:
            protocols = tuple(_protocols(Cursor(content.counted(2))))
    return Hello(name, protocols)


def _server_name(names):
    while names.more():
        kind, name = names.number(1), names.counted(2)
        if kind == 0:
            return name.decode("ascii", "replace").lower()
    return ""


def _protocols(names):
    while names.more():
        yield names.counted(1)


async def read(link):
    """The hello with which the link goes on, and the bytes it came in, for the TLS library."""
    raw, message = b"", b""
    while len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4], "big"):
        kind, _, length = struct.unpack("!BHH", header := await link.read_exactly(5))
        if kind != HANDSHAKE_RECORD or not 0 < length <= RECORD_MAX:
            raise ProtocolViolation("no TLS handshake")
        piece = await link.read_exactly(length)
        raw += header + piece
        message += piece
        if message[0] != CLIENT_HELLO or len(raw) > 4 * RECORD_MAX:
            raise ProtocolViolation("no ClientHello")
    size = int.from_bytes(message[1:4], "big")
    return parse(message[4 : 4 + size]), raw
