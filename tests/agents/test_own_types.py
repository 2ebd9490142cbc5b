"""Types of agents are rows: of one's own, or what the installation changed of those that ship."""

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from rest_framework.serializers import ListField, Serializer

from agents.models import AgentStatus, AgentType
from agents.own_types import delete_agent_type, describe, save_agent_type
from agents.providers import configured_models
from agents.role import limits_of, role_for, tools_of
from agents.worker.run import run
from audit.actors import Actor
from audit.installation import INSTALLATION
from audit.models import Event
from core.errors import Conflict, Forbidden, InvalidInput
from core.fields import KindField
from orchestrator.engine.definition import definition_hash, parse_definition
from orchestrator.models import WorkflowRun
from projects.agent_types import agent_type_choices, agent_types
from tests.openai_server import OpenAIServer
from tests.scenes import WORKER, current, fresh, side_task, started, stop
from tests.ui.web.conftest import logged_in

pytestmark = pytest.mark.django_db(transaction=True)

TRANSLATOR = {
    "name": "translator",
    "title": "Translator",
    "phase": "build",
    "instructions": "You translate what you are given into plain English.",
}
TRANSLATING = """
name: translating
version: 1
title: Translate
steps:
  - {id: translate, title: Translate, phase: build, agent: translator, creates: [agent_output],
     instructions: Translate the brief.}
"""


@pytest.fixture(autouse=True)
def _types_of_the_test_alone():
    yield
    AgentType.objects.all().delete()
    agent_types.refresh()


@pytest.fixture
def translator(staff):
    return make(staff)


def make(person, **changes):
    save_agent_type(actor=Actor.of_user(person), **TRANSLATOR | changes)
    return "translator"


def test_an_own_type_works_in_a_workflow_with_its_own_model_and_instructions(
    translator, staff, project, settings
):
    with OpenAIServer() as server:
        settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "sk-test", server.base_url
        make(staff, model="openai-chat:test-model")
        task = current(started(project, TRANSLATING), "translate")

        assert run(task_id=task.pk, worker=WORKER)

    assert "You translate what you are given" in str(server.requests[0]["messages"])
    assert fresh(task).status == "completed"
    assert AgentStatus.objects.get(project=project, agent_type=translator).status == "idle"


def test_without_a_model_of_its_own_the_default_serves_it(translator, settings):
    assert configured_models()[translator] == settings.MODEL_DEFAULT


def test_a_task_of_its_own_may_be_given_to_it_and_a_stop_covers_it(translator, project, staff):
    task = side_task(project, agent_type=translator)
    stop(staff, project_id=project.pk, agent_type=translator)

    assert not run(task_id=task.pk, worker=WORKER)
    assert fresh(task).status == "pending"


def test_a_new_project_has_it_on_its_board(translator, make_project):
    assert AgentStatus.objects.filter(project=make_project(), agent_type=translator).exists()


def test_a_budget_may_be_its_own(translator, project, owner, client_of):
    budgets = {"agent_budgets_micros": {translator: 100}}

    answer = client_of(owner).patch(f"/api/v1/projects/{project.pk}/", budgets, "json")

    assert answer.json()["agent_budgets_micros"] == {translator: 100}


def test_workers_elsewhere_serve_it(translator, staff, project):
    from agents.external import external_types

    make(staff, model="external")

    assert external_types(project) == [translator]


def test_a_workflow_that_names_an_unknown_one_is_told_all_names(translator):
    with pytest.raises(Exception, match="deployer") as refused:
        parse_definition(TRANSLATING.replace("translator", "translatress"), "test")
    assert "translator" in str(refused.value)


def test_one_that_ships_keeps_what_is_not_changed(staff):
    before = describe("coder")

    save_agent_type(actor=Actor.of_user(staff), name="coder", max_turns=7, tools=["read"])

    assert (limits_of("coder").turns, list(tools_of("coder"))) == (7, ["read"])
    assert role_for("coder").instructions == before.instructions
    save_agent_type(actor=Actor.of_user(staff), name="coder", max_turns=None, tools=None)
    assert describe("coder") == before


def test_the_tester_still_measures_whatever_its_instructions(staff):
    save_agent_type(actor=Actor.of_user(staff), name="tester", instructions="Be strict.")

    assert type(role_for("tester")).__name__ == "Tester"
    assert role_for("tester").instructions == "Be strict."


def test_commands_start_without_a_look_at_their_rows(monkeypatch, django_assert_num_queries):
    """Their database may be away, or not be migrated yet; a worker forks before it has one."""
    monkeypatch.setattr(agent_types, "_read_again_at", 0.0)
    with django_assert_num_queries(0):
        run_checks()

        class Declared(Serializer):
            agent_type = KindField(choices=agent_type_choices)
            agent_types = ListField(child=KindField(choices=agent_type_choices))

    with django_assert_num_queries(1):
        assert "coder" in Declared().fields["agent_types"].child.choices


