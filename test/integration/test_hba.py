# SPDX-License-Identifier: PostgreSQL
"""auth_type = hba and the methods of its rules, by TCP and by Unix socket; the console's own doors."""

import base64
import hashlib
import hmac
import os
import pwd
import subprocess
import threading
from contextlib import closing

import psycopg2
import pytest

from support import process, wire
from support.pooler import CONSOLE_PASSWORD, CONSOLE_USER, Pooler
from support.waiting import wait_until
from support.wire import ServerError

PASSWORD = "right one"


def scram_verifier(password, iterations=4096):
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt, stored, server = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${iterations}:{salt}${stored}:{server}"


def md5_secret(user, password):
    return "md5" + hashlib.md5((password + user).encode()).hexdigest()


USERS = {
    "plain": PASSWORD,
    "hashed": md5_secret("hashed", PASSWORD),
    "verified": scram_verifier(PASSWORD),
    "nameless": "",
    "pgbouncer": PASSWORD,
}

RULES = """\
# type    database          user        address         method
host      by_password       all         127.0.0.1/32    password
host      by_md5            all         127.0.0.1/32    md5
host      by_scram          all         127.0.0.1/32    scram-sha-256
host      by_trust          all         127.0.0.1/32    trust
host      by_peer           all         127.0.0.1/32    peer
host      by_cert           all         127.0.0.1/32    cert
host      "all",by_reject   all         all             reject
hostssl   by_tls            all         all             trust
host      elsewhere         all         10.0.0.0 255.0.0.0 trust
host      nowhere           all         127.0.0.1/32    scram-sha-256
host      sameuser          @users      127.0.0.1/32    scram-sha-256
host      replication       plain       127.0.0.1/32    reject
host      replication       verified    127.0.0.1/32    scram-sha-256
host      pgbouncer         console     127.0.0.1/32    scram-sha-256
local     all               {me}        peer
local     all               plain       peer map=accounts
local     all               hashed      peer map=accounts
local     all               verified    peer
local     pgbouncer         pgbouncer   reject
"""

MAPS = """\
accounts  {me}     plain
accounts  nobody   all
"""

DATABASES = ("by_password", "by_md5", "by_scram", "by_trust", "by_peer", "by_cert", "by_reject",
             "by_tls", "elsewhere", "plain", "other")


def own_name():
    """The account that the pooler and psql run under."""
    return pwd.getpwuid(process.account().get("user", os.getuid())).pw_name


def write(path, text):
    path.write_text(text)
    process.give(path)
    return path


class Doors(Pooler):
    """A pooler with rules; whoever gets in works as "app"."""

    def __init__(self, workspace, postgres, rules=RULES, users=None, **settings):
        self.files = process.new_directory("rules", workspace)
        words = {"me": own_name()}
        self.hba = write(self.files / "hba.conf", rules.format(**words))
        self.ident = write(self.files / "ident.conf", MAPS.format(**words))
        write(self.files / "users", "plain, # the only one\n")
        line = f"host={postgres.host} port={postgres.port} dbname=app user=app password='app secret'"
        super().__init__(
            workspace, postgres, users=users if users is not None else USERS,
            databases={name: line for name in DATABASES},
            **{"auth_type": "hba", "auth_hba_file": self.hba, "auth_ident_file": self.ident,
               "unix_socket_dir": self.files, **settings},
        )

    def checked(self):
        """Output of --check on its file, and the exit status."""
        done = subprocess.run(
            [str(self.command[0]), "--check", str(self.command[1])], cwd=self.directory,
            env=self.environment, capture_output=True, text=True, timeout=20, **process.account(),
        )
        return done.stdout + done.stderr, done.returncode

    def psql(self, user, database, query="SELECT current_user"):
        """By the Unix socket, from the pooler's own account and without a password."""
        return process.run(
            ["psql", "-X", "-A", "-t", "-w", "-c", query,
             f"host={self.files} port={self.port} user={user} dbname={database}"],
            cwd=self.files, env={"PATH": os.environ["PATH"], "HOME": str(self.files)},
        ).strip()


@pytest.fixture(scope="module")
def doors(workspace, shared_postgres):
    pooler = Doors(workspace, shared_postgres)
    pooler.start()
    yield pooler
    pooler.stop()


