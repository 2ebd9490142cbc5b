"""The digest of what a request shows."""

from typing import Any

from rfc8785 import CanonicalizationError

from audit.canonical import canonical, digest

# Of an erased request: the same keys, so that code which reads subjects keeps working.
ERASED_SUBJECT: dict[str, Any] = {
    **dict.fromkeys(("task", "step", "waits_for", "workflow", "definition_hash"), ""),
    **{"round": 0, "attempt": 0, "verdict": "", "outputs": [], "questions": []},
    **{"reason": "", "error": {}},
}


def digest_of(subject: Any) -> str:
    """'' for what has no digest: nothing of us has written it."""
    try:
        return digest("countersign.hitl.subject.v1", canonical(subject))
    except (CanonicalizationError, ValueError, RecursionError):
        return ""
