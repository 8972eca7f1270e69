"""Whether the service lives, is ready, and says hello."""

from typing import Any

from flask import Blueprint, Response, jsonify, url_for

from catalog import metrics
from catalog.health import service

blueprint = Blueprint("health", __name__)


@blueprint.get("/")
def root() -> Response:
    """Say what this is and where its documentation lies."""
    return jsonify(service="catalog", status="ok", docs=url_for("api_docs.swagger_ui"))


@blueprint.get("/health")
def health() -> tuple[Response, int]:
    """Answer like /health/ready."""
    return _answer(service.readiness())


@blueprint.get("/health/live")
def live() -> Response:
    """Answer without touching anything: the process runs."""
    return jsonify(status="ok")


@blueprint.get("/health/ready")
def ready() -> tuple[Response, int]:
    """Answer 200 while PostgreSQL does, `degraded` without Redis; 503 otherwise."""
    return _answer(service.readiness())


@blueprint.get("/api/v1/hello")
def hello() -> Response:
    """Name the service, its version and environment, and whether the database answers."""
    return jsonify(service.hello())


@blueprint.get("/metrics")
def show_metrics() -> Response:
    """Answer what all processes of this server counted, for Prometheus."""
    body, content_type = metrics.render()
    return Response(body, content_type=content_type)


def _answer(report: dict[str, Any]) -> tuple[Response, int]:
    response = jsonify(report)
    if report["status"] == "unavailable":
        response.headers["Retry-After"] = "5"
        return response, 503
    return response, 200
