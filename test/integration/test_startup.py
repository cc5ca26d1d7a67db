# SPDX-License-Identifier: PostgreSQL
"""Start-up parameters: as keys of the packet, in `options`, ignored ones, wrong ones."""

from contextlib import closing

import pytest

from support.wire import ServerError, bind, execute, parse, SYNC

# What drivers and tools send, with what SHOW then says.
ASKED = {
    "extra_float_digits": ("3", "3"),
    "search_path": ("pg_catalog", "pg_catalog"),
    "statement_timeout": ("5000", "5s"),
    "lock_timeout": ("2s", "2s"),
    "idle_in_transaction_session_timeout": ("1min", "1min"),
    "jit": ("off", "off"),
    "default_transaction_isolation": ("serializable", "serializable"),
    "IntervalStyle": ("iso_8601", "iso_8601"),
    "client_encoding": ("latin-1", "LATIN1"),
    "DateStyle": ("german", "German, DMY"),
    "TimeZone": ("Asia/Tokyo", "Asia/Tokyo"),
    "app.tenant": ("it's \\ 7", "it's \\ 7"),
    "application_name": ("a b", "a b"),
}
# The server's own, to come back to.
OTHER = {"extra_float_digits": "0", "IntervalStyle": "postgres", "app.tenant": "x", "jit": "on",
         "statement_timeout": "0", "DateStyle": "ISO", "TimeZone": "UTC"}


def as_options():
    """In all three forms, with what PostgreSQL wants a backslash before."""
    forms = ("-c {}={}", "-c{}={}", "--{}={}")
    words = []
    for number, (name, (value, _)) in enumerate(ASKED.items()):
        value = value.replace("\\", "\\\\").replace(" ", "\\ ")
        words.append(forms[number % 3].format(name, value))
    return {"options": "  ".join(words)}


@pytest.fixture(params=["session", "transaction"])
def pooler(request, postgres, start_pooler):
    return start_pooler(postgres, pool_mode=request.param, default_pool_size=1)


def check_values(wire):
    for name, (_, shown) in ASKED.items():
        assert wire.query(f"SHOW {name}") == [[shown]], name


def test_every_setting_may_be_asked_for_and_is_what_reset_goes_back_to(pooler):
    as_keys = {name: value for name, (value, _) in ASKED.items()}
    for parameters in (as_keys, as_options()):
        with pooler.login(**parameters) as wire:
            assert wire.parameters["client_encoding"] == "LATIN1"
            assert wire.parameters["DateStyle"] == "German, DMY"
            with pytest.raises(ServerError, match="division"):
                wire.query("SELECT 1/0")
            check_values(wire)
            for name, value in OTHER.items():
                wire.query(f"SET {name} = '{value}'")
                wire.query(f"RESET {name}")
            check_values(wire)
            wire.query("SELECT 1; RESET ALL")
            check_values(wire)
            wire.query("DISCARD ALL")
            check_values(wire)
            wire.terminate()
        with pooler.login() as wire:
            assert wire.query("SHOW statement_timeout") == [["0"]]
            assert wire.query("SHOW search_path") == [['"$user", public']]
            wire.terminate()


@pytest.mark.parametrize("pooler", ["transaction"], indirect=True)
def test_what_postgresql_refuses_it_refuses_in_its_own_words_and_to_nobody_else(pooler):
    refused = {
        "work_mem": ("abc", "22023", 'invalid value for parameter "work_mem": "abc"'),
        "no_such_thing": ("1", "42704", 'unrecognized configuration parameter "no_such_thing"'),
        "log_statement": ("all", "42501", 'permission denied to set parameter "log_statement"'),
    }
    with closing(pooler.connect()) as other, other.cursor() as cursor:
        for name, (value, sqlstate, text) in refused.items():
            with pooler.login(options=f"-c {name}={value}") as wire:
                for _ in range(2):
                    with pytest.raises(ServerError) as error:
                        wire.query("SELECT 1")
                    assert (error.value.sqlstate, error.value.text) == (sqlstate, text)
            cursor.execute("SELECT 1")
    for parameters, text in (
        ({"options": "-c geqo"}, "unsupported options startup parameter: only '-c config=val'"),
        ({"server_version": "1"}, "cannot be changed"),
    ):
        with pytest.raises(ServerError, match=text):
            pooler.login(**parameters)


def test_options_among_the_ignored_ones_hides_what_pgbouncer_would_not_track(
    postgres, start_pooler
):
    pooler = start_pooler(
        postgres,
        ignore_startup_parameters="extra_float_digits,options",
        track_extra_parameters="IntervalStyle, search_path",
    )
    options = "-c no_such_thing=1 -c geqo=off -c datestyle=German -c Search_Path=pg_catalog -B 7"
    with pooler.login(options=options) as wire:
        assert wire.query("SHOW geqo") == [["on"]]
        assert wire.query("SHOW DateStyle") == [["German, DMY"]]
        assert wire.query("SHOW search_path") == [["pg_catalog"]]


def test_what_is_set_for_a_client_is_in_the_log_when_that_is_verbose(postgres, start_pooler):
    pooler = start_pooler(postgres, verbose=2)
    with pooler.login(IntervalStyle="iso_8601", TimeZone="asia/tokyo") as wire:
        wire.query("SELECT 1")
        wire.send(parse("SELECT 1", "s"), parse("SELECT 2", "s"), SYNC,
                  bind(statement="nowhere"), execute(), SYNC)
        assert wire.read_until(b"Z")[-2].fields()["C"] == "42P05"
        assert wire.read_until(b"Z")[-2].fields()["C"] == "26000"
    log = pooler.log()
    assert "varcache_apply: SET IntervalStyle='iso_8601';SET TimeZone='asia/tokyo';" in log
    assert ("varcache_set_canonical: setting TimeZone to its canonical version"
            " asia/tokyo -> Asia/Tokyo") in log
    assert "prepared statement 's' was already prepared" in log
    assert "prepared statement did not exist" in log
