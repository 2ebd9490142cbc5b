import threading

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from pydantic import create_model

from agents.protocols import Completed, Output
from audit.actors import Actor
from context.artifact_types import artifact_types
from context.models import Artifact
from context.services import add_version
from hitl.models import Decision, HitlRequest
from hitl.presenter import present_request
from orchestrator.engine.advance import advance_project
from orchestrator.engine.export import export_files
from tests.scenes import (
    ALLOWED,
    CONTENT,
    KINDS,
    USAGE,
    asked,
    finish,
    join,
    pending_task,
    running,
    set_policy,
    side_task,
    work,
)
from ui.terminal.requests import markdown_of
from ui.web.inbox.request_page import shown_version

pytestmark = pytest.mark.django_db

REQUESTS = "/api/v1/hitl/requests/"
OTHER = {"summary": "My own plan.", "body": "By hand."}
OLD = "Written before there was a summary."


def body_for(request, action="approve", **changes) -> dict:
    return {"action": action, "subject_digest": request.subject_digest} | changes


def decisions_of(request) -> str:
    return f"{REQUESTS}{request.pk}/decisions/"


@pytest.mark.parametrize("kind", KINDS)
def test_the_single_view_carries_all_that_is_needed_to_decide(project, approver, client_of, kind):
    request = asked(project, kind)

    row = client_of(approver).get(f"{REQUESTS}{request.pk}/").json()

    assert row["subject"] == request.subject
    assert row["subject_digest"] == request.subject_digest
    assert set(row["allowed_actions"]) == ALLOWED[kind]
    assert row["can_decide"] == {"allowed": True, "code": "", "detail": ""}
    assert row["decisions"] == []
    assert row["previous"] is None
    assert row["diff"] is None


def test_the_shown_artifact_comes_with_its_content_and_its_maker(project, approver, client_of):
    request = asked(project)

    row = client_of(approver).get(f"{REQUESTS}{request.pk}/").json()

    assert row["content"]["body"] == CONTENT["body"]
    assert row["artifact"]["artifact_type"] == "agent_output"
    assert row["contents"][0]["provider"] == "demo"
    assert row["contents"][0]["version"] == 1


def test_a_question_has_no_artifact(project, approver, client_of):
    row = client_of(approver).get(f"{REQUESTS}{asked(project, 'clarification').pk}/").json()

    assert (row["content"], row["artifact"], row["contents"]) == (None, None, [])
    assert row["subject"]["questions"] == ["Who lends?", "For how long?"]


def test_the_difference_is_from_what_was_last_decided(project, approver, client_of):
    api, request = client_of(approver), asked(project)
    api.post(decisions_of(request), body_for(request, "request_changes", comment="Risks?"))
    advance_project(project.pk)
    newer = finish(pending_task(project), work(body="# The plan\n\nwith risks"))

    row = api.get(f"{REQUESTS}{newer.pk}/").json()

    assert row["previous"] == str(request.pk)
    assert (row["diff"]["from"], row["diff"]["to"]) == (1, 2)
    assert [change["path"] for change in row["diff"]["changes"]] == ["body"]
    assert "+with risks" in row["diff"]["files"][0]["unified"]


def test_content_older_than_its_schema_is_shown_by_every_channel(
    project, approver, client_of, monkeypatch
):
    with monkeypatch.context() as then:
        then.setattr(
            artifact_types["agent_output"], "schema", create_model("Then", body=(str, ...))
        )
        outcome = Completed((Output("agent_output", "Plan", {"body": OLD}),), USAGE)
        request = finish(pending_task(running(project)), outcome)
    artifact, api = Artifact.objects.get(step="orchestrate"), client_of(approver)

    (content,) = present_request(request, approver).contents
    markdown = [
        api.get(f"{REQUESTS}{request.pk}/").json()["contents"][0]["markdown"],
        api.get(f"/api/v1/artifacts/{artifact.pk}/").json()["markdown"],
        markdown_of(content.version),
        shown_version(content, {}).html,
        dict(export_files(project))["artifacts/orchestrate/agent_output.md"].decode(),
    ]

    assert all(OLD in text for text in markdown)


def test_what_was_never_decided_is_no_base_for_a_difference(project, owner, approver, client_of):
    asked(project)
    artifact = Artifact.objects.get(step="orchestrate")
    add_version(actor=Actor.of_user(owner), artifact_id=artifact.pk, content=OTHER)
    advance_project(project.pk)
    newer = HitlRequest.objects.pending().get(project=project)

    row = client_of(approver).get(f"{REQUESTS}{newer.pk}/").json()

    assert row["previous"] is not None
    assert row["diff"] is None


