"""What a person sends from the request's page, as `decide` wants it."""

import json
from typing import Any

from django.http import QueryDict

from core.errors import InvalidInput
from hitl.enums import Action
from hitl.models import HitlRequest


def content_from(form: QueryDict, request: HitlRequest) -> Any:
    """The person's own content, or None where the action has none. Raises InvalidInput."""
    action = form.get("action")
    if action == Action.AMEND:
        return parse_content(form.get("content", ""))
    if action == Action.ANSWER:
        return _answer(form, request.subject["questions"])
    return None


def parse_content(text: str) -> Any:
    """Raises InvalidInput that names the line."""
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        place = f"line {error.lineno}, column {error.colno}" if hasattr(error, "lineno") else ""
        detail = f"This is not valid JSON: {getattr(error, 'msg', error)} ({place})."
        raise InvalidInput.of("content", "invalid_json", detail) from error
    except RecursionError as error:
        detail = "This is nested too deeply."
        raise InvalidInput.of("content", "invalid_json", detail) from error


def _answer(form: QueryDict, questions: list[str]) -> Any:
    """One text, or with several questions one for each that was answered."""
    said = [form.get(f"answer-{number}", "").strip() for number in range(max(1, len(questions)))]
    if len(questions) < 2:
        return said[0]
    pairs = dict(zip(questions, said, strict=True))
    return {question: answer for question, answer in pairs.items() if answer}
