"""What a person sees of a request, gathered once for REST, pages and terminal.

It lives beside the rules because the REST serializers need it too; `ui` decides how it looks.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone

from context.diff import diff_contents
from context.models import Artifact, ArtifactVersion
from hitl.actions import get_action
from hitl.agent_actions.card import Card, card_of, consequence_of
from hitl.delegation import Delegation
from hitl.digests import ERASED_SUBJECT
from hitl.enums import OnTimeout
from hitl.integrity import UNDECIDED, differences
from hitl.models import Comment, Decision, HitlRequest, Loosening
from hitl.rules import (
    Verdict,
    allowed_actions,
    can_decide,
    delegations_for,
    may_break_glass,
    obstacles,
    roles_of,
)
from hitl.selectors import earlier_requests, last_decided, loosenings_of, shown_versions
from hitl.subject import amended_type
from projects.access import DECIDE, role_of
from projects.enums import Role
from projects.integrity import ContentChanged
from projects.models import Membership

EARLIER_MAX = 20


@dataclass(frozen=True)
class PresentedAction:
    """A way to decide. `shortcut`: its key on the terminal and on the page."""

    key: str
    label: str
    shortcut: str
    needs_comment: bool
    needs_content: bool
    is_destructive: bool
    comment_question: str
    consequence: str


@dataclass(frozen=True)
class PresentedVersion:
    """An artifact version that the request shows."""

    version: ArtifactVersion
    request: HitlRequest = field(repr=False)

    @property
    def artifact(self) -> Artifact:
        return self.version.artifact

    @cached_property
    def last_decided(self) -> ArtifactVersion | None:
        """The version it is compared with; None where nothing was decided before."""
        return last_decided(self.request, self.version)

    @property
    def difference(self) -> ContentChanged | None:
        """Why its content is not shown."""
        return self.version.difference

    @cached_property
    def is_comparable(self) -> bool:
        """Whether both contents are what they were."""
        old = self.last_decided
        return old is not None and old.difference is None and self.difference is None

    @cached_property
    def diff(self) -> dict[str, Any] | None:
        if not self.is_comparable:
            return None
        old, new = self.last_decided, self.version
        compared = diff_contents(self.artifact.artifact_type, old.content, new.content)
        return {"artifact": str(new.artifact_id), "from": old.number, "to": new.number, **compared}


@dataclass(frozen=True)
class Deadlines:
    """When a request is due and when it ends. Suspended while its project is not active."""

    due_at: datetime | None
    expires_at: datetime | None
    on_timeout: OnTimeout
    is_overdue: bool
    is_suspended: bool
    is_escalated: bool
    is_of_action: bool = False


@dataclass(frozen=True)
class PresentedRequest:
    """A request as one person sees it. What needs a query is read when it is first used."""

    request: HitlRequest
    user: Any
    now: datetime
    #: The person's role in the project; None for who is not a member.
    role: str | None
    can_decide: Verdict
    actions: list[PresentedAction]
    contents: list[PresentedVersion]
    deadlines: Deadlines
    #: What is no longer as it was pinned. Then nobody can decide on it.
    differences: list[ContentChanged]

    @property
    def subject(self) -> dict[str, Any]:
        return self.request.subject

    @property
    def digest(self) -> str:
        return self.request.subject_digest

    @property
    def versions(self) -> list[ArtifactVersion]:
        return [content.version for content in self.contents]

    @property
    def content(self) -> dict[str, Any] | None:
        return self.contents[0].version.shown_content if self.contents else None

    @property
    def artifact(self) -> Artifact | None:
        return self.contents[0].artifact if self.contents else None

    @property
    def diff(self) -> dict[str, Any] | None:
        """From what was last decided to the first version shown."""
        return self.contents[0].diff if self.contents else None

    @cached_property
    def decisions(self) -> list[Decision]:
        return list(self.request.decisions.select_related("decided_by", "on_behalf_of"))

    @cached_property
    def card(self) -> Card | None:
        """What an agent is about to do; None of a task, and of a call that was changed."""
        return None if self.differences else card_of(self.request)

    @cached_property
    def may_amend(self) -> bool:
        return any(action.key == "amend" for action in self.actions)

    @property
    def previous(self) -> HitlRequest | None:
        return self.request.previous

    @cached_property
    def earlier(self) -> list[HitlRequest]:
        """Requests about the same step, or the same action, before this one, newest first."""
        requests = earlier_requests(self.request).prefetch_related(
            "decisions__decided_by", "decisions__on_behalf_of"
        )
        if self.request.agent_action_id is not None:
            # Others of the same call are on the card.
            requests = requests.filter(agent_action=self.request.agent_action_id)
        return list(requests[:EARLIER_MAX])

    @cached_property
    def replacement(self) -> HitlRequest | None:
        """The newer request that took its place."""
        return self.request.next.order_by("created_at").last()

    @cached_property
    def comments(self) -> list[Comment]:
        return list(self.request.comments.select_related("author").order_by("created_at", "id"))

    @cached_property
    def amended_type(self) -> str | None:
        """The artifact type of what a person may write instead; None where nothing is awaited."""
        if self.request.task is None:
            return None
        outputs = self.subject["outputs"] or self.request.task.handoff.get("expected_outputs")
        return amended_type(self.request) if outputs else None

    @property
    def claimant(self) -> User | None:
        """Who has claimed it for now."""
        is_claimed = self.request.is_pending and self.request.claimant_id(self.now) is not None
        return self.request.claimed_by if is_claimed else None

    @cached_property
    def others(self) -> list[Delegation]:
        """By which they may decide for somebody who is away, where that is not what they do."""
        if self.differences or self.role not in DECIDE:
            return []
        delegations = delegations_for(self.request, self.user, self.now)
        return [one for one in delegations if one != self.can_decide.delegation]

    @property
    def may_claim(self) -> bool:
        return self.request.is_pending and self.can_decide.allowed and self.claimant is None

    @property
    def may_reassign(self) -> bool:
        if not self.request.is_pending:
            return False
        is_free_or_own = self.claimant is None or self.claimant == self.user
        return self.role == Role.OWNER or (self.role in DECIDE and is_free_or_own)

    @property
    def may_release(self) -> bool:
        return self.claimant is not None and self.may_reassign

    @property
    def may_comment(self) -> bool:
        return self.role in DECIDE

    @property
    def may_break_glass(self) -> bool:
        is_pending = self.request.is_pending and not self.differences
        return is_pending and may_break_glass(self.request, self.user, role=self.role)

    @cached_property
    def obstacles(self) -> list[str]:
        """The codes of the rules that break-glass would go past."""
        if not self.may_break_glass:
            return []
        return obstacles(self.request, self.user, self.now, role=self.role)

    @cached_property
    def loosenings(self) -> list[Loosening]:
        """What one person alone loosened in the project's rules; every decision shows it."""
        project = self.request.project
        return list(loosenings_of(project)) if project.policy_loosened_at else []

    @property
    def deciding_roles(self) -> list[str]:
        return roles_of(self.request, self.now)

    @cached_property
    def missing_deciders(self) -> int:
        """How many more people must be able to decide on it, for it ever to be approved."""
        if not self.request.is_pending:
            return 0
        still_needed = self.request.required_approvals - self.request.approvals
        return max(0, still_needed - len(self.deciders))

    @cached_property
    def deciders(self) -> QuerySet[Membership]:
        """The memberships of those who may decide on it, by the rules of role and authorship."""
        roles = roles_of(self.request, self.now)
        members = Membership.objects.filter(
            project=self.request.project_id, role__in=roles, user__is_active=True
        )
        deciders = [decision.decided_by_id for decision in self.decisions]
        stood_for = [one.on_behalf_of_id for one in self.decisions if one.on_behalf_of_id]
        excluded = [*(self.request.barred_authors or []), *deciders, *stood_for]
        return members.exclude(user__in=excluded).select_related("user")


