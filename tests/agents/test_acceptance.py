"""The tester's own tests, programs in other languages, and agents that read the store."""

from dataclasses import replace

import pytest

from agents.acceptance import AcceptanceTests, own_tests_of
from agents.models import ToolUse
from agents.protocols import Assignment, Completed, Output, OwnTests, Reply, Usage
from agents.role import role_for
from agents.selectors import workspace_of
from agents.services import finish_task
from agents.worker.run import run
from audit.actors import Actor
from context.models import Artifact, Derivation
from context.services import upload_file
from tests.agents.demo_cases import content, handed
from tests.agents.test_roles import CODE
from tests.agents.test_tools import server, speaks
from tests.openai_server import call
from tests.scenes import USAGE, WORKER, claim, current, do, first_task, started, work

__all__ = ["server", "speaks"]

PLANNED = """
name: planned
version: 1
title: Plan
steps:
  - {id: plan, title: Plan, phase: plan, agent: analyst, creates: [agent_output],
     instructions: Plan it.}
"""

SPECIFICATION = {"requirements": [{"id": "FR-1", "statement": "It adds."}]}
RIGHT = """import subprocess
import sys
import unittest


class AddingTest(unittest.TestCase):
    def test_fr_1_adds(self):
        command = [sys.executable, "-c", "from main import add; print(add(2, 3))"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=20)
        self.assertEqual(run.stdout.strip(), "5")
"""
WRONG = RIGHT.replace('"5"', '"6"')


class WritesTests:
    """A model at the edge that hands in these acceptance tests."""

    takes_tools = True

    def __init__(self, text, path="acceptance/test_adding.py"):
        self.files = [{"path": path, "content": text}]

    def produce(self, assignment, *, artifact_type, output_type, instructions):
        self.assignment, self.output_type = assignment, output_type
        covered = [{"requirement": "FR-1", "tests": ["test_fr_1_adds"]}]
        content = {"files": self.files, "covered": covered}
        return Reply(AcceptanceTests.model_validate(content), Usage("paid", "m", 1, 100, 20))


def judge(model, code=CODE, **more):
    materials = (handed("software_specification", SPECIFICATION), handed("source_code", code))
    given = Assignment("P", "tester", "test", "validate", 1, "", "B", ("test_results",), materials)
    given = replace(given, **more)
    return role_for("tester").run(given, model)


def test_both_suites_are_run_and_reported_apart():
    outcome = judge(WritesTests(RIGHT))

    content = outcome.outputs[0].content
    assert (outcome.verdict, content["counts"]["run"]) == ("pass", 1)
    assert [test["file"] for test in content["tests"]] == ["tests/test_add.py"]
    own = content["acceptance"]
    assert [test["file"] for test in own["tests"]] == ["acceptance/test_adding.py"]
    assert (own["passed"], own["requirements"]) == (True, ["FR-1"])
    assert "The tester's own tests, of 1 of 1 requirements" in content["summary"]
    assert outcome.usage.calls == 1


def test_a_failure_of_either_is_a_failure_and_the_coder_sees_no_text_of_it():
    outcome = judge(WritesTests(WRONG))

    own = outcome.outputs[0].content["acceptance"]
    assert (outcome.verdict, own["passed"]) == ("fail", False)
    assert own["failures"][0]["detail"] == "AssertionError: '5' != '6'"
    assert outcome.outputs[0].content["passed"] is True
    assert outcome.files == {"acceptance/test_adding.py": WRONG}


def test_the_tester_is_not_shown_the_program():
    model = WritesTests(RIGHT)
    judge(model)

    shown = model.assignment.newest("source_code").content
    assert shown["files"] == ["main.py", "tests/test_add.py"]
    assert "return a + b" not in str(model.assignment.materials)


def test_what_is_no_test_decides_nothing():
    outcome = judge(WritesTests("x = 1\n", path="main.py"))

    own = outcome.outputs[0].content["acceptance"]
    assert (outcome.verdict, own["passed"], own["tests"]) == ("pass", False, [])
    assert "wrote no tests of its own" in own["summary"]


def test_where_its_own_tests_broke_off_a_person_decides(monkeypatch):
    monkeypatch.setattr("agents.acceptance.TIMEOUT_SECONDS", 0.5)

    outcome = judge(
        WritesTests(
            RIGHT.replace("import unittest", "import time\nimport unittest\n\ntime.sleep(600)")
        )
    )

    own = outcome.outputs[0].content["acceptance"]
    assert (outcome.verdict, own["passed"], own["counts"]["failed"]) == ("", False, 0)
    assert own["problems"]


