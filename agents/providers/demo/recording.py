"""Recorded answers for the unchanged briefs in examples/, each with a small real program.

A recording is a folder: recording.json, and the files of its program under program/.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from agents.providers.demo import documents
from agents.providers.demo.case import Case, inline

RECORDINGS = Path(__file__).resolve().parents[3] / "examples" / "recorded"
LABEL = "Recorded answer of the demo model for an example brief."
NOT_FOLLOWED = (
    "Quoted here, and nothing was changed for it: this is a recording, which cannot follow a "
    "comment. Connect a model, or change the text yourself."
)
CHANGED = "The specification says something else here than what was recorded."
# Where the label stands; elsewhere it is the summary.
FIRST_TEXT = {"system_architecture": "overview", "implementation_plan": "approach"}
LISTS_GAPS = (*FIRST_TEXT, "software_specification", "source_code")
LANGUAGES = {".py": "python", ".md": "markdown"}


@dataclass(frozen=True)
class Recording:
    folder: Path
    answers: dict[str, Any]


def recording_of(case: Case) -> Recording | None:
    """Only where no word of the brief was changed; line ends and outer space may differ.

    None where another model wrote the specification, whose requirements have other ids.
    """
    recording = _recordings().get(sha256_of(case.texts["brief", 0]))
    specification = case.specification
    if recording is None or specification is None or specification.changed_by_person:
        return recording
    is_own = specification.content["title"] == recording.answers["title"]
    return recording if is_own else None


def sha256_of(brief: str) -> str:
    return hashlib.sha256(brief.replace("\r\n", "\n").strip().encode()).hexdigest()


@cache
def _recordings() -> dict[str, Recording]:
    paths = sorted(RECORDINGS.glob("*/recording.json"))
    loaded = [Recording(path.parent, json.loads(path.read_text("utf-8"))) for path in paths]
    return {recording.answers["brief_sha256"]: recording for recording in loaded}


def play(recording: Recording, case: Case, artifact_type: str) -> dict[str, Any]:
    """The recorded content. Changes and comments of people are listed as not followed."""
    content = documents.write(case, artifact_type) | recording.answers.get(artifact_type, {})
    if artifact_type in LISTS_GAPS:
        left_out = recording.answers["left_out"].items()
        content["not_covered"] = [{"requirement": key, "reason": why} for key, why in left_out]
    if artifact_type == "software_specification":
        content |= _quoted(content, case)
    if artifact_type == "source_code":
        content |= _program(recording, case)
    if artifact_type == "agent_output":
        content["body"] += "\n\n" + "\n".join(documents.steps_of(case))
    else:
        content["title"] = recording.answers["title"]
    changed = [
        f"{material.title}, version {material.version}"
        for material in case.assignment.materials
        if material.changed_by_person
    ]
    unable = f"People changed: {'; '.join(changed)}. A recording cannot follow that."
    first_text = FIRST_TEXT.get(artifact_type, "summary")
    content[first_text] = " ".join([LABEL, *([unable] if changed else []), content[first_text]])
    return content | {"feedback": documents.feedback(case, NOT_FOLLOWED)}


def _quoted(content: dict[str, Any], case: Case) -> dict[str, Any]:
    """Where each requirement is in the brief, and which sentences have no requirement."""
    brief = case.texts["brief", 0]
    requirements, unused = [], [p for p in case.passages if p.source == "brief"]
    for requirement in content["requirements"]:
        words = (re.escape(word) for word in requirement["quote"].split())
        start, end = re.search(r"\s+".join(words), brief).span()
        quoted = [p for p in unused if start < p.end and p.start < end]
        unused = [p for p in unused if p not in quoted]
        places = dict.fromkeys([*(lead for p in quoted for lead in p.leads), (start, end)])
        spans = [
            {"source": "brief", "number": 0, "start": a, "end": b, "quote": brief[a:b]}
            for a, b in places
        ]
        kept = {key: value for key, value in requirement.items() if key != "quote"}
        requirements.append(kept | {"spans": spans})
    gaps = [f"No requirement was made of line {p.line}: “{inline(p.quote)}”" for p in unused]
    return {"requirements": requirements, "assumptions": [*content["assumptions"], *gaps]}


def _program(recording: Recording, case: Case) -> dict[str, Any]:
    """The files of the program, and which test tries which requirement: its name says it.

    Where the specification says something else than it did when this was recorded, none does.
    """
    folder = recording.folder / "program"
    paths = [path for path in sorted(folder.rglob("*.*")) if path.suffix in LANGUAGES]
    files = {str(path.relative_to(folder)): path.read_text("utf-8") for path in paths}
    tests: dict[str, list[str]] = {}
    code = "\n".join(files.values())
    for name, prefix, number in re.findall(r"def (test_([a-z]+)_(\d+)_\w+)", code):
        tests.setdefault(f"{prefix.upper()}-{number}", []).append(name)
    requirements = recording.answers["software_specification"]["requirements"]
    recorded = {requirement["id"]: requirement["statement"] for requirement in requirements}
    current = case.requirements if case.specification else []
    changed = [r["id"] for r in current if r["statement"] != recorded.get(r["id"])]
    left_out = recording.answers["left_out"] | dict.fromkeys(changed, CHANGED)
    return {
        "not_covered": [{"requirement": key, "reason": why} for key, why in left_out.items()],
        "files": [
            {"path": path, "content": text, "language": LANGUAGES[Path(path).suffix]}
            for path, text in files.items()
        ],
        "covered": [
            {"requirement": key, "tests": tests[key]} for key in tests if key not in left_out
        ],
    }
