"""A LangChain agent whose refunds people approve. It prevents: without a claim nothing runs.

Kill it while it waits and start it again, here or elsewhere: the questions are the same ones.
Needs paraph, langchain and langgraph-checkpoint-sqlite, and PARAPH_URL, PARAPH_TOKEN,
PARAPH_PROJECT, PARAPH_AGENT.
"""

import sys
from pathlib import Path

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.checkpoint.sqlite import SqliteSaver

from paraph.adapters.langgraph import Approvals


def refund(order: str, amount: float) -> str:
    """Refund an order."""
    print(f"refunded {amount:g} for {order}", flush=True)
    return f"{order} is refunded"


class FakeModel(BaseChatModel):
    """Three calls in one batch, then what came of them. Put your own model in its place."""

    @property
    def _llm_type(self):
        return "fake"

    def bind_tools(self, tools, **options):
        return self

    def _generate(self, messages, stop=None, run_manager=None, **options):
        said = [message.text for message in messages if isinstance(message, ToolMessage)]
        calls = [
            {"name": "refund", "args": {"order": order, "amount": 10.0}, "id": f"call-{order}"}
            for order in ("1", "2", "3")
        ]
        answer = AIMessage("; ".join(said)) if said else AIMessage("", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=answer)])


def main(path: Path) -> None:
    approvals = Approvals(run=path.stem, effects={"refund": "refund:{order}"})
    config = {"configurable": {"thread_id": path.stem}}
    with SqliteSaver.from_conn_string(str(path)) as saver:
        agent = create_agent(
            FakeModel(),
            tools=[refund],
            checkpointer=saver,
            middleware=[
                HumanInTheLoopMiddleware(interrupt_on={"refund": True}),
                approvals.middleware("refund"),
            ],
        )
        interrupts = agent.get_state(config).interrupts
        if not interrupts:
            question = {"messages": [{"role": "user", "content": "Refund 1, 2 and 3."}]}
            interrupts = agent.invoke(question, config)["__interrupt__"]
        while interrupts:
            messages = agent.get_state(config).values["messages"]
            result = agent.invoke(approvals.resume(interrupts, messages), config)
            interrupts = result.get("__interrupt__")
        print(result["messages"][-1].text.replace("\n", " "))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "refunds.sqlite3"))
