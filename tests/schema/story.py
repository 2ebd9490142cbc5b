"""One story in which each operation is used once as it is meant, and what it said.

The answers become the examples of the API's description: `make api-examples`.
"""

import re
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework.test import APIClient

from agents.models import Task
from audit.checkpoints import make_checkpoint
from audit.models import Event
from hitl.models import Decision, StandingApproval
from notifications.enums import DeliveryStatus
from notifications.models import WebhookDelivery
from orchestrator.engine.advance import advance_project
from projects.models import Project
from tests.isolation.routes import Operation, operations
from tests.scenes import CONTENT, finish, first_task, side_task, work

SHORT = 240
UUID_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MOMENT = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
SECRETS = {"token", "ticket", "grant", "password", "secret"}
CALL = {
    "tool": {"name": "refund", "server": "payments"},
    "arguments": {"order": "1234", "amount": 12.5, "currency": "EUR"},
    "agent": {"name": "support", "run": "r1"},
    "effect": "refund:1234",
    "why": "The parcel was lost.",
}
OUTPUT = {"artifact_type": "agent_output", "title": "The plan", "content": CONTENT}
DECISION = {"action": "approve", "comment": "As we agreed."}
STRICTER = {"required_approvals": 2}
LOOSER = {"required_approvals": 1}


class Teller:
    """Calls operations by their ids and notes what was sent and answered."""

    def __init__(self) -> None:
        self.operations = {one.about["operationId"]: one for one in operations()}
        self.examples: dict[str, dict[str, Any]] = {}
        self.ids: dict[str, str] = {}

    def call(
        self,
        client: APIClient,
        operation_id: str,
        body: Any = None,
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        form: dict[str, Any] | None = None,
        **places: Any,
    ) -> Any:
        operation = self.operations[operation_id]
        path = operation.path.format(**places)
        extra = {"query_params": query} if query else {}
        send = getattr(client, operation.method)
        if form is not None:
            answer = send(path, form, format="multipart", headers=headers or {}, **extra)
        elif operation.method == "get":
            answer = send(path, headers=headers or {}, **extra)
        else:
            answer = send(path, body, format="json", headers=headers or {}, **extra)
        assert answer.status_code < 400, (operation_id, answer.content)
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        value = answer.json() if is_json else None
        self.note(operation, str(answer.status_code), body, value)
        return value

    def note(self, operation: Operation, status: str, body: Any, answer: Any) -> None:
        example = self.examples.setdefault(operation.about["operationId"], {"responses": {}})
        if body is not None and operation.body_schema():
            example.setdefault("request", self.plain(body))
        if answer is not None:
            example["responses"].setdefault(status, self.plain(answer))
        else:
            example["responses"].setdefault(status, None)

    def plain(self, value: Any, name: str = "") -> Any:
        """Short, without secrets, and the same in each telling where that is possible."""
        if isinstance(value, dict) and "$defs" in value:
            # Its references lead nowhere in the description.
            return {"type": value["type"], "title": value["title"]}
        if isinstance(value, dict):
            return {key: self.plain(part, key) for key, part in value.items()}
        if isinstance(value, list):
            return [self.plain(part, name) for part in value[:2]]
        if not isinstance(value, str):
            return value
        if name in SECRETS:
            return "..."
        value = UUID_TEXT.sub(self.id, value)
        value = MOMENT.sub("2026-11-29T12:00:00Z", value)
        if name.endswith("sha256") or len(value) <= SHORT or name == "checkpoint":
            return value
        return value[:SHORT].rsplit(" ", 1)[0] + " ..."

    def id(self, found: re.Match) -> str:
        number = len(self.ids) + 1
        return self.ids.setdefault(found[0], f"00000000-0000-4000-8000-{number:012}")


def tell(clients: dict[str, APIClient]) -> dict[str, dict[str, Any]]:
    """The examples. `clients` are of owner, second (another owner), approver, viewer and staff."""
    teller = Teller()
    login(teller, clients)
    project = projects(teller, clients)
    requests(teller, clients, project)
    reads(teller, clients["owner"], {"project_id": project})
    actions(teller, clients)
    tasks(teller, clients)
    told(teller, clients["owner"], {"project_id": project})
    endpoints(teller, clients["owner"], {"project_id": project})
    agent_types(teller, clients["staff"])
    workflows(teller, clients["staff"])
    artifacts(teller, clients, project)
    log(teller, clients, project)
    ends(teller, clients)
    return teller.examples


