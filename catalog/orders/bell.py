"""The doorbell of orders: one ring stands for all that come in until a processor hears it."""

from catalog import jobqueue

JOB = "catalog.orders.jobs.process"
QUEUE = "orders"


def ring() -> None:
    """Ring for a processor, after the commit; what is not rung, the clock's sweep finds."""
    jobqueue.ring_once(JOB, queue_name=QUEUE)


def hear() -> None:
    """Note that a processor begins, so that what comes in from now on rings anew."""
    jobqueue.hear(JOB)
