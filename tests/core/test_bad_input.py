import json

import pytest

from projects.models import Project

pytestmark = pytest.mark.django_db

PROJECTS = "/api/v1/projects/"
GOOD = {"name": "Library", "brief": "Members borrow books."}


def send(api, body, content_type="application/json"):
    return api.generic("POST", PROJECTS, body, content_type=content_type)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("name", None, "null"),
        ("name", "", "blank"),
        ("name", 5, "invalid"),
        ("name", ["x"], "invalid"),
        ("name", "x" * 201, "max_length"),
        ("name", "a\0b", "null_characters_not_allowed"),
        ("name", "a\ud800b", "surrogate_characters_not_allowed"),
        ("brief", "", "blank"),
        ("brief", "   \n", "blank"),
        ("brief", "x" * 100_001, "max_length"),
        ("brief", "\0\1\2", "null_characters_not_allowed"),
        ("brief", {"text": "x"}, "invalid"),
        ("brief", 10**400, "invalid"),
        ("workflow", "nonesuch", "does_not_exist"),
        ("workflow", "../../etc/passwd", "does_not_exist"),
        ("workflow", None, "null"),
        ("oversight_level", "none", "invalid_choice"),
        ("oversight_level", ["high"], "invalid_choice"),
        ("auto_start", "false", "invalid"),
        ("auto_start", 0, "invalid"),
        ("status", "completed", "unknown_field"),
        ("created_by", 1, "unknown_field"),
    ],
)
def test_bad_input_is_400_and_names_the_field(owner, client_of, field, value, code):
    response = send(client_of(owner), json.dumps(GOOD | {field: value}))

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert (field, code) in {(e["field"], e["code"]) for e in response.json()["errors"]}
    assert not Project.objects.exists()


@pytest.mark.parametrize(
    "brief",
    [
        "x" * 100_000,
        "<script>alert(1)</script>",
        "مكتبة للإعارة",
        "📚🚀" * 10,
        "ｆｕｌｌ\u202ewidth",
        "a\nb\tc",
    ],
)
def test_any_text_is_a_brief_and_is_kept_as_it_is(owner, client_of, brief):
    body = GOOD | {"brief": brief, "auto_start": False}

    response = client_of(owner).post(PROJECTS, body)

    assert response.status_code == 201
    assert response.json()["brief"] == brief


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nothing",
        b"{'a': 1}",
        b"\xff\xfe",
        b"NaN",
        b'{"name": Infinity}',
        b"[" * 100_000,
        b'{"name":' * 50_000,
        b"1" * 10_000,
        b'{"name": "x", "name"}',
        b'{"name": "\xff"}',
    ],
)
def test_a_body_that_is_no_json_is_400(owner, client_of, body):
    response = send(client_of(owner), body)

    assert response.status_code == 400
    assert response.json()["code"] in {"malformed_json", "invalid"}


@pytest.mark.parametrize(
    "body",
    ['{"name": "A", "brief": "x", "name": "B"}', '{"brief": {"name": 1, "name": 1}, "name": "A"}'],
)
def test_a_name_that_is_there_twice_is_400_and_named(owner, client_of, body):
    response = send(client_of(owner), body)

    assert response.status_code == 400
    assert [(e["field"], e["code"]) for e in response.json()["errors"]] == [("name", "repeated")]
    assert not Project.objects.exists()


@pytest.mark.parametrize("body", ["[]", '"text"', "5", "null", "true", "[[]]"])
def test_a_body_that_is_no_object_is_400(owner, client_of, body):
    assert send(client_of(owner), body).status_code == 400


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data"])
def test_a_body_of_another_type_is_415(owner, client_of, content_type):
    response = send(client_of(owner), json.dumps(GOOD), content_type)

    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
def test_a_body_over_the_limit_is_413_and_names_it(owner, client_of, headers):
    body = json.dumps(GOOD | {"brief": "x" * 6_000_000})

    response = client_of(owner).generic(
        "POST", PROJECTS, body, content_type="application/json", headers=headers
    )

    assert response.status_code == 413
    assert "5 MiB" in response.json()["detail"]


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
@pytest.mark.parametrize("bad", ["a\ud800b", "a\0b"])
def test_an_error_that_quotes_what_no_text_may_hold_can_still_be_sent(
    owner, client_of, bad, headers
):
    body = json.dumps(GOOD | {"oversight_level": bad, bad: 1})

    response = client_of(owner).generic(
        "POST", PROJECTS, body, content_type="application/json", headers=headers
    )

    assert response.status_code == 400
    assert {e["field"] for e in response.json()["errors"]} == {"oversight_level", "a\ufffdb"}


def test_all_faults_are_told_at_once(owner, client_of):
    response = client_of(owner).post(PROJECTS, {"oversight_level": "none", "nmae": "x"})

    fields = {error["field"] for error in response.json()["errors"]}
    assert fields == {"name", "brief", "oversight_level", "nmae"}


