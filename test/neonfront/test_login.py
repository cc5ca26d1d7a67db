# SPDX-License-Identifier: PostgreSQL
"""B06 and B08 to B12: who it is for, who it is from, and what is said before ReadyForQuery."""

import base64
import re
import struct
import time
from contextlib import closing

import psycopg2
import pytest

from support import wire
from support.neonfront import ENDPOINT
from support.waiting import wait_until
from support.wire import ServerError

SHAPE = {"S": "ERROR", "C": "XX000"}


def refusal(front, server_name=None, **parameters):
    """Fields of the error that a login reads."""
    with front.wire(server_name=server_name) as client:
        client.send(wire.startup({"user": "app", "database": "app", **parameters}))
        return client.read_until(b"E")[-1].fields()


def one_value(connection, text):
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchone()[0]


# Routing


@pytest.mark.parametrize("word", ["endpoint", "project"])
def test_b06_the_option_names_the_endpoint_where_sni_does_not(front, word):
    with front.wire(server_name="") as client:
        client.login("app", "app secret", "app", options=f"-c work_mem=5MB {word}={ENDPOINT}")
        assert client.query("SHOW work_mem") == [["5MB"]]


def test_b06_a_mismatch_is_e03(front):
    assert refusal(front, options="endpoint=ep-other") == {
        **SHAPE,
        "M": f"Inconsistent project name inferred from SNI ('{ENDPOINT}')"
        " and project option ('ep-other').",
    }


def test_b06_bad_characters_are_e04(front):
    fields = refusal(front, server_name="", options="endpoint=ep_x")
    assert fields == {
        **SHAPE,
        "M": "Project name ('ep_x') must contain only alphanumeric characters and hyphen.",
    }


@pytest.mark.parametrize("options", ["", f"endpoint={ENDPOINT} project={ENDPOINT}"])
def test_b06_without_an_endpoint_the_password_is_asked_for_in_clear(front, options):
    for password, wanted in [
        (f"endpoint={ENDPOINT};app secret", None),
        (f"project={ENDPOINT}$app secret", None),
        (f"endpoint={ENDPOINT};wrong", "password authentication failed for user 'app'"),
        ("app secret", "Endpoint ID is not specified"),
    ]:
        with front.wire(server_name="") as client:
            client.send(wire.startup({"user": "app", "database": "app", "options": options}))
            assert client.read().body == struct.pack("!i", 3)
            client.send(wire.message(b"p", wire.cstring(password)))
            answer = client.read()
            if wanted:
                assert wanted in answer.fields()["M"]
            else:
                assert answer.body == struct.pack("!i", 0)


# SCRAM


def test_b08_passwords_have_one_iteration_unless_said_otherwise(front):
    front.order("role", endpoint=ENDPOINT, role="other", password="other secret", iterations=4096)
    for user, iterations in [("app", 1), ("other", 4096)]:
        front.login(user).close()
        assert front.events("proven")[-1]["iterations"] == iterations


def test_b08_libpq_binds_the_channel(front):
    for binding, mechanism in [("require", "SCRAM-SHA-256-PLUS"), ("disable", "SCRAM-SHA-256")]:
        front.connect(channel_binding=binding).close()
        assert front.events("proven")[-1]["mechanism"] == mechanism


def exchange(front, user, password, endpoint=ENDPOINT):
    """What a login with a wrong password gets to see."""
    with front.wire(server_name=front.name(endpoint)) as client:
        try:
            client.login(user, password, "app")
        except ServerError as error:
            return error.text
    raise AssertionError("the login succeeded")


def test_b08_unknown_role_unknown_endpoint_and_wrong_password_look_alike(front):
    wrong = exchange(front, "app", "wrong")
    assert wrong == "password authentication failed for user 'app'"
    assert exchange(front, "app", "app secret", endpoint="ep-nobody") == wrong
    assert exchange(front, "ghost", "any") == wrong.replace("app", "ghost")
    assert [event["error"] for event in front.events("refused")] == ["E10"] * 3


def scram_refusal(front, header, mechanism=b"SCRAM-SHA-256-PLUS", final=None):
    with front.wire() as client:
        client.send(wire.startup({"user": "app", "database": "app"}))
        client.read()
        first = header + b"n=,r=nonce"
        initial = wire.cstring(mechanism) + struct.pack("!i", len(first)) + first
        client.send(wire.message(b"p", initial))
        answer = client.read()
        if final:
            nonce = re.search(rb"r=([^,]+)", answer.body).group(1)
            client.send(wire.message(b"p", final(nonce)))
            answer = client.read()
        return answer.fields()["M"]


