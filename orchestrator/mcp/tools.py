"""The tools: what an agent may ask for, each by the operations of the REST API that do it."""

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mcp_types import CallToolResult, Tool, ToolAnnotations

from audit.stream.waits import WAIT_MAX_SECONDS
from core.idempotency import KEY
from core.problems import problem
from hitl.agent_actions.asks import MAY_BE_ALLOWED
from hitl.agent_actions.claims import OUTCOMES
from hitl.enums import ActionStatus, OnExpiry
from orchestrator.mcp.rest import Agent
from orchestrator.mcp.results import (
    DENIED,
    UNKNOWN,
    result_of_action,
    result_of_error,
    result_of_reading,
)
from projects.enums import CredentialScope

INTEGER_MAX = 2**31 - 1
TYPES = {"string": str, "integer": int, "object": dict, "array": list}

ID = {
    "type": "string",
    "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "description": "An id, as other tools return it.",
}
PERSISTENT = (
    " 1 to 255 visible ASCII characters: the same for each try of the same call, a new one for "
    "each new call."
)
TEXT = {"type": "string"}
HINT = {"type": "boolean"}


def object_of(*required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [*required],
        "additionalProperties": False,
    }


def described(description: str, **rule: Any) -> dict[str, Any]:
    return rule | {"description": description}


@dataclass(frozen=True)
class AgentTool:
    description: Tool
    scope: CredentialScope
    run: Callable[[Agent, dict[str, Any]], Awaitable[CallToolResult]]
    #: What is known of the call in question where it is refused; empty for reading.
    outcome_of_refusal: str

    async def call(self, agent: Agent, arguments: dict[str, Any]) -> CallToolResult:
        rules = self.description.input_schema["properties"]
        # Models send null for what they leave out; only a JSON value of any type may mean it.
        arguments = {
            name: value
            for name, value in arguments.items()
            if value is not None or name not in rules or "type" not in rules[name]
        }
        if errors := list(faults_of(arguments, self.description.input_schema)):
            detail = "; ".join(f"{error['field']}: {error['detail']}" for error in errors[:3])
            refusal = problem(400, "invalid", detail, errors)
            return result_of_error(refusal, self.outcome_of_refusal)
        return await self.run(agent, arguments)


TOOLS: dict[str, AgentTool] = {}


def tool(
    scope: CredentialScope,
    schema: dict[str, Any],
    *,
    title: str,
    outcome_of_refusal: str = "",
    **hints: bool,
) -> Callable:
    def register(run: Callable) -> Callable:
        description = Tool(
            name=run.__name__,
            title=title,
            description=" ".join(run.__doc__.split()),
            input_schema=schema,
            annotations=ToolAnnotations(
                **{"destructive_hint": False, "open_world_hint": False} | hints
            ),
        )
        TOOLS[run.__name__] = AgentTool(description, scope, run, outcome_of_refusal)
        return run

    return register


