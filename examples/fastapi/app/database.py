# SPDX-License-Identifier: PostgreSQL
"""The engine, and the two ways to a session: `get_db` for endpoints, `session_scope` elsewhere."""

from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import QueuePool
from sqlmodel import Session, create_engine

from . import settings

configured = settings.from_environment()

engine = create_engine(
    configured.database_url,
    poolclass=QueuePool,
    pool_size=configured.pool_min,
    max_overflow=max(0, configured.pool_max - configured.pool_min),
    pool_recycle=configured.pool_recycle,
    # A connection that broke while it lay in the pool is replaced before a request meets it.
    pool_pre_ping=True,
    connect_args={"connect_timeout": configured.connect_timeout},
)

# Objects stay readable after commit, so that writing the response asks the database nothing more.
SessionLocal = sessionmaker(bind=engine, class_=Session, autoflush=False, expire_on_commit=False)


def get_db():
    """The session of one request; the endpoint says `with db.begin():`.

    It does not commit here: FastAPI may come back after the response is on its way, too late to tell
    the client that the commit failed. What an endpoint leaves open is rolled back.
    """
    session = SessionLocal()
    try:
        yield session
    except BaseException:
        session.rollback()
        raise
    finally:
        session.close()


@contextmanager
def session_scope():
    """A session that commits at the end of the block, and rolls back if the block raises."""
    session = SessionLocal()
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.close()


def ping():
    """Raise unless the database answers."""
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def pool_stats():
    pool = engine.pool
    return {
        "size": pool.size(),
        "max": configured.pool_max,
        "checked_in": pool.checkedin(),
        "checked_out": pool.checkedout(),
        # Negative while fewer than `size` have been opened.
        "overflow": pool.overflow(),
    }
