# SPDX-License-Identifier: PostgreSQL
"""The words that scripts and monitors look for in PgBouncer's log and in its errors are in ours.

Each case provokes one event in a pooler that they share; then its words must be in the log, in lines
of PgBouncer's form, and those for the client in what the client was told. What else our texts say is
the subject of other tests.
"""

import re
import signal
import socket
import struct
from contextlib import ExitStack, suppress

import pytest

from support import process, wire
from support.faultproxy import FaultProxy
from support.pooler import Pooler
from support.waiting import wait_until
from support.wire import Disconnected, ServerError, Wire
from test_reload import change, hang_up

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+ \[\d+\] "
CLIENT = r"C-0x[0-9a-f]+: "
SERVER = r"S-0x[0-9a-f]+: "
ADDRESS = r"(127\.0\.0\.1|\[::1\]):\d+"  # of "localhost", whichever comes first
PLACE = ADDRESS + " "


@pytest.fixture(scope="module")
def pooler(workspace, shared_postgres):
    """Databases that differ in what goes wrong with them."""
    at = f"host={shared_postgres.host} port={shared_postgres.port}"
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))  # bound and not listening: connecting is refused
    pooler = Pooler(
        workspace, shared_postgres,
        databases={
            "app": f"{at} dbname=app",
            "one": f"{at} dbname=app pool_size=1 query_wait_timeout=1",
            "spare": f"{at} dbname=app pool_size=1 reserve_pool_size=1",
            "narrow": f"{at} dbname=app max_db_connections=1",
            "two_clients": f"{at} dbname=app max_db_client_connections=2",
            "statement": f"{at} dbname=app pool_mode=statement",
            "absent": f"{at} dbname=no_such_database",
            "refused": f"host=127.0.0.1 port={closed.getsockname()[1]}",
            "nameless": "host=no-such-host.invalid",
            "removed": f"{at} dbname=app",
            "changed": f"{at} dbname=app pool_mode=session",
        },
        max_client_conn=12, reserve_pool_timeout="200ms", pool_idle_timeout="1",
        max_user_client_connections=6, unix_socket_dir=workspace / "words",
        server_login_retry="100ms", client_login_timeout=2, tcp_defer_accept=0,
    )
    (workspace / "words").mkdir(mode=0o777)
    (workspace / "words").chmod(0o777)
    try:
        yield pooler.start()
    finally:
        pooler.stop()
        closed.close()


def login_error(pooler, user="app", password=None, database="app", parameters=()):
    with pooler.wire() as client:
        try:
            client.login(user, pooler.users.get(user, "none") if password is None else password,
                         database, **dict(parameters))
        except ServerError as refusal:
            assert client.is_closed_by_peer()
            return refusal
    raise AssertionError("it was let in")


def raw_error(pooler, *packets):
    with pooler.wire() as client:
        client.send(*packets)
        refusal = client.read_error()
        assert client.is_closed_by_peer()
        return refusal


