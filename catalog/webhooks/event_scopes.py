"""The scope that an event requires, to subscribe to it and to read its payload: that of its data."""

from collections.abc import Iterable

from catalog.access import IMPORTS_ALL, caller
from catalog.webhooks.events import EVENTS, matching

_SCOPES = {
    "product": "products:read",
    "products": "products:read",
    "import": IMPORTS_ALL,  # the event is sent for every caller's imports
    "order": "orders",
    "webhook": "webhooks",
}


def scope_of(event: str) -> str:
    """Return the scope of an event by its name."""
    return _SCOPES[event.partition(".")[0]]


def scopes_of(subscriptions: Iterable[str]) -> list[str]:
    """Return the scopes of all events that these subscriptions match."""
    wanted = set(subscriptions)
    return sorted({scope_of(event) for event in EVENTS if wanted & set(matching(event))})


def may_read(event: str) -> bool:
    """Return whether the caller may read the payload of an event."""
    return caller().may(_SCOPES.get(event.partition(".")[0], "webhooks"))
