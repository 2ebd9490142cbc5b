"""Models of outside providers, through pydantic-ai. Loaded only when a job needs one."""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings
from pydantic import BaseModel, Field
from pydantic_ai import (
    Agent,
    DeferredToolRequests,
    ModelRequest,
    ModelSettings,
    NativeOutput,
    PromptedOutput,
    ToolOutput,
)
from pydantic_ai.direct import model_request
from pydantic_ai.exceptions import AgentRunError, FallbackExceptionGroup, UserError
from pydantic_ai.models import Model as ProviderModel
from pydantic_ai.models import infer_model
from pydantic_ai.models.fallback import FallbackModel

from agents.protocols import (
    MALFORMED_ANSWER,
    Assignment,
    PermanentError,
    Questions,
    Reply,
    ToolCall,
    ToolCalls,
    Turn,
    Usage,
    WorkError,
)
from agents.providers import quiet_libraries
from agents.providers.breaker import closed_of
from agents.providers.conversation import CORRECTIONS, history_of, toolsets_of
from agents.providers.endpoints import SCHEMA, TOOLS, Endpoint, endpoint_named
from agents.providers.event_loop import shared_client
from agents.providers.failures import UNREADABLE, permanent_if_repeated, work_error
from agents.providers.metered import Meter, MeteredModel
from agents.providers.options import ModelOptions, options_of
from agents.providers.partial import stream_handler
from agents.providers.prices import Rate
from agents.providers.prompts import ASK, deliver_name, instructions_for, prompt_for, prompt_sha256
from agents.providers.written import WrittenAnswer, check_written, texts_of

# Some providers take no smaller limit.
TINY_TOKENS = 16


class QuestionsForPerson(BaseModel):
    """Questions that a person must answer before the work can go on."""

    questions: list[str] = Field(
        min_length=1, max_length=10, description="Each can be answered by itself."
    )
    reason: str = Field("", description="Why the work cannot go on without the answers.")


class LLMModel:
    """One model string of pydantic-ai, such as `openai:gpt-x`. Holds no connection."""

    takes_tools = True

    def __init__(
        self,
        name: str,
        options: ModelOptions | None = None,
        endpoint_for: Callable[[str], Endpoint] = endpoint_named,
    ) -> None:
        self.name = name
        self.provider, _, self.model = name.partition(":")
        self.options = options or options_of("")
        # Looked up here, in the thread of the work: the event loop asks no database.
        names = (name, *self.options.fallbacks)
        self.endpoints = {one: endpoint_for(one.partition(":")[0]) for one in names}
        self.endpoint = self.endpoints[name]
        # What an owner sends to an endpoint of the project goes to no provider of the installation.
        self.names = tuple(
            one
            for one in names
            if self.endpoints[one].is_of_project or not self.endpoint.is_of_project
        )

    async def metered(self, meter: Meter) -> ProviderModel:
        """It, with the models that stand in for it; those that keep failing are left out."""
        models = []
        for name in closed_of(self.names):
            endpoint_name, _, model = name.partition(":")
            endpoint = self.endpoints[name]
            shared = await _shared_model(endpoint, model)
            rate = Rate(endpoint_name, model, endpoint.kind, endpoint.is_listed)
            models.append(MeteredModel(shared, rate, meter, endpoint.headers, endpoint.key))
        return FallbackModel(*models) if len(models) > 1 else models[0]

    async def produce(
        self,
        assignment: Assignment,
        *,
        artifact_type: str,
        output_type: type[BaseModel],
        instructions: str,
        turn: Turn | None = None,
    ) -> Reply:
        """One answer, over the connections that all calls of this process share."""
        answer = WrittenAnswer(artifact_type, output_type, texts_of(assignment))
        call = _Call(self, artifact_type, answer, instructions, turn)
        prompt = prompt_for(assignment, artifact_type)
        content, failure = await call.outcome(prompt)
        if failure is not None and failure.code == MALFORMED_ANSWER:
            failure = permanent_if_repeated(failure, assignment.fault)
        if failure is not None:
            # Raised here, outside of the handler, so that no log shows the provider's own words.
            raise failure
        if isinstance(content, QuestionsForPerson):
            content = Questions(tuple(content.questions), content.reason)
        if isinstance(content, DeferredToolRequests):
            calls = (ToolCall(c.tool_call_id, c.tool_name, c.args_as_dict()) for c in content.calls)
            content = ToolCalls(tuple(calls))
        sha256 = prompt_sha256(call.instructions, prompt, answer.output_type, turn)
        usage = call.meter.usage()
        return Reply(content, usage, prompt_sha256=sha256, messages=call.messages_so_far)

    def try_out(self, seconds: float) -> tuple[float, WorkError | None]:
        """One call of a few tokens: how many seconds it took, and what failed."""
        usage = Usage(provider=self.provider, model=self.model, calls=1)
        messages = [ModelRequest.user_text_prompt("Answer with the single word: ok")]
        chosen = self.options.settings() | {"max_tokens": TINY_TOKENS}
        endpoint = self.endpoint
        if endpoint.headers:
            chosen["extra_headers"] = dict(endpoint.headers)
        model_settings = _model_settings(chosen, seconds=seconds)

        async def call() -> tuple[float, WorkError | None]:
            started, failure = time.monotonic(), None
            try:
                async with _provider_model(endpoint, self.model) as provider_model:
                    # Without the time that loading the library takes.
                    started = time.monotonic()
                    await model_request(provider_model, messages, model_settings=model_settings)
            except (AgentRunError, UserError, *UNREADABLE) as error:
                failure = work_error(error, usage)
            except ImportError:
                failure = _not_installed(usage)
            return time.monotonic() - started, failure

        quiet_libraries()
        # By itself: a library that hangs holds up no other call.
        return asyncio.run(call())


