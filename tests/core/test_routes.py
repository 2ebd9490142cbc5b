import pytest
from rest_framework.test import APIClient

from agents.models import ModelEndpoint
from audit.actors import Actor
from audit.models import Event
from hitl.agent_actions.asks import ask_action
from notifications.webhooks import create_webhook
from projects.credentials import create_credential
from tests.core.routes import api_routes, fill
from tests.scenes import asked, stop

pytestmark = pytest.mark.django_db

# What `pk` is, by the beginning of the path.
KINDS = {
    "/api/v1/projects/": "project",
    "/api/v1/tasks/": "task",
    "/api/v1/artifacts/": "artifact",
    "/api/v1/hitl/requests/": "request",
    "/api/v1/audit/events/": "event",
    "/api/v1/emergency-stop/": "stop",
    "/api/v1/actions/": "action",
}
# Where one logs in.
PUBLIC = {"/api/v1/auth/token/"}
# Pages that are no 200 here: for superusers; without a checkpoint; without its two sizes.
REFUSED = {
    "/api/v1/audit/installation/": 403,
    "/api/v1/audit/events/<pk>/proof/": 409,
    "/api/v1/audit/consistency/": 400,
}
# No pages.
FILES = ("/export/", "/document/", "/checkpoints/latest/", "/usage/csv/")
# Needs an ASGI server; tested beside the socket that says the same.
STREAM = "/api/v1/projects/<uuid:project_id>/stream/"
ROUTES = [
    (route, names, method)
    for route, names, methods in api_routes()
    for method in methods
    if route != STREAM
]


@pytest.fixture
def values(project):
    """One of each, and ids for every place in a path."""
    request = asked(project)
    credential, _ = create_credential(
        project_id=project.pk, actor=Actor.of_user(project.created_by), name="a", scopes=["ask"]
    )
    action, _ = ask_action(
        project_id=project.pk,
        credential=credential,
        idempotency_key="k1",
        tool={"name": "refund"},
        arguments={},
        agent={"name": "support"},
    )
    webhook, _ = create_webhook(
        project_id=project.pk,
        actor=Actor.of_user(project.created_by),
        url="https://example.org/hook",
    )
    # A workflow has this name, too.
    endpoint = ModelEndpoint.objects.create(
        project=project, name="sdlc", speaks="anthropic", created_by=project.created_by
    )
    found = {
        "project": project.pk,
        "task": request.task_id,
        "artifact": request.subject["outputs"][0]["artifact"],
        "request": request.pk,
        "event": Event.objects.filter(project=project.pk).first().pk,
        "action": action.pk,
        "stop": stop(project.created_by, project_id=project.pk).pk,
    }
    return found | {
        "project_id": project.pk,
        "task_id": found["task"],
        "user": project.created_by_id,
        "agent_type": "coder",
        "number": 1,
        "proposal_id": project.pk,
        "cid": credential.pk,
        "rule": credential.pk,
        "group": 1,
        "wid": webhook.pk,
        "did": webhook.pk,
        "name": endpoint.name,
    }


def path_of(route, values):
    kind = next((kind for start, kind in KINDS.items() if route.startswith(start)), "project")
    path = fill(route, values | {"pk": values[kind]})
    return f"{path}?project={values['project']}" if "agent_type" in route else path


def test_the_url_conf_has_the_routes_of_the_contract():
    listed = {(route.removeprefix("/api/v1/"), method) for route, _, method in ROUTES}

    for route, methods in {
        "auth/token/": "post",
        "auth/tokens/": "get post",
        "auth/tokens/<uuid:pk>/": "delete",
        "projects/": "get post",
        "projects/<uuid:pk>/": "get patch",
        "projects/<uuid:pk>/start/": "post",
        "projects/<uuid:pk>/pause/": "post",
        "projects/<uuid:pk>/resume/": "post",
        "projects/<uuid:pk>/cancel/": "post",
        "projects/<uuid:project_id>/rewind/": "post",
        "projects/<uuid:project_id>/progress/": "get",
        "projects/<uuid:project_id>/snapshot/": "get",
        "projects/<uuid:project_id>/export/": "get",
        "projects/<uuid:project_id>/document/": "get",
        "projects/<uuid:project_id>/origin/": "get",
        "projects/import/": "post",
        "projects/<uuid:project_id>/members/": "get post",
        "projects/<uuid:project_id>/members/<str:user>/": "delete",
        "tasks/": "get post",
        "tasks/<uuid:pk>/": "get",
        "tasks/<uuid:pk>/cancel/": "post",
        "tasks/<uuid:pk>/retry/": "post",
        "agents/": "get",
        "emergency-stop/": "get post",
        "emergency-stop/<uuid:pk>/": "get",
        "emergency-stop/release/": "post",
        "agents/<slug:agent_type>/history/": "get",
        "search/": "get",
        "workflows/": "get post",
        "workflows/<slug:name>/": "get",
        "artifacts/": "get post",
        "artifacts/<uuid:pk>/": "get",
        "artifacts/<uuid:pk>/versions/": "get post",
        "artifacts/<uuid:pk>/diff/": "get",
        "hitl/requests/": "get",
        "hitl/requests/<uuid:pk>/": "get",
        "hitl/requests/<uuid:pk>/decisions/": "get post",
        "hitl/requests/bulk-decisions/": "post",
        "hitl/statistics/": "get",
        "audit/events/": "get",
        "audit/events/<pk>/": "get",
        "audit/verify/": "get",
        "audit/installation/": "get",
        "projects/<uuid:project_id>/actions/": "get post",
        "projects/<uuid:project_id>/credentials/": "get post",
        "projects/<uuid:project_id>/credentials/<uuid:cid>/": "delete",
        "projects/<uuid:project_id>/webhooks/": "get post",
        "projects/<uuid:project_id>/webhooks/<uuid:wid>/": "delete",
        "projects/<uuid:project_id>/webhooks/<uuid:wid>/test/": "post",
        "projects/<uuid:project_id>/webhooks/<uuid:wid>/deliveries/": "get",
        "notifications/preferences/": "get patch",
        "actions/<uuid:pk>/": "get",
        "actions/<uuid:pk>/claim/": "post",
        "actions/<uuid:pk>/heartbeat/": "post",
        "actions/<uuid:pk>/outcome/": "post",
        "actions/<uuid:pk>/cancel/": "post",
        "work/claim/": "post",
        "work/<uuid:task_id>/heartbeat/": "post",
        "work/<uuid:task_id>/complete/": "post",
        "work/<uuid:task_id>/ask/": "post",
        "work/<uuid:task_id>/fail/": "post",
        "work/<uuid:task_id>/release/": "post",
    }.items():
        assert {(route, method) for method in methods.split()} <= listed, route


