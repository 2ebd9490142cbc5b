"""The project plan: what is to be built, for whom, and what may go wrong."""

from collections.abc import Iterable

from agents.offline.case import Case
from agents.offline.documents.notes import feedback_notes
from agents.offline.generators import KINDS
from agents.offline.grammar import acts
from agents.offline.reading import storable
from agents.offline.words import plural
from context.schemas import ProjectPlan


def project_plan(case: Case) -> ProjectPlan:
    program = case.program
    return ProjectPlan.model_validate(
        {
            "title": case.title,
            "summary": summary(case),
            "product_kind": KINDS[program.kind],
            "goals": _goals(case),
            "audience": audience(case),
            "in_scope": [u.wanted.statement for u in program.understood if not u.refusal],
            "out_of_scope": out_of_scope(case),
            "milestones": _milestones(),
            "risks": risks(case),
            "assumptions": assumptions(case),
            "clarifications": case.clarifications,
            "feedback": feedback_notes(case),
        }
    )


def summary(case: Case) -> str:
    """What is asked for, in figures, and the first words of the brief."""
    found = case.program.understood
    built = sum(not u.refusal for u in found)
    about = next((p.statement for p in (f.passage for f in case.reading.found)), case.title)
    return (
        f"{case.title}: {KINDS[case.program.kind]}, used from the command line. "
        f"{len(found)} requirements were found, of which the offline rules can build and test "
        f"{built}. "
        f"The first of them: {about}"
    )


def audience(case: Case) -> list[str]:
    """Those who do something in the requirements."""
    subjects = [act.subject for w in case.wanted for act in acts(w.statement)]
    people = [s for s in dict.fromkeys(subjects) if s in _PEOPLE]
    return [plural(person) if person != "staff" else person for person in people][:10] or ["users"]


_PEOPLE = frozenset(
    "member volunteer user librarian staff customer cook manager teacher student parent clerk "
    "owner player "
    "employee visitor friend administrator accountant treasurer seller nutzer benutzer "
    "mitglied kunde".split()
)


def out_of_scope(case: Case) -> list[str]:
    return list(case.reading.out_of_scope) or (
        list(case.settled.content["out_of_scope"]) if case.settled else []
    )


def assumptions(case: Case) -> list[str]:
    """What was taken for granted where nobody said anything."""
    taken = ["One person uses the program at a time, on one computer.", *case.program.notes]
    if case.reading.dropped:
        taken.append(
            f"The text says more: {case.reading.dropped} further statements were not read."
        )
    return taken


def risks(case: Case) -> list[dict]:
    missing = case.program.not_covered()
    found = [] if not missing else [_missing_risk(missing)]
    reading = "The rules read sentences, not intentions: a requirement may be misunderstood."
    return [
        *found,
        _risk(reading, "medium", "A person reads the specification before anything is built."),
    ]


def _missing_risk(missing: dict[str, str]) -> dict:
    what = f"{len(missing)} requirements are beyond the offline rules: {_listed(missing)}."
    return _risk(what, "high", "They are listed as not covered in every document, with the reason.")


def _listed(ids: Iterable[str]) -> str:
    every = list(ids)
    return ", ".join(every[:12]) + (f" and {len(every) - 12} more" if len(every) > 12 else "")


def _risk(description: str, likelihood: str, mitigation: str) -> dict:
    return {"description": description, "likelihood": likelihood, "mitigation": mitigation}


def _goals(case: Case) -> list[dict]:
    musts = [u for u in case.program.understood if u.wanted.priority == "must" and not u.refusal]
    chosen = (musts or list(case.program.understood))[:5]
    return [
        {"statement": storable(u.wanted.statement), "measure": f"Its tests pass ({u.wanted.id})."}
        for u in chosen
    ] or [{"statement": case.title, "measure": ""}]


def _milestones() -> list[dict]:
    return [
        {"name": "Specification", "outcome": "Every requirement with the words it came from."},
        {"name": "Design", "outcome": "Components, data model and the work in order."},
        {
            "name": "Program",
            "outcome": "A program with a test for each requirement that it covers.",
        },
        {"name": "Validation", "outcome": "The result of really running the tests."},
        {"name": "Launch", "outcome": "A package with fingerprints, and the release notes."},
    ]
