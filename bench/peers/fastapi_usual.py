"""The usual FastAPI service: a sync endpoint, SQLModel, redis-py, a response model."""

import os
from datetime import datetime
from uuid import UUID

import redis
from fastapi import Depends, FastAPI, HTTPException
from sqlmodel import Field, Session, SQLModel, create_engine

engine = create_engine(os.environ["PEER_DATABASE_URL"], pool_size=20)
cache = redis.Redis.from_url(os.environ["PEER_REDIS_URL"])
app = FastAPI()


class Product(SQLModel, table=True):  # type: ignore[call-arg]
    """A row of `products`, as it is answered."""

    __tablename__ = "products"
    id: UUID = Field(primary_key=True)
    number: int
    sku: str
    name: str
    description: str | None
    active: bool
    price: float | None
    stock_quantity: int
    category: str | None
    image: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class Answer(SQLModel):
    """What a client gets."""

    id: UUID
    number: int
    sku: str
    name: str
    description: str | None
    active: bool
    price: float | None
    stock_quantity: int
    category: str | None
    image: str | None
    version: int
    created_at: datetime
    updated_at: datetime


def session():
    """Give each request a session, as FastAPI's own tutorial does."""
    with Session(engine) as opened:
        yield opened


@app.get("/products/{product_id}", response_model=Answer)
def product(product_id: UUID, database: Session = Depends(session)):  # noqa: B008
    """Answer from Redis, else from PostgreSQL."""
    if kept := cache.get(f"usual:{product_id}"):
        return Answer.model_validate_json(kept)
    found = database.get(Product, product_id)
    if found is None:
        raise HTTPException(404)
    answer = Answer.model_validate(found.model_dump())
    cache.set(f"usual:{product_id}", answer.model_dump_json(), ex=3600)
    return answer
