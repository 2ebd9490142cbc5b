"""Documents that take long are made by a worker, in a process of their own.

Whoever asks comes back for it. A row says what was asked for, and asking again enqueues again what
was lost.
"""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from agents.queue import MAKE_DOCUMENT, enqueue
from context.models import ArtifactVersion
from context.printing.pdf import TooLong
from core.database import release_connection
from core.errors import Unavailable, Unprocessable
from orchestrator.engine.document import Sources, document_of, kept_document, parts_of
from orchestrator.models import DocumentJob

logger = logging.getLogger(__name__)

# What a web process makes at once: about 60,000 characters, and this long for a print.
IMMEDIATE_TOKENS = 15_000
IMMEDIATE_SECONDS = 3.0
# Of a version without parts, which fits into its row.
INLINE_TOKENS = 8_000
MAKE_SECONDS = 60.0
# A job that has not ended by then was lost with its worker.
LOST = timedelta(seconds=2 * MAKE_SECONDS)
RETRY_FAILED = timedelta(minutes=10)
RETRY_AFTER_SECONDS = 3
LOOK_SECONDS = 0.2
EXIT_TOO_LONG = 3

# Each takes a processor: one at a time in a worker's process, whatever else it works on.
_making = threading.Lock()


def ready_document(sources: Sources, form: str) -> bytes | None:
    """The document, kept or made at once if that is quick; None while a worker makes it.

    Raises Unprocessable `document_too_large` where it cannot be made in the time that it may take,
    Unavailable, ContentChanged. Writes, so call it outside of a reading transaction.
    """
    body = kept_document(sources, form)
    if body is not None:
        return body
    if is_small(sources):
        try:
            return document_of(sources, form, print_seconds=IMMEDIATE_SECONDS)
        except TooLong:
            pass
    job = order(sources, form)
    if job is not None and not enqueue(MAKE_DOCUMENT, job.pk):
        DocumentJob.objects.filter(pk=job.pk).update(enqueued_at=None)
        detail = "The queue does not answer, so the document cannot be made now. Come back later."
        raise Unavailable("redis_away", detail)
    return None


def is_small(sources: Sources) -> bool:
    """Without reading the contents."""
    ids = [version.pk for version in sources.versions]
    versions = ArtifactVersion.objects.filter(pk__in=ids).order_by()
    counts = versions.annotate(tokens=Sum("sections__body__tokens")).values_list(
        "tokens", flat=True
    )
    return sum(INLINE_TOKENS if count is None else count for count in counts) <= IMMEDIATE_TOKENS


@transaction.atomic
def order(sources: Sources, form: str) -> DocumentJob | None:
    """The job to enqueue; None where it is under way. Raises what the last one failed of."""
    now = timezone.now()
    job, is_new = DocumentJob.objects.select_for_update().get_or_create(
        project=sources.project,
        form=form,
        defaults={"source_sha256": sources.sha256, "enqueued_at": now},
    )
    if is_new:
        return job
    if job.source_sha256 == sources.sha256:
        if job.failed_at and now - job.failed_at < RETRY_FAILED:
            raise_failure(job, sources)
        elif job.enqueued_at and now - job.enqueued_at < LOST:
            return None
    job.source_sha256, job.enqueued_at = sources.sha256, now
    job.failed_at, job.error = None, ""
    job.save()
    return job


def raise_failure(job: DocumentJob, sources: Sources) -> None:
    if job.error == DocumentJob.Error.TOO_LARGE:
        others = "Markdown or the export" if job.form == "pdf" else "the export"
        raise Unprocessable(
            "document_too_large",
            f"This document could not be made within {MAKE_SECONDS:.0f} seconds, so it is not "
            f"there as {job.form}. Take {others} instead, or try again in ten minutes.",
        )
    # Raises where a content was changed outside of Paraph, as it did in the worker.
    parts_of(sources.versions)
    detail = "The document could not be made; the worker's log says why. Try again in ten minutes."
    raise Unavailable("document_failed", detail)


def make_document(job_id: UUID, is_stopping: Callable[[], bool] = lambda: False) -> None:
    """The work of a job, by a child that can be killed. The row goes when it is done."""
    job = DocumentJob.objects.filter(pk=job_id, failed_at=None).first()
    if job is None:
        return
    same = DocumentJob.objects.filter(pk=job_id, source_sha256=job.source_sha256)
    if not _making.acquire(blocking=False):
        # Whoever asks next enqueues it again.
        same.update(enqueued_at=None)
        return
    try:
        release_connection()
        exit_status = run_child(str(job.project_id), job.form, is_stopping)
    finally:
        _making.release()
    if exit_status == 0:
        same.delete()
    elif is_stopping():
        same.update(enqueued_at=None)
    else:
        # Killed, because of its time or its memory.
        is_too_large = exit_status in {EXIT_TOO_LONG, None} or exit_status < 0
        error = DocumentJob.Error.TOO_LARGE if is_too_large else DocumentJob.Error.FAILED
        same.update(failed_at=timezone.now(), error=error)
        facts = {"project": str(job.project_id), "form": job.form, "error": str(error)}
        logger.warning("document not made", extra=facts)


def run_child(project: str, form: str, is_stopping: Callable[[], bool]) -> int | None:
    """Its exit status; None where it was killed."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "make_document"]
    child = subprocess.Popen([*command, project, form], stdout=subprocess.DEVNULL)
    end = time.monotonic() + MAKE_SECONDS
    while child.poll() is None:
        if time.monotonic() > end or is_stopping():
            child.kill()
            child.wait()
            return None
        time.sleep(LOOK_SECONDS)
    return child.returncode
