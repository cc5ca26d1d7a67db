# SPDX-License-Identifier: PostgreSQL
"""Client certificates: what each client_tls_sslmode makes of them, and users that they prove."""

import subprocess

import psycopg2
import pytest

from support import process
from support.pooler import CONSOLE_USER, Pooler, own_certificate

RULES = """\
hostssl   second     all         all   trust
hostssl   all        app         all   cert
hostssl   all        mapped      all   cert map=names
hostnossl all        all         all   scram-sha-256
"""

MAPS = """\
names  app                   mapped
names  "Billing Department"  all
"""


def make_certificate(directory, name, common_name):
    """Signed by the authority of that directory; libpq wants the key to be ours alone."""
    script = process.SOURCE_ROOT / "dev" / "make-certs"
    subprocess.run([script, directory, name, common_name], check=True)


@pytest.fixture(scope="module")
def certificates(shared_postgres, workspace):
    """Connection parameters by the name in the certificate; "stranger" is of another authority."""
    elsewhere = process.new_directory("strangers", workspace)
    names = {"app": "app", "App": "upper", "Billing Department": "billing", "*": "star"}
    for common_name, file in names.items():
        make_certificate(shared_postgres.directory, file, common_name)
    make_certificate(elsewhere, "stranger", "app")
    paths = {name: shared_postgres.directory / file for name, file in names.items()}
    paths["stranger"] = elsewhere / "stranger"
    return {
        name: {"sslcert": f"{path}.crt", "sslkey": f"{path}.key"} for name, path in paths.items()
    }


def start(workspace, postgres, **settings):
    files = process.new_directory("rules", workspace)
    for name, text in (("hba", RULES), ("ident", MAPS)):
        (files / name).write_text(text)
        process.give(files / name)
    return Pooler(
        workspace, postgres, users={"mapped": "x"}, client_tls_ca_file=postgres.ca_file,
        auth_hba_file=files / "hba", auth_ident_file=files / "ident",
        databases={
            name: f"host={postgres.host} port={postgres.port} dbname=app user=app"
            " password='app secret'"
            for name in ("app", "second")
        },
        **own_certificate(postgres), **settings,
    ).start()


@pytest.fixture(scope="module")
def by_rule(workspace, shared_postgres):
    pooler = start(workspace, shared_postgres, auth_type="hba", client_tls_sslmode="allow")
    yield pooler
    pooler.stop()


@pytest.fixture(scope="module")
def by_type(workspace, shared_postgres):
    pooler = start(workspace, shared_postgres, auth_type="cert", client_tls_sslmode="verify-full")
    yield pooler
    pooler.stop()


def enter(pooler, user="app", **parameters):
    """True, or what the refusal says."""
    # Without a password or certificate of its own accord.
    none = {"sslmode": "require", "password": "", "sslcert": "/nonexistent"}
    try:
        pooler.connect(user=user, **{**none, **parameters}).close()
    except psycopg2.OperationalError as refused:
        return str(refused)
    return True


REFUSED = 'certificate authentication failed for user "{}"'


@pytest.mark.parametrize("how", ["by_rule", "by_type"])
def test_the_common_name_is_the_user_exactly(request, certificates, how):
    pooler = request.getfixturevalue(how)
    assert enter(pooler, **certificates["app"]) is True
    for name in ("App", "*", "Billing Department"):
        assert REFUSED.format("app") in enter(pooler, **certificates[name])


def test_a_certificate_proves_no_other_user(by_type, certificates):
    assert REFUSED.format("other") in enter(by_type, "other", **certificates["app"])
    by_type.wait_for_log("closing because: certificate authentication failed")


def test_a_map_says_which_users_a_name_may_be(by_rule, certificates):
    assert enter(by_rule, "mapped", **certificates["app"]) is True
    assert enter(by_rule, "mapped", **certificates["Billing Department"]) is True
    assert REFUSED.format("mapped") in enter(by_rule, "mapped", **certificates["App"])
    by_rule.wait_for_log("ident map: names does not have a match")


def test_a_rule_that_wants_a_certificate_gets_one(by_rule):
    assert REFUSED.format("app") in enter(by_rule)
    assert enter(by_rule, dbname="second") is True


def test_without_tls_other_rules_count(by_rule):
    assert enter(by_rule, sslmode="disable", password="app secret") is True
    text = enter(by_rule, "other")
    assert 'no pg_hba.conf entry for host "127.0.0.1", user "other", database "app", SSL' in text


def test_a_certificate_of_another_authority_is_refused_where_none_is_needed(by_rule, certificates):
    assert "alert unknown ca" in enter(by_rule, dbname="second", **certificates["stranger"])
    by_rule.wait_for_log("certificate verify failed")


def test_verify_full_refuses_who_shows_none(by_type, certificates):
    assert "certificate required" in enter(by_type)
    assert "SSL required" in enter(by_type, sslmode="disable")
    assert "alert unknown ca" in enter(by_type, **certificates["stranger"])


def test_the_console_is_entered_by_certificate_too(by_type, certificates):
    assert "certificate authentication failed" in enter(
        by_type, CONSOLE_USER, dbname="pgbouncer", **certificates["app"]
    )
    assert "not allowed" in enter(by_type, dbname="pgbouncer", **certificates["app"])
