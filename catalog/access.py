"""Who asks, and what may be asked by whom: each operation declares its scope where it is registered."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import flask
from flask import Flask, g, has_request_context, request
from flask.sansio.app import App

from catalog.errors import Forbidden

ADMIN = "admin"
IMPORTS_ALL = "imports:all"  # in addition to `imports`: the imports that other callers submitted
SCOPES = (
    "products:read",
    "products:write",
    "imports",
    IMPORTS_ALL,
    "webhooks",
    "orders",
    "tasks",
    "jobs",
    "metrics",
    ADMIN,
)
PUBLIC = "public"  # no key is asked for
KNOWN = "known"  # whoever has a key or a session, whatever it is for
BY_FIELD = "by field"  # the same at first; GraphQL then asks for the scope of each field

_DECLARED = "catalog-scopes"
_READS = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class Caller:
    """`id` is stable and tells callers apart, e.g. `key:3f9a…`; `name` is for people; `address` is an IP address.

    Without `scopes` nothing is asked of it: the service itself, and everyone while it is open.
    """

    id: str
    name: str
    address: str | None = None
    scopes: frozenset[str] = frozenset({ADMIN})

    def may(self, scope: str) -> bool:
        """Tell whether the caller has a scope, or none is needed; `admin` covers them all."""
        return scope in self.scopes or ADMIN in self.scopes or scope in (KNOWN, BY_FIELD)


def caller() -> Caller:
    """Return who sent the current request: `anonymous` while the service is open, `system` outside of requests."""
    if not has_request_context():
        return Caller("system", "system")
    known: Caller | None = g.get("caller")
    return known or Caller("anonymous", "anonymous", request.remote_addr, frozenset())


def demand(scopes: Iterable[str]) -> None:
    """Raise Forbidden for the first scope that the caller has not."""
    asking = caller()
    for scope in scopes:
        if not asking.may(scope):
            raise missing(scope)


def missing(scope: str) -> Forbidden:
    """Return the refusal of a caller without a scope (RFC 6750, section 3.1)."""
    challenge = f'Bearer realm="catalog", error="insufficient_scope", scope="{scope}"'
    return Forbidden(f"This needs the scope `{scope}`.", WWW_Authenticate=challenge)


class Undeclared(Exception):
    """Something can be asked for that does not say by whom. The message names all of it."""


def is_read(options: Mapping[str, Any]) -> bool:
    """Return whether an operation that is registered with these options only reads."""
    return set(options.get("methods") or ("GET",)) <= _READS


class Blueprint(flask.Blueprint):
    """A blueprint whose operations declare their scope, or take that of the blueprint.

    `scope` is that of its reads and, without `writes`, of all else. An operation has another by `get(rule, scope=…)`.
    """

    def __init__(self, *args: Any, scope: str | None = None, writes: str | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._reads, self._writes = scope, writes or scope

    def scope_of(self, options: dict[str, Any]) -> str | None:
        """Return the scope of an operation that is registered with these options."""
        return options.get("scope") or (self._reads if is_read(options) else self._writes)

    def add_url_rule(
        self, rule: str, endpoint: str | None = None, view_func: Any = None, *args: Any, **options: Any
    ) -> None:
        """Register an operation and its scope."""
        scope, methods = self.scope_of(options), options.get("methods") or ("GET",)
        options.pop("scope", None)
        super().add_url_rule(rule, endpoint, view_func, *args, **options)
        if scope is not None:
            name = endpoint or view_func.__name__
            self.record(lambda state: declare(state.app, _full_name(state, name), methods, scope))


def _full_name(state: Any, endpoint: str) -> str:
    return f"{state.name_prefix}.{state.name}.{endpoint}".lstrip(".")


def declare(app: App, endpoint: str, methods: Collection[str], scope: str) -> None:
    """Let these methods of an endpoint need a scope, or none if it is PUBLIC. Raises Undeclared for an unknown one."""
    if scope not in (*SCOPES, PUBLIC, KNOWN, BY_FIELD):
        raise Undeclared(f"{endpoint}: there is no scope {scope!r}.")
    declared = app.extensions.setdefault(_DECLARED, {})
    declared.update({(endpoint, method): scope for method in methods})


def needed(app: Flask, endpoint: str, method: str) -> str | None:
    """Return the scope that an endpoint needs, PUBLIC, KNOWN, BY_FIELD, or None where nothing was declared.

    PUBLIC are the files of the pages, and what Flask itself answers to OPTIONS.
    """
    declared = app.extensions.get(_DECLARED, {})
    scope: str | None = declared.get((endpoint, "GET" if method == "HEAD" else method))
    if scope is None and (method == "OPTIONS" or endpoint.rpartition(".")[2] == "static"):
        return PUBLIC
    return scope


def check_declared(app: Flask) -> None:
    """Raise Undeclared if anything that the application answers has no scope."""
    found = [
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in sorted(rule.methods or ())
        if needed(app, rule.endpoint, method) is None
    ]
    if found:
        raise Undeclared(f"Register these with a scope, or as PUBLIC: {', '.join(found)}")
