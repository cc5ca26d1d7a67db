# SPDX-License-Identifier: PostgreSQL
"""SQLAlchemy over asyncpg, with the caches of prepared statements that both have by default.

asyncpg's dialect takes no sslmode from the URL, with or without a pooler: ssl is given instead.
"""

import asyncio
import os

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

url = "postgresql+asyncpg" + os.environ["DATABASE_URL"].partition("?")[0].removeprefix("postgresql")
engine = create_async_engine(
    url, pool_size=20, pool_pre_ping=True, connect_args={"ssl": "require"}
)
INCREMENT = text("SELECT CAST(:n AS int) + 1")


async def expect_error(sqlstate, connection, statement):
    try:
        await connection.execute(text(statement))
    except DBAPIError as error:
        assert error.orig.sqlstate == sqlstate, error
    else:
        raise AssertionError(f"no error {sqlstate}")


async def prepared():
    """Also without transactions, where the steps of one statement need not meet the same server."""
    for options in ({}, {"isolation_level": "AUTOCOMMIT"}):
        chosen = engine.execution_options(**options)
        for i in range(20):
            async with chosen.connect() as connection:
                assert await connection.scalar(INCREMENT, {"n": i}) == i + 1


async def rollback():
    count = text("SELECT count(*) FROM driver_rows WHERE driver = 'sqlalchemy_async'")
    insert = text("INSERT INTO driver_rows VALUES ('sqlalchemy_async', 1)")
    async with engine.connect() as connection:
        for end, n in ((connection.rollback, 0), (connection.commit, 1)):
            await connection.execute(insert)
            await end()
            assert await connection.scalar(count) == n
            await connection.rollback()


async def error():
    async with engine.connect() as connection:
        await expect_error("22012", connection, "SELECT 1/0")
        await expect_error("25P02", connection, "SELECT 1")
        await connection.rollback()
        assert await connection.scalar(text("SELECT 1")) == 1


async def cancel():
    async with engine.connect() as connection:
        await connection.execute(text("SET LOCAL statement_timeout = 300"))
        await expect_error("57014", connection, "SELECT pg_sleep(60)")
        await connection.rollback()
        assert await connection.scalar(text("SELECT 1")) == 1


async def member(number):
    for _ in range(10):
        async with engine.begin() as connection:
            assert await connection.scalar(INCREMENT, {"n": number}) == number + 1
            assert await connection.scalar(text("SELECT CAST(:n AS int)"), {"n": number}) == number


async def main():
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT current_user")) == "app"
    print("connect")
    for step in (prepared, rollback, error, cancel):
        await step()
        print(step.__name__)
    await asyncio.gather(*(member(number) for number in range(20)))
    print("crowd")
    await engine.dispose()


asyncio.run(asyncio.wait_for(main(), 50))
