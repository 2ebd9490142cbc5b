from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from core.text import one_line
from hitl.models import HitlRequest

DIGITS = 32


def find_request(user: Any, wanted: str) -> HitlRequest:
    """The one visible request that the id, or its beginning, names. Raises CommandError."""
    low, high = _range(wanted)
    visible = HitlRequest.objects.visible_to(user).select_related("project", "task", "previous")
    found = list(visible.filter(pk__gte=low, pk__lte=high).order_by("pk")[:6])
    if not found:
        raise CommandError(f"There is no request {one_line(wanted)!r}, or you may not see it.")
    if len(found) > 1:
        names = ", ".join(str(request.pk) for request in found[:5])
        raise CommandError(f"{one_line(wanted)!r} is the beginning of several: {names}.")
    return found[0]


def _range(wanted: str) -> tuple[UUID, UUID]:
    """An id's beginning as a range, which the primary key's index can serve."""
    digits = wanted.replace("-", "").lower()
    if not digits or len(digits) > DIGITS or not set(digits) <= set("0123456789abcdef"):
        raise CommandError(f"{one_line(wanted)!r} is not an id or the beginning of one.")
    return UUID(digits.ljust(DIGITS, "0")), UUID(digits.ljust(DIGITS, "f"))