def test_a_decision_is_answered_with_itself_and_the_request(project, approver, client_of):
    request = asked(project)

    response = client_of(approver).post(decisions_of(request), body_for(request, comment="Good"))

    answer = response.json()
    assert response.status_code == 201
    assert answer["decision"]["action"] == "approve"
    assert answer["decision"]["decided_by_username"] == "approver"
    assert answer["decision"]["channel"] == "rest"
    assert answer["request"]["status"] == "approved"
    assert answer["request"]["allowed_actions"] == []
    assert answer["request"]["can_decide"]["code"] == "already_decided"
    assert answer["request"]["decisions"] == [answer["decision"]]


def test_the_second_decision_is_409_with_the_standing_one(project, owner, approver, client_of):
    request = asked(project)
    client_of(approver).post(decisions_of(request), body_for(request))

    response = client_of(owner).post(decisions_of(request), body_for(request))

    assert response.status_code == 409
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "already_decided"
    assert response.json()["decision"]["action"] == "approve"
    assert response.json()["decision"]["decided_by_username"] == "approver"


UNACCEPTABLE = [
    ({"action": "reject"}, 422, "comment_required"),
    ({"action": "request_changes", "comment": "  "}, 422, "comment_required"),
    ({"action": "amend"}, 422, "content_required"),
    ({"action": "amend", "content": None}, 422, "content_required"),
    ({"action": "answer", "content": "x"}, 422, "action_not_allowed"),
    ({"action": "amend", "content": {"summary": "x"}}, 400, "invalid_content"),
    ({"subject_digest": "0" * 64}, 409, "subject_changed"),
    ({"action": "yes"}, 400, "invalid"),
    ({"action": None}, 400, "invalid"),
    ({"subject_digest": None}, 400, "invalid"),
    ({"comment": 5}, 400, "invalid"),
    ({"approve": True}, 400, "invalid"),
]


def test_a_decision_that_is_not_acceptable(project, approver, client_of, subtests):
    request, api = asked(project), client_of(approver)

    for changes, status, code in UNACCEPTABLE:
        with subtests.test(changes=changes):
            response = api.post(decisions_of(request), body_for(request) | changes)

            assert (response.status_code, response.json()["code"]) == (status, code)
            assert not Decision.objects.exists()


def test_an_empty_body_is_no_decision(project, approver, client_of):
    response = client_of(approver).post(decisions_of(asked(project)), {})

    assert response.status_code == 400
    assert {error["field"] for error in response.json()["errors"]} == {"action", "subject_digest"}


def test_an_expired_request_is_410(project, approver, client_of):
    request = asked(project)
    request.close("expired")
    request.save()

    response = client_of(approver).post(decisions_of(request), body_for(request))

    assert (response.status_code, response.json()["code"]) == (410, "expired")


@pytest.mark.parametrize(
    ("person", "status", "code"),
    [
        ("viewer", 403, "role_too_low"),
        ("outsider", 404, "not_found"),
        ("staff", 403, "not_a_member"),
    ],
)
def test_who_may_not_decide_is_told_why(
    project, viewer, outsider, staff, client_of, person, status, code
):
    user = {"viewer": viewer, "outsider": outsider, "staff": staff}[person]
    request = asked(project)

    response = client_of(user).post(decisions_of(request), body_for(request))

    assert (response.status_code, response.json()["code"]) == (status, code)


def test_can_decide_says_why_not_before_one_tries(project, viewer, client_of):
    row = client_of(viewer).get(f"{REQUESTS}{asked(project).pk}/").json()

    assert row["can_decide"]["allowed"] is False
    assert row["can_decide"]["code"] == "role_too_low"


def test_mine_are_those_on_which_i_may_decide(make_project, owner, approver, viewer, client_of):
    asked(make_project())
    written = make_project()
    asked(written)
    artifact = Artifact.objects.get(project=written, step="orchestrate")
    add_version(actor=Actor.of_user(owner), artifact_id=artifact.pk, content=OTHER)
    advance_project(written.pk)

    def count(user):
        return client_of(user).get(REQUESTS, {"mine": "true"}).json()["count"]

    assert (count(owner), count(approver), count(viewer)) == (1, 2, 0)


def test_filters_narrow_the_list(project, approver, client_of):
    asked(project, "result_approval")
    api = client_of(approver)

    def count(**filters):
        return api.get(REQUESTS, filters).json()["count"]

    assert count(kind="result_approval", status="pending", project=project.pk) == 1
    assert count(kind="clarification") == 0
    assert count(overdue="true") == 0
    assert count(overdue="false") == 1
    assert count(mine="false") == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("project", "nonsense"),
        ("status", "open"),
        ("kind", "vote"),
        ("task", "5"),
    ],
)
def test_a_filter_with_an_unknown_value_is_400(approver, client_of, name, value):
    response = client_of(approver).get(REQUESTS, {name: value})

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == name


