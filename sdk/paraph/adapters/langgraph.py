"""LangChain and LangGraph: the interrupts of `HumanInTheLoopMiddleware` go to people.

It *prevents* with both middlewares, the own one last: then a tool runs only with a claim, whatever
resumes the thread. With `resume()` alone it *attributes*: who holds the checkpointer may pass it.

    approvals = Approvals(run=thread_id, effects={"refund": "refund:{order}"})
    agent = create_agent(model, tools=[refund], checkpointer=saver, middleware=[
        HumanInTheLoopMiddleware(interrupt_on={"refund": True}), approvals.middleware("refund")])
    result = agent.invoke(question, config)
    while interrupts := result.get("__interrupt__"):
        messages = agent.get_state(config).values["messages"]
        result = agent.invoke(approvals.resume(interrupts, messages), config)
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain.agents.middleware import AgentMiddleware
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.types import Command, Interrupt

from paraph.adapters.calls import Call, Desk, Verdict
from paraph.client import AsyncClient, Client
from paraph.errors import ActionFailed, NotExecuted
from paraph.gated import default_async_client, default_client

#: Their words for what people may decide, and ours.
ALLOWED = {"approve": "approve", "edit": "amend", "reject": "reject", "respond": "answer"}


@dataclass
class Approvals(Desk):
    framework: str = "langgraph"
    client: Client | None = field(default=None, repr=False)
    async_client: AsyncClient | None = field(default=None, repr=False)

    def resume(
        self, interrupts: Sequence[Interrupt], messages: Sequence[BaseMessage]
    ) -> Command[Any]:
        """Ask people about all calls of the interrupts, and wait: what goes on with the thread."""
        client = self.client or default_client()
        calls = [_calls_of(interrupt.value, messages) for interrupt in interrupts]
        flat = [call for group in calls for call in group]
        return _command(interrupts, calls, client.run(self.verdicts(client.operations, flat)))

    async def aresume(
        self, interrupts: Sequence[Interrupt], messages: Sequence[BaseMessage]
    ) -> Command[Any]:
        client = self.async_client or default_async_client()
        calls = [_calls_of(interrupt.value, messages) for interrupt in interrupts]
        flat = [call for group in calls for call in group]
        verdicts = await client.run(self.verdicts(client.operations, flat))
        return _command(interrupts, calls, verdicts)

    def middleware(self, *tools: str) -> "GatedTools":
        """These tools, or all where none is named, run only with a claim."""
        return GatedTools(self, tools)


def _calls_of(value: dict[str, Any], messages: Sequence[BaseMessage]) -> list[Call]:
    """With the ids that the model gave its calls: an interrupt for a whole turn has none."""
    if value.get("type") == "tool_approval":
        return [Call(value["name"], value["args"], value["tool_call_id"])]
    allowed = {
        config["action_name"]: tuple(
            ALLOWED[word] for word in config["allowed_decisions"] if word in ALLOWED
        )
        for config in value["review_configs"]
    }
    last = next(m for m in reversed(messages) if isinstance(m, AIMessage))
    waiting = list(last.tool_calls)
    calls = []
    for request in value["action_requests"]:
        found = next(
            call
            for call in waiting
            if (call["name"], call["args"]) == (request["name"], request["args"])
        )
        waiting.remove(found)
        name = request["name"]
        calls.append(Call(name, request["args"], found["id"] or "", allowed.get(name, ())))
    return calls


def _command(
    interrupts: Sequence[Interrupt], calls: list[list[Call]], verdicts: Iterable[Verdict]
) -> Command[Any]:
    by_call = iter(verdicts)
    resume: dict[str, Any] = {}
    for interrupt, group in zip(interrupts, calls, strict=True):
        decisions = [_decision(next(by_call)) for _ in group]
        is_single = interrupt.value.get("type") == "tool_approval"
        resume[interrupt.id] = decisions[0] if is_single else {"decisions": decisions}
    return Command(resume=resume)


def _decision(verdict: Verdict) -> dict[str, Any]:
    if verdict.is_amended:
        action = {"name": verdict.call.name, "args": verdict.arguments}
        return {"type": "edit", "edited_action": action}
    if verdict.is_approved:
        return {"type": "approve"}
    return {"type": "respond" if verdict.is_answered else "reject", "message": verdict.message}


class GatedTools(AgentMiddleware[Any, Any, Any]):
    def __init__(self, approvals: Approvals, tools: Sequence[str]) -> None:
        super().__init__()
        self.approvals = approvals
        self.names = frozenset(tools)

    def _call(self, request: ToolCallRequest) -> Call | None:
        call = request.tool_call
        if self.names and call["name"] not in self.names:
            return None
        return Call(call["name"], call["args"], call["id"] or "")

    def wrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]],
    ) -> ToolMessage | Command[Any]:
        if (call := self._call(request)) is None:
            return handler(request)
        messages: list[Any] = []

        def run(arguments: dict[str, Any]) -> Any:
            messages.append(handler(_with(request, arguments)))
            return _said(messages[0])

        client = self.approvals.client or default_client()
        try:
            result = client.run(self.approvals.execute(client.operations, call, run))
        except NotExecuted as error:
            return _message(request, str(error), "error")
        except ActionFailed as error:
            return messages[0] if messages else _message(request, str(error), "error")
        return messages[0] if messages else _message(request, str(result), "success")

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage | Command[Any]:
        if (call := self._call(request)) is None:
            return await handler(request)
        messages: list[Any] = []

        async def run(arguments: dict[str, Any]) -> Any:
            messages.append(await handler(_with(request, arguments)))
            return _said(messages[0])

        client = self.approvals.async_client or default_async_client()
        try:
            result = await client.run(self.approvals.execute(client.operations, call, run))
        except NotExecuted as error:
            return _message(request, str(error), "error")
        except ActionFailed as error:
            return messages[0] if messages else _message(request, str(error), "error")
        return messages[0] if messages else _message(request, str(result), "success")


def _with(request: ToolCallRequest, arguments: dict[str, Any]) -> ToolCallRequest:
    """What was approved is what runs."""
    call: Any = {**request.tool_call, "args": arguments}
    return request.override(tool_call=call)


def _said(message: Any) -> Any:
    """What is kept as the result. Raises ActionFailed for what the tool node calls an error."""
    if isinstance(message, ToolMessage):
        if message.status == "error":
            raise ActionFailed(str(message.content))
        return message.content
    return None


def _message(request: ToolCallRequest, text: str, status: Any) -> ToolMessage:
    call = request.tool_call
    return ToolMessage(text, name=call["name"], tool_call_id=call["id"], status=status)
