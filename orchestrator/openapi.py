"""What serializers can't say in the API's description: typed contents, and the live stream."""

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from audit.stream.sse import KEEP_ALIVE_SECONDS
from context.artifact_types import artifact_types
from core.schema import ERRORS, ERRORS_OF_READING, PROBLEM

COMPONENT = "#/components/schemas/"
# What has a content beside its `artifact_type`: one form for each type.
TYPED = ("ArtifactDetail", "ArtifactInputRequest", "HandedMaterial", "OutputInputRequest", "Shown")
# Whose `content` is of a type that is said elsewhere.
CONTENTS = ("Request", "VersionDetail", "VersionInputRequest")
ERASED = "ErasedContent"
STREAM = "/api/v1/projects/{project_id}/stream/"
# What the server said in `tests/schema/story.py`; written by `make api-examples`.
EXAMPLES_FILE = Path(__file__).with_name("openapi_examples.json")


class WithoutTitles(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def describe_contents(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """`content` has the schema of its artifact type, and `artifact_type` tells which one."""
    schemas = {name: artifact_types[name].schema for name in artifact_types.values}
    _, definitions = models_json_schema(
        [(schema, "validation") for schema in schemas.values()],
        ref_template=f"{COMPONENT}{{model}}Content",
        schema_generator=WithoutTitles,
    )
    parts = {f"{name}Content": schema for name, schema in definitions["$defs"].items()}
    for schema in parts.values():
        # Generated clients would call it so, and there are others of the name.
        del schema["title"]
    parts[ERASED] = {
        "type": "object",
        "description": "Of a project whose contents were erased.",
        "properties": {"erased": {"const": True}},
        "required": ["erased"],
    }
    contents = {name: f"{schema.__name__}Content" for name, schema in schemas.items()}
    parts["ArtifactContent"] = {"anyOf": [reference(name) for name in contents.values()]}
    described = result["components"]["schemas"]
    for name in CONTENTS:
        content = described[name]["properties"]["content"]
        described[name]["properties"]["content"] = of_form(name, content, "ArtifactContent")
    for name in TYPED:
        parts |= forms_of(name, described.pop(name), contents)
    described |= parts
    result["components"]["schemas"] = dict(sorted(described.items()))
    return result


def forms_of(name: str, schema: dict[str, Any], contents: dict[str, str]) -> dict[str, Any]:
    """The component, one for each artifact type that it may be, and what these have in common."""
    properties = dict(schema["properties"])
    content = properties.pop("content")
    del properties["artifact_type"]
    required = [field for field in schema["required"] if field in properties]
    parts = {f"{name}Base": schema | {"properties": properties, "required": required}}
    forms = {}
    for artifact_type, form in contents.items():
        own = {
            "type": "object",
            "properties": {
                "artifact_type": {"type": "string", "const": artifact_type},
                "content": of_form(name, content, form),
            },
            "required": [field for field in schema["required"] if field not in properties],
        }
        forms[artifact_type] = f"{form.removesuffix('Content')}{name}"
        parts[forms[artifact_type]] = {"allOf": [reference(f"{name}Base"), own]}
    parts[name] = {
        "oneOf": [reference(form) for form in forms.values()],
        "discriminator": {
            "propertyName": "artifact_type",
            "mapping": {kind: f"{COMPONENT}{form}" for kind, form in forms.items()},
        },
    }
    return parts


def of_form(name: str, field: dict[str, Any], form: str) -> dict[str, Any]:
    """The field of the component `name` with this form in place of anything."""
    if name.endswith("InputRequest"):
        return reference(form)
    # What is read may have been erased.
    forms = [reference(form), reference(ERASED)]
    forms += [{"type": "null"}] if "null" in field.get("type", ()) else []
    return {"description": field.get("description", ""), "readOnly": True, "anyOf": forms}


def reference(name: str) -> dict[str, str]:
    return {"$ref": f"{COMPONENT}{name}"}


def describe_stream(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """The stream is no view of the REST framework."""
    problem = {PROBLEM: {"schema": reference("Problem")}}
    result["paths"][STREAM] = {
        "get": {
            "operationId": "projects_stream",
            "summary": "The events of a project as they happen, as Server-Sent Events",
            "description": "First what came after the position, then what happens. Each frame has "
            "`id: epoch:sequence` and, as JSON in `data`, `{type, sequence, event}`; frames of "
            "other types than `event` (`subscribed`, `caught_up`, `reset`, ...) name theirs in "
            f"`event:`. A comment comes after {KEEP_ALIVE_SECONDS} s of silence. A client that "
            "comes back sends the last id as `Last-Event-ID`. The events are described in "
            "`/api/asyncapi.yaml`.",
            "tags": ["stream"],
            "security": [{"tokenAuth": []}, {"cookieAuth": []}],
            "parameters": [
                parameter("project_id", "path", {"type": "string", "format": "uuid"}),
                parameter("after", "query", {"type": "integer", "minimum": 0, "default": 0})
                | {"description": "The sequence of the last event that is known."},
                parameter("epoch", "query", {"type": "string"})
                | {"description": "That of `after`; another one begins anew."},
                parameter("types", "query", {"type": "string"})
                | {"description": "Event types, with commas between them."},
                parameter(
                    "Last-Event-ID",
                    "header",
                    {"type": "string", "pattern": "^[0-9a-f]{1,32}:[0-9]{1,19}$"},
                ),
            ],
            "responses": {
                "200": {
                    "description": "Frames, without an end.",
                    "content": {"text/event-stream": {"schema": {"type": "string"}}},
                }
            }
            | {
                code: {"description": ERRORS[code], "content": problem}
                for code in ERRORS_OF_READING
            },
        }
    }
    result["paths"] = dict(sorted(result["paths"].items()))
    return result


def parameter(name: str, place: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": schema} | (
        {"required": True} if place == "path" else {}
    )


def add_examples(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """What was sent and answered once."""
    examples = json.loads(EXAMPLES_FILE.read_text())
    for methods in result["paths"].values():
        for operation in methods.values():
            example = examples.get(operation["operationId"], {"responses": {}})
            if "request" in example:
                operation["requestBody"]["content"]["application/json"]["example"] = example[
                    "request"
                ]
            for status, body in example["responses"].items():
                content = operation["responses"].get(status, {}).get("content", {})
                if body is not None and "application/json" in content:
                    content["application/json"]["example"] = body
    return result