def test_who_is_not_logged_in_gets_401_everywhere(values, subtests):
    for route, _, method in ROUTES:
        if route in PUBLIC:
            continue
        with subtests.test(route, method=method):
            response = getattr(APIClient(), method)(path_of(route, values), {})

            assert response.status_code == 401
            assert response["WWW-Authenticate"] == "Token"
            assert response.json()["code"] == "not_authenticated"


def test_every_page_can_be_browsed(values, owner, client, subtests):
    client.force_login(owner)
    for route, _, method in ROUTES:
        if method != "get" or route.endswith(FILES):
            continue
        path = path_of(route, values)
        with subtests.test(route):
            response = client.get(
                path + ("" if "verify" not in path else f"?project={values['project']}"),
                headers={"Accept": "text/html"},
            )

            assert response.status_code == REFUSED.get(route, 200)
            assert response["Content-Type"].startswith("text/html")
            assert "Log out" in response.content.decode()


def test_a_page_for_a_mistake_can_be_browsed_too(owner, client):
    client.force_login(owner)

    response = client.get("/api/v1/tasks/?status=none", headers={"Accept": "text/html"})

    assert response.status_code == 400
    assert response["Content-Type"].startswith("text/html")


def test_who_is_not_logged_in_is_shown_where_to(client):
    response = client.get("/api/v1/projects/", headers={"Accept": "text/html"})

    assert response.status_code == 401
    assert "/api/login/login/" in response.content.decode()


@pytest.mark.parametrize("path", ["/api/v1/nothing/", "/api/v1/projects/no-uuid/", "/api/x"])
def test_a_path_that_nobody_serves_is_a_problem(client, path):
    response = client.get(path)

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "not_found"


def test_outside_of_the_api_a_missing_page_is_a_page(client):
    response = client.get("/nothing/")

    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


def test_a_method_that_a_route_does_not_know_is_405(project, owner, client_of):
    response = client_of(owner).put(f"/api/v1/projects/{project.pk}/", {})

    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")


def test_the_session_needs_a_csrf_token(project, owner):
    api = APIClient(enforce_csrf_checks=True)
    api.force_login(owner)

    response = api.post(f"/api/v1/projects/{project.pk}/start/", {})

    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")


def test_the_session_serves_with_a_csrf_token(project, owner):
    api = APIClient(enforce_csrf_checks=True)
    api.force_login(owner)
    page = api.get("/api/v1/projects/", headers={"Accept": "text/html"})

    response = api.post(
        f"/api/v1/projects/{project.pk}/start/",
        {},
        headers={"X-CSRFToken": page.cookies["csrftoken"].value},
    )

    assert response.status_code == 200


def test_a_token_for_name_and_password(owner, client):
    body = {"username": "owner", "password": "owner-password"}

    token = client.post("/api/v1/auth/token/", body, "application/json").json()["token"]

    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert api.get("/api/v1/projects/").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"username": "owner", "password": "wrong"},
        {"username": "nobody", "password": "x"},
        {"username": "a\u0000b", "password": "x"},
        {},
        [],
        {"username": 5, "password": None},
    ],
)
def test_no_token_for_anything_else(owner, client, body):
    response = client.post("/api/v1/auth/token/", body, "application/json")

    assert response.status_code == 400
    assert "token" not in response.json()


def test_the_request_id_comes_back_and_is_in_the_event(owner, client_of):
    response = client_of(owner).post(
        "/api/v1/projects/",
        {"name": "Library", "brief": "Books.", "auto_start": False},
        headers={"X-Request-ID": "from-the-proxy-1"},
    )

    event = Event.objects.get(project=response.json()["id"])
    assert response["X-Request-ID"] == "from-the-proxy-1"
    assert event.metadata == {"channel": "rest", "request_id": "from-the-proxy-1"}


@pytest.mark.parametrize("given", ["", "x" * 65, "with blank", "<script>"])
def test_a_request_id_that_is_not_plain_is_replaced(client, given):
    response = client.get("/health", headers={"X-Request-ID": given})

    assert response["X-Request-ID"] not in ("", given)


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_path_without_its_slash_is_sent_on_with_method_and_body(owner, client_of, method):
    response = getattr(client_of(owner), method)("/api/v1/projects")

    assert (response.status_code, response["Location"]) == (308, "/api/v1/projects/")


@pytest.mark.parametrize("path", ["/", "/api/"])
def test_the_beginning_leads_somewhere(client, path):
    assert client.get(path).status_code == 302