def enter(doors, user, database, password=PASSWORD, **parameters):
    """Rows of one query."""
    with doors.wire() as client:
        client.login(user, password, database, **parameters)
        return client.query("SELECT current_user")


def refusal(doors, user, database, password=PASSWORD, **parameters):
    with pytest.raises(ServerError) as caught:
        enter(doors, user, database, password, **parameters)
    assert caught.value.severity == "FATAL"
    return caught.value


# Methods with a password


@pytest.mark.parametrize("database", ["by_password", "by_md5", "by_scram"])
@pytest.mark.parametrize("user", ["plain", "hashed", "verified"])
def test_each_form_of_a_secret_serves_the_methods_that_it_can(doors, database, user):
    if (database, user) == ("by_scram", "hashed"):
        assert refusal(doors, user, database).sqlstate == "28P01"
        return
    assert enter(doors, user, database) == [["app"]]
    wrong = refusal(doors, user, database, "wrong one")
    assert wrong.sqlstate == "28P01"
    assert f'password authentication failed for user "{user}"' in wrong.text


def first_request(doors, user, database, **parameters):
    """The code of the first authentication request."""
    with doors.wire() as client:
        client.send(wire.startup({"user": user, "database": database, **parameters}))
        return client.read().body[:4]


@pytest.mark.parametrize("database", ["by_password", "by_md5", "by_scram"])
def test_who_does_not_exist_is_told_no_more_than_who_errs(doors, database):
    wrong = refusal(doors, "plain", database, "wrong one")
    unknown = refusal(doors, "nobody", database)
    assert unknown.sqlstate == wrong.sqlstate == "28P01"
    assert unknown.text == wrong.text.replace("plain", "nobody")
    assert first_request(doors, "nobody", database) == first_request(doors, "plain", database)


def iterations_for(doors, user):
    """What SCRAM's second message says."""
    first = b"n,,n=,r=abcdefghijklmnop"
    with doors.wire() as client:
        client.send(wire.startup({"user": user, "database": "other"}))
        client.read()
        length = len(first).to_bytes(4, "big")
        client.send(wire.message(b"p", wire.cstring("SCRAM-SHA-256") + length + first))
        return client.read().body.decode(errors="replace").rpartition(",i=")[2]


def test_who_does_not_exist_is_asked_as_most_users_are(workspace, postgres):
    users = {name: scram_verifier(PASSWORD, 5000) for name in ("a", "b", "c", "d")}
    users["nameless"] = ""
    doors = Doors(workspace, postgres, users=users, auth_type="md5").start()
    try:
        assert enter(doors, "a", "other") == [["app"]]
        sasl = first_request(doors, "a", "other")
        assert first_request(doors, "nobody", "other") == sasl
        assert first_request(doors, "nameless", "other") == sasl
        assert first_request(doors, "app", "other") != sasl
        assert iterations_for(doors, "nobody") == iterations_for(doors, "a") == "5000"
        assert refusal(doors, "nobody", "other").sqlstate == "28P01"
    finally:
        doors.stop()


def test_an_empty_password_is_refused_by_name(doors):
    assert "empty password returned by client" in refusal(doors, "plain", "by_password", "").text
    assert refusal(doors, "nameless", "by_password", "x").sqlstate == "28P01"


def test_a_database_that_does_not_exist_is_told_after_the_proof(doors):
    assert refusal(doors, "plain", "nowhere", "wrong one").sqlstate == "28P01"
    missing = refusal(doors, "plain", "nowhere")
    assert (missing.sqlstate, missing.text) == ("3D000", "no such database: nowhere")


# Methods without a password


def test_trust_is_for_users_that_are_known(doors):
    assert enter(doors, "verified", "by_trust") == [["app"]]
    refused = refusal(doors, "nobody", "by_trust")
    assert '"trust" authentication failed' in refused.text
    assert refused.sqlstate == "28000"
    doors.wait_for_log('closing because: "trust" authentication failed')


def test_rejected_and_forgotten_logins_are_told_so_in_postgresql_s_words(doors):
    where = 'for host "127.0.0.1", user "plain", database'
    rejected = refusal(doors, "plain", "by_reject")
    assert rejected.sqlstate == "28000"
    assert rejected.text == (
        f'login rejected: pg_hba.conf rejects connection {where} "by_reject", no encryption'
    )
    for database in ("elsewhere", "other", "by_tls"):
        none = refusal(doors, "plain", database)
        assert none.sqlstate == "28000"
        assert none.text == (
            f"no authentication method is found: no pg_hba.conf entry {where} "
            f'"{database}", no encryption'
        )


