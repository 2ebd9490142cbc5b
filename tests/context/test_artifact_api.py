import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from context.models import Artifact
from tests.scenes import asked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]

ARTIFACTS = "/api/v1/artifacts/"


def wanted(project, **changes):
    return {
        "project": str(project.pk),
        "artifact_type": "user_input",
        "title": "House rules",
        "content": {"text": "Books are lent for two weeks."},
    } | changes


@pytest.fixture
def rules(project, owner, client_of):
    return client_of(owner).post(ARTIFACTS, wanted(project)).json()


def path_of(artifact, rest=""):
    return f"{ARTIFACTS}{artifact['id']}/{rest}"


def test_a_persons_own_artifact_counts_at_once(project, approver, client_of):
    response = client_of(approver).post(ARTIFACTS, wanted(project))

    artifact = response.json()
    assert response.status_code == 201
    assert (artifact["version"], artifact["accepted_version"]) == (1, 1)
    assert artifact["status"] == "accepted"
    assert artifact["content"]["text"] == "Books are lent for two weeks."
    assert artifact["created_by"] == approver.pk
    assert len(artifact["sha256"]) == 64
    assert client_of(approver).get(response["Location"]).json() == artifact


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"artifact_type": "poem"}, "artifact_type"),
        ({"title": ""}, "title"),
        ({"title": "x" * 301}, "title"),
        ({"content": None}, "content"),
        ({"content": []}, "content"),
        ({"content": {}}, "content.text"),
        ({"content": {"text": "a\0b"}}, "content"),
        ({"content": {"text": "a\ud800b"}}, "content"),
        ({"content": {"text": "x", "more": 1}}, "content.more"),
        ({"granularity": "page"}, "granularity"),
        ({"version": 2}, "version"),
    ],
)
def test_bad_input_names_the_field(project, owner, client_of, changes, field):
    # The client's own encoder would refuse a lone surrogate.
    body = json.dumps(wanted(project) | changes)
    response = client_of(owner).generic("POST", ARTIFACTS, body, content_type="application/json")

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == field
    assert not Artifact.objects.exists()


def test_content_nested_beyond_reason_is_400(project, owner, client_of):
    deep: dict = {}
    for _ in range(200):
        deep = {"a": deep}

    response = client_of(owner).post(ARTIFACTS, wanted(project, content=deep))

    assert response.json()["errors"][0]["code"] == "too_deep"


def test_content_over_the_limit_is_413_and_names_it(project, owner, client_of):
    long = "📚" * 400_000
    asked_for = [{"questions": ["How long?"], "answer": long}]
    content = {"summary": "Long.", "body": long, "clarifications": asked_for}

    response = client_of(owner).post(
        ARTIFACTS, wanted(project, artifact_type="agent_output", content=content)
    )

    assert (response.status_code, response.json()["code"]) == (413, "content_too_large")
    assert "2,097,152" in response.json()["detail"]
    assert not Artifact.objects.exists()


@pytest.mark.parametrize(
    ("characters", "limit"), [(400_001, 400_000), (2_100_000, 2_097_152)], ids=["text", "content"]
)
def test_one_text_over_a_limit_is_413_and_names_it(project, owner, client_of, characters, limit):
    content = {"text": "x" * characters}

    response = client_of(owner).post(ARTIFACTS, wanted(project, content=content))

    problem = response.json()
    assert (response.status_code, problem["code"]) == (413, "content_too_large")
    assert problem["limit"] == limit


def test_a_program_over_the_limit_is_413_even_where_each_file_is_not(project, owner, client_of):
    files = [
        {"path": f"part{n}.py", "content": "x" * 340_000, "language": "python"} for n in range(6)
    ]
    program = {
        "title": "Long",
        "summary": "Long.",
        "files": files,
        "entry_point": "part0.py",
        "test_command": [],
        "covered": [],
    }

    response = client_of(owner).post(
        ARTIFACTS, wanted(project, artifact_type="source_code", content=program)
    )

    assert (response.status_code, response.json()["limit"]) == (413, 2_000_000)


def test_a_title_in_a_content_that_is_too_long_is_bad_input(project, owner, client_of):
    content = {"title": "x" * 301, "summary": "y" * 400_001}

    response = client_of(owner).post(
        ARTIFACTS, wanted(project, artifact_type="source_code", content=content)
    )

    assert response.status_code == 400
    assert "content.title" in {error["field"] for error in response.json()["errors"]}


