"""Artifact contents for people (Markdown) and for the export (files).

Everything that is shown as prose was written by people or models, so it is made harmless: it can
neither become HTML nor leave the place in the document where it stands.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from context.markdown_fences import closed
from context.parts.splitter import is_file

Content = dict[str, Any]
Rendered = TypeVar("Rendered")
# A test that was skipped has shown nothing.
RESULTS = {"not_run": "not tested", "not_covered": "not tested"}
_SPECIAL = re.compile(r"([\\`*_\[\]#|~])")


def render_markdown(artifact_type: str, content: Content) -> str:
    """The content as a Markdown document; as JSON what is of no known type or older than it."""
    lines = _if_it_fits(_document, artifact_type, content) or _as_json(content)
    return "\n".join(lines).rstrip() + "\n"


def as_files(artifact_type: str, content: Content) -> dict[str, bytes | str]:
    """The content as files by relative path: real source files, else Markdown and JSON."""
    document = render_markdown(artifact_type, content)
    files: dict[str, bytes | str] = {f"{artifact_type}.md": document}
    files[f"{artifact_type}.json"] = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    return files | (_if_it_fits(_own_files, artifact_type, content) or {})


def program_files(content: Content) -> list[Content]:
    """The files of a program, each with path and content as text; none if they are not so."""
    files = content.get("files")
    return files if isinstance(files, list) and all(map(is_file, files)) else []


def _if_it_fits(
    render: Callable[[str, Content], Rendered], artifact_type: str, content: Content
) -> Rendered | None:
    """Versions are kept for good, so one may be older than its schema; None for such."""
    try:
        return render(artifact_type, content)
    except (AttributeError, KeyError, TypeError):
        return None


def _document(artifact_type: str, content: Content) -> list[str]:
    return [*_RENDERERS.get(artifact_type, _as_json)(content), *_common(content)]


def _own_files(artifact_type: str, content: Content) -> dict[str, str]:
    """What the content is made for, beside its description."""
    if artifact_type == "source_code":
        return {f"source/{file['path']}": file["content"] for file in program_files(content)}
    if artifact_type == "deployment_package":
        sums = (f"{file['sha256']}  {file['path']}\n" for file in content["files"])
        return {"SHA256SUMS": "".join(sums)}
    return {}


def plain(text: Any) -> str:
    """Text in one line that Markdown shows as it is."""
    line = " ".join(str(text).split())
    return (
        _SPECIAL.sub(r"\\\1", line).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    )


def fenced(text: str, language: str = "") -> list[str]:
    """Text as a code block that nothing inside it can close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{re.sub(r'[^a-z0-9+-]', '', language.lower())}", text.rstrip("\n"), fence, ""]


def _title(content: Content, kind: str) -> list[str]:
    return [f"# {kind}: {plain(content['title'])}", ""]


def _section(heading: str, lines: list[str]) -> list[str]:
    return [f"## {heading}", "", *lines, ""] if lines else []


def _bullets(items: list[Any]) -> list[str]:
    return [f"- {plain(item)}" for item in items]


def _table(names: list[str], rows: list[list[Any]]) -> list[str]:
    if not rows:
        return []
    head = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    return head + [f"| {' | '.join(plain(cell) for cell in row)} |" for row in rows]


def _common(content: Content) -> list[str]:
    """What most contents have: gaps, answers and what became of comments."""
    reasons: dict[str, list[str]] = {}
    for item in content.get("not_covered") or []:
        reasons.setdefault(item["reason"], []).append(item["requirement"])
    missing = [[", ".join(ids), reason] for reason, ids in reasons.items()]
    answers = [
        f"- {plain(' / '.join(c['questions'])) or 'Remark'}: {plain(c['answer'])}"
        for c in content.get("clarifications") or []
    ]
    notes = [
        f"- {plain(n['comment'])} ({'honoured' if n['honoured'] else 'not honoured'}: "
        f"{plain(n['response'])})"
        for n in content.get("feedback") or []
    ]
    return [
        *_section("Not covered", _table(["Requirements", "Reason"], missing)),
        *_section("Answers taken into account", answers),
        *_section("What became of comments", notes),
    ]


def _as_json(content: Content) -> list[str]:
    return fenced(json.dumps(content, indent=2, ensure_ascii=False), "json")


