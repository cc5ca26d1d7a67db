# SPDX-License-Identifier: PostgreSQL
"""The pooler before the Neon stand-in (test/neonfront): its log-in, its sleep, its errors.

The ids are those of the stand-in's README. Its counters and its event log are the witness: what it
has not seen, the pooler has not sent.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
import pytest

from support.neonfront import BASE_WITHOUT_PLUS, NeonFront
from support.waiting import wait_until
from support.wire import query

# What the application never gets to see: the form in which the proxy says everything.
PROXY_STATE = "XX000"
CLIENTS = 50


@pytest.fixture
def start_front(workspace, postgres):
    """start_front(knob=value, …): a running stand-in before the common PostgreSQL."""
    started = []

    def start(**knobs):
        front = NeonFront(workspace, postgres, **knobs)
        started.append(front)
        return front.start()

    yield start
    for front in started:
        front.stop()


@pytest.fixture
def front(start_front):
    return start_front()


@pytest.fixture
def start_before(start_from_url):
    """start_before(front, SETTING=value, …): a pooler by URL that opens what clients need only."""

    def start(front, url=None, **settings):
        environment = {"WORKERS": 2, "MIN_POOL_SIZE": 0, **settings}
        return start_from_url(
            front,
            url or front.url(),
            **{f"PGBALLAST_{name}": str(value) for name, value in environment.items()},
        )

    return start


@pytest.fixture
def before(front, start_before):
    return start_before(front)


def value_of(connection, text):
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchone()[0]


def ask(pooler, text="SELECT 1"):
    """One statement on a connection of its own."""
    with closing(pooler.connect()) as connection:
        return value_of(connection, text)


def refused(pooler, text="SELECT 1"):
    """The error of a statement, or of the log-in before it."""
    with pytest.raises(psycopg2.Error) as caught:
        ask(pooler, text)
    assert PROXY_STATE not in (caught.value.pgcode or "")
    return str(caught.value)


def ask_at_once(connections, text="SELECT 1"):
    """The statement on all connections in parallel: results or exceptions, in their order."""

    def one(connection):
        try:
            return value_of(connection, text)
        except psycopg2.Error as error:
            return error

    with ThreadPoolExecutor(len(connections)) as threads:
        return list(threads.map(one, connections))


def connect_at_once(pooler, n):
    with ThreadPoolExecutor(n) as threads:
        return list(threads.map(lambda _: pooler.connect(), range(n)))


def close_all(connections):
    for connection in connections:
        connection.close()


def hold_servers(pooler, n):
    """Make the pooler open n servers and leave them idle."""
    connections = connect_at_once(pooler, n)
    assert ask_at_once(connections, "SELECT pg_sleep(0.3)::text") == [""] * n
    close_all(connections)


def sent_nothing_since(front, before):
    """Whether the pooler has neither opened a connection nor said a byte on one that is open."""
    return (
        front.count("accept") == before["accept"]
        and {c["id"]: c["bytes_in"] for c in front.connections()} == before["bytes"]
    )


def seen(front):
    return {
        "accept": front.count("accept"),
        "bytes": {c["id"]: c["bytes_in"] for c in front.connections()},
    }


# Log-in


def test_it_logs_in_with_one_iteration_and_channel_binding_over_verified_tls(front, before):
    assert ask(before) == 1
    (proven,) = front.events("proven")
    assert (proven["mechanism"], proven["iterations"]) == ("SCRAM-SHA-256-PLUS", 1)
    (tls,) = front.events("tls")
    assert tls["server_name"] == front.name()
    assert tls["version"] == "TLSv1.3"


def test_it_binds_the_channel_by_itself_where_that_is_offered(front, start_before):
    pooler = start_before(front, front.url(channel_binding=None))
    assert ask(pooler) == 1
    assert front.events("proven")[0]["mechanism"] == "SCRAM-SHA-256-PLUS"


def test_it_logs_in_without_channel_binding_where_that_is_not_offered(front, start_before):
    pooler = start_before(front, front.url(base=BASE_WITHOUT_PLUS, channel_binding=None))
    assert ask(pooler) == 1
    assert front.events("proven")[0]["mechanism"] == "SCRAM-SHA-256"


def test_required_channel_binding_that_is_not_offered_is_refused_before_any_proof(
    front, start_before
):
    pooler = start_before(front, front.url(base=BASE_WITHOUT_PLUS))
    assert "channel" in refused(pooler)
    assert front.count("proven") == 0


def test_direct_tls_negotiation_is_accepted(front, start_before):
    pooler = start_before(front, front.url(sslnegotiation="direct"))
    assert ask(pooler) == 1
    (tls,) = front.events("tls")
    assert (tls["how"], tls["alpn"]) == ("direct", "postgresql")
    assert front.count("ssl_request") == 0


def test_a_certificate_of_an_unknown_authority_is_refused_before_the_startup_packet(
    front, postgres, start_before
):
    pooler = start_before(front, front.url(sslrootcert=postgres.ca_file))
    assert "certificate" in refused(pooler)
    assert front.count("startup") == 0


def test_a_certificate_for_another_name_is_refused_before_the_startup_packet(front, start_before):
    pooler = start_before(front, front.url(base="somewhere.example"))
    assert "certificate" in refused(pooler)
    assert front.count("startup") == 0


def test_a_prompt_for_a_clear_password_is_not_answered(front, start_before):
    """By another name than the endpoint's the stand-in knows no endpoint, and asks."""
    url = front.url(base="somewhere.example", sslmode="require", sslrootcert=None)
    pooler = start_before(front, url, SERVER_TLS_SSLMODE="require", CHANNEL_BINDING="prefer")
    assert "clear-text" in refused(pooler)
    assert front.count("cleartext_prompt") >= 1
    assert all(event["error"] != "E10" for event in front.events("refused"))


