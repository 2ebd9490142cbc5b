"""What a proxy's results say: in words, for models, and in `_meta`, whether a call has run."""

from typing import Any

OUTCOME = "paraph/outcome"
PENDING, DENIED = "pending-not-executed", "denied-not-executed"
EXECUTED, FAILED, UNKNOWN = "approved-executed", "execution-error", "outcome-unknown"
_UNKNOWN = (
    UNKNOWN,
    "UNKNOWN: an earlier run has begun this call and has not said how it ended. People are asked. "
    "Do not assume that it did not happen.",
)
#: By its status, of a call that an earlier run has begun.
BEGUN = {
    "executing": _UNKNOWN,
    "unknown": _UNKNOWN,
    "succeeded": (EXECUTED, "EXECUTED by an earlier run, whose result is lost. It happened once."),
    "failed": (FAILED, "FAILED: an earlier run has tried this call, and it went wrong."),
}
NOT_APPROVED = (DENIED, "NOT EXECUTED: it is not approved.")


class Refused(Exception):
    """It did not run by this call."""

    def __init__(self, outcome: str, text: str, **meta: Any) -> None:
        super().__init__(text)
        self.outcome, self.text, self.meta = outcome, text, meta

    @property
    def result(self) -> dict[str, Any]:
        return told(self.outcome, self.text, **self.meta)


def told(outcome: str, text: str, **meta: Any) -> dict[str, Any]:
    """An error to the client, so that no result of the tool's own form is awaited."""
    content = [{"type": "text", "text": text}]
    return {"content": content, "isError": True, "_meta": {OUTCOME: outcome} | meta}


def with_outcome(
    result: dict[str, Any], outcome: str, text: str, meta: dict[str, Any]
) -> dict[str, Any]:
    """The server's own result, and first of all what became of the call."""
    content, own = result.get("content"), result.get("_meta")
    first = {"type": "text", "text": text}
    return result | {
        "content": [first, *(content if isinstance(content, list) else [])],
        "_meta": (own if isinstance(own, dict) else {}) | {OUTCOME: outcome} | meta,
    }
