"""Swagger UI and ReDoc over `/api/openapi.json`."""

from flask import Response, redirect, url_for
from werkzeug import Response as Redirect

from catalog.access import PUBLIC, Blueprint
from catalog.pages import page

blueprint = Blueprint(
    "api_docs", __name__, template_folder="templates", static_folder="static", url_prefix="/api", scope=PUBLIC
)
short = Blueprint("short_docs", __name__, scope=PUBLIC)

# ReDoc's styles carry the nonce, but for two elements that stand before it is known: an empty one and one of its
# scrollbar's. Its search runs in a worker that it starts from a blob.
_STYLES_OF_REDOC = (
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' 'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
)


@blueprint.get("/docs")
def swagger_ui() -> Response:
    """Show every operation, to be tried out."""
    return page("swagger_ui.html")


@blueprint.get("/redoc")
def redoc() -> Response:
    """Show every operation, to be read."""
    return page("redoc.html", allow={"style-src": f"{{nonce}} {_STYLES_OF_REDOC}", "worker-src": "blob:"})


@short.get("/docs")
def to_swagger_ui() -> Redirect:
    """Go to Swagger UI."""
    return redirect(url_for("api_docs.swagger_ui"))


@short.get("/redoc")
def to_redoc() -> Redirect:
    """Go to ReDoc."""
    return redirect(url_for("api_docs.redoc"))
