from dataclasses import dataclass
from functools import cache

from django.conf import settings


@dataclass(frozen=True)
class Limits:
    """Seconds and counts of the protocol; `settings.STREAM_LIMITS` may set other ones."""

    init_seconds: float = 5
    heartbeat_seconds: float = 20
    pong_seconds: float = 10
    recheck_seconds: float = 60
    # Without an acknowledgement in a full window, or without reading at all.
    stalled_seconds: float = 60
    max_frame_bytes: int = 64 * 1024
    max_subscriptions: int = 100
    # Of one user, in one server process.
    max_connections: int = 2000
    # What a client may send: at once, and on the average.
    frames_burst: int = 1000
    frames_per_second: int = 200


@cache
def limits() -> Limits:
    return Limits(**getattr(settings, "STREAM_LIMITS", {}))
