import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from tests.ui.web.conftest import logged_in

pytestmark = pytest.mark.django_db


def test_a_user_is_made_inactive_and_never_deleted(project, viewer, staff):
    url = reverse("admin:auth_user_delete", args=[viewer.pk])

    assert logged_in(staff).post(url, {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=viewer.pk).exists()
    assert project.memberships.filter(user=viewer).exists()
