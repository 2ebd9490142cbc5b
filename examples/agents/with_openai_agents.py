"""An agent of the OpenAI Agents SDK whose refunds people approve. It prevents: without a claim
nothing runs.

Kill it while it waits and start it again, here or elsewhere: the questions are the same ones.
Needs paraph and openai-agents, and PARAPH_URL, PARAPH_TOKEN, PARAPH_PROJECT, PARAPH_AGENT.
"""

import asyncio
import json
import sys
from pathlib import Path

from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)

from agents import Agent, Model, ModelResponse, Runner, RunState, Usage, function_tool
from agents import set_tracing_disabled as set_tracing_off
from paraph.adapters.openai_agents import Approvals


@function_tool
def refund(order: str, amount: float) -> str:
    """Refund an order."""
    print(f"refunded {amount:g} for {order}", flush=True)
    return f"{order} is refunded"


class FakeModel(Model):
    """Three calls in one batch, then what came of them. Put your own model in its place."""

    async def get_response(self, system_instructions, input, *rest, **options):
        items = [] if isinstance(input, str) else input
        said = [i["output"] for i in items if i.get("type") == "function_call_output"]
        if said:
            text = ResponseOutputText(text="; ".join(said), type="output_text", annotations=[])
            output = [
                ResponseOutputMessage(
                    id="m1", role="assistant", status="completed", type="message", content=[text]
                )
            ]
        else:
            output = [
                ResponseFunctionToolCall(
                    name="refund",
                    call_id=f"call-{order}",
                    arguments=json.dumps({"order": order, "amount": 10.0}),
                    type="function_call",
                )
                for order in ("1", "2", "3")
            ]
        return ModelResponse(output=output, usage=Usage(), response_id=None)

    def stream_response(self, *rest, **options):
        raise NotImplementedError


async def main(path: Path) -> None:
    set_tracing_off(True)
    approvals = Approvals(run=path.stem, effects={"refund": "refund:{order}"})
    agent = Agent(name="support", model=FakeModel(), tools=[approvals.gate(refund)])
    if path.exists():
        state = await RunState.from_string(agent, path.read_text())
    else:
        state = (await Runner.run(agent, "Refund the orders 1, 2 and 3.")).to_state()
        path.write_text(state.to_string())
    while state.get_interruptions():
        await approvals.decide(state)
        result = await Runner.run(agent, state)
        state = result.to_state()
    print(result.final_output)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else "refunds.json")))