def login(teller: Teller, clients: dict[str, APIClient]) -> None:
    body = {"username": "owner", "password": "owner-password"}
    teller.call(APIClient(), "auth_token_create", body)
    owner = clients["owner"]
    token = teller.call(owner, "auth_tokens_create", {"name": "CI", "scopes": ["read", "decide"]})
    teller.call(owner, "auth_tokens_list")
    teller.call(owner, "auth_tokens_destroy", token_id=token["id"])
    teller.call(owner, "auth_ws_ticket_create")


def projects(teller: Teller, clients: dict[str, APIClient]) -> str:
    owner, second = clients["owner"], clients["second"]
    brief = "# A lending library\n\nMembers borrow books. Librarians add and lend them."
    body = {"name": "Library", "brief": brief, "auto_start": False}
    own = {"project_id": teller.call(owner, "projects_create", body)["id"]}
    for user, role in (("second", "owner"), ("approver", "approver"), ("viewer", "viewer")):
        teller.call(owner, "projects_members_create", {"user": user, "role": role}, **own)
    teller.call(owner, "projects_members_list", **own)
    teller.call(owner, "projects_members_destroy", user="viewer", **own)
    group = {"group": "Librarians", "role": "viewer"}
    made = teller.call(owner, "projects_groups_create", group, **own)
    teller.call(owner, "projects_groups_list", **own)
    teller.call(owner, "projects_groups_destroy", group=made["group"], **own)
    tomorrow = (timezone.now() + timedelta(days=1)).isoformat()
    absence = {"delegate": "second", "ends_at": tomorrow}
    made = teller.call(owner, "projects_delegations_create", absence, **own)
    teller.call(owner, "projects_delegations_list", **own)
    teller.call(owner, "projects_delegations_destroy", delegation_id=made["id"], **own)
    guest = {"email": "guest@example.org", "role": "viewer"}
    made = teller.call(owner, "projects_invitations_create", guest, **own)
    teller.call(owner, "projects_invitations_list", **own)
    teller.call(owner, "projects_invitations_destroy", invitation_id=made["id"], **own)
    teller.call(owner, "projects_update", {"name": "Lending library"}, **own)
    teller.call(owner, "projects_start", **own)
    teller.call(owner, "projects_pause", **own)
    teller.call(owner, "projects_resume", **own)
    teller.call(owner, "projects_policy_retrieve", **own)
    teller.call(owner, "projects_policy_update", STRICTER, **own)
    for verb in ("decline", "confirm"):
        awaits = teller.call(owner, "projects_policy_update", LOOSER, **own)["awaits"]
        teller.call(owner, "projects_policy_proposals_list", **own)
        name = f"projects_policy_proposals_{verb}"
        teller.call(second, name, proposal_id=awaits["id"], **own)
    return own["project_id"]


def requests(teller: Teller, clients: dict[str, APIClient], project: str) -> None:
    owner, approver = clients["owner"], clients["approver"]
    finish(first_task(Project.objects.get(pk=project)), work())
    request = waiting(teller, owner, project)
    own = {"request_id": request["id"]}
    for verb in ("claim", "release", "claim"):
        teller.call(approver, f"hitl_requests_{verb}", **own)
    teller.call(approver, "hitl_requests_reassign", {"user": "owner"}, **own)
    teller.call(owner, "hitl_requests_release", **own)
    comment = {"text": "Does it cover reservations?"}
    teller.call(approver, "hitl_requests_comment", comment, **own)
    for name in ("comments_list", "retrieve"):
        teller.call(approver, f"hitl_requests_{name}", **own)
    decision = DECISION | {"subject_digest": request["subject_digest"]}
    teller.call(approver, "hitl_requests_decide", decision, **own)
    teller.call(approver, "hitl_requests_decisions_list", **own)
    finish(side_task(Project.objects.get(pk=project)), work())
    following = waiting(teller, owner, project)
    item = {"request": following["id"], "subject_digest": following["subject_digest"]}
    teller.call(approver, "hitl_requests_decide_many", DECISION | {"items": [item]})
    teller.call(approver, "hitl_statistics_retrieve")


