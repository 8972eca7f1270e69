"""Whether the service lives, is ready, and says hello."""

from typing import Any

from flask import Response, redirect, request, url_for

from catalog import metrics
from catalog.access import PUBLIC
from catalog.health import backlog, schemas, service
from catalog.http import Blueprint
from catalog.openapi import RETRY_AFTER

blueprint = Blueprint(
    "health",
    __name__,
    needs_servers=False,
    description="How the service is, for people, proxies and Prometheus.",
    scope=PUBLIC,
)

_BY_ACCEPT = {"Vary": "Accept"}
_NOT_READY = "PostgreSQL is away, or this web server is about to end"
_COUNTED = '# TYPE catalog_requests_total counter\ncatalog_requests_total{method="GET",status="200"} 7.0\n'


@blueprint.get("/")
@blueprint.response(200, schemas.RootSchema)
@blueprint.alt_response(302, description="To the console, for a browser")
def root() -> Any:
    """Say what this is

    And where its documentation lies. A browser is sent to the console.
    """
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        return redirect(url_for("console_overview.index")), 302, _BY_ACCEPT
    return {"service": "catalog", "status": "ok", "docs": url_for("api_docs.swagger_ui")}, 200, _BY_ACCEPT


@blueprint.get("/health")
@blueprint.response(200, schemas.HealthSchema)
@blueprint.alt_response(503, schema=schemas.HealthSchema, description=_NOT_READY, headers=RETRY_AFTER)
def health() -> Any:
    """Tell whether requests can be answered

    The same as `/health/ready`.
    """
    return _answer(service.readiness())


@blueprint.get("/health/live")
@blueprint.response(200, schemas.LiveSchema)
def live() -> Any:
    """Tell whether the process runs

    Touches nothing: a server that is away is no reason to start this one anew.
    """
    return {"status": "ok"}


@blueprint.get("/health/ready")
@blueprint.response(200, schemas.HealthSchema)
@blueprint.alt_response(503, schema=schemas.HealthSchema, description=_NOT_READY, headers=RETRY_AFTER)
def ready() -> Any:
    """Tell whether requests can be answered

    200 while PostgreSQL answers, `degraded` without Redis or the replica; 503 and `draining` once this web server was
    told to end; each dependency with its latency, and the age of the last beats of the clock and of a worker.
    """
    return _answer(service.readiness())


@blueprint.get("/api/v1/hello")
@blueprint.response(200, schemas.HelloSchema)
def hello() -> Any:
    """Say hello

    The service's name, version and environment, and whether the database answers.
    """
    return service.hello()


@blueprint.get("/metrics", scope="metrics")
@blueprint.response(200, {"type": "string"}, content_type="text/plain", example=_COUNTED)
def show_metrics() -> Any:
    """Read what was counted

    By all processes of this server, and what waits just now, in the text format of Prometheus.
    """
    body, content_type = metrics.render(backlog.Gauges())
    return Response(body, content_type=content_type)


def _answer(report: dict[str, Any]) -> Any:
    if report["status"] in ("unavailable", "draining"):
        return report, 503, {"Retry-After": "5"}
    return report