def test_a_cancel_reaches_the_statement_over_tls(front, before):
    with closing(before.connect()) as connection:
        outcome = []

        def work():
            try:
                value_of(connection, "SELECT pg_sleep(60)")
            except psycopg2.Error as error:
                outcome.append(error.pgcode)

        thread = threading.Thread(target=work)
        thread.start()
        front.wait_for_event("ready")
        wait_until(lambda: front.postgres.backends(where="query LIKE '%pg_sleep(60)%'"), "it runs")
        connection.cancel()
        thread.join(timeout=20)
        assert outcome == ["57014"]
        assert value_of(connection, "SELECT 1") == 1
    assert front.count("tls") == front.count("accept")


# X01: cold start


def settle(front):
    """Wait until the pooler has finished what it began to open."""
    wait_until(
        lambda: (figures := front.counters())["connections"] == figures["ready"],
        "no connection is being opened",
    )


def suspend(front, manner="direct"):
    """Suspend, and wait until the pooler has been told."""
    settle(front)
    front.suspend(manner)
    front.wait_for(connections=0)


def logins_while_asleep(front):
    """How many began between the last suspend and the end of the start that followed."""
    asleep = front.events("suspended")[-1]["time"]
    awake = front.events("wake_end")[-1]["time"]
    return sum(asleep <= event["time"] <= awake for event in front.events("startup"))


@pytest.mark.threads
@pytest.mark.parametrize("wake_ms", [300, 3000])
def test_x01_a_cold_start_is_one_login_and_all_clients_are_served(front, start_before, wake_ms):
    pooler = start_before(front, SERVER_CONNECT_TIMEOUT=2)
    clients = connect_at_once(pooler, CLIENTS)
    assert ask_at_once(clients) == [1] * CLIENTS
    suspend(front)
    front.set(wake_ms=wake_ms)
    assert ask_at_once(clients) == [1] * CLIENTS
    close_all(clients)
    assert logins_while_asleep(front) == 1
    assert front.count("wake_begin") == 1


def test_x01_a_target_that_was_never_seen_is_woken_by_one_login(front, start_before):
    front.suspend()
    front.set(wake_ms=1000)
    pooler = start_before(front)
    clients = connect_at_once(pooler, CLIENTS)
    assert ask_at_once(clients) == [1] * CLIENTS
    close_all(clients)
    assert logins_while_asleep(front) == 1


def n_waiting(pooler):
    with closing(pooler.connect(dbname="pgballast")) as console, console.cursor() as cursor:
        cursor.execute("SHOW POOLS")
        names = [column.name for column in cursor.description]
        pools = [dict(zip(names, row)) for row in cursor.fetchall()]
    return sum(int(pool["cl_waiting"]) for pool in pools)


