import re
from io import StringIO

import pytest
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

from agents.models import AgentType
from context.artifact_types import artifact_types
from projects.agent_types import agent_types

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def schema():
    return SchemaGenerator().get_schema(request=None, public=True)


def operations(schema):
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_the_description_is_without_a_warning():
    """That it is valid, `make lint` says: to look takes seconds."""
    call_command("spectacular", format="openapi-json", fail_on_warn=True, stdout=StringIO())


def test_an_own_type_of_agents_is_one_more_choice_and_changes_nothing_else(schema):
    words = {"title": "Translator", "phase": "build", "instructions": "Translate."}
    AgentType.objects.create(name="translator", **words)
    agent_types.refresh()

    described = SchemaGenerator().get_schema(request=None, public=True)

    before, after = (parts["components"]["schemas"] for parts in (schema, described))
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    # The one lists them in its words, too.
    assert changed == {"AgentTypeEnum", "Stop"}
    assert set(after["AgentTypeEnum"]["enum"]) - set(before["AgentTypeEnum"]["enum"]) == {
        "translator"
    }


def test_every_operation_says_what_it_does_and_how_it_fails(schema):
    for path, method, operation in operations(schema):
        assert operation.get("description"), (method, path)
        assert "401" in operation["responses"] or "auth/token" in path, (method, path)
        problem = operation["responses"].get("404", {})
        assert "application/problem+json" in problem["content"], (method, path)
        away = {"503"} if method == "get" else {"503", "507"}
        assert away <= operation["responses"].keys(), (method, path)


def test_what_can_be_asked_for_only_if_it_changed_says_so(schema):
    for path in ("actions/{action_id}/", "projects/{project_id}/document/"):
        operation = schema["paths"][f"/api/v1/{path}"]["get"]
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert "If-None-Match" in names
        assert {"200", "304"} <= operation["responses"].keys()


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
