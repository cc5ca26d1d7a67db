# SPDX-License-Identifier: PostgreSQL
import asyncio

import httpx

from app.main import app

REQUESTS = 120


def test_orders_at_the_same_time_are_all_served_and_all_counted(client, make_item):
    path = f"/items/{make_item(stock=REQUESTS)['id']}"

    async def order_at_once():
        async with httpx.AsyncClient(app=app, base_url="http://app", timeout=60) as requests:
            return await asyncio.gather(
                *(requests.post(f"{path}/orders", json={"quantity": 1}) for _ in range(REQUESTS))
            )

    answers = asyncio.run(order_at_once())
    assert [answer.status_code for answer in answers] == [201] * REQUESTS
    assert client.get(path).json()["stock"] == 0
    assert len(client.get(f"{path}/orders").json()) == REQUESTS
    assert client.post(f"{path}/orders", json={"quantity": 1}).status_code == 409
