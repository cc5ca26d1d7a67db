# SPDX-License-Identifier: PostgreSQL
"""Items and orders.

The endpoints are plain functions, so that each runs in a thread. They do their work inside of
`with db.begin()`: it commits, or rolls back if the block raises. What matters as much, the transaction
is over when the endpoint returns. One that stayed open until get_db closes the session would keep its
place at the database while FastAPI waits for a free thread to write the response; with all threads
waiting for such a place, nothing moves any more.
"""

from contextlib import contextmanager
from typing import List

from fastapi import APIRouter, Depends, HTTPException
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from .database import get_db
from .models import Item, ItemCreate, ItemUpdate, Order, OrderCreate

router = APIRouter(prefix="/items")


@contextmanager
def conflict(detail):
    """409 where a constraint says no. Looking beforehand is no use: two may look at the same time."""
    try:
        yield
    except IntegrityError as error:
        raise HTTPException(409, detail) from error


def find(db, item_id):
    item = db.get(Item, item_id)
    if item is None:
        raise HTTPException(404, "no such item")
    return item


@router.get("", response_model=List[Item])
def list_items(db: Session = Depends(get_db)):
    with db.begin():
        return db.exec(select(Item).order_by(Item.id)).all()


@router.post("", response_model=Item, status_code=201)
def create_item(wanted: ItemCreate, db: Session = Depends(get_db)):
    item = Item(**wanted.dict())
    with conflict("there is an item of this name"), db.begin():
        db.add(item)
    return item


@router.get("/{item_id}", response_model=Item)
def read_item(item_id: int, db: Session = Depends(get_db)):
    with db.begin():
        return find(db, item_id)


@router.patch("/{item_id}", response_model=Item)
def update_item(item_id: int, wanted: ItemUpdate, db: Session = Depends(get_db)):
    with conflict("there is an item of this name"), db.begin():
        item = find(db, item_id)
        for name, value in wanted.dict(exclude_none=True).items():
            setattr(item, name, value)
    return item


@router.delete("/{item_id}", status_code=204)
def delete_item(item_id: int, db: Session = Depends(get_db)):
    with conflict("the item has orders"), db.begin():
        db.delete(find(db, item_id))


@router.post("/{item_id}/orders", response_model=Order, status_code=201)
def place_order(item_id: int, wanted: OrderCreate, db: Session = Depends(get_db)):
    """An order and the stock that it takes: both, or neither."""
    order = Order(item_id=item_id, quantity=wanted.quantity)
    with conflict("not enough in stock"), db.begin():
        find(db, item_id)
        db.add(order)
        db.flush()
        # The database subtracts: a value read before may be old by now.
        db.execute(
            update(Item)
            .where(Item.id == item_id)
            .values(stock=Item.stock - wanted.quantity)
            .execution_options(synchronize_session=False)
        )
    return order


@router.get("/{item_id}/orders", response_model=List[Order])
def list_orders(item_id: int, db: Session = Depends(get_db)):
    with db.begin():
        find(db, item_id)
        return db.exec(select(Order).where(Order.item_id == item_id).order_by(Order.id)).all()


@router.delete("/{item_id}/orders", status_code=204)
def delete_orders(item_id: int, db: Session = Depends(get_db)):
    with db.begin():
        find(db, item_id)
        for order in db.exec(select(Order).where(Order.item_id == item_id)):
            db.delete(order)
