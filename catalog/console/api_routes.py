"""The API page: where it is described and tried out."""

from flask import Response

from catalog.console import pages

blueprint = pages.blueprint("api", __name__)


@blueprint.get("")
def index() -> Response:
    """Show where the API is described."""
    return pages.show("api.html", section="api")
