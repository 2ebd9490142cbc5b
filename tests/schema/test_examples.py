"""The examples of the API's description are what the server says, and fit what it describes."""

import json
import os
from typing import Any

import jsonschema
import pytest

from orchestrator.openapi import EXAMPLES_FILE
from tests.fixtures import make_user
from tests.isolation.routes import description, operations
from tests.schema.story import tell

WITHOUT_JSON = {
    "audit_checkpoints_latest_retrieve",
    "projects_document_retrieve",
    "projects_export",
    "projects_stream",
}


@pytest.fixture
def examples(
    owner, approver, viewer, staff, client_of, settings, tmp_path
) -> dict[str, dict[str, Any]]:
    settings.CHECKPOINT_DIR = str(tmp_path / "checkpoints")
    settings.CHECKPOINT_KEY_FILE = str(tmp_path / "checkpoint.key")
    people = {user.username: user for user in (owner, approver, viewer, staff)}
    people["second"] = make_user("second")
    return tell({name: client_of(user) for name, user in people.items()})


def test_the_examples_are_what_the_server_says(examples):
    if os.environ.get("WRITE_EXAMPLES"):
        text = json.dumps(examples, indent=1, sort_keys=True, ensure_ascii=False)
        EXAMPLES_FILE.write_text(text + "\n")
    written = json.loads(EXAMPLES_FILE.read_text())

    for name, example in examples.items():
        assert shape(written[name]) == shape(example), f"{name}: run `make api-examples`"


def test_every_example_fits_its_schema():
    assert list(misfits()) == []


def test_operations_have_examples():
    names = {operation.about["operationId"]: operation.about for operation in operations()}
    without = {name for name, about in names.items() if not list(examples_of(about))}
    missing = {name for name in without if not name.endswith("_destroy")} - WITHOUT_JSON

    # A new operation gets its own with the next `make api-examples`, when the story has it.
    assert len(missing) < len(names) / 10, missing


def shape(value: Any) -> Any:
    """Which fields there are, whatever they hold; of a list, those of its first item."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value[:1]]
    return None


def misfits():
    for operation in operations():
        for schema, example in examples_of(operation.about):
            whole = schema | {"components": description()["components"]}
            validator = jsonschema.Draft202012Validator(whole)
            for error in validator.iter_errors(example):
                yield operation.about["operationId"], list(error.absolute_path), error.message


def examples_of(about: dict[str, Any]):
    bodies = [about.get("requestBody", {}), *about["responses"].values()]
    for body in bodies:
        for media in body.get("content", {}).values():
            if "example" in media:
                yield media["schema"], media["example"]
