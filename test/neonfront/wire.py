# SPDX-License-Identifier: PostgreSQL
"""The few messages that a proxy builds and reads itself.

Chapter "Frontend/Backend Protocol" of the PostgreSQL manual, sections 55.2 and 55.7. Once a session
is ready nothing of this is used: its bytes pass as they are.
"""

import struct
from typing import NamedTuple

SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102
VERSION_3_0 = 3 << 16

# What Neon's proxy accepts.
STARTUP_MAX = 10000
PASSWORD_MAX = 512


class ProtocolViolation(Exception):
    """The peer broke the protocol: its connection ends without a word."""


class ServerRefusal(Exception):
    """PostgreSQL answered a login of ours with an ErrorResponse; str() is its text."""


class Message(NamedTuple):
    letter: bytes
    body: bytes

    def whole(self):
        return message(self.letter, self.body)

    def field(self, code):
        """One field of an ErrorResponse or NoticeResponse; empty if it is not there."""
        for part in self.body.split(b"\0"):
            if part[:1] == code:
                return part[1:].decode("utf-8", "replace")
        return ""


def message(letter, body=b""):
    return letter + struct.pack("!i", len(body) + 4) + body


def authentication(code, data=b""):
    return message(b"R", struct.pack("!i", code) + data)


AUTHENTICATION_OK = authentication(0)
AUTHENTICATION_CLEARTEXT = authentication(3)


def authentication_sasl(mechanisms):
    return authentication(10, b"".join(name + b"\0" for name in mechanisms) + b"\0")


def error(text):
    """The only form in which the proxy reports anything before a session is ready."""
    fields = ((b"S", b"ERROR"), (b"C", b"XX000"), (b"M", text.encode()))
    return message(b"E", b"".join(code + value + b"\0" for code, value in fields) + b"\0")


def negotiate_version(unsupported):
    body = struct.pack("!ii", VERSION_3_0, len(unsupported))
    return message(b"v", body + b"".join(name.encode() + b"\0" for name in unsupported))


def cancel_request(key):
    return struct.pack("!ii", 16, CANCEL_REQUEST) + key


def startup(parameters):
    body = struct.pack("!i", VERSION_3_0)
    for name, value in parameters.items():
        body += name.encode() + b"\0" + value.encode() + b"\0"
    return struct.pack("!i", len(body) + 5) + body + b"\0"


def parse_parameters(body):
    """Names and values of a StartupMessage, behind its version."""
    words = body.split(b"\0")
    # Pairs, the empty name that ends them, and what split leaves behind the last zero byte.
    if len(words) < 2 or len(words) % 2 or words[-1] or words[-2]:
        raise ProtocolViolation("startup parameters do not end where the message ends")
    try:
        texts = [word.decode() for word in words[:-2]]
    except UnicodeDecodeError as bad:
        raise ProtocolViolation("startup parameters are not UTF-8") from bad
    return dict(zip(texts[::2], texts[1::2]))


def parse_sasl_initial(body):
    """Mechanism and first message of a SASLInitialResponse, whose length must be exact."""
    name, zero, rest = body.partition(b"\0")
    if not zero or len(rest) < 4:
        raise ProtocolViolation("malformed SASLInitialResponse")
    (length,) = struct.unpack_from("!i", rest)
    if length != len(rest) - 4:
        raise ProtocolViolation("SASLInitialResponse without an exact length")
    return name, rest[4:]


async def read_message(link, limit):
    """The next regular message; EOFError at the end of the stream."""
    letter, length = struct.unpack("!ci", await link.read_exactly(5))
    if not 4 <= length <= limit + 4:
        raise ProtocolViolation(f"message {letter!r} of {length} bytes")
    return Message(letter, await link.read_exactly(length - 4))


class Welcome(NamedTuple):
    """What PostgreSQL said when it accepted a login."""

    reports: bytes  # ParameterStatus and notices, as they came
    key: bytes
    ready: bytes


async def log_in(link, parameters):
    """Log in where no password is asked for; a Welcome, or ServerRefusal."""
    await link.write(startup(parameters))
    reports, key = b"", b"\0" * 8
    while True:
        answer = await read_message(link, 1 << 20)
        if answer.letter == b"E":
            raise ServerRefusal(answer.field(b"M"))
        if answer.letter in (b"S", b"N"):
            reports += answer.whole()
        elif answer.letter == b"K":
            key = answer.body
        elif answer.letter == b"Z":
            return Welcome(reports, key, answer.whole())
        elif answer != Message(b"R", b"\0\0\0\0"):
            raise ServerRefusal("unexpected message from server")


async def query(link, text):
    """Rows of a simple query, as text; ServerRefusal with its error."""
    await link.write(message(b"Q", text.encode() + b"\0"))
    rows, refusal = [], None
    while True:
        answer = await read_message(link, 1 << 20)
        if answer.letter == b"D":
            rows.append(parse_row(answer.body))
        elif answer.letter == b"E":
            refusal = ServerRefusal(answer.field(b"M"))
        elif answer.letter == b"Z":
            if refusal:
                raise refusal
            return rows


def parse_row(body):
    (count,) = struct.unpack_from("!h", body)
    values, at = [], 2
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        values.append(None if length < 0 else body[at : at + length].decode())
        at += max(length, 0)
    return values
