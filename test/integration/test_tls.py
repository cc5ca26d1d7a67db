# SPDX-License-Identifier: PostgreSQL
"""TLS on both sides, and SCRAM bound to it."""

import os
import subprocess
from types import SimpleNamespace

import pytest

from support import process, wire
from support.pooler import own_certificate
from support.waiting import wait_until
from support.wire import ServerError

TLS_IN_USE = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def url(postgres, **parameters):
    """What an app developer has in DATABASE_URL."""
    parameters = {"sslmode": "verify-full", "sslrootcert": postgres.ca_file, **parameters}
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"postgresql://app:app%20secret@{postgres.host}:{postgres.port}/app?{query}"


@pytest.fixture
def with_certificate(postgres, start_pooler):
    """A pooler whose certificate is signed by the test's own authority."""
    return start_pooler(postgres, client_tls_sslmode="allow", **own_certificate(postgres))


def psql(pooler, user="app", **parameters):
    """One query through psql, the client that everybody has; its output or AssertionError."""
    parameters = {**pooler.parameters(user=user), **parameters}
    words = " ".join(f"{name}='{value}'" for name, value in parameters.items())
    return process.run(
        ["psql", "-X", "-A", "-t", "-c", "SELECT 'through psql'", words],
        cwd=pooler.directory,
        env={"PATH": os.environ["PATH"], "HOME": str(pooler.directory)},
    ).strip()


def test_the_server_connection_is_encrypted_and_verified(pooler):
    with pooler.login() as client:
        assert client.query(TLS_IN_USE) == [["t", "TLSv1.3"]]


def test_the_server_connection_is_plain_when_told_so(postgres, start_pooler):
    pooler = start_pooler(postgres, server_tls_sslmode="disable")
    with pooler.login() as client:
        assert client.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == [["f"]]


def test_the_server_sees_the_host_name_in_the_handshake(postgres, start_pooler):
    """verify-full against the name, though the address is what is connected to."""
    pooler = start_pooler(postgres, databases={"app": f"host=localhost port={postgres.port}"})
    with pooler.login() as client:
        assert client.query(TLS_IN_USE) == [["t", "TLSv1.3"]]


def refused(pooler):
    with pooler.wire() as client:
        with pytest.raises(ServerError) as caught:
            client.login("app", pooler.users["app"], "app")
    assert caught.value.sqlstate == "57P03"
    return caught.value.text


@pytest.fixture
def elsewhere(own_postgres):
    """The server with a good certificate for another host."""
    for setting, name in (("cert", "elsewhere.crt"), ("key", "elsewhere.key")):
        path = own_postgres.directory / name
        own_postgres.sql(f"ALTER SYSTEM SET ssl_{setting}_file = '{path}'")
    own_postgres.restart()
    yield own_postgres
    own_postgres.sql("ALTER SYSTEM RESET ALL")
    own_postgres.restart()


def test_verify_full_refuses_a_certificate_for_another_host(elsewhere, start_pooler):
    text = refused(start_pooler(elsewhere, server_tls_sslmode="verify-full"))
    assert "certificate" in text
    assert "localhost" in text or "host" in text


def test_verify_ca_takes_a_certificate_for_another_host(elsewhere, start_pooler):
    pooler = start_pooler(elsewhere, server_tls_sslmode="verify-ca")
    with pooler.login() as client:
        assert client.query("SELECT 1") == [["1"]]


def test_verify_ca_refuses_an_unknown_authority(postgres, start_pooler, workspace):
    other = process.new_directory("authority", workspace)
    subprocess.run(
        [process.SOURCE_ROOT / "dev" / "make-certs", other, "unused", "localhost"], check=True
    )
    process.give(other / "ca.crt")
    stranger = SimpleNamespace(host=postgres.host, port=postgres.port, ca_file=other / "ca.crt")
    for mode in ("verify-ca", "verify-full"):
        assert "certificate" in refused(start_pooler(stranger, server_tls_sslmode=mode))