def test_x01_clients_are_served_in_the_order_in_which_they_came(front, postgres, start_before):
    """One worker and one server, so that there is an order to see."""
    postgres.sql("DROP SEQUENCE IF EXISTS places; CREATE SEQUENCE places", database="app")
    postgres.sql("GRANT ALL ON SEQUENCE places TO app", database="app")
    pooler = start_before(front, WORKERS=1, DEFAULT_POOL_SIZE=1)
    clients = [pooler.login() for _ in range(8)]
    suspend(front)
    front.set(wake_ms=3000)
    for place, client in enumerate(clients, 1):
        client.send(query("SELECT nextval('places')"))
        wait_until(lambda: n_waiting(pooler) == place, "it waits")
    assert front.counters()["state"] == "starting"
    assert [client.rows() for client in clients] == [[[str(n)]] for n in range(1, 9)]
    for client in clients:
        client.close()


# X02: suspend


@pytest.mark.parametrize("manner", ["direct", "pooled"])
@pytest.mark.parametrize("min_pool_size", [0, 5])
def test_x02_a_suspended_database_is_left_alone_until_a_client_asks(
    front, start_before, manner, min_pool_size
):
    pooler = start_before(front, MIN_POOL_SIZE=min_pool_size)
    hold_servers(pooler, 6)
    with closing(pooler.connect()) as client:
        assert value_of(client, "SELECT 1") == 1
        suspend(front, manner)
        before = seen(front)
        # The pooler's sweeps come once a second: two of them pass.
        time.sleep(2.5)
        assert sent_nothing_since(front, before)
        assert front.counters()["state"] == "suspended"
        assert value_of(client, "SELECT 1") == 1
    assert front.count("wake_begin") == 1


def test_x02_the_client_that_asks_first_reads_no_error(front, before):
    with closing(before.connect()) as client:
        for _ in range(10):
            assert value_of(client, "SELECT 1") == 1
            suspend(front)
    assert front.count("wake_begin") == 9


def test_open_clients_do_not_keep_the_database_awake(start_front, start_before):
    front = start_front(suspend_after_ms=700)
    pooler = start_before(front)
    clients = connect_at_once(pooler, 5)
    assert ask_at_once(clients) == [1] * 5
    front.wait_for(state="suspended", connections=0)
    front.order("reset")
    before = seen(front)
    time.sleep(2.5)
    assert sent_nothing_since(front, before)
    assert front.counters()["awake_s"] == 0
    assert ask_at_once(clients) == [1] * 5
    close_all(clients)


# X05: connections that are cut while idle


@pytest.mark.parametrize("how", ["eof", "reset", "goodbye"])
def test_x05_servers_that_are_cut_while_idle_are_noticed_by_no_client(front, before, how):
    clients = connect_at_once(before, 4)
    assert ask_at_once(clients, "SELECT pg_sleep(0.3)::text") == [""] * 4
    assert front.order("cut", how=how) == 4
    front.wait_for(connections=0)
    assert ask_at_once(clients) == [1] * 4
    close_all(clients)


# X07: restart in the middle of a statement


@pytest.mark.parametrize("manner", ["direct", "pooled"])
def test_x07_a_statement_that_a_restart_interrupts_fails_once_and_is_not_repeated(
    front, postgres, before, manner
):
    postgres.sql("DROP SEQUENCE IF EXISTS tries; CREATE SEQUENCE tries", database="app")
    postgres.sql("GRANT ALL ON SEQUENCE tries TO app", database="app")
    with closing(before.connect()) as client:
        failed = []

        def work():
            try:
                value_of(client, "SELECT nextval('tries'), pg_sleep(60)")
            except psycopg2.Error as error:
                failed.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        wait_until(lambda: postgres.backends(where="query LIKE '%nextval%'"), "it runs")
        front.order("restart", manner=manner)
        thread.join(timeout=20)
        (error,) = failed
        assert error.pgcode in ("57P01", "08006", None)
    assert ask(before) == 1
    assert ask(before, "SELECT last_value FROM tries") == 1


def test_x07_a_result_cut_in_the_middle_does_not_look_complete(front, before):
    with closing(before.connect()) as client:
        failed = []

        def work():
            try:
                value_of(
                    client,
                    "SELECT repeat('x', 1000), pg_sleep(i / 500) FROM generate_series(1, 9999) i",
                )
            except psycopg2.Error as error:
                failed.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        wait_until(lambda: any(c["bytes_out"] > 100000 for c in front.connections()), "rows come")
        front.order("restart")
        thread.join(timeout=20)
        assert len(failed) == 1
    assert ask(before) == 1


# X09: refusals after log-in


