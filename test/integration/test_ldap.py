# SPDX-License-Identifier: PostgreSQL
"""Passwords judged by a directory: auth_type = ldap and rules of an HBA file, against a real slapd."""

import threading
import time
from contextlib import closing

import psycopg2
import pytest

from support import process
from support.directory import BASE, PEOPLE, Directory
from support.pooler import Pooler
from support.waiting import wait_until
from support.wire import ServerError

SECRET = PEOPLE["ldap_user"][0]
READER = f'ldapbinddn="cn=reader,{BASE}" ldapbindpasswd="reader\'s own"'
BY_MAIL = '"(&(objectClass=inetOrgPerson)(|(uid=$username)(mail=$username)))"'

# A database each, so that one pooler shows them all. {port} and {tls} are the directory's. Where the
# certificate counts it is not "localhost": the library would look for this machine's name in it.
RULES = f"""\
host simple   all all ldap ldapserver=127.0.0.1 ldapport={{port}} ldapprefix="uid=" ldapsuffix=",{BASE}"
host search   all all ldap ldapserver=127.0.0.1 ldapport={{port}} ldapbasedn="{BASE}" {READER}
host filter   all all ldap ldapserver=127.0.0.1 ldapport={{port}} ldapbasedn="{BASE}" {READER} \
ldapsearchfilter={BY_MAIL}
host url      all all ldap ldapurl="ldap://127.0.0.1:{{port}}/{BASE}?uid?sub" {READER}
host ldaps    all all ldap ldapurl="ldaps://127.0.0.1:{{tls}}/{BASE}?uid?sub" {READER}
host starttls all all ldap ldapserver=127.0.0.1 ldapport={{port}} ldaptls=1 ldapprefix="uid=" \
ldapsuffix=",{BASE}"
host unread   all all ldap ldapserver=127.0.0.1 ldapport={{port}} ldapbasedn="{BASE}" \
ldapbinddn="cn=reader,{BASE}" ldapbindpasswd="not it"
host nobody   all all ldap ldapserver=127.0.0.1 ldapport=1 ldapprefix="uid=" ldapsuffix=",{BASE}"
host default  all all ldap
host app      all all scram-sha-256
host pgbouncer all all scram-sha-256
"""
DATABASES = [line.split()[1] for line in RULES.splitlines()]


@pytest.fixture(scope="module")
def directory(shared_postgres, workspace):
    shared_postgres.sql(f"CREATE ROLE ldap_user LOGIN PASSWORD '{SECRET}'")
    slapd = Directory(
        workspace, shared_postgres.ca_file,
        shared_postgres.directory / "server.crt", shared_postgres.directory / "server.key",
    )
    try:
        yield slapd.start()
    finally:
        slapd.stop()
        shared_postgres.sql("DROP ROLE ldap_user")


def new_pooler(workspace, postgres, directory, **settings):
    """In session mode, as most who use this; nobody but the console is in its auth_file."""
    rules = process.new_directory("rules", workspace) / "hba"
    rules.write_text(RULES.format(port=directory.port, tls=directory.tls_port))
    process.give(rules)
    address = f"host={postgres.host} port={postgres.port} dbname=app"
    default = f'ldapserver=127.0.0.1 ldapport={directory.port} ldapprefix="uid=" ldapsuffix=",{BASE}"'
    settings = {
        "auth_type": "hba",
        "auth_hba_file": rules,
        "auth_ldap_options": default,
        "databases": {name: address for name in DATABASES if name != "pgbouncer"},
        **settings,
    }
    pooler = Pooler(workspace, postgres, **settings)
    pooler.environment["LDAPTLS_CACERT"] = str(postgres.ca_file)
    return pooler


@pytest.fixture
def pooler(workspace, postgres, directory):
    started = new_pooler(workspace, postgres, directory).start()
    try:
        yield started
    finally:
        started.stop()


