"""The web server: threads in a few processes. The settings of the service are in catalog/config.py."""

import os
import shutil
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

from catalog.config import load as _load
from catalog.logs import configure as _configure_logs

_settings = _load()

_host = _settings["HOST"]
bind = f"[{_host}]:{_settings['PORT']}" if ":" in _host else f"{_host}:{_settings['PORT']}"
worker_class = "catalog.webworker.EvenWorker"
workers = _settings["WEB_WORKERS"] or os.cpu_count() or 1
threads = _settings["WEB_THREADS"]
preload_app = True  # imported once, its memory shared

graceful_timeout = 20 if _settings["CATALOG_ENV"] == "production" else 2
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
_memory = Path("/dev/shm")  # noqa: S108
worker_tmp_dir = str(_memory) if _memory.is_dir() else None  # the heartbeat must not wait for a disk

# What each process counts lies in a file of its own; /metrics adds them up. Must be set before the application
# is imported, and the files of the last run must be gone by then.
_counted = Path(_settings["DATA_DIR"]) / "metrics"
shutil.rmtree(_counted, ignore_errors=True)
_counted.mkdir(parents=True, exist_ok=True)  # where it is a mount of its own, it stays
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_counted)


def post_fork(_server: Any, _worker: Any) -> None:
    """Give each process connections of its own; those of its parent stay open there."""
    from catalog.extensions import db
    from wsgi import app

    with app.app_context():
        db.engine.dispose(close=False)
