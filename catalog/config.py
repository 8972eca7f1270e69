"""The settings, read from `.env` and the environment at start, and judged together; settings.py lists them."""

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote

from environs import Env, EnvError

from catalog.settings import PRODUCTION_RATES, ROOT, SETTINGS, Setting

LOOPBACK = ("127.0.0.0/8", "::1/128")

__all__ = ["ROOT", "SETTINGS", "ConfigError", "check_open_address", "load"]


class ConfigError(Exception):
    """The service cannot start with these settings; the message names every one that is wrong."""


def load() -> dict[str, Any]:
    """Return all settings by name, with the URLs completed and `UPLOAD_DIR` filled in.

    Raises ConfigError that lists every setting that cannot be used, so that one start shows all of them.
    """
    env = Env(eager=False)
    env.read_env(os.environ.get("CATALOG_ENV_FILE", str(ROOT / ".env")), recurse=False)
    values = {setting.name: _read(env, setting) for setting in SETTINGS}
    try:
        env.seal()
    except EnvError as error:
        raise ConfigError(_explain(error)) from error
    return _completed(values)


def _read(env: Env, setting: Setting) -> Any:
    if env.str(setting.name, default="").strip() == "":
        return setting.default
    return getattr(env, setting.kind)(setting.name, validate=setting.check)


def _explain(error: EnvError) -> str:
    problems = getattr(error, "error_messages", {})
    lines = [f"  {name}: {' '.join(messages)}" for name, messages in problems.items()]
    return "These settings cannot be used:\n" + "\n".join(lines)


def _completed(values: dict[str, Any]) -> dict[str, Any]:
    if not values["DATABASE_URL"] and values["POSTGRES_HOST"]:
        values["DATABASE_URL"] = _url_of_parts(values)
    if values["REDIS_HOST"]:
        login = f":{quote(values['REDIS_PASSWORD'], safe='')}@" if values["REDIS_PASSWORD"] else ""
        server = f"redis://{login}{values['REDIS_HOST']}:{values['REDIS_PORT']}"
        values["REDIS_URL"] = values["REDIS_URL"] or f"{server}/0"
        values["CACHE_REDIS_URL"] = values["CACHE_REDIS_URL"] or f"{server}/1"
    _check_complete(values)
    _check_closed(values)
    if values["WEBHOOK_ALLOWED_NETWORKS"] is None:
        values["WEBHOOK_ALLOWED_NETWORKS"] = () if values["CATALOG_ENV"] == "production" else LOOPBACK
    if values["GRAPHQL_INTROSPECTION"] is None:
        values["GRAPHQL_INTROSPECTION"] = values["CATALOG_ENV"] != "production"
    if values["WEB_DRAIN_SECONDS"] is None:
        values["WEB_DRAIN_SECONDS"] = 5.0 if values["CATALOG_ENV"] == "production" else 0.0
    for kind, rate in PRODUCTION_RATES.items():
        values[f"RATE_LIMIT_{kind}"] = _rate_in_force(values[f"RATE_LIMIT_{kind}"], rate, values["CATALOG_ENV"])
    values["DATABASE_URL"] = _with_driver(values["DATABASE_URL"])
    values["DATABASE_REPLICA_URL"] = _with_driver(values["DATABASE_REPLICA_URL"] or "") or None
    values["UPLOAD_DIR"] = values["UPLOAD_DIR"] or Path(values["DATA_DIR"]) / "uploads"
    return values


def _rate_in_force(given: str | None, in_production: str, environment: str) -> str | None:
    if given is None:
        return in_production if environment == "production" else None
    return None if given == "off" else given


def _check_complete(values: dict[str, Any]) -> None:
    needed = ["DATABASE_URL", "REDIS_URL", "CACHE_REDIS_URL"]
    if values["CATALOG_ENV"] == "production":
        needed += ["SECRET_KEY", "ENCRYPTION_KEYS"]
    missing = [f"  {name}: not set" for name in needed if not values[name]]
    if missing:
        raise ConfigError(
            "\n".join(["These settings are missing:", *missing])
            + "\nSet them; for development, `python3 manage.py start` brings servers of its own."
        )


def _check_closed(values: dict[str, Any]) -> None:
    """Refuse to be open to other machines."""
    if values["CATALOG_ENV"] != "development":
        return
    if not values["PUBLISHED_ON_LOOPBACK"]:
        check_open_address(values["HOST"])
    published = values["PUBLISH_ADDRESS"]
    if published and not _is_loopback(published.strip("[]")):
        raise ConfigError(
            f"The container's port is published on {published}, but with CATALOG_ENV=development all who reach it may"
            " do everything.\nSet PUBLISH_ADDRESS=127.0.0.1, or CATALOG_ENV=production, which asks for API keys."
        )


def check_open_address(host: str) -> None:
    """Raise ConfigError for an address at which other machines would reach an open service."""
    if host != "localhost" and not _is_loopback(host):
        raise ConfigError(
            f"HOST is {host}, but with CATALOG_ENV=development whoever reaches the service may do everything, so it"
            " binds to loopback alone.\nSet CATALOG_ENV=production, which asks for API keys, or HOST=127.0.0.1."
            "\nIn a container whose port is published on 127.0.0.1 alone, set PUBLISHED_ON_LOOPBACK=true."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _url_of_parts(values: dict[str, Any]) -> str:
    from sqlalchemy import URL

    url = URL.create(
        "postgresql+psycopg2",
        username=values["POSTGRES_USER"],
        password=values["POSTGRES_PASSWORD"] or None,
        host=values["POSTGRES_HOST"],
        port=values["POSTGRES_PORT"],
        database=values["POSTGRES_DB"],
    )
    return url.render_as_string(hide_password=False)


def _with_driver(url: str) -> str:
    """Name psycopg2 in the URL: SQLAlchemy 2.1 takes a bare `postgresql://` for psycopg 3."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+psycopg2://", url)
