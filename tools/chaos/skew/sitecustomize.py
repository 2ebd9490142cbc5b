"""For a worker whose clock is to be wrong: Python's is off by CHAOS_CLOCK_OFFSET seconds."""

import datetime
import os
import time

OFFSET = float(os.environ.get("CHAOS_CLOCK_OFFSET") or 0)

if OFFSET:
    _time, _time_ns, _real = time.time, time.time_ns, datetime.datetime

    class _Kind(type):
        def __instancecheck__(cls, one: object) -> bool:
            return isinstance(one, _real)

    class Skewed(_real, metaclass=_Kind):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> _real:
            return _real.now(tz) + datetime.timedelta(seconds=OFFSET)

        @classmethod
        def utcnow(cls) -> _real:
            return _real.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(seconds=OFFSET)

        @classmethod
        def today(cls) -> _real:
            return cls.now()

    Skewed.__name__ = Skewed.__qualname__ = "datetime"
    time.time = lambda: _time() + OFFSET
    time.time_ns = lambda: _time_ns() + int(OFFSET * 1e9)
    datetime.datetime = Skewed
