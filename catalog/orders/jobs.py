"""Background work on orders."""

from catalog.jobqueue import in_app_context
from catalog.orders import service


@in_app_context
def process() -> None:
    """Process the orders that are due; safe to run twice, also at the same time."""
    service.process()
