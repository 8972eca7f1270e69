"""The events there are, and what a subscription may say."""

EVENTS = (
    "product.created",
    "product.updated",
    "product.deleted",
    "product.write_failed",
    "products.deleted_all",
    "import.started",
    "import.completed",
    "import.failed",
    "order.processed",
    "order.failed",
    "webhook.disabled",
)
WILDCARDS = ("*", *sorted({event.split(".")[0] + ".*" for event in EVENTS}))
SUBSCRIPTIONS = (*EVENTS, *WILDCARDS)


def matching(event: str) -> list[str]:
    """Return every subscription that an event matches: its own name, `family.*` and `*`."""
    return [event, event.split(".")[0] + ".*", "*"]
