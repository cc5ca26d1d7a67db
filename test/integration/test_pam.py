# SPDX-License-Identifier: PostgreSQL
"""auth_type = pam against the real library. Its configuration is taken from a directory of ours, which
pam_wrapper arranges (/etc/pam.d is the machine's own), with pam_matrix for a file of passwords."""

import glob
import os
import sysconfig
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from support import process
from support.pooler import Pooler, is_sanitized

LIBRARIES = Path("/usr/lib") / sysconfig.get_config_var("MULTIARCH")
WRAPPER = LIBRARIES / "libpam_wrapper.so"
MATRIX = LIBRARIES / "pam_wrapper" / "pam_matrix.so"

pytestmark = pytest.mark.skipif(
    not (WRAPPER.exists() and MATRIX.exists()), reason="not installed: libpam-wrapper"
)

SECRET = "by module"


def preload():
    """A sanitizer wants to be the first library of all."""
    libraries = [str(WRAPPER)]
    if is_sanitized():
        found = glob.glob(f"/usr/lib/gcc/*/*/lib{os.environ['PGBALLAST_SANITIZER'][0]}san.so")
        libraries.insert(0, found[-1])
    return " ".join(libraries)


@pytest.fixture(scope="module")
def pam_directory(shared_postgres, workspace):
    shared_postgres.sql(f"CREATE ROLE pam_user LOGIN PASSWORD '{SECRET}'")
    directory = process.new_directory("pam", workspace)
    passwords = directory / "passwords"
    # Users, passwords, and the service that an account may use.
    passwords.write_text(
        f"pam_user:{SECRET}:pgbouncer\nadmin:{SECRET}:pgbouncer\nlocked:{SECRET}:elsewhere\n"
    )
    service = directory / "pgbouncer"
    service.write_text(
        f"auth required {MATRIX} passdb={passwords}\naccount required {MATRIX} passdb={passwords}\n"
    )
    for path in (passwords, service):
        process.give(path)
    yield directory
    shared_postgres.sql("DROP ROLE pam_user")


@pytest.fixture
def start(workspace, postgres, pam_directory):
    started = []

    def new(**settings):
        pooler = Pooler(workspace, postgres, **settings)
        pooler.environment.update(
            LD_PRELOAD=preload(), PAM_WRAPPER="1", PAM_WRAPPER_SERVICE_DIR=str(pam_directory)
        )
        # What pam_wrapper leaves behind in its own library is not ours.
        pooler.environment["ASAN_OPTIONS"] += ":detect_leaks=0"
        started.append(pooler)
        return pooler.start()

    yield new
    for pooler in started:
        pooler.stop()


def current_user(pooler, user="pam_user", password=SECRET):
    with closing(pooler.connect(user=user, password=password)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            return cursor.fetchone()[0]


def test_modules_judge_the_password_and_the_server_gets_the_same(start):
    pooler = start(auth_type="pam", admin_users="admin")
    assert current_user(pooler) == "pam_user"
    cases = {
        "pam_user": "wrong",
        "stranger": SECRET,
        "locked": SECRET,  # right, but his account is not for this service
    }
    for user, password in cases.items():
        with pytest.raises(psycopg2.OperationalError) as refused:
            current_user(pooler, user, password)
        assert f'PAM authentication failed for user "{user}"' in str(refused.value)
        assert 'PAM service "pgbouncer", ' in pooler.log()
    assert current_user(pooler) == "pam_user"
    with closing(pooler.connect(dbname="pgbouncer", user="admin", password=SECRET)) as console:
        console.autocommit = True
        with console.cursor() as cursor:
            cursor.execute("SHOW POOLS")
    assert SECRET not in pooler.log()


def test_a_rule_may_ask_pam(start, workspace):
    rules = process.new_directory("rules", workspace) / "hba"
    rules.write_text("host app pam_user all pam\nhost all all all scram-sha-256\n")
    process.give(rules)
    pooler = start(auth_type="hba", auth_hba_file=rules)
    assert current_user(pooler) == "pam_user"
    assert current_user(pooler, "app", "app secret") == "app"
