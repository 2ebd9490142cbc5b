import threading
import time
from datetime import timedelta

from celery import shared_task

from audit.request_context import origin
from core.disk import disk
from core.log_fields import log_fields

#: A round ends after so long, and one attempt: other rounds run beside it.
READ_SECONDS, SEND_SECONDS = 3.0, 10.0


# However many receivers are slow: agents need the threads of a worker, too.
ROUNDS_AT_ONCE = 2
_rounds = threading.BoundedSemaphore(ROUNDS_AT_ONCE)


@shared_task
def tell(project_id: str = "") -> int:
    """Read what is new in the logs, and send what is due; how much was sent.

    `project_id`: where something waits that somebody wants to see; all others are looked at, too.
    """
    from notifications.cursor import read_logs
    from notifications.delivery import send_all

    if disk.is_full() or not _rounds.acquire(blocking=False):
        return 0
    try:
        with origin(channel="notifications"), log_fields(channel="notifications", job="tell"):
            read_logs(READ_SECONDS)
            return send_all(time.monotonic() + SEND_SECONDS)
    finally:
        _rounds.release()


@shared_task
def forget_deliveries() -> int:
    """What was settled a month ago."""
    from notifications.delivery import forget_old

    if disk.is_full():
        return 0
    with log_fields(channel="notifications", job="forget_deliveries"):
        return forget_old(timedelta(days=30))


@shared_task
def raise_alarms() -> int:
    """Of logs that do not hold; to whom they concern, once a day."""
    from notifications.people import raise_alarms as raise_them

    if disk.is_full():
        return 0
    with log_fields(channel="notifications", job="raise_alarms"):
        return raise_them()
