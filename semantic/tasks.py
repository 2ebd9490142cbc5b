import logging

from celery import shared_task

logger = logging.getLogger(__name__)
# A job is short, so that others come between.
TEXTS_A_JOB = 512


@shared_task(ignore_result=True)
def embed_new_texts() -> None:
    """Sent by the scheduler; texts that fail are tried again next time."""
    from agents.protocols import WorkError
    from semantic.embedding import embed_missing

    try:
        embed_missing(at_most=TEXTS_A_JOB)
    except WorkError as error:
        logger.warning("texts were not embedded", extra={"code": error.code})
