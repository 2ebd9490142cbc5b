"""Somebody is away, and another one decides for them: routed, recorded, verified."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.actors import Actor
from audit.rows import verify_rows
from core.errors import Conflict, Forbidden, InvalidInput
from hitl.delegation import Delegation
from hitl.models import HitlRequest
from hitl.presenter import present_request
from hitl.rules import can_decide
from hitl.selectors import waiting_for_me
from hitl.services import claim_request, delegate_decisions, end_delegation
from projects.services import add_member, remove_member
from tests.scenes import asked, decide_as, event_of, fresh, join, let_pass, set_policy

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def item(project):
    """What only an owner decides."""
    set_policy(project, roles_by_kind={"plan_approval": ["owner"]})
    return asked(project)


@pytest.fixture
def away(project):
    def away(person, delegate, **fields):
        fields = {"ends_at": timezone.now() + DAY} | fields
        actor = Actor.of_user(person)
        return delegate_decisions(project_id=project.pk, actor=actor, delegate=delegate, **fields)

    return away


def mine(user):
    return waiting_for_me(HitlRequest.objects.all(), user).exists()


def may(user, item):
    """The list and the verdict agree, always."""
    allowed = can_decide(fresh(item), user).allowed
    assert mine(user) == allowed
    return allowed


def refusal(user, item, **fields):
    with pytest.raises(Forbidden) as refused:
        decide_as(user, item, **fields)
    return refused.value.code


def test_whoever_is_named_decides_and_the_record_names_both(item, away, owner, approver):
    assert not may(approver, item)
    delegation = away(owner, approver)
    assert may(approver, item)
    decision = decide_as(approver, item)
    assert (decision.decided_by, decision.on_behalf_of) == (approver, owner)
    assert decision.who == "approver for owner"
    data = event_of(item, "hitl_decision_recorded").data
    assert (data["on_behalf_of"], data["delegation"]) == (owner.pk, str(delegation.pk))
    assert verify_rows(item.project_id).problems == []


@pytest.mark.parametrize("when", ["before", "after", "ended", "disabled", "removed", "viewer"])
def test_only_while_it_is_in_force(item, away, owner, approver, project, when):
    delegation = away(owner, approver)
    rows = Delegation.objects.filter(pk=delegation.pk)
    joined = join(project, "second", "owner")
    if when == "before":
        rows.update(starts_at=timezone.now() + DAY / 2)
    elif when == "after":
        rows.update(starts_at=timezone.now() - DAY, ends_at=timezone.now() - DAY / 2)
    elif when == "ended":
        end_delegation(
            project_id=project.pk, actor=Actor.of_user(owner), delegation_id=delegation.pk
        )
    elif when == "disabled":
        owner.is_active = False
        owner.save()
    elif when == "removed":
        remove_member(project_id=project.pk, actor=Actor.of_user(joined), user_id=owner.pk)
    else:
        actor = Actor.of_user(joined)
        add_member(project_id=project.pk, actor=actor, user=approver, role="viewer")
    assert not may(approver, item)
    assert refusal(approver, item) == "role_too_low"


def test_nothing_is_handed_on(item, away, owner, approver, project):
    third = join(project, "third")
    away(owner, approver)
    away(approver, third)
    assert may(approver, item)
    assert not may(third, item)
    assert refusal(third, item) == "role_too_low"


@pytest.mark.parametrize("author", ["owner", "approver"])
def test_never_past_separation_of_duties(request, item, away, owner, approver, author):
    away(owner, approver)
    barred = [request.getfixturevalue(author).pk]
    HitlRequest.objects.filter(pk=item.pk).update(barred_authors=barred)
    assert not may(approver, item)
    assert refusal(approver, item) == "role_too_low"


def test_nobody_counts_twice(project, away, owner, approver):
    set_policy(project, required_approvals=2)
    item = asked(project)
    away(owner, approver)
    # As themselves; then not again for the one who is away.
    decide_as(approver, item)
    assert not may(approver, item)
    with pytest.raises(Conflict):
        decide_as(approver, item, on_behalf_of=owner)
    # The one who is away still may, for nobody has decided for them.
    assert may(owner, item)


def test_whom_somebody_decided_for_has_decided(project, away, owner, approver):
    set_policy(project, required_approvals=2)
    item = asked(project)
    away(owner, approver)
    assert decide_as(approver, item, on_behalf_of=owner).on_behalf_of == owner
    assert not may(owner, item)
    with pytest.raises(Conflict) as refused:
        decide_as(owner, item)
    assert refused.value.code == "already_decided"
    assert fresh(item).approvals == 1
    assert owner.pk not in present_request(fresh(item), owner).deciders.values_list(
        "user", flat=True
    )
    assert verify_rows(project.pk).problems == []


def test_for_somebody_who_asked_nobody_it_is_refused(project, away, owner, approver, outsider):
    item = asked(project)
    for person in (owner, outsider):
        assert refusal(approver, item, on_behalf_of=person) == "no_delegation"


def test_whoever_stands_in_writes_nothing_for_others(item, away, owner, approver):
    away(owner, approver)
    assert refusal(approver, item, action="amend") == "amend_on_behalf"


def test_a_claim_of_whoever_is_away_holds_up_nobody_who_stands_in(project, away, owner, approver):
    item = asked(project)
    third = join(project, "third")
    claim_request(request_id=item.pk, actor=Actor.of_user(owner))
    assert refusal(approver, item) == "claimed"
    away(owner, approver)
    assert may(approver, item)
    assert not may(third, item)
    assert decide_as(approver, item).who == "approver for owner"


def test_what_was_escalated_to_owners(project, away, owner, approver):
    set_policy(project, expire_after=100, on_timeout="escalate")
    item = asked(project)
    let_pass(item, 200)
    assert not may(approver, item)
    away(owner, approver)
    assert may(approver, item)


@pytest.mark.parametrize(
    ("delegate", "field"), [("viewer", "delegate"), ("outsider", "delegate"), ("owner", "delegate")]
)
def test_only_who_decides_stands_in(request, away, owner, delegate, field):
    with pytest.raises(InvalidInput) as refused:
        away(owner, request.getfixturevalue(delegate))
    assert refused.value.errors[0]["field"] == field


def test_one_absence_at_a_time_and_in_order(away, owner, approver):
    now = timezone.now()
    with pytest.raises(InvalidInput):
        away(owner, approver, ends_at=now - DAY)
    with pytest.raises(InvalidInput):
        away(owner, approver, ends_at=now + 400 * DAY)
    away(owner, None)
    with pytest.raises(Conflict):
        away(owner, approver)
    away(owner, approver, starts_at=now + 2 * DAY, ends_at=now + 3 * DAY)


def test_others_end_it_only_as_owners_or_as_who_stands_in(project, away, approver, viewer):
    third = join(project, "third")
    delegation = away(approver, third)

    def end(person):
        actor = Actor.of_user(person)
        end_delegation(project_id=project.pk, actor=actor, delegation_id=delegation.pk)

    with pytest.raises(Forbidden):
        end(viewer)
    end(third)
    assert not Delegation.objects.in_force().exists()
    assert verify_rows(project.pk).problems == []


# Past the product.

ACTS = {
    "made without an event": (
        "INSERT INTO hitl_delegations (id, project_id, delegator_id, delegate_id, starts_at,"
        " ends_at, created_at) SELECT gen_random_uuid(), project_id, delegate_id, delegator_id,"
        " starts_at, ends_at, created_at FROM hitl_delegations",
        "it is in no event",
    ),
    "to somebody else": ("UPDATE hitl_delegations SET delegate_id = NULL", "to somebody else"),
    "for longer": ("UPDATE hitl_delegations SET ends_at = ends_at + '1 day'", "for another time"),
    "ended": ("UPDATE hitl_delegations SET ended_at = now()", "whether it was ended differs"),
    "gone": ("DELETE FROM hitl_delegations", "it was made, and is gone"),
    "in nobody's place": (
        "UPDATE hitl_decisions SET on_behalf_of_id = NULL",
        "it was for somebody else",
    ),
}


@pytest.mark.administrator
@pytest.mark.parametrize(("act", "problem"), ACTS.values(), ids=ACTS)
def test_what_is_changed_past_the_product_is_found(item, away, owner, approver, act, problem):
    away(owner, approver)
    decide_as(approver, item)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE hitl_decisions DISABLE TRIGGER USER")
        cursor.execute(act)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE hitl_decisions ENABLE TRIGGER USER")
    assert problem in str(verify_rows(item.project_id).problems)


@pytest.mark.administrator
def test_a_decision_for_somebody_who_had_asked_nobody_is_found(item, away, owner, approver):
    delegation = away(owner, approver)
    decide_as(approver, item)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE event_log DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE event_log SET data = jsonb_set(data, '{ends_at}', '\"2026-01-01T00:00:00Z\"')"
            " WHERE event_type = 'delegation_made'"
        )
        cursor.execute("ALTER TABLE event_log ENABLE TRIGGER USER")
    problems = str(verify_rows(item.project_id).problems)
    assert "nobody had asked for it" in problems
    assert str(delegation.pk) in problems


# REST and pages.


def test_over_rest(client_of, project, item, owner, approver, viewer, outsider):
    path = reverse("project-delegations", args=[project.pk])
    ends_at = (timezone.now() + DAY).isoformat()
    api = client_of(owner)
    made = api.post(path, {"delegate": "approver", "ends_at": ends_at})
    assert made.status_code == 201
    assert client_of(viewer).get(path).json()["results"][0]["delegate_username"] == "approver"
    assert client_of(viewer).post(path, {"ends_at": ends_at}).status_code == 403
    assert client_of(outsider).get(path).status_code == 404
    body = {"action": "approve", "subject_digest": item.subject_digest, "on_behalf_of": owner.pk}
    url = reverse("hitl-request-decisions", args=[item.pk])
    decided = client_of(approver).post(url, body).json()["decision"]
    assert (decided["on_behalf_of"], decided["on_behalf_of_username"]) == (owner.pk, "owner")
    one = reverse("project-delegation", args=[project.pk, made.json()["id"]])
    assert client_of(viewer).delete(one).status_code == 403
    assert api.delete(one).status_code == 204
    assert api.get(path).json()["results"] == []


def test_nobody_learns_by_it_which_users_there_are(client_of, project, owner, outsider):
    path = reverse("project-delegations", args=[project.pk])
    ends_at = (timezone.now() + DAY).isoformat()
    answers = [
        client_of(owner).post(path, {"delegate": name, "ends_at": ends_at})
        for name in ("outsider", "nobody-here", outsider.pk, 987654)
    ]
    assert {answer.status_code for answer in answers} == {400}
    assert len({answer.json()["detail"] for answer in answers}) == 1


def test_on_ones_own_page(project, item, owner, approver):
    client = Client()
    client.force_login(owner)
    form = {"form": "absence", "delegate": "approver", "ends_at": "2999-01-01T10:00"}
    refused = client.post("/admin/profile/", form)
    assert (refused.status_code, "End it after" in refused.text) == (400, True)
    until = f"{timezone.now() + DAY:%Y-%m-%dT%H:%M}"
    assert client.post("/admin/profile/", form | {"ends_at": until}).status_code == 302
    absence = Delegation.objects.get()
    assert absence.delegate == approver
    members = client.get(reverse("admin:project_members", args=[project.pk])).text
    assert "approver may decide for them" in members
    page = Client()
    page.force_login(approver)
    shown = page.get(reverse("admin:hitl_hitlrequest_change", args=[item.pk])).text
    assert "You decide for owner, who is away until" in shown
    client.post("/admin/profile/", {"form": "end_absence", "absence": absence.pk})
    assert not Delegation.objects.current().exists()


def test_whoever_may_decide_for_both_says_on_the_page_for_whom(project, away, owner, approver):
    item = asked(project)
    page = reverse("admin:hitl_hitlrequest_change", args=[item.pk])
    client = Client()
    client.force_login(approver)
    assert "decide for owner" not in client.get(page).text
    away(owner, approver)
    assert "decide for owner" in client.get(page).text
    assert 'name="on_behalf_of"' not in client.get(page).text, "they decide as themselves"
    chosen = client.get(f"{page}?for=owner").text
    assert "You decide for owner, who is away until" in chosen
    assert 'id="amend"' not in chosen, "nobody writes for somebody else"
    for name in ("nobody", "approver"):
        refused = client.get(f"{page}?for={name}").text
        assert "(no_delegation)" in refused
        assert 'value="approve"' not in refused
    form = {"action": "approve", "subject_digest": item.subject_digest}
    decide = reverse("admin:hitl_decide", args=[item.pk])
    assert client.post(decide, form | {"on_behalf_of": "nobody"}).status_code == 403
    assert client.post(decide, form | {"on_behalf_of": "owner"}).status_code == 302
    decision = fresh(item).decisions.get()
    assert (decision.decided_by, decision.on_behalf_of) == (approver, owner)
    assert "approver for owner" in client.get(page).text
