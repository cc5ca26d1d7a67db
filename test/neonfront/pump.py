# SPDX-License-Identifier: PostgreSQL
"""After ReadyForQuery: bytes pass untouched, in small steps (B13, B14)."""

import asyncio

# Why a session ended; the values stand in the event log.
CLIENT_CLOSED = "client closed"
CLIENT_LOST = "client lost"
COMPUTE_CLOSED = "compute closed"
COMPUTE_LOST = "compute lost"


async def _upwards(client, compute):
    while True:
        try:
            data = await client.read()
        except ConnectionError:
            return CLIENT_LOST
        if not data:
            return CLIENT_CLOSED
        try:
            await compute.write(data)
        except ConnectionError:
            return COMPUTE_LOST


async def _downwards(client, compute, knobs):
    while True:
        try:
            data = await compute.read()
        except ConnectionError:
            return COMPUTE_LOST
        if not data:
            return COMPUTE_CLOSED
        try:
            await client.write(data, knobs.step_bytes)
        except ConnectionError:
            return CLIENT_LOST


async def run(client, compute, knobs):
    """Until one side ends its direction: half a connection is not kept. Which side, and how."""
    up = asyncio.create_task(_upwards(client, compute))
    down = asyncio.create_task(_downwards(client, compute, knobs))
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        if not down.done() and up.result() == COMPUTE_LOST:
            # What PostgreSQL said before it went is still to be read.
            await down
        return down.result() if down.done() else up.result()
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
