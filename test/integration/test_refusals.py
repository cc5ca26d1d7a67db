# SPDX-License-Identifier: PostgreSQL
"""Every refusal has the right SQLSTATE, says why, and leaves the others alone."""

from contextlib import closing
from types import SimpleNamespace

import pytest

from support import process, wire
from support.faultproxy import FaultProxy
from support.wire import ServerError


def refused_login(pooler, user="app", password=None, database="app"):
    """The error that a login is answered with; the connection must be over then."""
    with pooler.wire() as client:
        with pytest.raises(ServerError) as caught:
            client.login(user, pooler.users.get(user) if password is None else password, database)
        assert caught.value.severity == "FATAL"
        assert client.is_closed_by_peer()
    return caught.value


def refused_query(client, text="SELECT 1"):
    with pytest.raises(ServerError) as caught:
        client.query(text)
    return caught.value


def test_a_wrong_password_is_28p01(pooler):
    refusal = refused_login(pooler, password="wrong")
    assert refusal.sqlstate == "28P01"
    assert 'password authentication failed for user "app"' in refusal.text


def test_an_unknown_user_reads_like_a_wrong_password(pooler):
    known = refused_login(pooler, password="wrong")
    unknown = refused_login(pooler, user="nobody", password="wrong")
    assert unknown.sqlstate == known.sqlstate
    assert unknown.text == known.text.replace('"app"', '"nobody"')


def test_an_unknown_database_is_3d000(pooler):
    refusal = refused_login(pooler, database="nowhere")
    assert refusal.sqlstate == "3D000"
    assert "nowhere" in refusal.text


def test_an_unknown_database_is_not_revealed_to_a_wrong_password(pooler):
    refusal = refused_login(pooler, password="wrong", database="nowhere")
    assert refusal.sqlstate == "28P01"


def test_a_database_that_the_server_does_not_have_is_3d000(postgres, start_pooler):
    line = f"host={postgres.host} port={postgres.port}"
    pooler = start_pooler(postgres, databases={"*": line})
    refusal = refused_login(pooler, database="nowhere")
    assert refusal.sqlstate == "3D000"
    assert 'database "nowhere" does not exist' in refusal.text


def test_a_login_without_a_user_is_refused(pooler):
    with pooler.wire() as client:
        client.send(wire.startup({"database": "app"}))
        assert client.read_error().sqlstate in ("28000", "08P01")
        assert client.is_closed_by_peer()


def test_one_client_too_many_is_refused_and_a_place_is_free_again_later(postgres, start_pooler):
    pooler = start_pooler(postgres, max_client_conn=3)
    clients = [pooler.login() for _ in range(3)]
    with pooler.wire() as extra:
        with pytest.raises(ServerError) as caught:
            extra.login("app", pooler.users["app"], "app")
    assert caught.value.sqlstate == "53300"
    assert "max_client_conn" in caught.value.text
    clients.pop().terminate()
    # The console is beyond the limit, else nobody could look.
    pooler.wait_for_pool(cl_active=2)
    with pooler.login() as again:
        assert again.query("SELECT 1") == [["1"]]
    for client in clients:
        client.terminate()


def test_strangers_do_not_keep_out_who_comes_by_unix_socket(postgres, start_pooler, workspace):
    sockets = process.new_directory("sockets", workspace)
    pooler = start_pooler(postgres, max_unauthenticated=2, unix_socket_dir=sockets)
    with pooler.wire() as one, pooler.wire() as two, pooler.wire() as three:
        for stranger in (one, two, three):
            stranger.send(b"\0")
        pooler.wait_for_log("2 connections have not logged in yet (max_unauthenticated)")
        with closing(pooler.connect(host=str(sockets))) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)


def test_a_full_queue_refuses_at_once(postgres, start_pooler):
    pooler = start_pooler(postgres, default_pool_size=1, max_wait_queue=2)
    holder, *waiting = [pooler.login() for _ in range(3)]
    extra = pooler.login()
    holder.query("BEGIN")
    for position, client in enumerate(waiting, start=1):
        client.send(wire.query("SELECT 1"))
        pooler.wait_for_pool(cl_waiting=position)
    refusal = refused_query(extra)
    assert refusal.sqlstate == "53300"
    assert "2" in refusal.text, "the queue's length is named"
    holder.query("COMMIT")
    for client in waiting:
        assert client.rows() == [["1"]]
        client.close()
    holder.close()
    extra.close()