def reads(teller: Teller, owner: APIClient, own: dict[str, Any]) -> None:
    for name in ("projects_list", "agents_list"):
        teller.call(owner, name)
    names = ("retrieve", "progress_retrieve", "snapshot_retrieve", "origin_retrieve")
    names = (*names, "usage", "usage_csv")
    for name in names:
        teller.call(owner, f"projects_{name}", **own)
    history = {"project": own["project_id"]}
    teller.call(owner, "agents_history_list", agent_type="orchestrator", query=history)


def waiting(teller: Teller, owner: APIClient, project: str) -> Any:
    query = {"project": project, "status": "pending"}
    return teller.call(owner, "hitl_requests_list", query=query)["results"][0]


def actions(teller: Teller, clients: dict[str, APIClient]) -> None:
    owner, approver = clients["owner"], clients["approver"]
    body = {"name": "Refunds", "brief": "Agents ask before they refund.", "workflow": "none"}
    own = {"project_id": teller.call(owner, "projects_create", body)["id"]}
    member = {"user": "approver", "role": "approver"}
    teller.call(owner, "projects_members_create", member, **own)
    body = {"name": "support", "scopes": ["ask", "read"]}
    credential = teller.call(owner, "projects_credentials_create", body, **own)
    teller.call(owner, "projects_credentials_list", **own)
    agent = APIClient()
    agent.credentials(HTTP_AUTHORIZATION=f"Bearer {credential['token']}")

    asked = ask(teller, agent, own, CALL, "refund-1234")
    action = {"action_id": asked["id"]}
    teller.call(agent, "projects_actions_list", **own)
    teller.call(agent, "actions_list")
    query = {"project": own["project_id"], "status": "pending"}
    request = teller.call(approver, "hitl_requests_list", query=query)["results"][0]
    decision = DECISION | {"subject_digest": request["subject_digest"]}
    teller.call(approver, "hitl_requests_decide", decision, request_id=request["id"])
    teller.call(agent, "actions_retrieve", **action)
    body = {"action_digest": asked["action_digest"]}
    fence = {"fence": teller.call(agent, "actions_claim", body, **action)["fence"]}
    teller.call(agent, "actions_heartbeat", fence, **action)
    outcome = fence | {"status": "succeeded", "result": {"refund": "r-9"}}
    teller.call(agent, "actions_outcome", outcome, **action)

    other = ask(teller, agent, own, CALL | {"effect": "refund:1235"}, "refund-1235")
    reason = {"reason": "The customer called back."}
    teller.call(agent, "actions_cancel", reason, action_id=other["id"])
    approval = StandingApproval.objects.create(
        project_id=own["project_id"],
        credential_id=credential["id"],
        agent_name="support",
        tool=CALL["tool"],
        bounds={"properties": {"amount": {"maximum": 50}}},
        uses_max=5,
        expires_at=Now(),
        given_by=Decision.objects.get(request=request["id"]).decided_by,
        decision=Decision.objects.get(request=request["id"]),
    )
    teller.call(owner, "projects_standing_approvals_list", **own)
    rule = {"standing_approval_id": approval.pk}
    teller.call(owner, "projects_standing_approvals_destroy", **own, **rule)
    revoked = {"credential_id": credential["id"]}
    teller.call(owner, "projects_credentials_destroy", **own, **revoked)
    teller.call(owner, "projects_complete", **own)


def ask(
    teller: Teller, agent: APIClient, own: dict[str, Any], call: dict[str, Any], key: str
) -> Any:
    headers = {"Idempotency-Key": key}
    return teller.call(agent, "projects_actions_ask", call, headers=headers, **own)