def _user_input(content: Content) -> list[str]:
    return ["# Brief", "", *fenced(content["text"], "text")]


def _project_plan(content: Content) -> list[str]:
    goals = [f"- {plain(g['statement'])} {plain(g['measure'])}".rstrip() for g in content["goals"]]
    milestones = [f"- **{plain(m['name'])}**: {plain(m['outcome'])}" for m in content["milestones"]]
    risks = [[r["description"], r["likelihood"], r["mitigation"]] for r in content["risks"]]
    return [
        *_title(content, "Project plan"),
        plain(content["summary"]),
        "",
        *_section("Goals", goals),
        *_section("For whom", _bullets(content["audience"])),
        *_section("In scope", _bullets(content["in_scope"])),
        *_section("Out of scope", _bullets(content["out_of_scope"])),
        *_section("Milestones", milestones),
        *_section("Risks", _table(["Risk", "Likelihood", "What is done"], risks)),
        *_section("Assumptions", _bullets(content["assumptions"])),
    ]


def _specification(content: Content) -> list[str]:
    requirements = [line for r in content["requirements"] for line in _requirement(r)]
    return [
        *_title(content, "Software specification"),
        plain(content["summary"]),
        "",
        *_section("Actors", _bullets(content["actors"])),
        *_section("Requirements", requirements),
        *_section("Out of scope", _bullets(content["out_of_scope"])),
        *_section("Assumptions", _bullets(content["assumptions"])),
    ]


def _requirement(item: Content) -> list[str]:
    where = [
        f"{plain(s['source'])} {s['start']} to {s['end']}: “{plain(s['quote'])}”"
        for s in item["spans"]
    ]
    return [
        f"### {plain(item['id'])} {plain(item['title'])}",
        "",
        f"{plain(item['statement'])} ({_sort(item)})",
        "",
        *_bullets(item["acceptance_criteria"]),
        *[f"- From the {span}" for span in where],
        "",
    ]


def _sort(item: Content) -> str:
    if item["kind"] == item["priority"] == "undecided":
        return "kind and priority undecided"
    return f"{plain(item['kind'])}, {plain(item['priority'])}"


def _architecture(content: Content) -> list[str]:
    parts = [
        [c["name"], c["responsibility"], ", ".join(c["requirements"]), ", ".join(c["depends_on"])]
        for c in content["components"]
    ]
    decisions = [f"- **{plain(d['title'])}**: {plain(d['reason'])}" for d in content["decisions"]]
    return [
        *_title(content, "System architecture"),
        plain(content["overview"]),
        "",
        *_section("Components", _table(["Component", "Duty", "Requirements", "Uses"], parts)),
        *_section("Data", [line for entity in content["data_model"] for line in _entity(entity)]),
        *_section("Interfaces", _bullets(content["interfaces"])),
        *_section("Decisions", decisions),
    ]


def _entity(entity: Content) -> list[str]:
    rows = [
        [
            f["name"],
            f["type"],
            "yes" if f["required"] else "",
            "yes" if f["unique"] else "",
            ", ".join(f["choices"]),
        ]
        for f in entity["fields"]
    ]
    return [
        f"### {plain(entity['name'])}",
        "",
        *_table(["Field", "Type", "Required", "Unique", "Values"], rows),
        "",
    ]


def _implementation_plan(content: Content) -> list[str]:
    rows = [
        [
            i["number"],
            i["title"],
            i["detail"],
            ", ".join(i["files"]),
            ", ".join(i["requirements"]),
            ", ".join(map(str, i["needs"])),
        ]
        for i in content["items"]
    ]
    return [
        *_title(content, "Implementation plan"),
        plain(content["approach"]),
        "",
        *_section(
            "Work", _table(["No.", "Item", "Detail", "Files", "Requirements", "Needs"], rows)
        ),
        *_section("Tests", [plain(content["test_strategy"])]),
    ]


def _source_code(content: Content) -> list[str]:
    covered = [[c["requirement"], ", ".join(c["tests"])] for c in content["covered"]]
    command = " ".join(content["test_command"]) or "(no tests)"
    return [
        *_title(content, "Source code"),
        plain(content["summary"]),
        "",
        f"Start: {plain(content['entry_point'])}. Tests: {plain(command)}",
        "",
        *_section("Tests by requirement", _table(["Requirement", "Tests"], covered)),
        *_section("Notes", _bullets(content["notes"])),
        *[line for file in content["files"] for line in _file(file)],
    ]


