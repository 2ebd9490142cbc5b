import pytest

from audit.actors import Actor
from audit.models import Event
from projects.services import start_project

pytestmark = pytest.mark.django_db


def test_the_owner_can_start_a_draft(project, owner):
    started = start_project(project_id=project.pk, actor=Actor.of_user(owner))

    assert started.status == "active"
    assert started.started_at is not None
    assert Event.objects.filter(project=project.pk, event_type="project_started").count() == 1
