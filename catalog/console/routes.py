"""The console's blueprints, and its overview."""

from flask import Blueprint as Files
from flask import Flask, Response, redirect, render_template, url_for
from werkzeug import Response as Answer

from catalog.access import PUBLIC, Blueprint
from catalog.console import (
    account_routes,
    api_routes,
    audit_routes,
    import_routes,
    job_routes,
    key_routes,
    live,
    order_routes,
    overview,
    pages,
    product_routes,
    sign_in_routes,
    task_routes,
    user_routes,
    webhook_routes,
)

blueprint = pages.blueprint("overview", __name__)
front = Blueprint("console_front", __name__, scope=PUBLIC)
files = Files(
    "console",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/console/static",
)


def register(app: Flask) -> None:
    """Add the console to the application."""
    pages.register(app)
    app.register_blueprint(files)
    app.register_blueprint(front)
    behind = (product_routes, import_routes, webhook_routes, order_routes, task_routes, job_routes, api_routes)
    people = (sign_in_routes, account_routes, key_routes, user_routes, audit_routes)
    for section in (blueprint, *(routes.blueprint for routes in (*behind, *people))):
        app.register_blueprint(section)


@front.get("/console", strict_slashes=False)
def start() -> Answer:
    """Redirect to the overview, from the address that the commands and the README name."""
    return redirect(url_for("console_overview.index"))


@blueprint.get("")
def index() -> Response:
    """Show how everything is."""
    return pages.show("overview.html", section="overview", figures=overview.figures())


@blueprint.get("/charts")
def charts() -> Response:
    """Show the last day."""
    return pages.show("_charts.html", charts=overview.charts())


@blueprint.get("/events")
def events() -> Answer:
    """Send the figures whenever they change, and the charts."""
    return live.answer({"figures": (_figures, 1), "charts": (_charts, 5)})


def _figures() -> str:
    return render_template("console/_figures.html", figures=overview.figures())


def _charts() -> str:
    return render_template("console/_charts.html", charts=overview.charts())
