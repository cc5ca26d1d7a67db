# SPDX-License-Identifier: PostgreSQL
"""Health, metrics and status over HTTP: what they say, and what nobody can do to them."""

import http.client
import json
import re
import selectors
import socket
import struct
import time
from contextlib import ExitStack, closing

import psycopg2
import pytest

from support import process, wire
from support.pooler import Pooler, is_sanitized
from support.waiting import wait_until

PAGES = {
    "/": "text/html; charset=utf-8",
    "/health": "application/json",
    "/livez": "text/plain; charset=utf-8",
    "/readyz": "text/plain; charset=utf-8",
    "/health/db": "application/json",
    "/pools": "application/json",
    "/events": "application/json",
    "/metrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}
PAGE_AGE_S = 0.2
CONNECTIONS_MAX = 64
# Those that are ended and not closed yet.
CONNECTIONS_SLACK = 100
PATIENCE_S = 10
# Without a sanitizer these bounds hold with room to spare.
MEMORY_KIB = 32 * 1024


class Web:
    """The HTTP server of one pooler."""

    def __init__(self, pooler, port):
        self.pooler = pooler
        self.port = port
        wait_until(lambda: process.accepts_connections(port), "the HTTP port listens")

    def ask(self, path, method="GET"):
        """(response, body), on a connection of its own."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(method, path)
            response = connection.getresponse()
            return response, response.read()

    def status(self, path):
        return self.ask(path)[0].status

    def json(self, path):
        return json.loads(self.ask(path)[1])

    def pool(self, database="app", user="app"):
        for row in self.json("/pools")["pools"]:
            if (row["database"], row["user"]) == (database, user):
                return row
        return None

    def metric(self, name, **labels):
        """The value of one sample."""
        wanted = "".join(f'(?=[^}}]*{label}="{value}")' for label, value in labels.items())
        pattern = rf"^{name}{{{wanted}[^}}]*}} ([0-9.]+)$"
        found = re.findall(pattern, self.ask("/metrics")[1].decode(), re.MULTILINE)
        assert len(found) == 1, f"{name} {labels}: {found}"
        return float(found[0])

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


@pytest.fixture
def start_web(start_pooler):
    def start(upstream, **settings):
        port = process.free_port()
        return Web(start_pooler(upstream, http_port=port, **settings), port)

    return start


@pytest.fixture
def web(postgres, start_web):
    return start_web(postgres)


def use_database(web):
    with closing(web.pooler.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def fail_to_use_database(web):
    with pytest.raises(psycopg2.Error):
        use_database(web)


# What the pages say


def test_a_page_has_its_type_and_its_length(web):
    for path, content_type in PAGES.items():
        response, body = web.ask(path)
        assert response.status == 200
        assert response.getheader("Content-Type") == content_type
        assert int(response.getheader("Content-Length")) == len(body) > 0
        assert response.getheader("Cache-Control") == "no-store"


def test_head_has_the_headers_of_get_and_no_body(web):
    for path, content_type in PAGES.items():
        with closing(web.connect()) as connection:
            request = f"HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode())
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        head, body = answer.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert f"Content-Type: {content_type}".encode() in head
        assert int(re.search(rb"Content-Length: (\d+)", head).group(1)) > 0
        assert body == b""


def test_requests_share_a_connection(web):
    with closing(http.client.HTTPConnection("127.0.0.1", web.port, timeout=10)) as connection:
        connection.connect()
        kept = connection.sock
        for method, path, status in (
            ("GET", "/health", 200),
            ("HEAD", "/metrics", 200),
            ("GET", "/nowhere", 404),
            ("POST", "/health", 405),
            ("GET", "/pools", 200),
        ):
            connection.request(method, path)
            response = connection.getresponse()
            response.read()
            assert response.status == status
            assert connection.sock is kept


def test_another_path_is_404(web):
    for path in ("/nowhere", "/health/", "/healthy", "//", "/metrics/../pools", "/%68ealth"):
        assert web.status(path) == 404
    assert web.status("/health?verbose=1") == 200


def test_another_method_is_405_and_says_which_are_allowed(web):
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        response, _ = web.ask("/health", method=method)
        assert response.status == 405
        assert response.getheader("Allow") == "GET, HEAD"
    assert web.ask("/health", method="BREW")[0].status == 501


def test_a_database_that_was_never_used_is_healthy_and_stays_untouched(postgres, web):
    for path in PAGES:
        assert web.status(path) == 200
    health = web.json("/health/db")
    assert (health["status"], health["database"]) == ("healthy", "never contacted")
    wait_until(lambda: postgres.backends() == [], "none but those of a test before")


def test_a_database_in_use_is_connected(postgres, web):
    use_database(web)
    wait_until(lambda: web.json("/health/db")["database"] == "connected", "it is known")
    health = web.json("/health/db")
    assert health["status"] == "healthy" and health["error"] is None
    (target,) = health["targets"]
    assert (target["host"], target["port"]) == (postgres.host, postgres.port)
    assert (target["state"], target["breaker"]) == ("awake", "closed")


def test_a_database_out_of_reach_is_503_with_the_reason_at_once(postgres, start_web):
    line = f"host=127.0.0.1 port={process.free_port()} dbname=app"
    web = start_web(postgres, databases={"app": line}, query_wait_timeout=2)
    fail_to_use_database(web)
    wait_until(lambda: web.status("/health/db") == 503, "the failure is known")
    begun = time.monotonic()
    health = web.json("/health/db")
    assert time.monotonic() - begun < 2
    assert (health["status"], health["database"]) == ("unhealthy", "unreachable")
    assert "refused" in health["error"]
    assert web.status("/health") == web.status("/livez") == web.status("/readyz") == 200


def test_a_database_that_lets_nobody_in_is_503_with_the_reason(postgres, start_web):
    line = f"host={postgres.host} port={postgres.port} dbname=nowhere"
    web = start_web(postgres, databases={"app": line})
    fail_to_use_database(web)
    wait_until(lambda: web.status("/health/db") == 503, "the refusal is known")
    health = web.json("/health/db")
    assert health["database"] == "refused"
    assert 'database "nowhere" does not exist' in health["error"]


def test_pools_count_what_is_out_in_and_queued(postgres, start_web):
    web = start_web(postgres, default_pool_size=2)
    with ExitStack() as stack:
        clients = [stack.enter_context(web.pooler.login()) for _ in range(3)]
        for client in clients[:2]:
            client.query("BEGIN")
        clients[2].send(wire.query("SELECT 1"))
        wait_until(lambda: web.pool()["queue"] == 1, "one client waits")
        row = web.pool()
        assert (row["size"], row["checked_out"], row["checked_in"]) == (2, 2, 0)
        assert row["clients"] == 3
        labels = {"database": "app", "user": "app"}
        assert web.metric("pgballast_pool_clients_waiting", **labels) == 1
        assert web.metric("pgballast_pool_servers", state="active", **labels) == 2
        clients[0].query("ROLLBACK")
        clients[2].read_reply()
        wait_until(lambda: web.pool()["queue"] == 0, "nobody waits")
    wait_until(lambda: web.pool()["clients"] == 0, "all have left")


def test_metrics_agree_with_the_console(web):
    for _ in range(5):
        use_database(web)
    wait_until(lambda: web.pool()["clients"] == 0, "all have left")
    time.sleep(PAGE_AGE_S)
    (row,) = [r for r in web.pooler.console("SHOW STATS_TOTALS") if r["database"] == "app"]
    labels = {"database": "app", "user": "app"}
    for metric, column in (
        ("queries", "query_count"),
        ("transactions", "xact_count"),
        ("received_bytes", "bytes_received"),
        ("sent_bytes", "bytes_sent"),
        ("server_assignments", "server_assignment_count"),
    ):
        assert web.metric(f"pgballast_{metric}_total", **labels) == row[column] > 0
    assert web.metric("pgballast_client_logins_total", **labels) == 5


def test_names_of_databases_cannot_break_a_page(postgres, start_web):
    web = start_web(postgres, databases={"*": f"host={postgres.host} port={postgres.port}"})
    names = ['"quoted"', "back\\slash", "</script>", "lines\n# EOF\n# EOF"]
    for name in names:
        with web.pooler.wire() as client, pytest.raises(wire.ServerError):
            client.login("app", web.pooler.users["app"], name)
    time.sleep(PAGE_AGE_S)
    assert {row["database"] for row in web.json("/pools")["pools"]} == set(names)
    page = web.ask("/metrics")[1].decode()
    assert 'database="\\"quoted\\"",' in page
    assert 'database="back\\\\slash",' in page
    assert page.count("\n# EOF") == 1 and page.endswith("\n# EOF\n")


# How it starts and ends


def test_readyz_is_503_while_the_program_drains(web):
    with web.pooler.login() as client:
        web.pooler.console("SHUTDOWN WAIT_FOR_CLIENTS")
        wait_until(lambda: web.status("/readyz") == 503, "it says that it drains")
        assert web.status("/health") == web.status("/livez") == 200
        client.query("SELECT 1")
        client.terminate()
    assert web.pooler.process.wait(timeout=20) == 0


def test_a_taken_port_ends_the_ini_profile_and_names_the_address(postgres, workspace):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        pooler = Pooler(workspace, postgres, http_port=port)
        pooler.process = process.start(
            pooler.command, pooler.log_path, cwd=pooler.directory, env=pooler.environment
        )
        try:
            assert pooler.process.wait(timeout=20) == 1
        finally:
            process.kill_group(pooler.process)
    address = f"127.0.0.1:{port} for HTTP"
    assert f"could not listen on {address}: Address already in use" in pooler.log()


def test_a_taken_port_is_a_warning_in_the_url_profile(postgres, workspace):
    url = f"postgresql://app:app%20secret@{postgres.host}:{postgres.port}/app?sslmode=require"
    pooler = Pooler.from_url(workspace, postgres, url)
    port = int(pooler.environment["PGBALLAST_HTTP_PORT"])
    with socket.create_server(("127.0.0.1", port)):
        pooler.start()
        wait_until(lambda: f"127.0.0.1:{port} for HTTP" in pooler.log(), "it is told")
        assert pooler.is_running()
        pooler.stop()


# Abuse: it is bounded, and clients do not notice


def test_a_huge_header_is_refused_before_it_is_read_whole(web):
    before = web.pooler.status("VmRSS")
    sent, enough = 0, 64 * 1024 * 1024
    with closing(web.connect()) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nCookie: ")
        with pytest.raises(OSError):
            while sent < enough:
                sent += connection.send(b"x" * 65536)
    assert sent < enough
    assert is_sanitized() or web.pooler.status("VmRSS") - before < MEMORY_KIB
    assert web.status("/health") == 200


def test_many_small_headers_count_together(web):
    lines = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 100) for i in range(90))
    with closing(web.connect()) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n")
        answer = connection.recv(65536)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


def test_a_large_body_is_not_read(web):
    with closing(web.connect()) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_one_byte_now_and_then_does_not_keep_a_connection(web):
    begun = time.monotonic()
    request = b"GET /health HTTP/1.1\r\nHost: " + b"x" * 1000
    with closing(web.connect()) as connection:
        connection.settimeout(0.5)
        with pytest.raises((ConnectionError, EOFError)):
            for i in range(4 * PATIENCE_S):
                connection.send(request[i : i + 1])
                try:
                    if connection.recv(100) == b"":
                        raise EOFError
                except TimeoutError:
                    pass
    assert PATIENCE_S - 1 < time.monotonic() - begun < PATIENCE_S + 4


def test_a_thousand_connections_are_bounded_and_nobody_else_notices(web):
    use_database(web)
    before = web.pooler.descriptors()
    with ExitStack() as stack, web.pooler.login() as client:
        hoard = []
        for i in range(1000):
            hoard.append(stack.enter_context(closing(web.connect())))
            hoard[-1].sendall(b"GET /hea")
            if i % 100 == 50:
                begun = time.monotonic()
                client.query("SELECT 1")
                assert web.status("/health") == 200
                assert time.monotonic() - begun < 2
                assert web.pooler.descriptors() - before < CONNECTIONS_MAX + CONNECTIONS_SLACK
        selector = stack.enter_context(selectors.DefaultSelector())
        for connection in hoard:
            selector.register(connection, selectors.EVENT_READ)
        wait_until(
            lambda: len(selector.select(0)) >= len(hoard) - CONNECTIONS_MAX,
            "all but the newest are ended",
        )
        assert web.status("/metrics") == 200
    wait_until(lambda: web.pooler.descriptors() <= before + 1, "all are closed")


def test_pages_that_nobody_reads_do_not_pile_up(web):
    before = web.pooler.status("VmRSS")
    with ExitStack() as stack:
        for _ in range(CONNECTIONS_MAX):
            connection = stack.enter_context(closing(web.connect()))
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        assert web.status("/health") == 200
        assert is_sanitized() or web.pooler.status("VmRSS") - before < MEMORY_KIB


def test_connections_that_are_reset_are_forgotten(web):
    before = web.pooler.descriptors()
    for _ in range(20):
        connection = web.connect()
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    wait_until(lambda: web.pooler.descriptors() <= before, "all are closed")
    assert web.status("/health") == 200
