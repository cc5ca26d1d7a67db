# SPDX-License-Identifier: PostgreSQL
"""asyncpg. It knows sslmode, and sends channel_binding to the server as a setting of the session."""

import asyncio
import os

import asyncpg

URL = os.environ["DATABASE_URL"]


class Undone(Exception):
    """Ends a transaction block."""


async def prepared(connection):
    statement = await connection.prepare("SELECT $1::int + 1")
    for i in range(20):
        async with connection.transaction():
            assert await statement.fetchval(i) == i + 1


async def rollback(connection):
    for n in (0, 1):
        try:
            async with connection.transaction():
                await connection.execute("INSERT INTO driver_rows VALUES ($1, $2)", "asyncpg", 1)
                if n == 0:
                    raise Undone
        except Undone:
            pass
        count = "SELECT count(*) FROM driver_rows WHERE driver = 'asyncpg'"
        assert await connection.fetchval(count) == n


async def expect_error(kind, work):
    try:
        await work
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


async def error(connection):
    await expect_error(asyncpg.DivisionByZeroError, connection.fetchval("SELECT 1/0"))
    assert await connection.fetchval("SELECT 1") == 1
    transaction = connection.transaction()
    await transaction.start()
    await expect_error(asyncpg.DivisionByZeroError, connection.fetchval("SELECT 1/0"))
    await expect_error(asyncpg.InFailedSQLTransactionError, connection.fetchval("SELECT 1"))
    await transaction.rollback()
    assert await connection.fetchval("SELECT 1") == 1


async def cancel(connection):
    """Its time-out sends a cancel request and waits for the effect."""
    sleep = connection.fetchval("SELECT pg_sleep(60)", timeout=0.3)
    await expect_error(asyncio.TimeoutError, sleep)
    assert await connection.fetchval("SELECT 1") == 1


async def member(pool, number):
    for _ in range(10):
        async with pool.acquire() as connection, connection.transaction():
            assert await connection.fetchval("SELECT $1::int", number) == number
            assert await connection.fetchval("SELECT $1::int + 1", number) == number + 1


async def main():
    connection = await asyncpg.connect(URL)
    assert await connection.fetchval("SELECT current_user") == "app"
    print("connect")
    await prepared(connection)
    print("prepared")
    await rollback(connection)
    print("rollback")
    await error(connection)
    print("error")
    await cancel(connection)
    print("cancel")
    await connection.close()
    # Its pool resets a connection each time that it is given back.
    async with asyncpg.create_pool(URL, min_size=20, max_size=20) as pool:
        await asyncio.gather(*(member(pool, number) for number in range(20)))
    print("crowd")


asyncio.run(asyncio.wait_for(main(), 50))
