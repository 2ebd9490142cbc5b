"""Packs what was built, with fingerprints that anyone can check, and writes the release notes."""

import hashlib
from typing import Any

from agents.protocols import (
    Assignment,
    Completed,
    Material,
    Model,
    NeedsPerson,
    Outcome,
    Output,
)
from agents.role import (
    NOTHING,
    ask,
    checked,
    joined,
    needed,
    role,
    titled,
    total,
    usage_of_facts,
    with_output,
)
from agents.roles.tester import ran_well
from projects.enums import Phase

VERSION = "1.0.0"
UNCHANGED = (
    "Not covered: the package holds exactly the accepted source code; the build step can change "
    "that."
)


@role("deployer", phase=Phase.LAUNCH)
class Deployer:
    """Fingerprints and what was done are facts; only the words around them come from the model."""

    instructions = """\
You release a finished program. Write the deployment log: a short summary, release notes for the
people who will use it (what it does, and as plainly what it does not do), the steps that remain
for a person to do, all of status planned, and how to go back. Nothing has been installed
anywhere: never say that it has. Which files there are, their fingerprints and what the tests
showed is established without you.
"""

    def run(self, assignment: Assignment, model: Model) -> Outcome:
        """Pack the newest source code. Raises PermanentError if there is none."""
        code = needed(assignment, "source_code")
        package = checked("deployment_package", package_of(assignment, code), NOTHING)
        package_output = titled("deployment_package", package)
        outputs, usage, notes = [], None, []
        for artifact_type in assignment.expected:
            if artifact_type == "deployment_package":
                outputs.append(package_output)
                continue
            answer = ask(
                with_output(assignment, package_output, self.agent_type),
                model,
                artifact_type=artifact_type,
                instructions=self.instructions,
            )
            usage = total(usage, answer.usage)
            if answer.questions:
                return NeedsPerson(answer.questions.questions, usage, answer.questions.reason)
            outputs.append(_with_facts(answer.output, package, assignment))
            notes.append(answer.notes)
        return Completed(
            tuple(outputs), usage or usage_of_facts(self.agent_type), notes=joined(notes)
        )


def package_of(assignment: Assignment, code: Material) -> dict[str, Any]:
    """The content of the deployment package of a version of source code."""
    files = []
    for file in sorted(code.content["files"], key=lambda file: file["path"]):
        content = file["content"].encode()
        digest = hashlib.sha256(content).hexdigest()
        files.append({"path": file["path"], "sha256": digest, "size_bytes": len(content)})
    entry = code.content["entry_point"]
    is_python = entry.endswith(".py")
    return {
        "title": code.content["title"],
        "version": VERSION,
        "source": {"artifact": code.artifact_id, "version": code.version, "sha256": code.sha256},
        "files": files,
        "checksum": checksum_of(files),
        "entry_point": entry,
        "requires": ["Python 3.11 or newer"] if is_python else ["What its README asks for"],
        "how_to_run": [
            "Put the files into a folder of their own.",
            f"python3 {entry} --help"
            if is_python
            else f"Its README says how; it begins in {entry}.",
            f"Run the tests: {' '.join(code.content['test_command']) or '(there are none)'}",
        ],
        "tests": tests_of(assignment.newest("test_results")),
        "not_covered": code.content["not_covered"],
        "feedback": [
            {"comment": comment, "honoured": False, "response": UNCHANGED}
            for comment in assignment.feedback
            if comment
        ],
    }


def checksum_of(files: list[dict[str, Any]]) -> str:
    """Of the whole: the hash of the lines that `sha256sum` would check."""
    lines = "".join(f"{file['sha256']}  {file['path']}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def tests_of(results: Material | None) -> dict[str, Any]:
    """What the package says of its tests."""
    if results is None:
        return {
            "ran": False,
            "passed": False,
            "total": 0,
            "skipped": 0,
            "summary": "No test results were handed over.",
        }
    counts = results.content["counts"]
    return {
        "ran": counts["run"] > counts["skipped"],
        "passed": results.content["passed"],
        "total": counts["run"],
        "skipped": counts["skipped"],
        "summary": results.content["summary"],
    }


def _with_facts(output: Output, package: dict[str, Any], assignment: Assignment) -> Output:
    """The log with what really happened first; all that the model adds is only planned."""
    if output.artifact_type != "deployment_log":
        return output
    tests, results = package["tests"], assignment.newest("test_results")
    has_failed = results is not None and not ran_well(results.content)
    status = "skipped" if not tests["ran"] else "failed" if has_failed else "done"
    fingerprints = f"{len(package['files'])} files; SHA-256 of the whole: {package['checksum']}."
    entries = [
        {"action": "Run the tests", "status": status, "detail": tests["summary"]},
        {"action": "Take fingerprints", "status": "done", "detail": fingerprints},
        {"action": "Install", "status": "skipped", "detail": "Nothing was installed anywhere."},
        *(entry | {"status": "planned"} for entry in output.content["entries"]),
    ]
    facts = {
        "entries": entries[:200],
        "version": package["version"],
        "not_covered": package["not_covered"],
    }
    content = checked("deployment_log", output.content | facts, NOTHING)
    return titled("deployment_log", content)
