# SPDX-License-Identifier: PostgreSQL
"""No secret comes into the log, however much is logged and wherever it was said."""

from contextlib import suppress

import psycopg2

from support import wire
from support.wire import ServerError
from test_reload import change, hang_up

SECRETS = {
    "in auth_file": "hidden-in-auth-file",
    "of a line of [databases]": "hidden-in-databases",
    "in a broken line of [databases]": "hidden-in-a-broken-line",
    "in a broken line of auth_file": "hidden-in-a-broken-list",
    "that a client tried": "hidden-and-wrong",
    "of a setting": "hidden-in-a-setting",
    "set on the console": "hidden-in-set",
    "refused on the console": "hidden-in-a-refused-set",
    "in a statement": "hidden-in-a-statement",
    "in a prepared statement": "hidden-in-a-prepared-statement",
    "in options": "hidden-in-options",
}


def test_no_secret_is_logged(postgres, start_pooler):
    address = f"host={postgres.host} port={postgres.port}"
    s = SECRETS
    pooler = start_pooler(
        postgres, users={"app": "app secret", "hidden": s["in auth_file"]}, verbose=2,
        log_statements=1, auth_ldap_options=f'ldapbindpasswd={s["of a setting"]}',
        databases={
            "app": f"{address} dbname=app",
            "forced": f"{address} dbname=app user=app password={s['of a line of [databases]']}",
        },
    )
    for user, password, database in (("app", s["that a client tried"], "app"),
                                     ("hidden", s["in auth_file"], "app"),
                                     ("hidden", s["in auth_file"], "forced")):
        with pooler.wire() as client, suppress(ServerError):
            client.login(user, password, database, options="-c x.y=" + s["in options"])
    with pooler.login() as client, suppress(ServerError):
        client.query(f"ALTER ROLE app PASSWORD '{s['in a statement']}' VALID UNTIL 'never'")
        client.send(wire.parse(f"ALTER ROLE app PassWord '{s['in a prepared statement']}'"), wire.SYNC)
        client.rows()
    for value in (s["set on the console"], "x" * 300 + s["refused on the console"]):
        with suppress(psycopg2.Error):
            pooler.console(f"SET auth_ldap_options = 'ldapbindpasswd={value}'")
    change(pooler, "forced = ", f"broken = password='{s['in a broken line of [databases]']}\nforced = ")
    with (pooler.directory / "users.txt").open("a") as users:
        users.write(f'"broken" "{s["in a broken line of auth_file"]}\n')
    hang_up(pooler, "reload failed, nothing has changed")
    log = pooler.log()
    assert "statement: (not shown" in log and "login attempt: db=forced user=hidden" in log
    found = [where for where, secret in s.items() if secret in log]
    assert found == []
