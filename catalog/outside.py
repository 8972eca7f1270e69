"""Limits how many requests wait for a server outside, so that a silent one holds few threads of a process.

Such a request also takes one of the slots for long responses: together they hold at most half of the threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, current_app

from catalog import streams
from catalog.errors import Unavailable

_SLOTS = "catalog-outside"


def register(app: Flask) -> None:
    """Give the application its slots: a quarter of the threads of a process, at least one."""
    app.extensions[_SLOTS] = streams.Slots(max(1, app.config["WEB_THREADS"] // 4))


@contextmanager
def slot() -> Iterator[None]:
    """Hold a slot for the length of the block. Raises Unavailable where all are taken."""
    release = take()
    if release is None:
        raise Unavailable("Too many requests are waiting for servers outside. Please try again.")
    try:
        yield
    finally:
        release()


def take() -> streams.Release | None:
    """Take a slot and return the function that releases it, or None where all are taken."""
    own: streams.Slots = current_app.extensions[_SLOTS]
    release, shared = own.take(), streams.slots()
    if release is None or not shared.number:  # a process with one thread has none to share
        return release
    release_shared = shared.take()
    if release_shared is None:
        release()
        return None
    return _both(release, release_shared)


def _both(one: streams.Release, other: streams.Release) -> streams.Release:
    def release() -> None:
        one()
        other()

    return release
