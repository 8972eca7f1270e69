"""Files for browsers: compressed, and kept by the browser for as long as their address stays the same.

What has its version in its address (`vendor/…-1.2.3/`, or `?v=` and a digest of the file) is kept for a year, all else
is asked for again. Each file is compressed once in each process.
"""

import gzip
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from posixpath import normpath
from typing import Any

from flask import Flask, Response, current_app, request, url_for

from catalog import gate
from catalog.errors import NotFound

_OF_GRAPHIQL = ("vendor/graphiql-", "vendor/react-", "vendor/plugin-explorer-")
YEAR_SECONDS = 365 * 86_400
_PACKED = {"text/css", "text/javascript", "application/javascript", "image/svg+xml", "application/json"}


def register(app: Flask) -> None:
    """Compress the files of pages, let browsers keep them, and give templates `asset()`.

    In production the files of GraphiQL are hidden, as its page is.
    """
    for endpoint in {"static", "graphql.static"} & app.view_functions.keys():
        if not gate.is_open(app.config):
            app.view_functions[endpoint] = _without_graphiql(app.view_functions[endpoint])
    app.after_request(_sent)
    app.jinja_env.globals["asset"] = asset


def _without_graphiql(view: Callable[..., Any]) -> Callable[..., Any]:
    def send(filename: str) -> Any:
        if request.endpoint == "graphql.static" or normpath(filename).startswith(_OF_GRAPHIQL):
            raise NotFound("There is no such file.")
        return view(filename=filename)

    return send


def asset(endpoint: str, filename: str) -> str:
    """Return the address of a static file, which changes whenever the file does."""
    if filename.startswith("vendor/"):
        return url_for(endpoint, filename=filename)
    folder = current_app.static_folder if endpoint == "static" else _blueprint_folder(endpoint)
    return url_for(endpoint, filename=filename, v=_digest(Path(folder or "") / filename, current_app.debug))


def _blueprint_folder(endpoint: str) -> str | None:
    return current_app.blueprints[endpoint.rpartition(".")[0]].static_folder


@cache
def _digest(path: Path, _debug: bool) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


_packed: dict[str, bytes] = {}


def _sent(response: Response) -> Response:
    endpoint = request.endpoint or ""
    if endpoint.rpartition(".")[2] != "static" or response.status_code not in (200, 304):
        return response
    if "v" in request.args or (request.view_args or {}).get("filename", "").startswith("vendor/"):
        response.headers["Cache-Control"] = f"public, max-age={YEAR_SECONDS}, immutable"
    if response.mimetype in _PACKED and response.status_code == 200 and "Range" not in request.headers:
        response.vary.add("Accept-Encoding")
        if request.accept_encodings.quality("gzip"):
            _pack(response)
    return response


def _pack(response: Response) -> None:
    tag, _ = response.get_etag()
    response.direct_passthrough = False
    whole = response.get_data()
    key = tag or hashlib.sha256(whole).hexdigest()
    if key not in _packed:
        _packed[key] = gzip.compress(whole, mtime=0)
    response.set_data(_packed[key])
    response.headers["Content-Encoding"] = "gzip"
    if tag:
        response.set_etag(tag, weak=True)
