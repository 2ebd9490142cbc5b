"""The examples of the API's description are what the server says, and fit what it describes."""

import json
import os
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from django.contrib.auth.models import Group

from orchestrator.openapi import EXAMPLES_FILE
from tests.fixtures import make_user
from tests.isolation.routes import description, operations
from tests.schema.story import tell

WITHOUT_JSON = {
    "audit_checkpoints_latest_retrieve",
    "projects_document_retrieve",
    "projects_export",
    "projects_stream",
    "projects_usage_csv",
}


@pytest.fixture
def examples(
    owner, approver, viewer, staff, client_of, settings, tmp_path
) -> dict[str, dict[str, Any]]:
    settings.CHECKPOINT_DIR = str(tmp_path / "checkpoints")
    settings.MODEL_ENDPOINT_HOSTS = ["models.example.org"]
    settings.CHECKPOINT_KEY_FILE = str(tmp_path / "checkpoint.key")
    people = {user.username: user for user in (owner, approver, viewer, staff)}
    people["second"] = make_user("second")
    Group.objects.create(name="Librarians")
    return tell({name: client_of(user) for name, user in people.items()})


def test_the_examples_are_what_the_server_says(examples):
    if os.environ.get("WRITE_EXAMPLES"):
        text = json.dumps(examples, indent=1, sort_keys=True, ensure_ascii=False)
        EXAMPLES_FILE.write_text(text + "\n")
    written = json.loads(EXAMPLES_FILE.read_text())

    for name, example in written.items():
        gone = missing(example, examples[name])
        assert list(gone) == [], f"{name}: run `make api-examples`"


def test_every_example_fits_its_schema():
    assert list(misfits()) == []


def test_operations_have_examples():
    names = {operation.about["operationId"]: operation.about for operation in operations()}
    without = {name for name, about in names.items() if not list(examples_of(about))}
    lacking = {name for name in without if not name.endswith("_destroy")} - WITHOUT_JSON

    # A new operation gets its own with the next `make api-examples`, when the story has it.
    assert len(lacking) < len(names) / 4, lacking


def missing(example: Any, answer: Any, path: str = "") -> Iterator[str]:
    """Fields of the example that an answer no longer has. New ones come with the next writing."""
    if isinstance(example, dict):
        for name, part in example.items():
            if not isinstance(answer, dict) or name not in answer:
                yield f"{path}/{name}"
            else:
                yield from missing(part, answer[name], f"{path}/{name}")
    elif isinstance(example, list) and example and isinstance(answer, list):
        yield from missing(example[0], answer[0] if answer else None, f"{path}/0")


def optional(schema: Any) -> Any:
    """Without what must be there: a new field comes with the next `make api-examples`."""
    if isinstance(schema, dict):
        parts = {name: optional(part) for name, part in schema.items()}
        return {n: p for n, p in parts.items() if n != "required" or not isinstance(p, list)}
    return [optional(part) for part in schema] if isinstance(schema, list) else schema


def misfits() -> Iterator[tuple[str, list[Any], str]]:
    components = optional(description()["components"])
    for operation in operations():
        for schema, example in examples_of(operation.about):
            whole = optional(schema) | {"components": components}
            validator = jsonschema.Draft202012Validator(whole)
            for error in validator.iter_errors(example):
                yield operation.about["operationId"], list(error.absolute_path), error.message


def examples_of(about: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    bodies = [about.get("requestBody", {}), *about["responses"].values()]
    for body in bodies:
        for media in body.get("content", {}).values():
            if "example" in media:
                yield media["schema"], media["example"]