def present_request(
    request: HitlRequest,
    user: Any,
    *,
    follows: str = "",
    now: datetime | None = None,
    on_behalf_of: Any = None,
) -> PresentedRequest:
    """Everything that this person needs to decide.

    `follows`: a sentence on what waits for it. `on_behalf_of`: whom they want to decide for.
    """
    now = now or timezone.now()
    role = role_of(user, request.project_id)
    versions, changes = _held_against_digests(request)
    verdict = can_decide(request, user, now, role=role, on_behalf_of=on_behalf_of)
    if changes and request.status in UNDECIDED:
        verdict = Verdict(False, changes[0].code, changes[0].detail)
    return PresentedRequest(
        request=request,
        user=user,
        now=now,
        role=role,
        can_decide=verdict,
        actions=[
            PresentedAction(
                key=action.key,
                label=action.label,
                shortcut=action.shortcut,
                needs_comment=action.needs_comment,
                needs_content=action.needs_content,
                is_destructive=action.is_destructive,
                comment_question=action.comment_question,
                consequence=(
                    action.consequence(request, follows).strip()
                    if request.agent_action is None
                    else consequence_of(request, action.key)
                ),
            )
            for action in map(get_action, allowed_actions(request))
        ],
        contents=[PresentedVersion(version, request) for version in versions],
        deadlines=deadlines_of(request, now),
        differences=changes,
    )


def _held_against_digests(
    request: HitlRequest,
) -> tuple[list[ArtifactVersion], list[ContentChanged]]:
    """The versions that it shows, and what is no longer as it was pinned, which is recorded."""
    is_changed = request.project.erased_at is None and (
        request.found_digest != request.subject_digest
    )
    versions = [] if is_changed else shown_versions(request)
    changes = list(differences(request, request.task, versions))
    if is_changed:
        # Nothing untrue is shown: the digest does not vouch for any of it.
        request.subject = ERASED_SUBJECT
    for change in changes:
        change.note()
    if changes:
        # Another request may have taken its place.
        request.refresh_from_db(fields=["status", "resolved_at"])
    return versions, changes


def deadlines_of(request: HitlRequest, now: datetime) -> Deadlines:
    return Deadlines(
        due_at=request.due_at,
        expires_at=request.expires_at,
        on_timeout=OnTimeout(request.on_timeout),
        is_overdue=request.is_overdue(now),
        is_suspended=request.held_since is not None,
        is_escalated=request.escalated_at is not None,
        is_of_action=request.agent_action_id is not None,
    )
