# SPDX-License-Identifier: PostgreSQL
"""The application: /usr/bin/python3 -m uvicorn app.main:app"""

from fastapi import FastAPI

from . import health, items
from .database import engine
from .startup import prepare_database

# From FastAPI 0.93 on, a `lifespan` function does what these two do.
app = FastAPI(title="stock", on_startup=[prepare_database], on_shutdown=[engine.dispose])
app.include_router(health.router)
app.include_router(items.router)