# What the client is told: name, how, severity, words. The log has them behind "pooler error: " and,
# as the connection ends, behind "closing because: ".
REFUSALS = {
    "unknown database": (
        lambda p: login_error(p, database="nowhere"), "no such database: nowhere"),
    "wrong password": (
        lambda p: login_error(p, password="wrong"), "SASL authentication failed"),
    "wrong password, as md5 says it": (
        lambda p: login_error(p, password="wrong"), "password authentication failed"),
    "unknown user": (
        lambda p: login_error(p, user="nobody"), "SASL authentication failed"),
    "database that the server does not have": (
        lambda p: login_error(p, database="absent"),
        'database "no_such_database" does not exist'),
    "no user": (
        lambda p: raw_error(p, wire.startup({"database": "app"})), "no username supplied"),
    "protocol 2": (
        lambda p: raw_error(p, wire.startup({"user": "app"}, version=2 << 16)),
        "old V2 protocol not supported"),
    "no startup packet": (
        lambda p: raw_error(p, struct.pack("!ii", 7, 0)), "bad packet header: '0000000700000000'"),
    "no terminator": (
        lambda p: raw_error(p, wire.request(196608, b"user\0app\0database\0app\0x")),
        "invalid startup packet layout: expected terminator as last byte"),
    "bytes behind an SSLRequest": (
        lambda p: raw_error_of_tls(p), "received unencrypted data after SSL request"),
    "name that no parameter can have": (
        lambda p: login_error(p, parameters={"no such name": "1"}),
        "unsupported startup parameter: no such name"),
    "name in options that no parameter can have": (
        lambda p: login_error(p, parameters={"options": "-c 1x=1"}),
        "unsupported startup parameter in options: 1x"),
    "options of another kind": (
        lambda p: login_error(p, parameters={"options": "-x"}),
        "unsupported options startup parameter: only '-c config=val' and '--config=val' are allowed"),
    "transaction in statement mode": (
        lambda p: query_error(p, "statement", "BEGIN"),
        "transaction blocks not allowed in statement pooling mode"),
}


def raw_error_of_tls(pooler):
    with pooler.wire() as client:
        client.send(wire.request(wire.SSL_REQUEST) + b"more")
        return client.read_error()


def query_error(pooler, database, text):
    with pooler.login(database=database) as client:
        client.send(wire.query(text))
        refusal = client.read_error()
        assert refusal.severity == "ERROR" or client.is_closed_by_peer()
        return refusal


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_has_its_words_at_the_client_and_in_the_log(pooler, case):
    provoke, words = REFUSALS[case]
    before = len(pooler.log())
    refusal = provoke(pooler)
    assert refusal.severity == "FATAL"
    assert words in refusal.text
    said = re.escape(words).replace("'", ".")
    for form in (rf"{STAMP}WARNING {CLIENT}\S+@{PLACE}pooler error: .*{said}",
                 rf"{STAMP}LOG {CLIENT}\S+@{PLACE}closing because: .*{said}.* \(age=\d+s\)"):
        wait_until(lambda: re.search(form, pooler.log()[before:]), form)


# Events: how, what the client is told (None: nothing), what the log has.

def evicted(pooler):
    with pooler.login(database="narrow") as client:
        client.query("SELECT 1")
    with pooler.login("other", "narrow") as client:
        assert client.query("SELECT 1") == [["1"]]


def evicted_when_free(pooler):
    """Another pool waits already when the server is released."""
    with pooler.login("other", "narrow") as other, pooler.login(database="narrow") as client:
        client.query("BEGIN")
        other.send(wire.query("SELECT 1"))
        wait_until(lambda: pooler.pool("narrow", "other")["maxwait_us"] > 300000, "it waits")
        client.query("COMMIT")
        assert other.rows() == [["1"]]


def reserve(pooler):
    with pooler.login(database="spare") as holder, pooler.login(database="spare") as other:
        holder.query("BEGIN")
        assert other.query("SELECT 1") == [["1"]]


def waits_too_long(pooler):
    with pooler.login(database="one") as holder, pooler.login(database="one") as other:
        holder.query("BEGIN")
        other.send(wire.query("SELECT 1"))
        refusal = other.read_error()
        assert other.is_closed_by_peer()
        return refusal


def unreachable(database):
    def provoke(pooler):
        with suppress(ServerError, Disconnected), pooler.login(database=database):
            pass
    return provoke


def database_removed(pooler):
    with pooler.login(database="removed") as client:
        client.query("SELECT 1")
        ini = pooler.command[1].read_text()
        pooler.command[1].write_text(re.sub(r"removed = .*\n", "", ini))
        hang_up(pooler)
        refusal = client.read_error()
    wait_until(lambda: pooler.pool("removed") is None, "its pool is gone, too")
    return refusal


