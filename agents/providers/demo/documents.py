"""What the demo model writes: quotes with their places, and plainly what is not built."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.providers import CONNECT
from agents.providers.demo.case import NOT_BUILT, Case, count, inline, listed

Content = dict[str, Any]

TEXTS = tomllib.loads(Path(__file__).with_name("documents.toml").read_text(encoding="utf-8"))
WORDS: dict[str, str] = TEXTS.pop("words") | {"connect": CONNECT}
SKELETON: dict[str, str] = TEXTS.pop("skeleton")
SECTION: dict[str, Content] = TEXTS.pop("section")
SKIPPED_TEST = f'''\
    @unittest.skip("{NOT_BUILT}")
    def test_NAME(self):
        self.fail("nobody has written this test")
'''
NOT_FOLLOWED = (
    "Quoted here, and nothing was changed for it: the demo model cannot carry out a comment. "
    "Connect a model, or change the text yourself."
)


def write(case: Case, artifact_type: str) -> Content:
    """The content of a type. Raises KeyError for one that no model writes."""
    content = _filled(TEXTS[artifact_type], _words(case))
    if artifact_type == "agent_output":
        is_run = case.assignment.agent_type == "orchestrator"
        content["body"] = "\n".join(_run_plan(case) if is_run else _remarks(case))[:300_000]
    else:
        content["title"] = case.title
    if artifact_type == "project_plan":
        content["assumptions"] += [f"“{s.name}”: {listed(s.ids)}." for s in case.sections]
    if artifact_type == "software_specification":
        content["requirements"] = case.requirements
    if artifact_type == "system_architecture":
        content["components"] += _each_section(case, "component")
        content["not_covered"] = _missing(case, WORDS["not_designed"])
    if artifact_type == "implementation_plan":
        items = [*content["items"], *_each_section(case, "work_item")]
        content["items"] = [item | {"number": n} for n, item in enumerate(items, start=1)]
    if artifact_type == "source_code":
        content["files"] = _skeleton(case)
    if artifact_type in ("implementation_plan", "source_code"):
        content["not_covered"] = _missing(case, NOT_BUILT)
    if artifact_type == "deployment_log":
        content["release_notes"] = "\n".join(_release_notes(case))[:20_000]
    if artifact_type in ("agent_output", "project_plan", "software_specification"):
        content["clarifications"] = case.clarifications
    return content | {"feedback": feedback(case, NOT_FOLLOWED)}


def feedback(case: Case, response: str) -> list[Content]:
    """The comments of people, quoted, and that nothing was changed for them."""
    entry = {"honoured": False, "response": response}
    return [{"comment": comment} | entry for comment in case.comments]


def figures(case: Case) -> str:
    if case.specification:
        return f"{count(len(case.ids), 'requirement')} as specified: {listed(case.ids)}."
    return (
        f"{count(len(case.passages), 'sentence')} in {count(len(case.sections), 'section')}, "
        f"each quoted with its place: {listed(case.ids)}. None is left out."
    )


def _words(case: Case) -> dict[str, str]:
    results = case.assignment.newest("test_results")
    is_shared = len(case.passages) > len(case.requirements)
    return WORDS | {
        "title": case.title,
        "figures": figures(case),
        "shared": "Neighbours share one, for the text is long." if is_shared else "",
        "every": listed(case.ids),
        "first": next(iter(case.ids), ""),
        "not_built": NOT_BUILT,
        "results": results.content["summary"] if results else "No test results were handed over.",
    }


def _filled(template: Any, words: Mapping[str, str]) -> Any:
    """The template with the words put in."""
    if isinstance(template, dict):
        return {key: _filled(value, words) for key, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, words) for value in template]
    return template.format_map(words).strip() if isinstance(template, str) else template


def _skeleton(case: Case) -> list[Content]:
    """Files of a program that starts and lists what is to be built, with a skipped test of each."""
    requirements = [
        {key: r[key] for key in ("id", "title", "statement")} for r in case.requirements
    ]
    content = {"title": case.title, "requirements": requirements}
    data = json.dumps(content, ensure_ascii=False, indent=2)
    names = (key.lower().replace("-", "_") for key in case.ids)
    files = SKELETON | {"requirements.json": data + "\n"}
    words = {"title": inline(case.title), "number": count(len(requirements), "requirement")}
    files["README.md"] = files["README.md"].format(**words, first=case.ids[0])
    files["tests/test_requirements.py"] += "\n".join(SKIPPED_TEST.replace("NAME", n) for n in names)
    kinds = {"py": "python", "md": "markdown", "json": "json"}
    return [
        {"path": path, "content": text, "language": kinds[path.rpartition(".")[2]]}
        for path, text in files.items()
    ]


def _each_section(case: Case, name: str) -> list[Content]:
    """The template filled once for each section of the brief."""
    return [
        _filled(SECTION[name], WORDS | {"number": number, "section": section.name[:200],
                                        "ids": listed(section.ids)})
        | {"requirements": list(section.ids)}
        for number, section in enumerate(case.sections, start=1)
    ]  # fmt: skip


def _missing(case: Case, reason: str) -> list[Content]:
    return [{"requirement": key, "reason": reason} for key in case.ids]


def _release_notes(case: Case) -> list[str]:
    """Only what a test has tried successfully is listed as what the program does."""
    statements = {r["id"]: inline(r["statement"]) for r in case.requirements}
    results = case.assignment.newest("test_results")
    coverage = results.content["coverage"] if results else []
    tested, others = [], []
    for entry in coverage:
        line = f"- {entry['requirement']}: {statements.get(entry['requirement'], '')}"
        if entry["status"] == "passed":
            tested.append(line)
        else:
            others.append(f"{line} ({inline(entry['reason'])})")
    return [
        *("## What its tests have tried, with success", "", *(tested or ["- Nothing."]), ""),
        *("## What is not built or not tested", "", *(others or ["- Nothing is listed."])),
    ]


def _run_plan(case: Case) -> list[str]:
    lines = [f"# Plan of the run: {inline(case.title)}", "", WORDS["label"], "", figures(case), ""]
    lines += ["## The brief, section by section", ""]
    lines += [f"- {inline(section.name)}: {listed(section.ids)}" for section in case.sections]
    lines += ["", "## Risks", "", f"- Nothing of this will be built. {WORDS['connect']}"]
    answers = [f"- {inline(reply['answer'])}" for reply in case.clarifications]
    lines += ["", "## Answers, as given", "", *answers] if answers else []
    return [*lines, "", *steps_of(case)]


def steps_of(case: Case) -> list[str]:
    """The steps of the pinned workflow, whatever it is."""
    steps = case.assignment.workflow.get("steps") or []
    if isinstance(steps, dict):
        steps = [step | {"id": key} for key, step in steps.items()]
    lines = ["## Steps", ""]
    for number, step in enumerate(steps, start=1):
        creates = ", ".join(step.get("creates") or []) or "nothing"
        needs = ", ".join(step.get("needs") or []) or "nothing"
        agent = step.get("agent") or step.get("agent_type") or "an agent"
        gate = f" A person decides on the {step['gate']}." if step.get("gate") else ""
        lines.append(f"{number}. **{step['id']}**: {agent} makes {creates}; needs {needs}.{gate}")
    return [*lines, "", "The oversight level of the project says which decisions people take."]


def _remarks(case: Case) -> list[str]:
    """The answer to a free instruction: that it was read, and with which materials."""
    instructions = inline(case.assignment.instructions) or "(no instructions)"
    materials = [
        f"- {material.artifact_type}, version {material.version}: {inline(material.title)}"
        for material in case.assignment.materials
    ]
    return [
        *(f"# {inline(case.title)}", "", f"Asked: {instructions}", ""),
        *(f"{WORDS['label']} It cannot follow an instruction. It was given:", ""),
        *(f"- The brief: {figures(case)}", *materials, "", WORDS["connect"]),
    ]
