"""A project becomes a tombstone: its contents are gone; who did what, and when, stays."""

from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models import Case, F, Q, QuerySet, Value, When

from agents.models import Task
from audit.actors import Actor
from audit.erasure import ERASED_DATA, erase_payloads
from audit.installation import record_installation
from audit.models import Stream
from core.errors import Conflict, InvalidInput
from core.text import is_storable
from hitl.digests import ERASED_SUBJECT
from projects.access import MANAGE
from projects.credentials import revoke_all_credentials
from projects.events import ERASURE_MADE, PROJECT_ERASED
from projects.models import ERASED_TEXT, Project
from projects.transaction import ProjectTransaction

REASON_MAX_LENGTH = 1_000
ERASED_NAME = {"name": ERASED_TEXT}
ERASED_JSON = '{"erased": true}'
ERASED_PROJECT = ["name", "brief", "status_reason", "engine_error", "attention_since", "erased_at"]
# Path to the project, and what replaces each field that is not empty.
BLANKED: dict[str, tuple[str, dict[str, Any]]] = {
    "orchestrator.WorkflowRun": ("project", {"feedback": {}}),
    "orchestrator.ProjectImport": ("project", {"origin_name": ERASED_TEXT}),
    "hitl.HitlRequest": ("project", {"title": ERASED_TEXT, "subject": ERASED_SUBJECT}),
    "hitl.AgentAction": (
        "project",
        {
            **dict.fromkeys(("why", "error", "continuation", "precondition"), ERASED_TEXT),
            **dict.fromkeys(("arguments", "asked_arguments", "answer", "result"), ERASED_JSON),
            **{"tool": ERASED_NAME, "agent": ERASED_NAME, "hints": {}, "based_on": []},
            **{"subject": None, "edit_schema": None, "response_schema": None},
        },
    ),
    "hitl.StandingApproval": (
        "project",
        {"bounds": {}, "tool": ERASED_NAME, "agent_name": ERASED_TEXT},
    ),
    "projects.AgentCredential": ("project", {"name": ERASED_TEXT}),
    "projects.Invitation": ("project", {"email": ERASED_TEXT}),
    "notifications.Webhook": (
        "project",
        dict.fromkeys(("url", "secret", "previous_secret", "disabled_reason"), ERASED_TEXT),
    ),
    "hitl.Decision": ("request__project", {"comment": ERASED_TEXT, "content": ERASED_DATA}),
    "hitl.Comment": ("request__project", {"text": ERASED_TEXT}),
    "agents.EmergencyStop": (
        "project",
        {"reason": ERASED_TEXT, "release_reason": ERASED_TEXT},
    ),
    "agents.Task": (
        "project",
        {
            "title": ERASED_TEXT,
            "instructions": ERASED_TEXT,
            "handoff": {},
            "answers": [],
            "result": {},
        },
    ),
    "agents.TaskAttempt": ("task__project", {"error_detail": ERASED_TEXT}),
    "context.Artifact": ("project", {"title": ERASED_TEXT}),
    "context.ArtifactVersion": (
        "artifact__project",
        {"comment": ERASED_TEXT, "inline_content": ERASED_DATA},
    ),
}
# Rows that are nothing but content; in this order, for the sake of their references.
DROPPED: dict[str, str] = {
    "orchestrator.AssembledDocument": "project",
    "orchestrator.DocumentJob": "project",
    "orchestrator.ImportedFile": "origin__project",
    "agents.ModelRun": "task__project",
    "agents.WorkspaceFile": "task__project",
    "agents.ToolUse": "task__project",
    "agents.ModelExchange": "project",
    "agents.ModelEndpoint": "project",
    "context.ContextBuild": "project",
    "context.Section": "version__artifact__project",
    "context.Concept": "version__artifact__project",
    "context.Body": "project",
    "notifications.Notification": "project",
    "notifications.WebhookDelivery": "webhook__project",
}
# Our own names, ids and hashes, which say nothing of the content.
KEPT: dict[str, set[str]] = {
    "orchestrator.WorkflowRun": {"workflow", "definition", "definition_hash", "loops"},
    "orchestrator.ProjectImport": {
        *("origin_project", "origin_status", "archive_sha256", "trail_head_hash"),
    },
    "hitl.HitlRequest": {
        *("step", "agent_type", "subject_digest", "barred_authors", "deciding_roles"),
    },
    "hitl.Policy": {"roles_by_kind", "roles_by_phase", "reauthenticate", "ask_before_tools"},
    "hitl.Decision": {"subject_digest", "channel", "loosenings"},
    "hitl.Reading": {"subject_digest"},
    "hitl.Loosening": {"changes"},
    "agents.Task": {"step", "dropped_by", "gate", "waits_for", "worker", "assignment_sha256"},
    "hitl.AgentAction": {
        *("idempotency_key", "claim_key", "action_digest", "call_digest", "effect", "allowed"),
    },
    "projects.AgentCredential": {"scopes", "token_sha256"},
    "notifications.Webhook": {"event_types"},
    "projects.Invitation": {"token_sha256"},
    "agents.StopAcknowledgement": {"worker"},
    "agents.ModelCall": {"agent_type", "provider", "model", "error_code", "day"},
    "agents.TaskAttempt": {
        *("worker", "error_code", "provider", "model", "report_sha256", "lease_seconds"),
        "traceparent",
    },
    "context.Artifact": {"step"},
    "context.ArtifactVersion": {"sha256", "provider", "model", "prompt_sha256", "imported"},
}
# Idempotency keys keep answers for a day, and the admin has a log of its own: both name these ids.
NAMED_BY_ID = ("agents.Task", "hitl.HitlRequest", "context.Artifact")
FORGET_ANSWERS = """
    DELETE FROM idempotency_keys WHERE EXISTS (
        SELECT 1 FROM unnest(%s::text[]) AS id WHERE position(id in body::text) > 0
    )
"""


