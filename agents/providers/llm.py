"""Models of outside providers, through pydantic-ai. Loaded only when a job needs one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

from django.conf import settings
from pydantic import BaseModel, Field
from pydantic_ai import Agent, DeferredToolRequests, ModelRequest, ModelSettings, ToolOutput
from pydantic_ai.direct import model_request
from pydantic_ai.exceptions import AgentRunError, ModelAPIError, UserError
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models import Model as ProviderModel
from pydantic_ai.models import StreamedResponse, infer_model
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.providers import Provider, infer_provider
from pydantic_ai.usage import RunUsage

from agents.protocols import (
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
from agents.providers.conversation import CORRECTIONS, history_of, toolsets_of
from agents.providers.event_loop import shared_client
from agents.providers.failures import UNREADABLE, work_error
from agents.providers.partial import stream_handler
from agents.providers.prompts import ASK, deliver_name, instructions_for, prompt_for, prompt_sha256
from agents.worker.cancellation import check_before_next_request

MAX_TOKENS = 16_000
TIMEOUT_SECONDS = 300
OPENAI = ("openai", "openai-chat", "openai-responses")
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

    def __init__(self, name: str) -> None:
        self.name = name
        self.provider, _, self.model = name.partition(":")

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
        call = _Call(self, artifact_type, output_type, instructions, turn)
        prompt = prompt_for(assignment, artifact_type)
        content, failure = await call.outcome(prompt)
        if failure is not None:
            # Raised here, outside of the handler, so that no log shows the provider's own words.
            raise failure
        if isinstance(content, QuestionsForPerson):
            content = Questions(tuple(content.questions), content.reason)
        if isinstance(content, DeferredToolRequests):
            calls = (ToolCall(c.tool_call_id, c.tool_name, c.args_as_dict()) for c in content.calls)
            content = ToolCalls(tuple(calls))
        sha256 = prompt_sha256(call.instructions, prompt, output_type, turn)
        return Reply(
            content, call.usage_so_far(), prompt_sha256=sha256, messages=call.messages_so_far
        )

    def try_out(self, seconds: float) -> tuple[float, WorkError | None]:
        """One call of a few tokens: how many seconds it took, and what failed."""
        usage = Usage(provider=self.provider, model=self.model, calls=1)
        messages = [ModelRequest.user_text_prompt("Answer with the single word: ok")]
        model_settings = _model_settings(max_tokens=TINY_TOKENS, seconds=seconds)

        async def call() -> tuple[float, WorkError | None]:
            started, failure = time.monotonic(), None
            try:
                async with _provider_model(self.name) as provider_model:
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
        output_type: type[BaseModel],
        role: str,
        turn: Turn | None = None,
    ) -> None:
        self.model = model
        self.turn = turn
        self.messages_so_far = ""
        self.usage = RunUsage()
        self.unanswered = 0
        self.deliver = deliver_name(artifact_type)
        self.output_type = output_type
        self.instructions = instructions_for(role, artifact_type)

    async def outcome(self, prompt: str) -> tuple[Any, WorkError | None]:
        """The content, or why there is none."""
        quiet_libraries()
        try:
            has_tools = self.turn is not None and bool(self.turn.tools)
            history = history_of(self.turn) if self.turn else []
            result = await _agent(self.deliver, self.output_type, self.instructions, has_tools).run(
                None if history else prompt,
                message_history=history or None,
                toolsets=toolsets_of(self.turn) if has_tools else None,
                model=_CheckedCorrections(await _shared_model(self.model.name)),
                model_settings=_model_settings(
                    max_tokens=getattr(settings, "MODEL_MAX_TOKENS", MAX_TOKENS),
                    seconds=float(getattr(settings, "MODEL_TIMEOUT_SECONDS", TIMEOUT_SECONDS)),
                ),
                usage=self.usage,
                event_stream_handler=stream_handler(),
            )
        except UserError as error:
            return None, work_error(error, self.usage_so_far())
        except AgentRunError as error:
            # A call without a usable answer is not always counted by the library.
            self.unanswered = int(isinstance(error, ModelAPIError) or self.usage.requests == 0)
            return None, work_error(error, self.usage_so_far())
        except UNREADABLE as error:
            self.unanswered = 1
            return None, work_error(error, self.usage_so_far())
        except ImportError:
            return None, _not_installed(self.usage_so_far())
        if self.turn is not None:
            self.messages_so_far = result.all_messages_json().decode()
        return result.output, None

    def usage_so_far(self) -> Usage:
        """The known usage, also when the call failed."""
        usage, provider = self.usage, self.model.provider
        # Prices are known for the provider's own service only, whatever a model is called.
        is_own_server = provider in OPENAI and bool(getattr(settings, "OPENAI_BASE_URL", ""))
        is_cost_known = usage.cost is not None and not is_own_server
        return Usage(
            provider=provider,
            model=self.model.model,
            calls=usage.requests + self.unanswered,
            input_tokens=usage.input_tokens or None,
            output_tokens=usage.output_tokens or None,
            cost_micros=int(usage.cost * 1_000_000) if is_cost_known else None,
        )


@lru_cache(maxsize=256)
def _agent(
    deliver: str, output_type: type[BaseModel], instructions: str, has_tools: bool = False
) -> Agent:
    """Without a model, for all calls of its kind: its schemas take as long as half a call."""
    return Agent(
        name=deliver,
        output_type=[
            ToolOutput(output_type, name=deliver, description="Hand in the work."),
            ToolOutput(QuestionsForPerson, name=ASK),
            *([DeferredToolRequests] if has_tools else []),
        ],
        instructions=instructions,
        # A tool that there is not is corrected as an answer that does not fit.
        retries={"tools": CORRECTIONS if has_tools else 0, "output": CORRECTIONS},
    )


class _CheckedCorrections(WrapperModel):
    """Checks for cancellation before each request but the first, before which the worker has."""

    is_first = True

    async def request(self, *arguments: Any) -> ModelResponse:
        if not self.is_first:
            await check_before_next_request()
        self.is_first = False
        return await super().request(*arguments)

    @asynccontextmanager
    async def request_stream(self, *arguments: Any) -> AsyncIterator[StreamedResponse]:
        if not self.is_first:
            await check_before_next_request()
        self.is_first = False
        async with super().request_stream(*arguments) as stream:
            yield stream


def _model_settings(*, max_tokens: int, seconds: float) -> ModelSettings:
    return ModelSettings(
        max_tokens=max_tokens,
        max_retries=0,
        timeout=seconds,
        # `timeout` counts the silence between bytes; this counts the whole answer.
        request_timeout=seconds,
    )


async def _shared_model(name: str) -> ProviderModel:
    key = (name, getattr(settings, "OPENAI_API_KEY", ""), getattr(settings, "OPENAI_BASE_URL", ""))
    return await shared_client(key, lambda: _provider_model(name))


def _provider_model(name: str) -> ProviderModel:
    try:
        return infer_model(name, _provider)
    except ValueError:
        raise UserError("unknown provider") from None


def _provider(name: str) -> Provider[Any]:
    if name not in OPENAI:
        return infer_provider(name)
    from pydantic_ai.providers.openai import OpenAIProvider

    key, url = getattr(settings, "OPENAI_API_KEY", ""), getattr(settings, "OPENAI_BASE_URL", "")
    if url and not key:
        # Self-hosted servers often need none, but the client insists on one.
        key = "not-set"
    return OpenAIProvider(api_key=key or None, base_url=url or None)


def _not_installed(usage: Usage) -> PermanentError:
    detail = f"The library of the model provider {usage.provider!r} is not installed."
    return PermanentError("model_misconfigured", detail, usage)
