"""Every request to a provider goes through here: its budget, its count, the right to go on.

One `Meter` for each piece of work, one `MeteredModel` around each model that serves it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import anyio
from django.conf import settings
from django.db import DatabaseError, connection
from pydantic_ai.exceptions import ModelHTTPError, UserError
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings

from agents.metrics import GEN_AI_SECONDS, GEN_AI_TOKENS, count_call
from agents.protocols import PermanentError, TransientError, Usage
from agents.providers.breaker import breaker_of
from agents.providers.failures import OUTPUT_TOO_LONG, malformed, never_sent, work_error
from agents.providers.faults import Fault, faults_told, told_briefly
from agents.providers.gen_ai import (
    CHAT,
    provider_name,
    request_facts,
    response_facts,
    span_name,
)
from agents.providers.prices import Rate
from agents.services.budgets import Reservation, reserve, settle
from agents.services.exchanges import keep_exchange
from agents.worker.cancellation import current_cancellation
from core.database import until_database_is_back
from core.tracing import named_span

logger = logging.getLogger(__name__)

# Characters of an answer that the model may correct.
MOST_CORRECTED = 1_000_000


class Meter:
    """What the requests of one piece of work took, also those that failed."""

    def __init__(self, provider: str, model: str) -> None:
        # As asked for; once one has answered, the last that was asked.
        self.provider, self.model = provider, model
        self.calls = 0
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None
        self.cost_micros: int | None = 0
        # What the model was told last of an answer that did not fit, and what it is told next.
        self.told: tuple[Fault, ...] = ()
        self.to_tell: tuple[Fault, ...] = ()
        # Of a worker; None where nobody has claimed anything, as for tests of a provider.
        self.cancellation = current_cancellation()

    @property
    def is_cancelled(self) -> bool:
        return self.cancellation is not None and self.cancellation.is_requested

    def check_progress(self, messages: list[ModelMessage]) -> None:
        """Raises PermanentError where the model was told of a fault, and it is still there.

        Also where its answer was cut off: the next one would be, too.
        """
        faults, before = self.to_tell or faults_told(messages), self.told
        self.to_tell, self.told = (), faults
        answers = [message for message in messages if isinstance(message, ModelResponse)]
        if faults and (answers[-1].finish_reason == "length" or is_huge(answers[-1])):
            raise PermanentError("model_output_too_long", OUTPUT_TOO_LONG, self.usage())
        if faults and faults == before:
            raise malformed(PermanentError, faults, self.usage(), "It stays so, though it was told")

    def usage(self) -> Usage:
        """So far; what is not known is None."""
        return Usage(
            provider=self.provider,
            model=self.model,
            calls=self.calls,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cost_micros=self.cost_micros if self.calls else None,
            is_counted=True,
        )


class MeteredModel(WrapperModel):
    """Holds back the most that a request can cost, and counts what it took.

    Raises a WorkCancelled where the work may not go on, and the WorkErrors of `budgets.reserve`.
    """

    def __init__(
        self,
        wrapped: Model,
        rate: Rate,
        meter: Meter,
        headers: Mapping[str, str] | None = None,
        key: str = "",
    ) -> None:
        super().__init__(wrapped)
        self.rate = rate
        self.meter = meter
        self.headers = dict(headers or {})
        # A server may repeat them. Short ones are words.
        self.secrets = (key, *(value for value in self.headers.values() if len(value) >= 12))

    def _with_headers(self, model_settings: ModelSettings | None) -> ModelSettings | None:
        """Of this endpoint; another one that stands in for it must not get them."""
        if not self.headers:
            return model_settings
        return ModelSettings(**(model_settings or {}), extra_headers=self.headers)

    def prepare_messages(
        self,
        messages: list[ModelMessage],
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> list[ModelMessage]:
        """Faults without a call of a function become plain words here: this is the last look."""
        self.meter.to_tell = faults_told(messages)
        return super().prepare_messages(told_briefly(messages), model_request_parameters)

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        self.meter.check_progress(messages)
        messages = told_briefly(messages)
        async with self._call(messages, model_settings, model_request_parameters) as call:
            call.response = await super().request(
                messages, self._with_headers(model_settings), model_request_parameters
            )
        return call.response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        *rest: Any,
    ) -> AsyncGenerator[StreamedResponse]:
        self.meter.check_progress(messages)
        messages = told_briefly(messages)
        async with (
            self._call(messages, model_settings, model_request_parameters) as call,
            super().request_stream(
                messages, self._with_headers(model_settings), model_request_parameters, *rest
            ) as stream,
        ):
            yield stream
            call.response = stream.get()

    @asynccontextmanager
    async def _call(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        parameters: ModelRequestParameters,
    ) -> "AsyncGenerator[Request]":
        call = Request(self.rate, self.meter, messages, self.secrets)
        await call.on_database(lambda: call.reserve(model_settings, parameters))
        try:
            with call.span(self.wrapped, model_settings or {}):
                yield call
        except Exception as error:
            call.error = error
            raise
        except asyncio.CancelledError:
            # The attempt is over, and the sweep returns what was held back, for all that were
            # cancelled with it at once. Or else it is the library that gives up waiting.
            if not self.meter.is_cancelled:
                call.error = TransientError("model_timeout", "The model did not answer in time.")
            raise
        finally:
            if call.response is not None or call.error is not None:
                call.count()
                with anyio.CancelScope(shield=True):
                    await call.on_database(call.record)


class Request:
    """One request to a provider, with what it took."""

    def __init__(
        self, rate: Rate, meter: Meter, messages: list[ModelMessage], secrets: Sequence[str] = ()
    ) -> None:
        self.rate = rate
        self.secrets = secrets
        self.meter = meter
        self.messages = messages
        self.response: ModelResponse | None = None
        self.error: Exception | None = None
        self.reservation: Reservation | None = None

    @contextmanager
    def span(self, model: Model, model_settings: ModelSettings) -> Iterator[None]:
        """What it was, and how it went; never what was said."""
        kind, name = self.rate.kind or self.rate.provider, self.rate.model
        facts = request_facts(
            kind=kind,
            model=name,
            host=urlsplit(model.base_url or "").hostname,
            max_tokens=model_settings.get("max_tokens"),
            temperature=model_settings.get("temperature"),
            seed=model_settings.get("seed"),
        )
        began, error_type = time.monotonic(), ""
        try:
            with named_span(span_name(CHAT, name), facts, is_client=True) as span:
                try:
                    yield
                except (Exception, asyncio.CancelledError) as error:
                    is_ours = isinstance(error, Exception)
                    error_type = (
                        work_error(error, self.meter.usage()).code if is_ours else "cancelled"
                    )
                    span.fail(error_type)
                    raise
                if (response := self.response) is not None:
                    reason = response.finish_reason
                    span.add(
                        response_facts(
                            response_id=response.provider_response_id,
                            model=response.model_name,
                            finish_reasons=[reason] if reason else [],
                            tokens=self.tokens,
                        )
                    )
        finally:
            seconds = time.monotonic() - began
            labels = (CHAT, provider_name(kind), name)
            GEN_AI_SECONDS.labels(*labels, error_type).observe(seconds)
            if self.response is not None and self.tokens is not None:
                GEN_AI_TOKENS.labels(*labels, "input").observe(self.tokens[0])
                GEN_AI_TOKENS.labels(*labels, "output").observe(self.tokens[1])

    async def on_database(self, action: Callable[[], None]) -> None:
        """In another thread, whose connection goes back at once: the loop never waits for it."""
        if self.meter.cancellation is None:
            return

        def act() -> None:
            try:
                action()
            finally:
                connection.close()

        await asyncio.to_thread(act)

    def reserve(
        self, model_settings: ModelSettings | None, parameters: ModelRequestParameters
    ) -> None:
        if self.meter.calls:
            # Before the first request the worker has checked.
            self.meter.cancellation.check()
        prompt_bytes = len(ModelMessagesTypeAdapter.dump_json(self.messages))
        prompt_bytes += len(repr(parameters).encode())
        max_tokens = (model_settings or {}).get("max_tokens") or settings.MODEL_MAX_TOKENS
        self.reservation = reserve(
            self.meter.cancellation.claim.task,
            provider=self.rate.provider,
            model=self.rate.model,
            micros=self.rate.most(prompt_bytes, max_tokens),
        )

    @property
    def tokens(self) -> tuple[int, int, int] | None:
        """Input, output, and how much of the input was cached; None where the provider is silent.

        A request that was refused, or that never left, took none.
        """
        if self.error is not None:
            is_refused = isinstance(self.error, (ModelHTTPError, UserError))
            return (0, 0, 0) if is_refused or never_sent(self.error) else None
        usage = self.response.usage
        if not usage.input_tokens and not usage.output_tokens:
            return None
        return usage.input_tokens, usage.output_tokens, usage.cache_read_tokens

    @property
    def written_tokens(self) -> int:
        """Of the input, written into the provider's cache: Anthropic takes more for those."""
        return self.response.usage.cache_write_tokens if self.response is not None else 0

    def count(self) -> None:
        """In the meter, and in the metrics of this process."""
        meter, tokens = self.meter, self.tokens
        meter.provider, meter.model = self.rate.provider, self.rate.model
        meter.calls += 1
        cost = None
        if tokens is not None:
            meter.input_tokens = (meter.input_tokens or 0) + tokens[0]
            meter.output_tokens = (meter.output_tokens or 0) + tokens[1]
            cost = self.rate.cost(*tokens, self.written_tokens)
        unknown = cost is None or meter.cost_micros is None
        meter.cost_micros = None if unknown else meter.cost_micros + cost
        breaker = breaker_of(f"{self.rate.provider}:{self.rate.model}")
        breaker.note(f"{self.rate.provider}:{self.rate.model}", has_failed=self.error is not None)
        count_call(self.rate.provider, self.rate.model, tokens, cost)

    def record(self) -> None:
        """What it took, and what was said. An answer is not lost for a moment without database."""
        until_database_is_back(self.settle, seconds=settings.TASK_LEASE_SECONDS)
        try:
            self.keep()
        except DatabaseError:
            # The work goes on without it.
            logger.exception("exchange not kept")

    def settle(self) -> None:
        reservation, tokens = self.reservation, self.tokens
        failure = None if self.error is None else work_error(self.error, self.meter.usage())
        error_code = failure.code if failure else ""
        if tokens is None:
            # It may have cost all that was held back.
            silent = dict.fromkeys(("cost", "input_tokens", "cached_tokens", "output_tokens"))
            settle(reservation, charged=reservation.micros, error_code=error_code, **silent)
        else:
            input_tokens, output_tokens, cached_tokens = tokens
            settle(
                reservation,
                charged=self.rate.charge(*tokens, self.written_tokens),
                cost=self.rate.cost(*tokens, self.written_tokens),
                input_tokens=input_tokens,
                cached_tokens=cached_tokens,
                output_tokens=output_tokens,
                error_code=error_code,
            )

    def keep(self) -> None:
        failure = None if self.error is None else work_error(self.error, self.meter.usage())
        keep_exchange(
            self.meter.cancellation.claim.task,
            provider=self.rate.provider,
            model=self.rate.model,
            request=_as_json(_new(self.messages)),
            response=_as_json([self.response]) if self.response else "",
            error_code=failure.code if failure else "",
            error_detail=failure.detail if failure else "",
            secrets=self.secrets,
        )


def is_huge(answer: ModelResponse) -> bool:
    """It would be sent once more with each correction, and paid for."""
    calls = sum(len(call.args_as_json_str()) for call in answer.tool_calls)
    return calls + len(answer.text or "") > MOST_CORRECTED


def _new(messages: list[ModelMessage]) -> list[ModelMessage]:
    """What the requests before did not have: all after the last answer."""
    answers = [n for n, message in enumerate(messages) if isinstance(message, ModelResponse)]
    return messages[answers[-1] + 1 :] if answers else messages


def _as_json(messages: list[ModelMessage]) -> str:
    return ModelMessagesTypeAdapter.dump_json(messages).decode()
