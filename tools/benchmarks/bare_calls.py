"""The floor of `make bench-waiting`: the provider's library alone, as many calls in one process.

    python -m tools.benchmarks.bare_calls PORT CALLS

Prints the seconds from the first call's beginning to the last one's end.
"""

import asyncio
import sys
import time

from pydantic import BaseModel
from pydantic_ai import Agent, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from tools.benchmarks.slow_server import AT_ONCE


class Summary(BaseModel):
    summary: str
    body: str


async def main(port: int, calls: int) -> None:
    provider = OpenAIProvider(base_url=f"http://127.0.0.1:{port}/v1", api_key="none")
    output = ToolOutput(Summary, name="deliver_agent_output")
    agent = Agent(OpenAIChatModel("slow", provider=provider), output_type=output)
    await agent.run(AT_ONCE)
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    settings = {"timeout": 600}
    await asyncio.gather(
        *(agent.run("Take your time.", model_settings=settings) for _ in range(calls))
    )
    print(time.monotonic() - began, flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
