# shellcheck shell=bash
# SPDX-License-Identifier: PostgreSQL
#
# What the scripts in dev/ share. Sourced, never run; expects `set -euo pipefail`.

# The root of the tree, whatever directory the script was called from.
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Debian's own interpreter: the test packages are installed for this one, not for another in PATH.
# shellcheck disable=SC2034
PYTHON=${PYTHON:-/usr/bin/python3}

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "${0##*/}: $*"
    exit 1
}

# The account that PostgreSQL and pgballast run under: neither is run as root.
service_user() {
    if [ "$(id -u)" -ne 0 ]; then
        id -un
    elif id postgres >/dev/null 2>&1; then
        echo postgres
    else
        echo nobody
    fi
}

# The words, one a line, to put in front of a command for it to run under service_user; none when that
# is who runs this. In front of a command in the background, $! is the command's own process.
service_prefix() {
    local user
    [ "$(id -u)" -eq 0 ] || return 0
    user=$(service_user)
    printf '%s\n' setpriv "--reuid=$user" "--regid=$(id -g "$user")" --init-groups --
}

# as_service COMMAND [ARGUMENT...]: the command under service_user, environment kept. It keeps the
# current directory too, so call it from one that the account may enter.
as_service() {
    local prefix
    mapfile -t prefix < <(service_prefix)
    "${prefix[@]}" "$@"
}

# A new private directory of service_user, outside the tree: the account need not be able to read it.
service_directory() {
    local dir
    dir=$(mktemp -d "${TMPDIR:-/tmp}/pgballast-$1.XXXXXX")
    if [ "$(id -u)" -eq 0 ]; then
        chown "$(service_user)" "$dir"
    fi
    echo "$dir"
}

# The directory of PostgreSQL's server programs; Debian keeps them out of PATH.
postgres_bindir() {
    local bindir
    bindir=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null |
        sort -V | tail -n 1)
    [ -n "$bindir" ] || return 1
    echo "$bindir"
}

# is_port_taken PORT: whether something listens there on the loopback.
is_port_taken() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# A loopback port that is free now, below the range that the kernel hands out by itself.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        is_port_taken "$port" || break
    done
    echo "$port"
}

# wait_until SECONDS COMMAND...: until the command succeeds; fails when the time is over.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

# build_dir FLAVOUR: where dev/build puts it.
build_dir() {
    case $1 in
        gcc) echo "$TOP/build" ;;
        *) echo "$TOP/build-$1" ;;
    esac
}