def current_user(pooler, database, user="ldap_user", password=SECRET):
    with closing(pooler.connect(dbname=database, user=user, password=password)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            return cursor.fetchone()[0]


def test_the_directory_lets_in_and_the_server_gets_the_same_password(pooler):
    for database in ("simple", "search", "filter", "url", "ldaps", "starttls", "default"):
        assert current_user(pooler, database) == "ldap_user", database
    assert SECRET not in pooler.log() and "reader's own" not in pooler.log()


def test_who_is_wrong_or_unknown_is_refused_and_the_log_says_why(pooler):
    cases = {
        "simple": ("ldap_user", "wrong", "LDAP bind: Invalid credentials"),
        "search": ("ldap_user", "wrong", "LDAP bind: Invalid credentials"),
        "filter": ("twice@example.net", "eve", "LDAP search: more than one entry"),
        "url": ("stranger", "x", "LDAP search: no entry"),
        "default": ("ldap_user,ou=x", SECRET, "LDAP bind: Invalid credentials"),
    }
    for database, (user, password, why) in cases.items():
        with pytest.raises(psycopg2.OperationalError) as refused:
            current_user(pooler, database, user, password)
        assert f'LDAP authentication failed for user "{user}"' in str(refused.value)
        assert why in pooler.log()
    # Neither a pattern nor a filter.
    for user in ("*", "ldap_*", "ldap_user)(uid=*"):
        with pytest.raises(psycopg2.OperationalError, match="LDAP authentication failed"):
            current_user(pooler, "search", user, SECRET)
    with pytest.raises(ServerError, match="empty password returned by client"):
        pooler.wire().login("ldap_user", "", "simple")


def test_a_directory_that_cannot_be_asked_is_no_wrong_password(pooler):
    for database, why in (("nobody", "Can't contact LDAP server"), ("unread", "bind for the search")):
        with pytest.raises(psycopg2.OperationalError, match="the service cannot be asked"):
            current_user(pooler, database)
        assert why in pooler.log()


def test_what_ldap_has_found_right_is_no_secret_for_other_rules(pooler):
    assert current_user(pooler, "simple") == "ldap_user"
    with pytest.raises(psycopg2.OperationalError, match="authentication failed"):
        current_user(pooler, "app")


def test_sessions_go_on_after_a_reload(pooler):
    with closing(pooler.connect(dbname="simple", user="ldap_user", password=SECRET)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            pooler.console("RELOAD")
            pooler.console("RECONNECT")
            cursor.execute("SELECT current_user")
            assert cursor.fetchone() == ("ldap_user",)


@pytest.mark.threads
def test_a_directory_that_hangs_holds_up_nobody_else(workspace, postgres, directory):
    pooler = new_pooler(workspace, postgres, directory, client_login_timeout=2).start()
    outcomes = []

    def try_in():
        try:
            outcomes.append(current_user(pooler, "simple"))
        except psycopg2.OperationalError as refused:
            outcomes.append(str(refused))

    try:
        with closing(pooler.connect(dbname="app", user="app")) as other:
            directory.hang()
            waiting = [threading.Thread(target=try_in) for _ in range(40)]
            for thread in waiting:
                thread.start()
            wait_until(lambda: pooler.log_count("login attempt: db=simple") == 40, "all have come")
            before = time.monotonic()
            with other.cursor() as cursor:
                for _ in range(20):
                    cursor.execute("SELECT 1")
            assert time.monotonic() - before < 1.5
            for thread in waiting:
                thread.join()
            assert all("did not answer" in outcome for outcome in outcomes), outcomes
    finally:
        directory.resume()
        pooler.stop()


def test_a_rule_that_can_never_work_is_an_error_of_the_start(workspace, postgres, directory):
    for options, complaint in (
        ("ldapserver=x", "LDAP options need ldapbasedn, ldapprefix or ldapsuffix"),
        ("ldapsuffix=x ldapserver=y nonsense=1", 'unknown LDAP option "nonsense"'),
    ):
        pooler = new_pooler(workspace, postgres, directory, auth_type="ldap", auth_ldap_options=options)
        with pytest.raises(AssertionError, match=complaint):
            pooler.start()


def test_auth_type_ldap_serves_the_console_as_well(workspace, postgres, directory):
    pooler = new_pooler(
        workspace, postgres, directory, auth_type="ldap", admin_users="ldap_user"
    ).start()
    try:
        with closing(pooler.connect(dbname="pgbouncer", user="ldap_user", password=SECRET)) as admin:
            admin.autocommit = True
            with admin.cursor() as cursor:
                cursor.execute("SHOW VERSION")
                assert cursor.fetchone()
        assert current_user(pooler, "app") == "ldap_user"
    finally:
        pooler.stop()
