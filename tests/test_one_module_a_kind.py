"""What comes in kinds grows by one module: the API, the pages and the engine know it from there."""

import sys
import textwrap
from importlib import import_module

import pytest
from django.core.management import call_command
from django.db import transaction

from agents.models import AgentStatus, Task
from agents.worker.run import run
from audit.actors import Actor
from audit.event_types import event_types
from audit.services import record
from context.artifact_types import artifact_types
from core.registry import Registry
from hitl.actions.registry import actions
from ops.health.check import checks
from orchestrator.engine.definition import parse_definition
from projects.agent_types import agent_types
from projects.services import start_project
from tests.scenes import asked
from tests.ui.web.conftest import logged_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owner(owner):
    owner.is_staff = True
    owner.save()
    return owner


@pytest.fixture
def add_kind():
    """Import a module of `tests.kinds`; what it registers is forgotten after the test."""
    added = []

    def add(module, registry):
        before = registry.values
        sys.modules.pop(f"tests.kinds.{module}", None)
        import_module(f"tests.kinds.{module}")
        added.extend((registry, name) for name in registry.values if name not in before)

    yield add
    for registry, name in added:
        registry.unregister(name)


def test_a_role_is_given_work_by_the_api_and_by_a_workflow(
    add_kind, project, owner, client_of, settings
):
    api = client_of(owner)
    wanted = {"project": str(project.pk), "agent_type": "reviewer", "instructions": "Read it."}
    assert api.post("/api/v1/tasks/", wanted).status_code == 400

    # The project is older than the role.
    add_kind("reviewer", agent_types)
    settings.AGENT_MODELS = settings.AGENT_MODELS | {"reviewer": settings.MODEL_DEFAULT}
    task = api.post("/api/v1/tasks/", wanted)
    run(task_id=task.json()["id"], worker="test:1:1")

    assert Task.objects.get(pk=task.json()["id"]).status == "waiting_for_hitl"
    listed = api.get("/api/v1/tasks/", {"agent_type": "reviewer"}).json()
    assert [item["id"] for item in listed["results"]] == [task.json()["id"]]
    assert AgentStatus.objects.get(project=project, agent_type="reviewer").task_id
    assert "reviewer" in logged_in(owner).get("/admin/search/").content.decode()
    workflow = """
        name: tiny
        version: 1
        title: Tiny
        steps:
          - {id: a, title: A, phase: validate, agent: reviewer, creates: [agent_output],
             instructions: Read it.}
    """
    assert parse_definition(textwrap.dedent(workflow), "tiny.yaml").steps[0].agent == "reviewer"


def test_an_artifact_type_is_handed_in_shown_and_searched(add_kind, project, owner, client_of):
    add_kind("risk_list", artifact_types)
    api = client_of(owner)

    content = {"title": "Ferry", "risks": ["It sinks"]}
    made = api.post(
        "/api/v1/artifacts/",
        {
            "project": str(project.pk),
            "artifact_type": "risk_list",
            "title": "Risks",
            "content": content,
        },
    )

    assert made.status_code == 201, made.json()
    path = f"/api/v1/artifacts/{made.json()['id']}/"
    assert api.get(path).json()["markdown"] == "# Risks: Ferry\n\n- It sinks\n"
    concepts = api.get(f"{path}concepts/").json()["results"]
    assert [item["title"] for item in concepts] == ["It sinks"]
    types = api.get("/api/v1/artifact-types/").json()["results"]
    assert "risk_list" in [item["artifact_type"] for item in types]
    assert api.get("/api/v1/artifacts/", {"artifact_type": "risk_list"}).json()["count"] == 1
    page = logged_in(owner).get(f"/admin/context/artifact/{made.json()['id']}/change/")
    assert "It sinks" in page.content.decode()


def test_an_event_type_is_recorded_filtered_and_told(add_kind, project, owner, client_of):
    add_kind("praise", event_types)
    start_project(project_id=project.pk, actor=Actor.of_user(owner))

    with transaction.atomic():
        record(
            project_id=project.pk,
            event_type=event_types["work_praised"],
            actor=Actor.of_user(owner),
            data={"whom": "the coder"},
        )

    events = client_of(owner).get(
        "/api/v1/audit/events/", {"project": str(project.pk), "event_type": "work_praised"}
    )
    assert [item["event_type"] for item in events.json()["results"]] == ["work_praised"]
    page = logged_in(owner).get(f"/admin/projects/project/{project.pk}/change/")
    assert "owner praised the coder" in page.content.decode()


def test_an_unregistered_event_type_is_refused(project, owner):
    with transaction.atomic(), pytest.raises(KeyError):
        record(project_id=project.pk, event_type="work_praised", actor=Actor.of_user(owner))


def test_a_decision_action_is_offered_taken_and_recorded(
    add_kind, project, owner, approver, client_of, capsys
):
    request = asked(project)
    url = f"/api/v1/hitl/requests/{request.pk}/"
    decision = {"action": "thank", "subject_digest": request.subject_digest}
    assert client_of(approver).post(f"{url}decisions/", decision).status_code == 400

    add_kind("thanks", actions)
    api = client_of(approver)

    assert "thank" in api.get(url).json()["allowed_actions"]
    page = logged_in(owner).get(f"/admin/hitl/hitlrequest/{request.pk}/change/").content.decode()
    assert "Approve with thanks" in page
    with pytest.raises(SystemExit):
        call_command("hitl", "--help")
    assert "say thanks" in capsys.readouterr().out
    answer = api.post(f"{url}decisions/", decision)
    assert answer.status_code == 201, answer.json()
    assert answer.json()["request"]["status"] == "approved"
    assert Task.objects.filter(project=project, status="pending").exists()


def test_a_health_check_is_in_every_report(add_kind, client):
    add_kind("printer", checks)

    detailed = client.get("/health/detailed").json()["components"]["printer"]

    assert (detailed["status"], detailed["message"]) == ("degraded", "out of paper")
    assert client.get("/health/z").json()["checks"]["printer"] == "fail"
    assert 'paraph_component_up{component="printer"} 1.0' in client.get("/metrics").content.decode()


def test_a_registry_finds_modules_and_packages_of_installed_apps(tmp_path, monkeypatch, settings):
    package = tmp_path / "shop_of_a_test" / "prices"
    package.mkdir(parents=True)
    (tmp_path / "shop_of_a_test" / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "high.py").write_text("from shop_of_a_test import prices\nprices.found = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    settings.INSTALLED_APPS = ["shop_of_a_test"]

    assert Registry("price", place="prices").values == []

    assert import_module("shop_of_a_test.prices").found


def test_a_name_is_registered_once():
    registry = Registry("price", place="prices_of_nobody")
    registry.register("high", 1)

    with pytest.raises(ValueError, match="high"):
        registry.register("high", 2)
