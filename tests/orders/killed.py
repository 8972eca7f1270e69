"""Orders that are processed or consumed in a process that kills itself."""

from catalog.app import create_app
from catalog.orders import consumer, processing, service
from tests.killing import kill_at

BATCH = 7


def process(where: str, nth: int) -> None:
    """Process what is due; the process ends by SIGKILL instead of the nth call of `where`, a name below orders."""
    processing.BATCH = BATCH
    kill_at(f"orders.{where}", nth)
    with create_app(routes=False).app_context():
        service.process()


def consume(where: str, nth: int) -> None:
    """Consume the list until the process ends by SIGKILL instead of the nth call of `where`."""
    consumer.BATCH = BATCH
    kill_at(f"orders.{where}", nth)
    consumer.run(create_app(routes=False))
