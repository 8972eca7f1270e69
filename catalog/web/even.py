"""gunicorn's threaded worker, with connections shared out evenly over the processes."""

import time

from gunicorn.workers.gthread import ThreadWorker

PAUSE_SECONDS = 0.0001  # more than another process needs to wake up
MOST_PAUSES = 10


class EvenWorker(ThreadWorker):
    """Takes new connections the later the more it has, so that another process comes first.

    All processes are woken for a connection, and gunicorn lets the first one have it: of 16 connections that are opened
    at once and kept, one process of two takes 15, and half of the machine has nothing to do for as long as they live.
    """

    def accept(self, listener: object) -> None:
        """Take a connection, if no other process has taken it meanwhile."""
        time.sleep(PAUSE_SECONDS * min(self.nr_conns, MOST_PAUSES))
        super().accept(listener)