def test_the_list_takes_as_many_queries_for_many_as_for_one(project, approver, client_of):
    api = client_of(approver)
    asked(project, "result_approval")
    with CaptureQueriesContext(connection) as for_one:
        api.get(REQUESTS)
    for _ in range(4):
        asked(project, "result_approval")

    with CaptureQueriesContext(connection) as for_five:
        assert api.get(REQUESTS).json()["count"] == 5

    assert len(for_five) == len(for_one)


def test_claims_and_votes_cost_the_list_no_query_more(project, owner, client_of):
    people = [join(project, f"person-{number}") for number in range(4)]
    set_policy(project, required_approvals=3)
    requests = [asked(project, "result_approval") for _ in range(4)]
    HitlRequest.objects.update(due_at=requests[0].created_at)
    api, queries = client_of(owner), ("", "?mine=true", "?overdue=true")

    def statements(query):
        with CaptureQueriesContext(connection) as captured:
            assert api.get(f"{REQUESTS}{query}").json()["count"] == 4
        return len(captured)

    before = [statements(query) for query in queries]
    for person, request in zip(people, requests, strict=True):
        client_of(person).post(decisions_of(request), body_for(request))
        api.post(f"{REQUESTS}{request.pk}/claim/")

    assert [statements(query) for query in queries] == before


def test_bulk_decisions_answer_each_item_for_itself(project, approver, client_of):
    first, second = asked(project, "result_approval"), asked(project, "clarification")
    stale = finish(side_task(project), work())
    items = [
        {"request": str(stale.pk), "subject_digest": "0" * 64},
        {"request": str(first.pk), "subject_digest": first.subject_digest},
        {"request": str(second.pk), "subject_digest": second.subject_digest},
        {"request": str(project.pk), "subject_digest": "0" * 64},
        {"request": str(first.pk), "subject_digest": first.subject_digest},
    ]

    response = client_of(approver).post(
        f"{REQUESTS}bulk-decisions/", {"action": "approve", "items": items}
    )

    results = response.json()["results"]
    assert response.status_code == 200
    assert [result["request"] for result in results] == [item["request"] for item in items]
    assert [result["status"] for result in results] == [409, 201, 422, 404, 409]
    assert results[0]["code"] == "subject_changed"
    assert results[4]["code"] == "already_decided"
    assert "code" not in results[1]


@pytest.mark.parametrize("items", [[], None, {}, [{}], "all"])
def test_bulk_decisions_need_items(approver, client_of, items):
    response = client_of(approver).post(
        f"{REQUESTS}bulk-decisions/", {"action": "approve", "items": items}
    )

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"].startswith("items")


def test_more_than_200_are_too_many_at_once(project, approver, client_of):
    items = [{"request": str(project.pk), "subject_digest": "0"}] * 201

    response = client_of(approver).post(
        f"{REQUESTS}bulk-decisions/", {"action": "approve", "items": items}
    )

    assert response.status_code == 400
    assert "200" in response.json()["errors"][0]["detail"]


def test_statistics_count_and_time_decisions(project, approver, outsider, client_of):
    request = asked(project, "result_approval")
    client_of(approver).post(decisions_of(request), body_for(request))
    asked(project, "clarification")

    figures = client_of(approver).get("/api/v1/hitl/statistics/", {"project": project.pk}).json()

    assert (figures["total"], figures["pending"]) == (2, 1)
    assert figures["by_status"]["approved"] == 1
    assert figures["by_kind"]["clarification"] == 1
    assert figures["approval_rate"] == 1.0
    assert 0 <= figures["decision_time_seconds"]["p50"] <= figures["decision_time_seconds"]["p95"]
    assert client_of(outsider).get("/api/v1/hitl/statistics/").json()["total"] == 0


@pytest.mark.django_db(transaction=True)
def test_of_two_decisions_at_once_one_stands_and_the_other_is_told(
    project, owner, approver, client_of
):
    request = asked(project)
    start, statuses = threading.Barrier(2), []

    def decide(api) -> None:
        start.wait()
        statuses.append(api.post(decisions_of(request), body_for(request)).status_code)
        connections.close_all()

    threads = [threading.Thread(target=decide, args=[client_of(u)]) for u in (owner, approver)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [201, 409]
    assert Decision.objects.filter(request=request).count() == 1
