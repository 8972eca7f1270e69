"""A job that does nothing, as slowly as one likes: to see that queue, worker and progress work."""

import time
from typing import Any

from catalog import jobqueue
from catalog.errors import CatalogError

JOB = "catalog.jobs.jobs.test"
QUEUE = "default"
STEPS_PER_SECOND = 10


class TrialFailed(CatalogError):
    """What a test job ends with that was asked to fail."""


def run(seconds: int, fail: bool) -> dict[str, Any]:
    """Pass the time, showing progress ten times a second; return what was done. Raises TrialFailed if asked to."""
    steps = seconds * STEPS_PER_SECOND
    for step in range(steps):
        jobqueue.show_progress(step * 100 // steps, f"{step / STEPS_PER_SECOND:.1f} of {seconds} s passed")
        time.sleep(1 / STEPS_PER_SECOND)
    if fail:
        raise TrialFailed("The test job failed, as it was asked to.")
    return {"message": "The test job is done.", "seconds": seconds}
