"""The tester's own tests: written from the specification, and run without those of the program."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field

from agents import sandbox
from agents.models import Task
from agents.protocols import Assignment, Material, Model, OwnTests, Questions, Usage
from agents.role import role_for
from agents.workspace import Workspace
from context.content_fields import Content, FilePath, LongText
from context.models import ArtifactVersion
from context.types.source_code import CoveredRequirement

FOLDER = "acceptance/"
TIMEOUT_SECONDS = 60.0
MEMORY_MEGABYTES = 512
DETAIL_CHARACTERS = 500
TEST_FILE = re.compile(r"(?:^|/)(?:test[^/]*|[^/]*_test)\.py$")
# The line of a traceback that says what was wrong; what follows may be a difference.
ERROR = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt|Timeout\w*)\b")
UNSEEN = ("source_code", "test_results")


class AcceptanceFile(Content):
    """One file of tests."""

    path: FilePath = Field(description="acceptance/test_....py")
    content: LongText = Field(description="The whole text of the file.")


class AcceptanceTests(Content):
    """Tests of a program that are written from its specification alone."""

    files: list[AcceptanceFile] = Field(max_length=20, description="Files of unittest tests.")
    covered: list[CoveredRequirement] = Field(
        max_length=500,
        description="Requirements that the tests check, with the names of the tests.",
    )


@dataclass(frozen=True)
class Acceptance:
    """What the tester wrote; `why_none` where that is nothing."""

    files: dict[str, str]
    requirements: list[str]
    usage: Usage
    prompt_sha256: str
    why_none: str = ""
    is_earlier: bool = False

    def results_on(self, code: Material, statements: Mapping[str, str]) -> dict[str, Any]:
        """As test results have them. `statements`: the requirements of the specification."""
        if not self.files:
            return self._results(f"The tester wrote no tests of its own{self.why_none}.", ())
        program = {file["path"]: file["content"] for file in code.content["files"]}
        files = {
            path: text
            for path, text in program.items()
            if not TEST_FILE.search(path) and not path.startswith(FOLDER)
        }
        run = sandbox.run_tests(
            files | self.files, timeout_seconds=TIMEOUT_SECONDS, memory_megabytes=MEMORY_MEGABYTES
        )
        checked = [name for name in self.requirements if name in statements]
        counts = counts_of(run.tests)
        summary = (
            f"The tester's own tests, of {len(checked)} of {len(statements)} requirements, report: "
            f"{counts['passed']} of {len(run.tests)} passed, {counts['failed']} failed, "
            f"{counts['errors']} broke off."
        )
        if self.is_earlier:
            summary += " They are those of the round before: the specification has not changed."
        if run.problems:
            summary += f" The run is in doubt: {run.problems[0][:2_000]}"
        return self._results(summary, run.tests, run.problems, checked)

    def _results(
        self,
        summary: str,
        tests: Sequence[sandbox.TestRecord],
        problems: Sequence[str] = (),
        checked: Sequence[str] = (),
    ) -> dict[str, Any]:
        counts = counts_of(tests)
        return {
            "summary": summary,
            "passed": bool(tests) and counts["passed"] == len(tests) and not problems,
            "counts": counts,
            "tests": [{"file": t.file, "name": t.name, "outcome": t.outcome} for t in tests],
            "failures": [
                {"name": test.name, "outcome": test.outcome, "detail": last_line(test.detail)}
                for test in tests
                if test.outcome in ("failed", "error")
            ][:200],
            "problems": list(problems),
            "requirements": list(checked),
            "files": sorted(self.files),
        }


def write_acceptance(
    assignment: Assignment, model: Model, instructions: str, code: Material
) -> Acceptance:
    """The model's tests, for which it is not shown the program. Raises as a model does."""
    outline = {name: code.content[name] for name in ("title", "summary", "entry_point")}
    outline["files"] = [file["path"] for file in code.content["files"]]
    shown = [item for item in assignment.materials if item.artifact_type not in UNSEEN]
    reply = model.produce(
        replace(assignment, materials=(*shown, replace(code, content=outline))),
        artifact_type="acceptance_tests",
        output_type=AcceptanceTests,
        instructions=instructions,
    )
    content = reply.content
    if isinstance(content, Questions) or not isinstance(content, AcceptanceTests):
        why = ": it would have had to ask"
        return Acceptance({}, [], reply.usage, reply.prompt_sha256, why)
    files = {
        file.path: file.content
        for file in content.files
        if file.path.startswith(FOLDER) and TEST_FILE.search(file.path)
    }
    text = "\n".join(files.values())
    # Of a requirement whose test is not there nothing is said.
    checked = (
        item.requirement
        for item in content.covered
        if any(re.search(rf"\bdef {re.escape(_function(name))}\(", text) for name in item.tests)
    )
    names = list(dict.fromkeys(checked))
    return Acceptance(files, names, reply.usage, reply.prompt_sha256)


def _function(claim: str) -> str:
    """`test` of `file.py::Case::test`, `Case.test` or `test()`."""
    return re.split(r"[.:/ ]", claim.strip().removesuffix("()"))[-1]


def own_tests_of(task: Task) -> OwnTests | None:
    """Of the round before, where the specification is as it was then, and the program is not."""
    if not getattr(role_for(task.agent_type), "keeps_tests", False):
        return None
    earlier_rounds = Task.objects.filter(
        project=task.project_id, step=task.step, round__lt=task.round
    )
    earlier = earlier_rounds.order_by("-round").first()
    if earlier is None or _given(earlier, "source_code") == _given(task, "source_code"):
        return None
    if _given(earlier, "software_specification") != _given(task, "software_specification"):
        return None
    versions = ArtifactVersion.objects.filter(task=earlier.pk)
    results = versions.filter(artifact__artifact_type="test_results").order_by("-number").first()
    acceptance = (results and results.content.get("acceptance")) or {"files": []}
    workspace = Workspace.of(earlier).files
    files = {path: workspace[path] for path in acceptance["files"] if path in workspace}
    return OwnTests(files, tuple(acceptance["requirements"])) if files else None


def _given(task: Task, artifact_type: str) -> set[tuple[str, int]]:
    materials = task.handoff.get("materials", [])
    return {(m["artifact"], m["version"]) for m in materials if m["artifact_type"] == artifact_type}


def counts_of(tests: Sequence[sandbox.TestRecord]) -> dict[str, int]:
    """A failure that was expected is neither a failure nor a pass."""
    figures = Counter(test.outcome for test in tests)
    return {
        "run": len(tests) - figures["not_run"],
        "passed": figures["passed"],
        "failed": figures["failed"],
        "errors": figures["error"],
        "skipped": figures["skipped"],
    }


def last_line(detail: str) -> str:
    """What was wrong, without the text of the test: the programmer has not seen that."""
    lines = detail.strip().splitlines()
    said = [line for line in lines if ERROR.match(line)]
    return (said or lines or ["(no traceback)"])[-1][:DETAIL_CHARACTERS]
