# SPDX-License-Identifier: PostgreSQL
"""The proxy: accepts connections, sees each through its life, and knows them all."""

import asyncio
import itertools
import os
import time

import link as links
import pump
import wire
from activity import Monitor
from certificates import Store
from compute import Compute, Unreachable
from faults import Script
from knobs import Knobs
from login import CancelRequest, Login, Refusal
from scram import Roles
from tls import TlsFailure

# Ways to end a connection towards its client (B14, X05).
GOODBYE = "goodbye"  # close_notify, FIN
EOF = "eof"  # FIN alone
RESET = "reset"  # RST


class Connection:
    """One client's. `link` is the TlsLink once there is one."""

    def __init__(self, number, link):
        self.id = number
        self.raw = self.link = link
        self.secured = False
        self.opened = time.time()
        self.phase = "negotiating"
        self.user = self.endpoint = None
        self.compute = None
        self.compute_key = b""
        self.task = None

    def as_dict(self):
        backend = int.from_bytes(self.compute_key[:4], "big") if self.compute_key else None
        return {
            "id": self.id,
            "phase": self.phase,
            "user": self.user,
            "endpoint": self.endpoint,
            "backend": backend,
            "opened": self.opened,
            "bytes_in": self.raw.bytes_in,
            "bytes_out": self.raw.bytes_out,
        }

    async def end(self, how):
        """Tell the client, in the given way, that this is over."""
        try:
            if how == RESET:
                self.raw.reset()
                return
            if how == GOODBYE and self.secured:
                await self.link.say_goodbye()
            self.raw.finish()
        except ConnectionError:
            pass  # It is over already.


