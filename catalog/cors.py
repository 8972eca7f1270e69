"""Which pages of other origins may call the API from a browser."""

from flask import Flask

EXPOSED = (
    "ETag",
    "Idempotent-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Cache",
    "X-Replica-Lag",
    "X-Request-ID",
)
PREFLIGHT_SECONDS = 600


def register(app: Flask) -> None:
    """Allow CORS_ORIGINS, none where it is blank. Without credentials: keys are sent, cookies never."""
    origins = app.config["CORS_ORIGINS"]
    if origins:
        from flask_cors import CORS

        CORS(app, origins=list(origins), expose_headers=list(EXPOSED), max_age=PREFLIGHT_SECONDS)