class _Call:
    """One conversation with a model, corrections included."""

    def __init__(
        self,
        model: LLMModel,
        artifact_type: str,
        answer: WrittenAnswer,
        role: str,
        turn: Turn | None = None,
    ) -> None:
        self.model = model
        self.turn = turn
        self.messages_so_far = ""
        self.meter = Meter(model.provider, model.model)
        self.deliver = deliver_name(artifact_type)
        self.answer = answer
        self.output = model.endpoint.output
        by_function = self.output == TOOLS
        self.instructions = instructions_for(role, artifact_type, by_function=by_function)

    async def outcome(self, prompt: str) -> tuple[Any, WorkError | None]:
        """The content, or why there is none."""
        quiet_libraries()
        try:
            has_tools = self.turn is not None and bool(self.turn.tools)
            history = history_of(self.turn) if self.turn else []
            agent = _agent(
                self.deliver, self.answer.output_type, self.instructions, has_tools, self.output
            )
            result = await agent.run(
                None if history else prompt,
                deps=self.answer,
                message_history=history or None,
                toolsets=toolsets_of(self.turn) if has_tools else None,
                model=await self.model.metered(self.meter),
                model_settings=_model_settings(
                    self.model.options.settings(), seconds=float(settings.MODEL_TIMEOUT_SECONDS)
                ),
                event_stream_handler=stream_handler(),
            )
        except (AgentRunError, UserError, WorkError, FallbackExceptionGroup, *UNREADABLE) as error:
            return None, work_error(error, self.meter.usage())
        except ImportError:
            return None, _not_installed(self.meter.usage())
        if self.turn is not None:
            self.messages_so_far = result.all_messages_json().decode()
        return self.answer.content or result.output, None


@lru_cache(maxsize=256)
def _agent(
    deliver: str,
    output_type: type[BaseModel],
    instructions: str,
    has_tools: bool = False,
    output: str = TOOLS,
) -> Agent:
    """Without a model, for all calls of its kind: its schemas take as long as half a call."""
    tools: list[Any] = [DeferredToolRequests] if has_tools else []
    if output == TOOLS:
        by_function = ToolOutput(output_type, name=deliver, description="Hand in the work.")
        outputs = [by_function, ToolOutput(QuestionsForPerson, name=ASK)]
    else:
        as_json = NativeOutput if output == SCHEMA else PromptedOutput
        outputs = [as_json([output_type, QuestionsForPerson], name=deliver)]
    agent = Agent(
        name=deliver,
        deps_type=WrittenAnswer,
        output_type=[*outputs, *tools],
        instructions=instructions,
        # A tool that there is not is corrected as an answer that does not fit.
        retries={"tools": CORRECTIONS if has_tools else 0, "output": CORRECTIONS},
    )
    agent.output_validator(check_written)
    return agent


def _model_settings(chosen: Mapping[str, Any], *, seconds: float) -> ModelSettings:
    return ModelSettings(
        **chosen,
        max_retries=0,
        timeout=seconds,
        # `timeout` counts the silence between bytes; this counts the whole answer.
        request_timeout=seconds,
        # Where the provider has a cache that must be asked for: rules, tools and what was said.
        cache=True,
    )


async def _shared_model(endpoint: Endpoint, model: str) -> ProviderModel:
    key = (*endpoint.fingerprint, model)
    return await shared_client(key, lambda: _provider_model(endpoint, model))


def _provider_model(endpoint: Endpoint, model: str) -> ProviderModel:
    try:
        return infer_model(f"{endpoint.kind}:{model}", lambda name: endpoint.provider())
    except ValueError:
        raise UserError("unknown provider") from None


def _not_installed(usage: Usage) -> PermanentError:
    detail = f"The library of the model provider {usage.provider!r} is not installed."
    return PermanentError("model_misconfigured", detail, usage)
