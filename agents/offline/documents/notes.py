"""What became of the comments of people, and what is not covered: said in every document."""

from agents.offline.case import Case
from agents.offline.reading import Source, storable
from agents.offline.requirements import understand

WHY = (
    "The offline rules found nothing in this comment that they can build. A person has to "
    "see to it."
)


def feedback_notes(case: Case) -> list[dict]:
    """One note for each comment on this step."""
    return [_note(case, storable(comment)) for comment in case.own_comments]


def not_covered(case: Case) -> list[dict]:
    """Every requirement of the specification (and of later comments) that is not there."""
    return [{"requirement": key, "reason": why} for key, why in case.program.not_covered().items()]


def _note(case: Case, comment: str) -> dict:
    statements = {found.statement for found in understand([Source("feedback", 0, comment)]).found}
    own = [u for u in case.program.understood if u.wanted.statement in statements]
    built = [u.wanted.id for u in own if not u.refusal]
    missing = [f"{u.wanted.id}: {u.refusal}" for u in own if u.refusal]
    if not own:
        return {"comment": comment, "honoured": False, "response": f"Not covered. {WHY}"}
    response = f"Taken up as {', '.join(built)}. " if built else ""
    response += f"Not covered: {' '.join(missing)}" if missing else ""
    return {"comment": comment, "honoured": not missing, "response": response.strip()[:5000]}
