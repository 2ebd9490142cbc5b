"""An outsider learns and does nothing by an id in a query or a body."""

import pytest

from audit.actors import Actor
from audit.models import Event
from projects.services import create_project
from tests.isolation.routes import operations
from tests.isolation.test_paths import head_of

pytestmark = pytest.mark.django_db


def in_query():
    return [
        (operation, name)
        for operation in operations()
        if operation.method == "get" and not operation.route.places
        for name in operation.ids_in_query()
    ]


def in_body():
    return [
        operation
        for operation in operations()
        if operation.ids_in_body() and not operation.route.places
    ]


def test_the_description_was_read():
    assert len(in_query()) > 10
    assert {operation.path for operation in in_body()} >= {
        "/api/v1/tasks/",
        "/api/v1/artifacts/",
        "/api/v1/hitl/requests/bulk-decisions/",
    }


def test_a_filter_by_a_strange_id_finds_nothing(things, outsider, client_of, subtests):
    client = client_of(outsider)

    for operation, name in in_query():
        with subtests.test(operation.path, name=name):
            query = operation.needed_query(things) | {name: str(things.named(name))}

            response = client.get(operation.path, query)

            assert things.project.name not in response.content.decode()
            if response.status_code != 404:
                assert response.status_code == 200, response.content
                assert response.json()["results"] == []
                assert response.json().get("count", 0) == 0


def test_a_body_that_names_what_one_may_not_see_changes_nothing(
    things, outsider, client_of, subtests
):
    before, client = head_of(things), client_of(outsider)

    for operation in in_body():
        with subtests.test(operation.path, method=operation.method):
            response = getattr(client, operation.method)(operation.path, operation.body(things))

            assert statuses(response) == {404}, response.content
    assert head_of(things) == before


def test_in_ones_own_project_one_cannot_use_what_belongs_to_another(
    things, outsider, client_of, subtests
):
    own = create_project(
        actor=Actor.of_user(outsider), name="Own", brief="A shop.", auto_start=False
    )
    events, client = Event.objects.count(), client_of(outsider)

    for operation in (o for o in in_body() if o.ids_in_body() > {"project"}):
        with subtests.test(operation.path, method=operation.method):
            response = getattr(client, operation.method)(
                operation.path, operation.body(things) | {"project": str(own.pk)}
            )

            assert response.status_code in (400, 404), response.content
    assert Event.objects.count() == events


def statuses(response):
    """Of the answer, or of each item where many were asked about at once."""
    if response.status_code == 200 and "results" in response.json():
        return {result["status"] for result in response.json()["results"]}
    return {response.status_code}