def test_names_from_a_file_and_the_database_of_the_same_name(doors):
    assert enter(doors, "plain", "plain") == [["app"]]
    assert "no pg_hba.conf entry" in refusal(doors, "hashed", "plain").text


def test_peer_and_cert_need_more_than_tcp(doors):
    assert "unix socket login rejected" in refusal(doors, "plain", "by_peer").text
    refused = refusal(doors, "plain", "by_cert")
    assert 'certificate authentication failed for user "plain"' in refused.text
    assert refused.sqlstate == "28000"


def test_peer_is_who_the_system_says_it_is(doors):
    assert doors.psql(own_name(), "by_trust") == "app"
    with pytest.raises(AssertionError, match="unix socket login rejected: peer authentication"):
        doors.psql("verified", "by_trust")


def test_a_map_says_who_else_a_peer_may_be(doors):
    assert doors.psql("plain", "by_trust") == "app"
    with pytest.raises(AssertionError, match="unix socket login rejected"):
        doors.psql("hashed", "by_trust")
    doors.wait_for_log("ident map: accounts does not have a match")
    doors.wait_for_log("ident map accounts cannot be matched")


def test_by_the_socket_only_local_rules_count(doors):
    with pytest.raises(AssertionError, match=r'no pg_hba.conf entry for host "\[local\]"'):
        doors.psql("nobody", "by_trust")


def test_physical_replication_has_rules_of_its_own(doors):
    where = "replication connection {} host \"127.0.0.1\", user \"{}\", no encryption"
    rejected = refusal(doors, "plain", "by_trust", replication="true")
    assert "pg_hba.conf rejects " + where.format("for", "plain") in rejected.text
    forgotten = refusal(doors, "hashed", "by_trust", replication="true")
    assert "no pg_hba.conf entry for " + where.format("from", "hashed") in forgotten.text
    assert rejected.sqlstate == forgotten.sqlstate == "28000"
    assert first_request(doors, "verified", "by_trust", replication="true") == b"\0\0\0\x0a"
    assert "no pg_hba.conf entry" in refusal(doors, "plain", "other", replication="database").text


# The console


def test_a_rule_for_one_name_of_the_console_is_for_both(doors):
    for database in ("pgbouncer", "pgballast"):
        with doors.wire() as client:
            client.login(CONSOLE_USER, CONSOLE_PASSWORD, database)
            assert client.query("SHOW VERSION")
        assert "no pg_hba.conf entry" in refusal(doors, "plain", database).text


@pytest.mark.parametrize("database", ["pgbouncer", "pgballast"])
@pytest.mark.parametrize("user", ["pgbouncer", "pgballast", None])
def test_the_own_account_is_admin_whatever_the_rules(doors, database, user):
    assert doors.psql(user or own_name(), database, "RELOAD") == "RELOAD"
    doors.wait_for_log("pgbouncer access from unix socket")


def test_others_on_the_socket_are_judged_by_the_rules(doors):
    with pytest.raises(AssertionError, match="not allowed"):
        doors.psql("plain", "pgbouncer", "SHOW VERSION")


def test_any_asks_nobody_and_everybody_may_look_at_the_console(workspace, postgres):
    doors = Doors(workspace, postgres, auth_type="any").start()
    try:
        assert enter(doors, "nobody", "other") == [["app"]]
        assert refusal(doors, "nobody", "nowhere").text == "no such database: nowhere"
        with doors.wire() as client:
            client.login("nobody", "", "pgbouncer")
            assert client.query("SHOW VERSION")
            with pytest.raises(ServerError, match="admin access needed"):
                client.query("RELOAD")
        assert doors.console("RELOAD") == []
    finally:
        doors.stop()


# Files


def rejected_by_check(workspace, postgres, rules, **settings):
    doors = Doors(workspace, postgres, rules, **settings)
    output, status = doors.checked()
    assert status != 0
    return doors, output


