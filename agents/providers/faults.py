"""What is wrong with an answer of a model: the field, and the fault, in words of ours."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError
from pydantic_ai.exceptions import ToolRetryError
from pydantic_ai.messages import ModelMessage, ModelRequest, RetryFeedbackPart, ToolReturnPart

# Of a fault that names no place: what a whole answer lacks.
WHOLE = "the answer"
MOST_FAULTS, MOST_CHARACTERS = 20, 300


@dataclass(frozen=True)
class Fault:
    field: str
    detail: str

    def __str__(self) -> str:
        return f"{self.field}: {self.detail}"

    def as_dict(self) -> dict[str, str]:
        return {"field": self.field, "detail": self.detail}


def faults_of_error(error: BaseException | None) -> tuple[Fault, ...]:
    """Of the last answer, from what the library raised because of it."""
    while error is not None:
        if isinstance(error, ToolRetryError):
            return _faults(error.tool_retry.content)
        if isinstance(error, ValidationError):
            return _faults(error.errors(include_url=False, include_input=False))
        error = error.__cause__ or error.__context__
    return ()


def faults_told(messages: Sequence[ModelMessage]) -> tuple[Fault, ...]:
    """What the next request tells the model of its last answer."""
    last = messages[-1] if messages else None
    if not isinstance(last, ModelRequest):
        return ()
    return tuple(fault for part in last.parts if is_retry(part) for fault in _faults(part.content))


def told_briefly(messages: Iterable[ModelMessage]) -> list[ModelMessage]:
    """Of an answer that did not fit the model is told the faults, and not the answer once more."""
    return [
        replace(message, parts=[_brief(part) for part in message.parts])
        if isinstance(message, ModelRequest) and any(map(is_retry, message.parts))
        else message
        for message in messages
    ]


def is_retry(part: Any) -> bool:
    if isinstance(part, RetryFeedbackPart):
        return True
    return isinstance(part, ToolReturnPart) and part.outcome == "retried"


def in_words(faults: Iterable[Fault]) -> str:
    return "; ".join(str(fault) for fault in faults)


def _brief(part: Any) -> Any:
    if not is_retry(part) or isinstance(part.content, str):
        return part
    text = f"Not taken. Deliver it again with these mended: {in_words(_faults(part.content))}"
    return replace(part, content=text)


def _faults(content: Any) -> tuple[Fault, ...]:
    if isinstance(content, str):
        return (Fault(WHOLE, content[:MOST_CHARACTERS]),)
    return tuple(
        Fault(
            ".".join(str(place) for place in item["loc"])[:MOST_CHARACTERS] or WHOLE,
            str(item["msg"])[:MOST_CHARACTERS],
        )
        for item in content[:MOST_FAULTS]
    )
