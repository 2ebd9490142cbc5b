"""Requests to people, their decisions and comments, and the policy of a project."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.functional import cached_property

from agents.enums import RequestKind
from agents.models import Task
from core.ids import new_id
from hitl.actions.registry import action_choices
from hitl.delegation import Delegation  # noqa: F401 - Django finds models here
from hitl.digests import digest_of
from hitl.enums import (
    BLOCKS_EFFECT,
    ActionStatus,
    Assurance,
    LooseningStatus,
    OnExpiry,
    OnTimeout,
    RequestStatus,
)
from projects.enums import Phase
from projects.models import AgentCredential, Project

APPROVALS_MAX = 50


class RequestQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> "RequestQuerySet":
        if user.is_superuser:
            return self
        return self.filter(project__in=Project.objects.visible_to(user))

    def pending(self) -> "RequestQuerySet":
        return self.filter(status=RequestStatus.PENDING)


class ActionQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> "ActionQuerySet":
        if user.is_superuser:
            return self
        return self.filter(project__in=Project.objects.visible_to(user))


class AgentAction(models.Model):
    """What an agent anywhere is about to do: asked, decided, claimed and reported, each a fact."""

    TRANSITIONS = {
        ActionStatus.PENDING: {
            *(ActionStatus.APPROVED, ActionStatus.DENIED, ActionStatus.ANSWERED),
            *(ActionStatus.EXPIRED, ActionStatus.CANCELLED, ActionStatus.SUPERSEDED),
        },
        ActionStatus.APPROVED: {
            *(ActionStatus.EXECUTING, ActionStatus.EXPIRED),
            *(ActionStatus.CANCELLED, ActionStatus.SUPERSEDED),
        },
        ActionStatus.EXECUTING: {
            *(ActionStatus.SUCCEEDED, ActionStatus.FAILED),
            *(ActionStatus.NOT_EXECUTED, ActionStatus.UNKNOWN),
        },
        # Who tried may still say how it ended; else a person does, or allows it once more.
        ActionStatus.UNKNOWN: {
            *(ActionStatus.SUCCEEDED, ActionStatus.FAILED),
            *(ActionStatus.NOT_EXECUTED, ActionStatus.APPROVED),
        },
    }

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="agent_actions")
    # Who asks: an agent that runs elsewhere, or one of ours at its task.
    credential = models.ForeignKey(
        AgentCredential,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="agent_actions",
    )
    # Looked up by `action_once_a_call`.
    task = models.ForeignKey(
        Task,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="agent_actions",
        db_index=False,
    )
    idempotency_key = models.CharField(max_length=255)
    status = models.CharField(
        max_length=12, choices=ActionStatus, default=ActionStatus.PENDING, editable=False
    )

    # What is asked for. Arguments are kept as their canonical text, for that is what is hashed.
    tool = models.JSONField(help_text="`name`, and perhaps `server` and `schema_digest`.")
    arguments = models.TextField(help_text="Canonical JSON (RFC 8785), complete.")
    agent = models.JSONField(help_text="`name`, and perhaps `run`, `call` and `framework`.")
    subject = models.JSONField(
        null=True, blank=True, help_text="For whom the agent acts: `type` and `id`."
    )
    action_digest = models.CharField(max_length=71)
    call_digest = models.CharField(max_length=71, help_text="Over tool and arguments alone.")
    effect = models.CharField(max_length=300, blank=True, default="")
    why = models.TextField(blank=True, default="", help_text="The agent's own claim.")
    hints = models.JSONField(default=dict)
    allowed = ArrayField(models.CharField(max_length=20))
    edit_schema = models.JSONField(null=True, blank=True)
    response_schema = models.JSONField(null=True, blank=True)
    precondition = models.TextField(
        blank=True, default="", help_text="Canonical JSON: a fingerprint of what is outside."
    )
    based_on = models.JSONField(default=list, help_text="Artifact versions that it rests on.")
    continuation = models.TextField(blank=True, default="", help_text="For the agent alone.")
    on_expiry = models.CharField(max_length=10, choices=OnExpiry, default=OnExpiry.DENY)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="When the asking ends.")

    # What was decided.
    asked_arguments = models.TextField(
        blank=True, default="", help_text="Those that were asked for, where a person changed them."
    )
    rule = models.ForeignKey(
        "StandingApproval", null=True, blank=True, on_delete=models.SET_NULL, related_name="uses"
    )
    answer = models.TextField(blank=True, default="", help_text="Canonical JSON.")
    decided_at = models.DateTimeField(null=True, blank=True)
    approved_until = models.DateTimeField(null=True, blank=True)

    # Who does it, and how it ended.
    fence = models.PositiveIntegerField(default=0, help_text="Grows with every claim.")
    claim_key = models.CharField(
        max_length=255,
        blank=True,
        default="",
        db_default="",
        help_text="A claim with the same key is repeated.",
    )
    claimed_at = models.DateTimeField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    result = models.TextField(blank=True, default="", help_text="Canonical JSON.")
    error = models.TextField(blank=True, default="")
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ActionQuerySet.as_manager()

    class Meta:
        db_table = "agent_actions"
        verbose_name = "action"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=ActionStatus.values), name="action_status_known"
            ),
            models.CheckConstraint(
                condition=(
                    Q(status=ActionStatus.EXECUTING, lease_expires_at__isnull=False)
                    | (~Q(status=ActionStatus.EXECUTING) & Q(lease_expires_at__isnull=True))
                ),
                name="action_lease_iff_executing",
            ),
            models.UniqueConstraint(
                fields=["credential", "idempotency_key"], name="action_once_a_key"
            ),
            models.UniqueConstraint(fields=["task", "idempotency_key"], name="action_once_a_call"),
            models.CheckConstraint(
                condition=Q(credential__isnull=True) ^ Q(task__isnull=True),
                name="action_of_a_credential_or_a_task",
            ),
            models.UniqueConstraint(
                fields=["project", "effect"],
                condition=Q(status__in=BLOCKS_EFFECT) & ~Q(effect=""),
                name="action_effect_once",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "-created_at", "-id"], name="actions_of_a_project"),
            models.Index(fields=["-created_at", "-id"], name="actions_newest_first"),
            models.Index(
                fields=["project", "-created_at", "-id"],
                name="actions_pending",
                condition=Q(status=ActionStatus.PENDING),
            ),
            models.Index(fields=["project", "call_digest"], name="actions_of_the_same_call"),
            models.Index(
                fields=["lease_expires_at"],
                name="actions_executing",
                condition=Q(status=ActionStatus.EXECUTING),
            ),
            models.Index(
                fields=["approved_until"],
                name="actions_approved",
                condition=Q(status=ActionStatus.APPROVED),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tool.get('name')} by {self.agent.get('name')}"

    @property
    def is_pending(self) -> bool:
        return self.status == ActionStatus.PENDING

    def move(self, status: ActionStatus) -> None:
        """The caller holds the project's lock, and has seen that the state allows it."""
        if status not in self.TRANSITIONS.get(ActionStatus(self.status), ()):
            raise RuntimeError(f"action {self.pk} is {self.status} and cannot become {status}")
        self.status = status
        if status != ActionStatus.EXECUTING:
            self.lease_expires_at = None
        if status not in (ActionStatus.APPROVED, ActionStatus.EXECUTING, ActionStatus.UNKNOWN):
            self.finished_at = timezone.now()


