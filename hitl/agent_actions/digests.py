"""What an action is, as bytes: what is approved, what is handed out and what runs are the same."""

import json
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any

import rfc8785

from audit.canonical import canonical, digest
from core.errors import Unprocessable
from core.fields import MAX_DEPTH
from core.text import is_storable
from hitl.models import AgentAction
from projects.integrity import ContentChanged

EXACT = 2**53 - 1


def parse_exactly(body: bytes) -> Any:
    """JSON of which nothing is lost on its way through the canonical form.

    Raises Unprocessable for a number that a double does not hold as it was written, for integers
    beyond 2^53, NaN, null characters, lone surrogates and repeated names.
    """
    try:
        value = json.loads(
            body.decode(),
            parse_float=_exact_float,
            parse_int=_exact_integer,
            parse_constant=_no_constant,
            object_pairs_hook=_unique_names,
        )
    except UnicodeDecodeError as error:
        raise not_exact("malformed_json", "The body is not valid UTF-8.") from error
    except RecursionError as error:
        raise not_exact("malformed_json", "The JSON is nested too deeply.") from error
    except ValueError as error:
        raise not_exact("malformed_json", f"The body is not JSON: {error}.") from error
    check_texts(value)
    return value


def not_exact(code: str, detail: str) -> Unprocessable:
    return Unprocessable(code, detail)


def _exact_float(text: str) -> float:
    number = float(text)
    try:
        is_exact = isfinite(number) and Decimal(repr(number)) == Decimal(text)
    except InvalidOperation:
        is_exact = False  # an exponent of many digits
    if not is_exact:
        detail = f"The number {text[:60]} does not fit a double exactly. Send it as text."
        raise not_exact("number_not_exact", detail)
    return number


def _exact_integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > EXACT:
        detail = f"The integer {text[:60]} is beyond 2^53. Send it as text."
        raise not_exact("number_not_exact", detail)
    return int(text)


def _no_constant(text: str) -> None:
    raise not_exact("number_not_exact", f"{text} is not JSON. Leave it out, or send text.")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise not_exact("repeated_name", f"{repeated[:60]!r} is repeated. Send it once.")
    return content


def check_texts(value: Any, depth: int = 0) -> None:
    """Raises Unprocessable where a text holds what no column and no canonical form can."""
    if depth > MAX_DEPTH:
        raise not_exact("too_deep", f"The JSON is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, str) and not is_storable(value):
        detail = "A text holds a null character or a lone surrogate. Send plain Unicode."
        raise not_exact("text_not_storable", detail)
    if isinstance(value, dict):
        for name, part in value.items():
            check_texts(name)
            check_texts(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            check_texts(part, depth + 1)


def canonical_text(value: Any) -> str:
    """RFC 8785, as it is stored. Raises Unprocessable for what it cannot carry.

    A whole number beyond 2^53 that was sent as 1e16 would be written out, and read back as an
    integer that has no canonical form: what is stored has to give the same bytes again.
    """
    try:
        text = canonical(value).decode()
        canonical(json.loads(text))
        return text
    except (rfc8785.CanonicalizationError, UnicodeError) as error:
        raise not_exact("number_not_exact", f"This has no canonical form: {error}.") from error


def action_digest(
    *, project: Any, agent_name: str, subject: Any, tool: dict[str, str], arguments: Any
) -> str:
    """What a decision, a claim and a grant are bound to: `sha256:` and 64 hex digits.

    Run, call and framework of the agent stay outside, so that a second run of the same call has
    the same digest.
    """
    facts = {
        "project": str(project),
        "agent": agent_name,
        "subject": subject,
        "tool": tool,
        "arguments": arguments,
    }
    return f"sha256:{digest('paraph.action.v1', canonical(facts))}"


def call_digest(tool: dict[str, str], arguments: Any) -> str:
    """Equal for equal calls, whoever makes them."""
    facts = {"tool": tool, "arguments": arguments}
    return f"sha256:{digest('paraph.call.v1', canonical(facts))}"


def digest_of_action(action: AgentAction) -> str:
    """Recomputed from the row, never read from it; '' for what nothing of us has written."""
    try:
        return action_digest(
            project=action.project_id,
            agent_name=action.agent["name"],
            subject=action.subject,
            tool=action.tool,
            arguments=json.loads(action.arguments),
        )
    except (rfc8785.CanonicalizationError, ValueError, RecursionError, LookupError, TypeError):
        return ""


def changed_call(action: AgentAction) -> ContentChanged | None:
    """What differs, where the row is no longer the call that its digest was made of."""
    found = digest_of_action(action)
    if found == action.action_digest:
        return None
    return ContentChanged(
        "call",
        f"The call of “{action.tool.get('name', '')}”",
        project=action.project_id,
        expected=action.action_digest,
        found=found,
        action=str(action.pk),
    )


def subject_of_action(action: AgentAction) -> dict[str, Any]:
    """What a decision on it is about; the keys of a task's subject are there, too."""
    return {
        "action": str(action.pk),
        "action_digest": digest_of_action(action),
        "effect": action.effect,
        "status": str(action.status),
        "fence": action.fence,
        "based_on": action.based_on,
        "precondition": digest("paraph.precondition.v1", action.precondition.encode()),
        "outputs": [],
        "questions": [],
        "reason": "",
        "error": {},
    }
