# SPDX-License-Identifier: PostgreSQL
"""One side of a proxied connection: bytes over TCP or a Unix socket, with a longer way if wanted.

The added round-trip time (B22) holds back what arrives and what leaves, each for half of it; order
is kept, and the end of a stream takes the same way. The handshake of TCP itself is the kernel's and
costs nothing extra.
"""

import asyncio
import random
import socket
import struct

from knobs import Knobs

PIECE_BYTES = 65536
# Bytes on their way out that a slow network holds before the sender has to wait.
IN_FLIGHT_MAX = 1 << 20
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Way:
    """One direction: calls happen a delay after they were given, in the order they were given."""

    def __init__(self, loop, knobs):
        self.loop = loop
        self.knobs = knobs
        self.last_due = 0.0
        self.bytes_held = 0

    def delay_s(self):
        if not self.knobs.rtt_ms and not self.knobs.jitter_ms:
            return 0.0
        return (self.knobs.rtt_ms / 2 + random.uniform(0, self.knobs.jitter_ms)) / 1000

    def pass_on(self, call, *arguments):
        now = self.loop.time()
        due = now + self.delay_s()
        if due <= now and self.last_due <= now:
            call(*arguments)
            return
        # Never two at the same time: the loop keeps no order among those.
        self.last_due = max(due, self.last_due + 1e-6)
        n_bytes = sum(len(a) for a in arguments if isinstance(a, bytes))
        self.bytes_held += n_bytes
        self.loop.call_at(self.last_due, self._arrive, n_bytes, call, arguments)

    def _arrive(self, n_bytes, call, arguments):
        self.bytes_held -= n_bytes
        call(*arguments)


class _Protocol(asyncio.StreamReaderProtocol):
    """asyncio's own, with the way in front of it."""

    def __init__(self, reader, way, on_connected, loop):
        super().__init__(reader, on_connected, loop=loop)
        self.way = way

    def data_received(self, data):
        self.way.pass_on(super().data_received, bytes(data))

    def eof_received(self):
        self.way.pass_on(self._reader_at_eof)
        # Stay open for writing: what ends a connection is decided above.
        return True

    def _reader_at_eof(self):
        super().eof_received()

    def connection_lost(self, exc):
        self.way.pass_on(super().connection_lost, exc)


class Link:
    """Made by `listen` and `connect_unix`. Reads are b"" at the end of the stream and raise
    ConnectionError after a reset."""

    def __init__(self, reader, writer, knobs):
        self.reader = reader
        self.writer = writer
        self.held = bytearray()
        self.way_out = Way(asyncio.get_running_loop(), knobs)
        self.bytes_in = 0
        self.bytes_out = 0

    async def read(self):
        """What was put back or what comes next."""
        if self.held:
            data = bytes(self.held)
            self.held.clear()
            return data
        data = await self.reader.read(PIECE_BYTES)
        self.bytes_in += len(data)
        return data

    async def read_exactly(self, size):
        while len(self.held) < size:
            data = await self.reader.read(PIECE_BYTES)
            if not data:
                raise EOFError(f"end of stream, {len(self.held)} bytes of {size}")
            self.bytes_in += len(data)
            self.held += data
        data = bytes(self.held[:size])
        del self.held[:size]
        return data

    def put_back(self, data):
        self.held[:0] = data

    async def write(self, data):
        self.bytes_out += len(data)
        self.way_out.pass_on(self.writer.write, bytes(data))
        while self.way_out.bytes_held > IN_FLIGHT_MAX:
            await asyncio.sleep(0.001)
        await self.writer.drain()

    def finish(self):
        """FIN, after all that was written."""
        self.way_out.pass_on(self.writer.close)

    def reset(self):
        """RST, at once."""
        raw = self.writer.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.writer.transport.abort()


def _set_options(writer):
    raw = writer.get_extra_info("socket")
    if raw.family != socket.AF_UNIX:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


async def listen(host, port, knobs, on_link):
    """A listening server; `on_link(link)` is started for each connection."""
    loop = asyncio.get_running_loop()

    async def on_connected(reader, writer):
        _set_options(writer)
        await on_link(Link(reader, writer, knobs))

    def protocol():
        reader = asyncio.StreamReader(limit=PIECE_BYTES, loop=loop)
        return _Protocol(reader, Way(loop, knobs), on_connected, loop)

    return await loop.create_server(protocol, host, port, backlog=512)


async def connect_unix(path):
    """To PostgreSQL, which is next door: without the added way."""
    reader, writer = await asyncio.open_unix_connection(path, limit=PIECE_BYTES)
    return Link(reader, writer, Knobs())
