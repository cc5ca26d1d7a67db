# SPDX-License-Identifier: PostgreSQL
"""From an accepted connection to the burst that makes it ready (B01, B02, B06 to B10, B12)."""

import asyncio
import struct
from typing import NamedTuple

import faults
import routing
import scram
import tls
import wire
from compute import Unreachable
from wire import ProtocolViolation


class Refusal(Exception):
    """The login is refused with the text; `before` are messages of the same burst."""

    def __init__(self, text, before=b"", error_id=None):
        super().__init__(text)
        self.text = text
        self.before = before
        self.error_id = error_id


class CancelRequest(Exception):
    """The connection was opened to cancel; its argument is the key."""


class Startup(NamedTuple):
    link: object  # a TlsLink
    session: tls.Session
    parameters: dict


async def pause(milliseconds):
    if milliseconds:
        await asyncio.sleep(milliseconds / 1000)


class Login:
    """One connection's. `connection` is front.Connection, whose fields it fills."""

    def __init__(self, front, connection):
        self.front = front
        self.knobs = front.knobs
        self.connection = connection
        self.link = connection.link
        self.session = None

    def log(self, event, **details):
        self.front.events.add(event, self.connection.id, **details)

    # Up to the StartupMessage

    async def negotiate(self):
        """A Startup; Refusal, CancelRequest, or what ends a connection without a word."""
        first = await self.link.read_exactly(1)
        self.link.put_back(first)
        if first[0] == tls.hello.HANDSHAKE_RECORD:
            await self._start_tls("direct")
        asked = set()
        while True:
            code, body = await self._read_startup_packet()
            if code in (wire.SSL_REQUEST, wire.GSSENC_REQUEST):
                await self._answer_request(code, body, asked)
            elif code == wire.CANCEL_REQUEST:
                raise CancelRequest(body)
            elif code >> 16 != 3:
                raise ProtocolViolation(f"protocol version {code >> 16}.{code & 0xFFFF}")
            elif not self.session:
                raise Refusal(faults.INSECURE, error_id="E01")
            else:
                return await self._take_startup(code, body)

    async def _read_startup_packet(self):
        length, code = struct.unpack("!ii", await self.link.read_exactly(8))
        if not 8 <= length <= wire.STARTUP_MAX:
            raise ProtocolViolation(f"startup packet of {length} bytes")
        # Requests are eight bytes and the proxy reads no more: a ClientHello may follow at once.
        return code, await self.link.read_exactly(length - 8)

    async def _answer_request(self, code, body, asked):
        if self.session or code in asked or body:
            raise ProtocolViolation("encryption asked for twice, or inside of it")
        asked.add(code)
        if code == wire.GSSENC_REQUEST:
            self.log("gssenc_request")
            await self.link.write(b"N")
            return
        self.log("ssl_request")
        await pause(self.knobs.delay_ssl_ms)
        await self.link.write(b"S")
        await self._start_tls("requested")

    async def _start_tls(self, how):
        self.link, self.session = await tls.accept(self.link, self.front.store, self.knobs)
        self.connection.link = self.link
        self.connection.secured = True
        self.log("tls", how=how, **self.session.details)

    async def _take_startup(self, version, body):
        parameters = wire.parse_parameters(body)
        extensions = [name for name in parameters if name.startswith("_pq_.")]
        if version != wire.VERSION_3_0:
            await self.link.write(wire.negotiate_version(extensions))
        if not parameters.get("user"):
            raise Refusal(faults.NO_USER, error_id="E05")
        self.log("startup", version=version & 0xFFFF, parameters=parameters)
        return Startup(self.link, self.session, parameters)

    # Authentication

    async def authenticate(self, startup):
        """The messages that say it succeeded, which nobody sends yet; Refusal."""
        user = startup.parameters["user"]
        try:
            endpoint = routing.endpoint_of(
                startup.session.endpoint, startup.parameters.get("options", "")
            )
        except routing.RoutingRefusal as refusal:
            raise Refusal(str(refusal)) from refusal
        self.connection.user, self.connection.endpoint = user, endpoint
        self._meet_fault(faults.BEFORE_SCRAM)
        try:
            async with asyncio.timeout(self.knobs.scram_budget_ms / 1000):
                if endpoint is None:
                    return await self._ask_for_password(user)
                return await self._scram(endpoint, user)
        except TimeoutError as error:
            raise Refusal(faults.TIMED_OUT, error_id="E11") from error

    def _meet_fault(self, phase, before=b""):
        error = self.front.script.take(phase)
        if error:
            raise Refusal(faults.ERRORS[error][1], before, error)

    async def _read_password(self):
        message = await wire.read_message(self.link, wire.PASSWORD_MAX)
        if message.letter != b"p":
            raise ProtocolViolation(f"message {message.letter!r} in place of a password")
        return message.body

    async def _ask_for_password(self, user):
        await pause(self.knobs.delay_sasl_ms)
        await self.link.write(wire.AUTHENTICATION_CLEARTEXT)
        self.log("cleartext_prompt")
        body = await self._read_password()
        try:
            endpoint, password = routing.split_password(body.rstrip(b"\0"))
        except routing.RoutingRefusal as refusal:
            raise Refusal(str(refusal), error_id="E02") from refusal
        self.connection.endpoint = endpoint
        if not self.front.roles.find(endpoint, user).matches(password):
            raise Refusal(faults.wrong_password(user), error_id="E10")
        return wire.AUTHENTICATION_OK

    def _binding(self):
        certificate = self.session.certificate
        usable = certificate.has_plus and self.knobs.offer_plus
        return certificate.binding() if usable else None

    async def _scram(self, endpoint, user):
        exchange = scram.Exchange(self.front.roles.find(endpoint, user), self._binding())
        await pause(self.knobs.delay_sasl_ms)
        await self.link.write(wire.authentication_sasl(exchange.mechanisms()))
        try:
            mechanism, first = wire.parse_sasl_initial(await self._read_password())
            challenge = exchange.challenge(mechanism, first)
            await pause(self.knobs.delay_challenge_ms)
            await self.link.write(wire.authentication(11, challenge))
            proven = exchange.finish(await self._read_password())
        except scram.ScramRefusal as refusal:
            raise Refusal(str(refusal), error_id="E11b") from refusal
        await pause(self.knobs.delay_final_ms)
        if proven is None:
            raise Refusal(faults.wrong_password(user), error_id="E10")
        self.log("proven", mechanism=mechanism.decode(), iterations=exchange.verifier.iterations)
        return wire.authentication(12, proven) + wire.AUTHENTICATION_OK

    # The compute

    async def enter(self, startup, proof):
        """A session of PostgreSQL and its welcome; Refusal, the proof in the same burst."""
        compute = self.front.compute
        self._meet_fault(faults.AFTER_SCRAM, proof)
        while True:
            await compute.wake(self.connection.id)
            life = compute.life
            try:
                link, welcome = await compute.log_in(routing.forwarded(startup.parameters))
            except wire.ServerRefusal as refusal:
                if life == compute.life:
                    raise Refusal(faults.rewritten(str(refusal)), proof) from refusal
                continue
            except Unreachable as error:
                if life == compute.life:
                    raise Refusal(faults.NO_COMPUTE, proof, "E19") from error
                continue
            if life == compute.life:
                return link, welcome
            link.finish()  # It was suspended meanwhile, and this session with it.
