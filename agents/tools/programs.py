"""Run the program of the workspace, in the sandbox: without network, for a bounded time.

Each run gets the files as they are, in a folder of its own. What tests write there is not kept; of
a command it is, where it can stand in the workspace.
"""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from pydantic import Field

from agents import sandbox
from agents.protocols import WorkError
from agents.tool import Arguments, Bench, ToolError, tool
from agents.workspace import WorkspaceError

TIMEOUT_SECONDS = 60.0
MEMORY_MEGABYTES = 512
#: As a shell has it for a program that is not there.
NOT_FOUND = 127
MOST_NAMED = 20
Result = TypeVar("Result")


class RunTestsArguments(Arguments):
    pass


class RunCommandArguments(Arguments):
    command: list[str] = Field(
        min_length=1,
        max_length=100,
        description="The program and its arguments, each an item; no shell. python3 is there, and "
        "what else this machine has; there is no network.",
    )


@tool("run_tests", order=70)
class RunTests:
    uses_workspace = True
    description = (
        "Run all Python unittest tests of the workspace's files in the sandbox: each test method "
        "of the files that are called like tests. Tests in other languages: run_command."
    )
    arguments = RunTestsArguments

    def run(self, bench: Bench, arguments: RunTestsArguments) -> str:
        files = dict(bench.workspace.files)
        if not files:
            raise ToolError("The workspace is empty: write files first.")
        run = _in_sandbox(
            lambda: sandbox.run_tests(
                files, timeout_seconds=TIMEOUT_SECONDS, memory_megabytes=MEMORY_MEGABYTES
            )
        )
        if not run.tests:
            return "\n".join(["There are no tests.", *run.problems, run.output])
        outcomes = Counter(test.outcome for test in run.tests)
        counts = ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items()))
        lines = [f"{len(run.tests)} tests: {counts}."]
        lines += [f"Problem: {problem}" for problem in run.problems]
        for test in run.tests:
            if test.outcome != "passed":
                lines.append(f"{test.file}: {test.name}: {test.outcome}\n{test.detail}".rstrip())
        if run.output:
            lines.append(f"Output:\n{run.output}")
        return "\n".join(lines)


@tool("run_command", order=80)
class RunCommand:
    uses_workspace = True
    description = (
        "Run one command over the workspace's files, in the sandbox: no network, one minute. If it "
        "ends by itself, files of text that it writes, changes or removes are so in the workspace."
    )
    arguments = RunCommandArguments

    def run(self, bench: Bench, arguments: RunCommandArguments) -> str:
        files = dict(bench.workspace.files)
        if any("\0" in word for word in arguments.command):
            raise ToolError("A word of the command has a NUL character.")
        run = _in_sandbox(
            lambda: sandbox.run_program(
                files,
                command=arguments.command,
                timeout_seconds=TIMEOUT_SECONDS,
                memory_megabytes=MEMORY_MEGABYTES,
                keep_bytes=settings.WORKSPACE_MAX_BYTES,
            )
        )
        ended = f"Exit code {run.exit_code}."
        if run.timed_out:
            ended = f"It did not end within {TIMEOUT_SECONDS:.0f} seconds."
        elif run.excess:
            ended = f"It was ended: {run.excess}."
        elif run.exit_code == NOT_FOUND:
            ended += " Where the program is not in the sandbox, say that it could not be run."
        changes = _taken_over(bench, run.leftovers) if run.leftovers else []
        return "\n".join([ended, *changes, run.output]).rstrip()


def _taken_over(bench: Bench, left: sandbox.Leftovers) -> list[str]:
    """What of it is in the workspace now, in lines for the model."""
    before = dict(bench.workspace.files)
    try:
        refused = bench.workspace.take_over(left.written, left.removed)
        excess = left.excess and f"It has left {left.excess}."
    except WorkspaceError as error:
        refused, excess = {}, str(error)
    if excess:
        return [f"Nothing that it wrote is kept. {excess}"]
    after = bench.workspace.files
    written = [path for path in left.written if path in after and before.get(path) != after[path]]
    removed = [path for path in before if path not in after]
    not_kept = [f"{path} ({why})" for path, why in (*left.refused, *refused.items())]
    named = {"Written": written, "Removed": removed, "Not kept": not_kept}
    return [f"{name}: {_names(paths)}." for name, paths in named.items() if paths]


def _names(paths: list[str]) -> str:
    more = f" and {len(paths) - MOST_NAMED} more" if len(paths) > MOST_NAMED else ""
    return f"{', '.join(paths[:MOST_NAMED])}{more}"


def _in_sandbox(run: Callable[[], Result]) -> Result:
    """A sandbox that does not work is no end of the work: the model says what was not run."""
    try:
        return run()
    except WorkError as error:
        raise ToolError(f"Nothing was run: {error.detail}") from error