def test_every_error_is_named_and_nothing_starts(workspace, postgres):
    rules = "local all all trust\nhost all all 127.0.0.1 md5\n\nlocal all @nothing md5\n"
    doors, output = rejected_by_check(workspace, postgres, rules)
    assert f'{doors.hba}:2: "md5" is no mask of the address before it' in output
    assert f"{doors.hba}:4: " in output and "nothing" in output
    with pytest.raises(AssertionError, match="the pooler exits with"):
        doors.start()
    doors.wait_for_log(f"{doors.hba}:2: ")


def test_maps_have_errors_of_their_own(workspace, postgres):
    rules = "local all all peer map=accounts\n"
    doors, output = rejected_by_check(workspace, postgres, rules.replace("accounts", "none"))
    assert f"{doors.hba}:1: ident map: none does not have a match" in output
    doors = Doors(workspace, postgres, rules)
    write(doors.ident, "accounts me\n")
    output, status = doors.checked()
    assert status != 0 and f"{doors.ident}:1: " in output


def test_rules_that_are_missing_are_an_error(workspace, postgres):
    _, output = rejected_by_check(workspace, postgres, "", auth_hba_file=None)
    assert "auth_type = hba needs auth_hba_file" in output
    _, output = rejected_by_check(workspace, postgres, "", auth_hba_file="/no/such/file")
    assert "/no/such/file" in output


def test_without_auth_type_hba_the_files_do_not_count(workspace, postgres):
    output, status = Doors(workspace, postgres, "nonsense\n", auth_type="md5").checked()
    assert status == 0 and "nonsense" not in output


def test_any_needs_a_user_for_every_database(workspace, postgres):
    line = f"host={postgres.host} dbname=app"
    doors = Pooler(workspace, postgres, auth_type="any", databases={"app": line})
    output, status = Doors.checked(doors)
    assert status == 0
    assert 'database "app": auth_type = any needs a user here' in output
    doors.start()
    try:
        with pytest.raises(psycopg2.OperationalError, match="bouncer config error"):
            doors.connect(user="anyone")
    finally:
        doors.stop()


# Reload



@pytest.fixture
def changing(workspace, postgres):
    """A pooler of its own, whose rules change."""
    doors = Doors(workspace, postgres, "host all all all scram-sha-256\n")
    doors.start()
    yield doors
    doors.stop()


def test_a_reload_takes_new_rules_and_leaves_sessions_alone(changing):
    with changing.wire() as client:
        client.login("plain", PASSWORD, "other")
        write(changing.hba, "host pgballast all all scram-sha-256\nhost all all all reject\n")
        changing.console("RELOAD")
        assert "login rejected" in refusal(changing, "plain", "other").text
        assert client.query("SELECT current_user") == [["app"]]


def test_a_reload_with_a_broken_file_changes_nothing(changing):
    write(changing.hba, "host pgballast all all scram-sha-256\nhost all all\n")
    with pytest.raises(psycopg2.Error, match="RELOAD failed, see logs for additional details"):
        changing.console("RELOAD")
    changing.wait_for_log(f"{changing.hba}:2: the line ends where an address is expected")
    assert enter(changing, "plain", "other") == [["app"]]


def test_a_broken_file_is_in_the_way_of_what_is_about_it_only(changing):
    write(changing.hba, "host all all\n")
    changing.console("SET query_timeout = 9")
    changing.console("SET client_tls_protocols = 'tlsv1.3'")
    with pytest.raises(psycopg2.Error, match="SET failed.*:1: the line ends where an address"):
        changing.console("SET auth_type = hba")
    assert enter(changing, "plain", "other") == [["app"]]


@pytest.mark.threads
def test_logins_do_not_notice_reloads_that_let_them_in(changing):
    errors, done, count = [], threading.Event(), [0]

    def log_in():
        while not done.is_set() and not errors:
            try:
                enter(changing, "plain", "other")
                count[0] += 1
            except (ServerError, wire.Disconnected) as error:
                errors.append(error)

    threads = [threading.Thread(target=log_in) for _ in range(2)]
    for thread in threads:
        thread.start()
    with closing(changing.connect(user=CONSOLE_USER, dbname="pgballast")) as console:
        for number in range(15):
            method = ("md5", "scram-sha-256", "password")[number % 3]
            write(changing.hba, f"host all,replication all all {method}\n")
            with console.cursor() as cursor:
                cursor.execute("RELOAD")
    wait_until(lambda: errors or count[0] > 10, "some logins went through")
    done.set()
    for thread in threads:
        thread.join()
    assert not errors