@tool(
    CredentialScope.ASK,
    object_of(
        *("tool", "arguments", "agent", "idempotency_key"),
        tool=described(
            "The tool that is about to be called.",
            **object_of("name", name=TEXT, server=TEXT, schema_digest=TEXT),
        ),
        arguments=described("All arguments of that call, complete.", type="object"),
        agent=described(
            "Who calls it.",
            **object_of("name", name=TEXT, run=TEXT, call=TEXT, framework=TEXT),
        ),
        idempotency_key=described("Makes a repeat safe." + PERSISTENT, type="string"),
        subject=described(
            "For whom the agent acts.", **object_of("type", "id", type=TEXT, id=TEXT)
        ),
        effect=described(
            "What must happen at most once in the project, as `refund:1234`.", type="string"
        ),
        why=described("Why it should be done. People see it as your claim.", type="string"),
        hints=described(
            "Of the tool. They raise the care that is asked for, and never lower it.",
            **object_of(
                readOnlyHint=HINT, destructiveHint=HINT, idempotentHint=HINT, openWorldHint=HINT
            ),
        ),
        allowed=described(
            "What people may decide. They can always reject.",
            type="array",
            items={"enum": [*MAY_BE_ALLOWED]},
        ),
        edit_schema=described("JSON Schema for changed arguments.", type="object"),
        response_schema=described(
            "JSON Schema of an answer that people may give instead.", type="object"
        ),
        precondition=described(
            "Any JSON: a fingerprint of what is outside, compared at the claim."
        ),
        based_on=described(
            "Versions of artifacts that the call rests on.",
            type="array",
            items=object_of("artifact", "version", artifact=ID, version={"type": "integer"}),
        ),
        expires_at=described("Until when the question makes sense (ISO 8601).", type="string"),
        on_expiry=described("What time means.", type="string", enum=[*OnExpiry.values]),
        continuation=described("Yours alone, opaque, at most 1 MiB.", type="string"),
    ),
    title="Ask people to approve a call",
    outcome_of_refusal=DENIED,
    idempotent_hint=True,
)
async def request_approval(agent: Agent, arguments: dict[str, Any]) -> CallToolResult:
    """Ask people to approve a tool call before it is made. Returns at once, mostly with status
    `pending`. Then call wait_for_approval with the `action_id`. Never make the call on the strength
    of this answer: only wait_for_approval says that it may run. The same idempotency_key with the
    same call is the same question."""
    body = {name: value for name, value in arguments.items() if name != "idempotency_key"}
    path = f"projects/{agent.credential.project_id}/actions/"
    answer = await agent.post(path, body, key=arguments["idempotency_key"])
    return (
        result_of_error(answer.data, DENIED) if answer.is_error else result_of_action(answer.data)
    )


@tool(
    CredentialScope.ASK,
    object_of(
        "action_id",
        action_id=ID,
        wait_seconds=described(
            "How long to wait for people, at most; 50 where left out.",
            type="integer",
            minimum=0,
            maximum=WAIT_MAX_SECONDS,
        ),
        action_digest=described(
            "That of request_approval: the answer then says whether people changed the arguments.",
            type="string",
        ),
        precondition=described("As it is now; needed where one was named in request_approval."),
        claim_key=described(
            "Repeats the permission where its answer was lost, as long as it holds." + PERSISTENT,
            type="string",
        ),
    ),
    title="Wait for the decision, and take the permission",
    outcome_of_refusal=DENIED,
)
async def wait_for_approval(agent: Agent, arguments: dict[str, Any]) -> CallToolResult:
    """Wait until people have decided, up to 50 s. `pending`: call it again with the same
    action_id, as often as needed. `may_run` true: the permission is yours, once; make the call now,
    with exactly the `arguments` of this answer, and then call report_outcome with the `fence`. In
    any other case the call must not be made."""
    action_id = arguments["action_id"]
    seconds = arguments.get("wait_seconds", WAIT_MAX_SECONDS)
    answer = await agent.wait_for_decision(action_id, seconds)
    if answer.is_error:
        return result_of_error(answer.data, DENIED)
    action, key = answer.data, arguments.get("claim_key", "")
    is_approved = action["status"] == ActionStatus.APPROVED
    is_repeat = action["status"] == ActionStatus.EXECUTING and key != ""
    # What is granted to somebody who has hung up would be lost.
    if agent.is_gone or not (is_approved or is_repeat):
        return result_of_action(action)
    body = {"action_digest": action["action_digest"]}
    if "precondition" in arguments:
        body["precondition"] = arguments["precondition"]
    claim = await agent.post(f"actions/{action_id}/claim/", body, key=key)
    if not claim.is_error:
        return result_of_action(action, claim=claim.data, asked=arguments.get("action_digest"))
    now = await agent.get(f"actions/{action_id}/")
    return result_of_action(action if now.is_error else now.data, refusal=claim.data)