@pytest.mark.parametrize(("person", "status"), [("viewer", 403), ("outsider", 404), ("staff", 403)])
def test_who_may_not_hand_anything_in(project, viewer, outsider, staff, client_of, person, status):
    user = {"viewer": viewer, "outsider": outsider, "staff": staff}[person]

    assert client_of(user).post(ARTIFACTS, wanted(project)).status_code == status
    assert not Artifact.objects.exists()


def test_a_new_version_is_the_next_number(rules, owner, client_of):
    api = client_of(owner)

    response = api.post(path_of(rules, "versions/"), {"content": {"text": "Three weeks."}})

    assert response.status_code == 201
    assert (response.json()["version"], response.json()["status"]) == (2, "accepted")
    versions = api.get(path_of(rules, "versions/")).json()["results"]
    assert [(v["version"], v["status"]) for v in versions] == [(1, "superseded"), (2, "accepted")]
    assert "content" not in versions[0]
    first = api.get(path_of(rules, "versions/1/")).json()
    assert first["content"]["text"] == "Books are lent for two weeks."
    assert api.get(path_of(rules, "versions/3/")).status_code == 404


def test_a_version_on_top_of_an_old_one_is_stale(rules, owner, client_of):
    api = client_of(owner)
    body = {"content": {"text": "Three weeks."}, "base_version": 1}
    api.post(path_of(rules, "versions/"), body)

    response = api.post(path_of(rules, "versions/"), body)

    assert (response.status_code, response.json()["code"]) == (409, "stale_version")
    assert response.json()["version"] == 2


def test_a_viewer_writes_no_version(rules, viewer, client_of):
    response = client_of(viewer).post(path_of(rules, "versions/"), {"content": {"text": "x"}})

    assert (response.status_code, response.json()["code"]) == (403, "role_too_low")


def test_the_difference_between_two_versions(rules, owner, client_of):
    api = client_of(owner)
    api.post(path_of(rules, "versions/"), {"content": {"text": "Books are lent for a month."}})

    diff = api.get(path_of(rules, "diff/"), {"from": 1, "to": 2}).json()

    assert (diff["from"], diff["to"], diff["is_equal"]) == (1, 2, False)
    assert diff["changes"] == [
        {
            "path": "text",
            "pointer": "/text",
            "change": "changed",
            "old": "Books are lent for two weeks.",
            "new": "Books are lent for a month.",
        }
    ]
    assert "+Books are lent for a month." in diff["files"][0]["unified"]
    assert api.get(path_of(rules, "diff/?from=&to=")).json() == diff


def test_no_difference_from_itself(rules, owner, client_of):
    diff = client_of(owner).get(path_of(rules, "diff/"), {"from": 1, "to": 1}).json()

    assert (diff["is_equal"], diff["files"], diff["changes"]) == (True, [], [])


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("from=x", 400),
        ("to=0", 400),
        ("to=99999999999", 400),
        ("to=9", 404),
        ("from=2&to=1", 404),
    ],
)
def test_a_version_that_is_not_there_has_no_difference(rules, owner, client_of, query, status):
    assert client_of(owner).get(path_of(rules, f"diff/?{query}")).status_code == status


def test_an_agents_artifact_names_its_maker_and_provider(project, viewer, client_of):
    asked(project)

    listed = client_of(viewer).get(ARTIFACTS, {"source_agent": "orchestrator"}).json()["results"]

    assert [(a["provider"], a["status"], a["step"]) for a in listed] == [
        ("demo", "draft", "orchestrate")
    ]
    assert "content" not in listed[0]


def test_filters_narrow_the_list(project, rules, viewer, client_of):
    request = asked(project)

    def count(**filters):
        return client_of(viewer).get(ARTIFACTS, filters).json()["count"]

    assert count(project=project.pk) == 3
    assert count(artifact_type="user_input") == 2
    assert count(task=request.task_id) == 1
    assert count(q="two WEEKS") == 1
    assert count(q="House") == 1
    assert count(q="nowhere") == 0
    assert count(q='%_"\\') == 0
    assert count(granularity="document") == 3


def test_the_list_takes_as_many_queries_for_many_as_for_one(project, owner, client_of):
    api = client_of(owner)
    api.post(ARTIFACTS, wanted(project))
    with CaptureQueriesContext(connection) as for_one:
        api.get(ARTIFACTS)
    for _ in range(4):
        api.post(ARTIFACTS, wanted(project))

    with CaptureQueriesContext(connection) as for_five:
        assert api.get(ARTIFACTS).json()["count"] == 5

    assert len(for_five) == len(for_one)
