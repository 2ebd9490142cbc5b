import uuid

import pytest
from django.utils.http import urlencode

from audit.models import Event, Stream
from audit.serialization import to_wire
from tests.live import write

pytestmark = pytest.mark.django_db

EVENTS = "/api/v1/audit/events/"
VERIFY = "/api/v1/audit/verify/"


def sequences(response) -> list[int]:
    return [event["sequence"] for event in response.json()["results"]]


def test_events_are_listed_oldest_first_in_their_public_form(project, viewer, client_of):
    response = client_of(viewer).get(EVENTS, {"project": project.pk})

    assert response.status_code == 200
    assert response.json()["results"] == [
        to_wire(event) for event in Event.objects.filter(project=project.pk)
    ]


def test_one_event(project, viewer, client_of):
    event = Event.objects.filter(project=project.pk).first()

    response = client_of(viewer).get(f"{EVENTS}{event.pk}/")

    assert response.json() == to_wire(event)


def test_pages_follow_each_other_without_hole_or_repetition(project, viewer, client_of):
    head = write(project.pk, 10)
    api = client_of(viewer)

    response = api.get(EVENTS, {"project": project.pk, "page_size": 4})
    seen = sequences(response)
    while response.json()["next"]:
        response = api.get(response.json()["next"])
        seen += sequences(response)

    assert seen == list(range(1, head + 1))


def test_what_is_appended_between_pages_comes_last(project, viewer, client_of):
    head = write(project.pk, 4)
    api = client_of(viewer)

    first = api.get(EVENTS, {"project": project.pk, "page_size": head - 1})
    write(project.pk)
    second = api.get(first.json()["next"])

    assert sequences(first) + sequences(second) == list(range(1, head + 2))


@pytest.mark.parametrize("cursor", ["zzz", "cD1hYmM=", "cD0tMQ==", "cD0" + "5" * 43])
def test_a_cursor_that_is_none_of_ours_leads_nowhere(project, viewer, client_of, cursor):
    for about in ({}, {"project": project.pk}):
        assert client_of(viewer).get(EVENTS, about | {"cursor": cursor}).status_code == 404


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("project", "nope"),
        ("task", "1"),
        ("hitl_request", "é"),
        ("event_type", "task_exploded"),
        ("event_source", "aliens"),
        ("created_after", "yesterday"),
        ("created_before", "2026-13-01"),
        ("after_sequence", "-1"),
        ("after_sequence", "1" + "0" * 40),
        ("after_sequence", "NaN"),
        ("wait", "1000"),
    ],
)
def test_a_bad_filter_is_named(viewer, client_of, name, value):
    response = client_of(viewer).get(f"{EVENTS}?{urlencode({name: value})}")

    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert [error["field"] for error in response.json()["errors"]] == [name]


def test_filters_narrow_the_list(project, viewer, client_of):
    api = client_of(viewer)
    head = write(project.pk, 2)
    last = Event.objects.get(project=project.pk, sequence=head)

    def found(**filters) -> list[int]:
        return sequences(api.get(EVENTS, {"project": project.pk} | filters))

    assert found(event_type="task_progress") == [head - 1, head]
    assert found(event_source="user") == list(range(1, head - 1))
    assert found(after_sequence=head - 1) == [head]
    assert found(created_after=last.created_at.isoformat())[-1] == head
    assert head not in found(created_before=last.created_at.isoformat())
    assert found(task=uuid.uuid4()) == []


def test_an_outsider_sees_nothing(project, outsider, client_of):
    api = client_of(outsider)
    event = Event.objects.filter(project=project.pk).first()

    assert sequences(api.get(EVENTS, {"project": project.pk})) == []
    assert api.get(f"{EVENTS}{event.pk}/").status_code == 404
    assert api.get(VERIFY, {"project": project.pk}).status_code == 404


def test_nobody_must_log_in(client):
    assert client.get(EVENTS).status_code == 401
    assert client.get(VERIFY).status_code == 401


@pytest.mark.parametrize("event_id", ["0", "9" * 30, "x", "-1"])
def test_an_event_that_is_not_there(viewer, client_of, event_id):
    assert client_of(viewer).get(f"{EVENTS}{event_id}/").status_code == 404


def test_events_are_read_only(project, owner, client_of):
    api = client_of(owner)
    event = Event.objects.filter(project=project.pk).first()

    assert api.post(EVENTS, {}).status_code == 405
    assert api.delete(f"{EVENTS}{event.pk}/").status_code == 405
    assert api.patch(f"{EVENTS}{event.pk}/", {}).status_code == 405


def test_verify_answers_for_a_whole_chain(project, viewer, client_of):
    head = Stream.objects.get(project=project.pk)

    answer = client_of(viewer).get(VERIFY, {"project": project.pk}).json()

    # Tests of checkpoints have what it says of those.
    assert (answer.pop("checkpoint")["holds"], bool(answer.pop("not_checked"))) == (None, True)
    assert answer == {
        "valid": True,
        "events": head.sequence,
        "head_sequence": head.sequence,
        "head_hash": head.head_hash,
        "first_broken_sequence": None,
        "erased": 0,
        "beyond_head": 0,
        "rows_checked": 4,
        "first_row_problem": None,
    }


@pytest.mark.parametrize(("query", "code"), [("", "required"), ("?project=x", "invalid")])
def test_verify_needs_a_project(viewer, client_of, query, code):
    response = client_of(viewer).get(VERIFY + query)

    assert response.status_code == 400
    assert response.json()["errors"][0] | {"detail": ""} == {
        "field": "project",
        "code": code,
        "detail": "",
    }


def test_verify_of_an_unknown_project(viewer, client_of):
    assert client_of(viewer).get(VERIFY, {"project": uuid.uuid4()}).status_code == 404
