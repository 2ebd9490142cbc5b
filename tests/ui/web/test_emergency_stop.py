import pytest
from django.contrib.messages import get_messages

from agents.models import EmergencyStop
from tests.scenes import stop
from tests.ui.web.conftest import logged_in

pytestmark = pytest.mark.django_db
PAGE = "/admin/agents/emergencystop/control/"


def press(user, verb, **fields):
    wanted = {"verb": verb, "reason": "It deletes files."} | fields
    return logged_in(user).post(PAGE, wanted)


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def project_page(project):
    return f"/admin/projects/project/{project.pk}/change/"


def test_staff_stop_everything_and_release_it(staff):
    assert said(press(staff, "activate")) == [
        "Stopped: all agents in all projects; no worker was there."
    ]
    assert "It deletes files." in logged_in(staff).get(PAGE).content.decode()

    assert said(press(staff, "release")) == ["Released: all agents in all projects."]
    assert not EmergencyStop.objects.active().exists()


def test_one_agent_type_is_stopped(staff):
    press(staff, "activate", agent_type="coder")

    assert EmergencyStop.objects.get().agent_type == "coder"


def test_an_owner_stops_the_project_on_its_page(running, owner):
    assert "Stop all agents here" in logged_in(owner).get(project_page(running)).content.decode()

    answer = press(owner, "activate", project_id=running.pk)

    assert answer.headers["Location"] == project_page(running)
    page = logged_in(owner).get(project_page(running)).content.decode()
    assert "Emergency stop" in page
    assert "It deletes files." in page


@pytest.mark.parametrize("person", ["approver", "viewer"])
def test_who_does_not_own_the_project_has_no_button_and_is_refused(running, request, person):
    user = request.getfixturevalue(person)
    assert "Stop all agents here" not in logged_in(user).get(project_page(running)).content.decode()

    assert "(role_too_low)" in said(press(user, "activate", project_id=running.pk))[0]
    assert not EmergencyStop.objects.exists()


def test_an_outsider_finds_no_project_to_stop(running, outsider):
    assert "(not_found)" in said(press(outsider, "activate", project_id=running.pk))[0]


def test_who_may_not_release_sees_the_stop_without_a_button(running, owner, viewer):
    stop(owner, project_id=running.pk)

    page = logged_in(viewer).get(PAGE).content.decode()

    assert "It deletes files." in page
    assert 'value="release"' not in page
    assert "(role_too_low)" in said(press(viewer, "release", project_id=running.pk))[0]


def test_without_a_reason_nothing_is_stopped(staff):
    assert "(invalid)" in said(press(staff, "activate", reason=" "))[0]


@pytest.mark.parametrize("fields", [{"verb": "burn"}, {"project_id": "no id"}])
def test_a_form_that_is_not_whole_does_nothing(staff, fields):
    answer = logged_in(staff).post(PAGE, {"verb": "activate", "reason": "Now"} | fields)

    assert said(answer) == ["Nothing was done: the form is incomplete."]
    assert not EmergencyStop.objects.exists()


def test_a_reason_never_becomes_markup(running, owner):
    stop(owner, project_id=running.pk, reason="<script>alert(1)</script>")

    for page in (PAGE, project_page(running)):
        assert "<script>alert" not in logged_in(owner).get(page).content.decode()
