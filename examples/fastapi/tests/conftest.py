# SPDX-License-Identifier: PostgreSQL
"""The tests use the database of DATABASE_URL and remove the items that they make."""

import uuid

import pytest
from fastapi.testclient import TestClient

from app.main import app


@pytest.fixture(scope="session")
def client():
    # As a context manager it runs what the application does at start and at shutdown.
    with TestClient(app) as client:
        yield client


@pytest.fixture
def make_item(client):
    """make_item(stock=…): a new item as the API shows it."""
    made = []

    def make(stock=10):
        answer = client.post("/items", json={"name": f"test {uuid.uuid4()}", "stock": stock})
        assert answer.status_code == 201, answer.text
        made.append(answer.json())
        return made[-1]

    yield make
    for item in made:
        client.delete(f"/items/{item['id']}/orders")
        client.delete(f"/items/{item['id']}")
