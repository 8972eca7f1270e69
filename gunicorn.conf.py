"""The web server: threads in a few processes. The settings of the service are in catalog/config.py."""

import gc
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

from catalog.config import ConfigError as _ConfigError
from catalog.config import check_open_address as _check_open_address
from catalog.config import load as _load
from catalog.gate import is_open as _is_open
from catalog.logs import configure as _configure_logs
from catalog.web import leaving as _leaving

try:
    _settings = _load()
except _ConfigError as _error:
    sys.exit(str(_error))

_host = _settings["HOST"]
bind = f"[{_host}]:{_settings['PORT']}" if ":" in _host else f"{_host}:{_settings['PORT']}"
worker_class = "catalog.web.worker.Worker"  # gthread, with threads only for requests that are there
workers = _settings["WEB_WORKERS"] or os.cpu_count() or 1
threads = _settings["WEB_THREADS"]
worker_connections = 4_000  # slow clients hold a connection and no thread
preload_app = True  # imported once, its memory shared
forwarded_allow_ips = ""  # who is believed about addresses is TRUSTED_PROXIES' alone to say
limit_request_line, limit_request_fields, limit_request_field_size = 8190, 100, 8190  # 414, 431

_is_production = _settings["CATALOG_ENV"] == "production"
graceful_timeout = 20 if _is_production else 2
keepalive = _settings["WEB_KEEPALIVE_SECONDS"]
control_socket_disable = True  # on by default, at one path for all projects of a user


class _Logger(Logger):
    """gunicorn's own, without its access log: `logconfig_dict` switches that on, and the application logs requests."""

    access_log_enabled = False


logger_class = _Logger
# gunicorn's own lines go where the application's go, as JSON too
logconfig_dict = {
    "root": {"level": "INFO", "handlers": []},
    "loggers": {"gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True}},
}
_configure_logs(_settings["LOG_LEVEL"])
_memory = Path("/dev/shm")  # noqa: S108  # nosec B108
worker_tmp_dir = str(_memory) if _memory.is_dir() else None  # the heartbeat must not wait for a disk

# What each process counts lies in a file of its own; /metrics adds them up. Must be set before the application
# is imported, and the files of the last run must be gone by then.
_counted = Path(_settings["DATA_DIR"]) / "metrics"
shutil.rmtree(_counted, ignore_errors=True)
_counted.mkdir(parents=True, exist_ok=True)  # where it is a mount of its own, it stays
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_counted)


def on_starting(server: Any) -> None:
    """Refuse other addresses than the settings' too (`--bind`, GUNICORN_CMD_ARGS), and say that no key is needed."""
    if not _is_open(_settings):
        return
    hosts = [address[0] for address in server.cfg.address if isinstance(address, tuple)]
    try:
        for host in () if _settings["PUBLISHED_ON_LOOPBACK"] else hosts:
            _check_open_address(host)
    except _ConfigError as error:
        sys.exit(str(error))
    server.log.warning("Open: whoever reaches this service needs no key. CATALOG_ENV=production asks for keys.")


def when_ready(server: Any) -> None:
    """See to it that a deployment drops no request, and that what is loaded is not looked through for garbage again.

    That takes 120 ms of each process every now and then, in which it answers nobody.
    """
    _leaving.arrange(server, _settings["WEB_DRAIN_SECONDS"])
    gc.collect()
    gc.freeze()


def post_fork(_server: Any, _worker: Any) -> None:
    """Give each process connections of its own; those of its parent stay open there."""
    from catalog.database import bound_waits
    from catalog.extensions import db
    from wsgi import app

    with app.app_context():
        db.engine.dispose(close=False)
        bound_waits(db.engine, _settings["DATABASE_LOCK_TIMEOUT_SECONDS"])