class StandingApproval(models.Model):
    """A person's word for further calls like one that they approved: bounded, and revocable."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="standing_approvals"
    )
    credential = models.ForeignKey(
        AgentCredential,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text="Null: of our own agent of this name.",
    )
    agent_name = models.CharField(max_length=200)
    tool = models.JSONField()
    bounds = models.JSONField(help_text="JSON Schema that the arguments must satisfy.")
    uses_max = models.PositiveSmallIntegerField()
    uses_count = models.PositiveSmallIntegerField(default=0)
    expires_at = models.DateTimeField()
    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    decision = models.OneToOneField(
        "Decision", on_delete=models.CASCADE, related_name="standing_approval"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "standing_approvals"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(uses_count__lte=F("uses_max")), name="standing_approval_uses_bounded"
            )
        ]
        indexes = [
            models.Index(fields=["credential", "expires_at"], name="standing_approvals_open")
        ]

    def __str__(self) -> str:
        return f"{self.uses_count} of {self.uses_max} until {self.expires_at:%Y-%m-%d %H:%M}"


class HitlRequest(models.Model):
    """A question to a person, bound to exactly what it shows: about a task, or about an action."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # Looked up by the longer index `requests_of_a_project`.
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="hitl_requests", db_index=False
    )
    # Looked up by `request_once_a_subject`.
    task = models.ForeignKey(
        Task,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="hitl_requests",
        db_index=False,
    )
    agent_action = models.ForeignKey(
        AgentAction, null=True, blank=True, on_delete=models.CASCADE, related_name="requests"
    )
    kind = models.CharField(max_length=20, choices=RequestKind)
    status = models.CharField(
        max_length=20, choices=RequestStatus, default=RequestStatus.PENDING, editable=False
    )
    title = models.CharField(max_length=300)
    step = models.CharField(max_length=100, blank=True, default="")
    phase = models.CharField(max_length=20, blank=True, default="", choices=Phase)
    agent_type = models.CharField(max_length=20)
    subject = models.JSONField(help_text="What is shown and would go on; the digest is over this.")
    subject_digest = models.CharField(max_length=64)
    previous = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="next"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    # The project's policy when the request was opened; later changes apply to later requests.
    required_approvals = models.PositiveSmallIntegerField(default=1, db_default=1)
    deciding_roles = ArrayField(
        models.CharField(max_length=10), null=True, blank=True, help_text="Null: all that decide."
    )
    barred_authors = ArrayField(
        models.BigIntegerField(),
        null=True,
        blank=True,
        help_text="Users who wrote of what is decided. Null: not looked up when it was opened.",
    )
    prevents_self_approval = models.BooleanField(
        null=True,
        help_text="Authors may not decide, nor go on with their own text. Null: of an old release.",
    )
    needs_reauthentication = models.BooleanField(
        default=False, db_default=False, help_text="Who decides gives their password again."
    )
    on_timeout = models.CharField(
        max_length=10, choices=OnTimeout, default=OnTimeout.HOLD, db_default=OnTimeout.HOLD
    )
    remind_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    # Its progress so far.
    approvals = models.PositiveSmallIntegerField(default=0, db_default=0)
    reminded_at = models.DateTimeField(null=True, blank=True)
    overdue_noted_at = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    held_since = models.DateTimeField(null=True, blank=True, help_text="Its clocks stand still.")
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    claimed_until = models.DateTimeField(null=True, blank=True)

    objects = RequestQuerySet.as_manager()

    class Meta:
        db_table = "hitl_requests"
        verbose_name = "request"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=RequestStatus.values), name="request_status_known"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=RequestKind.values), name="request_kind_known"
            ),
            models.CheckConstraint(
                condition=(
                    Q(status=RequestStatus.PENDING, resolved_at__isnull=True)
                    | (~Q(status=RequestStatus.PENDING) & Q(resolved_at__isnull=False))
                ),
                name="request_resolved_iff_not_pending",
            ),
            models.CheckConstraint(
                condition=Q(on_timeout__in=OnTimeout.values), name="request_on_timeout_known"
            ),
            models.CheckConstraint(
                condition=Q(required_approvals__gte=1), name="request_needs_an_approval"
            ),
            models.CheckConstraint(
                condition=Q(task__isnull=True) ^ Q(agent_action__isnull=True),
                name="request_about_a_task_or_an_action",
            ),
            models.UniqueConstraint(
                fields=["task"],
                condition=Q(status=RequestStatus.PENDING),
                name="request_pending_once_a_task",
            ),
            models.UniqueConstraint(
                fields=["agent_action"],
                condition=Q(status=RequestStatus.PENDING),
                name="request_pending_once_an_action",
            ),
            models.UniqueConstraint(
                fields=["task", "subject_digest"], name="request_once_a_subject"
            ),
        ]
        indexes = [
            models.Index(
                fields=["project", "-created_at"],
                name="requests_pending",
                condition=Q(status="pending"),
            ),
            models.Index(
                fields=["remind_at"],
                name="requests_to_remind_of",
                condition=Q(status="pending", reminded_at=None, remind_at__isnull=False),
            ),
            models.Index(
                fields=["due_at"],
                name="requests_to_be_overdue",
                condition=Q(status="pending", overdue_noted_at=None, due_at__isnull=False),
            ),
            models.Index(
                fields=["expires_at"],
                name="requests_to_expire",
                condition=Q(status="pending", expires_at__isnull=False),
            ),
            models.Index(fields=["project", "-created_at"], name="requests_of_a_project"),
            models.Index(fields=["-created_at", "-id"], name="requests_newest_first"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_pending(self) -> bool:
        return self.status == RequestStatus.PENDING

    @cached_property
    def found_digest(self) -> str:
        """Of the subject as it is stored: `subject_digest`, unless somebody changed the row."""
        return digest_of(self.subject)

    def is_timed_out(self, now: datetime) -> bool:
        """Its time is over: nobody can decide any more, or only an owner."""
        return self.held_since is None and self.expires_at is not None and self.expires_at <= now

    def is_overdue(self, now: datetime) -> bool:
        return (
            self.is_pending
            and self.held_since is None
            and self.due_at is not None
            and self.due_at <= now
        )

    def claimant_id(self, now: datetime) -> int | None:
        """Who has claimed it, while the claim lasts."""
        is_claimed = self.claimed_until is not None and self.claimed_until > now
        return self.claimed_by_id if is_claimed else None

    def close(self, status: RequestStatus) -> None:
        """Final. The caller holds the lock and has seen that it is pending."""
        if not self.is_pending:
            raise RuntimeError(f"request {self.pk} is {self.status}, not pending")
        self.status, self.resolved_at = status, timezone.now()


class DecisionQuerySet(models.QuerySet):
    def of_person(self, user: Any) -> "DecisionQuerySet":
        """By them, or by somebody who stood in for them."""
        return self.filter(Q(decided_by=user) | Q(on_behalf_of=user))


class Decision(models.Model):
    """What a person decided, when, through which channel, and about exactly what. Immutable."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # Looked up by `decision_once_a_person`.
    request = models.ForeignKey(
        HitlRequest, on_delete=models.CASCADE, related_name="decisions", db_index=False
    )
    action = models.CharField(max_length=20, choices=action_choices)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="decisions"
    )
    on_behalf_of = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="Who was away, and had named this person. Null: nobody.",
    )
    comment = models.TextField(blank=True, default="")
    content = models.JSONField(null=True, blank=True)
    subject_digest = models.CharField(max_length=64)
    channel = models.CharField(max_length=20)
    is_break_glass = models.BooleanField(
        default=False, db_default=False, help_text="Past the rules, for the reason in the comment."
    )
    assurance = models.CharField(
        max_length=20,
        choices=Assurance,
        blank=True,
        default="",
        db_default="",
        help_text="Empty: an older release did not note it.",
    )
    loosenings = models.JSONField(
        null=True,
        blank=True,
        help_text="How the policy had been loosened without a second owner. Null: not at all.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DecisionQuerySet.as_manager()

    class Meta:
        db_table = "hitl_decisions"
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["request", "decided_by"], name="decision_once_a_person"
            ),
            models.UniqueConstraint(
                fields=["request", "on_behalf_of"],
                condition=Q(on_behalf_of__isnull=False),
                name="decision_once_for_a_person",
            ),
            models.CheckConstraint(
                condition=~Q(action__in=["reject", "request_changes"]) | ~Q(comment=""),
                name="decision_comment_where_it_is_needed",
            ),
            models.CheckConstraint(
                condition=~Q(action__in=["amend", "answer"]) | Q(content__isnull=False),
                name="decision_content_where_it_is_needed",
            ),
            models.CheckConstraint(
                condition=Q(is_break_glass=False) | ~Q(comment=""),
                name="decision_past_the_rules_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.decided_by}"

    @property
    def who(self) -> str:
        """By name; where somebody stood in for somebody, both."""
        name = self.decided_by.get_username()
        if self.on_behalf_of_id is None:
            return name
        return f"{name} for {self.on_behalf_of.get_username()}"


class Comment(models.Model):
    """A comment in the thread of a request, for all members. It decides nothing."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    request = models.ForeignKey(HitlRequest, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="hitl_comments"
    )
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "hitl_comments"
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(condition=~Q(text=""), name="hitl_comment_says_something")
        ]
        indexes = [models.Index(fields=["request", "created_at"], name="comments_of_a_request")]

    def __str__(self) -> str:
        return f"{self.author}: {self.text[:60]}"


