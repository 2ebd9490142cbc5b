from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Length
from django.utils import timezone

from core.errors import Conflict
from core.ids import new_id
from projects.enums import CredentialScope, OversightLevel, ProjectStatus, Role

models.CharField.register_lookup(Length)
models.TextField.register_lookup(Length)

BRIEF_MAX_LENGTH = 100_000
# Replaces erased text.
ERASED_TEXT = "[erased]"


class ProjectQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> "ProjectQuerySet":
        """What the user may see: projects they are a member of; superusers see all.

        An agent with a credential that may read sees its project.
        """
        if user.is_superuser:
            return self
        if (credential := getattr(user, "credential", None)) is not None:
            return self.filter(pk=credential.project_id)
        return self.filter(pk__in=Membership.objects.filter(user=user).values("project"))

    def lock(self) -> "ProjectQuerySet":
        """The first lock of every change within a project."""
        return self.select_for_update(no_key=True, of=("self",))


class Project(models.Model):
    TRANSITIONS = {
        ProjectStatus.DRAFT: {"start", "cancel", "fail", "erase"},
        ProjectStatus.ACTIVE: {"pause", "complete", "fail", "cancel", "rewind"},
        ProjectStatus.PAUSED: {"resume", "fail", "cancel", "rewind"},
        ProjectStatus.COMPLETED: {"rewind", "erase"},
        ProjectStatus.FAILED: {"rewind", "erase"},
        ProjectStatus.CANCELLED: {"erase"},
    }

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=200)
    brief = models.TextField(validators=[MaxLengthValidator(BRIEF_MAX_LENGTH)])
    workflow = models.CharField(max_length=100, default="sdlc")
    oversight_level = models.CharField(
        max_length=10, choices=OversightLevel, default=OversightLevel.HIGH
    )
    auto_start = models.BooleanField(default=True)
    agent_models = models.JSONField(
        blank=True,
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        help_text="By agent type: `external` for work that is done elsewhere. Else the settings.",
    )
    # Micro-units of the currency that prices are in. What is spent is in `agents.BudgetAccount`.
    budget_micros = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="The most that its models may cost. Empty: no limit."
    )
    budget_soft_micros = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="From here on a person is asked before it costs more."
    )
    budget_day_micros = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="The most that its models may cost on one day (UTC)."
    )
    agent_budgets_micros = models.JSONField(
        blank=True,
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        help_text="By agent type: the most that its models may cost in this project.",
    )
    status = models.CharField(
        max_length=10, choices=ProjectStatus, default=ProjectStatus.DRAFT, editable=False
    )
    status_reason = models.TextField(blank=True, default="", editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="projects_created"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)
    erased_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Its contents were erased; what is left is a tombstone that cannot change.",
    )
    attention_since = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Something changed that the engine has not looked at yet.",
    )
    policy_loosened_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Since then its decisions bear a mark: one owner alone loosened its policy.",
    )
    # Why the engine cannot go on, if it cannot.
    engine_failures = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    engine_error = models.TextField(blank=True, default="", db_default="", editable=False)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        db_table = "projects"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=ProjectStatus.values), name="project_status_known"
            ),
            models.CheckConstraint(
                condition=Q(oversight_level__in=OversightLevel.values),
                name="project_oversight_level_known",
            ),
            models.CheckConstraint(
                condition=Q(brief__length__gte=1) & Q(brief__length__lte=BRIEF_MAX_LENGTH),
                name="project_brief_1_to_100000_characters",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="projects_newest_first"),
            models.Index(fields=["status", "-created_at"], name="projects_by_status"),
            models.Index(
                fields=["attention_since"],
                name="projects_to_look_at",
                condition=Q(attention_since__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def start(self) -> None:
        self._move("start", ProjectStatus.ACTIVE)
        self.started_at = timezone.now()

    def pause(self) -> None:
        self._move("pause", ProjectStatus.PAUSED)

    def resume(self) -> None:
        self._move("resume", ProjectStatus.ACTIVE)

    def complete(self) -> None:
        self._move("complete", ProjectStatus.COMPLETED)
        self.finished_at = timezone.now()

    def fail(self, reason: str) -> None:
        self._move("fail", ProjectStatus.FAILED, reason)
        self.finished_at = timezone.now()

    def cancel(self, reason: str = "") -> None:
        self._move("cancel", ProjectStatus.CANCELLED, reason)
        self.finished_at = timezone.now()

    def rewind(self) -> None:
        """A paused project stays paused; a finished one works again."""
        is_paused = self.status == ProjectStatus.PAUSED
        self._move("rewind", ProjectStatus.PAUSED if is_paused else ProjectStatus.ACTIVE)
        self.finished_at = None

    def erase(self) -> None:
        """Its name, brief and reasons go; its status stays."""
        self.check_can("erase")
        self.name, self.brief = "Erased project", ERASED_TEXT
        self.status_reason = ERASED_TEXT if self.status_reason else ""
        self.engine_error, self.attention_since = "", None
        self.erased_at = timezone.now()

    def check_can(self, verb: str) -> None:
        """Raises Conflict `invalid_transition` where the state does not allow the verb."""
        allowed = self.TRANSITIONS[ProjectStatus(self.status)]
        if verb in allowed:
            return
        verbs = sorted(allowed - {"complete", "fail", "erase"})
        options = ", ".join(verbs) or "nothing; this state is final"
        raise Conflict(
            "invalid_transition",
            f"Cannot {verb} a project that is {self.status}. Possible now: {options}.",
            project_status=self.status,
        )

    def _move(self, verb: str, status: ProjectStatus, reason: str = "") -> None:
        self.check_can(verb)
        self.status, self.status_reason = status, reason


class InstallationFloor(models.Model):
    """What no project may go below, as superusers have set it. One row; the settings have more."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    oversight_level = models.CharField(
        "least oversight",
        max_length=10,
        choices=OversightLevel,
        default=OversightLevel.LOW,
    )
    required_approvals = models.JSONField(
        "least approvals", default=dict, blank=True, help_text="{kind of request: number}"
    )
    prevent_self_approval = models.BooleanField("authors never decide", default=False)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        db_table = "installation_floor"
        verbose_name = "installation floor"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="floor_is_one_row")]

    def __str__(self) -> str:
        return "installation floor"


class Membership(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=10, choices=Role)
    group = models.ForeignKey(
        "auth.Group",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="By which they are a member. Null: by themselves.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "project_members"
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="member_once_a_project"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="member_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.project}"


class GroupMembership(models.Model):
    """Whoever is in the group is a member, as long as they are in it. Never as an owner."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="group_memberships")
    group = models.ForeignKey("auth.Group", on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=10, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "project_groups"
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "group"], name="group_once_a_project"),
            # A project's owner is a person, whom no list elsewhere takes away.
            models.CheckConstraint(
                condition=Q(role__in=[Role.APPROVER, Role.VIEWER]), name="group_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group} is {self.role} of {self.project}"


class InvitationQuerySet(models.QuerySet):
    def open(self) -> "InvitationQuerySet":
        """Neither accepted nor withdrawn; its time may be over."""
        return self.filter(closed_at=None)


class Invitation(models.Model):
    """Somebody is to become a member, by a link that was sent to a mail address. It works once."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=10, choices=Role)
    token_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="invitations_sent"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When a mail server took it.")
    closed_at = models.DateTimeField(null=True, blank=True, help_text="Accepted, or withdrawn.")
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = InvitationQuerySet.as_manager()

    class Meta:
        db_table = "project_invitations"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "email"],
                condition=Q(closed_at=None),
                name="invitation_open_once_an_address",
            ),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="invitation_role_known"),
            models.CheckConstraint(
                condition=Q(accepted_by=None) | Q(closed_at__isnull=False),
                name="invitation_accepted_is_closed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} as {self.role}"


class CredentialQuerySet(models.QuerySet):
    def usable(self) -> "CredentialQuerySet":
        """Neither revoked nor expired, and made by somebody who may still log in."""
        now = timezone.now()
        return self.filter(
            Q(expires_at=None) | Q(expires_at__gt=now),
            revoked_at=None,
            created_by__is_active=True,
        )


class AgentCredential(models.Model):
    """What an agent that runs elsewhere identifies itself with, in one project."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="credentials")
    name = models.CharField(max_length=100)
    scopes = ArrayField(models.CharField(max_length=10, choices=CredentialScope))
    token_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="agent_credentials"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    refused_at = models.DateTimeField(
        null=True, blank=True, help_text="When the log last said that it tried to decide or manage."
    )
    refusals = models.PositiveIntegerField(default=0, db_default=0)

    objects = CredentialQuerySet.as_manager()

    class Meta:
        db_table = "agent_credentials"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=Q(revoked_at=None),
                name="credential_name_once_a_project",
            ),
            models.CheckConstraint(
                condition=Q(scopes__len__gte=1), name="credential_may_do_something"
            ),
        ]

    def __str__(self) -> str:
        return self.name