def test_every_change_is_in_the_log_of_the_installation(translator, staff):
    make(staff, title="Interpreter")

    new, changed = Event.objects.filter(project=INSTALLATION, event_type="agent_type_changed")
    assert new.data["is_new"]
    assert not changed.data["is_new"]
    assert changed.data["changed"] == {"title": {"old": "Translator", "new": "Interpreter"}}


def test_only_who_runs_the_installation_changes_them(owner, translator):
    with pytest.raises(Forbidden):
        make(owner)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Über"),
        ("name", "a" * 21),
        ("title", " "),
        ("phase", "lunch"),
        ("instructions", ""),
        ("instructions", "a\0"),
        ("model", "gpt four"),
        ("model", "gpt-4"),
        ("tools", ["dance"]),
        ("tools", ["read", "read"]),
        ("ask_before", ["dance"]),
        ("max_turns", 0),
        ("max_tokens", 2**31),
    ],
)
def test_what_does_not_fit_names_its_field(staff, field, value):
    with pytest.raises(InvalidInput) as refused:
        make(staff, **{field: value})
    assert refused.value.errors[0]["field"] == field


def test_one_that_ships_or_has_worked_is_not_deleted(translator, staff, project):
    actor = Actor.of_user(staff)
    with pytest.raises(Conflict, match="comes with the product"):
        delete_agent_type(actor=actor, name="coder")
    definition = parse_definition(TRANSLATING, "test")
    WorkflowRun.objects.create(
        project=project,
        workflow=definition.name,
        definition=definition.to_json(),
        definition_hash=definition_hash(definition),
    )
    with pytest.raises(Conflict, match="workflow translating names translator"):
        delete_agent_type(actor=actor, name=translator)
    side_task(project, agent_type=translator)
    with pytest.raises(Conflict, match="on record"):
        delete_agent_type(actor=actor, name=translator)


def test_over_the_api(staff, viewer, client_of):
    api = client_of(staff)

    assert api.post("/api/v1/agent-types/", TRANSLATOR, "json").status_code == 201
    assert api.post("/api/v1/agent-types/", TRANSLATOR, "json").json()["code"] == (
        "agent_type_exists"
    )
    url = "/api/v1/agent-types/translator/"
    assert api.patch(url, {"tools": ["read"]}, "json").json()["tools"] == ["read"]
    assert api.patch(url, {"tools": ["dance"]}, "json").status_code == 400
    listed = client_of(viewer).get("/api/v1/agent-types/").json()
    assert listed["count"] == 7
    assert client_of(viewer).patch(url, {"title": "Mine"}, "json").status_code == 403
    assert api.get("/api/v1/agent-types/nobody/").status_code == 404
    assert api.delete("/api/v1/agent-types/coder/").json()["code"] == "agent_type_shipped"
    assert api.delete(url).status_code == 204


def test_on_the_page(staff, viewer):
    page, url = logged_in(staff), "/admin/agent-types/"
    values = TRANSLATOR | {"tools": ["read"], "ask_before": ["run_command"], "max_turns": 3}

    assert page.post(url, values | {"phase": "lunch"}).status_code == 400
    assert page.post(url, values).status_code == 302
    assert describe("translator").ask_before == ["run_command"]
    assert page.post(f"{url}translator/", values | {"title": "Interpreter"}).status_code == 302
    assert describe("translator").title == "Interpreter"
    assert b"Interpreter" in logged_in(viewer).get(url).content
    assert b"disabled" in logged_in(viewer).get(f"{url}translator/").content
    assert page.get(f"{url}nobody/").status_code == 404
    assert page.post(f"{url}translator/", {"delete": "1"}).status_code == 302
    assert "translator" not in agent_types


def test_saving_the_page_of_one_that_ships_pins_nothing(staff):
    described = vars(describe("coder")).items()
    values = {name: value for name, value in described if value and name != "is_shipped"}
    page = logged_in(staff)
    saved = page.post("/admin/agent-types/coder/", values | {"title": "Programmer"})
    assert saved.status_code == 302, saved.context["form"].errors

    row = AgentType.objects.get(pk="coder")
    assert (row.title, row.instructions, row.tools) == ("Programmer", "", None)


def test_from_yaml(staff, tmp_path, capsys):
    file = tmp_path / "types.yaml"
    file.write_text(
        "- name: translator\n  title: Translator\n  phase: build\n  instructions: Translate.\n"
        "  tools: [read]\n- name: coder\n  max_turns: 9\n"
    )

    call_command("agent_types", str(file), user=staff.username)

    assert describe("translator").tools == ["read"]
    assert describe("coder").max_turns == 9
    call_command("agent_types")
    assert "name: translator" in capsys.readouterr().out
    file.write_text("name: translator\nturns: 9\n")
    with pytest.raises(CommandError, match="'turns' is no field"):
        call_command("agent_types", str(file), user=staff.username)
