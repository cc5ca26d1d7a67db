# SPDX-License-Identifier: PostgreSQL
"""The compute: asleep, starting or awake, and the clock that its owner pays for.

It is played with a PostgreSQL that runs all the time. Suspending it ends all sessions in the way
that a fast shutdown ends them, by the hand of PostgreSQL itself, so the bytes are the real ones;
starting it takes the time that a knob says.
"""

import asyncio

import link as links
import wire

# Every client backend but the stand-in's own.
TERMINATE_ALL = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE backend_type IN ('client backend', 'walsender') AND usename <> current_user"
)


class Unreachable(Exception):
    """PostgreSQL cannot be connected to."""


class Compute:
    def __init__(self, socket_path, admin, knobs, events):
        self.socket_path = socket_path
        self.admin = admin
        self.knobs = knobs
        self.events = events
        self.state = "active"
        # Goes up with each suspend: a login that meets two of them has to begin anew.
        self.life = 0
        self.starting = None
        self.on_awake = lambda: None
        self.session = None
        self.asking = asyncio.Lock()
        self.awake_before_s = 0.0
        self.awake_since = asyncio.get_running_loop().time()

    # The billing clock

    def awake_s(self):
        running = 0.0
        if self.awake_since is not None:
            running = asyncio.get_running_loop().time() - self.awake_since
        return self.awake_before_s + running

    def reset_clock(self):
        self.awake_before_s = 0.0
        if self.awake_since is not None:
            self.awake_since = asyncio.get_running_loop().time()

    # Life

    async def wake(self, connection=0):
        """Returns when the compute is awake; whoever comes first starts it."""
        while self.state != "active":
            if not self.starting:
                self.starting = asyncio.create_task(self._start(connection))
            await asyncio.shield(self.starting)

    async def _start(self, connection):
        self.state = "starting"
        self.awake_since = asyncio.get_running_loop().time()
        self.events.add("wake_begin", connection)
        await asyncio.sleep(self.knobs.wake_ms / 1000)
        self.state = "active"
        self.starting = None
        self.on_awake()
        self.events.add("wake_end", connection)

    def fall_asleep(self):
        """From now on logins wait for a start; false if it sleeps or starts already."""
        if self.state != "active":
            return False
        self.awake_before_s = self.awake_s()
        self.awake_since = None
        self.state = "suspended"
        self.life += 1
        return True

    async def end_sessions(self):
        """All sessions read 57P01. How many there were."""
        return int((await self.ask(TERMINATE_ALL))[0][0])

    # Connections

    async def connect(self):
        try:
            return await links.connect_unix(self.socket_path)
        except OSError as error:
            raise Unreachable(str(error)) from error

    async def log_in(self, parameters):
        """A session for a client: its link and PostgreSQL's welcome; ServerRefusal, Unreachable."""
        link = await self.connect()
        try:
            return link, await wire.log_in(link, parameters)
        except (EOFError, ConnectionError) as error:
            link.finish()
            raise Unreachable(str(error)) from error
        except BaseException:
            link.finish()
            raise

    async def ask(self, text):
        """Rows of a query by the stand-in itself, which is never activity."""
        async with self.asking:
            try:
                if self.session is None:
                    self.session = await self._own_session()
                return await wire.query(self.session, text)
            except (EOFError, OSError) as error:
                if self.session:
                    self.session.finish()
                    self.session = None
                raise Unreachable(str(error)) from error

    async def _own_session(self):
        parameters = {"user": self.admin, "database": "postgres", "application_name": "neonfront"}
        session, _ = await self.log_in(parameters)
        return session

    async def cancel(self, key):
        """Pass a cancel request on and wait until the postmaster has taken note of it."""
        link = await self.connect()
        try:
            await link.write(wire.cancel_request(key))
            await link.read()
        except ConnectionError as error:
            raise Unreachable(str(error)) from error
        finally:
            link.finish()
