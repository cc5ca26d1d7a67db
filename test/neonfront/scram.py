# SPDX-License-Identifier: PostgreSQL
"""The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS: RFC 5802, RFC 7677, RFC 5929.

Bytes in, bytes out. Passwords are ASCII here, so SASLprep (RFC 4013) has nothing to do. A role or
endpoint that nobody knows gets the same exchange with a decoy and fails where a wrong password
fails.
"""

import base64
import hashlib
import hmac
import os
from typing import NamedTuple

PLAIN = b"SCRAM-SHA-256"
PLUS = b"SCRAM-SHA-256-PLUS"
BINDING_TYPE = b"tls-server-end-point"
# Of generated passwords and of the decoy.
NEON_ITERATIONS = 1


class ScramRefusal(Exception):
    """The exchange is over; str() is the text that the proxy sends (E11b)."""


VIOLATION = "authentication protocol violation"


class Verifier(NamedTuple):
    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes
    is_decoy: bool = False

    def matches(self, password):
        """Whether a password in clear is the right one."""
        salted = hashlib.pbkdf2_hmac("sha256", password, self.salt, self.iterations)
        stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
        return hmac.compare_digest(stored, self.stored_key) and not self.is_decoy


def make_verifier(password, iterations=NEON_ITERATIONS, salt=None):
    salt = salt or os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return Verifier(salt, iterations, hashlib.sha256(client_key).digest(), server_key)


class Roles:
    """The table (endpoint, role) -> verifier, with decoys for whatever is not in it."""

    def __init__(self):
        self.table = {}
        self.secret = os.urandom(32)

    def add(self, endpoint, role, password, iterations=NEON_ITERATIONS):
        self.table[endpoint, role] = make_verifier(password, iterations)

    def remove(self, endpoint, role):
        self.table.pop((endpoint, role), None)

    def find(self, endpoint, role):
        return self.table.get((endpoint, role)) or self._decoy(endpoint, role)

    def _decoy(self, endpoint, role):
        # The salt of a name stays the same, or asking twice would tell.
        salt = hmac.digest(self.secret, f"{endpoint}\0{role}".encode(), "sha256")[:16]
        return Verifier(salt, NEON_ITERATIONS, os.urandom(32), os.urandom(32), is_decoy=True)


def _attributes(message):
    """a=value,b=value as a dictionary, in order; the values may contain '='."""
    values = {}
    for part in message.split(b","):
        name, equals, value = part.partition(b"=")
        if not equals or len(name) != 1 or name in values:
            raise ScramRefusal(VIOLATION)
        values[name] = value
    return values


def _decode(text):
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as bad:
        raise ScramRefusal(VIOLATION) from bad


class Exchange:
    """client-first -> `challenge`; client-final -> `finish`, None for a proof that is wrong."""

    def __init__(self, verifier, binding):
        """`binding`: data of tls-server-end-point, None where PLUS is not offered."""
        self.verifier = verifier
        self.binding = binding
        self.header = self.first_bare = self.server_first = b""
        self.mechanism = b""

    def mechanisms(self):
        return [PLUS, PLAIN] if self.binding else [PLAIN]

    def challenge(self, mechanism, client_first):
        if mechanism not in self.mechanisms():
            raise ScramRefusal(VIOLATION)
        parts = client_first.split(b",", 2)
        if len(parts) != 3:
            raise ScramRefusal(VIOLATION)
        flag, authzid, bare = parts
        self._check_flag(mechanism, flag)
        if authzid:
            raise ScramRefusal(VIOLATION)
        said = _attributes(bare)
        # The name is that of the StartupMessage, as in PostgreSQL.
        if list(said)[:2] != [b"n", b"r"] or not said[b"r"]:
            raise ScramRefusal(VIOLATION)
        self.mechanism, self.header, self.first_bare = mechanism, flag + b",,", bare
        self.nonce = said[b"r"] + base64.b64encode(os.urandom(18))
        salt = base64.b64encode(self.verifier.salt)
        self.server_first = b"r=%s,s=%s,i=%d" % (self.nonce, salt, self.verifier.iterations)
        return self.server_first

    def _check_flag(self, mechanism, flag):
        if mechanism == PLUS:
            kind, _, name = flag.partition(b"=")
            if kind != b"p":
                raise ScramRefusal(VIOLATION)
            if name != BINDING_TYPE:
                raise ScramRefusal(
                    f"unsupported channel binding method {name.decode('ascii', 'replace')}"
                )
        elif flag == b"y":
            # The client could bind and was made to believe that we cannot (RFC 5802 section 6).
            if self.binding:
                raise ScramRefusal("SCRAM-PLUS not used")
        elif flag != b"n":
            raise ScramRefusal(VIOLATION)

    def finish(self, client_final):
        without_proof, comma, proof = client_final.rpartition(b",p=")
        said = _attributes(without_proof)
        if not comma or list(said)[:2] != [b"c", b"r"] or said[b"r"] != self.nonce:
            raise ScramRefusal(VIOLATION)
        bound = self.header + (self.binding if self.mechanism == PLUS else b"")
        if not hmac.compare_digest(_decode(said[b"c"]), bound):
            raise ScramRefusal("insecure connection: secure channel data mismatch")
        everything = b",".join((self.first_bare, self.server_first, without_proof))
        signature = hmac.digest(self.verifier.stored_key, everything, "sha256")
        proof = _decode(proof)
        if len(proof) != len(signature):
            raise ScramRefusal(VIOLATION)
        client_key = bytes(a ^ b for a, b in zip(proof, signature))
        stored = hashlib.sha256(client_key).digest()
        if self.verifier.is_decoy or not hmac.compare_digest(stored, self.verifier.stored_key):
            return None
        answer = hmac.digest(self.verifier.server_key, everything, "sha256")
        return b"v=" + base64.b64encode(answer)
