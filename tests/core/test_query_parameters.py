"""What stands behind the `?`, for every route of the description of the API."""

import pytest

from tests.isolation import routes
from tests.isolation.things import Things

pytestmark = pytest.mark.django_db


@pytest.fixture
def things(project) -> Things:
    return Things(project)


def operations():
    """The stream needs an ASGI server; it is tested beside the socket that says the same."""
    return [one for one in routes.operations() if not one.path.endswith("/stream/")]


def at_fault(response) -> set[tuple[str, str]]:
    return {(e["field"], e["code"]) for e in response.json().get("errors", [])}


def test_a_name_that_is_misspelt_is_400_and_named(things, owner, client_of, subtests):
    for operation in operations():
        with subtests.test(operation.path, method=operation.method):
            path = operation.route.filled(things)

            response = getattr(client_of(owner), operation.method)(f"{path}?formta=json")

            assert response.status_code == 400
            assert at_fault(response) == {("formta", "unknown_field")}


def test_every_name_that_is_described_is_known(things, owner, client_of, subtests):
    asked = [(one, [p["name"] for p in one.parameters()]) for one in operations()]
    for operation, names in filter(lambda one: one[1], asked):
        with subtests.test(operation.path, names=names):
            path = operation.route.filled(things)

            response = client_of(owner).get(path, dict.fromkeys(names, "x"))

            assert "unknown_field" not in {code for _, code in at_fault(response)}


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("status=pending&status=approved", ("status", "repeated")),
        ("project=%FF", ("project", "not_utf8")),
        ("page=1&page=2", ("page", "repeated")),
        ("projct=1", ("projct", "unknown_field")),
    ],
)
def test_what_is_unclear_is_400_and_named(owner, client_of, query, fault):
    response = client_of(owner).get(f"/api/v1/hitl/requests/?{query}")

    assert response.status_code == 400
    assert at_fault(response) == {fault}


def test_a_misspelt_filter_of_what_waits_is_never_everything(owner, client_of):
    response = client_of(owner).get("/api/v1/hitl/requests/?porject=x&mien=true")

    assert at_fault(response) == {("porject", "unknown_field"), ("mien", "unknown_field")}
    assert "Did you mean project?" in response.json()["detail"]


def test_a_name_that_resembles_none_of_ours_is_ignored(project, owner, client_of):
    response = client_of(owner).get("/api/v1/projects/?limit=100&ordering=name&utm_source=x&%00=1")

    assert [one["id"] for one in response.json()["results"]] == [str(project.pk)]


def test_the_form_of_the_answer_may_be_named_anywhere(owner, client_of):
    assert client_of(owner).get("/api/v1/projects/?format=json").status_code == 200
    assert client_of(owner).get("/api/v1/projects/?format=api").status_code == 200


def test_a_misspelt_name_of_somebody_who_is_not_logged_in_is_401(client):
    assert client.get("/api/v1/projects/?formta=json").status_code == 401
