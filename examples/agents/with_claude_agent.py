"""A Claude agent whose refunds people approve. It prevents, as far as Claude Code keeps to its
permission callback and hooks.

Kill it while it waits and start it again, here or elsewhere: with an effect the questions are the
same ones. Needs paraph and claude-agent-sdk, and PARAPH_URL, PARAPH_TOKEN, PARAPH_PROJECT,
PARAPH_AGENT.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

import fake_anthropic
from claude_agent_sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ResultMessage,
    create_sdk_mcp_server,
    tool,
)

from paraph.adapters.claude_agent import Approvals


@tool("refund", "Refund an order", {"order": str, "amount": float})
async def refund(given):
    print(f"refunded {given['amount']:g} for {given['order']}", flush=True)
    return {"content": [{"type": "text", "text": f"{given['order']} is refunded"}]}


async def main(run: str, home: str) -> None:
    approvals = Approvals(
        run=run,
        tools="mcp__shop__refund",
        effects={"mcp__shop__refund": "refund:{order}"},
    )
    options = ClaudeAgentOptions(
        mcp_servers={"shop": create_sdk_mcp_server("shop", tools=[refund])},
        can_use_tool=approvals.can_use_tool,
        hooks=approvals.hooks(),
        cwd=home,
        setting_sources=[],
        # Take these away for a real model.
        model="fake",
        env={
            "ANTHROPIC_BASE_URL": fake_anthropic.start(),
            "ANTHROPIC_API_KEY": "none",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "HOME": home,
        },
    )
    async with ClaudeSDKClient(options) as client:
        await client.query("Refund the orders 1, 2 and 3.")
        async for message in client.receive_response():
            await approvals.foresee(message)
            if isinstance(message, ResultMessage):
                print((message.result or str(message)).replace("\n", " "))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else "refunds").stem, folder))
