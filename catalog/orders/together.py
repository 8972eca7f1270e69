"""One call for what several threads submit at the same time, made by a thread of its own."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

LINGER_SECONDS = 0.002

S = TypeVar("S")
T = TypeVar("T")


class _Submitted(Generic[S, T]):
    """What one thread submitted, and its outcome; it sleeps on `done` until then, and wakes the one `after` it.

    Woken all at once, the threads would only fight for the interpreter.
    """

    __slots__ = ("after", "done", "item", "outcome")

    def __init__(self, item: S):
        self.item = item
        self.outcome: T | Exception
        self.after: _Submitted[S, T] | None = None
        self.done = threading.Lock()
        self.done.acquire()


class Together(Generic[S, T]):
    """Hands what comes in during a call to the next one, all of it.

    A call for many costs little more than one for a single item. So it waits a moment until as many are there as went
    together the last time: under load calls grow, and whoever comes alone waits for nobody.
    """

    def __init__(self, call: Callable[[Sequence[S]], Sequence[T]]):
        self._call = call
        self._changed = threading.Condition(threading.Lock())
        self._waiting: list[_Submitted[S, T]] = []
        self._wanted = 0  # how many the thread sleeps for
        self._last = 1
        self._thread: threading.Thread | None = None

    def submit(self, item: S) -> T | Exception:
        """Return the outcome of one item, which is an exception where the call as a whole fails."""
        mine: _Submitted[S, T] = _Submitted(item)
        with self._changed:
            try:
                self._begin()
            except RuntimeError as error:  # no more threads are to be had
                return error
            self._waiting.append(mine)
            if 0 < self._wanted <= len(self._waiting):
                self._wanted = 0
                self._changed.notify()
        mine.done.acquire()
        if mine.after:
            mine.after.done.release()
        return mine.outcome

    def _begin(self) -> None:
        if self._thread is None:  # not before the fork
            thread = threading.Thread(target=self._run, name="together", daemon=True)
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        while True:
            batch = self._next()
            outcomes = self._outcomes([each.item for each in batch])
            for each, outcome, after in zip(batch, outcomes, [*batch[1:], None], strict=True):
                each.outcome, each.after = outcome, after
            batch[0].done.release()

    def _outcomes(self, items: Sequence[S]) -> Sequence[T | Exception]:
        """Make the call; whatever ends it is the outcome of each, since this thread must go on."""
        try:
            outcomes = self._call(items)
            if len(outcomes) == len(items):
                return outcomes
            raise RuntimeError(f"{len(items)} items have {len(outcomes)} outcomes.")
        except Exception as error:
            return [error] * len(items)
        except BaseException as error:
            return [RuntimeError(repr(error))] * len(items)

    def _next(self) -> list[_Submitted[S, T]]:
        with self._changed:
            while not self._waiting:
                self._sleep(1)
            if len(self._waiting) < self._last:
                self._sleep(self._last, LINGER_SECONDS)
            batch, self._waiting = self._waiting, []
        self._last = len(batch)
        return batch

    def _sleep(self, wanted: int, seconds: float | None = None) -> None:
        self._wanted = wanted
        self._changed.wait(seconds)
        self._wanted = 0
