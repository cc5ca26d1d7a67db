# SPDX-License-Identifier: PostgreSQL
import pytest
from sqlmodel import select

from app.database import SessionLocal, session_scope
from app.models import Item

NOBODY = 2**31 - 1


def test_an_item_is_created_read_changed_and_deleted(client, make_item):
    item = make_item(stock=3)
    path = f"/items/{item['id']}"
    assert client.get(path).json() == item
    changed = client.patch(path, json={"stock": 4})
    assert changed.json() == {**item, "stock": 4}
    assert changed.json() in client.get("/items").json()
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "method, path, body",
    [
        ("GET", f"/items/{NOBODY}", None),
        ("PATCH", f"/items/{NOBODY}", {"stock": 1}),
        ("DELETE", f"/items/{NOBODY}", None),
        ("GET", f"/items/{NOBODY}/orders", None),
        ("POST", f"/items/{NOBODY}/orders", {"quantity": 1}),
    ],
)
def test_what_does_not_exist_is_404(client, method, path, body):
    assert client.request(method, path, json=body).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x", "stock": -1},
        {"name": "x" * 101},
        {"name": "x", "stock": 2**31},
        {"name": "a\0b"},
    ],
)
def test_a_bad_item_is_422(client, body):
    assert client.post("/items", json=body).status_code == 422


def test_a_second_item_of_the_same_name_is_409(client, make_item):
    assert client.post("/items", json={"name": make_item()["name"]}).status_code == 409


def test_an_order_takes_from_the_stock(client, make_item):
    path = f"/items/{make_item(stock=5)['id']}"
    order = client.post(f"{path}/orders", json={"quantity": 2})
    assert order.status_code == 201
    assert client.get(path).json()["stock"] == 3
    assert client.get(f"{path}/orders").json() == [order.json()]
    assert client.delete(path).status_code == 409


def test_an_order_that_fails_half_way_leaves_nothing_behind(client, make_item):
    path = f"/items/{make_item(stock=5)['id']}"
    assert client.post(f"{path}/orders", json={"quantity": 6}).status_code == 409
    assert client.get(path).json()["stock"] == 5
    assert client.get(f"{path}/orders").json() == []


def test_a_session_scope_that_raises_rolls_back(client):
    with pytest.raises(ZeroDivisionError):
        with session_scope() as session:
            session.add(Item(name="never kept", stock=1))
            session.flush()
            1 / 0
    with SessionLocal() as session:
        assert session.exec(select(Item).where(Item.name == "never kept")).all() == []
