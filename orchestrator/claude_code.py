"""`/hooks/claude-code/`: HTTP hooks of Claude Code. A tool is used only with a person's yes.

Claude Code takes an answer that is no decision for none, and goes on. So whatever goes wrong before
the use of a tool is answered as a decision, too: no.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from audit.stream.queries import in_database
from audit.stream.waits import disconnected
from core.errors import DomainError
from core.log_fields import note
from hitl.agent_actions.digests import call_digest, parse_exactly
from hitl.enums import ActionStatus
from hitl.models import AgentAction
from orchestrator.mcp.endpoint import admit
from orchestrator.mcp.rest import Agent
from projects.models import AgentCredential

logger = logging.getLogger(__name__)

PATHS = ("/hooks/claude-code", "/hooks/claude-code/")
FRAMEWORK, SERVER = "claude-code", "claude-code"
#: Shorter than what proxies let a request take.
WAIT_SECONDS, WAIT_MAX = 50, 24 * 3600
BEFORE = "PreToolUse"
AFTER = {"PostToolUse": ActionStatus.SUCCEEDED, "PostToolUseFailure": ActionStatus.UNKNOWN}
OPEN = (ActionStatus.PENDING, ActionStatus.APPROVED)


class ClaudeCodeHook:
    """ASGI, around what answers the REST API, and inside of the limit of bodies."""

    def __init__(self, rest: Callable[..., Awaitable[None]]) -> None:
        self.rest = rest

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        if scope["path"] not in PATHS:
            await self.rest(scope, receive, send)
            return
        note(route="hooks/claude-code/")

        refusal: list[dict[str, Any]] = []

        async def keep(message: dict[str, Any]) -> None:
            refusal.append(message)

        admitted = await admit(scope, receive, keep)
        if admitted is None:
            if scope["method"] == "POST" and refusal:
                said = b"".join(message.get("body", b"") for message in refusal)
                refusal = answer_of(denied(json.loads(said)["detail"]))
            for message in refusal:
                await send(message)
            return
        credential, body = admitted
        agent = Agent(credential, self.rest, scope)

        async def note_who_leaves() -> None:
            await disconnected(receive)
            agent.is_gone = True

        leaving = asyncio.create_task(note_who_leaves())
        try:
            decision = await self._decide(agent, body, wait_in(scope))
        finally:
            leaving.cancel()
        for message in answer_of(decision):
            await send(message)

    async def _decide(self, agent: Agent, body: bytes, seconds: float) -> dict[str, Any]:
        try:
            call = parse_exactly(body)
            event = call["hook_event_name"]
            if event == BEFORE:
                return await before(agent, call, seconds)
            if event in AFTER:
                await after(agent, call, AFTER[event])
            return {}
        except DomainError as error:
            return denied(f"{error.code}: {error.detail}")
        except (KeyError, TypeError, AttributeError) as error:
            return denied(f"This is no event of a hook: {type(error).__name__} {error}.")
        except Exception as error:
            logger.exception("a hook has failed")
            return denied(f"{type(error).__name__}: the server's log says why.")


async def before(agent: Agent, call: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Ask, wait, claim: the use is allowed with exactly what was approved, or denied."""
    credential, tool = agent.credential, {"name": call["tool_name"], "server": SERVER}
    session, arguments = str(call["session_id"])[:100], call["tool_input"]
    key = key_of(call)
    known = await in_database(open_action, credential, session, call_digest(tool, arguments))
    if known is None:
        body = {
            "tool": tool,
            "arguments": arguments,
            "agent": {
                "name": credential.name[:200],
                "run": session,
                "call": str(call["tool_use_id"])[:200],
                "framework": FRAMEWORK,
            },
        }
        asked = await agent.post(f"projects/{credential.project_id}/actions/", body, key=key)
        if asked.is_error:
            return denied(words_of(asked.data))
        known = asked.data["id"]
    found = await agent.wait_for_decision(known, seconds)
    if found.is_error:
        return denied(words_of(found.data))
    action = found.data
    if action["status"] == ActionStatus.PENDING:
        review = action["links"]["review"]
        return denied(
            f"Nobody has decided yet; people see it at {review}. Use the tool again in just the "
            "same way to go on waiting."
        )
    if action["status"] != ActionStatus.APPROVED:
        decision = action["decision"] or {}
        comment = decision.get("comment") or json.dumps(action["answer"] or "")
        return denied(f"It was {action['status']}: {comment}")
    if agent.is_gone:
        # What is granted to somebody who has hung up would be lost.
        return denied("You have hung up.")
    digest = {"action_digest": action["action_digest"]}
    claim = await agent.post(f"actions/{known}/claim/", digest, key=key)
    if claim.is_error:
        return denied(words_of(claim.data))
    return decision_of("allow", f"Approved: {known}", updatedInput=claim.data["arguments"])


async def after(agent: Agent, call: dict[str, Any], status: ActionStatus) -> None:
    """How it ended. Of a tool that failed nobody knows how far it came."""
    claimed = await in_database(claimed_action, agent.credential, key_of(call))
    if claimed is None:
        return
    action_id, fence = claimed
    body: dict[str, Any] = {"fence": fence, "status": str(status)}
    if status == ActionStatus.UNKNOWN:
        body["error"] = str(call.get("error", ""))[:2000]
    reported = await agent.post(f"actions/{action_id}/outcome/", body)
    if reported.is_error:
        logger.warning("an outcome was refused", extra={"action": str(action_id)})


def open_action(credential: AgentCredential, session: str, digest: str) -> str | None:
    """What the same session has asked before, and is waiting for still."""
    actions = AgentAction.objects.filter(
        project=credential.project_id,
        credential=credential,
        call_digest=digest,
        status__in=OPEN,
        agent__run=session,
        agent__framework=FRAMEWORK,
    )
    found = actions.order_by("created_at").values_list("pk", flat=True).first()
    return str(found) if found else None


def claimed_action(credential: AgentCredential, key: str) -> tuple[Any, int] | None:
    claimed = AgentAction.objects.filter(
        project=credential.project_id, credential=credential, claim_key=key, fence__gt=0
    )
    return claimed.values_list("pk", "fence").first()


def key_of(call: dict[str, Any]) -> str:
    """Of one use of a tool: a question, a claim and its end belong together by it."""
    text = f"claude-code:{call['session_id']}:{call['tool_use_id']}"
    return "".join(letter if "!" <= letter <= "~" else "_" for letter in text)[:255]


def words_of(problem: dict[str, Any]) -> str:
    fields = "; ".join(f"{e['field']}: {e['detail']}" for e in problem.get("errors") or ())
    return f"{problem['code']}: {fields or problem['detail']}"


def denied(reason: str) -> dict[str, Any]:
    return decision_of("deny", reason)


def decision_of(decision: str, reason: str, **more: Any) -> dict[str, Any]:
    output = {
        "hookEventName": BEFORE,
        "permissionDecision": decision,
        "permissionDecisionReason": f"Paraph: {reason}",
    }
    return {"hookSpecificOutput": output | more}


def wait_in(scope: dict[str, Any]) -> float:
    (text, *_) = parse_qs(scope["query_string"].decode("latin-1")).get("wait", [""])
    return min(int(text), WAIT_MAX) if text.isascii() and text.isdecimal() else WAIT_SECONDS


def answer_of(data: dict[str, Any]) -> list[dict[str, Any]]:
    body = json.dumps(data).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return [
        {"type": "http.response.start", "status": 200, "headers": headers},
        {"type": "http.response.body", "body": body},
    ]
