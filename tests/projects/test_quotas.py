import threading

import pytest
from django.db import connection
from django.test import Client

from audit.actors import Actor
from core.errors import Conflict
from orchestrator.engine.rewind import rewind_project
from projects.models import Project
from projects.services import create_project, pause_project, resume_project, start_project
from tests.scenes import asked, decide_as, side_task

pytestmark = pytest.mark.django_db
NEW = {"name": "Another", "brief": "Lend books."}


def post(client, url, **body):
    return client.post(f"/api/v1/{url}", body, content_type="application/json")


@pytest.fixture
def client(owner):
    client = Client()
    client.force_login(owner)
    return client


def test_one_project_too_many_is_refused_and_not_kept(project, client, settings):
    settings.PROJECTS_PER_USER = 1

    response = post(client, "projects/", **NEW)

    assert (response.status_code, response.json()["code"]) == (409, "quota_exceeded")
    assert response.json()["limit"] == 1
    assert "PROJECTS_PER_USER" in response.json()["detail"]
    assert Project.objects.count() == 1


def test_others_have_quotas_of_their_own(project, outsider, settings):
    settings.PROJECTS_PER_USER = 1

    assert create_project(actor=Actor.of_user(outsider), **NEW)


def test_a_project_that_may_not_run_can_be_created_as_a_draft(owner, client, settings):
    settings.RUNNING_PROJECTS_PER_USER = 1
    post(client, "projects/", **NEW)

    assert post(client, "projects/", **NEW).json()["code"] == "quota_exceeded"
    draft = post(client, "projects/", **NEW, auto_start=False).json()
    assert post(client, f"projects/{draft['id']}/start/").json()["code"] == "quota_exceeded"
    assert Project.objects.get(pk=draft["id"]).status == "draft"


def test_neither_resuming_nor_rewinding_goes_past_it(make_project, owner, approver, settings):
    actor = Actor.of_user(owner)
    paused, failed = make_project(), make_project()
    start_project(project_id=paused.pk, actor=actor)
    pause_project(project_id=paused.pk, actor=actor)
    request = asked(failed)
    decide_as(approver, request, "reject", comment="No.")
    create_project(actor=actor, **NEW)
    settings.RUNNING_PROJECTS_PER_USER = 1

    with pytest.raises(Conflict, match="RUNNING_PROJECTS_PER_USER"):
        resume_project(project_id=paused.pk, actor=actor)
    with pytest.raises(Conflict, match="RUNNING_PROJECTS_PER_USER"):
        rewind_project(project_id=failed.pk, step=request.step, actor=actor)


def test_a_running_project_is_rewound_although_the_quota_was_lowered(project, owner, settings):
    request = asked(project)
    create_project(actor=Actor.of_user(owner), **NEW)
    settings.RUNNING_PROJECTS_PER_USER = 1

    assert rewind_project(project_id=project.pk, step=request.step, actor=Actor.of_user(owner))


def test_tasks_beside_the_workflow_have_one_too(project, owner, client, settings):
    settings.OPEN_TASKS_PER_USER = 1
    side_task(project)

    fields = {"project": str(project.pk), "agent_type": "analyst", "instructions": "Again."}
    assert post(client, "tasks/", **fields).json()["code"] == "quota_exceeded"


def test_the_form_says_so(project, owner, client, settings):
    settings.PROJECTS_PER_USER = 1
    owner.is_staff = True
    owner.save()
    fields = {**NEW, "oversight_level": "high", "workflow": "sdlc"}

    page = client.post("/admin/projects/project/add/", fields)

    assert page.status_code == 400
    assert "as many as a person may have here" in page.content.decode()


@pytest.mark.django_db(transaction=True)
def test_many_at_once_do_not_go_past_it_together(owner, settings):
    settings.PROJECTS_PER_USER = 3
    codes = []

    def create():
        try:
            create_project(actor=Actor.of_user(owner), auto_start=False, **NEW)
        except Conflict as error:
            codes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Project.objects.count() == 3
    assert codes == ["quota_exceeded"] * 5
