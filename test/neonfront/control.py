# SPDX-License-Identifier: PostgreSQL
"""Orders over a Unix socket: one JSON object a line, one a line in answer.

An order is {"command": NAME, ...arguments}; the answer {"ok": true, "result": ...} or {"ok": false,
"error": TEXT}. README.md lists them.
"""

import asyncio
import json
import os

from compute import Unreachable
from front import EOF, GOODBYE, RESET
from knobs import BadKnob
from scram import NEON_ITERATIONS
from wire import ServerRefusal


class BadOrder(Exception):
    """str() is the answer."""


class Control:
    def __init__(self, front):
        self.front = front
        self.commands = {
            "set": self.set,
            "knobs": self.knobs,
            "role": self.role,
            "suspend": self.suspend,
            "restart": self.restart,
            "wake": self.wake,
            "cut": self.cut,
            "fail": self.fail,
            "clear": self.clear,
            "reload": self.reload,
            "counters": self.counters,
            "connections": self.connections,
            "reset": self.reset,
        }

    async def listen(self, path):
        if os.path.exists(path):
            os.unlink(path)
        self.server = await asyncio.start_unix_server(self._converse, path)
        os.chmod(path, 0o600)

    async def _converse(self, reader, writer):
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._obey(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # Gone, or a line without an end.
        finally:
            writer.close()

    async def _obey(self, line):
        try:
            order = json.loads(line)
            command = self.commands[order.pop("command")]
            return {"ok": True, "result": await command(**order)}
        except KeyError as error:
            return {"ok": False, "error": f"unknown or missing: {error}"}
        except (BadKnob, BadOrder, Unreachable, ServerRefusal, TypeError, ValueError) as error:
            return {"ok": False, "error": str(error)}

    # The commands

    async def set(self, **values):
        self.front.knobs.change(values)

    async def knobs(self):
        return self.front.knobs.as_dict()

    async def role(self, endpoint, role, password=None, iterations=NEON_ITERATIONS):
        """Add or change; without a password remove."""
        if password is None:
            self.front.roles.remove(endpoint, role)
        else:
            self.front.roles.add(endpoint, role, password, iterations)

    async def suspend(self, manner="direct"):
        return await self.front.suspend(_one_of(manner, "direct", "pooled"))

    async def restart(self, manner="direct"):
        return await self.front.restart(_one_of(manner, "direct", "pooled"))

    async def wake(self):
        await self.front.compute.wake()

    async def cut(self, how=EOF, which="ready", ids=None):
        _one_of(how, EOF, RESET, GOODBYE)
        if ids is None and _one_of(which, "ready", "idle") == "idle":
            found = await self.front.idle()
        else:
            found = self.front.chosen(ids)
        await self.front.cut(found, how)
        return len(found)

    async def fail(self, error, times=1):
        self.front.script.add(error, times)

    async def clear(self):
        self.front.script.clear()

    async def reload(self):
        self.front.store.reload()

    async def counters(self):
        return self.front.figures()

    async def connections(self):
        return [c.as_dict() for c in self.front.connections.values()]

    async def reset(self):
        self.front.reset_figures()


def _one_of(word, *allowed):
    if word not in allowed:
        raise BadOrder(f"{word!r} is none of {', '.join(allowed)}")
    return word