def tasks(teller: Teller, clients: dict[str, APIClient]) -> None:
    owner = clients["owner"]
    body = {
        "name": "Catalogue",
        "brief": "Compare two catalogues of books.",
        "oversight_level": "low",
        "agent_models": {"analyst": "external"},
    }
    own = {"project_id": teller.call(owner, "projects_create", body)["id"]}
    body = {
        "project": own["project_id"],
        "agent_type": "analyst",
        "instructions": "Compare two catalogues.",
    }
    task = {"task_id": teller.call(owner, "tasks_create", body)["id"]}
    teller.call(owner, "tasks_cancel", **task)
    teller.call(owner, "tasks_retry", **task)
    body = {"name": "robot", "scopes": ["work"]}
    credential = teller.call(owner, "projects_credentials_create", body, **own)
    worker = APIClient()
    worker.credentials(HTTP_AUTHORIZATION=f"Bearer {credential['token']}")
    come = {"agent_types": ["analyst"], "worker": "robot-1"}

    def claim() -> dict[str, Any]:
        Task.objects.filter(pk=task["task_id"]).update(run_after=Now())
        return {"fence": teller.call(worker, "work_claim", come)["fence"]}

    fence = claim()
    teller.call(worker, "work_heartbeat", fence | {"progress": "Half of it."}, **task)
    teller.call(worker, "work_release", fence, **task)
    failure = {"code": "rate_limited", "detail": "The provider is busy.", "transient": True}
    teller.call(worker, "work_fail", claim() | failure, **task)
    questions = {"questions": ["Which catalogues?"], "reason": "The brief names none."}
    teller.call(worker, "work_ask", claim() | questions, **task)
    advance_project(own["project_id"])
    request = waiting(teller, owner, own["project_id"])
    answer = {"action": "answer", "content": "Those of last year."}
    answer |= {"subject_digest": request["subject_digest"]}
    teller.call(owner, "hitl_requests_decide", answer, request_id=request["id"])
    usage = {"model": "mine", "calls": 2, "input_tokens": 1200, "output_tokens": 300}
    result = {"outputs": [OUTPUT], "usage": usage}
    teller.call(worker, "work_complete", claim() | result, **task)
    for name in (
        "retrieve",
        "context_list",
        "tool_uses_list",
        "workspace_list",
        "transcript_retrieve",
    ):
        teller.call(owner, f"tasks_{name}", **task)
    teller.call(owner, "tasks_list", query={"project": own["project_id"]})
    scope = {"project": own["project_id"], "reason": "It deletes what it should read."}
    stop = {"emergency_stop_id": teller.call(owner, "emergency_stop_create", scope)["id"]}
    teller.call(owner, "emergency_stop_create", scope)
    teller.call(owner, "emergency_stop_list", query={"project": own["project_id"]})
    teller.call(owner, "emergency_stop_retrieve", **stop)
    teller.call(owner, "emergency_stop_release", scope | {"reason": "It was a drill."})


def told(teller: Teller, owner: APIClient, own: dict[str, Any]) -> None:
    teller.call(owner, "notifications_preferences_retrieve")
    teller.call(owner, "notifications_preferences_update", {"digest_hour": 8})
    body = {"url": "https://example.org/paraph", "event_types": ["hitl_request_created"]}
    hook = {"webhook_id": teller.call(owner, "projects_webhooks_create", body, **own)["id"]}
    teller.call(owner, "projects_webhooks_list", **own)
    delivery = {"delivery_id": teller.call(owner, "projects_webhooks_test", **own, **hook)["id"]}
    for again, place in (("deliveries_send_again", delivery), ("send_again", {})):
        # As after a day in which it answered nothing.
        WebhookDelivery.objects.update(status=DeliveryStatus.DEAD, finished_at=Now())
        teller.call(owner, f"projects_webhooks_{again}", **own, **hook, **place)
    for name in ("rotate", "enable", "deliveries_list", "destroy"):
        teller.call(owner, f"projects_webhooks_{name}", **own, **hook)


def endpoints(teller: Teller, owner: APIClient, own: dict[str, Any]) -> None:
    body = {"speaks": "openai", "base_url": "https://models.example.org/v1", "api_key": "sk-1"}
    teller.call(owner, "projects_model_endpoints_create", {"name": "ours"} | body, **own)
    place = own | {"name": "ours"}
    teller.call(owner, "projects_model_endpoints_update", {"output": "schema"}, **place)
    teller.call(owner, "projects_model_endpoints_test", {"model": "large"}, **place)
    teller.call(owner, "projects_model_endpoints_list", **own)
    for name in ("retrieve", "destroy"):
        teller.call(owner, f"projects_model_endpoints_{name}", **place)


