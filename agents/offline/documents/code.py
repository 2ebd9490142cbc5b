"""The source code, as the generator wrote it."""

from agents.offline.case import Case
from agents.offline.documents.notes import feedback_notes, not_covered
from agents.offline.program import TEST_COMMAND
from context.schemas import SourceCode

_LANGUAGES = {"py": "python", "md": "markdown", "csv": "csv", "json": "json", "txt": "text"}


def source_code(case: Case) -> SourceCode:
    program = case.program
    return SourceCode.model_validate(
        {
            "title": case.title,
            "summary": f"{program.summary} {len(program.files)} files, {len(program.tests)} tests.",
            "files": [_file(path, text) for path, text in program.files.items()],
            "entry_point": "main.py",
            "test_command": TEST_COMMAND,
            "covered": [
                {"requirement": k, "tests": tests} for k, tests in program.covered().items()
            ],
            "not_covered": not_covered(case),
            "notes": _notes(case),
            "feedback": feedback_notes(case),
        }
    )


def _file(path: str, text: str) -> dict[str, str]:
    return {
        "path": path,
        "content": text,
        "language": _LANGUAGES.get(path.rsplit(".", 1)[-1], "text"),
    }


def _notes(case: Case) -> list[str]:
    withdrawn = [f"{key} was taken out: {why}" for key, why in case.failed.items()]
    results = case.assignment.newest("test_results")
    if results is not None and not results.content["passed"] and not withdrawn:
        withdrawn = [
            "The tests of the round before failed, but none could be laid to a requirement."
        ]
    return ["Written by fixed rules, without a language model.", *withdrawn, *case.program.notes]
