"""A product catalog: REST over products, imports of millions of rows, background jobs."""

__version__ = "0.1.0"
