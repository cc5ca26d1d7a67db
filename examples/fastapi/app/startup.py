# SPDX-License-Identifier: PostgreSQL
"""Before the first request: migrate, check that the schema is what the models say, seed.

Several workers may start at the same time; migrations/env.py lets one migrate while the others wait.
"""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import SQLModel

from .database import engine, session_scope
from .models import Item

ALEMBIC_INI = Path(__file__).resolve().parent.parent / "alembic.ini"
SEED = [{"name": "apple", "stock": 1000}, {"name": "pear", "stock": 1000}]


class SchemaMismatch(RuntimeError):
    """The database is not what the models expect."""


def migrate():
    with engine.connect() as connection:
        config = Config(str(ALEMBIC_INI))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check_schema(metadata=SQLModel.metadata):
    """A table or column that a migration forgot is found here, not by a user."""
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    if differences:
        raise SchemaMismatch("\n".join(str(difference) for difference in differences))


def seed():
    """Rows that have to be there. Doing it again, or twice at a time, changes nothing."""
    with session_scope() as session:
        session.execute(insert(Item).values(SEED).on_conflict_do_nothing(index_elements=["name"]))


def prepare_database():
    migrate()
    check_schema()
    seed()