def database_changed(pooler):
    with pooler.login(database="changed") as client:
        client.query("SELECT 1")
        with pooler.login(database="changed") as other:
            other.query("SELECT 1")
        pooler.wait_for_pool("changed", sv_idle=1)
        change(pooler, "changed = host=", "changed = user=other host=")
        hang_up(pooler)
        return client.read_error()


def too_many(database, user="app", n=20):
    def provoke(pooler):
        with ExitStack() as stack:
            for _ in range(n):
                client = stack.enter_context(pooler.wire())
                try:
                    client.login(user, pooler.users[user], database)
                except ServerError as refusal:
                    assert client.is_closed_by_peer()
                    return refusal
        raise AssertionError("all were let in")
    return provoke


def too_many_in_all(pooler):
    with ExitStack() as stack:
        for number in range(20):
            client = stack.enter_context(pooler.wire())
            try:
                client.login(*[("app", "app secret"), ("other", "other secret")][number % 2], "app")
            except ServerError as refusal:
                return refusal


def over_the_unix_socket(pooler):
    path = pooler.directory.parent / "words" / f".s.PGSQL.{pooler.port}"
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(20)
        plain.connect(str(path))
        plain.sendall(wire.startup({"user": "app", "database": "nowhere"}))
        plain.recv(100)
    wait_until(lambda: "unix(" in pooler.log(), "it is in the log")


def leaves(end):
    def provoke(pooler):
        with pooler.login() as client:
            client.query("SELECT 1")
            if end:
                client.terminate()
    return provoke


def said_never_to_log_in(pooler):
    with pooler.wire() as client:
        refusal = client.read_error()
        assert client.is_closed_by_peer()
        return refusal


EVENTS = {
    "login": (leaves(True), None, [
        rf"LOG {CLIENT}app/app@{PLACE}login attempt: db=app user=app tls=no replication=no$",
        rf"LOG {CLIENT}app/app@{PLACE}closing because: client close request \(age=\d+s\)$"]),
    "client that vanishes": (leaves(False), None, [
        rf"LOG {CLIENT}app/app@{PLACE}closing because: client unexpected eof \(age=\d+s\)$"]),
    "new server": (evicted, None, [
        rf"LOG {SERVER}narrow/other@{PLACE}new connection to server \(from {ADDRESS}\)$",
        rf"LOG {SERVER}narrow/other@{PLACE}SSL established: TLSv1\.3/\S+$"]),
    "server that is evicted when it becomes free": (evicted_when_free, None, [
        rf"LOG {SERVER}narrow/app@{PLACE}closing because: evicted: another pool .*\(age=\d+s\)$"]),
    "evicted server": (evicted, None, [
        rf"LOG {SERVER}narrow/\w+@{PLACE}closing because: evicted \(age=\d+s\)$"]),
    "reserve": (reserve, None, [r"WARNING .*taking connection from reserve_pool"]),
    "pool that nobody uses": (lambda pooler: wait_until(
        lambda: "cleaning up idle pool" in pooler.log(), "a pool is forgotten"), None, []),
    "query_wait_timeout": (waits_too_long, "query_wait_timeout", [
        rf"LOG {CLIENT}one/app@{PLACE}closing because: .*query_wait_timeout.* \(age=1s\)$"]),
    "refused connection": (unreachable("refused"), None, [
        rf"LOG {SERVER}refused/app@{PLACE}closing because: .*connect failed.* \(age=\d+s\)$"]),
    "name without address": (unreachable("nameless"), None, [
        rf"LOG {SERVER}nameless/app@\S+ closing because: .*server DNS lookup failed.* \(age=\d+s\)$"]),
    "database taken out of the file": (database_removed, "database removed", [
        rf"LOG {CLIENT}removed/app@{PLACE}closing because: database removed",
        rf"LOG {SERVER}removed/app@{PLACE}closing because: database configuration changed",
        "cleaning up idle pool for user app on db removed because: "]),
    "database changed in the file": (database_changed, "database configuration changed", [
        rf"LOG {SERVER}changed/app@{PLACE}closing because: database configuration changed"]),
    "too many clients of a database": (
        too_many("two_clients"), "client connections exceeded (max_db_client_connections)", []),
    "too many clients of a user": (
        too_many("app"), "client connections exceeded (max_user_client_connections)", []),
    "too many clients": (
        too_many_in_all, "no more connections allowed (max_client_conn)", []),
    "login that never comes": (said_never_to_log_in, "client_login_timeout", [
        rf"LOG {CLIENT}\(nodb\)/\(nouser\)@{PLACE}closing because: client_login_timeout"]),
    "client of the Unix socket": (over_the_unix_socket, None, [
        rf"{CLIENT}\S+@unix\(\d+\):\d+ "]),
}


