"""Every action, in every state of a request, by every role, twice."""

from collections.abc import Callable, Iterable

import pytest
from django.contrib.auth.models import User

from audit.actors import Actor
from core.errors import DomainError
from hitl.actions import action_choices, get_action
from hitl.enums import RequestStatus
from hitl.models import Decision, HitlRequest
from projects.models import Project
from projects.services import cancel_project
from tests.scenes import (
    ALLOWED,
    KINDS,
    asked,
    decide_as,
    event_count,
    fresh,
    join,
    set_policy,
    time_out,
    upload,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]

NEVER = {"viewer": "role_too_low", "outsider": "not_found", "staff": "not_a_member"}
MAY = ("owner", "approver")
AFTER = {
    "approved": "already_decided",
    "rejected": "already_decided",
    "amended": "already_decided",
    "changes_requested": "already_decided",
    "answered": "already_decided",
    "expired": "expired",
    "superseded": "subject_changed",
    "cancelled": "request_closed",
}
POSSIBLE = [(kind, action) for kind in KINDS for action in sorted(ALLOWED[kind])]


ACTIONS = [key for key, _ in action_choices()]


def decided(action: str, kind: str = "plan_approval") -> Callable[[Project, User], HitlRequest]:
    def bring_about(project: Project, third: User) -> HitlRequest:
        request = asked(project, kind)
        decide_as(third, request, action)
        return request

    return bring_about


def expired(project: Project, third: User) -> HitlRequest:
    set_policy(project, expire_after=60, on_timeout="reject")
    return time_out(asked(project))


def superseded(project: Project, third: User) -> HitlRequest:
    request = asked(project)
    upload(third, project)
    return request


def cancelled(project: Project, third: User) -> HitlRequest:
    request = asked(project)
    cancel_project(project_id=project.pk, actor=Actor.of_user(project.created_by))
    return request


STATES = {
    "approved": decided("approve"),
    "rejected": decided("reject"),
    "amended": decided("amend"),
    "changes_requested": decided("request_changes"),
    "answered": decided("answer", "clarification"),
    "expired": expired,
    "superseded": superseded,
    "cancelled": cancelled,
}


def code_of(user: User, request: HitlRequest, action: str) -> str:
    """The reason of the refusal, or '' where it was taken."""
    try:
        decide_as(user, request, action)
    except DomainError as error:
        return error.code
    return ""


def test_there_is_a_case_for_every_state():
    assert {*STATES, "pending"} == set(RequestStatus.values)


@pytest.fixture
def cast(owner, approver, viewer, outsider, staff) -> dict[str, User]:
    return {user.username: user for user in (owner, approver, viewer, outsider, staff)}


def codes_of(user: User, item: HitlRequest, actions: Iterable[str] = ACTIONS) -> set[str]:
    """What they are told to each action, and again."""
    return {code_of(user, item, action) for action in actions for _ in range(2)}


@pytest.mark.parametrize("state", STATES)
def test_nothing_happens_to_what_is_settled(project, cast, state):
    item = STATES[state](project, join(project, "third"))
    before = (state, Decision.objects.count(), event_count(project))

    codes = {name: codes_of(user, item) for name, user in cast.items()}

    assert codes == {name: {NEVER.get(name, AFTER[state])} for name in cast}
    assert (fresh(item).status, Decision.objects.count(), event_count(project)) == before


@pytest.mark.parametrize("kind", KINDS)
def test_who_may_not_decide_is_refused_every_time(project, cast, kind):
    item = asked(project, kind)

    assert {name: codes_of(cast[name], item) for name in NEVER} == {
        name: {code} for name, code in NEVER.items()
    }
    assert fresh(item).status == "pending"


@pytest.mark.parametrize("role", MAY)
@pytest.mark.parametrize(("kind", "action"), POSSIBLE)
def test_what_is_possible_is_done_once(project, request, kind, action, role):
    user, item = request.getfixturevalue(role), asked(project, kind)

    assert [code_of(user, item, action) for _ in range(2)] == ["", "already_decided"]
    assert fresh(item).status == get_action(action).outcome
    assert Decision.objects.count() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_possible_is_never_done(project, cast, kind):
    item, impossible = asked(project, kind), set(ACTIONS) - ALLOWED[kind]

    codes = [codes_of(cast[name], item, impossible) for name in MAY]

    assert codes == [{"action_not_allowed"}] * len(MAY)
    assert fresh(item).status == "pending"