@tool(
    CredentialScope.ASK,
    object_of(
        *("action_id", "fence", "status"),
        action_id=ID,
        fence=described("That of wait_for_approval.", type="integer", minimum=1),
        status=described(
            "`not_executed` only where it certainly did not happen; `unknown` if you cannot tell.",
            type="string",
            enum=[status.value for status in OUTCOMES],
        ),
        result=described("Any JSON: what the call returned."),
        error=described("What went wrong.", type="string"),
    ),
    title="Report how the call ended",
    outcome_of_refusal=UNKNOWN,
    idempotent_hint=True,
)
async def report_outcome(agent: Agent, arguments: dict[str, Any]) -> CallToolResult:
    """Say how the approved call ended, as soon as it has. Without a report people are asked whether
    it happened. The same report again is harmless."""
    body = {name: value for name, value in arguments.items() if name != "action_id"}
    answer = await agent.post(f"actions/{arguments['action_id']}/outcome/", body)
    return (
        result_of_error(answer.data, UNKNOWN) if answer.is_error else result_of_action(answer.data)
    )


@tool(
    CredentialScope.READ,
    object_of(
        q=described("Words in title, step or content, in any form.", type="string"),
        artifact_type=TEXT,
        source_agent=TEXT,
        granularity=TEXT,
        page=described("From 1.", type="integer", minimum=1),
        page_size=described("At most 100.", type="integer", minimum=1, maximum=100),
    ),
    title="List the artifacts of the project",
    read_only_hint=True,
)
async def list_artifacts(agent: Agent, arguments: dict[str, Any]) -> CallToolResult:
    """The artifacts of the project, newest first, without their content."""
    answer = await agent.get("artifacts/", project=agent.credential.project_id, **arguments)
    return result_of_error(answer.data) if answer.is_error else result_of_reading(answer.data)


@tool(
    CredentialScope.READ,
    object_of(
        "artifact_id",
        artifact_id=ID,
        version=described("The last one where left out.", type="integer", minimum=1),
    ),
    title="Read an artifact",
    read_only_hint=True,
)
async def read_artifact(agent: Agent, arguments: dict[str, Any]) -> CallToolResult:
    """An artifact of the project with its content."""
    path = f"artifacts/{arguments['artifact_id']}/"
    if "version" in arguments:
        path += f"versions/{arguments['version']}/"
    answer = await agent.get(path)
    return result_of_error(answer.data) if answer.is_error else result_of_reading(answer.data)


def faults_of(arguments: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Of the tool's own fields; what is inside of them is looked at by the REST API."""
    rules = schema["properties"]
    for name in sorted(set(arguments) - set(rules)):
        known = ", ".join(sorted(rules))
        yield fault(name[:100], "unknown_field", f"Unknown field. Known fields: {known}.")
    for name in schema["required"]:
        if name not in arguments:
            yield fault(name, "required", "This field is required.")
    for name in sorted(set(arguments) & set(rules)):
        value, rule = arguments[name], rules[name]
        kind = rule.get("type")
        if kind and (not isinstance(value, TYPES[kind]) or isinstance(value, bool)):
            yield fault(name, "invalid", f"Send JSON of the type {kind}.")
        elif "pattern" in rule and not re.fullmatch(rule["pattern"], value):
            yield fault(name, "invalid", "Send an id, as other tools return it.")
        elif "enum" in rule and value not in rule["enum"]:
            yield fault(name, "invalid_choice", f"Send one of {', '.join(rule['enum'])}.")
        elif name in ("idempotency_key", "claim_key") and not KEY.fullmatch(value):
            yield fault(name, "invalid", f"Send{PERSISTENT}")
        elif kind == "integer" and not least(rule) <= value <= most(rule):
            detail = f"Send a whole number from {least(rule)} to {most(rule)}."
            yield fault(name, "out_of_range", detail)


def least(rule: dict[str, Any]) -> int:
    return rule.get("minimum", -INTEGER_MAX)


def most(rule: dict[str, Any]) -> int:
    return rule.get("maximum", INTEGER_MAX)


def fault(field: str, code: str, detail: str) -> dict[str, str]:
    return {"field": field, "code": code, "detail": detail}
