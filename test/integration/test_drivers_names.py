# SPDX-License-Identifier: PostgreSQL
"""Where nothing has to be followed, a driver's names of prepared statements reach the server as they are.

psycopg 3 counts anew in each connection, so that all of them use the same names.
"""

import psycopg
import pytest

NAMES = "SELECT name FROM pg_prepared_statements ORDER BY name"
OWN_NAMES = ["_pg3_0", "_pg3_1"]


def prepared_names(pooler):
    """The names that a session finds on its server after it has prepared two statements."""
    with psycopg.connect(**pooler.parameters(), autocommit=True) as connection:
        assert connection.execute("SELECT %s::int + 1", (1,), prepare=True).fetchone() == (2,)
        return [name for name, in connection.execute(NAMES, prepare=True)]


@pytest.mark.parametrize("settings", [{"pool_mode": "session"}, {"max_prepared_statements": 0}])
def test_names_are_the_driver_s_own_where_statements_are_not_followed(
    postgres, start_pooler, settings
):
    pooler = start_pooler(postgres, default_pool_size=1, **settings)
    assert prepared_names(pooler) == OWN_NAMES


def test_in_session_mode_the_next_session_may_use_the_same_names(postgres, start_pooler):
    pooler = start_pooler(postgres, default_pool_size=1, pool_mode="session")
    for _ in range(3):
        assert prepared_names(pooler) == OWN_NAMES
    assert len(postgres.backends("app")) == 1


def test_in_transaction_mode_no_two_sessions_meet_under_one_name(postgres, start_pooler):
    pooler = start_pooler(postgres, default_pool_size=1)
    for _ in range(2):
        assert not set(prepared_names(pooler)) & set(OWN_NAMES)
