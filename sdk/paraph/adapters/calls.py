"""Calls that a framework is about to make: asked together, each run once with what was approved."""

import inspect
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from paraph.actions import NEVER, Operations, State, refusal_of
from paraph.canonical import call_digest
from paraph.errors import ApiError, EffectExists, NotExecuted
from paraph.flow import Flow
from paraph.gated import Gate, GatedCall


@dataclass(frozen=True)
class Call:
    """A tool call of a model; `id` is the framework's own."""

    name: str
    arguments: dict[str, Any]
    id: str
    #: What people may decide; empty for what they usually may.
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What people said of a call: go on with `arguments`, or tell the model `message`."""

    call: Call
    is_approved: bool
    arguments: dict[str, Any]
    action: str = ""
    message: str = ""
    #: A person has answered in place of the tool.
    is_answered: bool = False

    @property
    def is_amended(self) -> bool:
        return self.is_approved and self.arguments != self.call.arguments


@dataclass
class Desk:
    """How a framework's calls are asked about.

    `run` names the conversation, and must be the same after a restart: with the framework's id of
    a call it is what makes a question the same one.
    """

    run: str
    framework: str = ""
    server: str = ""
    #: By the name of a tool, what must happen once: `{"refund": "refund:{order}"}`.
    effects: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    why: str = ""
    #: How long to wait for people, in seconds; None for as long as it takes.
    timeout: float | None = None

    def options(self, call: Call) -> dict[str, Any]:
        options: dict[str, Any] = {
            "run": self.run[:200],
            "call": call.id[:200],
            "framework": self.framework,
            "server": self.server,
            "key": f"{self.framework}:{self.run}:{call.id}"[:255],
            "why": self.why,
        }
        if effect := self.effect(call.name, call.arguments):
            options["effect"] = effect
            # What the effect is made of stays as it is.
            template = self.effects[call.name]
            options["edit_schema"] = {
                "type": "object",
                "properties": {
                    name: {"const": value}
                    for name, value in call.arguments.items()
                    if f"{{{name}" in template
                },
                "required": sorted(call.arguments),
            }
        if call.allowed:
            options["allowed"] = list(call.allowed)
        if hints := self.hints.get(call.name):
            options["hints"] = hints
        return options

    def effect(self, name: str, arguments: Mapping[str, Any]) -> str:
        template = self.effects.get(name, "")
        return template.format_map(arguments) if template else ""

    def tool(self, name: str) -> dict[str, str]:
        return {"name": name} | ({"server": self.server} if self.server else {})

    def is_of(self, data: dict[str, Any], call: Call) -> bool:
        agent = data["agent"]
        return bool(
            agent.get("call") == call.id[:200]
            and agent.get("run") == self.run[:200]
            and data["tool"] == self.tool(call.name)
        )

    def verdicts(self, operations: Operations, calls: Iterable[Call]) -> Flow[list[Verdict]]:
        """All are asked at once; people see and decide them together. Raises StillPending."""
        asked: list[tuple[Call, State | str]] = []
        for call in calls:
            try:
                options: Any = self.options(call)
                state = yield from operations.ask(call.name, call.arguments, None, options)
                asked.append((call, state))
            except EffectExists as error:
                asked.append((call, str(error)))
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        verdicts = []
        for call, found in asked:
            if isinstance(found, str):
                verdicts.append(Verdict(call, False, call.arguments, message=found))
                continue
            left = None if deadline is None else deadline - time.monotonic()
            yield from operations.wait(found, left)
            verdicts.append(_verdict(call, found))
        return verdicts

    def execute(
        self,
        operations: Operations,
        call: Call,
        function: Callable[[dict[str, Any]], Any],
        action: str = "",
    ) -> Flow[Any]:
        """Run the function with the arguments that were approved for this call, once.

        What was not asked yet is asked now; what an earlier run has done is not done again, and
        its result is returned. Raises as a gated function does.
        """
        return (yield from ToolCall(self, call, function, action).flow(operations))


def _verdict(call: Call, state: State) -> Verdict:
    arguments = dict(state.data["arguments"])
    if state.status in NEVER:
        message = str(refusal_of(state))
        is_answered = state.status == "answered"
        if is_answered:
            message = str(state.data.get("answer"))
        return Verdict(call, False, arguments, state.id, message, is_answered)
    if state.status in ("approved", "executing", "succeeded"):
        # Of the last two, an earlier run has begun: to run it looks what became of that.
        return Verdict(call, True, arguments, state.id)
    return Verdict(call, False, arguments, state.id, f"The action is {state.status}: not approved.")


class ToolCall(GatedCall):
    """As a gated function, for a call that a framework makes."""

    def __init__(
        self, desk: Desk, call: Call, function: Callable[[dict[str, Any]], Any], action: str
    ) -> None:
        self.desk = desk
        self.tool_call = call
        self.action = action
        gate = Gate(
            function=function,
            effect="",
            tool=call.name,
            why="",
            exclude=frozenset(),
            options={},
            precondition=None,
            reconcile=None,
            timeout=desk.timeout,
            key="",
        )
        super().__init__(gate, gate.signature.bind(call.arguments))
        self.arguments = call.arguments
        self.effect = desk.effect(call.name, call.arguments)

    def _asked(self, operations: Operations, precondition: Any) -> Flow[State]:
        call = self.tool_call
        state = yield from self._found(operations)
        if state is None:
            try:
                options: Any = self.desk.options(call)
                state = yield from operations.ask(call.name, call.arguments, None, options)
            except ApiError as error:
                if error.code != "idempotency_key_reused":
                    raise
                raise NotExecuted(
                    f"It was not executed: {call.name} was asked about with other arguments.",
                    reason="other_arguments",
                ) from error
        self.effect = state.data["effect"]
        return state

    def _found(self, operations: Operations) -> Flow[State | None]:
        """The one that was named, or of this call with just these arguments."""
        call, desk = self.tool_call, self.desk
        if self.action:
            state = yield from operations.read(State({"id": self.action}))
            if desk.is_of(state.data, call):
                return state
            detail = "It was not executed: the approval is for another call."
            raise NotExecuted(detail, reason="other_call")
        params = {"call_digest": call_digest(desk.tool(call.name), call.arguments)}
        path = f"projects/{operations.connection.project}/actions/"
        page = (yield from operations.send("GET", path, params=params)).json()
        for data in page["results"]:
            if desk.is_of(data, call):
                return State(data)
        return None

    def _call_of(self, arguments: dict[str, Any]) -> inspect.BoundArguments:
        return self.gate.signature.bind(arguments)

    def _effect_of(self, call: inspect.BoundArguments) -> str:
        return self.desk.effect(self.tool_call.name, call.args[0])
