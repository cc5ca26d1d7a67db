# SPDX-License-Identifier: PostgreSQL
"""Is the process alive, is its database, and how full is the pool."""

import asyncio
import logging

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from . import database

log = logging.getLogger("uvicorn.error")
router = APIRouter()

# Whoever asks has a deadline of its own, usually a few seconds.
ANSWER_WITHIN_S = 2


@router.get("/health")
async def health():
    return {"status": "ok"}


@router.get("/health/db")
async def database_health():
    """503 by status, since that is what load balancers look at.

    The reason is in the log only: error texts of drivers name hosts and users.
    """
    try:
        await asyncio.wait_for(asyncio.to_thread(database.ping), ANSWER_WITHIN_S)
    except asyncio.TimeoutError:
        log.warning("the database does not answer within %d s", ANSWER_WITHIN_S)
    except Exception as error:
        log.warning("the database does not answer: %s", error)
    else:
        return {"status": "ok", "database": "connected"}
    return JSONResponse({"status": "error", "database": "unavailable"}, status_code=503)


@router.get("/admin/db/pool-stats")
async def pool_stats():
    """Counts only. Before more is added under /admin, give it a dependency that asks who calls."""
    return database.pool_stats()