@pytest.mark.parametrize("error", ["E19", "E20", "E24", "E28"])
def test_x09_a_passing_trouble_is_waited_out(front, before, error):
    front.fail(error, times=2)
    assert ask(before) == 1
    attempts = [event["time"] for event in front.events("startup")]
    assert len(attempts) == 3
    assert all(later - earlier >= 0.1 for earlier, later in zip(attempts, attempts[1:]))


@pytest.mark.parametrize("error", ["E16", "E17", "E18"])
def test_x09_a_limiter_is_given_time_and_clients_keep_waiting(front, before, error):
    front.fail(error)
    clients = connect_at_once(before, 5)
    assert ask_at_once(clients) == [1] * 5
    close_all(clients)
    attempts = [event["time"] for event in front.events("startup")]
    assert attempts[1] - attempts[0] >= 1.0
    assert front.counters()["peak_logins"] <= 4


@pytest.mark.parametrize(
    "error, words",
    [
        ("E21", "endpoint cannot be found"),
        ("E21a", "endpoint is disabled"),
        ("E12", "is not allowed to connect to this endpoint"),
    ],
)
def test_x09_a_permanent_refusal_is_told_at_once_and_not_asked_for_again(
    front, before, error, words
):
    front.fail(error, times=0)
    begun = time.monotonic()
    assert words in refused(before)
    assert words in refused(before)
    assert time.monotonic() - begun < 2.0
    assert front.count("startup") == 1


@pytest.mark.parametrize(
    "error, words",
    [
        ("E21b", "temporarily unavailable"),
        ("E22", "compute time quota"),
        ("E22b", "exceeded the quota"),
        ("E23", "concurrently active endpoints"),
    ],
)
def test_x09_a_slow_refusal_is_not_asked_for_again_within_its_negative_cache(
    front, before, error, words
):
    front.fail(error, times=0)
    assert words in refused(before)
    for _ in range(3):
        assert words in refused(before)
    assert front.count("startup") == 1


def test_x09_open_sessions_go_on_while_new_logins_are_refused(front, before):
    with closing(before.connect()) as client:
        with client.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1")
            front.fail("E22", times=0)
            assert "compute time quota" in refused(before)
            cursor.execute("SELECT 2")
            assert cursor.fetchone() == (2,)
            cursor.execute("COMMIT")


# X13: each phase of a log-in has its own deadline


@pytest.mark.parametrize(
    "knob, words",
    [
        ("delay_ssl_ms", "TLS"),
        ("delay_tls_ms", "TLS"),
        ("delay_sasl_ms", "authentication"),
        ("delay_challenge_ms", "authentication"),
    ],
)
def test_x13_a_phase_that_stalls_ends_by_its_deadline_and_is_named(
    front, start_before, knob, words
):
    front.set(**{knob: 60000})
    pooler = start_before(front, SERVER_CONNECT_TIMEOUT=1, QUERY_WAIT_TIMEOUT=3)
    begun = time.monotonic()
    refused(pooler)
    assert time.monotonic() - begun < 10
    assert f"connect timeout: no answer in the {words}" in pooler.log()
    front.set(**{knob: 0})
    # The back-off after some failures is below five seconds.
    wait_until(lambda: succeeds(pooler), "it has recovered")


def succeeds(pooler):
    try:
        return ask(pooler) == 1
    except psycopg2.Error:
        return False


def test_x13_waking_has_a_deadline_of_its_own(front, start_before):
    front.set(delay_final_ms=2500)
    pooler = start_before(front, SERVER_CONNECT_TIMEOUT=1, SERVER_WAKE_TIMEOUT=10)
    assert ask(pooler) == 1


def test_x13_a_database_that_does_not_wake_is_given_up_by_name(front, start_before):
    front.set(delay_final_ms=60000)
    pooler = start_before(
        front, SERVER_CONNECT_TIMEOUT=1, SERVER_WAKE_TIMEOUT=1, QUERY_WAIT_TIMEOUT=3
    )
    refused(pooler)
    assert "connect timeout: the database did not become ready" in pooler.log()


@pytest.mark.parametrize("knobs", [{"handshake_budget_ms": 200, "delay_tls_ms": 1000}])
def test_x13_the_silent_end_of_a_handshake_is_a_passing_trouble(front, before, knobs):
    front.set(**knobs)
    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(ask, before)
        front.wait_for_event("accept", 2)
        front.set(handshake_budget_ms=15000, delay_tls_ms=0)
        assert asking.result(timeout=20) == 1
