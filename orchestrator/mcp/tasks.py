"""The extension for tasks: a client that knows it waits for people without holding a request open.

Waiting for somebody else is `working`. A task is nothing but its action: what the call had said is
in its id, signed and bound to the credential, so that each process knows it, after a restart too.
"""

import secrets
from typing import Any

from django.core import signing
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, CallToolResult, RequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from hitl.enums import ActionStatus
from orchestrator.mcp.rest import Agent, Answer, agent_of
from orchestrator.mcp.tools import TOOLS

EXTENSION = "io.modelcontextprotocol/tasks"
SALT = "paraph.mcp.task"
# It goes into a header; a longer call is waited for as without tasks.
ID_MAX = 4_000
POLL_MILLISECONDS = 5_000
WAITING = "Waiting for people to decide."


class TaskParams(RequestParams):
    task_id: str


class TaskAnswers(TaskParams):
    input_responses: dict[str, Any] = {}


def serve_tasks(server: Server) -> None:
    server.extensions[EXTENSION] = {}

    async def get(context: Any, params: TaskParams) -> dict[str, Any]:
        agent = agent_of(context)
        return await state_of(agent, params.task_id, call_of(agent, params.task_id))

    async def update(context: Any, params: TaskAnswers) -> dict[str, Any]:
        """Nothing is ever asked of the client, so there is nothing to take."""
        call_of(agent_of(context), params.task_id)
        return {}

    async def cancel(context: Any, params: TaskParams) -> dict[str, Any]:
        """Who asked no longer wants it. What was claimed already goes on."""
        agent = agent_of(context)
        call = call_of(agent, params.task_id)
        reason = {"reason": "the client has cancelled its task"}
        await agent.post(f"actions/{call['action_id']}/cancel/", reason)
        return {}

    server.add_request_handler("tasks/get", TaskParams, get)
    server.add_request_handler("tasks/update", TaskAnswers, update)
    server.add_request_handler("tasks/cancel", TaskParams, cancel)


def knows_tasks(context: Any) -> bool:
    """Whether the client has said so in this very request."""
    capabilities = context.session.client_capabilities
    is_modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
    return is_modern and EXTENSION in ((capabilities and capabilities.extensions) or {})


async def task_instead_of(
    agent: Agent, arguments: dict[str, Any]
) -> CallToolResult | dict[str, Any]:
    """Of `wait_for_approval`: what it answers at once, and a task where people have to decide."""
    wait = TOOLS["wait_for_approval"]
    result = await wait.call(agent, arguments | {"wait_seconds": 0})
    if (result.structured_content or {}).get("status") != ActionStatus.PENDING:
        return result
    # By its key a permission is handed out again whose answer was lost.
    key = arguments.get("claim_key") or secrets.token_urlsafe(16)
    call = arguments | {"wait_seconds": 0, "claim_key": key}
    task_id = signing.dumps([str(agent.credential.pk), call], salt=SALT, compress=True)
    answer = await agent.get(f"actions/{call['action_id']}/")
    if answer.is_error or len(task_id) > ID_MAX:
        return await wait.call(agent, arguments)
    return {"resultType": "task"} | task(task_id, answer, "working", WAITING)


def call_of(agent: Agent, task_id: str) -> dict[str, Any]:
    """The arguments of the call that it stands for. Raises MCPError."""
    try:
        credential, call = signing.loads(task_id, salt=SALT)
    except signing.BadSignature:
        credential = call = None
    if credential != str(agent.credential.pk):
        raise MCPError(INVALID_PARAMS, "There is no such task.")
    return call


async def state_of(agent: Agent, task_id: str, call: dict[str, Any]) -> dict[str, Any]:
    answer = await agent.get(f"actions/{call['action_id']}/")
    if answer.is_error:
        code = INTERNAL_ERROR if is_busy(answer.status) else INVALID_PARAMS
        raise MCPError(code, answer.data["detail"], {"code": answer.data["code"]})
    match answer.data["status"]:
        case ActionStatus.PENDING:
            return task(task_id, answer, "working", WAITING)
        case ActionStatus.CANCELLED:
            return task(task_id, answer, "cancelled")
    result = await TOOLS["wait_for_approval"].call(agent, call)
    if (reason := passing_reason(result)) is not None:
        return task(task_id, answer, "working", reason)
    whole = result.model_dump(by_alias=True, exclude_none=True, mode="json")
    return task(task_id, answer, "completed") | {"result": whole}


def passing_reason(result: CallToolResult) -> str | None:
    """Why it cannot be said yet: while all is stopped, or the database is away."""
    data = result.structured_content or {}
    refusal = data.get("refusal", data if result.is_error else {})
    is_passing = is_busy(refusal.get("status")) or refusal.get("next_action") == "retry"
    return refusal["detail"] if is_passing else None


def is_busy(status: Any) -> bool:
    return isinstance(status, int) and (status == 429 or status >= 500)


def task(task_id: str, answer: Answer, status: str, message: str = "") -> dict[str, Any]:
    action = answer.data
    changed = action["finished_at"] or action["claimed_at"] or action["approved_at"]
    facts = {
        "taskId": task_id,
        "status": status,
        "createdAt": action["created_at"],
        "lastUpdatedAt": changed or action["created_at"],
        # It lives as long as its action.
        "ttlMs": None,
        "pollIntervalMs": POLL_MILLISECONDS,
    }
    return facts | ({"statusMessage": message} if message else {})
