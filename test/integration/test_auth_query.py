# SPDX-License-Identifier: PostgreSQL
"""auth_query: users who are not in auth_file log in with what the server knows of them."""

from contextlib import closing
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from support import process, wire
from support.waiting import wait_until
from support.wire import ServerError

LOOKUP = "SELECT usename, passwd FROM public.user_lookup($1)"

# As people write it, and with a note of each call.
FUNCTION = """
CREATE TABLE looked_up (at timestamptz DEFAULT clock_timestamp(), name text);
CREATE FUNCTION user_lookup(wanted text, OUT usename name, OUT passwd text)
RETURNS SETOF record LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.looked_up (name) VALUES (wanted);
    RETURN QUERY SELECT s.usename, s.passwd FROM pg_shadow s WHERE s.usename = wanted;
END $$;
REVOKE ALL ON FUNCTION user_lookup FROM public;
GRANT EXECUTE ON FUNCTION user_lookup TO looker;
"""

ROLES = {"looker": "looker secret", "root_looker": "root secret"}
DYNAMIC = ("ann", "bob", "old_md5", "expired", "victim")


def drop_everything(postgres):
    for database in ("app", "second"):
        postgres.sql("DROP SCHEMA IF EXISTS evil CASCADE", database=database)
        postgres.sql("DROP FUNCTION IF EXISTS user_lookup", database=database)
        postgres.sql("DROP TABLE IF EXISTS looked_up", database=database)
    for role in (*ROLES, *DYNAMIC):
        postgres.terminate_all(role)
        postgres.sql(f"DROP ROLE IF EXISTS {role}")


@pytest.fixture
def server(postgres):
    """PostgreSQL with users that the pooler's auth_file does not name."""
    drop_everything(postgres)
    for role, secret in ROLES.items():
        postgres.sql(f"CREATE ROLE {role} LOGIN PASSWORD '{secret}'")
    postgres.sql("ALTER ROLE root_looker SUPERUSER; GRANT pg_monitor TO looker")
    for database in ("app", "second"):
        postgres.sql(FUNCTION, database=database)
    postgres.sql("CREATE ROLE ann LOGIN PASSWORD 'ann secret'")
    postgres.sql("CREATE ROLE bob LOGIN PASSWORD 'bob secret'")
    yield postgres
    drop_everything(postgres)


@pytest.fixture
def start(server, start_pooler):
    def start(extra_users=None, **settings):
        values = {"auth_user": "looker", "auth_query": LOOKUP, **settings}
        return start_pooler(server, users={**ROLES, **(extra_users or {})}, **values)

    return start


def login(pooler, user="ann", password=None, database="app"):
    return pooler.connect(user=user, password=password or f"{user} secret", dbname=database)


