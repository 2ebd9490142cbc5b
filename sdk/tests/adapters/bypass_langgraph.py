"""Somebody resumes the thread with their own approvals."""

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from with_langgraph import FakeModel, refund

from paraph.adapters.langgraph import Approvals

agent = create_agent(
    FakeModel(),
    tools=[refund],
    checkpointer=InMemorySaver(),
    middleware=[
        HumanInTheLoopMiddleware(interrupt_on={"refund": True}),
        Approvals(run="bypass").middleware("refund"),
    ],
)
config = {"configurable": {"thread_id": "bypass"}}
agent.invoke({"messages": [{"role": "user", "content": "Refund."}]}, config)
result = agent.invoke(Command(resume={"decisions": [{"type": "approve"}] * 3}), config)
print(result["messages"][-1].text.replace("\n", " "))
