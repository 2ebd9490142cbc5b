import os
import re
import subprocess
import sys

import pytest

from context.artifact_types import artifact_types
from ops.devserver.runtime import PROJECT_DIR

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def schema():
    from drf_spectacular.generators import SchemaGenerator

    return SchemaGenerator().get_schema(request=None, public=True)


def operations(schema):
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_the_description_is_valid_and_without_a_warning():
    """As a process of its own makes it: choices are those of the moment when a module is loaded,
    which here may have been in the middle of a test."""
    arguments = ("spectacular", "--validate", "--fail-on-warn", "--file", os.devnull)
    made = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=PROJECT_DIR, capture_output=True, text=True
    )

    assert made.returncode == 0, made.stderr


def test_every_operation_says_what_it_does_and_how_it_fails(schema):
    for path, method, operation in operations(schema):
        assert operation.get("description"), (method, path)
        assert "401" in operation["responses"] or "auth/token" in path, (method, path)
        problem = operation["responses"].get("404", {})
        assert "application/problem+json" in problem["content"], (method, path)


def test_every_unsafe_operation_takes_an_idempotency_key(schema):
    for path, method, operation in operations(schema):
        names = {parameter["name"] for parameter in operation.get("parameters", [])}
        assert (method == "get") != ("Idempotency-Key" in names), (method, path)


def test_every_operation_has_a_summary_a_described_tag_and_a_name_of_one_style(schema):
    described = {tag["name"]: tag["description"] for tag in schema["tags"]}
    names = [operation["operationId"] for _, _, operation in operations(schema)]

    for path, method, operation in operations(schema):
        assert operation["summary"], (method, path)
        assert all(described[tag] for tag in operation["tags"]), (method, path)
        assert re.fullmatch("[a-z]+(_[a-z]+)*", operation["operationId"]), (method, path)
        # What a POST does is said by its path, or it creates one more in a list.
        collection = path.rstrip("/").endswith(("s", "token", "ws-ticket", "emergency-stop"))
        if operation["operationId"].endswith("_create"):
            assert collection, (method, path)
    assert len(set(names)) == len(names)
    assert {"projects_list", "hitl_requests_decide", "hitl_requests_claim"} <= set(names)


def test_a_thing_has_one_name_in_all_paths(schema):
    places = {
        place for path in schema["paths"] for place in re.findall(r"([\w-]+)/\{(\w+)\}", path)
    }

    assert ("projects", "project_id") in places
    words = [word for word, _ in places]
    assert sorted(words) == sorted(set(words)), "a thing with two names"
    for path, method, operation in operations(schema):
        named = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path)), (method, path)


def test_what_is_sent_has_its_limits(schema):
    for path, method, operation in operations(schema):
        limits = {one["name"]: one["schema"] for one in operation.get("parameters", ())}
        if "Idempotency-Key" in limits:
            assert limits["Idempotency-Key"]["maxLength"] == 255, (method, path)
        if "page_size" in limits:
            assert limits["page_size"]["maximum"] >= limits["page_size"]["minimum"], (method, path)


def test_a_content_is_described_by_its_artifact_type(schema):
    schemas = schema["components"]["schemas"]

    for name in ("ArtifactDetail", "ArtifactInputRequest", "OutputInputRequest"):
        assert set(schemas[name]["discriminator"]["mapping"]) == set(artifact_types.values)
    whole = schemas["SourceCodeArtifactInputRequest"]["allOf"][1]
    assert whole["properties"]["content"] == {"$ref": "#/components/schemas/SourceCodeContent"}
    assert schemas["SourceCodeContent"]["properties"]["files"]["type"] == "array"


def test_the_stream_is_described(schema):
    stream = schema["paths"]["/api/v1/projects/{project_id}/stream/"]["get"]
    assert "text/event-stream" in stream["responses"]["200"]["content"]


def test_the_values_of_a_field_are_told_by_their_meaning(schema):
    description = schema["components"]["schemas"]["OnTimeoutEnum"]["description"]
    assert "`escalate` - From then on only an owner decides." in description


def test_the_description_and_its_reader_are_served(client):
    assert client.get("/api/schema/").status_code == 200
    page = client.get("/api/docs/").content.decode()
    assert "/static/drf_spectacular_sidecar/" in page
    assert "cdn" not in page
