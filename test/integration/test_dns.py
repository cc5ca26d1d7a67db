# SPDX-License-Identifier: PostgreSQL
"""Hosts by name: what a name server says is asked for, kept, and followed when it changes."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from support.faultproxy import FaultProxy
from support.nameserver import NameServer
from support.waiting import wait_until
from support.wire import ServerError

NAME = "db.zone.test"


@pytest.fixture
def names():
    try:
        server = NameServer(db_zone_test=["127.0.0.1"])
    except PermissionError:
        pytest.skip("a name server needs port 53")
    with server:
        yield server


@pytest.fixture
def start(postgres, start_pooler, names, workspace):
    """start(port, setting=value, …): a pooler whose database is on that port of NAME."""

    def start(port=postgres.port, **settings):
        return start_pooler(
            postgres,
            databases={"app": f"host={NAME} port={port} dbname=app"},
            resolv_conf=names.resolv_conf(workspace),
            server_tls_sslmode="require",
            **{"default_pool_size": 1, "dns_max_ttl": 1, "dns_nxdomain_ttl": 1} | settings,
        )

    return start


def servers(pooler):
    return [row["addr"] for row in pooler.console("SHOW SERVERS")]


def wait_for_serial(names):
    wait_until(lambda: "SOA zone.test" in names.asked, "the zone's serial is asked for")


def test_a_name_is_asked_for_once_while_it_is_known(start, names):
    pooler = start(default_pool_size=5, dns_max_ttl=60)
    clients = [pooler.login() for _ in range(5)]
    for client in clients:
        client.query("BEGIN")
    assert servers(pooler) == ["127.0.0.1"] * 5
    assert names.asked.count(NAME) <= 2  # for A and for AAAA
    (row,) = pooler.console("SHOW DNS_HOSTS")
    assert (row["hostname"], row["addrs"]) == (NAME, "127.0.0.1")
    assert 0 < row["ttl"] <= 60
    for client in clients:
        client.close()


def test_a_server_at_an_address_that_is_gone_is_replaced(start, names, postgres):
    with FaultProxy(postgres.port) as here:
        with FaultProxy(postgres.port, listen="127.0.0.2", port=here.port):
            pooler = start(here.port, default_pool_size=2, dns_zone_check_period=1)
            with pooler.login() as busy, pooler.login() as other:
                busy.query("BEGIN")
                assert other.query("SELECT 1") == [["1"]]
                wait_for_serial(names)
                names.names[NAME] = ["127.0.0.2"]
                names.serial += 1

                def moved():
                    assert other.query("SELECT 1") == [["1"]]
                    return "127.0.0.2" in servers(pooler)

                wait_until(moved, "a connection goes to the new address")
                assert sorted(servers(pooler)) == ["127.0.0.1", "127.0.0.2"]
                assert busy.query("SELECT 2") == [["2"]]
                busy.query("COMMIT")
                wait_until(lambda: servers(pooler) == ["127.0.0.2"], "the old one is given up")


def test_a_client_waits_for_a_name_that_does_not_exist_yet(start, names):
    addresses = names.names.pop(NAME)
    pooler = start()
    with ThreadPoolExecutor() as threads:
        login = threads.submit(pooler.login)
        pooler.wait_for_log("server DNS lookup failed")
        names.names[NAME] = addresses
        with login.result() as client:
            assert client.query("SELECT 1") == [["1"]]


def test_an_address_that_refuses_is_passed_over(start, names):
    names.names[NAME] = ["127.0.0.9", "127.0.0.1"]
    pooler = start(default_pool_size=4)
    clients = [pooler.login() for _ in range(4)]
    for client in clients:
        client.query("BEGIN")
    assert servers(pooler) == ["127.0.0.1"] * 4
    for client in clients:
        client.close()


def test_a_client_is_told_that_the_name_does_not_exist(start, names):
    del names.names[NAME]
    pooler = start(query_wait_timeout=2)
    with pytest.raises(ServerError) as error:
        pooler.login()
    assert error.value.sqlstate == "57P03"
    assert f'could not resolve host name "{NAME}"' in str(error.value)


def test_a_zone_that_has_grown_is_asked_again_before_its_time(start, names):
    pooler = start(dns_max_ttl=3600, dns_zone_check_period=1)
    with pooler.login() as client:
        assert client.query("SELECT 1") == [["1"]]
        wait_for_serial(names)
        asked = names.asked.count(NAME)
        names.serial += 1
        wait_until(lambda: names.asked.count(NAME) > asked, "the name is asked for again")
        assert pooler.console("SHOW DNS_ZONES")[0]["zonename"] == "zone.test"
