"""One project with everything in it, and the id that a place in a path or body stands for."""

from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import PersonalToken
from accounts.tokens import create_token
from agents.models import ModelEndpoint, ModelRun, Task, ToolUse, WorkspaceFile
from audit.actors import Actor
from audit.models import Event, Stream
from context.models import Artifact, ContextBuild
from hitl.agent_actions.asks import ask_action
from hitl.models import AgentAction, Decision, HitlRequest, Loosening, StandingApproval
from hitl.services import decide, delegate_decisions
from notifications.models import Notification, Webhook, WebhookDelivery
from notifications.webhooks import create_webhook
from projects.credentials import create_credential
from projects.groups import add_group
from projects.invitations import invite_member
from projects.models import AgentCredential, Project
from tests.scenes import asked, stop

OURS = ("orchestrator", "hitl", "agents", "context", "projects", "audit", "api", "notifications")
# What an id is called where a path, a query or a body takes it.
NAMED = {
    "project": Project,
    "task": Task,
    "artifact": Artifact,
    "context_ids": Artifact,
    "request": HitlRequest,
    "hitl_request": HitlRequest,
    "event": Event,
    "proposal": Loosening,
    "cid": AgentCredential,
    "rule": StandingApproval,
    "agent_action": AgentAction,
    "wid": Webhook,
    "did": WebhookDelivery,
}


class Unknown(AssertionError):
    """A route takes something that this module has not been taught."""


class Things:
    """A project that the outsider does not belong to. `id_of(model)`: of something within it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.user = project.created_by
        settled = asked(project, "result_approval")
        digest = settled.subject_digest
        actor = Actor.of_user(self.user)
        decide(
            request_id=settled.pk,
            actor=actor,
            action="approve",
            subject_digest=digest,
            comment="Fine.",
            channel="rest",
        )
        self.digest = asked(project).subject_digest
        self._build(settled.task_id)
        Loosening.objects.create(
            project=self.project,
            status="proposed",
            changes={"required_approvals": {"old": 2, "new": 1}},
            proposed_by=self.user,
        )
        self._ask()
        invite_member(
            project_id=project.pk,
            actor=actor,
            email="friend@example.org",
            role="viewer",
            link_to=str,
        )
        Group.objects.create(name="Friends")
        add_group(project_id=project.pk, actor=actor, group="Friends", role="viewer")
        delegate_decisions(
            project_id=project.pk, actor=actor, ends_at=timezone.now() + timedelta(days=1)
        )
        ModelEndpoint.objects.create(
            project=project, name="mine", speaks="anthropic", created_by=self.user
        )
        create_token(user=self.user, name="Of another", scopes=["read"])
        stop(self.user, project_id=project.pk, agent_type="deployer")
        webhook, _ = create_webhook(
            project_id=project.pk, actor=actor, url="https://example.org/hook"
        )
        WebhookDelivery.objects.create(
            webhook=webhook, epoch="e", sequence=1, event_type="project_started"
        )
        Notification.objects.create(
            user=self.user, recipient="user", project=project, key="k", run_at=timezone.now()
        )

    def _ask(self) -> None:
        """An agent elsewhere asks, and somebody has approved some calls ahead."""
        self.credential, _ = create_credential(
            project_id=self.project.pk,
            actor=Actor.of_user(self.user),
            name="support",
            scopes=["ask", "work", "read"],
        )
        self.action, _ = ask_action(
            project_id=self.project.pk,
            credential=self.credential,
            idempotency_key="k1",
            tool={"name": "refund"},
            arguments={"order": "1234"},
            agent={"name": "support"},
        )
        StandingApproval.objects.create(
            project=self.project,
            credential=self.credential,
            agent_name="support",
            tool={"name": "refund"},
            bounds={"type": "object"},
            uses_max=1,
            expires_at=Now(),
            given_by=self.user,
            decision=Decision.objects.filter(request__project=self.project).first(),
        )

    def _build(self, task: Any) -> None:
        """What a worker notes of what it gave to an agent."""
        counts = {"budget": 9, "base_tokens": 1, "tokens": 1}
        ModelRun.objects.create(task_id=task, work_key="1", messages="[]", note="Go on.")
        WorkspaceFile.objects.create(
            task_id=task, path="a.py", number=1, content="a", sha256="0" * 64, fence=1, turn=1
        )
        ToolUse.objects.create(
            task_id=task,
            number=1,
            fence=1,
            turn=1,
            name="read",
            arguments='{"path": "a.py"}',
            arguments_sha256="0" * 64,
            outcome="succeeded",
            result="a",
            duration_ms=1,
        )
        ContextBuild.objects.create(
            project=self.project,
            task=task,
            attempt=1,
            fence=99,
            agent_type="analyst",
            model="demo",
            items=[],
            **counts,
        )

    def id_of(self, model: type[models.Model]) -> Any:
        within = f"{path_to_project(model)}__in" if path_to_project(model) else None
        if model in (Event, Stream):
            found = model.objects.filter(project=self.project.pk)
        elif model is PersonalToken:
            found = model.objects.filter(user=self.user)
        elif model is Project:
            found = model.objects.filter(pk=self.project.pk)
        else:
            found = model.objects.filter(**({within: [self.project]} if within else {}))
        thing = found.order_by("pk").last()
        if thing is None:
            raise Unknown(f"There is no {model.__name__} in the project of the tests: add one.")
        return thing.pk

    def named(self, name: str) -> Any:
        """What `name` stands for in a path, a query or a body. Raises Unknown."""
        plain = {"user": self.user.username, "agent_type": "coder", "number": 1, "format": "json"}
        if name == "group":
            return self.id_of(Group)
        plain["name"] = "mine"
        if name in plain:
            return plain[name]
        model = NAMED.get(name) or NAMED.get(name.removesuffix("_id").removesuffix("_ids"))
        if model is None:
            raise Unknown(f"What does `{name}` stand for? Say it in {__name__}.")
        return self.id_of(model)


def path_to_project(model: type[models.Model], seen: tuple = ()) -> str | None:
    """How a query gets from the model to its project; None where there is no way."""
    for field in model._meta.concrete_fields:
        target = field.related_model
        if target is Project:
            return field.name
        if target and target._meta.app_label in OURS and target not in (*seen, model):
            rest = path_to_project(target, (*seen, model))
            if rest:
                return f"{field.name}__{rest}"
    return None


def our_models() -> list[type[models.Model]]:
    return [model for app in OURS for model in apps.get_app_config(app).get_models()]