def agent_types(teller: Teller, staff: APIClient) -> None:
    body = {"name": "writer", "title": "Writer", "phase": "build", "instructions": "Write it."}
    teller.call(staff, "agent_types_create", body)
    own = {"agent_type": "writer"}
    teller.call(staff, "agent_types_update", {"max_turns": 5}, **own)
    for name in ("list", "retrieve", "destroy"):
        teller.call(staff, f"agent_types_{name}", **({} if name == "list" else own))


def workflows(teller: Teller, staff: APIClient) -> None:
    step = {"id": "notes", "title": "Notes", "phase": "plan", "agent": "analyst"}
    step |= {"creates": ["agent_output"], "instructions": "Take notes.", "gate": "result"}
    body = {"name": "notes", "version": 1, "title": "Notes", "steps": [step]}
    teller.call(staff, "workflows_create", body)
    teller.call(staff, "workflows_list")
    teller.call(staff, "workflows_retrieve", name="notes")


def artifacts(teller: Teller, clients: dict[str, APIClient], project: str) -> None:
    owner = clients["owner"]
    text = "FR-1: Members reserve a book.\n\n# Opening hours\n\nFrom nine to five."
    body = {
        "project": project,
        "artifact_type": "user_input",
        "title": "Wishes",
        "content": {"text": text},
    }
    artifact = {"artifact_id": teller.call(owner, "artifacts_create", body)["id"]}
    body = {"content": {"text": text.replace("nine", "ten")}, "comment": "As the librarians say."}
    teller.call(owner, "artifacts_versions_create", body, **artifact)
    form = {"project": project, "file": SimpleUploadedFile("rules.md", b"# Rules\n\nTwo weeks.")}
    teller.call(owner, "artifacts_upload", form=form)
    teller.call(owner, "artifacts_list", query={"project": project})
    teller.call(owner, "artifacts_versions_retrieve", number=1, **artifact)
    names = ("retrieve", "versions_list", "sections_list", "concepts_list", "lineage_retrieve")
    for name in (*names, "diff_retrieve"):
        teller.call(owner, f"artifacts_{name}", **artifact)
    teller.call(owner, "artifact_types_list")
    teller.call(owner, "search", query={"q": "reserve", "project": project})
    teller.call(owner, "projects_document_retrieve", query={"as": "markdown"}, project_id=project)


def log(teller: Teller, clients: dict[str, APIClient], project: str) -> None:
    owner = clients["owner"]
    make_checkpoint()
    event = Event.objects.filter(project=project).first()
    teller.call(owner, "audit_events_list", query={"project": project})
    teller.call(owner, "audit_events_retrieve", event_id=event.pk)
    teller.call(owner, "audit_events_proof_retrieve", event_id=event.pk)
    teller.call(owner, "audit_verify", query={"project": project})
    teller.call(owner, "audit_checkpoints_list")
    teller.call(owner, "audit_checkpoints_latest_retrieve")
    teller.call(owner, "audit_consistency_retrieve", query={"old": 1, "new": 2})
    teller.call(clients["staff"], "audit_installation_list")


def ends(teller: Teller, clients: dict[str, APIClient]) -> None:
    owner = clients["owner"]
    body = {"name": "Archive", "brief": "Keep old catalogues."}
    own = {"project_id": teller.call(owner, "projects_create", body)["id"]}
    finish(first_task(Project.objects.get(pk=own["project_id"])), work())
    step = {"step": "orchestrate", "comment": "Plan it anew."}
    teller.call(owner, "projects_rewind", step, **own)
    teller.call(owner, "projects_export", **own)
    archive = owner.get(f"/api/v1/projects/{own['project_id']}/export/").getvalue()
    form = {"file": SimpleUploadedFile("project.zip", archive), "name": "From elsewhere"}
    imported = teller.call(owner, "projects_import", form=form)
    teller.call(owner, "projects_origin_retrieve", project_id=imported["id"])
    teller.call(owner, "projects_cancel", {"reason": "No longer needed."}, **own)
    teller.call(owner, "projects_erase", {"reason": "Its time has passed."}, **own)
