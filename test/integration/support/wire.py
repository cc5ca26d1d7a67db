# SPDX-License-Identifier: PostgreSQL
"""A small frontend that says exactly what a test wants said, well-formed or not.

Written from the chapter "Frontend/Backend Protocol" of the PostgreSQL manual and RFC 5802; it shares
nothing with the program under test.
"""

import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
from typing import NamedTuple

from .waiting import DEADLINE_S

PROTOCOL_3_0 = 3 << 16
SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102


def message(letter, body=b""):
    """A message of the regular form: letter, length including itself, body."""
    return letter + struct.pack("!i", len(body) + 4) + body


def cstring(text):
    return (text if isinstance(text, bytes) else text.encode()) + b"\0"


def startup(parameters, version=PROTOCOL_3_0):
    body = struct.pack("!i", version)
    body += b"".join(cstring(word) for pair in parameters.items() for word in pair) + b"\0"
    return struct.pack("!i", len(body) + 4) + body


def request(code, body=b""):
    """SSLRequest, GSSENCRequest, CancelRequest."""
    return struct.pack("!ii", 8 + len(body), code) + body


def query(text):
    return message(b"Q", cstring(text))


def parse(text, name="", oids=()):
    body = cstring(name) + cstring(text) + struct.pack("!h", len(oids))
    return message(b"P", body + b"".join(struct.pack("!i", oid) for oid in oids))


def bind(values=(), statement="", portal="", formats=()):
    """All values as text, all results as text if `formats` does not say otherwise; None is NULL."""
    body = cstring(portal) + cstring(statement) + struct.pack("!hh", 0, len(values))
    for value in values:
        if value is None:
            body += struct.pack("!i", -1)
        else:
            data = str(value).encode()
            body += struct.pack("!i", len(data)) + data
    body += struct.pack("!h", len(formats)) + b"".join(struct.pack("!h", code) for code in formats)
    return message(b"B", body)


def describe(kind, name=""):
    return message(b"D", kind + cstring(name))


def execute(portal="", max_rows=0):
    return message(b"E", cstring(portal) + struct.pack("!i", max_rows))


def close(kind, name=""):
    return message(b"C", kind + cstring(name))


SYNC = message(b"S")
FLUSH = message(b"H")
TERMINATE = message(b"X")


class Message(NamedTuple):
    letter: bytes
    body: bytes

    def fields(self):
        """Fields of an ErrorResponse or NoticeResponse by their letters."""
        parts = (part for part in self.body.split(b"\0") if part)
        return {chr(part[0]): part[1:].decode(errors="replace") for part in parts}

    def columns(self):
        """Values of a DataRow as text; None is NULL."""
        (count,) = struct.unpack_from("!h", self.body)
        values, at = [], 2
        for _ in range(count):
            (length,) = struct.unpack_from("!i", self.body, at)
            at += 4
            values.append(None if length < 0 else self.body[at : at + length].decode())
            at += max(length, 0)
        return values


class ServerError(Exception):
    """An ErrorResponse where none was expected."""

    def __init__(self, fields):
        super().__init__(f"{fields.get('S')} {fields.get('C')}: {fields.get('M')}")
        self.severity = fields.get("S")
        self.sqlstate = fields.get("C")
        self.text = fields.get("M", "")


class Disconnected(Exception):
    """The peer ended the connection."""


