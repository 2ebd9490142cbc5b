"""A pydantic-ai agent whose refunds people approve. It prevents: without a claim nothing runs.

Kill it while it waits and start it again, here or elsewhere: the questions are the same ones.
Needs paraph and pydantic-ai-slim, and PARAPH_URL, PARAPH_TOKEN, PARAPH_PROJECT, PARAPH_AGENT.
"""

import asyncio
import sys
from pathlib import Path

from pydantic_ai import Agent, DeferredToolRequests, FunctionToolset
from pydantic_ai.messages import (
    ModelMessagesTypeAdapter,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models.function import FunctionModel

from paraph.adapters.pydantic_ai import Approvals


def refund(order: str, amount: float) -> str:
    print(f"refunded {amount:g} for {order}", flush=True)
    return f"{order} is refunded"


def fake_model(messages, info):
    """Three calls in one batch, then what came of them. Put your own model in its place."""
    said = [part for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
    if said:
        return ModelResponse([TextPart("; ".join(str(part.content) for part in said))])
    return ModelResponse(
        [
            ToolCallPart("refund", {"order": order, "amount": 10.0}, f"call-{order}")
            for order in ("1", "2", "3")
        ]
    )


async def main(state: Path) -> None:
    approvals = Approvals(run=state.stem, effects={"refund": "refund:{order}"})
    agent = Agent(
        FunctionModel(fake_model),
        toolsets=[approvals.gate(FunctionToolset([refund]))],
        output_type=[str, DeferredToolRequests],
    )
    if state.exists():
        history = ModelMessagesTypeAdapter.validate_json(state.read_bytes())
        calls = [part for part in history[-1].parts if isinstance(part, ToolCallPart)]
        output = DeferredToolRequests(approvals=calls)
    else:
        result = await agent.run("Refund the orders 1, 2 and 3.")
        history, output = result.all_messages(), result.output
        state.write_bytes(result.all_messages_json())
    while isinstance(output, DeferredToolRequests):
        results = await approvals.decide(output)
        result = await agent.run(message_history=history, deferred_tool_results=results)
        history, output = result.all_messages(), result.output
    print(output)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else "refunds.json")))