class Reading(models.Model):
    """A person was shown exactly this of a request: nothing is decided from a list without."""

    # Looked up by `reading_once_a_digest`.
    request = models.ForeignKey(
        HitlRequest, on_delete=models.CASCADE, related_name="readings", db_index=False
    )
    # Statistics rest on it, so it outlasts an account that is deleted past the product.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    subject_digest = models.CharField(max_length=64)
    shown_at = models.DateTimeField(db_default=Now(), help_text="For the first time.")

    class Meta:
        db_table = "hitl_readings"
        ordering = ["shown_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["request", "user", "subject_digest"], name="reading_once_a_digest"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id} of {self.request_id}"


class Policy(models.Model):
    """How a project decides. Without a row the defaults of the settings hold."""

    project = models.OneToOneField(
        Project, primary_key=True, on_delete=models.CASCADE, related_name="hitl_policy"
    )
    prevent_self_approval = models.BooleanField()
    answers_count_as_content = models.BooleanField(
        help_text="Who answered an agent's questions wrote of what it made of them."
    )
    required_approvals = models.PositiveSmallIntegerField()
    roles_by_kind = models.JSONField(default=dict, help_text="{kind: [role]}; else all who decide.")
    roles_by_phase = models.JSONField(default=dict, help_text="{phase: [role]}")
    reauthenticate = ArrayField(
        models.CharField(max_length=20),
        default=list,
        blank=True,
        db_default=[],
        help_text="Kinds of requests for which people give their password again.",
    )
    ask_before_tools = ArrayField(
        models.CharField(max_length=100),
        default=list,
        blank=True,
        db_default=[],
        help_text="Tools of our own agents that people are asked about before each call.",
    )
    # Seconds from when a request is opened; null: never.
    remind_after = models.PositiveIntegerField(null=True, blank=True)
    due_after = models.PositiveIntegerField(null=True, blank=True)
    expire_after = models.PositiveIntegerField(null=True, blank=True)
    on_timeout = models.CharField(max_length=10, choices=OnTimeout)
    updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "hitl_policies"
        verbose_name_plural = "policies"
        constraints = [
            models.CheckConstraint(
                condition=Q(required_approvals__gte=1, required_approvals__lte=APPROVALS_MAX),
                name="policy_asks_for_1_to_50_approvals",
            ),
            models.CheckConstraint(
                condition=Q(on_timeout__in=OnTimeout.values), name="policy_on_timeout_known"
            ),
        ]

    def __str__(self) -> str:
        return f"policy of {self.project_id}"


class Loosening(models.Model):
    """A change that makes a project's policy, or its oversight, less strict."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="loosenings")
    status = models.CharField(max_length=20, choices=LooseningStatus)
    changes = models.JSONField(help_text="{name: {old, new}}")
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "hitl_loosenings"
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=LooseningStatus.values), name="loosening_status_known"
            ),
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(status=LooseningStatus.PROPOSED),
                name="loosening_proposed_once_a_project",
            ),
        ]
        indexes = [models.Index(fields=["project", "created_at"], name="loosenings_of_a_project")]

    def __str__(self) -> str:
        return f"{', '.join(self.changes)} of {self.project_id}"
