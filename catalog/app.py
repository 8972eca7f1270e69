"""create_app(): the settings, the extensions, the features and the error answers, as one visible list."""

from typing import Any

from flask import Flask

from catalog import (
    __version__,
    access,
    assets,
    cache,
    config,
    cors,
    errors,
    gate,
    headers,
    hotpath,
    http,
    logs,
    metrics,
    openapi,
    outside,
    ratelimits,
    replica,
    streams,
    urlpaths,
)
from catalog.database import renew_broken_connections
from catalog.extensions import db, migrate


def create_app(overrides: dict[str, Any] | None = None, *, routes: bool = True) -> Flask:
    """Return the application, configured from the environment; `overrides` is for tests.

    Without `routes` it loads in half the time, for what only works on the database.
    Raises catalog.config.ConfigError when a setting is missing or cannot be read, and catalog.access.Undeclared for
    an operation without a scope.
    """
    app = Flask(__name__)
    app.config.update(config.load())
    app.config.update(_derived(app))
    app.config.update(overrides or {})
    logs.configure(app.config["LOG_LEVEL"])
    http.configure(app)
    urlpaths.configure(app)
    _bind_extensions(app)
    cache.register(app)
    replica.register(app)
    streams.register(app)
    outside.register(app)
    if routes:
        _register_features(app)
        access.check_declared(app)
    logs.register(app)
    if routes:
        _put_up_the_gate(app)
    metrics.register(app)
    assets.register(app)
    errors.register(app)
    headers.register(app)
    cors.register(app)
    ratelimits.register(app)
    if routes:
        hotpath.register(app, {"/api/v1/products/<uuid:product_id>": "product"})
    return app


def _derived(app: Flask) -> dict[str, Any]:
    """Return the libraries' settings, derived from our own."""
    settings = app.config
    timeout = settings["DATABASE_STATEMENT_TIMEOUT_SECONDS"]
    return {
        "SQLALCHEMY_DATABASE_URI": settings["DATABASE_URL"],
        "SQLALCHEMY_ENGINE_OPTIONS": {
            "pool_size": settings["DATABASE_POOL_SIZE"],
            "max_overflow": settings["DATABASE_POOL_OVERFLOW"],
            "pool_timeout": 1,  # an exhausted pool answers 503 instead of hanging
            "hide_parameters": True,  # an error's message, which is logged, would quote the values
            "connect_args": {
                "application_name": "catalog",
                "connect_timeout": 3,
                "options": f"-c statement_timeout={timeout}s -c timezone=UTC",
            },
        },
        "SESSION_COOKIE_SECURE": settings["CATALOG_ENV"] == "production",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "MAX_FORM_PARTS": 32,
        "MAX_FORM_MEMORY_SIZE": 500_000,
        "MAX_CONTENT_LENGTH": (settings["UPLOAD_MAX_MB"] + 1) * 1024 * 1024,
        "DEBUG": app.debug and settings["CATALOG_ENV"] != "production",
        "API_TITLE": "Catalog",
        "API_VERSION": __version__,
        "OPENAPI_VERSION": "3.1.0",
        "OPENAPI_URL_PREFIX": "/api",
        "OPENAPI_JSON_PATH": "openapi.json",
        "API_SPEC_OPTIONS": {"info": {"description": "A product catalog: products, imports and what happens to them."}},
    }


def _bind_extensions(app: Flask) -> None:
    db.init_app(app)
    with app.app_context():
        renew_broken_connections(db.engine)
    migrate.init_app(app, db, directory=str(config.ROOT / "migrations"))


def _put_up_the_gate(app: Flask) -> None:
    from catalog.auth import keyring
    from catalog.sessions import service as sessions

    gate.register(app, ratelimits.counting_wrong_keys(app, keyring.register(app)), sessions.bearer)


def _register_features(app: Flask) -> None:
    from catalog.api_docs.routes import blueprint as api_docs
    from catalog.api_docs.routes import short as short_docs
    from catalog.audit.routes import blueprint as audit
    from catalog.audit.routes import histories
    from catalog.auth.routes import blueprint as keys
    from catalog.commands.keys import keys as key_commands
    from catalog.commands.orders import orders as order_commands
    from catalog.commands.users import users as user_commands
    from catalog.commands.webhooks import webhooks as webhook_commands
    from catalog.console.routes import register as register_console
    from catalog.graphql_api.routes import blueprint as graphql
    from catalog.health.routes import blueprint as health
    from catalog.imports.mapping_routes import blueprint as mappings
    from catalog.imports.routes import blueprint as imports
    from catalog.jobs.routes import celery, jobs
    from catalog.jobs.trial_routes import trials
    from catalog.orders.routes import blueprint as orders
    from catalog.products.routes import blueprint as products
    from catalog.sessions.routes import blueprint as sessions
    from catalog.shop.routes import blueprint as shop
    from catalog.tasks.routes import blueprint as tasks
    from catalog.transforms.routes import blueprint as transforms
    from catalog.users.routes import blueprint as users
    from catalog.webhooks.routes import blueprint as webhooks

    for pages in (api_docs, short_docs):
        app.register_blueprint(pages)
    register_console(app)
    app.cli.add_command(webhook_commands)
    app.cli.add_command(order_commands)
    app.cli.add_command(key_commands)
    app.cli.add_command(user_commands)
    api = openapi.Api(app)
    data = (products, shop, imports, mappings, orders, tasks)
    people = (keys, users, sessions)
    for blueprint in (*data, histories, webhooks, jobs, celery, graphql, transforms, audit, *people, health):
        api.register_blueprint(blueprint)
    if gate.is_open(app.config):  # what is for trying out is not there in production
        api.register_blueprint(trials, name="jobs_trial", url_prefix="/api/v1/jobs")
        api.register_blueprint(trials, name="celery_trial", url_prefix="/api/v1/celery")
    api.register_blueprint(tasks, name="python_tasks", url_prefix="/api/python/v1/tasks")
