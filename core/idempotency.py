"""`Idempotency-Key`: the same key and body replays the first answer, another body is refused."""

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from core.errors import InvalidInput, Unprocessable
from core.models import IdempotencyKey
from core.problems import label

KEY_MAX_LENGTH = 255
KEY = re.compile(rf"[\x20-\x7e]{{1,{KEY_MAX_LENGTH}}}")
KEPT_HOURS = 24
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


class Replay(Exception):
    """Ends the handling of a request with the stored answer."""

    def __init__(self, stored: IdempotencyKey) -> None:
        self.stored = stored


class IdempotentMixin:
    """For DRF views: the key's row, the effect and the answer commit together or not at all."""

    reserved: IdempotencyKey | None = None
    #: Fields of answers that are shown once: they are not kept, and a replay answers null.
    secrets: tuple[str, ...] = ()

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        if request.method not in UNSAFE or "Idempotency-Key" not in request.headers:
            return super().dispatch(request, *args, **kwargs)
        if request.headers.get("Authorization", "").lower().startswith("bearer "):
            # Of an agent: its key belongs to what it asks for, and lives as long.
            return super().dispatch(request, *args, **kwargs)
        with transaction.atomic():
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        key = request.headers.get("Idempotency-Key")
        if key is not None and request.method in UNSAFE and request.user.pk is not None:
            self.reserved = reserve(request, key)

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, Replay):
            return replay(exc.stored, self.get_exception_handler_context())
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Response, *args, **kwargs) -> Response:
        if self.reserved is not None and response.status_code < 500:
            store(self.reserved, response, self.secrets)
        elif self.reserved is not None:
            # A server error is not kept: the same request may be sent again.
            transaction.set_rollback(True)
        return super().finalize_response(request, response, *args, **kwargs)


def reserve(request: Request, key: str) -> IdempotencyKey:
    """The key's new row. Raises Replay, or Unprocessable when the key came with another body."""
    if not KEY.fullmatch(key):
        detail = "Use a key of 1 to 255 visible ASCII characters."
        raise InvalidInput.of("Idempotency-Key", "invalid", detail)
    fingerprint = fingerprint_of(request)
    # A second request with the key waits here until the first one is done.
    row, is_new = IdempotencyKey.objects.get_or_create(
        user=request.user, key=key, defaults={"fingerprint": fingerprint}
    )
    if is_new:
        return row
    if row.fingerprint != fingerprint:
        raise Unprocessable(
            "idempotency_key_reused",
            "This Idempotency-Key was used with another request. Use a new key for a new request.",
        )
    raise Replay(row)


def fingerprint_of(request: Request) -> str:
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    digest.update(request._request.body)
    return digest.hexdigest()


def store(row: IdempotencyKey, response: Response, secrets: Iterable[str] = ()) -> None:
    row.status = response.status_code
    row.body = json.loads(json.dumps(response.data, cls=JSONEncoder))
    for name in secrets:
        if isinstance(row.body, dict) and name in row.body:
            row.body[name] = None
    row.location = response.headers.get("Location", "")
    row.save(update_fields=["status", "body", "location"])


def replay(row: IdempotencyKey, context: dict[str, Any]) -> Response:
    headers = {"Idempotency-Replayed": "true"} | (
        {"Location": row.location} if row.location else {}
    )
    response = Response(row.body, status=row.status, headers=headers)
    if row.status >= 400:
        label(response, context)
    return response


def forget_old_keys() -> int:
    """Delete keys older than a day; returns how many."""
    limit = Now() - timedelta(hours=KEPT_HOURS)
    return IdempotencyKey.objects.filter(created_at__lt=limit).delete()[0]
