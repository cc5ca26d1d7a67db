# SPDX-License-Identifier: PostgreSQL
"""TLS over a link, with the proxy in charge of every record.

The library works on memory; what it has to say is taken out after each step and given to the link,
so record sizes (B13), the moment of the answer to a hello (X13) and the way of the end (B14)
are ours to choose.
"""

import asyncio
import ssl
from typing import NamedTuple

import hello
from wire import ProtocolViolation

RECORD_MAX = 16384


class TlsFailure(Exception):
    """The handshake failed; the peer was sent an alert."""


class Session(NamedTuple):
    certificate: object  # certificates.Certificate
    server_name: str
    endpoint: str  # None where SNI names none
    details: dict  # for the event log


class TlsLink:
    """A link like link.Link, in the state after the handshake."""

    def __init__(self, link, context):
        self.link = link
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.held = bytearray()

    async def _flush(self):
        if self.outgoing.pending:
            await self.link.write(self.outgoing.read())

    async def shake_hands(self, first):
        self.incoming.write(first)
        while True:
            try:
                self.tls.do_handshake()
                await self._flush()
                return
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
            except ssl.SSLError as error:
                await self._flush()
                raise TlsFailure(error.reason or str(error)) from error

    async def _receive(self):
        data = await self.link.read()
        if not data:
            raise EOFError("end of stream inside TLS")
        self.incoming.write(data)

    async def _read_record(self):
        while True:
            try:
                return self.tls.read(RECORD_MAX)
            except ssl.SSLWantReadError:
                await self._flush()
                data = await self.link.read()
                if not data:
                    return b""
                self.incoming.write(data)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                await self._flush()
                raise ConnectionAbortedError(str(error)) from error

    async def read(self):
        """What was put back or the next record; b"" after close_notify or the end of the stream."""
        if self.held:
            data = bytes(self.held)
            self.held.clear()
            return data
        return await self._read_record()

    async def read_exactly(self, size):
        while len(self.held) < size:
            data = await self._read_record()
            if not data:
                raise EOFError("end of stream")
            self.held += data
        data = bytes(self.held[:size])
        del self.held[:size]
        return data

    def put_back(self, data):
        self.held[:0] = data

    async def write(self, data, step=RECORD_MAX):
        """Records of at most `step` bytes."""
        for start in range(0, len(data), step):
            self.tls.write(data[start : start + step])
        await self._flush()

    async def say_goodbye(self):
        """close_notify."""
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass  # It wants the peer's goodbye as well, which nobody waits for.
        await self._flush()

    def finish(self):
        self.link.finish()

    def reset(self):
        self.link.reset()


async def accept(link, store, knobs):
    """Answer the ClientHello that comes next. A TlsLink and its Session, or TlsFailure."""
    said, raw = await hello.read(link)
    if knobs.delay_tls_ms:
        await asyncio.sleep(knobs.delay_tls_ms / 1000)
    if said.protocols and b"postgresql" not in said.protocols:
        await link.write(hello.NO_APPLICATION_PROTOCOL)
        raise TlsFailure("no application protocol in common")
    certificate, endpoint = store.choose(said.server_name)
    secured = TlsLink(link, certificate.context(knobs))
    try:
        await secured.shake_hands(raw)
    except EOFError as error:
        raise ProtocolViolation(str(error)) from error
    details = {
        "version": secured.tls.version(),
        "cipher": secured.tls.cipher()[0],
        "server_name": said.server_name,
        "alpn": secured.tls.selected_alpn_protocol(),
        "certificate": certificate.base,
        "resumed": bool(secured.tls.session_reused),
    }
    return secured, Session(certificate, said.server_name, endpoint, details)
