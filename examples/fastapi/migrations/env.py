# SPDX-License-Identifier: PostgreSQL
"""How Alembic reaches the database: by the application's engine, or a connection handed to it."""

from alembic import context
from sqlalchemy import text
from sqlmodel import SQLModel

from app import models  # noqa: F401  (fills the metadata)
from app.database import engine

# Any number that nothing else in this database locks.
MIGRATION_LOCK = 6432


def run(connection):
    context.configure(connection=connection, target_metadata=SQLModel.metadata, compare_type=True)
    with context.begin_transaction():
        # Of the transaction, not of the session: the pooler may give each transaction another one.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("these migrations run against a database, without --sql")
handed_over = context.config.attributes.get("connection")
if handed_over is not None:
    run(handed_over)
else:
    with engine.connect() as own:
        run(own)