def test_a_requirement_whose_test_is_not_there_is_not_said_to_be_checked():
    outcome = judge(WritesTests(RIGHT.replace("test_fr_1_adds", "test_something_else")))

    own = outcome.outputs[0].content["acceptance"]
    assert (own["passed"], own["requirements"]) == (True, [])
    assert "of 0 of 1 requirements" in own["summary"]


def test_tests_in_another_language_are_never_called_passed():
    missing = CODE | {"test_command": ["no-such-runtime", "--test"]}
    outcome = judge(object(), missing)

    content = outcome.outputs[0].content
    assert (outcome.verdict, content["passed"], content["exit_code"]) == ("", False, 127)
    assert "could not be run: no-such-runtime is not in the sandbox" in content["summary"]
    assert {item["status"] for item in content["coverage"]} <= {"not_run", "not_covered"}
    for command, verdict in (["true"], ""), (["false"], "fail"):
        outcome = judge(object(), CODE | {"test_command": command})
        assert (outcome.verdict, outcome.outputs[0].content["passed"]) == (verdict, False)


def test_tests_of_the_round_before_count_again_unless_a_person_has_commented():
    model = WritesTests(WRONG)
    own_tests = OwnTests({"acceptance/test_adding.py": RIGHT}, ("FR-1",))

    again = judge(model, own_tests=own_tests)

    own = again.outputs[0].content["acceptance"]
    assert (own["passed"], own["requirements"], again.usage.calls) == (True, ["FR-1"], 0)
    assert "those of the round before" in own["summary"]
    assert again.files == own_tests.files
    anew = judge(model, own_tests=own_tests, feedback=("Five is wrong.",))
    assert (anew.outputs[0].content["acceptance"]["passed"], anew.usage.calls) == (False, 1)


JUDGED = """
name: judged
version: 1
title: Write and judge
steps:
  - {id: specify, title: Specify, phase: plan, agent: analyst, creates: [software_specification],
     instructions: Specify it.}
  - {id: build, title: Build, phase: build, agent: coder, needs: [specify],
     requires: [software_specification], creates: [source_code], instructions: Build it.}
  - {id: test, title: Test, phase: validate, agent: tester, needs: [build],
     requires: [software_specification, source_code], creates: [test_results],
     instructions: Test it., on_fail: {rewind_to: build, max_rounds: 2}}
"""


@pytest.mark.django_db(transaction=True)
def test_only_another_program_for_the_same_specification_meets_the_same_tests(project):
    def deliver(step, artifact_type, made, **more):
        output = Output(artifact_type, artifact_type, made)
        do(project, step, replace(Completed((output,), USAGE), **more))

    started(project, JUDGED)
    deliver("specify", "software_specification", content("specification", brief="It adds."))
    deliver("build", "source_code", CODE)
    failed = judge(WritesTests(WRONG))
    made = failed.outputs[0].content
    deliver("test", "test_results", made, verdict="fail", files=failed.files)
    deliver("build", "source_code", CODE | {"notes": ["Repaired."]})

    task = current(project, "test")

    assert task.round == 2
    assert own_tests_of(task) == OwnTests({"acceptance/test_adding.py": WRONG}, ("FR-1",))
    for artifact_type, given in (("software_specification", 9), ("source_code", 1)):
        changed = current(project, "test")
        for material in changed.handoff["materials"]:
            if material["artifact_type"] == artifact_type:
                material["version"] = given
        assert own_tests_of(changed) is None


@pytest.mark.django_db(transaction=True)
def test_people_read_the_tests_in_the_workspace_of_the_tester(project):
    checking = first_task(project)

    finish_task(claim=claim(checking), outcome=replace(work(), files={"acceptance/t.py": RIGHT}))

    assert [(file.path, file.content) for file in workspace_of(checking)] == [
        ("acceptance/t.py", RIGHT)
    ]


# Agents that read the store by themselves.


@pytest.mark.django_db(transaction=True)
def test_an_analyst_finds_and_reads_what_was_accepted(project, owner, server, settings):
    settings.AGENT_MODELS = settings.AGENT_MODELS | {"analyst": "local:test-model"}
    actor, text = Actor.of_user(owner), b"# Fines\n\nA week costs one euro.\n"
    rules = upload_file(actor=actor, project_id=project.pk, name="rules.md", data=text)
    asked = current(started(project, PLANNED), "plan")
    server.then(
        call("find_context", {"text": "fines"}),
        call("read_artifact", {"artifact": str(rules.pk), "version": 1}),
    )

    assert run(task_id=asked.pk, worker=WORKER)

    results = [use.result for use in ToolUse.objects.filter(task=asked)]
    assert f"artifact {rules.pk}, version 1" in results[0]
    assert "A week costs one euro." in results[1]
    made = Artifact.objects.get(step="plan").versions.get()
    sources = Derivation.objects.filter(derived=made).values_list("source__artifact", flat=True)
    assert rules.pk in sources
