"""What is sent, and what an answer is held to."""

import os
from typing import Any
from uuid import UUID

import schemathesis
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS, load_all_checks

from tests.isolation.routes import Operation
from tests.isolation.things import Things

ENDLESS = "projects_stream"
EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "10"))

load_all_checks()


def any_page(paths: dict[str, Any]) -> None:
    """What any list or change takes has tests of its own: not all its limits, everywhere, again."""
    parameters = [
        parameter
        for methods in paths.values()
        for operation in methods.values()
        for parameter in operation.get("parameters", ())
    ]
    for parameter in parameters:
        if parameter["name"] in ("Idempotency-Key", "page", "page_size", "cursor"):
            parameter["schema"] = {"type": parameter["schema"]["type"]}


def any_content(schemas: dict[str, Any]) -> None:
    """To make up contents of each artifact type takes minutes; what is wrong with one is known."""
    for name in ("ArtifactInputRequest", "OutputInputRequest"):
        base = schemas[f"{name}Base"]
        kind = {"artifact_type": {"$ref": "#/components/schemas/ArtifactTypeEnum"}, "content": {}}
        schemas[name] = base | {
            "properties": base["properties"] | kind,
            "required": [*base["required"], *kind],
        }
    schemas["VersionInputRequest"]["properties"]["content"] = {}


everything = schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application())
any_content(everything.raw_schema["components"]["schemas"])
any_page(everything.raw_schema["paths"])
schema = everything.exclude(operation_id=ENDLESS)
CHECKED = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)
REPEATABLE = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def use_real_ids(case: Any, things: Things) -> None:
    route = Operation(case.operation.path, case.method.lower(), {}).route
    for place, value in zip(route.places, list(case.path_parameters or {}), strict=False):
        if is_to_be_real(case.path_parameters[value]):
            case.path_parameters[value] = str(route.value(place, things))
    for part in (case.query, case.body):
        replace_ids(part, things)


def replace_ids(part: Any, things: Things, name: str = "") -> None:
    for key, value in entries(part):
        own = key if isinstance(key, str) else name
        if is_to_be_real(value):
            part[key] = str(things.named(own))
        elif own == "subject_digest" and isinstance(value, str) and len(value) % 2:
            part[key] = things.digest
        else:
            replace_ids(value, things, own)


def entries(part: Any) -> list[tuple[Any, Any]]:
    if isinstance(part, dict):
        return list(part.items())
    return list(enumerate(part)) if isinstance(part, list) else []


def is_to_be_real(value: Any) -> bool:
    try:
        return isinstance(value, str) and UUID(value).int % 4 != 0
    except ValueError:
        return False
