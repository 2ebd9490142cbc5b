"""OpenAI Agents SDK: interruptions of a run that people decide, over its `RunState`.

It *prevents*: a tool of `gate()` runs only with a claim, whatever else approves it in the state.

    approvals = Approvals(run=conversation_id, effects={"refund": "refund:{order}"})
    agent = Agent(name="support", tools=[approvals.gate(refund)])
    result = await Runner.run(agent, "Refund order 1234.")
    while result.interruptions:
        state = result.to_state()             # state.to_string() survives a restart
        await approvals.decide(state)
        result = await Runner.run(agent, state)
"""

import json
from dataclasses import dataclass, field, replace
from typing import Any

from agents.items import ToolApprovalItem
from agents.run_state import RunState
from agents.tool_context import ToolContext

from agents import FunctionTool
from paraph.adapters.calls import Call, Desk
from paraph.client import AsyncClient
from paraph.errors import NotExecuted
from paraph.gated import default_async_client


@dataclass
class Approvals(Desk):
    framework: str = "openai-agents"
    client: AsyncClient | None = field(default=None, repr=False)

    async def decide(self, state: RunState[Any, Any]) -> None:
        """Ask people about all interruptions of the state, wait, and write down what they said."""
        client = self.client or default_async_client()
        items = list(state.get_interruptions())
        calls = [_call_of(item) for item in items]
        verdicts = await client.run(self.verdicts(client.operations, calls))
        for item, verdict in zip(items, verdicts, strict=True):
            if verdict.is_approved:
                # With other arguments, too: the tool is handed those that were approved.
                state.approve(item)
            else:
                state.reject(item, rejection_message=verdict.message)

    def gate(self, tool: FunctionTool) -> FunctionTool:
        """The tool, which interrupts the run, and runs only with a claim."""

        async def invoke(context: ToolContext[Any], text: str) -> Any:
            call = Call(tool.name, json.loads(text or "{}"), context.tool_call_id)

            async def run(arguments: dict[str, Any]) -> Any:
                return await tool.on_invoke_tool(context, json.dumps(arguments))

            client = self.client or default_async_client()
            try:
                return await client.run(self.execute(client.operations, call, run))
            except NotExecuted as error:
                return str(error)

        return replace(tool, on_invoke_tool=invoke, needs_approval=True)


def _call_of(item: ToolApprovalItem) -> Call:
    raw: Any = item.raw_item
    values = raw if isinstance(raw, dict) else raw.model_dump()
    arguments = values.get("arguments") or "{}"
    call_id = values.get("call_id") or values.get("id") or ""
    return Call(item.tool_name or "", json.loads(arguments), call_id)
