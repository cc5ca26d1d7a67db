# SPDX-License-Identifier: PostgreSQL
"""psycopg 3, which prepares by itself what it executes more than five times."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg

URL = os.environ["DATABASE_URL"]


def value(connection, text, *args):
    return connection.execute(text, args).fetchone()[0]


def expect_error(kind, work, *args):
    try:
        work(*args)
    except kind:
        pass
    else:
        raise AssertionError(f"no {kind.__name__}")


def prepared(connection):
    for i in range(20):
        with connection.transaction():
            cursor = connection.execute("SELECT %s::int + 1", (i,), prepare=True)
            assert cursor.fetchone() == (i + 1,)


def rollback(connection):
    for end, n in ((connection.rollback, 0), (connection.commit, 1)):
        connection.execute("INSERT INTO driver_rows VALUES ('psycopg3', 1)")
        end()
        count = "SELECT count(*) FROM driver_rows WHERE driver = 'psycopg3'"
        assert value(connection, count) == n
        connection.commit()


def error(connection):
    expect_error(psycopg.errors.DivisionByZero, value, connection, "SELECT 1/0")
    expect_error(psycopg.errors.InFailedSqlTransaction, value, connection, "SELECT 1")
    connection.rollback()
    with connection.pipeline():
        connection.execute("SELECT 1")
        expect_error(psycopg.errors.DivisionByZero, value, connection, "SELECT 1/0")
    connection.rollback()
    assert value(connection, "SELECT 1") == 1
    connection.rollback()


def cancel(connection):
    timer = threading.Timer(0.3, connection.cancel)
    timer.start()
    expect_error(psycopg.errors.QueryCanceled, value, connection, "SELECT pg_sleep(60)")
    timer.join()
    connection.rollback()
    assert value(connection, "SELECT 1") == 1
    connection.rollback()


def member(number):
    with psycopg.connect(URL) as connection:
        for _ in range(10):
            with connection.transaction():
                assert value(connection, "SELECT %s::int", number) == number
                assert value(connection, "SELECT %s::int + 1", number) == number + 1


with psycopg.connect(URL) as main:
    assert value(main, "SELECT current_user") == "app"
    main.commit()
    print("connect")
    prepared(main)
    print("prepared")
    rollback(main)
    print("rollback")
    error(main)
    print("error")
    cancel(main)
    print("cancel")
with ThreadPoolExecutor(20) as threads:
    list(threads.map(member, range(20)))
print("crowd")