class Wire:
    """A connection; logging in is up to the test. Every read has a deadline."""

    def __init__(self, host, port, deadline_s=DEADLINE_S):
        self.socket = socket.create_connection((host, port), timeout=deadline_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.parameters = {}
        self.key = None
        self.certificate = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Leave without a word, as a client does that is killed."""
        self.socket.close()

    def terminate(self):
        """Leave as the protocol wants it."""
        self.send(TERMINATE)
        self.close()

    # Sending and reading

    def send(self, *parts):
        self.socket.sendall(b"".join(parts))

    def send_in_pieces(self, data, size=1):
        """Each piece in a system call of its own."""
        for start in range(0, len(data), size):
            self.socket.sendall(data[start : start + size])

    def _fill(self, size):
        while len(self.buffer) < size:
            try:
                piece = self.socket.recv(65536)
            except (ConnectionResetError, ssl.SSLEOFError) as error:
                raise Disconnected(str(error)) from error
            if not piece:
                raise Disconnected(f"end of stream, {len(self.buffer)} bytes left over")
            self.buffer += piece

    def _take(self, size):
        self._fill(size)
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def read_byte(self):
        """An answer that is no message: to SSLRequest or GSSENCRequest."""
        return self._take(1)

    def read(self):
        """The next message, whatever it is."""
        letter, length = struct.unpack("!ci", self._take(5))
        return Message(letter, self._take(length - 4))

    def read_until(self, *letters):
        """All messages up to and including the first with one of these letters."""
        messages = [self.read()]
        while messages[-1].letter not in letters:
            messages.append(self.read())
        return messages

    def read_reply(self):
        """The letters up to ReadyForQuery, without asynchronous messages, as one string."""
        reply = self.read_until(b"Z")
        return b"".join(m.letter for m in reply if m.letter not in (b"S", b"N", b"A")).decode()

    def read_error(self):
        """The next ErrorResponse, as an exception to look at; other messages are skipped."""
        return ServerError(self.read_until(b"E")[-1].fields())

    def is_closed_by_peer(self):
        """Read what is left; true when the end of the stream comes before the deadline."""
        try:
            while True:
                self.read()
        except Disconnected:
            return True
        except TimeoutError:
            return False

    # Conversations

    def start_tls(self, verify_with=None, server_name="localhost"):
        """SSLRequest and handshake."""
        self.send(request(SSL_REQUEST))
        answer = self.read_byte()
        if answer != b"S":
            raise AssertionError(f"SSLRequest is answered {answer!r}")
        context = ssl.create_default_context(cafile=verify_with)
        if verify_with is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket, server_hostname=server_name)
        self.certificate = self.socket.getpeercert(binary_form=True)

    def login(self, user, password, database, **parameters):
        """StartupMessage to ReadyForQuery; ServerError if it is refused."""
        self.send(startup({"user": user, "database": database, **parameters}))
        while True:
            answer = self.read()
            if answer.letter == b"E":
                raise ServerError(answer.fields())
            if answer.letter == b"R":
                self._authenticate(answer.body, user, password)
            elif answer.letter == b"S":
                name, value, _ = answer.body.split(b"\0")
                self.parameters[name.decode()] = value.decode()
            elif answer.letter == b"K":
                self.key = answer.body
            elif answer.letter == b"Z":
                return

    def _authenticate(self, body, user, password):
        (code,) = struct.unpack_from("!i", body)
        if code == 3:
            self.send(message(b"p", cstring(password)))
        elif code == 5:
            inner = hashlib.md5((password + user).encode()).hexdigest().encode()
            outer = hashlib.md5(inner + body[4:8]).hexdigest()
            self.send(message(b"p", cstring("md5" + outer)))
        elif code == 10:
            self._scram(body[4:].split(b"\0"), password)
        elif code != 0:
            raise AssertionError(f"unexpected authentication request {code}")

    def _scram(self, mechanisms, password):
        """RFC 5802 with SHA-256; with channel binding where there is TLS and the server offers it."""
        plus = self.certificate is not None and b"SCRAM-SHA-256-PLUS" in mechanisms
        header = b"p=tls-server-end-point,," if plus else b"n,,"
        binding = hashlib.sha256(self.certificate).digest() if plus else b""
        nonce = base64.b64encode(os.urandom(18))
        first = b"n=,r=" + nonce
        self.send(
            message(
                b"p",
                cstring("SCRAM-SHA-256-PLUS" if plus else "SCRAM-SHA-256")
                + struct.pack("!i", len(header + first))
                + header
                + first,
            )
        )
        challenge = self._sasl_data(11)
        values = dict(part.split(b"=", 1) for part in challenge.split(b","))
        if not values[b"r"].startswith(nonce):
            raise AssertionError("the server's nonce does not begin with the client's")
        salted = hashlib.pbkdf2_hmac(
            "sha256", password.encode(), base64.b64decode(values[b"s"]), int(values[b"i"])
        )
        final = b"c=" + base64.b64encode(header + binding) + b",r=" + values[b"r"]
        signed = b",".join((first, challenge, final))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.send(message(b"p", final + b",p=" + base64.b64encode(proof)))
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        expected = base64.b64encode(hmac.digest(server_key, signed, "sha256"))
        if self._sasl_data(12) != b"v=" + expected:
            raise AssertionError("the server's signature is wrong")

    def _sasl_data(self, code):
        answer = self.read()
        if answer.letter == b"E":
            raise ServerError(answer.fields())
        if answer.letter != b"R" or struct.unpack_from("!i", answer.body)[0] != code:
            raise AssertionError(f"SASL message {code} expected, {answer} came")
        return answer.body[4:]

    def query(self, text):
        """Rows of a simple query as text; ServerError after the connection is ready again."""
        self.send(query(text))
        return self.rows()

    def rows(self):
        """Rows up to ReadyForQuery; ServerError with the first error among them."""
        reply = self.read_until(b"Z")
        for answer in reply:
            if answer.letter == b"E":
                raise ServerError(answer.fields())
        return [answer.columns() for answer in reply if answer.letter == b"D"]

    def cancel(self):
        """Send this connection's CancelRequest on a connection of its own."""
        with socket.create_connection(self.socket.getpeername(), timeout=DEADLINE_S) as beside:
            beside.sendall(request(CANCEL_REQUEST, self.key))
            # The receiver closes when it has taken note of it.
            beside.recv(1)
