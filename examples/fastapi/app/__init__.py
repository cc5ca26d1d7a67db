# SPDX-License-Identifier: PostgreSQL
"""A small stock keeper: FastAPI, SQLModel and PostgreSQL behind a connection pooler."""
