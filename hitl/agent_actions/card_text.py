"""The card as plain text: all that the page shows of a call, for a terminal, a mail and a chat."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from context.enums import Change
from core.text import one_line
from hitl.agent_actions.card import Card
from hitl.enums import ActionStatus


@dataclass(frozen=True)
class Line:
    """`tone`: head, bad, warn, quiet, or nothing. Only a block has several lines."""

    text: str
    tone: str = ""
    is_block: bool = False


def lines_of(card: Card, when: Callable[[datetime], str]) -> Iterator[Line]:
    """The call as it is before what was, and what the agent says of it last."""
    for tone, text in card.warnings:
        yield Line(text, tone)
    for name, value in card.facts.items():
        # A line break in a value would look like a fact of its own.
        yield Line(f"{name}: {value if value == one_line(value) else _json(value)}")
    yield Line("arguments, complete:", "head")
    yield _block(card.arguments)
    if card.asked_arguments is not None:
        yield Line("a person has changed them; the agent had asked for:", "head")
        yield _block(card.asked_arguments)
    for stale in card.stale:
        newest = stale.new.number if stale.new else "gone"
        yield Line(
            f"It rests on version {stale.old.number} of “{one_line(stale.old.artifact.title)}”; "
            f"the newest is {newest}. The agent may not make this call any more.",
            "bad",
        )
    yield from _history(card, when)
    if card.action.why:
        yield Line("the agent says, and nobody has checked it:", "head")
        quoted = "\n".join(f"> {line}" for line in card.action.why.split("\n"))
        yield Line(quoted, "quiet", is_block=True)


def _history(card: Card, when: Callable[[datetime], str]) -> Iterator[Line]:
    if (last := card.last) is not None:
        status = ActionStatus(last.action.status).label
        at = f"{when(last.action.created_at)}, {status}"
        yield Line(f"compared with the last call of this tool ({at}):", "head")
        for change in last.changes:
            old, new = (_json(change[side]) for side in ("old", "new"))
            old = "(not there)" if change["change"] == Change.ADDED else old
            new = "(not there)" if change["change"] == Change.REMOVED else new
            yield Line(f"  {one_line(change['path'])}: {old} -> {new}")
        if not last.changes:
            yield Line("  the same arguments")
    for earlier in card.earlier:
        words = "; ".join(
            f"{decision.action} by {decision.who}"
            + (f": {one_line(decision.comment)}" if decision.comment else "")
            for decision in earlier.decisions
        )
        status = ActionStatus(earlier.action.status).label
        said = f" ({words})" if words else ""
        yield Line(f"the same call before: {when(earlier.action.created_at)}, {status}{said}")


def _block(value: Any) -> Line:
    return Line(json.dumps(value, indent=2, ensure_ascii=False), is_block=True)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
