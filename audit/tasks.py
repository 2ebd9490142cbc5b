import logging
import threading

from celery import shared_task

from core.heartbeat import long_work
from core.log_fields import log_fields

logger = logging.getLogger(__name__)

# For a long tree at first, and a witness that does not answer.
CHECKPOINT_SECONDS, TREE_SECONDS = 60, 600
# A worker that stops does not wait longer for a database that hangs.
FINAL_SECONDS = 5


@shared_task
def checkpoint() -> int | None:
    """Sign the log as it is, every five minutes. The size that was signed."""
    from audit.checkpoints import make_checkpoint_if_due

    with log_fields(channel="scheduler", job="checkpoint"), long_work(CHECKPOINT_SECONDS):
        made = make_checkpoint_if_due()
        return made.size if made else None


@shared_task
def verify_logs() -> int:
    """A few seconds of verification each minute; nothing is held up by it."""
    from audit.schedule import verify_due

    with log_fields(channel="scheduler", job="verify_logs"):
        return verify_due()


@shared_task
def verify_signed_log() -> None:
    """Every hour, where the public key is."""
    from audit.schedule import verify_signed

    with log_fields(channel="scheduler", job="verify_signed_log"), long_work(TREE_SECONDS):
        verify_signed()


def make_final_checkpoint() -> None:
    """Before a process ends, so that little is left unsigned."""

    def work() -> None:
        from django.db import Error, connection

        from audit.checkpoints import NoCheckpoint, make_checkpoint_if_due

        try:
            make_checkpoint_if_due()
        except (NoCheckpoint, Error) as error:
            logger.warning("no checkpoint at the end", extra={"error": str(error)})
        finally:
            connection.close()

    thread = threading.Thread(target=work, name="final-checkpoint", daemon=True)
    thread.start()
    thread.join(FINAL_SECONDS)
