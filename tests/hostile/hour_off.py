"""The service on a machine whose clock is an hour ahead, as Python tells the time."""

import datetime
import time

HOUR = 3_600

_time, _time_ns, _real = time.time, time.time_ns, datetime.datetime


class _Kind(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _real)


class _Ahead(_real, metaclass=_Kind):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return _real.now(tz) + datetime.timedelta(hours=1)


time.time = lambda: _time() + HOUR
time.time_ns = lambda: _time_ns() + HOUR * 10**9
datetime.datetime = _Ahead

from wsgi import app  # noqa: E402, F401
