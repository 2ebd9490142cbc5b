from io import StringIO

import pytest
from django.core.management import call_command

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
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=StringIO())


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


def test_the_values_of_a_field_are_told_by_their_meaning(schema):
    description = schema["components"]["schemas"]["OnTimeoutEnum"]["description"]
    assert "`escalate` - From then on only an owner decides." in description


def test_the_description_and_its_reader_are_served(client):
    assert client.get("/api/schema/").status_code == 200
    page = client.get("/api/docs/").content.decode()
    assert "/static/drf_spectacular_sidecar/" in page
    assert "cdn" not in page
