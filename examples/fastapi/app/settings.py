# SPDX-License-Identifier: PostgreSQL
"""What the environment says, read once. Times are seconds."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    database_url: str
    pool_min: int
    pool_max: int
    pool_recycle: int
    connect_timeout: int


def from_environment(environment=os.environ):
    url = environment.get("DATABASE_URL", "")
    # Some platforms hand out the short scheme, which SQLAlchemy does not know.
    if url.startswith("postgres://"):
        url = "postgresql://" + url[len("postgres://") :]
    if not url.startswith("postgresql://"):
        raise SystemExit("set DATABASE_URL=postgresql://user:password@host:port/database")
    return Settings(
        database_url=url,
        pool_min=int(environment.get("DB_POOL_MIN", 5)),
        # As many as Starlette has threads for endpoints: none of them waits for a connection. They
        # are connections to the pooler and cost the database nothing while they are idle.
        pool_max=int(environment.get("DB_POOL_MAX", 40)),
        pool_recycle=int(environment.get("DB_POOL_RECYCLE", 3600)),
        connect_timeout=int(environment.get("DB_CONNECT_TIMEOUT", 10)),
    )
