"""What models were told and what they answered, for as long as the settings say."""

import json
import re
from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from agents.models import ModelExchange, Task

KEEP, ON_FAILURE, NEVER = "keep", "on_failure", "never"
BATCH = 500
# Of one request, or one answer. What is longer is cut.
MOST_CHARACTERS = 2_000_000
HIDDEN = "[hidden]"
# Keys as providers, clouds and version control make them, tokens in headers, and private keys.
KEY_LIKE = re.compile(
    r"""\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,} | \bAKIA[A-Z0-9]{16}\b | \bgh[opsu]_[A-Za-z0-9]{30,}
    | \bAIza[A-Za-z0-9_-]{30,} | \bxox[abprs]-[A-Za-z0-9-]{10,}
    | (?<=[Bb]earer\ )[A-Za-z0-9._~+/-]{16,}=*
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?-----END\ [A-Z ]*PRIVATE\ KEY-----""",
    re.VERBOSE | re.DOTALL,
)
# With `on_failure` an attempt that brought something needs them no more.
FORGET = """
    DELETE FROM model_exchanges WHERE id IN (
        SELECT id FROM model_exchanges AS old
        WHERE created_at < clock_timestamp() - %(days)s
           OR %(only_failures)s AND EXISTS (
                SELECT 1 FROM task_attempts AS attempt
                WHERE attempt.task_id = old.task AND attempt.fence = old.fence
                  AND attempt.outcome IN ('completed', 'needs_person'))
        LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
"""


def keep_exchange(
    task: Task,
    *,
    provider: str,
    model: str,
    request: str,
    response: str,
    error_code: str = "",
    error_detail: str = "",
    secrets: Iterable[str] = (),
) -> None:
    """`secrets`: of the endpoint, hidden beside those of the installation."""
    if settings.MODEL_TRANSCRIPTS == NEVER:
        return
    ModelExchange.objects.create(
        project_id=task.project_id,
        task=task.pk,
        fence=task.fence,
        provider=provider,
        model=model,
        request=_kept(request, secrets),
        response=_kept(response, secrets),
        error_code=error_code,
        error_detail=redacted(error_detail, secrets),
        created_at=Now(),
    )


def forget_exchanges() -> int:
    """Those that are too old, and with `on_failure` those of attempts that did not fail; how many.

    For the sweep.
    """
    values = {
        "days": timedelta(days=settings.MODEL_TRANSCRIPT_DAYS),
        "only_failures": settings.MODEL_TRANSCRIPTS == ON_FAILURE,
        "limit": BATCH,
    }
    with connection.cursor() as cursor:
        cursor.execute(FORGET, values)
        return cursor.rowcount


def transcript_of(task: Task) -> list[dict[str, Any]]:
    """Each attempt with its exchanges, oldest first."""
    exchanges: dict[int, list[dict[str, Any]]] = {}
    for row in ModelExchange.objects.filter(task=task.pk, project=task.project_id).order_by("id"):
        exchanges.setdefault(row.fence, []).append(
            {
                "provider": row.provider,
                "model": row.model,
                "ended_at": row.created_at,
                "request": _read(row.request),
                "response": _read(row.response),
                "error": {"code": row.error_code, "detail": row.error_detail}
                if row.error_code
                else None,
            }
        )
    return [
        {
            "number": attempt.number,
            "outcome": attempt.outcome,
            "error_code": attempt.error_code,
            "error_detail": attempt.error_detail,
            "exchanges": exchanges.get(attempt.fence, []),
        }
        for attempt in task.attempts.order_by("fence")
    ]


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """Without anything that looks like a key, these, and the secrets of this installation."""
    for secret in (*_in_json(secrets), *_secrets()):
        text = text.replace(secret, HIDDEN)
    return KEY_LIKE.sub(HIDDEN, text)


@cache
def _secrets() -> list[str]:
    return _in_json(settings.SECRET_VALUES)


def _in_json(values: Iterable[str]) -> list[str]:
    # A short one would hide words.
    secrets = {secret for secret in values if len(secret) >= 8}
    # As they stand in JSON, and in JSON within JSON, as the arguments of a call.
    for _ in range(2):
        secrets |= {json.dumps(secret, ensure_ascii=False)[1:-1] for secret in secrets}
    return sorted(secrets, key=len, reverse=True)


def _kept(text: str, secrets: Iterable[str]) -> str:
    text = redacted(text, secrets)
    if len(text) <= MOST_CHARACTERS:
        return text
    return json.dumps({"cut_after_characters": MOST_CHARACTERS, "text": text[:MOST_CHARACTERS]})


def _read(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
