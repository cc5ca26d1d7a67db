# SPDX-License-Identifier: PostgreSQL
"""Tables, and what requests and responses look like."""

from datetime import datetime, timezone
from typing import Optional

from sqlalchemy import CheckConstraint, Column, DateTime
from sqlmodel import Field, SQLModel


# What the columns take. Without these bounds the database refuses, and the client reads a 500.
MAX_INTEGER = 2**31 - 1
WITHOUT_NUL = "^[^\x00]*$"


class ItemCreate(SQLModel):
    name: str = Field(min_length=1, max_length=100, regex=WITHOUT_NUL)
    stock: int = Field(default=0, ge=0, le=MAX_INTEGER)


class ItemUpdate(SQLModel):
    name: Optional[str] = Field(default=None, min_length=1, max_length=100, regex=WITHOUT_NUL)
    stock: Optional[int] = Field(default=None, ge=0, le=MAX_INTEGER)


class Item(SQLModel, table=True):
    __tablename__ = "items"
    __table_args__ = (CheckConstraint("stock >= 0", name="items_stock_check"),)

    id: Optional[int] = Field(default=None, primary_key=True)
    name: str = Field(max_length=100, nullable=False, sa_column_kwargs={"unique": True})
    stock: int = Field(nullable=False)


class OrderCreate(SQLModel):
    quantity: int = Field(ge=1, le=MAX_INTEGER)


class Order(SQLModel, table=True):
    __tablename__ = "orders"

    id: Optional[int] = Field(default=None, primary_key=True)
    item_id: int = Field(foreign_key="items.id", nullable=False, index=True)
    quantity: int = Field(nullable=False)
    placed_at: datetime = Field(
        default_factory=lambda: datetime.now(timezone.utc),
        sa_column=Column(DateTime(timezone=True), nullable=False),
    )
