"""Somebody approves in the state of the run alone."""

import asyncio

from with_openai_agents import FakeModel, refund

from agents import Agent, Runner, set_tracing_disabled
from paraph.adapters.openai_agents import Approvals


async def main():
    set_tracing_disabled(True)
    approvals = Approvals(run="bypass")
    agent = Agent(name="support", model=FakeModel(), tools=[approvals.gate(refund)])
    state = (await Runner.run(agent, "Refund.")).to_state()
    for item in state.get_interruptions():
        state.approve(item)
    print((await Runner.run(agent, state)).final_output)


asyncio.run(main())
