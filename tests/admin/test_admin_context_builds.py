import pytest

from agents.injection import inject_context
from agents.services import claim_task
from context.models import ContextBuild
from tests.scenes import pending_task, running

pytestmark = pytest.mark.django_db


@pytest.fixture
def build(project):
    task = pending_task(running(project))
    inject_context(claim_task(task_id=task.pk, worker="test:1:1"))
    return ContextBuild.objects.get(task=task.pk)


def test_a_member_sees_what_the_agent_saw(build, approver, client):
    approver.is_staff = True
    approver.save()
    client.force_login(approver)

    html = client.get(f"/admin/context/contextbuild/{build.pk}/change/").content.decode()

    assert "It must be there." in html
    assert build.sha256 in html
    assert "Brief" in html


def test_the_list_and_the_page_are_for_members(build, outsider, client):
    outsider.is_staff = True
    outsider.save()
    client.force_login(outsider)

    assert "orchestrate" not in client.get("/admin/context/contextbuild/").content.decode()
    assert client.get(f"/admin/context/contextbuild/{build.pk}/change/").status_code == 404