def test_a_wait_that_is_too_long_names_query_wait_timeout(postgres, start_pooler):
    pooler = start_pooler(postgres, default_pool_size=1, query_wait_timeout=1)
    with pooler.login() as holder, pooler.login() as client:
        holder.query("BEGIN")
        client.send(wire.query("SELECT 1"))
        refusal = client.read_error()
        assert "query_wait_timeout" in refusal.text
        assert holder.query("SELECT 1") == [["1"]]


def test_a_query_that_takes_too_long_is_cancelled_and_the_session_goes_on(postgres, start_pooler):
    pooler = start_pooler(postgres, query_timeout=1)
    with pooler.login() as client:
        refusal = refused_query(client, "SELECT pg_sleep(60)")
        assert refusal.sqlstate == "57014"
        assert "query timeout" in refusal.text
        assert client.query("SELECT 1") == [["1"]]


def test_an_idle_transaction_is_ended(postgres, start_pooler):
    pooler = start_pooler(postgres, idle_transaction_timeout=1, default_pool_size=1)
    with pooler.login() as client:
        client.query("BEGIN")
        assert "idle transaction timeout" in client.read_error().text
        assert client.is_closed_by_peer()
    with pooler.login() as next_client:
        assert next_client.query("SELECT 1") == [["1"]]


def test_a_login_that_never_comes_is_ended(postgres, start_pooler):
    pooler = start_pooler(postgres, client_login_timeout=1)
    with pooler.wire() as client:
        assert client.is_closed_by_peer()


def test_an_unreachable_server_is_57p03_with_the_cause(postgres, start_pooler):
    nowhere = SimpleNamespace(
        host="127.0.0.1", port=process.free_port(), ca_file=postgres.ca_file
    )
    refusal = refused_login(start_pooler(nowhere))
    assert refusal.sqlstate == "57P03"
    assert "refused" in refusal.text.lower()


def test_a_host_without_an_address_is_57p03_with_the_cause(postgres, start_pooler):
    nowhere = SimpleNamespace(host="no-such-host.invalid", port=5432, ca_file=postgres.ca_file)
    refusal = refused_login(start_pooler(nowhere))
    assert refusal.sqlstate == "57P03"
    assert "no-such-host.invalid" in refusal.text


def test_a_server_that_hangs_up_in_the_login_is_57p03(postgres, start_pooler):
    with FaultProxy(postgres.port, ca_file=postgres.ca_file) as proxy:
        proxy.refuse = True
        refusal = refused_login(start_pooler(proxy))
        assert refusal.sqlstate == "57P03"
        assert proxy.accepted > 0


def test_a_server_that_never_answers_is_given_up(postgres, start_pooler):
    with FaultProxy(postgres.port, ca_file=postgres.ca_file) as proxy:
        proxy.blackhole = True
        pooler = start_pooler(proxy, server_connect_timeout=1)
        assert refused_login(pooler).sqlstate == "57P03"


def test_a_wrong_password_on_the_server_is_passed_on(postgres, start_pooler):
    """The client did nothing wrong: it knows the pooler's password, the server has another one."""
    pooler = start_pooler(postgres, users={"app": "not the server's"})
    refusal = refused_login(pooler)
    assert refusal.sqlstate == "28P01"
    assert "password authentication failed" in refusal.text


def test_a_refused_login_is_one_warning_in_the_log_without_the_password(pooler):
    refused_login(pooler, password="sesame, open")
    lines = [
        line
        for line in pooler.log().splitlines()
        if " WARNING " in line and "password authentication failed" in line
    ]
    assert len(lines) == 1
    assert "sesame" not in pooler.log()


def test_a_failing_database_does_not_disturb_another(postgres, start_pooler):
    good = f"host={postgres.host} port={postgres.port} dbname=app"
    bad = f"host=127.0.0.1 port={process.free_port()} dbname=app"
    pooler = start_pooler(postgres, databases={"app": good, "second": bad})
    with pooler.login() as client:
        assert refused_login(pooler, database="second").sqlstate == "57P03"
        assert client.query("SELECT 1") == [["1"]]
