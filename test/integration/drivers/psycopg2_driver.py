# SPDX-License-Identifier: PostgreSQL
"""psycopg2. It has no prepared statements of the protocol."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2

URL = os.environ["DATABASE_URL"]


def value(connection, text, *args):
    with connection.cursor() as cursor:
        cursor.execute(text, args)
        return cursor.fetchone()[0]


def expect_error(sqlstate, work, *args):
    try:
        work(*args)
    except psycopg2.Error as error:
        assert error.pgcode == sqlstate, error
    else:
        raise AssertionError(f"no error {sqlstate}")


def rollback(connection):
    count = "SELECT count(*) FROM driver_rows WHERE driver = 'psycopg2'"
    for end, n in ((connection.rollback, 0), (connection.commit, 1)):
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO driver_rows VALUES ('psycopg2', 1)")
        end()
        assert value(connection, count) == n
        connection.commit()


def error(connection):
    expect_error("22012", value, connection, "SELECT 1/0")
    expect_error("25P02", value, connection, "SELECT 1")
    connection.rollback()
    assert value(connection, "SELECT 1") == 1
    connection.rollback()


def cancel(connection):
    timer = threading.Timer(0.3, connection.cancel)
    timer.start()
    expect_error("57014", value, connection, "SELECT pg_sleep(60)")
    timer.join()
    connection.rollback()
    assert value(connection, "SELECT 1") == 1
    connection.rollback()


def member(number):
    with closing(psycopg2.connect(URL)) as connection:
        for _ in range(10):
            with connection:
                assert value(connection, "SELECT %s", number) == number
                assert value(connection, "SELECT %s + 1", number) == number + 1


with closing(psycopg2.connect(URL)) as main:
    assert value(main, "SELECT current_user") == "app"
    main.commit()
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
