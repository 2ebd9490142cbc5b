"""The specification: each requirement with the exact words it came from."""

from agents.offline.case import Case
from agents.offline.documents.notes import feedback_notes, not_covered
from agents.offline.documents.plan import assumptions, audience, out_of_scope, summary
from agents.offline.generators import KINDS
from agents.offline.program import Program
from agents.offline.requirements import Found
from context.schemas import SoftwareSpecification

_KINDS = {"FR": "functional", "NFR": "quality", "CR": "functional"}


def software_specification(case: Case) -> SoftwareSpecification:
    return SoftwareSpecification.model_validate(
        {
            "title": case.title,
            "summary": summary(case),
            "product_kind": KINDS[case.program.kind],
            "actors": audience(case),
            "requirements": _handed(case) if case.settled else _found(case),
            "out_of_scope": out_of_scope(case),
            "assumptions": assumptions(case),
            "not_covered": not_covered(case),
            "clarifications": case.clarifications,
            "feedback": feedback_notes(case),
            **_of_a_person(case),
        }
    )


def _of_a_person(case: Case) -> dict:
    """What a person wrote around the requirements, where they had a hand in it."""
    own = case.assignment.own_by_person("software_specification")
    words = ("title", "summary", "product_kind", "actors", "out_of_scope", "assumptions")
    return {name: own.content[name] for name in words} if own else {}


def _found(case: Case) -> list[dict]:
    return [_requirement(key, found, case.program) for key, found in case.numbered]


def _requirement(key: str, found: Found, program: Program) -> dict:
    return {
        "id": key,
        "kind": _KINDS[key.split("-")[0]],
        "title": short(found.statement),
        "statement": found.statement,
        "priority": found.priority,
        "acceptance_criteria": criteria(key, program),
        "spans": [_span(found)],
    }


def _span(found: Found) -> dict:
    passage = found.passage
    return {
        "source": passage.source.kind,
        "number": passage.source.number,
        "start": passage.start,
        "end": passage.end,
        "quote": passage.quote,
    }


def _handed(case: Case) -> list[dict]:
    """A specification that was handed over is the truth; comments add to it."""
    known = {r["id"] for r in case.settled.content["requirements"]}
    added = [w for w in case.wanted if w.id not in known]
    extra = [
        {
            "id": w.id,
            "kind": "functional",
            "title": short(w.statement),
            "statement": w.statement,
            "priority": w.priority,
            "acceptance_criteria": criteria(w.id, case.program),
            "spans": [],
        }
        for w in added
    ]
    return [*case.settled.content["requirements"], *extra]


def criteria(key: str, program: Program) -> list[str]:
    """What the tests of the requirement check, in words."""
    checks = [test.name.replace("_", " ") for test in program.tests if test.requirement == key]
    if not checks:
        return ["A person tries it out; the offline rules write no test for it."]
    return [f"A test shows: {check}." for check in dict.fromkeys(checks)][:30]


def short(statement: str) -> str:
    words = statement.split()
    text = " ".join(words[:9])[:100]
    return text.rstrip(".,;:") + (" ..." if len(words) > 9 else "")
