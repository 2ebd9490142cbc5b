"""Every page at both widths, light and dark: nothing that axe finds grave, nothing too wide."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.browser.faults import LAPTOP, NARROW, faults_of, faults_of_page, is_too_wide
from tests.browser.scene import build_scene
from tests.scenes import stop

# Of the context store; and documents of the same form.
LEFT_OUT = {"artifact", "build", "lineage", "specification", "source"}
# What somebody sees before they are logged in.
OUTSIDE = ("/admin/login/", "/accounts/login/", "/accounts/password/reset/", "/accounts/inactive/")


@pytest.fixture
def scene(transactional_db):
    return build_scene()


def lists() -> list[str]:
    """Those of the admin; most are made by Django from a few lines."""
    models = admin.site._registry
    return [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in models
    ]


@pytest.mark.timeout(600)
def test_every_page_is_fit_for_all_eyes_and_widths(scene, person):
    stop(scene.dana, agent_type="deployer")
    one, faults = person(scene.dana), {}
    for name, path in scene.pages.items():
        if name not in LEFT_OUT:
            one.opens(path)
            faults |= faults_of_page(one, name)
    assert faults == {}


def test_so_are_the_lists(plan_request, staff, person):
    User.objects.filter(pk=staff.pk).update(is_superuser=True)
    one, faults = person(staff), {}
    for path in lists():
        one.opens(path)
        if grave := faults_of(one):
            faults[path] = grave
        one.page.set_viewport_size(NARROW)
        if is_too_wide(one.page):
            faults[f"{path} on a phone"] = ["too wide"]
        one.page.set_viewport_size(LAPTOP)
    assert faults == {}


def test_so_is_what_is_seen_from_outside_and_what_went_wrong(scene, person, monkeypatch):
    one, faults = person(scene.omar), {}
    one.opens("/admin/outbox/")
    faults |= faults_of_page(one, "403")
    inside = Client(raise_request_exception=False)
    inside.force_login(scene.omar)
    statistics = scene.pages["statistics"]
    monkeypatch.setattr("ui.web.inbox.statistics.statistics", None)
    for client, path, status in (
        (inside, "/admin/nowhere/", 404),
        (Client(), "/nowhere/", 404),
        (inside, statistics, 500),
    ):
        answer = client.get(path)
        assert answer.status_code == status
        show(one, path, answer.content)
        faults |= faults_of_page(one, f"{status} {path}")
    one.page.context.clear_cookies()
    for path in (*OUTSIDE, f"/invitation/?key={scene.key}", "/invitation/?key=old"):
        one.opens(path)
        faults |= faults_of_page(one, path)
    assert faults == {}


def show(one, path, content) -> None:
    """As a server without DEBUG answers."""
    one.page.route(f"**{path}", lambda route: route.fulfill(body=content, content_type="text/html"))
    one.opens(path)
