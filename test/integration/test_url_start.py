# SPDX-License-Identifier: PostgreSQL
"""The start of an application's developer: DATABASE_URL, the environment of a stack, no file."""

import os
import signal
import socket
import subprocess
from urllib.request import urlopen

import pytest

from support import process, wire
from support.pooler import Pooler
from support.waiting import wait_until
from support.wire import Disconnected


def url(postgres, password="app%20secret", options="sslmode=require"):
    return f"postgresql://app:{password}@localhost:{postgres.port}/app?{options}"


def leaves(pooler, *options):
    """Status and output of a start that is over at once."""
    done = subprocess.run(
        [str(part) for part in (*pooler.command, *options)], cwd=pooler.directory,
        env=pooler.environment, capture_output=True, text=True, timeout=20, **process.account(),
    )
    return done.returncode, done.stdout + done.stderr


def settings(pooler, *options):
    """name -> (value, origin) of --show-config."""
    status, output = leaves(pooler, "--show-config", *options)
    assert status == 0, output
    rows = {}
    for line in output.splitlines():
        if " = " in line and "    ; " in line:
            name, rest = line.split(" = ", 1)
            rows[name] = tuple(rest.rsplit("    ; ", 1))
    return rows


def test_the_first_lines_answer_the_first_questions(postgres, start_from_url):
    pooler = start_from_url(postgres, url(postgres))
    wait_until(lambda: "process up" in pooler.log(), "it is up")
    http = pooler.environment["PGBALLAST_HTTP_PORT"]
    for said in (
        f"listening on 127.0.0.1:{pooler.port}",
        f"upstream localhost port {postgres.port}: TLS, its certificate is not verified",
        f"DATABASE_URL=postgresql://app@127.0.0.1:{pooler.port}/app (with the same password",
        f"console: psql 'postgresql://app@127.0.0.1:{pooler.port}/pgballast'",
        f"health: http://127.0.0.1:{http}/health/db",
    ):
        assert said in pooler.log()
    assert "secret" not in pooler.log()
    assert "secret" not in open(f"/proc/{pooler.process.pid}/cmdline").read()
    with urlopen(f"http://127.0.0.1:{http}/health", timeout=5) as answer:
        assert answer.status == 200


def test_a_url_on_the_command_line_is_taken_out_of_the_list_of_processes(postgres, workspace):
    pooler = Pooler.from_url(workspace, postgres, "")
    del pooler.environment["DATABASE_URL"]
    pooler.command.append(url(postgres))
    pooler.start()
    try:
        assert b"secret" not in open(f"/proc/{pooler.process.pid}/cmdline", "rb").read()
        with pooler.login() as client:
            assert client.query("SELECT 1") == [["1"]]
    finally:
        pooler.stop()


@pytest.mark.parametrize(
    "given, said",
    [
        (None, "there is no database to connect to; set DATABASE_URL to postgresql://"),
        ("", "the database URL is empty; set DATABASE_URL to postgresql://"),
        ("mysql://app:hidden@h/db", "the database URL cannot be used"),
        ("'postgresql://app:hidden@h/db'", "in front of postgresql://, perhaps a quote"),
        ("psql 'postgresql://app:hidden@h/db'", "in front of postgresql://, perhaps a quote"),
        ("postgresql://app:hidden@h:port/db", "a port is not a number from 1 to 65535"),
        ("postgresql://app:hidden@h/db?nosuch", "the database URL cannot be used"),
        ("postgresql://app:hidden@h/db?sslmode=hidden", "sslmode must be one of: disable, allow"),
        ("postgresql://app:hidden@ep-a-b.eu.neon.tech/db?sslmode=prefer", "which Neon refuses"),
    ],
)
def test_what_is_wrong_with_the_url_is_said_in_one_sentence_and_status_2(
    postgres, workspace, given, said
):
    pooler = Pooler.from_url(workspace, postgres, given or "")
    if given is None:
        del pooler.environment["DATABASE_URL"]
    status, output = leaves(pooler)
    assert status == 2
    assert said in output
    assert output.count("\n") == 1
    assert "hidden" not in output


def test_blanks_around_the_url_do_not_count(postgres, workspace):
    pooler = Pooler.from_url(workspace, postgres, f" {url(postgres)}\n")
    status, output = leaves(pooler, "--print-url")
    assert status == 0
    assert output.rstrip("\n").endswith("/app")


def test_pages_that_could_not_be_had_are_not_promised(postgres, workspace):
    pooler = Pooler.from_url(workspace, postgres, url(postgres))
    port = int(pooler.environment["PGBALLAST_HTTP_PORT"])
    with socket.create_server(("127.0.0.1", port)):
        pooler.start()
        try:
            wait_until(lambda: "process up" in pooler.log(), "it is up")
        finally:
            pooler.stop()
    assert "going on without health and metrics" in pooler.log()
    assert "health: http" not in pooler.log()


@pytest.mark.parametrize(
    "options, said", [(["--nosuch"], "unknown option"), (["--set"], "an option lacks its value")]
)
def test_a_wrong_call_is_said(postgres, workspace, options, said):
    pooler = Pooler.from_url(workspace, postgres, url(postgres))
    status, output = leaves(pooler, *options)
    assert status == 1
    assert said in output


def test_asking_for_a_certificate_that_is_not_made_says_why_there_is_none(postgres, workspace):
    pooler = Pooler.from_url(
        workspace, postgres, url(postgres), PGBALLAST_CLIENT_TLS_SSLMODE="disable"
    )
    status, output = leaves(pooler, "--print-ca")
    assert status == 1
    assert "client_tls_sslmode" in output


