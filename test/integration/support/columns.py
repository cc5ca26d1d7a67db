# SPDX-License-Identifier: PostgreSQL
"""What each SHOW answers with, name and type in order, as PgBouncer documents and sends it.

Types: t text, i int4, q int8, N numeric, b bytea.
"""

OIDS = {"t": 25, "i": 23, "q": 20, "N": 1700, "b": 17}
SIZES = {25: -1, 23: 4, 20: 8, 1700: -1, 17: -1}

SOCKET = (
    "type:t user:t database:t replication:t state:t addr:t port:i local_addr:t local_port:i "
    "connect_time:t request_time:t wait:i wait_us:i close_needed:i ptr:t link:t remote_pid:i tls:t "
    "application_name:t prepared_statements:i id:i"
)
BUFFERS = "recv_pos:i pkt_pos:i pkt_remain:i send_pos:i send_remain:i pkt_avail:i send_avail:i"

COLUMNS = {
    "CLIENTS": SOCKET,
    "SERVERS": SOCKET,
    "SOCKETS": f"{SOCKET} {BUFFERS}",
    "ACTIVE_SOCKETS": f"{SOCKET} {BUFFERS}",
    "POOLS": (
        "database:t user:t cl_active:i cl_waiting:i cl_active_cancel_req:i cl_waiting_cancel_req:i "
        "sv_active:i sv_active_cancel:i sv_being_canceled:i sv_idle:i sv_used:i sv_tested:i "
        "sv_login:i maxwait:i maxwait_us:i pool_mode:t load_balance_hosts:t"
    ),
    "DATABASES": (
        "name:t host:t port:i database:t force_user:t pool_size:i min_pool_size:i "
        "reserve_pool_size:i server_lifetime:i pool_mode:t load_balance_hosts:t max_connections:i "
        "current_connections:i max_client_connections:i current_client_connections:i paused:i "
        "disabled:i"
    ),
    "USERS": (
        "name:t pool_size:t reserve_pool_size:t pool_mode:t max_user_connections:i "
        "current_connections:i max_user_client_connections:i current_client_connections:i"
    ),
    "STATS": (
        "database:t total_server_assignment_count:N total_xact_count:N total_query_count:N "
        "total_received:N total_sent:N total_xact_time:N total_query_time:N total_wait_time:N "
        "total_client_parse_count:N total_server_parse_count:N total_bind_count:N "
        "total_client_login_count:N avg_server_assignment_count:N avg_xact_count:N "
        "avg_query_count:N avg_recv:N avg_sent:N avg_xact_time:N avg_query_time:N avg_wait_time:N "
        "avg_client_parse_count:N avg_server_parse_count:N avg_bind_count:N "
        "avg_client_login_count:N"
    ),
    "STATS_TOTALS": (
        "database:t server_assignment_count:N xact_count:N query_count:N bytes_received:N "
        "bytes_sent:N xact_time:N query_time:N wait_time:N client_parse_count:N "
        "server_parse_count:N bind_count:N client_login_count:N"
    ),
    "STATS_AVERAGES": (
        "database:t server_assignment_count:N xact_count:N query_count:N bytes_received:N "
        "bytes_sent:N xact_time:N query_time:N wait_time:N avg_client_parse_count:N "
        "avg_server_parse_count:N avg_bind_count:N avg_client_login_count:N"
    ),
    "TOTALS": "name:t value:N",
    "LISTS": "list:t items:i",
    "STATE": "key:t value:t",
    "MEM": "name:t size:i used:i free:i memtotal:i",
    "PEERS": "peer_id:i host:t port:i pool_size:i",
    "PEER_POOLS": (
        "peer_id:i cl_active_cancel_req:i cl_waiting_cancel_req:i sv_active_cancel:i sv_login:i"
    ),
    "DNS_HOSTS": "hostname:t ttl:q addrs:t",
    "DNS_ZONES": "zonename:t serial:q count:i",
    "FDS": (
        "fd:i task:t user:t database:t addr:t port:i cancel:q link:i client_encoding:t std_strings:t "
        "datestyle:t timezone:t password:t scram_client_key:b scram_server_key:b"
    ),
    "VERSION": "version:t",
    "client_encoding": "client_encoding:t",
    "default_transaction_isolation": "default_transaction_isolation:t",
    "standard_conforming_strings": "standard_conforming_strings:t",
    "datestyle": "datestyle:t",
    "timezone": "timezone:t",
    "CONFIG": "key:t value:t default:t changeable:t",
    # Ours.
    "SETTINGS": "key:t value:t default:t changeable:t origin:t",
    "TARGETS": (
        "host:t port:i state:t breaker:t connecting:i failures:i wakes:q last_sqlstate:t "
        "last_error:t next_try_ms:q"
    ),
    "EVENTS": "id:q time:t severity:t message:t",
    "ERRORS": "id:q time:t severity:t message:t",
    "LATENCY": (
        "database:t user:t what:t count:q mean_us:q p50_us:q p90_us:q p95_us:q p99_us:q p999_us:q "
        "max_us:q"
    ),
    "HEALTH": "name:t status:t detail:t",
}


def columns_of(what):
    """[(name, type oid), …] of one SHOW."""
    pairs = (word.rsplit(":", 1) for word in COLUMNS[what].split())
    return [(name, OIDS[letter]) for name, letter in pairs]
