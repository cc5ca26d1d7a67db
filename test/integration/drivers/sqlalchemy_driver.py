# SPDX-License-Identifier: PostgreSQL
"""SQLAlchemy over psycopg2, with the pool that it has by default and pre-ping."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, func, select, text
from sqlalchemy.exc import DBAPIError

engine = create_engine(
    os.environ["DATABASE_URL"], future=True, pool_size=20, pool_pre_ping=True
)
rows = Table("driver_rows", MetaData(), Column("driver", String), Column("n", Integer))
ours = select(func.count()).select_from(rows).where(rows.c.driver == "sqlalchemy")


def expect_error(sqlstate, connection, statement):
    try:
        connection.execute(text(statement))
    except DBAPIError as error:
        assert error.orig.pgcode == sqlstate, error
    else:
        raise AssertionError(f"no error {sqlstate}")


def rollback(connection):
    for n in (0, 1):
        transaction = connection.begin()
        connection.execute(rows.insert().values(driver="sqlalchemy", n=1))
        with connection.begin_nested() as savepoint:
            connection.execute(rows.insert().values(driver="sqlalchemy", n=2))
            savepoint.rollback()
        if n:
            transaction.commit()
        else:
            transaction.rollback()
        assert connection.scalar(ours) == n
        connection.rollback()


def error(connection):
    expect_error("22012", connection, "SELECT 1/0")
    connection.rollback()
    assert connection.scalar(select(1)) == 1
    connection.rollback()


def cancel(connection):
    connection.execute(text("SET LOCAL statement_timeout = 300"))
    expect_error("57014", connection, "SELECT pg_sleep(60)")
    connection.rollback()
    assert connection.scalar(text("SHOW statement_timeout")) != "300ms"
    connection.rollback()


all_connected = Barrier(20)


def member(number):
    with engine.connect() as connection:
        connection.rollback()
        all_connected.wait(20)
        for _ in range(10):
            with connection.begin():
                assert connection.scalar(text("SELECT :n"), {"n": number}) == number
    for _ in range(3):
        with engine.begin() as connection:
            assert connection.scalar(text("SELECT :n + 1"), {"n": number}) == number + 1


with engine.connect() as main:
    assert main.scalar(text("SELECT current_user")) == "app"
    main.rollback()
    print("connect")
    rollback(main)
    print("rollback")
    error(main)
    print("error")
    cancel(main)
    print("cancel")
with ThreadPoolExecutor(20) as threads:
    list(threads.map(member, range(20)))
print("crowd")
engine.dispose()
