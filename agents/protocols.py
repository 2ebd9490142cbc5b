"""What goes into a piece of agent work and what comes out.

The vocabulary between the engine, the roles and the providers.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from pydantic import BaseModel

# The code of a failed attempt whose answer did not have the form that was asked for.
MALFORMED_ANSWER = "model_malformed_answer"


@dataclass(frozen=True)
class Material:
    """One artifact version that was handed to the agent. `content` is JSON, valid for its type."""

    artifact_id: str
    version: int
    artifact_type: str
    title: str
    content: dict[str, Any]
    sha256: str
    source_agent: str
    step: str
    changed_by_person: bool = False
    # What is to be written anew, as it was: this agent's own earlier version.
    revises: bool = False


@dataclass(frozen=True)
class Excerpt:
    """A part of a version, or a shorter form of it. `form`: full, summary or title."""

    artifact_type: str
    title: str
    version: int
    part: str
    form: str
    text: str


@dataclass(frozen=True)
class Answer:
    """A person's reply to questions that the agent asked."""

    questions: tuple[str, ...]
    answer: str
    answered_by: str


@dataclass(frozen=True)
class OwnTests:
    """What a tester has written in an earlier round, and the requirements it is said to check."""

    files: dict[str, str]
    requirements: tuple[str, ...]


@dataclass(frozen=True)
class Assignment:
    """Everything an agent may know about the work at hand."""

    project_name: str
    agent_type: str
    step: str
    phase: str
    round: int
    instructions: str
    brief: str
    expected: tuple[str, ...]
    materials: tuple[Material, ...] = ()
    excerpts: tuple[Excerpt, ...] = ()
    answers: tuple[Answer, ...] = ()
    feedback: tuple[str, ...] = ()
    # Why the last answer to this was not taken; empty where none was.
    fault: str = ""
    workflow: dict[str, Any] = field(default_factory=dict)
    # They count again where the specification is the same, and the program another.
    own_tests: OwnTests | None = None
    # For services outside: an idempotency key, the same for each attempt of the same work, and a
    # number that grows with each, by which a late caller is known.
    key: str = ""
    fence: int = 0

    def newest(self, artifact_type: str) -> Material | None:
        """The last handed material of a type, or None."""
        return next((m for m in reversed(self.materials) if m.artifact_type == artifact_type), None)

    def own_by_person(self, artifact_type: str) -> Material | None:
        """What is to be written anew though a person had a hand in it, or None."""
        own = (m for m in reversed(self.materials) if m.artifact_type == artifact_type)
        last = next((m for m in own if m.revises), None)
        return last if last and last.changed_by_person else None


@dataclass(frozen=True)
class Usage:
    """What one or more model calls took.

    Costs are micro-units of the currency; None is unknown, not free.
    """

    provider: str
    model: str = ""
    calls: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_micros: int | None = None
    # Whether the metrics have it already, request by request.
    is_counted: bool = False

    def columns(self) -> dict[str, Any]:
        """As an attempt has it."""
        columns = asdict(self)
        del columns["is_counted"]
        return columns


@dataclass(frozen=True)
class Questions:
    """A model's answer that it cannot go on without a person."""

    questions: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True)
class ToolSpec:
    """A tool that a model may call; `parameters` is the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class ToolCall:
    """What a model wants a tool to do. Nobody has looked at the arguments yet."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class ToolCalls:
    """A model's answer that it goes on once it has seen what these calls bring."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True)
class Turn:
    """Where a conversation with tools stands.

    `messages` is what was said so far, as the reply before had it; empty at the beginning.
    `results` is what the calls of that reply brought, by their ids; `note` is a word of ours.
    """

    tools: tuple[ToolSpec, ...]
    messages: str = ""
    results: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Reply:
    """One answer of a model: content of the asked type, questions, or calls of tools.

    `prompt_sha256` is the hash of all that the model was given, so that one can show later what it
    was, or that it was the same. `messages` is for the next turn; `sources` are the versions of
    artifacts that it has read by itself.
    """

    content: BaseModel | Questions | ToolCalls
    usage: Usage
    notes: str = ""
    prompt_sha256: str = ""
    messages: str = ""
    sources: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Output:
    """Content for one artifact version."""

    artifact_type: str
    title: str
    content: dict[str, Any]
    prompt_sha256: str = ""
    #: Versions of artifacts that it rests on, beside what was handed over.
    sources: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Completed:
    """The work is done. `verdict` is '' where there is nothing to judge, else 'pass' or 'fail'.

    `files` are kept with the task, for people to read, and handed to no other agent.
    """

    outputs: tuple[Output, ...]
    usage: Usage
    verdict: str = ""
    notes: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NeedsPerson:
    """The agent cannot go on without an answer."""

    questions: tuple[str, ...]
    usage: Usage
    reason: str = ""


@dataclass(frozen=True)
class NeedsApproval:
    """The agent's model wants to call a tool that people are asked about first.

    `run` is the conversation that goes on once they have decided.
    """

    call: ToolCall
    run: int
    usage: Usage


Outcome = Completed | NeedsPerson | NeedsApproval


class WorkError(Exception):
    """The work failed. `code` is stable and public, `detail` is for people and holds no secret."""

    #: More for the log: ids and hashes.
    facts: Mapping[str, Any] = MappingProxyType({})
    #: More for people, beside code and detail.
    shown: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, code: str, detail: str, usage: Usage | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.usage = usage


class TransientError(WorkError):
    """Worth another try: time-out, 429, 5xx, connection. `retry_after` is in seconds."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        retry_after: float | None = None,
        usage: Usage | None = None,
    ) -> None:
        super().__init__(code, detail, usage)
        self.retry_after = retry_after


class PermanentError(WorkError):
    """Another try would fail the same way: a person decides."""


class Model(Protocol):
    """The one door to a model, whoever serves it.

    One that can call tools says so by `takes_tools = True`, and takes a `turn`.
    """

    def produce(
        self,
        assignment: Assignment,
        *,
        artifact_type: str,
        output_type: type[BaseModel],
        instructions: str,
    ) -> Reply:
        """Content of `output_type`, or questions. Raises TransientError or PermanentError.

        A provider should make it `async def`: then a call that takes long can be cancelled.
        """


class Role(Protocol):
    """One kind of agent."""

    agent_type: str
    instructions: str

    def run(self, assignment: Assignment, model: Model) -> Outcome:
        """Do the work. Raises TransientError or PermanentError."""
