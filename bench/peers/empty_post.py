"""The least that Flask can do for a POST: one route, no body read, no database."""

from flask import Flask

app = Flask(__name__)


@app.post("/api/v1/orders")
def order() -> tuple[dict[str, str], int]:
    """Answer with next to nothing."""
    return {"status": "queued"}, 202
