import pytest
from django.contrib import admin
from django.contrib.messages import get_messages
from django.urls import reverse

from audit.actors import Actor
from context.services import add_version
from hitl.models import Decision, HitlRequest
from orchestrator.engine.advance import advance_project
from projects.services import start_project
from tests.scenes import agent_returns, work
from tests.ui.web.conftest import logged_in, open_request

LIST = "/admin/hitl/hitlrequest/"
OURS = {"projects", "context", "agents", "hitl", "orchestrator", "audit"}
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]


def bulk(client, action, *requests, **fields):
    for request in requests:
        open_request(client, request)
    digests = {f"digest-{one.pk}": one.subject_digest for one in requests}
    data = {"action": action, "_selected_action": [str(one.pk) for one in requests]}
    return client.post(LIST, data | digests | fields)


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_every_model_of_the_product_has_a_page_that_opens(plan_request, staff):
    client = logged_in(staff)
    models = [m for m in admin.site._registry if m._meta.app_label in OURS]
    assert len(models) >= 12
    for model in models:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        assert client.get(reverse(f"admin:{name}_changelist")).status_code == 200, name
        first = model.objects.first()
        url = reverse(f"admin:{name}_change", args=[first.pk]) if first else None
        assert url is None or client.get(url).status_code == 200, name


def test_nothing_can_be_deleted(plan_request, staff):
    client = logged_in(staff)
    for model in (m for m in admin.site._registry if m._meta.app_label in OURS):
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        first = model.objects.first()
        url = reverse(f"admin:{name}_delete", args=[first.pk if first else 1])
        assert client.post(url, {"post": "yes"}).status_code in {302, 403, 404}
        assert first is None or model.objects.filter(pk=first.pk).exists()


def test_a_staff_user_sees_only_the_projects_they_are_a_member_of(plan_request, approver, outsider):
    assert plan_request.title in logged_in(approver).get(LIST).content.decode()
    assert plan_request.title not in logged_in(outsider).get(LIST).content.decode()


def test_a_person_who_is_not_active_is_sent_to_the_login(plan_request, owner):
    client = logged_in(owner)
    owner.is_active = False
    owner.save()
    assert client.get(LIST).status_code == 302


def test_approving_from_the_list_goes_through_decide(plan_request, approver):
    response = bulk(logged_in(approver), "approve", plan_request)
    made = Decision.objects.get(request=plan_request)
    assert (made.action, made.decided_by, made.channel) == ("approve", approver, "admin")
    assert said(response) == [f"{plan_request.title}: approved."]


def test_the_list_carries_the_digest_of_what_it_shows(plan_request, approver):
    page = logged_in(approver).get(LIST).content.decode()
    assert f'name="digest-{plan_request.pk}" value="{plan_request.subject_digest}"' in page


def test_what_was_not_shown_is_not_approved(plan_request, approver):
    client = logged_in(approver)
    response = bulk(client, "approve", plan_request, **{f"digest-{plan_request.pk}": ""})
    assert "(not_shown)" in said(response)[0]
    response = bulk(client, "approve", plan_request, **{f"digest-{plan_request.pk}": "0" * 64})
    assert "(not_shown)" in said(response)[-1]
    assert not Decision.objects.exists()


@pytest.mark.parametrize("action", ["approve", "reject"])
def test_what_was_never_opened_is_not_decided_from_the_list(plan_request, approver, owner, action):
    open_request(logged_in(owner), plan_request)
    digest = {f"digest-{plan_request.pk}": plan_request.subject_digest}
    data = {"action": action, "_selected_action": [str(plan_request.pk)], "comment": "All of it"}
    response = logged_in(approver).post(LIST, data | digest)
    assert "Open or preview it, then decide. (not_shown)" in said(response)[0]
    assert not Decision.objects.exists()


def test_a_preview_is_enough_until_something_newer_takes_its_place(
    plan_request, approver, owner, running
):
    client = logged_in(approver)
    preview = client.get(f"/admin/hitl/hitlrequest/{plan_request.pk}/preview/")
    assert plan_request.subject_digest in preview.content.decode()
    artifact = plan_request.subject["outputs"][0]["artifact"]
    newer = {"summary": "Another.", "body": "By hand."}
    add_version(actor=Actor.of_user(owner), artifact_id=artifact, content=newer)
    advance_project(running.pk)
    request = HitlRequest.objects.pending().get()
    digest = {f"digest-{request.pk}": request.subject_digest}
    data = {"action": "approve", "_selected_action": [str(request.pk)]}
    assert "(not_shown)" in said(client.post(LIST, data | digest))[0]
    client.get(f"/admin/hitl/hitlrequest/{request.pk}/preview/")
    client.post(LIST, data | digest)
    assert Decision.objects.get().subject_digest == request.subject_digest


def test_nobody_previews_what_they_may_not_see(plan_request, outsider):
    path = f"/admin/hitl/hitlrequest/{plan_request.pk}/preview/"
    assert logged_in(outsider).get(path).status_code == 404


def test_a_viewer_and_a_superuser_without_membership_are_refused_by_name(
    plan_request, viewer, staff
):
    assert "(role_too_low)" in said(bulk(logged_in(viewer), "approve", plan_request))[0]
    assert "(not_a_member)" in said(bulk(logged_in(staff), "approve", plan_request))[0]
    assert not Decision.objects.exists()


def test_an_outsider_cannot_name_a_request_that_the_list_does_not_show(plan_request, outsider):
    bulk(logged_in(outsider), "approve", plan_request)
    assert not Decision.objects.exists()


def test_rejecting_asks_for_a_comment_first(plan_request, approver):
    client = logged_in(approver)
    page = bulk(client, "reject", plan_request)
    assert page.status_code == 200
    assert plan_request.subject_digest in page.content.decode()
    assert not Decision.objects.exists()
    response = bulk(client, "reject", plan_request, comment="Wrong plan")
    assert Decision.objects.get().comment == "Wrong plan"
    assert said(response) == [f"{plan_request.title}: rejected."]


def test_a_comment_of_blanks_is_no_comment(plan_request, approver):
    page = bulk(logged_in(approver), "request_changes", plan_request, comment="   ")
    assert page.context["is_missing"]
    assert not Decision.objects.exists()


def test_approving_twice_says_who_has_decided(plan_request, approver, owner):
    bulk(logged_in(approver), "approve", plan_request)
    response = bulk(logged_in(owner), "approve", plan_request)
    assert "approver has decided already" in said(response)[-1]
    assert Decision.objects.count() == 1


def test_the_list_takes_as_many_queries_for_ten_requests_as_for_one(
    plan_request, make_project, approver, owner, django_assert_max_num_queries
):
    for number in range(9):
        project = make_project(name=f"Library {number}")
        start_project(project_id=project.pk, actor=Actor.of_user(owner))
        agent_returns(project, work())
    client = logged_in(approver)
    with django_assert_max_num_queries(10):
        page = client.get(LIST)
    assert page.context["cl"].result_count == 10


def test_no_page_of_any_model_lets_an_agents_text_become_markup(running, staff):
    evil = "<script>alert(1)</script>"
    agent_returns(running, work(title=evil, summary=evil, body=evil))
    client = logged_in(staff)
    for model in (m for m in admin.site._registry if m._meta.app_label in OURS):
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        pages = [reverse(f"{name}_changelist")]
        pages += [reverse(f"{name}_change", args=[one.pk]) for one in model.objects.all()[:30]]
        for page in pages:
            assert "<script>alert" not in client.get(page).content.decode(), page