def _file(file: Content) -> list[str]:
    return [f"## {plain(file['path'])}", "", *fenced(file["content"], file["language"])]


def tested_of(coverage: Sequence[Content]) -> str:
    """How many requirements a test has exercised, whatever came of it."""
    tested = sum(item["status"] in ("passed", "failed") for item in coverage)
    failed = sum(item["status"] == "failed" for item in coverage)
    verb = "is" if len(coverage) == 1 else "are"
    word = "requirement" if len(coverage) == 1 else "requirements"
    text = f"{tested} of {len(coverage)} {word} {verb} tested"
    return f"{text}, {failed} of them failed." if failed else f"{text}."


def _test_results(content: Content) -> list[str]:
    coverage = [
        [c["requirement"], RESULTS.get(c["status"], c["status"]), c["reason"]]
        for c in content["coverage"]
    ]
    kept_apart = [f"- {plain(key)}: {plain(value)}" for key, value in content["isolation"].items()]
    failures = [
        line
        for f in content["failures"]
        for line in (f"### {plain(f['name'])}", "", *fenced(f["detail"]))
    ]
    return [
        f"# Test results: {tested_of(content['coverage']).rstrip('.')}",
        "",
        plain(content["summary"]),
        "",
        f"Command: {plain(content['command']) or '(nothing ran)'}. Exit code: "
        f"{content['exit_code']}. "
        f"Time: {content['duration_ms']} "
        f"ms.{' It ran out of time.' if content['timed_out'] else ''}",
        "",
        *_section("By requirement", _table(["Requirement", "Result", "Reason"], coverage)),
        *_section("Failures", failures),
        *_section("Output", fenced(content["output"]) if content["output"] else []),
        *_section("Isolation", kept_apart),
    ]


def _deployment_package(content: Content) -> list[str]:
    rows = [[f["path"], f["size_bytes"], f["sha256"]] for f in content["files"]]
    return [
        *_title(content, "Deployment package"),
        f"Version {plain(content['version'])}. SHA-256 of the whole: {plain(content['checksum'])}. "
        f"Packed from version {content['source']['version']} of the source code.",
        "",
        plain(content["tests"]["summary"]),
        "",
        *_section(
            "How to run", [f"{n}. {plain(s)}" for n, s in enumerate(content["how_to_run"], start=1)]
        ),
        *_section("Needs", _bullets(content["requires"])),
        *_section("Files", _table(["Path", "Bytes", "SHA-256"], rows)),
    ]


def _deployment_log(content: Content) -> list[str]:
    rows = [[e["action"], e["status"], e["detail"]] for e in content["entries"]]
    return [
        *_title(content, "Deployment log"),
        plain(content["summary"]),
        "",
        *_section("Steps", _table(["Step", "Status", "Detail"], rows)),
        *_section("Release notes", [without_html(content["release_notes"])]),
        *_section("Way back", _bullets(content["rollback"])),
    ]


def _agent_output(content: Content) -> list[str]:
    return [f"> {plain(content['summary'])}", "", without_html(content["body"]), ""]


def _hitl_response(content: Content) -> list[str]:
    asked = _section("Questions", _bullets(content["questions"]))
    who = f" ({plain(content['answered_by'])})" if content["answered_by"] else ""
    return ["# Response", "", *asked, f"## Answer{who}", "", *fenced(content["answer"], "text")]


def without_html(markdown: str) -> str:
    """Markdown that a model wrote: formatting kept, HTML shown as text, no picture loaded.

    What is left open in it is closed, so that it cannot hide what follows.
    """
    escaped = re.sub(r"&(?!lt;|gt;|amp;)", "&amp;", markdown)
    return closed(escaped.replace("<", "&lt;").replace("![", "!\\[")).rstrip("\n")


_RENDERERS: dict[str, Callable[[Content], list[str]]] = {
    "user_input": _user_input,
    "project_plan": _project_plan,
    "software_specification": _specification,
    "system_architecture": _architecture,
    "implementation_plan": _implementation_plan,
    "source_code": _source_code,
    "test_results": _test_results,
    "deployment_package": _deployment_package,
    "deployment_log": _deployment_log,
    "agent_output": _agent_output,
    "hitl_response": _hitl_response,
}