class Front:
    def __init__(self, socket_path, admin, certificates, events):
        self.events = events
        self.knobs = Knobs()
        self.store = Store(certificates)
        self.roles = Roles()
        self.script = Script()
        self.compute = Compute(socket_path, admin, self.knobs, events)
        self.monitor = Monitor(self.compute, self.knobs, events, self.suspend)
        self.connections = {}
        self.numbers = itertools.count(1)
        self.keys = {}
        self.n_logins = self.peak_logins = 0
        self.background = set()

    async def start(self, host, port):
        self.server = await links.listen(host, port, self.knobs, self._serve)
        self.in_background(self.monitor.run())

    def in_background(self, work):
        task = asyncio.create_task(work)
        self.background.add(task)
        task.add_done_callback(self.background.discard)
        return task

    # One connection

    async def _serve(self, link):
        connection = Connection(next(self.numbers), link)
        connection.task = asyncio.current_task()
        self.connections[connection.id] = connection
        self.events.add("accept", connection.id)
        why = "stopped"
        try:
            why = await self._live(connection)
        except (wire.ProtocolViolation, TlsFailure, EOFError, OSError) as error:
            why = f"{type(error).__name__}: {error}"
            await connection.end(EOF)
        except asyncio.CancelledError:
            why = "cut"
        finally:
            del self.connections[connection.id]
            moved = {"bytes_in": link.bytes_in, "bytes_out": link.bytes_out}
            self.events.add("end", connection.id, why=why, **moved)

    async def _live(self, connection):
        """From accept to the end; why it ended."""
        login = Login(self, connection)
        try:
            async with asyncio.timeout(self.knobs.handshake_budget_ms / 1000):
                startup = await login.negotiate()
        except TimeoutError:
            await connection.end(EOF)
            return "handshake budget used up"
        except CancelRequest as request:
            self.in_background(self._cancel(connection.id, request.args[0]))
            await connection.end(EOF)
            return "cancel request"
        except Refusal as refusal:
            return await self._refuse(connection, refusal)
        try:
            welcome = await self._log_in(login, connection, startup)
        except Refusal as refusal:
            return await self._refuse(connection, refusal)
        return await self._pass_bytes(connection, welcome)

    async def _refuse(self, connection, refusal):
        self.events.add("refused", connection.id, error=refusal.error_id, text=refusal.text)
        await connection.link.write(refusal.before + wire.error(refusal.text))
        await connection.end(GOODBYE)
        return "refused"

    async def _log_in(self, login, connection, startup):
        """The burst that makes the client ready, not sent yet."""
        self.n_logins += 1
        self.peak_logins = max(self.peak_logins, self.n_logins)
        try:
            connection.phase = "authenticating"
            proof = await login.authenticate(startup)
            connection.phase = "waking"
            self.monitor.n_logins += 1
            try:
                connection.compute, welcome = await login.enter(startup, proof)
            finally:
                self.monitor.n_logins -= 1
        finally:
            self.n_logins -= 1
        connection.compute_key = welcome.key
        return proof, welcome

    async def _pass_bytes(self, connection, proof_and_welcome):
        proof, welcome = proof_and_welcome
        key = os.urandom(8)
        forget = self._register(key, connection.compute_key)
        why = pump.CLIENT_LOST
        try:
            ready = wire.message(b"K", key) + welcome.ready
            connection.phase = "ready"
            self.events.add("ready", connection.id)
            await connection.link.write(proof + welcome.reports + ready)
            why = await pump.run(connection.link, connection.compute, self.knobs)
            # A compute leg that broke takes the client's stream with it, without a farewell.
            await connection.end(EOF if why == pump.COMPUTE_LOST else GOODBYE)
            return why
        finally:
            forget()
            if why in (pump.CLIENT_CLOSED, pump.CLIENT_LOST):
                self.in_background(self._abandon(connection))
            else:
                connection.compute.finish()

    # Cancel requests (B11, B15)

    def _register(self, key, compute_key):
        """Make the key known, after a while if so wanted. What undoes it."""
        loop = asyncio.get_running_loop()
        later = loop.call_later(
            self.knobs.cancel_register_ms / 1000, self.keys.__setitem__, key, compute_key
        )
        if not self.knobs.cancel_register_ms:
            later.cancel()
            self.keys[key] = compute_key

        def forget():
            later.cancel()
            self.keys.pop(key, None)

        return forget

    async def _cancel(self, number, key):
        """In the background, when the requester has been let go."""
        lost = self.knobs.cancel_lost
        await asyncio.sleep(self.knobs.cancel_delay_ms / 1000)
        compute_key = None if lost else self.keys.get(key)
        self.events.add("cancel", number, known=compute_key is not None, lost=lost)
        if compute_key:
            await self._cancel_at_compute(compute_key)

    async def _cancel_at_compute(self, compute_key):
        try:
            await self.compute.cancel(compute_key)
        except Unreachable:
            pass  # Then nothing runs there.

    async def _abandon(self, connection):
        """The client has gone: its statement is cancelled, then the session closed."""
        await self._cancel_at_compute(connection.compute_key)
        connection.compute.finish()
        self.events.add("abandoned", connection.id)

    # Orders (control.py)

    def chosen(self, ids=None, phase="ready"):
        """Connections by their ids, or all in the phase."""
        if ids is not None:
            return [self.connections[number] for number in ids if number in self.connections]
        return [c for c in self.connections.values() if c.phase == phase]

    async def idle(self):
        """Ready connections whose session is idle."""
        rows = await self.compute.ask("SELECT pid FROM pg_stat_activity WHERE state = 'idle'")
        pids = {int(pid) for (pid,) in rows}
        return [c for c in self.chosen() if c.as_dict()["backend"] in pids]

    async def cut(self, connections, how):
        """End them towards their clients; what they did is cancelled."""
        for connection in connections:
            await connection.end(how)
            connection.task.cancel()
            self.events.add("cut", connection.id, how=how)

    async def suspend(self, manner="direct"):
        """How many sessions ended, None if the compute did not run.

        `direct`: each client reads PostgreSQL's FATAL 57P01; `pooled`: the pooler in the compute is
        killed first, and the client reads nothing."""
        if not self.compute.fall_asleep():
            return None
        ready = self.chosen()
        if manner == "pooled":
            await self.cut(ready, GOODBYE)
        try:
            await self.compute.end_sessions()
        except Unreachable:
            pass  # PostgreSQL does not run: no session is left.
        self.events.add("suspended", manner=manner, sessions=len(ready))
        return len(ready)

    async def restart(self, manner="direct"):
        """The compute goes and is started again by the platform, whether anybody asks or not."""
        ended = await self.suspend(manner)
        self.in_background(self.compute.wake())
        return ended

    def figures(self):
        return {
            "events": dict(self.events.counts),
            "state": self.compute.state,
            "awake_s": round(self.compute.awake_s(), 3),
            "idle_s": round(self.monitor.idle_s(), 3),
            "logins": self.n_logins,
            "peak_logins": self.peak_logins,
            "connections": len(self.connections),
            "ready": len(self.chosen()),
            "script": len(self.script.left),
        }

    def reset_figures(self):
        self.events.reset()
        self.compute.reset_clock()
        self.peak_logins = self.n_logins

    async def stop(self):
        self.server.close()
        tasks = [c.task for c in self.connections.values()] + list(self.background)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
