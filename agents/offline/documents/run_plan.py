"""The plan of the run itself, and the answer to a single piece of work."""

from typing import Any

from agents.offline.case import Case
from agents.offline.documents.notes import feedback_notes
from agents.offline.documents.plan import out_of_scope, risks
from agents.offline.generators import KINDS
from agents.offline.program import one_line
from agents.offline.reading import storable
from context.schemas import AgentOutput


def agent_output(case: Case) -> AgentOutput:
    opens_a_run = case.assignment.agent_type == "orchestrator"
    body = _run_plan(case) if opens_a_run else _remarks(case)
    return AgentOutput.model_validate(
        {
            "summary": _summary(case),
            "body": "\n".join(body)[:300_000],
            "clarifications": case.clarifications,
            "feedback": feedback_notes(case),
        }
    )


def _summary(case: Case) -> str:
    program = case.program
    built = sum(not u.refusal for u in program.understood)
    return (
        f"{case.title}: {KINDS[program.kind]}. {len(program.understood)} requirements found; "
        f"the offline rules can build {built} of them."
    )


def _run_plan(case: Case) -> list[str]:
    return [
        f"# Plan of the run: {one_line(case.title)}", "", one_line(_summary(case)), "",
        "## The brief", "", *_nature(case), "",
        "## Steps", "", *_steps(case.assignment.workflow), "",
        "## Where a person decides", "", *_stops(case.assignment.workflow), "",
        "## Risks", "", *[f"- {one_line(r['description'])} "
                          f"{r['mitigation']}" for r in risks(case)], "",
        "## Not covered", "", *_missing(case), "",
        *_said(case),
    ]  # fmt: skip


def _nature(case: Case) -> list[str]:
    text = case.assignment.brief
    lines = [
        f"- {len(text)} characters, {len(text.split())} words, {len(case.reading.headings)} "
        f"headings."
    ]
    lines.append(f"- {len(case.reading.found)} statements ask for something.")
    lines += [f"- Ruled out: {one_line(s)}" for s in out_of_scope(case)[:20]]
    names = ", ".join(entity.name for entity in case.program.entities)
    return [*lines, f"- It speaks of: {names}."] if names else lines


def _steps(workflow: dict[str, Any]) -> list[str]:
    steps = _list(workflow.get("steps"))
    if not steps:
        return ["- The workflow was not handed over."]
    return [_step(number, step) for number, step in enumerate(steps, start=1)]


def _list(value: Any) -> list[dict[str, Any]]:
    """Steps as a list, whether the workflow holds a list or a mapping by id."""
    if isinstance(value, dict):
        return [{"id": key, **step} for key, step in value.items() if isinstance(step, dict)]
    return [step for step in value or [] if isinstance(step, dict)]


def _step(number: int, step: dict[str, Any]) -> str:
    made = ", ".join(_words(step.get("creates"))) or "nothing by itself"
    needs = ", ".join(_words(step.get("needs"))) or "nothing"
    who = step.get("agent") or step.get("agent_type") or "an agent"
    return (
        f"{number}. **{step.get('id', '?')}** ({step.get('phase', '?')}): {who} makes "
        f"{made}; needs {needs}.{_loop(step)}"
    )


def _loop(step: dict[str, Any]) -> str:
    loop = step.get("on_fail")
    if not isinstance(loop, dict):
        return ""
    return (
        f" On failure back to {loop.get('rewind_to')}, {loop.get('max_rounds')} rounds at "
        f"most, then a person."
    )


def _words(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value or []]


def _stops(workflow: dict[str, Any]) -> list[str]:
    gated = [step for step in _list(workflow.get("steps")) if step.get("gate")]
    lines = [f"- **{step.get('id')}**: {_gate(step['gate'])}" for step in gated]
    return [*lines, "- Whenever an agent has a question, or work fails for good.",
            "- The oversight level of the project decides which of these gates are "
            "kept."]  # fmt: skip


def _gate(gate: Any) -> str:
    return {"plan": "the plan is approved", "result": "the result is approved"}.get(
        str(gate), str(gate)
    )


def _missing(case: Case) -> list[str]:
    asked = {u.wanted.id: u.wanted.statement for u in case.program.understood}
    missing = case.program.not_covered()
    return [f"- {key}: {one_line(asked[key])} ({why})" for key, why in missing.items()] or [
        "- Nothing."
    ]


def _said(case: Case) -> list[str]:
    if not case.clarifications:
        return []
    answers = [f"- {one_line(c['answer'])}" for c in case.clarifications]
    return ["## Answers taken into account", "", *answers]


def _remarks(case: Case) -> list[str]:
    """What fixed rules can say about a free instruction: what they were given, and what it asks."""
    asked = one_line(storable(case.assignment.instructions)) or "(no instructions)"
    lines = [f"# {one_line(case.title)}", "", f"Asked: {asked}", ""]
    lines += [
        "The offline rules do not understand free instructions. This is what they can say:",
        "",
    ]
    lines += _nature(case)
    handed = [
        f"- Handed over: {m.artifact_type} version {m.version}, {one_line(m.title)}"
        for m in case.assignment.materials
    ]
    return [*lines, *handed, "", "## Not covered", "", *_missing(case)]
