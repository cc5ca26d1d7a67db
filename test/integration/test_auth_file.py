# SPDX-License-Identifier: PostgreSQL
"""auth_file: what a line may say, what a reload changes, what ten thousand users cost."""

import base64
import hashlib
import os

import pytest

from support.wire import ServerError
from support.pooler import quoted
from test_hba import scram_verifier
from test_reload import hang_up


def write_users(pooler, *lines):
    """The file anew: the console's user, and these lines."""
    console = quoted("console"), quoted(pooler.users["console"])
    (pooler.directory / "users.txt").write_text("\n".join([" ".join(console), *lines]) + "\n")


def stored(postgres, user):
    return postgres.sql(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{user}'")[0][0]


def can_log_in(pooler, user="app", password=None):
    with pooler.wire() as client:
        try:
            client.login(user, pooler.users[user] if password is None else password, "app")
        except ServerError as refusal:
            assert refusal.sqlstate == "28P01"
            return False
        return client.query("SELECT current_user") == [[user]]


def test_each_form_of_a_secret_lets_in(postgres, start_pooler):
    line = f"host={postgres.host} port={postgres.port} user=app password='app secret'"
    pooler = start_pooler(postgres, auth_type="md5", databases={"app": line})
    md5 = "md5" + hashlib.md5(b"app secretapp").hexdigest()
    for form in ("app secret", md5, stored(postgres, "app")):
        write_users(pooler, f'{quoted("app")} {quoted(form)} ignored up to the end ; too')
        hang_up(pooler)
        assert can_log_in(pooler), form
        assert not can_log_in(pooler, password="wrong"), form


def test_a_bad_line_is_told_with_its_place_and_the_others_count(postgres, start_pooler):
    pooler = start_pooler(postgres)
    write_users(
        pooler, "; a comment", "app without quotes", '"x" "open', f'{quoted("n" * 128)} "pw"',
        '"app" "first"', '"app" "app secret" and more',
    )
    hang_up(pooler)
    path = pooler.directory / "users.txt"
    for number, phrase in ((3, "expected a user name in double quotes"),
                           (4, "expected a password in double quotes"),
                           (5, "user name is longer than 127 bytes"),
                           (7, "user is listed twice, the last line counts")):
        assert f"WARNING {path}:{number}: {phrase}" in pooler.log()
    assert "without quotes" not in pooler.log()
    assert can_log_in(pooler)


def test_who_is_taken_off_the_list_stays_and_cannot_come_again(postgres, start_pooler):
    pooler = start_pooler(postgres)
    with pooler.login() as client:
        write_users(pooler, '"other" "other secret"')
        hang_up(pooler)
        assert client.query("SELECT 1") == [["1"]]
        assert not can_log_in(pooler)
        assert can_log_in(pooler, "other")


def test_a_list_that_cannot_be_read_changes_nothing(postgres, start_pooler):
    pooler = start_pooler(postgres)
    (pooler.directory / "users.txt").unlink()
    hang_up(pooler, "reload failed, nothing has changed")
    assert "users.txt" in pooler.log()
    assert can_log_in(pooler)


def test_what_a_login_has_disclosed_outlives_a_reload(postgres, start_pooler):
    """A SCRAM verifier opens servers only with the key that its user's login brought."""
    pooler = start_pooler(postgres, default_pool_size=2)
    write_users(pooler, f'{quoted("app")} {quoted(stored(postgres, "app"))}')
    hang_up(pooler)
    with pooler.login() as first, pooler.login() as second:
        first.query("BEGIN")
        write_users(pooler, f'{quoted("app")} {quoted(stored(postgres, "app"))}', '"new" "user"')
        hang_up(pooler)
        assert second.query("SELECT 1") == [["1"]]  # on a server that is new, too
        pooler.wait_for_pool(sv_active=1, sv_idle=1)


def test_a_verifier_of_many_iterations_is_passed_on_but_not_computed(postgres, start_pooler):
    secret = scram_verifier("far", 150_000)
    postgres.sql(f"CREATE ROLE far LOGIN PASSWORD '{secret}'")
    try:
        pooler = start_pooler(postgres, users={"far": secret})
        assert can_log_in(pooler, "far", "far")
        pooler.console("SET auth_type = 'plain'")
        assert not can_log_in(pooler, "far", "far")
        assert "the stored SCRAM verifier has more than 100000 iterations" in pooler.log()
    finally:
        postgres.terminate_all("far")
        postgres.sql("DROP ROLE far")


def verifier():
    salt, stored_key, server_key = (base64.b64encode(os.urandom(n)).decode() for n in (16, 32, 32))
    return f"SCRAM-SHA-256$4096:{salt}${stored_key}:{server_key}"


@pytest.mark.memory
def test_ten_thousand_users_cost_less_than_three_megabytes(postgres, start_pooler):
    few, many = start_pooler(postgres), start_pooler(postgres)
    write_users(
        many, '"app" "app secret"',
        *(f'"user_{number:05}" "{verifier()}"' for number in range(10_000)),
    )
    many.stop()
    many.start()
    assert can_log_in(few) and can_log_in(many)
    assert many.status("VmRSS") - few.status("VmRSS") < 3 * 1024
    for _ in range(3):
        hang_up(many)
    assert many.status("VmRSS") - few.status("VmRSS") < 3 * 1024

