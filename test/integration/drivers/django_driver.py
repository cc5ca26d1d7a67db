# SPDX-License-Identifier: PostgreSQL
"""Django: persistent connections, migrate, the ORM with server-side cursors, in their defaults."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from urllib.parse import parse_qsl, unquote, urlsplit

import django
from django.conf import settings

url = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    USE_TZ=True,
    TIME_ZONE="Europe/Berlin",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": url.hostname,
            "PORT": url.port,
            "USER": url.username,
            "PASSWORD": unquote(url.password),
            "NAME": url.path.lstrip("/"),
            "OPTIONS": dict(parse_qsl(url.query)),
            "CONN_MAX_AGE": 600,
        }
    },
)
django.setup()

from django.contrib.auth.models import Group  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import DataError, OperationalError, connection, transaction  # noqa: E402


class Undone(Exception):
    """Ends a block."""


def value(text, *args):
    with connection.cursor() as cursor:
        cursor.execute(text, args)
        return cursor.fetchone()[0]


def expect_error(kind, text):
    try:
        with transaction.atomic():
            value(text)
    except kind:
        assert value("SELECT 1") == 1
    else:
        raise AssertionError(f"no {kind.__name__}")


def rollback():
    for n in (0, 1):
        try:
            with transaction.atomic():
                Group.objects.create(name="kept")
                if n == 0:
                    raise Undone
        except Undone:
            pass
        assert Group.objects.filter(name="kept").count() == n


def cancel():
    try:
        with transaction.atomic():
            value("SELECT set_config('statement_timeout', '300', true)")
            value("SELECT pg_sleep(60)")
    except OperationalError as error:
        assert error.__cause__.pgcode == "57014", error
    else:
        raise AssertionError("no time-out")
    assert value("SELECT 1") == 1


def iterate():
    """In a transaction, its server-side cursor lives as long as it is read."""
    Group.objects.bulk_create(Group(name=f"group {i}") for i in range(300))
    with transaction.atomic():
        read = Group.objects.filter(name__startswith="group ").iterator(chunk_size=50)
        assert sum(1 for _ in read) == 300


all_connected = Barrier(20)


def member(number):
    connection.ensure_connection()
    all_connected.wait(20)
    for _ in range(10):
        with transaction.atomic():
            assert value("SELECT %s", number) == number
            assert value("SHOW timezone") == "UTC"
        assert Group.objects.get(name=f"group {number}").name == f"group {number}"
    connection.close()


assert value("SELECT current_user") == "app"
print("connect")
call_command("migrate", verbosity=0)
call_command("migrate", verbosity=0)
print("migrate")
rollback()
print("rollback")
expect_error(DataError, "SELECT 1/0")
print("error")
cancel()
print("cancel")
iterate()
print("iterate")
with ThreadPoolExecutor(20) as threads:
    list(threads.map(member, range(20)))
print("crowd")
call_command("migrate", "auth", "zero", verbosity=0)
call_command("migrate", "contenttypes", "zero", verbosity=0)
