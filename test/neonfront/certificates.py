# SPDX-License-Identifier: PostgreSQL
"""The certificates that the stand-in serves, one for each base domain, chosen by server name.

The directory holds BASE.crt and BASE.key, the certificate being one for *.BASE, and default.crt and
default.key for everybody else. `neonfront make-certs` writes such a directory with the openssl
program.
"""

import base64
import hashlib
import random
import re
import ssl
import subprocess
from pathlib import Path

# TLS 1.2 without anything but ECDHE and AEAD, as rustls has it.
CIPHERS_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20"

# DER of the object identifiers in signatureAlgorithm for which the proxy offers SCRAM-SHA-256-PLUS:
# sha256WithRSAEncryption (RFC 4055) and ecdsa-with-SHA256 (RFC 5758).
PLUS_SIGNATURES = (
    bytes.fromhex("06092a864886f70d01010b"),
    bytes.fromhex("06082a8648ce3d040302"),
)


def _der_element(data, at):
    """Start and end of the content of the DER element at `at`."""
    length, start = data[at + 1], at + 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[at + 2 : start], "big")
    return start, start + length


def signature_algorithm(der):
    """Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature } (RFC 5280)."""
    outer, _ = _der_element(der, 0)
    _, behind_tbs = _der_element(der, outer)
    start, _ = _der_element(der, behind_tbs)
    _, end = _der_element(der, start)
    return der[start:end]


class Certificate:
    def __init__(self, path):
        self.base = path.stem
        self.files = (path, path.with_suffix(".key"))
        first = re.search(
            r"-----BEGIN CERTIFICATE-----(.*?)-----END", path.read_text(), re.DOTALL
        ).group(1)
        self.der = base64.b64decode(first)
        self.has_plus = signature_algorithm(self.der) in PLUS_SIGNATURES
        self.known = {}

    def binding(self):
        """tls-server-end-point (RFC 5929 section 4.1) for the signatures that get PLUS."""
        return hashlib.sha256(self.der).digest()

    def _make_context(self, tickets):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS_1_2)
        # Stateful tickets: the session stays here, its number goes out.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = tickets
        context.set_alpn_protocols(["postgresql"])
        context.load_cert_chain(*self.files)
        return context

    def context(self, knobs):
        """One that knows earlier sessions, or that of another proxy of the fleet (B04)."""
        if random.uniform(0, 100) >= knobs.resume_percent:
            return self._make_context(knobs.tickets)
        if knobs.tickets not in self.known:
            self.known[knobs.tickets] = self._make_context(knobs.tickets)
        return self.known[knobs.tickets]


class Store:
    """Certificates are read once, as the proxy does it; `reload` is its redeploy."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.reload()

    def reload(self):
        paths = self.directory.glob("*.crt")
        found = [Certificate(path) for path in paths if not re.fullmatch("ca(-.*)?", path.stem)]
        self.by_base = {c.base: c for c in found}
        self.default = self.by_base.pop("default")

    def choose(self, server_name):
        """The certificate and the first label, None where the name is on none of the bases."""
        labels = server_name.split(".")
        for cut in range(1, len(labels)):
            base = ".".join(labels[cut:])
            if base in self.by_base:
                # The endpoint is the first label; the rest has to be the base itself.
                return self.by_base[base], labels[0] if cut == 1 else None
        return self.default, None


# Making them

AUTHORITIES = {"ca-rsa": ["rsa:2048"], "ca-ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]}
# Ways to sign: authority and digest. The first is Neon's with PLUS, the second without (B05).
SIGNATURES = {"rsa-sha256": ("ca-rsa", "sha256"), "ecdsa-sha384": ("ca-ec", "sha384")}
LEAF_KEY = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
DAYS = "30"


def _openssl(*arguments, stdin=None):
    command = ["openssl", *(str(part) for part in arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:2])} failed: {done.stderr.strip()}")
    return done.stdout


def _make_authority(directory, name, key):
    _openssl(
        *("req", "-x509", "-noenc", "-days", DAYS, "-newkey", *key),
        *("-subj", f"/CN=neonfront {name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        *("-keyout", directory / f"{name}.key", "-out", directory / f"{name}.crt"),
    )


def make(directory, base, host, signature):
    """BASE.crt and BASE.key for `host`, a name or a wildcard, signed in one of the SIGNATURES."""
    authority, digest = SIGNATURES[signature]
    directory = Path(directory)
    key = directory / f"{base}.key"
    request = _openssl(
        *("req", "-noenc", "-newkey", *LEAF_KEY, "-subj", f"/CN={host}"),
        *("-addext", f"subjectAltName=DNS:{host}", "-keyout", key),
    )
    _openssl(
        *("x509", "-req", "-days", DAYS, f"-{digest}", "-copy_extensions", "copy"),
        *("-CA", directory / f"{authority}.crt", "-CAkey", directory / f"{authority}.key"),
        *("-out", directory / f"{base}.crt"),
        stdin=request,
    )
    key.chmod(0o600)


def make_all(directory, bases):
    """Authorities, ca.crt with both of them, default.crt, and a certificate for each BASE[:HOW]."""
    directory = Path(directory)
    for name, key in AUTHORITIES.items():
        _make_authority(directory, name, key)
        (directory / f"{name}.key").chmod(0o600)
    trusted = "".join((directory / f"{name}.crt").read_text() for name in AUTHORITIES)
    (directory / "ca.crt").write_text(trusted)
    make(directory, "default", "default.invalid", "rsa-sha256")
    for word in bases:
        base, _, signature = word.partition(":")
        make(directory, base, f"*.{base}", signature or "rsa-sha256")
