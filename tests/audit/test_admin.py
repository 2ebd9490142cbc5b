import pytest
from django.urls import reverse

from audit.models import Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client, staff):
    client.force_login(staff)
    return client


@pytest.mark.parametrize("model", ["event", "stream"])
def test_history_can_be_looked_at(admin, project, model):
    response = admin.get(reverse(f"admin:audit_{model}_changelist"), {"q": str(project.pk)})

    assert response.status_code == 200
    assert str(project.pk) in response.content.decode()


def test_an_event_is_shown_and_nothing_can_be_saved(admin, project):
    event = Event.objects.filter(project=project.pk).first()
    page = reverse("admin:audit_event_change", args=[event.pk])

    assert admin.get(page).status_code == 200
    assert admin.post(page, {"actor": "user:0"}).status_code == 403


@pytest.mark.parametrize("model", ["event", "stream"])
def test_not_even_a_superuser_may_touch_history(admin, project, model):
    row = {"event": Event.objects.first().pk, "stream": project.pk}[model]

    assert admin.get(reverse(f"admin:audit_{model}_add")).status_code == 403
    assert admin.get(reverse(f"admin:audit_{model}_delete", args=[row])).status_code == 403
