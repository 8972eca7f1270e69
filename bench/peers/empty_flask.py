"""The least that Flask can do: one route, no database, no cache."""

from flask import Flask

app = Flask(__name__)


@app.get("/products/<product_id>")
def product(product_id: str) -> dict[str, str]:
    """Answer with next to nothing."""
    return {"id": product_id}
