"""RQ's jobs, restricted to an allowlist of functions: those that the features' jobs.py define.

RQ calls any function that a job's hash names, also as a callback, and sends a request to any URL in it. Without this
check, write access to the queue's Redis would be remote code execution in the worker.
"""

import re
from collections.abc import Callable
from typing import Any

from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.utils import import_attribute

_NAME = re.compile(r"catalog\.[a-z_]+\.jobs\.[a-z_]+")  # the functions of the features' jobs.py
_MARK = "is_catalog_job"


class ForeignFunction(Exception):
    """A job names a function that is not on the allowlist."""


def mark(function: Callable[..., Any]) -> None:
    """Put a function on the allowlist."""
    setattr(function, _MARK, True)


def function_named(name: Any) -> Callable[..., Any]:
    """Return the job function with a dotted name; no other module is even imported. Raises ForeignFunction."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ForeignFunction("This is no job function of the catalog.")
    try:
        function = import_attribute(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ForeignFunction("No job function has this name.") from error
    if not getattr(function, _MARK, False):
        raise ForeignFunction("This is no job function of the catalog.")
    return function


class QueuedJob(Job):
    """A job that calls job functions alone. Its callbacks and webhooks, which we never use, are ignored."""

    @classmethod
    def fetch(cls, id: str, connection: Any = None, serializer: Any = None) -> Job:
        """Read a job. Raises NoSuchJobError, also for what cannot be an id."""
        try:
            return super().fetch(id, connection=connection, serializer=serializer)
        except ValueError as error:
            raise NoSuchJobError(f"Invalid job id: {error}") from error

    def restore(self, raw_data: Any) -> None:
        """Load a job's hash. Raises NoSuchJobError for one that is missing or cannot be read."""
        try:
            super().restore(raw_data)
        except Exception as error:
            raise NoSuchJobError(f"The job's data cannot be read: {error!r}") from error
        if not isinstance(self.meta, dict):
            self.meta = {}
        self._success_callback_name = self._failure_callback_name = self._stopped_callback_name = None
        self.webhooks = []

    @property
    def func(self) -> Callable[..., Any]:
        """The function to call. Raises ForeignFunction, and rq.exceptions.DeserializationError."""
        return function_named(self.func_name)
