"""Rejects requests for a foreign host name (DNS rebinding), and while the service is open, cross-site writes (CSRF).

An open service trusts all programs of this machine, the browser included. A page of any site can send requests by
that browser: from its own origin, which `Origin` and `Sec-Fetch-Site` show, or, once its DNS name resolves to
127.0.0.1, from the origin of the service, which `Host` shows.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from catalog.addresses import canonical
from catalog.errors import CatalogError, Forbidden, MisdirectedRequest

Environ = dict[str, Any]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PROBED = frozenset({"/health", "/health/live", "/health/ready"})  # Kubernetes sends the pod's address as Host
METRICS = "/metrics"  # Prometheus likewise, with a key

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:@/\[\],]+)(?::\d{1,5})?", re.ASCII | re.IGNORECASE)
_LONGEST = 300


class RequestChecks:
    """The checks of one application. They come before all others."""

    def __init__(self, settings: Mapping[str, Any]):
        self._is_open = settings["CATALOG_ENV"] == "development"
        allowed = _names(settings["ALLOWED_HOSTS"])
        self._takes_any = not self._is_open and not allowed
        self._names = {"localhost", *allowed, *_names(settings["INTERNAL_HOSTS"])}
        self._origins = _names(settings["CORS_ORIGINS"]) - {"*"}  # which names none
        self._exempt = PROBED if self._is_open else PROBED | {METRICS}
        self._is_known = lru_cache(maxsize=256)(self._is_one_of_ours)

    def refusal(self, environ: Environ) -> CatalogError | None:
        """Return why a request is rejected, or None: MisdirectedRequest (421) or Forbidden (403)."""
        is_ours = self._takes_any or self._is_known(environ.get("HTTP_HOST", "")[:_LONGEST])
        if not is_ours and environ["PATH_INFO"] not in self._exempt:
            return MisdirectedRequest(
                "The service does not answer for this Host."
                " Use localhost or 127.0.0.1, or add the name to ALLOWED_HOSTS."
            )
        if self._is_open and environ["REQUEST_METHOD"] not in SAFE_METHODS and self._is_cross_site(environ):
            return Forbidden(
                "This write was sent by a page of another site. Add its origin to CORS_ORIGINS to allow it."
            )
        return None

    def _is_one_of_ours(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match[1].lower().removesuffix(".")
        return name in self._names or _is_loopback(name)

    def _is_cross_site(self, environ: Environ) -> bool:
        """Return whether a browser's headers say so. Programs send neither; `none` is the user, e.g. an extension."""
        site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
        if origin is not None and origin.lower() in self._origins:
            return False
        if site not in (None, "same-origin", "none"):
            return True
        return origin is not None and not is_origin_of(origin, environ.get("HTTP_HOST", ""))


def is_origin_of(origin: str, host: str) -> bool:
    """Return whether an `Origin` header names a host. A malformed one names none."""
    return origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())


def _is_loopback(name: str) -> bool:
    address = canonical(name)
    return address is not None and ip_address(address).is_loopback


def _names(given: Any) -> set[str]:
    return {name.strip().lower() for name in given}
