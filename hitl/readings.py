"""Who was shown what of a request, so that nobody decides from a list on what they never opened."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import DatabaseError, transaction

from core.database import is_disk_full
from hitl.models import HitlRequest, Reading


def note_reading(request: HitlRequest, user: Any) -> None:
    """Once for each digest. Where nothing can be written, the page is shown all the same."""
    reading = Reading(request=request, user=user, subject_digest=request.subject_digest)
    try:
        with transaction.atomic():
            Reading.objects.bulk_create([reading], ignore_conflicts=True)
    except DatabaseError as error:
        if not is_disk_full(error):
            raise


def readings_of(user: Any, requests: Iterable[UUID]) -> set[tuple[UUID, str]]:
    """Pairs of a request and the digest that the user was shown of it."""
    rows = Reading.objects.filter(user=user, request__in=list(requests))
    return set(rows.values_list("request", "subject_digest"))
