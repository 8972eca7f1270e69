"""Who asks: the caller of the current request, for whatever keeps a record of it or counts for it."""

from dataclasses import dataclass

from flask import g, has_request_context, request


@dataclass(frozen=True)
class Caller:
    """`id` is stable and tells callers apart, e.g. `key:3f9a…`; `name` is for people; `address` is an IP address."""

    id: str
    name: str
    address: str | None = None


def caller() -> Caller:
    """Return who sent the current request: `anonymous` while the service is open, `system` outside of requests."""
    if not has_request_context():
        return Caller("system", "system")
    known: Caller | None = g.get("caller")
    return known or Caller("anonymous", "anonymous", request.remote_addr)
