"""pydantic-ai: deferred tools that people approve. It *prevents*: a tool of `gate()` runs only with
a claim, whatever else says that it is approved.

    approvals = Approvals(run="conversation-1", effects={"refund": "refund:{order}"})
    agent = Agent(model, toolsets=[approvals.gate(FunctionToolset([refund]))],
                  output_type=[str, DeferredToolRequests])
    result = await agent.run("Refund order 1234.")
    while isinstance(result.output, DeferredToolRequests):
        results = await approvals.decide(result.output)
        result = await agent.run(message_history=result.all_messages(),
                                 deferred_tool_results=results)

Or without the loop: `Agent(model, toolsets=[...], capabilities=[approvals.inline()])`.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.capabilities import HandleDeferredToolCalls
from pydantic_ai.exceptions import ApprovalRequired
from pydantic_ai.tools import (
    DeferredToolRequests,
    DeferredToolResults,
    ToolApproved,
    ToolDenied,
)
from pydantic_ai.toolsets import AbstractToolset, WrapperToolset
from pydantic_ai.toolsets.abstract import ToolsetTool

from paraph.adapters.calls import Call, Desk
from paraph.client import AsyncClient
from paraph.errors import NotExecuted
from paraph.gated import default_async_client

ACTION = "paraph_action"


@dataclass
class Approvals(Desk):
    framework: str = "pydantic-ai"
    client: AsyncClient | None = field(default=None, repr=False)

    async def decide(self, requests: DeferredToolRequests) -> DeferredToolResults:
        """Ask people about all calls that need approval, and wait for each."""
        client = self.client or default_async_client()
        calls = [
            Call(part.tool_name, part.args_as_dict(), part.tool_call_id)
            for part in requests.approvals
        ]
        results = DeferredToolResults()
        for verdict in await client.run(self.verdicts(client.operations, calls)):
            call_id = verdict.call.id
            if not verdict.is_approved:
                results.approvals[call_id] = ToolDenied(verdict.message)
                continue
            changed = verdict.arguments if verdict.is_amended else None
            results.approvals[call_id] = ToolApproved(override_args=changed)
            results.metadata[call_id] = {ACTION: verdict.action}
        return results

    def gate(self, toolset: AbstractToolset[Any]) -> "GatedToolset":
        """Every tool of it asks before it runs."""
        return GatedToolset(toolset, self)

    def inline(self) -> HandleDeferredToolCalls[Any]:
        """Wait within the run, in place of ending it with the requests."""

        async def handler(
            context: RunContext[Any], requests: DeferredToolRequests
        ) -> DeferredToolResults:
            return await self.decide(requests)

        return HandleDeferredToolCalls(handler=handler)


@dataclass
class GatedToolset(WrapperToolset[Any]):
    approvals: Approvals

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        if not ctx.tool_call_approved:
            raise ApprovalRequired
        metadata = ctx.tool_call_metadata
        action = metadata.get(ACTION, "") if isinstance(metadata, dict) else ""
        call = Call(name, tool_args, ctx.tool_call_id or "")

        async def run(arguments: dict[str, Any]) -> Any:
            values = tool.args_validator.validate_json(json.dumps(arguments))
            if values != tool_args:
                detail = "It was not executed: the arguments are not those that were approved."
                raise NotExecuted(detail, reason="other_arguments")
            return await WrapperToolset.call_tool(self, name, values, ctx, tool)

        client = self.approvals.client or default_async_client()
        try:
            return await client.run(self.approvals.execute(client.operations, call, run, action))
        except NotExecuted as error:
            return str(error)
