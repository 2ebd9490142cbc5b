import pytest
from django.contrib import admin
from django.urls import reverse

from agents.services import activate_emergency_stop
from audit.actors import Actor
from core.content_security import STRICT
from tests.ui.web.conftest import logged_in

pytestmark = pytest.mark.django_db


def test_lists_have_the_frame_and_the_policy_of_all_pages(plan_request, staff):
    client = logged_in(staff)
    for model in admin.site._registry:
        page = client.get(
            reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        )
        assert page["Content-Security-Policy"] == STRICT, model
        assert 'class="side"' in page.content.decode(), model


def test_a_stop_is_shown_on_every_page_until_it_is_released(plan_request, owner, approver):
    activate_emergency_stop(
        actor=Actor.of_user(owner), project_id=plan_request.project_id, reason="It deletes files"
    )
    client = logged_in(approver)
    for view in ("index", "hitl_hitlrequest_changelist", "search", "hitl_statistics"):
        assert "It deletes files" in client.get(reverse(f"admin:{view}")).content.decode(), view


def test_nobody_sees_the_stop_of_a_project_of_others(plan_request, owner, outsider):
    activate_emergency_stop(
        actor=Actor.of_user(owner), project_id=plan_request.project_id, reason="It deletes files"
    )
    assert "It deletes files" not in logged_in(outsider).get("/admin/").content.decode()


def test_errors_have_the_frame_where_somebody_is_logged_in(plan_request, viewer, client):
    missing = logged_in(viewer).get("/admin/nothing/here/")
    assert (missing.status_code, 'class="side"' in missing.content.decode()) == (404, True)
    refused = logged_in(viewer).get(reverse("admin:installation_floor"))
    assert (refused.status_code, 'class="side"' in refused.content.decode()) == (403, True)
    unknown = client.get("/nothing/")
    assert (unknown.status_code, 'class="side"' in unknown.content.decode()) == (404, False)


def test_an_error_of_ours_says_so_without_the_menu(staff, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("ui.web.inbox.statistics.statistics", fail)
    client = logged_in(staff)
    client.raise_request_exception = False
    page = client.get(reverse("admin:hitl_statistics"))
    assert page.status_code == 500
    assert "Something went wrong" in page.content.decode()
    assert "secret detail" not in page.content.decode()


def test_a_form_without_its_token_says_what_to_do(owner):
    client = logged_in(owner)
    client.handler.enforce_csrf_checks = True
    page = client.post(reverse("admin:logout"))
    assert page.status_code == 403
    assert "out of date" in page.content.decode()