@pytest.mark.parametrize("case", EVENTS)
def test_an_event_has_its_words_in_the_log(pooler, case):
    provoke, words, forms = EVENTS[case]
    before = len(pooler.log())
    told = provoke(pooler)
    if words:
        assert told.severity == "FATAL"
        assert words in told.text
        forms = forms + [rf"WARNING {CLIENT}\S+@{PLACE}pooler error: .*{re.escape(words)}"]
    for form in forms:
        wait_until(lambda: re.search(form, pooler.log()[before:], re.MULTILINE), form)


# Settings of a pooler of its own, then the same.
SETTINGS = {
    "unknown user and trust": (
        {"auth_type": "trust"}, lambda p: login_error(p, user="nobody"),
        '"trust" authentication failed'),
    "wrong password and md5": (
        {"auth_type": "md5"}, lambda p: login_error(p, password="wrong"),
        "password authentication failed"),
    "wrong password in clear": (
        {"auth_type": "plain"}, lambda p: login_error(p, password="wrong"),
        "password authentication failed"),
    "empty password in clear": (
        {"auth_type": "plain"}, lambda p: login_error(p, password=""),
        "empty password returned by client"),
    "no TLS where it must be": (
        {"client_tls_sslmode": "require", "client_tls_auto": 1},
        lambda p: login_error(p), "SSL required"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_a_refusal_by_other_settings_has_its_words(postgres, start_pooler, case):
    settings, provoke, words = SETTINGS[case]
    pooler = start_pooler(postgres, **settings)
    refusal = provoke(pooler)
    assert refusal.severity == "FATAL"
    assert words in refusal.text
    form = rf"LOG {CLIENT}\S+@{PLACE}closing because: .*{re.escape(words)}"
    wait_until(lambda: re.search(form, pooler.log()), form)


def test_tls_of_a_client_is_in_the_line_of_its_login(postgres, start_pooler):
    pooler = start_pooler(postgres, client_tls_sslmode="require", client_tls_auto=1)
    with pooler.wire() as client:
        client.start_tls()
        client.login("app", "app secret", "app")
    assert re.search(r"login attempt: db=app user=app tls=TLSv1\.3/TLS_\w+ replication=no", pooler.log())


def test_errors_and_logins_are_not_logged_when_that_is_switched_off(postgres, start_pooler):
    pooler = start_pooler(postgres, log_connections=0, log_disconnections=0, log_pooler_errors=0)
    login_error(pooler, database="nowhere")
    pooler.login().close()
    pooler.stop()
    for words in ("login attempt", "new connection to server", "closing because", "pooler error"):
        assert words not in pooler.log()


def test_the_first_and_the_last_lines_are_those_of_pgbouncer(postgres, start_pooler):
    pooler = start_pooler(postgres, stats_period=1)
    wait_until(lambda: "stats: " in pooler.log(), "the totals are logged")
    pooler.console("RELOAD")
    pooler.stop()
    for form in (r"LOG kernel file descriptor limit: \d+; max_client_conn: \d+, max expected fd use: \d+$",
                 rf"LOG listening on 127\.0\.0\.1:{pooler.port}$",
                 r"LOG process up: ",
                 r"LOG stats: \d+ xacts/s, \d+ queries/s, \d+ client parses/s, \d+ server parses/s, "
                 r"\d+ binds/s, \d+ client logins/s, in \d+ B/s, out \d+ B/s, xact \d+ us, query \d+ us, "
                 r"wait \d+ us$",
                 r"LOG .*RELOAD command issued$",
                 r"LOG got SIGTERM, shutting down, waiting for all clients disconnect$",
                 r"LOG client connections dropped, exiting$"):
        assert re.search(rf"^{STAMP}{form}", pooler.log(), re.MULTILINE), form


def test_a_server_that_is_lost_has_crashed_perhaps(postgres, start_pooler):
    with FaultProxy(postgres.port, ca_file=postgres.ca_file) as proxy:
        pooler = start_pooler(proxy)
        with pooler.login() as client:
            client.send(wire.query("SELECT pg_sleep(60)"))
            pooler.wait_for_pool(sv_active=1)
            proxy.reset()
            lost = client.read_error()
            assert (lost.severity, lost.sqlstate) == ("ERROR", "08006")
            assert "server conn crashed?" in lost.text
    form = rf"LOG {SERVER}app/app@{PLACE}closing because: .*server conn crashed\?"
    wait_until(lambda: re.search(form, pooler.log()), form)


def test_a_role_that_may_not_log_in_is_told_so_by_the_server(postgres, start_pooler):
    postgres.sql("CREATE ROLE barred NOLOGIN PASSWORD 'barred'")
    try:
        pooler = start_pooler(postgres, users={"barred": "barred"})
        refusal = login_error(pooler, user="barred")
    finally:
        postgres.sql("DROP ROLE barred")
    said = 'role "barred" is not permitted to log in'
    assert said in refusal.text
    assert re.search(rf"WARNING {SERVER}app/barred@{PLACE}server login failed: FATAL .*{said}", pooler.log())


def test_rules_name_the_encryption(postgres, start_pooler, workspace):
    rules = workspace / "encryption.hba"
    rules.write_text("host second all all reject\nlocal all all trust\n")
    process.give(rules)
    pooler = start_pooler(postgres, auth_type="hba", auth_hba_file=rules, client_tls_sslmode="allow",
                          client_tls_auto=1)
    for database, words in (("app", "no pg_hba.conf entry for host"),
                            ("second", "pg_hba.conf rejects connection for host")):
        for tls, encryption in ((False, "no encryption"), (True, "SSL encryption")):
            with pooler.wire() as client, pytest.raises(ServerError) as caught:
                if tls:
                    client.start_tls()
                client.login("app", "app secret", database)
            assert re.search(rf'{words} "127.0.0.1", user "app", .*, {encryption}$', caught.value.text)


def test_a_certificate_that_is_not_there_is_told_at_the_start(postgres, workspace):
    pooler = Pooler(workspace, postgres, client_tls_sslmode="require",
                    client_tls_cert_file="/nowhere.crt", client_tls_key_file="/nowhere.key")
    with pytest.raises(AssertionError, match="exits with 1"):
        pooler.start()
    assert re.search(r"TLS setup failed: .*\"/nowhere.crt\": No such file or directory", pooler.log())


def test_resuming_does_not_stop_a_shutdown(postgres, start_pooler):
    pooler = start_pooler(postgres)
    with pooler.login():
        for number, words in ((signal.SIGTERM, "waiting for all clients disconnect"),
                              (signal.SIGUSR2, "got SIGUSR2 while shutting down, ignoring"),
                              (signal.SIGINT, "got SIGINT while shutting down, fast exit")):
            pooler.process.send_signal(number)
            wait_until(lambda: words in pooler.log(), words)
    pooler.process.wait(timeout=20)
