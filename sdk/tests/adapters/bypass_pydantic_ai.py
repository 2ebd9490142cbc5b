"""Somebody approves in the framework alone."""

import asyncio

from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, FunctionToolset
from pydantic_ai.models.function import FunctionModel
from with_pydantic_ai import fake_model, refund

from paraph.adapters.pydantic_ai import Approvals


async def main():
    approvals = Approvals(run="bypass")
    toolset = approvals.gate(FunctionToolset([refund]))
    agent = Agent(
        FunctionModel(fake_model), toolsets=[toolset], output_type=[str, DeferredToolRequests]
    )
    result = await agent.run("Refund.")
    calls = result.output.approvals
    results = DeferredToolResults(approvals={part.tool_call_id: True for part in calls})
    history = result.all_messages()
    print((await agent.run(message_history=history, deferred_tool_results=results)).output)


asyncio.run(main())
