import pytest

from audit.actors import Actor
from audit.models import Event
from core.errors import InvalidInput
from projects.services import create_project, start_project

pytestmark = pytest.mark.django_db


def test_the_owner_can_start_a_draft(project, owner):
    started = start_project(project_id=project.pk, actor=Actor.of_user(owner))

    assert started.status == "active"
    assert started.started_at is not None
    assert Event.objects.filter(project=project.pk, event_type="project_started").count() == 1


@pytest.mark.parametrize("field", ["name", "brief"])
@pytest.mark.parametrize("text", ["a\0b", "a\udcffb"])
def test_a_text_that_cannot_be_stored_is_refused_by_name(owner, field, text):
    words = {"name": "Library", "brief": "Members borrow books."} | {field: text}

    with pytest.raises(InvalidInput) as refusal:
        create_project(actor=Actor.of_user(owner), **words)

    assert refusal.value.errors[0]["field"] == field
