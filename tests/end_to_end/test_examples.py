"""Briefs go through all steps; a person approves."""

import subprocess
import sys
from pathlib import Path

import pytest

from agents.models import TaskAttempt
from context.models import Artifact, ArtifactVersion
from hitl.models import Decision, HitlRequest
from orchestrator.engine.export import export_files
from tests.live import eventually
from tests.scenes import (
    approve_all,
    decide_as,
    hand_in,
    pending_request,
    work_and_approve_all,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("whole_logs")]

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.md"))
ALL_TYPES = {
    "user_input",
    "agent_output",
    "project_plan",
    "software_specification",
    "system_architecture",
    "implementation_plan",
    "source_code",
    "test_results",
    "deployment_package",
    "deployment_log",
}


def content_of(project, artifact_type: str) -> dict:
    artifact = Artifact.objects.get(project=project, artifact_type=artifact_type)
    return artifact.versions.get(number=artifact.accepted_version).content


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_to_its_end(owner, example, tmp_path):
    project = hand_in(owner, example.read_text())

    assert work_and_approve_all(project, owner) == "completed"

    made = ArtifactVersion.objects.filter(artifact__project=project).exclude(source_agent="")
    results = content_of(project, "test_results")
    artifacts = Artifact.objects.filter(project=project)
    assert set(artifacts.values_list("artifact_type", flat=True)) == ALL_TYPES
    assert not artifacts.filter(accepted_version=None).exists()
    assert set(made.values_list("provider", flat=True)) == {"demo"}
    assert (results["exit_code"], results["passed"]) == (0, True)
    assert results["counts"]["run"] == results["counts"]["passed"] > 0
    left_out = [item for item in results["coverage"] if item["status"] != "passed"]
    assert [item["reason"].split(":")[0] for item in left_out] == ["Left out"]
    assert len(results["tests"]) == results["counts"]["run"]
    assert results["problems"] == []
    assert results["isolation"]
    assert Decision.objects.filter(action="approve", decided_by=owner).count() == 8
    assert set(TaskAttempt.objects.values_list("outcome", flat=True)) == {"completed"}
    run_exported_tests(project, tmp_path)


def run_exported_tests(project, folder: Path) -> None:
    """What was exported is a tree of files that runs where it is unpacked."""
    for name, data in export_files(project):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    _, *arguments = content_of(project, "source_code")["test_command"]
    source = folder / "artifacts" / "build" / "source"
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=source, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


GERMAN = """# Werkzeugschuppen

Nachbarn leihen sich Werkzeuge, z. B. Leitern, bis zu vier auf einmal. Was fehlt, wird gemahnt.

## Nicht nötig
- Eine App
"""
BULLETS = "- users log in\n- users log out\n- export to CSV\n"


@pytest.mark.parametrize("brief", [GERMAN, BULLETS, "我们需要一个借书程序。成员可以借五本书。"])
def test_an_unseen_brief_runs_to_its_end_and_nothing_of_it_is_said_to_be_tested(
    owner, brief, tmp_path
):
    project = hand_in(owner, brief)

    assert work_and_approve_all(project, owner) == "completed"

    made = ArtifactVersion.objects.filter(artifact__project=project).exclude(source_agent="")
    specification = content_of(project, "software_specification")
    results = content_of(project, "test_results")
    number = len(specification["requirements"])
    assert set(made.values_list("provider", flat=True)) == {"demo"}
    assert all("demo" in str(version.content) for version in made)
    assert results["passed"] is False
    assert {item["status"] for item in results["coverage"]} == {"not_covered"}
    assert len(results["coverage"]) == results["counts"]["skipped"] == number
    assert results["summary"].startswith(f"0 of {number} requirements are tested.")
    assert content_of(project, "deployment_package")["tests"]["summary"] == results["summary"]
    run_exported_tests(project, tmp_path)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("worker")
def test_a_brief_that_says_too_little_becomes_a_question_and_the_answer_goes_on(owner):
    project = hand_in(owner, "Make an app.", oversight_level="low")
    request = eventually(lambda: pending_request(project))
    answer = "Members of a club lend tents. Staff must be able to add tents and to list late loans."

    decide_as(owner, request, "answer", content=answer)

    assert approve_all(project, owner) == "completed"
    assert request.kind == "clarification"
    assert HitlRequest.objects.filter(project=project).count() == 1
    specification = str(content_of(project, "software_specification")).lower()
    assert "tent" in specification
    assert "late loans" in specification
