"""The release notes, and what people have to do."""

from agents.offline.case import Case
from agents.offline.documents.notes import feedback_notes
from agents.offline.program import one_line
from context.schemas import DeploymentLog


def deployment_log(case: Case) -> DeploymentLog:
    code = case.assignment.newest("source_code")
    missing = code.content["not_covered"] if code else []
    covered = code.content["covered"] if code else []
    return DeploymentLog.model_validate(
        {
            "title": case.title,
            "version": "1.0.0",
            "summary": f"{case.title} is packed: {len(covered)} requirements covered, "
                       f"{len(missing)} not.",
            "release_notes": "\n".join(_notes(case, covered, missing))[:20_000],
            "entries": _planned(),
            "rollback": ["Keep the package of the version "
                         "before.", "Copy its files back over these.",
                         "The records stay in their own file; make a copy of it before each "
                         "change of version."],
            "not_covered": missing,
            "feedback": feedback_notes(case),
        }
    )  # fmt: skip


def _notes(case: Case, covered: list[dict], missing: list[dict]) -> list[str]:
    said = {wanted.id: one_line(wanted.statement) for wanted in case.wanted}
    lines = ["## What it does", ""]
    lines += [f"- {said.get(c['requirement'], '')} ({c['requirement']})" for c in covered]
    lines += ["", "## What it does not do", ""]
    lines += [
        f"- {said.get(n['requirement'], '')} ({n['requirement']}): {n['reason']}" for n in missing
    ]
    return lines if missing else [*lines, "- Nothing that was asked for is missing."]


def _planned() -> list[dict]:
    steps = (
        (
            "Copy the files",
            "Copy the package to a folder of its own on the computer that is to run it.",
        ),
        ("Check the fingerprints", "Run sha256sum -c SHA256SUMS in that folder."),
        ("Run the tests there", "Run the test command of the README once."),
        ("Hand it to those who will use it", "Show them python3 main.py --help."),
    )
    return [{"action": action, "status": "planned", "detail": detail} for action, detail in steps]
