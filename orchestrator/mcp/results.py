"""What tools answer: in text, for models, and as data; and in `_meta` whether the call has run."""

import json
from typing import Any

from mcp_types import CallToolResult, TextContent

from hitl.enums import ActionStatus

#: The name in `_meta`.
OUTCOME = "paraph/outcome"
PENDING = "pending-not-executed"
#: Approved, and it has not run: with `may_run`, it is the reader's turn.
APPROVED = "approved-not-executed"
EXECUTED = "approved-executed"
DENIED = "denied-not-executed"
FAILED = "execution-error"
UNKNOWN = "outcome-unknown"

OUTCOMES = {
    ActionStatus.PENDING: PENDING,
    ActionStatus.APPROVED: APPROVED,
    ActionStatus.NOT_EXECUTED: APPROVED,
    ActionStatus.SUCCEEDED: EXECUTED,
    ActionStatus.FAILED: FAILED,
    ActionStatus.EXECUTING: UNKNOWN,
    ActionStatus.UNKNOWN: UNKNOWN,
}
SENTENCES = {
    ActionStatus.PENDING: "PENDING: not executed. Nobody has decided yet. Call wait_for_approval "
    "with this action_id, as often as needed. Do not make the call.",
    ActionStatus.APPROVED: "APPROVED, not executed. Do not make the call yet: call "
    "wait_for_approval, which hands out the permission, once.",
    ActionStatus.DENIED: "DENIED: not executed. A person said no. Do not make the call.",
    ActionStatus.ANSWERED: "ANSWERED: not executed. A person has replied instead, in `answer`. Do "
    "not make the call.",
    ActionStatus.EXPIRED: "EXPIRED: not executed. Do not make the call. Ask anew if it still makes "
    "sense.",
    ActionStatus.CANCELLED: "CANCELLED: not executed. Do not make the call.",
    ActionStatus.SUPERSEDED: "SUPERSEDED: not executed. What it rests on has changed. Look at it, "
    "and ask anew if it still makes sense.",
    ActionStatus.EXECUTING: "BEING EXECUTED: the permission was taken already, and nobody has "
    "reported how the call ended. Do not make it again. Whoever took it reports with its fence.",
    ActionStatus.SUCCEEDED: "EXECUTED: the approved call was made, and has succeeded.",
    ActionStatus.FAILED: "FAILED: the approved call was tried, and went wrong. See `error`.",
    ActionStatus.NOT_EXECUTED: "NOT EXECUTED: it was approved, and certainly did not happen.",
    ActionStatus.UNKNOWN: "UNKNOWN: nobody knows whether the call has happened. People are asked. "
    "Do not make it again.",
}
STRANGE = "Do not make the call: this status is none that permits it."
GRANTED = "APPROVED: not executed yet. Make the call now, once, with exactly these `arguments`, "
SHOWN = (
    *("status", "tool", "arguments", "agent", "effect", "action_digest", "decision", "answer"),
    *("expires_at", "approved_until", "fence", "result", "error", "continuation", "request"),
)


def result_of_action(
    action: dict[str, Any],
    *,
    claim: dict[str, Any] | None = None,
    refusal: dict[str, Any] | None = None,
    asked: str | None = None,
) -> CallToolResult:
    """`claim`: the permission, now handed out. `refusal`: why it was not, though approved."""
    status = action["status"]
    outcome = OUTCOMES.get(status, DENIED)
    data = {"action_id": action["id"], "may_run": claim is not None}
    data |= {name: action[name] for name in SHOWN} | {"review": action["links"]["review"]}
    sentence = SENTENCES.get(status, STRANGE)
    if claim is not None:
        outcome = APPROVED
        data |= claim | {"status": str(ActionStatus.EXECUTING)}
        is_changed = asked is not None and asked != action["action_digest"]
        change = "has CHANGED" if is_changed else "may have changed"
        sentence = f"{GRANTED}which a person {change}. Then call report_outcome with this fence."
        if asked is not None:
            data["arguments_changed"] = is_changed
    elif refusal is not None:
        data["refusal"] = refusal
        if status == ActionStatus.APPROVED:
            outcome = DENIED
            sentence = "REFUSED, though approved: not executed. Do not make the call."
        sentence = f"{sentence} {refusal['code']}: {refusal['detail']}"
        if refusal.get("next_action") == "retry":
            sentence += " Call wait_for_approval again later."
        elif refusal.get("next_action") == "request":
            sentence += " Ask anew, by request_approval with a new key, if it still makes sense."
    meta = {OUTCOME: outcome, "paraph/action": action["id"], "paraph/may_run": claim is not None}
    return result(sentence, data, meta, is_error=refusal is not None)


def result_of_error(refusal: dict[str, Any], outcome: str = "") -> CallToolResult:
    """A problem of the REST API, or of the tool's own fields."""
    lines = [f"ERROR {refusal['code']}: {refusal['detail']}"]
    lines += [f"- {error['field']}: {error['detail']}" for error in refusal.get("errors", ())]
    if outcome == DENIED:
        lines.append("Not executed. Do not make the call.")
    elif outcome == UNKNOWN:
        lines.append("Not reported. Correct the report and send it again; do not repeat the call.")
    meta = {OUTCOME: outcome, "paraph/may_run": False} if outcome else {}
    return result("\n".join(lines), refusal, meta, is_error=True)


def result_of_reading(data: dict[str, Any]) -> CallToolResult:
    return result("", data, {}, is_error=False)


def result(
    sentence: str, data: dict[str, Any], meta: dict[str, Any], *, is_error: bool
) -> CallToolResult:
    """The data also as text, as the specification asks for, for clients that read no data."""
    texts = [*([sentence] if sentence else []), json.dumps(data, ensure_ascii=False)]
    return CallToolResult(
        content=[TextContent(text=text) for text in texts],
        structured_content=data,
        is_error=is_error,
        _meta=meta or None,
    )