@pytest.mark.parametrize("port", ["80", "1023", "65536", "abc", "8000.5", "-1"])
def test_an_api_port_that_cannot_be_is_an_error_and_no_start(postgres, workspace, port):
    pooler = Pooler.from_url(workspace, postgres, url(postgres), API_PORT=port)
    status, output = leaves(pooler)
    assert status == 2
    assert f'API_PORT must be a port from 1024 to 65535, not "{port}"' in output


def test_names_that_a_stack_has_already_are_understood(postgres, workspace):
    pooler = Pooler.from_url(
        workspace, postgres, url(postgres), DB_POOL_MIN="2", DB_POOL_MAX="7", DB_POOL_RECYCLE="1800",
        DB_CONNECT_TIMEOUT="4", DB_QUERY_TIMEOUT="60", API_PORT="8001", DEBUG="true",
    )
    del pooler.environment["PGBALLAST_HTTP_PORT"]
    found = settings(pooler)
    wanted = {
        "min_pool_size": ("2", "DB_POOL_MIN"), "default_pool_size": ("7", "DB_POOL_MAX"),
        "max_server_connections": ("7", "DB_POOL_MAX"), "server_lifetime": ("1800", "DB_POOL_RECYCLE"),
        "server_connect_timeout": ("4", "DB_CONNECT_TIMEOUT"),
        "query_timeout": ("60", "DB_QUERY_TIMEOUT"), "http_port": ("8001", "API_PORT"),
        "log_statements": ("1", "DEBUG"),
    }
    for name, (value, variable) in wanted.items():
        assert found[name] == (value, f"environment {variable}")


def test_the_command_line_wins_over_the_environment_and_that_over_the_env_file(
    postgres, workspace
):
    pooler = Pooler.from_url(
        workspace, postgres, url(postgres), PGBALLAST_QUERY_TIMEOUT="20", PGBALLAST_WORKERS="2"
    )
    file = pooler.directory / "app.env"
    file.write_text(
        "export PGBALLAST_WORKERS=1\nPGBALLAST_QUERY_TIMEOUT='10'\n# no more\n"
        'PGBALLAST_MIN_POOL_SIZE="3" # said\nAPI_PORT=80\n'
    )
    process.give(file)
    found = settings(pooler, "--env-file", str(file), "--set", "workers=3")
    assert found["workers"] == ("3", "command line")
    assert found["query_timeout"] == ("20", "environment PGBALLAST_QUERY_TIMEOUT")
    assert found["min_pool_size"] == ("3", f"{file}:4")
    # The application's own port: nothing is said about it, wrong as it would be here.
    assert found["http_port"] == (pooler.environment["PGBALLAST_HTTP_PORT"],
                                  "environment PGBALLAST_HTTP_PORT")


def test_errors_in_an_env_file_are_named_with_their_line(postgres, workspace):
    pooler = Pooler.from_url(workspace, postgres, url(postgres))
    file = pooler.directory / "app.env"
    file.write_text("A=1\nthis is not a variable\nB='no end\n")
    process.give(file)
    status, output = leaves(pooler, "--env-file", str(file))
    assert status == 2
    assert f"{file}:2: expected NAME=value" in output
    assert f"{file}:3: the quoted value has no end" in output


def test_the_url_and_the_password_can_stand_in_files(postgres, workspace):
    pooler = Pooler.from_url(workspace, postgres, "")
    del pooler.environment["DATABASE_URL"]
    secrets = {"DATABASE_URL_FILE": url(postgres).replace(":app%20secret", ""),
               "PGPASSWORD_FILE": "app secret"}
    for name, text in secrets.items():
        path = pooler.directory / name
        path.write_text(text + "\n")
        process.give(path)
        pooler.environment[name] = str(path)
    pooler.start()
    try:
        with pooler.login() as client:
            assert client.query("SELECT 1") == [["1"]]
    finally:
        pooler.stop()
    assert "secret" not in pooler.log()


def test_debug_logs_statements(postgres, start_from_url):
    pooler = start_from_url(postgres, url(postgres), DEBUG="true")
    with pooler.login() as client:
        client.query("SELECT 'seen in the log'")
    wait_until(lambda: "statement: SELECT 'seen in the log'" in pooler.log(), "it is there")


@pytest.mark.parametrize("word", ["", "false", "0", "app:*"])
def test_other_values_of_debug_do_not(postgres, workspace, word):
    pooler = Pooler.from_url(workspace, postgres, url(postgres), DEBUG=word)
    assert settings(pooler)["log_statements"] == ("0", "default")


def test_term_lets_work_end_and_a_second_one_does_not_wait(postgres, start_from_url):
    pooler = start_from_url(postgres, url(postgres))
    with pooler.login() as busy, pooler.login() as idle:
        busy.query("BEGIN")
        os.kill(pooler.process.pid, signal.SIGTERM)
        wait_until(lambda: not process.accepts_connections(pooler.port), "the port is closed")
        assert busy.query("SELECT 'still served'") == [["still served"]]
        busy.query("COMMIT")
        assert idle.query("SELECT 'so is this'") == [["so is this"]]
        os.kill(pooler.process.pid, signal.SIGTERM)
        assert pooler.process.wait(timeout=10) == 0
        busy.send(wire.query("SELECT 1"))
        with pytest.raises((Disconnected, OSError)):
            busy.rows()
    assert "got SIGTERM while shutting down, fast exit" in pooler.log()