def test_require_takes_any_certificate(elsewhere, start_pooler):
    pooler = start_pooler(elsewhere, server_tls_sslmode="require", server_tls_ca_file=None)
    with pooler.login() as client:
        assert client.query("SELECT 1") == [["1"]]


def test_require_refuses_a_server_without_tls(own_postgres, start_pooler):
    own_postgres.sql("ALTER SYSTEM SET ssl = off")
    own_postgres.restart()
    try:
        text = refused(start_pooler(own_postgres, server_tls_sslmode="require"))
        assert "TLS" in text or "SSL" in text
    finally:
        own_postgres.sql("ALTER SYSTEM RESET ssl")
        own_postgres.restart()


def test_clients_may_use_tls_with_the_configured_certificate(with_certificate, postgres):
    with with_certificate.wire() as client:
        client.start_tls(verify_with=postgres.ca_file)
        client.login("app", "app secret", "app")
        assert client.query("SELECT 1") == [["1"]]


def test_clients_without_tls_are_refused_where_it_is_required(postgres, start_pooler):
    pooler = start_pooler(postgres, client_tls_sslmode="require", **own_certificate(postgres))
    with pooler.wire() as client:
        with pytest.raises(ServerError) as caught:
            client.login("app", pooler.users["app"], "app")
        assert caught.value.severity == "FATAL"
    with pooler.wire() as client:
        client.start_tls()
        client.login("app", pooler.users["app"], "app")


def test_psql_insists_on_channel_binding(with_certificate):
    assert psql(with_certificate, sslmode="require", channel_binding="require") == "through psql"


def test_psql_verifies_the_pooler_s_certificate(with_certificate, postgres):
    parameters = {"host": "localhost", "sslmode": "verify-full", "sslrootcert": postgres.ca_file}
    assert psql(with_certificate, **parameters) == "through psql"


def test_a_wrong_password_with_channel_binding_is_28p01(with_certificate):
    with with_certificate.wire() as client:
        client.start_tls()
        with pytest.raises(ServerError) as caught:
            client.login("app", "wrong", "app")
    assert caught.value.sqlstate == "28P01"


def test_a_cancel_request_may_come_through_tls(with_certificate, postgres):
    with with_certificate.login() as client, with_certificate.wire() as beside:
        client.send(wire.query("SELECT pg_sleep(60)"))
        wait_until(lambda: postgres.backends(where="query LIKE '%pg_sleep(60)%'"), "it runs")
        beside.start_tls()
        beside.send(wire.request(wire.CANCEL_REQUEST, client.key))
        with pytest.raises(ServerError) as caught:
            client.rows()
        assert caught.value.sqlstate == "57014"


def test_a_database_url_is_all_that_is_needed(postgres, start_from_url):
    pooler = start_from_url(postgres, url(postgres))
    with pooler.login() as client:
        assert client.query(TLS_IN_USE) == [["t", "TLSv1.3"]]


def test_the_app_keeps_sslmode_and_channel_binding_of_its_own_url(postgres, start_from_url):
    """The certificate is made at start; the app changes host and port and nothing else."""
    pooler = start_from_url(postgres, url(postgres))
    assert psql(pooler, sslmode="require", channel_binding="require") == "through psql"


def test_the_urls_password_is_needed_of_clients_too(postgres, start_from_url):
    pooler = start_from_url(postgres, url(postgres))
    with pooler.wire() as client, pytest.raises(ServerError) as caught:
        client.login("app", "wrong", "app")
    assert caught.value.sqlstate == "28P01"


def test_the_urls_password_is_nowhere_in_the_log_or_the_process_list(postgres, start_from_url):
    pooler = start_from_url(postgres, url(postgres))
    pooler.login().terminate()
    shown = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True)
    for text in (pooler.log(), shown.stdout):
        assert "app secret" not in text
        assert "app%20secret" not in text