def test_b08_the_channel_is_checked(front):
    def of_another_channel(nonce):
        data = base64.b64encode(b"p=tls-server-end-point,," + bytes(32))
        return b"c=" + data + b",r=" + nonce + b",p=" + base64.b64encode(bytes(32))

    bound = b"p=tls-server-end-point,,"
    assert scram_refusal(front, b"y,,", b"SCRAM-SHA-256") == "SCRAM-PLUS not used"
    assert (
        scram_refusal(front, b"p=tls-unique,,") == "unsupported channel binding method tls-unique"
    )
    assert (
        scram_refusal(front, bound, final=of_another_channel)
        == "insecure connection: secure channel data mismatch"
    )
    assert scram_refusal(front, b"n,,", b"SCRAM-SHA-1") == "authentication protocol violation"


# Parameters


def test_b09_only_five_parameters_reach_postgres(front):
    with front.login(
        application_name="mine",
        TimeZone="Asia/Tokyo",
        client_encoding="LATIN1",
        extra_float_digits="0",
        options="-c work_mem=6MB neon_lsn:0/1",
    ) as client:
        assert client.query("SHOW application_name") == [["mine"]]
        assert client.query("SHOW work_mem") == [["6MB"]]
        assert client.query("SHOW TimeZone") != [["Asia/Tokyo"]]
        assert client.query("SHOW client_encoding") == [["UTF8"]]
        assert client.query("SHOW extra_float_digits") == [["1"]]


def test_b09_the_compatible_mode_forwards_all(front):
    with front.login(
        TimeZone="Asia/Tokyo",
        client_encoding="LATIN1",
        options="neon_proxy_params_compat:true",
    ) as client:
        assert client.query("SHOW TimeZone") == [["Asia/Tokyo"]]
        assert client.query("SHOW client_encoding") == [["LATIN1"]]


# The burst


def test_b10_nothing_comes_after_client_final_until_the_compute_is_awake(front):
    front.set(wake_ms=400)
    front.suspend()
    begun = time.monotonic()
    with front.login() as client:
        assert time.monotonic() - begun >= 0.4
        assert client.query("SELECT 1") == [["1"]]
    events = [event["event"] for event in front.events()]
    assert events.index("proven") < events.index("wake_begin") < events.index("ready")


def test_b10_a_refusal_after_client_final_comes_with_sasl_final_and_ok(front):
    front.fail("E19")
    with front.wire() as client:
        with pytest.raises(ServerError) as caught:
            client.login("app", "app secret", "app")  # it checks SASLFinal's signature before
        assert caught.value.text == "Couldn't connect to compute node"


def test_b11_keys_are_random_and_half_of_the_pids_negative(front):
    keys = set()
    for _ in range(24):
        with front.login() as client:
            keys.add(client.key)
    negative = sum(key[0] >= 128 for key in keys)
    assert len(keys) == 24 and 0 < negative < 24


def start_sleeping(front, postgres, seconds=60):
    client = front.login()
    client.send(wire.query(f"SELECT pg_sleep({seconds})"))
    running = "query LIKE '%pg_sleep%' AND state = 'active'"
    wait_until(lambda: postgres.backends(where=running), "it runs")
    return client


@pytest.mark.parametrize("encrypted", [False, True])
def test_b11_a_cancel_is_taken_in_clear_and_inside_tls(front, postgres, encrypted):
    with start_sleeping(front, postgres) as client:
        beside = front.wire() if encrypted else wire.Wire(front.host, front.port)
        with beside:
            beside.send(wire.request(wire.CANCEL_REQUEST, client.key))
            assert beside.is_closed_by_peer()
        with pytest.raises(ServerError) as caught:
            client.rows()
        assert caught.value.sqlstate == "57014"


@pytest.mark.parametrize("knobs", [{"cancel_lost": True}, {"cancel_register_ms": 60000}])
def test_b11_a_cancel_may_get_lost(start_front, postgres, knobs):
    front = start_front(**knobs)
    with start_sleeping(front, postgres, 0.5) as client:
        with wire.Wire(front.host, front.port) as beside:
            beside.send(wire.request(wire.CANCEL_REQUEST, client.key))
            assert beside.is_closed_by_peer()
        assert client.rows() == [[""]]


# Errors


def test_b12_errors_of_postgres_before_ready_lose_all_but_their_text(front):
    words = 'ERROR:  database "nowhere" does not exist'
    with pytest.raises(psycopg2.OperationalError, match=words):
        front.connect(dbname="nowhere")
    with front.wire() as client:
        with pytest.raises(ServerError) as caught:
            client.login("app", "app secret", "nowhere")
    assert (caught.value.severity, caught.value.sqlstate) == ("ERROR", "XX000")


def test_b12_errors_after_ready_are_untouched(front):
    with closing(front.connect()) as connection:
        with pytest.raises(psycopg2.errors.UndefinedTable) as caught:
            one_value(connection, "SELECT 1 FROM nothing_of_this_name")
        assert caught.value.diag.source_function
    with front.login() as client:
        client.send(wire.query("SELECT 1 FROM nothing_of_this_name"))
        fields = client.read_until(b"E")[-1].fields()
        assert fields["V"] == "ERROR" and fields["C"] == "42P01" and "L" in fields
