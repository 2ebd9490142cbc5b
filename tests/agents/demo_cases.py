"""Runs the roles over the demo model, as the engine would, without an engine."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from agents.protocols import Answer, Assignment, Material, Output
from agents.providers.demo import DemoModel
from agents.role import role_for

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.md"))
STEPS = (
    ("orchestrate", "orchestrator", ("agent_output",)),
    ("project_plan", "analyst", ("project_plan",)),
    ("specification", "analyst", ("software_specification",)),
    ("architecture", "architect", ("system_architecture",)),
    ("implementation_plan", "architect", ("implementation_plan",)),
    ("build", "coder", ("source_code",)),
)
WORKFLOW = {
    "steps": [
        {"id": step, "phase": "design", "agent": agent, "creates": list(made), "gate": "plan"}
        for step, agent, made in STEPS
    ]
}


def assignment(step: str, *, brief: str = "", **given) -> Assignment:
    agent, expected = next((a, e) for s, a, e in STEPS if s == step)
    values = {"project_name": "Project", "phase": "", "round": 1, "instructions": ""}
    known = {"agent_type": agent, "expected": expected, "workflow": WORKFLOW}
    return Assignment(**(values | known | {"step": step, "brief": brief} | given))


def work(step: str, **given):
    """What the role of a step makes of its assignment."""
    asked = assignment(step, **given)
    return role_for(asked.agent_type).run(asked, DemoModel())


def content(step: str, **given) -> dict:
    return work(step, **given).outputs[0].content


def material(output: Output, *, version: int = 1, changed_by_person: bool = False) -> Material:
    return Material(
        f"id-{output.artifact_type}", version, output.artifact_type, output.title, output.content,
        "0" * 64, "agent", "step", changed_by_person, changed_by_person,
    )  # fmt: skip


def handed(artifact_type: str, content: dict, **given) -> Material:
    return material(Output(artifact_type, artifact_type, content), **given)


def pipeline(
    brief: str, *, answers: Sequence[Answer] = (), feedback: Mapping[str, Sequence[str]] = {}
):
    """The contents of all steps up to the source code, by artifact type."""
    materials: list[Material] = []
    for step, _, _ in STEPS:
        told = tuple(feedback.get(step, ()))
        outcome = work(
            step, brief=brief, materials=tuple(materials), answers=tuple(answers), feedback=told
        )
        materials += [material(output) for output in outcome.outputs]
    return {made.artifact_type: made for made in materials}


def write(source_code: dict, folder: Path) -> None:
    for file in source_code["files"]:
        path = folder / file["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file["content"], encoding="utf-8")


def run(folder: Path, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_tests(folder: Path) -> subprocess.CompletedProcess:
    return run(folder, "-m", "unittest", "discover", "-s", "tests")
