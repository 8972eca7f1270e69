"""The doorbell of orders: rung once for all that come in until somebody hears it."""

import logging

import redis

from catalog import jobqueue

log = logging.getLogger(__name__)

JOB = "catalog.orders.jobs.process"
QUEUE = "orders"
RUNG = "catalog:orders:rung"
FORGET_SECONDS = 15  # a bell that was rung in vain, because its job was lost, may be rung again


def ring() -> None:
    """Ring for a processor, unless one was rung for that has not begun: it will find what is committed by now.

    A bell that cannot be rung is logged: the clock's sweep rings again.
    """
    try:
        if jobqueue.connection().set(RUNG, "1", nx=True, ex=FORGET_SECONDS):
            jobqueue.ring(JOB, queue_name=QUEUE)
    except redis.RedisError as error:
        log.warning("Could not ring for orders, the sweep will: %s", error)


def hear() -> None:
    """Note that a processor begins, so that what comes in from now on rings anew."""
    try:
        jobqueue.connection().delete(RUNG)
    except redis.RedisError as error:
        log.warning("Could not tell that orders are being processed: %s", error)