@pytest.mark.parametrize("path", ["start", "pause", "resume", "cancel"])
@pytest.mark.parametrize("body", ["[]", '{"force": true}', "{"])
def test_a_verb_takes_no_unknown_body(project, owner, client_of, path, body):
    response = client_of(owner).generic(
        "POST", f"{PROJECTS}{project.pk}/{path}/", body, content_type="application/json"
    )

    assert response.status_code == 400


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("projects/", "status=open", "status"),
        ("tasks/", "project=5", "project"),
        ("tasks/", "status=%00", "status"),
        ("tasks/", "step=%00", "step"),
        ("agents/", "agent_type=writer", "agent_type"),
        ("agents/coder/history/", "", "project"),
        ("agents/coder/history/", "project=x", "project"),
        ("artifacts/", "granularity=page", "granularity"),
        ("artifacts/", "q=%00", "q"),
        ("artifacts/", "stale=maybe", "stale"),
        ("tasks/", "is_current=2", "is_current"),
        ("tasks/", "page_size=0", "page_size"),
        ("audit/events/", "page_size=many", "page_size"),
        ("emergency-stop/", "is_active=on", "is_active"),
        ("hitl/requests/", "mine=me", "mine"),
        ("hitl/requests/", "overdue=%00", "overdue"),
        ("hitl/requests/", "status=open", "status"),
        ("hitl/statistics/", "project=x", "project"),
        ("audit/events/", "created_after=2026-01-01T00:00:00-17:02", "created_after"),
        ("hitl/requests/", "project=", "project"),
    ],
)
def test_an_unknown_value_in_a_query_is_400_and_names_the_field(
    owner, client_of, path, query, field
):
    response = client_of(owner).get(f"/api/v1/{path}?{query}")

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == field


@pytest.mark.parametrize("path", ["search/", "artifacts/"])
@pytest.mark.parametrize("words", ["-" * 50, "- " * 150, "-(" * 50 + "x", '-"' * 50 + "x"])
def test_any_text_may_be_searched_for(owner, project, client_of, path, words):
    response = client_of(owner).get(f"/api/v1/{path}", {"q": words, "project": project.pk})

    assert response.status_code == 200


@pytest.mark.parametrize("size", [1, 1000])
def test_a_page_may_be_small_and_never_beyond_the_limit(owner, client_of, size):
    for number in range(2):
        client_of(owner).post(PROJECTS, GOOD | {"name": f"P{number}", "auto_start": False})

    page = client_of(owner).get(f"{PROJECTS}?page_size={size}").json()

    assert (page["count"], len(page["results"])) == (2, min(size, 2))


@pytest.mark.parametrize("value", ["true", "True", "1"])
def test_yes_is_said_in_any_usual_way(owner, client_of, value):
    assert client_of(owner).get(f"/api/v1/hitl/requests/?mine={value}").status_code == 200


@pytest.mark.parametrize("id", [1, 1.5, True, None, [], "1", ""])
def test_an_id_is_a_text(owner, client_of, id):
    body = {"project": id, "agent_type": "analyst", "instructions": "Read it."}

    response = client_of(owner).post("/api/v1/tasks/", body)

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "project")


@pytest.mark.parametrize("cursor", ["%00", "%%%", "x", "cD0xMDA%3D%00"])
def test_a_cursor_that_no_page_has_named_is_404(owner, client_of, cursor):
    assert client_of(owner).get(f"/api/v1/audit/events/?cursor={cursor}").status_code == 404


@pytest.mark.parametrize("number", ["0", "99999999999999999999", "-1", "x"])
def test_a_page_that_is_not_there_is_404(owner, client_of, number):
    assert client_of(owner).get(f"{PROJECTS}?page={number}").status_code == 404


@pytest.mark.parametrize("name", ["\ud800", "a\0b", "", None, [], {}, True, 1.5, -1, 10**30])
def test_a_user_that_there_cannot_be_is_400_and_named(project, owner, client_of, name):
    body = json.dumps({"user": name, "role": "viewer"})

    response = client_of(owner).generic(
        "POST", f"{PROJECTS}{project.pk}/members/", body, content_type="application/json"
    )

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "user")


def test_a_foreign_name_of_the_server_is_400_and_says_why(owner, client_of):
    response = client_of(owner).get(PROJECTS, headers={"Host": "evil.example"})

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "Host")
    assert "ALLOWED_HOSTS" in response.json()["detail"]


@pytest.mark.parametrize("method", ["options", "post", "put", "patch", "delete"])
def test_the_page_of_the_api_can_only_be_looked_at(client, method):
    assert getattr(client, method)("/api/docs/").status_code == 405
    assert client.get("/api/docs/").status_code == 200