def erase_project(*, project_id: UUID, actor: Actor, reason: str) -> Project:
    """Cannot be undone. `reason` is recorded and stays: it must not hold what is to be erased.

    Raises InvalidInput, NotFound, Forbidden, Conflict while work is under way or once it is done.
    """
    if not reason.strip() or len(reason) > REASON_MAX_LENGTH or not is_storable(reason):
        detail = f"Give a reason of 1 to {REASON_MAX_LENGTH:,} characters; it stays in the log."
        raise InvalidInput.of("reason", "invalid", detail)
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        project = tx.project
        project.erase()
        if Task.objects.filter(project=project).open().exists():
            detail = "Work is under way in this project: cancel its open tasks first."
            raise Conflict("work_under_way", detail)
        revoke_all_credentials(project, actor)
        project.save(update_fields=[*ERASED_PROJECT, "updated_at"])

        # Stored answers to requests and the admin's own log, by the ids that they name.
        ids = [str(project.pk)]
        for label in NAMED_BY_ID:
            rows = apps.get_model(label)._base_manager.filter(project=project)
            ids += [str(pk) for pk in rows.values_list("pk", flat=True)]
        with connection.cursor() as cursor:
            cursor.execute(FORGET_ANSWERS, [ids])
        LogEntry.objects.filter(object_id__in=ids).delete()

        for label, (path, values) in BLANKED.items():
            blank_rows(apps.get_model(label)._base_manager.filter(**{path: project}), values)
        for label, path in DROPPED.items():
            apps.get_model(label)._base_manager.filter(**{path: project}).delete()
        erase_payloads(
            project_id=project_id,
            through=Stream.objects.get(project=project_id).sequence,
            event_type=PROJECT_ERASED,
            actor=actor,
            data={"reason": reason.strip()},
        )
        record_installation(ERASURE_MADE, actor, project=str(project_id))
    return project


def blank_rows(rows: QuerySet, values: dict[str, Any]) -> None:
    """All fields of a row at once: the database lets a row lose all that it says, or nothing.

    What is empty stays so, but for the content of a version whose parts alone say what it is.
    """
    blanks: dict[str, Any] = {}
    says_something = Q()
    for field, value in values.items():
        is_text = value == ERASED_TEXT
        empty = Q(**{field: ""}) if is_text else Q(**{f"{field}__isnull": True})
        says_something |= ~empty
        blank = Value(value, output_field=rows.model._meta.get_field(field))
        keeps_empty = field != "inline_content"
        blanks[field] = Case(When(empty, then=F(field)), default=blank) if keeps_empty else blank
    if "inline_content" not in values:
        rows = rows.filter(says_something)
    rows.update(**blanks)
