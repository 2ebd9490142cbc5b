"""Workflows of the installation's own, over REST."""

import pytest
from django.core.management import CommandError, call_command

from audit.installation import INSTALLATION
from audit.models import Event
from orchestrator.engine.definition import load_definition, parse_definition
from orchestrator.engine.own_workflows import describe_workflow, workflow_text
from orchestrator.models import Workflow
from projects.models import Project
from tests.scenes import running

pytestmark = pytest.mark.django_db

PATH = "/api/v1/workflows/"


def notes(**changes):
    step = {"id": "notes", "title": "Notes", "phase": "plan", "agent": "analyst"}
    step |= {"creates": ["agent_output"], "instructions": "Take notes.", "gate": "result"}
    return {"name": "notes", "version": 1, "title": "Notes", "steps": [step]} | changes


@pytest.fixture
def operator(client_of, admin_user):
    return client_of(admin_user)


def test_a_workflow_is_added_listed_and_run(operator, owner, client_of):
    made = operator.post(PATH, notes())

    assert made.status_code == 201
    assert made["Location"] == f"{PATH}notes/"
    assert operator.get(made["Location"]).json() == made.json()
    listed = {row["name"]: row["is_shipped"] for row in operator.get(PATH).json()["results"]}
    assert listed == {"none": True, "notes": False, "sdlc": True}
    body = {"name": "P", "brief": "A brief.", "workflow": "notes"}
    project = client_of(owner).post("/api/v1/projects/", body).json()
    run = running(Project.objects.get(pk=project["id"])).run
    assert run.definition_hash == made.json()["sha256"]
    saved = Event.objects.get(project=INSTALLATION, event_type="workflow_saved")
    assert saved.data["sha256"] == made.json()["sha256"]


def test_a_newer_version_takes_its_place_and_the_same_again_changes_nothing(operator):
    operator.post(PATH, notes())

    assert operator.post(PATH, notes()).status_code == 200
    refused = operator.post(PATH, notes(title="Other notes"))
    assert (refused.status_code, refused.json()["code"]) == (409, "workflow_version")
    assert operator.post(PATH, notes(title="Other notes", version=2)).status_code == 200

    assert Workflow.objects.get().version == 2
    assert Event.objects.filter(event_type="workflow_saved").count() == 2


def test_what_ships_is_not_replaced(operator):
    refused = operator.post(PATH, notes(name="sdlc", version=9))

    assert (refused.status_code, refused.json()["code"]) == (409, "workflow_shipped")


def test_every_fault_is_named_by_its_field(operator):
    steps = notes()["steps"]
    wrong = [steps[0] | {"agent": "nobody"}, steps[0] | {"id": "more", "needs": ["gone"]}]

    refused = operator.post(PATH, notes(steps=wrong))
    other = operator.post(PATH, notes(steps=[steps[0] | {"needs": ["gone"]}]))
    plain = operator.post(PATH, notes(steps="none"))

    assert refused.status_code == other.status_code == plain.status_code == 400
    assert [error["field"] for error in refused.json()["errors"]] == ["steps[0].agent"]
    assert other.json()["errors"][0]["field"] == "steps[0].needs[0]"
    assert not Workflow.objects.exists()


def test_members_read_them_and_do_not_write_them(client_of, owner):
    assert client_of(owner).get(f"{PATH}sdlc/").status_code == 200
    assert client_of(owner).get(f"{PATH}nowhere/").status_code == 404
    assert client_of(owner).post(PATH, notes()).status_code == 403


def test_what_was_changed_behind_us_is_not_started(operator, owner, client_of, client):
    operator.post(PATH, notes())
    other = notes()["steps"][0] | {"gate": ""}
    Workflow.objects.update(definition=notes(steps=[other]))
    body = {"name": "P", "brief": "A brief.", "workflow": "notes"}

    refused = client_of(owner).post("/api/v1/projects/", body)

    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "workflow"
    client.force_login(owner)
    page = client.get("/admin/projects/project/add/").content.decode()
    assert 'value="sdlc"' in page
    assert 'value="notes"' not in page


def test_on_the_page(client, admin_user, owner):
    url, text = "/admin/workflows/", workflow_text(describe_workflow("sdlc"))
    client.force_login(admin_user)

    assert b"version: 1" in client.get(f"{url}?new=1").content
    assert client.post(url, {"text": text}).status_code == 400
    wrong = client.post(url, {"text": text.replace("agent: coder", "agent: nobody")})
    assert b"].agent: there is no agent type &#x27;nobody&#x27;" in wrong.content
    saved = client.post(f"{url}sdlc/", {"text": text.replace("name: sdlc", "name: ours", 1)})
    assert saved["Location"] == f"{url}ours/"
    assert b"Steps of" in client.get(f"{url}ours/").content
    client.force_login(owner)
    assert client.get(f"{url}?new=1").content.count(b"<textarea") == 0
    assert b"instructions: |" in client.get(f"{url}ours/").content
    assert client.post(f"{url}ours/", {"text": text}).status_code == 400
    assert client.get(f"{url}nowhere/").status_code == 404
    Workflow.objects.update(sha256="0" * 64)
    assert b"No project can start with it" in client.get(f"{url}ours/").content


def test_the_text_of_one_is_the_same_workflow(operator):
    steps = [{**step, "instructions": step["instructions"]} for step in notes()["steps"]]
    steps[0]["instructions"] = 'Take notes:\n\n  - of all\n  - "as it is" \u00e9'
    steps[0]["context"] = {"may": [{"query": "opening hours", "limit": 3}]}
    operator.post(PATH, notes(steps=steps))

    again = parse_definition(workflow_text(describe_workflow("notes")), "again")

    assert again == load_definition("notes")


def test_from_a_file(admin_user, tmp_path, capsys):
    file = tmp_path / "ours.yaml"
    call_command("workflows", show="sdlc")
    file.write_text(capsys.readouterr().out.replace("name: sdlc", "name: ours", 1))

    call_command("workflows", str(file), user=admin_user.username)
    call_command("workflows")

    listed = capsys.readouterr().out
    assert "\nours " in listed
    assert "your own" in listed
    file.write_text("name: ours\nversion: one\n")
    with pytest.raises(CommandError, match=r"(?s)Line 1, title: is missing.*Line 2, version"):
        call_command("workflows", str(file), user=admin_user.username)