def user_of(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_user")
        return cursor.fetchone()[0]


def refused(pooler, user="ann", password="wrong", database="app"):
    with pooler.wire() as client:
        with pytest.raises(ServerError) as caught:
            client.login(user, password, database)
        assert caught.value.severity == "FATAL"
        assert client.is_closed_by_peer()
    return caught.value


def lookups(server, database="app"):
    return server.value("SELECT count(*) FROM looked_up", database=database)


def test_a_function_of_auth_user_finds_the_secret_which_is_shown_to_the_server(start, server):
    pooler = start()
    with closing(login(pooler)) as ann, closing(login(pooler, "bob")) as bob:
        assert (user_of(ann), user_of(bob)) == ("ann", "bob")
    # The servers were logged in to by the keys that the clients have disclosed.
    names = [row["name"] for row in pooler.console("SHOW USERS")]
    assert {"ann", "bob"} <= set(names)
    assert server.sql("SELECT DISTINCT name FROM looked_up ORDER BY 1", database="app") == [
        ("ann",), ("bob",)
    ]


def test_the_default_query_serves_a_superuser(start, server):
    pooler = start(auth_user="root_looker", auth_query=None)
    with closing(login(pooler)) as ann:
        assert user_of(ann) == "ann"
    server.sql("CREATE ROLE expired LOGIN PASSWORD 'expired secret' VALID UNTIL '2001-01-01'")
    assert refused(pooler, "expired", "expired secret").sqlstate == "28P01"
    assert refused(pooler, "pg_monitor", "").text == "no such user"  # cannot log in


def test_who_logs_in_again_costs_no_look_up(start, server):
    pooler = start(auth_query_cache_time=60)
    for _ in range(3):
        with closing(login(pooler)) as ann:
            assert user_of(ann) == "ann"
    assert lookups(server) == 1
    pooler.console("RELOAD")
    with closing(login(pooler)) as ann:
        assert user_of(ann) == "ann"
    assert lookups(server) == 2
    # The servers that were there before are as good as they were.
    assert len(server.backends("ann")) == 1


def test_without_a_cache_each_login_looks(start, server):
    pooler = start(auth_query_cache_time=0)
    for _ in range(3):
        login(pooler).close()
    assert lookups(server) == 3


@pytest.mark.threads
def test_many_logins_of_one_user_share_a_look_up(start, server):
    pooler = start(auth_query_cache_time=60)
    server.sql(
        "CREATE OR REPLACE FUNCTION user_lookup(wanted text, OUT usename name, OUT passwd text)"
        " RETURNS SETOF record LANGUAGE plpgsql SECURITY DEFINER AS $$"
        " BEGIN PERFORM pg_advisory_xact_lock(4711);"
        " INSERT INTO public.looked_up (name) VALUES (wanted);"
        " RETURN QUERY SELECT s.usename, s.passwd FROM pg_shadow s WHERE s.usename = wanted;"
        " END $$",
        database="app",
    )
    with closing(psycopg2.connect(
        host=str(server.directory), port=server.port, user="postgres", dbname="app"
    )) as holder, ThreadPoolExecutor(16) as threads:
        with holder.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(4711)")
        holder.commit()
        logins = [threads.submit(login, pooler) for _ in range(16)]
        wait_until(lambda: pooler.log_count("login attempt: db=app user=ann") == 16, "all ask")
        # One asks, and may leave: another takes its place.
        with pooler.wire() as quitter:
            quitter.send(wire.startup({"user": "ann", "database": "app"}))
        with holder.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(4711)")
        holder.commit()
        for each in logins:
            with closing(each.result()) as ann:
                assert user_of(ann) == "ann"
    assert lookups(server) == 1


def takes_md5(server):
    try:
        psycopg2.connect(
            host="127.0.0.1", port=server.port, user="old_md5", password="one", dbname="app"
        ).close()
    except psycopg2.OperationalError:
        return False
    return True


@pytest.mark.parametrize("method", ["plain", "md5"])
def test_a_changed_password_works_at_once(start, server, method):
    pooler = start(auth_type=method, auth_query_cache_time=60)
    server.sql("SET password_encryption = 'md5'; CREATE ROLE old_md5 LOGIN PASSWORD 'one'")
    hba = server.data / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text("host all old_md5 samehost md5\n" + before)
    server.sql("SELECT pg_reload_conf()")
    try:
        wait_until(lambda: takes_md5(server), "the server has read its rules")
        with closing(login(pooler, "old_md5", "one")) as client:
            assert user_of(client) == "old_md5"
        server.sql("SET password_encryption = 'md5'; ALTER ROLE old_md5 PASSWORD 'two'")
        server.terminate_all("old_md5")
        pooler.wait_for_pool(user="old_md5", sv_idle=0)
        with closing(login(pooler, "old_md5", "two")) as client:
            assert user_of(client) == "old_md5"
        assert lookups(server) == 2
        assert refused(pooler, "old_md5", "one").sqlstate == "28P01"
    finally:
        hba.write_text(before)
        server.sql("SELECT pg_reload_conf()")


def test_a_changed_verifier_works_at_the_second_attempt(start, server):
    pooler = start(auth_query_cache_time=60)
    login(pooler).close()
    server.sql("ALTER ROLE ann PASSWORD 'new secret'")
    server.terminate_all("ann")
    pooler.wait_for_pool(user="ann", sv_idle=0)
    assert refused(pooler, "ann", "new secret").sqlstate == "28P01"
    with closing(login(pooler, "ann", "new secret")) as ann:
        assert user_of(ann) == "ann"
    assert refused(pooler, "ann", "ann secret").sqlstate == "28P01"


def test_a_pool_that_was_refused_goes_on_with_the_new_password_at_once(start, server):
    pooler = start(auth_query_cache_time=0)
    with closing(login(pooler)) as before, closing(login(pooler)) as longer:
        assert user_of(before) == user_of(longer) == "ann"
        server.sql("ALTER ROLE ann PASSWORD 'new secret'")
        server.terminate_all("ann")
        pooler.wait_for_pool(user="ann", sv_idle=0)
        with pytest.raises(psycopg2.Error):
            user_of(before)
        assert "the server's SCRAM verifier for this role is not the one" in pooler.log()
        with closing(login(pooler, "ann", "new secret")) as after:
            assert user_of(after) == "ann"
        assert user_of(longer) == "ann"


def test_keys_that_clients_have_disclosed_outlive_a_reload(start, server):
    pooler = start(default_pool_size=3)
    with closing(login(pooler)) as ann:
        assert user_of(ann) == "ann"
        pooler.console("RELOAD")
        server.terminate_all("ann")
        pooler.wait_for_pool(user="ann", sv_idle=0)
        assert user_of(ann) == "ann"


def test_an_unknown_user_is_told_at_once(start):
    pooler = start()
    refusal = refused(pooler, "nobody")
    assert (refusal.sqlstate, refusal.text) == ("28000", "no such user")
    assert "no such user: nobody" in pooler.log()
    assert "closing because: no such user (age=" in pooler.log()
    # A user who is known is not told apart from other wrong passwords.
    assert refused(pooler, "ann").sqlstate == "28P01"
    assert "nobody" not in [row["name"] for row in pooler.console("SHOW USERS")]


def test_a_null_secret_never_lets_in(start, server):
    pooler = start(auth_query="SELECT $1::text, NULL::text")
    assert refused(pooler, "ann", "ann secret").sqlstate == "28P01"
    assert refused(pooler, "ann", "").sqlstate == "28P01"


def test_the_function_of_the_manual_serves_an_ordinary_user(start, server):
    page = (process.SOURCE_ROOT / "doc" / "auth_query.md").read_text()
    sql = page.split("```sql\n")[1].split("```")[0]
    query = page.split("auth_query = ")[1].split("\n")[0]
    server.sql("DROP SCHEMA IF EXISTS pooler CASCADE", database="app")
    server.sql("DROP ROLE IF EXISTS pooler")
    server.sql(sql, database="app")
    server.sql("CREATE ROLE expired LOGIN PASSWORD 'expired secret' VALID UNTIL '2001-01-01'")
    try:
        pooler = start(auth_user="pooler", auth_query=query, extra_users={"pooler": "…"})
        with closing(login(pooler)) as ann:
            assert user_of(ann) == "ann"
        assert refused(pooler, "nobody").text == "no such user"
        assert refused(pooler, "postgres").text == "no such user"
        assert refused(pooler, "expired", "expired secret").sqlstate == "28P01"
    finally:
        server.terminate_all("pooler")
        server.sql("DROP SCHEMA pooler CASCADE", database="app")
        server.sql("DROP ROLE pooler")


def test_the_name_that_the_query_gives_replaces_the_clients_own(start, server):
    pooler = start(auth_query="SELECT usename, passwd FROM public.user_lookup(lower($1))")
    with closing(login(pooler, "ANN", "ann secret")) as ann:
        assert user_of(ann) == "ann"


def test_md5_is_computed_with_the_name_that_the_client_knows(start, server):
    pooler = start(auth_type="md5", auth_query="SELECT lower($1), 'ann secret'::text")
    with closing(login(pooler, "ANN", "ann secret")) as ann:
        assert user_of(ann) == "ann"
    assert refused(pooler, "ANN").sqlstate == "28P01"


@pytest.mark.parametrize(
    "query, line",
    [
        ("SELECT $1::text", "it must give 2 columns, not 1"),
        ("SELECT $1::text, 'x'::text, 1", "it must give 2 columns, not 3"),
        ("SELECT FROM (SELECT $1::text) t", "it must give 2 columns, not 0"),
        ("SELECT usename, passwd FROM nowhere WHERE usename = $1", 'relation "nowhere" does not'),
        ("SELECT ''::text, 'x'::text FROM (SELECT $1::text) t", "name of the user is empty"),
    ],
)
def test_a_query_that_gives_no_secret_is_a_mistake_of_the_operator(start, query, line):
    pooler = start(auth_query=query)
    assert refused(pooler).text == "bouncer config error"
    assert "error in auth_query: " in pooler.log()
    assert line in pooler.log()
    # The server is kept.
    assert refused(pooler).text == "bouncer config error"
    assert pooler.pool(user="looker")["sv_idle"] == 1


def test_nothing_in_a_users_schema_is_called_instead(start, server):
    server.sql(
        "CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO public;"
        "CREATE VIEW evil.pg_shadow AS SELECT 'ann'::name AS usename, 'mine'::text AS passwd;"
        "GRANT SELECT ON evil.pg_shadow TO public;"
        "CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'bob' $$",
        database="app",
    )
    server.sql("ALTER ROLE root_looker SET search_path = evil, pg_catalog")
    pooler = start(
        auth_user="root_looker", auth_type="plain",
        auth_query="SELECT usename, passwd FROM pg_shadow WHERE usename = lower($1)",
    )
    with pooler.wire() as client:
        with pytest.raises(ServerError):
            client.login("ann", "mine", "app", search_path="evil")
    with closing(login(pooler)) as ann:
        assert user_of(ann) == "ann"


def test_the_name_is_a_parameter_and_never_sql(start):
    pooler = start()
    for name in ("ann'; DROP TABLE looked_up; --", 'an"n', "ann\\", "$1", "ann\n"):
        assert refused(pooler, name).text == "no such user"


def test_what_a_client_of_auth_user_has_set_does_not_matter(start, server):
    pooler = start(default_pool_size=1)
    with closing(login(pooler, "looker")) as looker:
        with looker.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE pg_shadow AS SELECT 1; SET role TO pg_monitor")
        # Its role may not call the function; the next one to ask starts from nothing.
    with closing(login(pooler, "looker")) as looker:
        with looker.cursor() as cursor:
            cursor.execute("SET role TO pg_monitor")
        with closing(login(pooler)) as ann:
            assert user_of(ann) == "ann"
        with looker.cursor() as cursor:
            cursor.execute("SELECT current_user")
            assert cursor.fetchone() == ("pg_monitor",)
            cursor.execute("RESET role; SET statement_timeout = 400; SET row_security = off")
        server.sql(
            "CREATE OR REPLACE FUNCTION user_lookup(wanted text, OUT usename name, OUT passwd text)"
            " RETURNS SETOF record LANGUAGE sql SECURITY DEFINER AS $$ SELECT usename, passwd"
            " FROM pg_shadow, pg_sleep(0.6) WHERE usename = wanted $$", database="app",
        )
        with closing(login(pooler, "bob")) as bob:
            assert user_of(bob) == "bob"
        with looker.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("400ms",)


def test_auth_dbname_says_where_to_ask(start, server):
    address = f"host={server.host} port={server.port}"
    pooler = start(
        auth_dbname="second",
        stats_users="bob",
        databases={
            "app": f"{address} dbname=app",
            "second": f"{address} dbname=second",
            "own": f"{address} dbname=app auth_dbname=app auth_user=root_looker"
                   " auth_query='SELECT usename, passwd FROM pg_shadow WHERE usename = $1'",
            "lost": f"{address} dbname=app auth_dbname=nowhere",
        },
    )
    login(pooler).close()
    assert (lookups(server, "app"), lookups(server, "second")) == (0, 1)
    login(pooler, database="own").close()
    assert (lookups(server, "app"), lookups(server, "second")) == (0, 1)
    assert pooler.pool("app", "root_looker")
    assert refused(pooler, database="lost").text == "bouncer config error"
    assert 'authentication database "nowhere" is not configured' in pooler.log()
    # A database that there is not is said after the proof.
    assert refused(pooler, "ann", "ann secret", "nodb").text == "no such database: nodb"
    assert refused(pooler, database="nodb").sqlstate == "28P01"
    # The console's users may be found there, too; who they are says what they may do.
    assert "not allowed" in refused(pooler, "ann", "ann secret", "pgballast").text
    with closing(login(pooler, "bob", database="pgballast")) as bob, bob.cursor() as cursor:
        cursor.execute("SHOW USERS")
        assert "bob" in [row[0] for row in cursor.fetchall()]
    pooler.console("DISABLE second")
    assert refused(pooler).text == 'authentication database "second" is disabled'


def test_a_database_that_forces_a_user_is_shared_by_those_whom_auth_query_knows(start, server):
    address = f"host={server.host} port={server.port}"
    pooler = start(
        auth_query_cache_time=0,
        databases={"forced": f"{address} dbname=app user=app", "*": address},
        auth_dbname="second",  # by the fallback entry
    )
    with closing(login(pooler, database="forced")) as ann:
        assert user_of(ann) == "app"
        pooler.console("RELOAD")
        pooler.console("RECONNECT")
        assert user_of(ann) == "app"
    with closing(login(pooler, "bob", database="forced")) as bob:
        assert user_of(bob) == "app"
    assert lookups(server, "second") == 2


def test_a_reload_changes_where_and_whether_it_is_asked(start, server):
    pooler = start()
    ini = pooler.directory / "pgballast.ini"
    before = ini.read_text()
    with closing(login(pooler)) as ann:
        assert user_of(ann) == "ann"
        ini.write_text(before.replace("auth_user = looker", "auth_user = nobody_at_all"))
        pooler.console("RELOAD")
        assert refused(pooler).text == "bouncer config error"
        ini.write_text(before.replace("auth_user = looker", ""))
        pooler.console("RELOAD")
        assert refused(pooler).sqlstate == "28P01"
        ini.write_text(before)
        pooler.console("RELOAD")
        assert user_of(ann) == "ann"
        login(pooler).close()


def test_rules_that_reject_ask_nobody(start, server):
    pooler = start(auth_type="scram-sha-256")
    hba = pooler.directory / "hba.conf"
    hba.write_text("host all ann 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 scram-sha-256\n")
    process.give(hba)
    ini = pooler.directory / "pgballast.ini"
    ini.write_text(
        ini.read_text().replace("auth_type = scram-sha-256", f"auth_type = hba\nauth_hba_file = {hba}")
    )
    pooler.console("RELOAD")
    assert "login rejected" in refused(pooler).text
    assert lookups(server) == 0
    login(pooler, "bob").close()
    assert lookups(server) == 1


def test_rules_are_for_the_name_that_the_query_gives(start, server, workspace):
    hba = process.new_directory("rules", workspace) / "hba.conf"
    hba.write_text("host all bob all reject\nhost all ann all password\nhost all all all trust\n")
    process.give(hba)
    pooler = start(
        auth_type="hba", auth_hba_file=hba,
        auth_query="SELECT usename, passwd FROM public.user_lookup(lower($1))",
    )
    assert "login rejected" in refused(pooler, "BOB", "bob secret").text
    assert "password authentication failed" in refused(pooler, "ANN", "ann").text
    with closing(login(pooler, "ANN", "ann secret")) as ann:
        assert user_of(ann) == "ann"


def test_servers_are_checked_before_they_are_asked(start, server):
    pooler = start(
        server_check_delay=0, server_check_query="SELECT 1", auth_query_cache_time=0
    )
    for _ in range(3):
        with closing(login(pooler)) as ann:
            assert user_of(ann) == "ann"
    assert len(server.backends("looker")) == 1


def test_without_auth_dbname_the_console_and_unknown_databases_find_nobody(start):
    pooler = start()
    assert refused(pooler, "ann", "ann secret", "pgballast").text == "bouncer config error"
    assert refused(pooler, "ann", "ann secret", "nodb").sqlstate == "28P01"


def test_trust_asks_for_the_user_only(start, server):
    pooler = start(auth_type="trust")
    refusal = refused(pooler, "nobody")
    assert refusal.text == "no such user"
    # It is let in, but there is no key to log in to the server with.
    refusal = refused(pooler, "ann")
    assert "server login failed: wrong password type" in refusal.text


def test_databases_that_are_guessed_leave_nothing_behind(start):
    """Who asks for them has not proven anything, and may ask for any number of them."""
    pooler = start(databases={"*": f"host=127.0.0.1 port={process.free_port()}"})
    for number in range(320):
        with pooler.wire() as client:
            client.send(wire.startup({"user": "nobody", "database": f"guess{number}"}))
            assert client.read().letter == b"E"
    wait_until(lambda: len(pooler.console("SHOW POOLS")) <= 260, "the surplus is let go")


def test_who_cannot_look_up_is_told_so(start, server):
    server.sql("ALTER ROLE looker PASSWORD 'changed'")
    pooler = start()
    assert refused(pooler).text == "bouncer config error"
    assert 'password authentication failed for user "looker"' in pooler.log()


def test_a_look_up_waits_in_the_queue_and_not_for_ever(start, server):
    pooler = start(default_pool_size=1, pool_mode="session", query_wait_timeout=0.3)
    with closing(login(pooler, "looker")) as looker:
        assert user_of(looker) == "looker"
        refusal = refused(pooler)
        assert "query_wait_timeout" in refusal.text
    with closing(login(pooler)) as ann:
        assert user_of(ann) == "ann"
