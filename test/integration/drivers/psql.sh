#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# psql. Version 15 has no prepared statements of the protocol.
set -euo pipefail

value() {
    psql -X -A -t -q -v ON_ERROR_STOP=1 -v VERBOSITY=sqlstate -c "$1" "$DATABASE_URL"
}

expect() {
    [ "$1" = "$2" ] || { printf 'not "%s" but "%s"\n' "$1" "$2" >&2; exit 1; }
}

expect app "$(value 'SELECT current_user')"
echo connect

expect '0
1' "$(psql -X -A -t -q -v ON_ERROR_STOP=1 "$DATABASE_URL" <<'SQL'
BEGIN;
INSERT INTO driver_rows VALUES ('psql', 1);
ROLLBACK;
SELECT count(*) FROM driver_rows WHERE driver = 'psql';
BEGIN;
INSERT INTO driver_rows VALUES ('psql', 1);
COMMIT;
SELECT count(*) FROM driver_rows WHERE driver = 'psql';
SQL
)"
echo rollback

expect 'ERROR:  22012
1' "$(psql -X -A -t -q -v VERBOSITY=sqlstate "$DATABASE_URL" 2>&1 <<'SQL'
SELECT 1/0;
SELECT 1;
SQL
)"
echo error

# SIGINT sends a cancel request. psql waits for its effect and leaves.
expect 'Cancel request sent
ERROR:  57014' "$(timeout --foreground -s INT 1.5 psql -X -A -t -q -v VERBOSITY=sqlstate \
    -c 'SELECT pg_sleep(60)' "$DATABASE_URL" 2>&1 || true)"
echo cancel

for number in {1..20}; do
    for _ in {1..10}; do
        printf 'BEGIN;\nSELECT %d;\nCOMMIT;\n' "$number"
    done | psql -X -A -t -q -v ON_ERROR_STOP=1 "$DATABASE_URL" | uniq -c | tr -s ' ' &
done | sort -n -k 2 | while read -r times _; do
    expect 10 "$times"
done
echo crowd
