"""Claude Agent SDK: its permission callback asks people.

It *prevents* with both `can_use_tool` and `hooks()`, as far as Claude Code keeps to them: the hook
sends every use of a tool to the callback, past rules that allow it. With `can_use_tool` alone it
*attributes*: what a rule allows is not asked.

    approvals = Approvals(run=conversation_id, effects={"mcp__shop__refund": "refund:{order}"})
    options = ClaudeAgentOptions(can_use_tool=approvals.can_use_tool, hooks=approvals.hooks())

Claude Code asks about one call of a batch after the other. `await approvals.foresee(message)` with
each message of the session asks about all of them as soon as the model has made them.

It asks the model again when a session is resumed, which makes new ids of the calls: what is to be
the same question then has an effect.
"""

import asyncio
import contextlib
import logging
import re
from dataclasses import dataclass, field
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    HookMatcher,
    PermissionResultAllow,
    PermissionResultDeny,
    ToolPermissionContext,
    ToolUseBlock,
)

from paraph.actions import ClaimState, State
from paraph.adapters.calls import Call, Desk
from paraph.canonical import call_digest
from paraph.client import AsyncClient
from paraph.errors import ParaphError
from paraph.gated import default_async_client, reported

logger = logging.getLogger("paraph")


@dataclass
class Approvals(Desk):
    framework: str = "claude-agent-sdk"
    client: AsyncClient | None = field(default=None, repr=False)
    #: A regular expression of tools; None for all.
    tools: str | None = None
    _running: dict[str, tuple[ClaimState, asyncio.Task[None]]] = field(
        default_factory=dict, repr=False
    )

    def options(self, call: Call) -> dict[str, Any]:
        options = super().options(call)
        if effect := options.get("effect"):
            digest = call_digest(self.tool(call.name), call.arguments)
            options["key"] = f"{self.framework}:{self.run}:{effect}:{digest}"[:255]
        return options

    async def foresee(self, message: Any) -> None:
        """Ask about the calls of a message at once; `can_use_tool` waits for the answers."""
        if not isinstance(message, AssistantMessage):
            return
        client = self.client or default_async_client()
        for block in message.content:
            if isinstance(block, ToolUseBlock) and re.fullmatch(self.tools or ".*", block.name):
                call = Call(block.name, block.input, block.id)
                options: Any = self.options(call)
                # What goes wrong here, the callback tells the model.
                with contextlib.suppress(ParaphError):
                    await client.run(
                        client.operations.ask(call.name, call.arguments, None, options)
                    )

    async def can_use_tool(
        self, name: str, arguments: dict[str, Any], context: ToolPermissionContext
    ) -> PermissionResultAllow | PermissionResultDeny:
        """Ask people, wait, and claim. Whatever goes wrong, the tool is not used."""
        use = context.tool_use_id or ""
        try:
            return await self._decide(Call(name, arguments, use))
        except ParaphError as error:
            return PermissionResultDeny(message=str(error))
        except Exception as error:
            logger.exception("No approval of %s", name)
            return PermissionResultDeny(message=f"Nobody could be asked: {error}")

    async def _decide(self, call: Call) -> PermissionResultAllow | PermissionResultDeny:
        client = self.client or default_async_client()
        (verdict,) = await client.run(self.verdicts(client.operations, [call]))
        if not verdict.is_approved:
            return PermissionResultDeny(message=verdict.message)
        state = await client.run(client.operations.read(State({"id": verdict.action})))
        if state.status != "approved":
            detail = f"An earlier run has begun it: the action is {state.status}."
            return PermissionResultDeny(message=detail)
        claim = await client.run(client.operations.claim(state))
        beating = asyncio.create_task(self._keep(client, claim))
        self._running[call.id] = (claim, beating)
        return PermissionResultAllow(updated_input=claim.arguments)

    async def _keep(self, client: AsyncClient, claim: ClaimState) -> None:
        while True:
            await asyncio.sleep(claim.every)
            with contextlib.suppress(ParaphError):
                await client.run(client.operations.renew(claim))

    def hooks(self) -> dict[Any, list[HookMatcher]]:
        """Every use is asked about, and how it ended is reported."""
        return {
            "PreToolUse": [HookMatcher(self.tools, [self._before])],
            "PostToolUse": [HookMatcher(self.tools, [self._after])],
            "PostToolUseFailure": [HookMatcher(self.tools, [self._after])],
        }

    async def _before(self, given: Any, use: str | None, context: Any) -> Any:
        # At once, so that no time-out of a hook lets it through: the callback is what waits.
        output = {"hookEventName": "PreToolUse", "permissionDecision": "ask"}
        return {"hookSpecificOutput": output}

    async def _after(self, given: Any, use: str | None, context: Any) -> Any:
        claim, beating = self._running.pop(given.get("tool_use_id") or use or "", (None, None))
        if claim is None or beating is None:
            return {}
        beating.cancel()
        client = self.client or default_async_client()
        if given["hook_event_name"] == "PostToolUse":
            await client.run(reported(client.operations, claim, "succeeded", None, ""))
        else:
            # How far a tool came that failed is not known here.
            said = str(given.get("error", ""))
            await client.run(reported(client.operations, claim, "unknown", None, said))
        return {}
