"""decide() against a small model of its rules, over sequences that nobody would think of."""

from dataclasses import dataclass, field

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from audit.actors import Actor
from audit.verification import verify_stream
from core.errors import DomainError
from hitl.models import Decision, HitlRequest
from hitl.rules import can_decide
from hitl.selectors import waiting_for_me
from hitl.services import apply_deadlines, claim_request, release_request
from orchestrator.engine.advance import advance_project
from projects.models import Project
from projects.services import add_member, create_project, pause_project, resume_project
from tests.fixtures import BRIEF, make_user
from tests.scenes import OWN, asked, decide_as, fresh, let_pass, set_policy, upload

NAMES = ("owner", "ann", "bob", "cat", "vera")
ROLES = {"owner": "owner", "ann": "approver", "bob": "approver", "cat": "approver"}
people = st.sampled_from(NAMES)
EXPIRE_AFTER = 1000


@dataclass
class Model:
    """What must be so, in a page. Time stands still but for `wait`."""

    needed: int
    on_timeout: str
    prevents: bool
    status: str = "pending"
    approvals: set[str] = field(default_factory=set)
    authors: set[str] = field(default_factory=set)
    carried: set[str] = field(default_factory=set)
    claimed_by: str = ""
    waited: int = 0
    is_escalated: bool = False
    is_paused: bool = False

    def refusal(self, who: str) -> str:
        if who == "vera":
            return "role_too_low"
        if self.status != "pending":
            return "expired" if self.status == "expired" else "already_decided"
        if self.is_escalated and ROLES[who] != "owner":
            return "escalated"
        if self.is_over and self.on_timeout == "reject":
            return "expired"
        if who in self.barred:
            return "self_approval"
        if who in self.approvals:
            return "already_decided"
        if self.claimed_by not in ("", who):
            return "claimed"
        return ""

    @property
    def is_over(self) -> bool:
        return self.waited >= EXPIRE_AFTER and not self.is_paused and self.on_timeout != "hold"

    @property
    def barred(self) -> set[str]:
        return (self.authors if self.prevents else set()) | self.carried

    def look_at_the_clock(self) -> None:
        if self.is_over and self.on_timeout == "escalate" and self.status == "pending":
            self.is_escalated = True
            if ROLES.get(self.claimed_by) != "owner":
                self.claimed_by = ""

    def sweep(self) -> None:
        self.look_at_the_clock()
        if self.is_over and self.on_timeout == "reject" and self.status == "pending":
            self.status = "expired"

    def approve(self, who: str) -> None:
        self.approvals.add(who)
        self.claimed_by = ""
        if len(self.approvals | self.carried) >= self.needed:
            self.status = "approved"

    def ask_anew(self, author: str, *, carried: bool) -> None:
        self.approvals, self.claimed_by, self.waited = set(), "", 0
        self.is_escalated = False
        self.authors.add(author)
        self.carried = {author} if carried else set()


class DecideMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.before = transaction.savepoint()

    @initialize(
        needed=st.integers(1, 3),
        on_timeout=st.sampled_from(["hold", "reject", "escalate"]),
        prevents=st.booleans(),
    )
    def open(self, needed: int, on_timeout: str, prevents: bool) -> None:
        self.people = {name: make_user(name) for name in NAMES}
        owner = Actor.of_user(self.people["owner"])
        self.project = create_project(actor=owner, name="P", brief=BRIEF, auto_start=False)
        for name in NAMES[1:]:
            role = ROLES.get(name, "viewer")
            add_member(project_id=self.project.pk, actor=owner, user=self.people[name], role=role)
        set_policy(
            self.project,
            required_approvals=needed,
            on_timeout=on_timeout,
            prevent_self_approval=prevents,
            expire_after=EXPIRE_AFTER,
        )
        self.request = asked(self.project)
        self.model = Model(needed, on_timeout, prevents)
        self.outcomes: dict[str, str] = {}

    @rule(who=people)
    def approve(self, who: str) -> None:
        if self.attempt(who, "approve"):
            self.model.approve(who)

    @rule(who=people, action=st.sampled_from(["reject", "request_changes"]))
    def turn_down(self, who: str, action: str) -> None:
        if self.attempt(who, action):
            self.model.status = {"reject": "rejected"}.get(action, "changes_requested")

    @rule(who=people)
    def amend(self, who: str) -> None:
        if not self.attempt(who, "amend"):
            return
        if self.model.needed == 1:
            self.model.status = "amended"
            return
        self.follow("amended", who, carried=True)

    @rule(who=st.sampled_from(NAMES[:4]), number=st.integers())
    def write_a_version(self, who: str, number: int) -> None:
        if self.model.status != "pending" or self.model.is_paused:
            return
        upload(self.people[who], self.project, OWN | {"body": f"Text {number} of {who}."})
        self.follow("superseded", who, carried=False)

    @rule(who=people)
    def claim(self, who: str) -> None:
        self.model_looks(who, lambda: claim_request(**self.about(who)), "request_closed")
        if not self.last_code:
            self.model.claimed_by = who

    @rule()
    def release(self) -> None:
        if self.model.status == "pending":
            release_request(**self.about("owner"))
            self.model.claimed_by = ""

    @rule(seconds=st.sampled_from([10, 400, 1000]))
    def wait(self, seconds: int) -> None:
        if self.model.status == "pending" and not self.model.is_paused:
            # A claim's own time is not what is tested here.
            HitlRequest.objects.filter(pk=self.request.pk).exclude(claimed_by=None).update(
                claimed_until="2100-01-01T00:00:00Z"
            )
            if not self.model.is_escalated:
                self.model.waited += seconds
            let_pass(self.request, seconds)

    @rule()
    def sweep(self) -> None:
        apply_deadlines()
        self.model.sweep()

    @rule()
    def pause_or_resume(self) -> None:
        project = Project.objects.get(pk=self.project.pk)
        actor = Actor.of_user(self.people["owner"])
        if project.status == "active" and self.model.status == "pending":
            pause_project(project_id=project.pk, actor=actor)
            self.model.is_paused = True
        elif project.status == "paused":
            resume_project(project_id=project.pk, actor=actor)
            self.model.is_paused = False

    def attempt(self, who: str, action: str) -> bool:
        """Whether it was taken; that must be what the model says."""
        self.model_looks(who, lambda: decide_as(self.people[who], self.request, action))
        return not self.last_code

    def model_looks(self, who: str, act, when_settled: str = "") -> None:
        before = self.model.is_escalated, self.model.claimed_by
        self.model.look_at_the_clock()
        expected = self.model.refusal(who)
        if when_settled and self.model.status != "pending" and who != "vera":
            expected = when_settled
        self.last_code = ""
        try:
            act()
        except DomainError as error:
            self.last_code = error.code
            # A refusal leaves nothing behind; the sweep will look at the clock.
            self.model.is_escalated, self.model.claimed_by = before
        if when_settled and who == "vera" and self.model.status != "pending":
            assert self.last_code in ("request_closed", "role_too_low")
            return
        assert self.last_code == expected

    def about(self, who: str) -> dict:
        return {"request_id": self.request.pk, "actor": Actor.of_user(self.people[who])}

    def follow(self, status: str, author: str, *, carried: bool) -> None:
        """The request that takes the place of this one, as soon as the engine may open it."""
        if self.model.is_paused:
            resume_project(project_id=self.project.pk, actor=Actor.of_user(self.people["owner"]))
            self.model.is_paused = False
        advance_project(self.project.pk)
        assert fresh(self.request).status == status
        self.request = HitlRequest.objects.pending().get(project=self.project)
        self.model.ask_anew(author, carried=carried)

    @invariant()
    def the_request_is_as_the_model_says(self) -> None:
        request = fresh(self.request)
        assert request.status == self.model.status
        assert request.approvals == len(self.model.approvals | self.model.carried)
        votes = Decision.objects.filter(request=request, action="approve")
        assert {v.decided_by.username for v in votes} == self.model.approvals

    @invariant()
    def an_outcome_stands(self) -> None:
        for request in HitlRequest.objects.filter(project=self.project).exclude(status="pending"):
            assert self.outcomes.setdefault(str(request.pk), request.status) == request.status

    @invariant()
    def the_list_and_the_verdict_agree(self) -> None:
        request = fresh(self.request)
        for user in self.people.values():
            listed = waiting_for_me(HitlRequest.objects.filter(pk=request.pk), user).exists()
            assert listed == can_decide(request, user).allowed

    def teardown(self) -> None:
        try:
            if hasattr(self, "outcomes"):
                assert verify_stream(self.project.pk).valid
        finally:
            transaction.savepoint_rollback(self.before)


def check(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        DecideMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.django_db
def test_decide_is_as_the_model_of_its_rules():
    check(5, 10)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.django_db
def test_decide_is_as_the_model_of_its_rules_over_longer_lives():
    check(12, 20)
