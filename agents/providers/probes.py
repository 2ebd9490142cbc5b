"""A tiny call of each model that the settings name, to see whether it answers. It costs a little.

Importing this loads no provider library: a probe does that.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from inspect import iscoroutine
from threading import Thread

from pydantic import BaseModel

from agents.protocols import Assignment, PermanentError, TransientError, WorkError
from agents.providers import DEMO, EXTERNAL, model_for

# A call may take this much longer than its own time-out, so that it reports that itself.
GRACE_SECONDS = 1.0
REMEDIES = {
    "model_timeout": "Try again, or allow more with --timeout; see the provider's status page.",
    "model_connection": "Check OPENAI_BASE_URL, name resolution, firewall and HTTPS_PROXY.",
    "model_rate_limited": "Wait, or ask the provider for a higher limit.",
    "model_unavailable": "Wait; see the provider's status page.",
    "model_malformed_answer": "Check that OPENAI_BASE_URL is OpenAI-compatible, with its /v1.",
    "model_unauthorized": "Check the key (OPENAI_API_KEY) and what it is allowed to use.",
    "model_not_found": "Check the model's name in MODEL_..., and OPENAI_BASE_URL.",
    "model_quota_exceeded": "Add credit to the account at the provider, or raise its limit.",
    "model_rejected": "Check that the provider offers this model by this interface.",
    "model_misconfigured": "Check MODEL_... and the key, and that the library is installed.",
}
OTHER_REMEDY = "See the documentation of the provider."


class ShortAnswer(BaseModel):
    text: str


@dataclass(frozen=True)
class Probe:
    """`model` is as the settings name it; `error` is None where it answered."""

    model: str
    agents: tuple[str, ...]
    seconds: float
    error: WorkError | None = None

    @property
    def provider(self) -> str:
        return provider_of(self.model)

    @property
    def was_called(self) -> bool:
        return self.error is None or self.error.code != "model_misconfigured"

    @property
    def remedy(self) -> str:
        return "" if self.error is None else REMEDIES.get(self.error.code, OTHER_REMEDY)


def provider_of(model: str) -> str:
    return model.partition(":")[0]


def outside_models(agent_models: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Every model that somebody else serves, with the agents that use it."""
    agents_of: dict[str, tuple[str, ...]] = {}
    for agent, model in agent_models.items():
        if model != EXTERNAL and provider_of(model) != DEMO:
            agents_of[model] = (*agents_of.get(model, ()), agent)
    return agents_of


def probe_models(models: Mapping[str, tuple[str, ...]], *, seconds: float) -> Iterator[Probe]:
    """Side by side, so that all of them together take no longer than a single one may."""
    running = [(model, agents, _begin(agents[0], seconds)) for model, agents in models.items()]
    ends = time.monotonic() + seconds + GRACE_SECONDS
    for model, agents, future in running:
        try:
            duration, error = future.result(max(0.0, ends - time.monotonic()))
        except TimeoutError:
            duration, error = seconds, TransientError("model_timeout", "No answer in time.")
        yield Probe(model, agents, duration, error)


def _begin(agent: str, seconds: float) -> "Future[tuple[float, WorkError | None]]":
    """In a daemon thread: a library that hangs must not keep the process from its end."""
    future: Future[tuple[float, WorkError | None]] = Future()
    Thread(target=lambda: future.set_result(_outcome(agent, seconds)), daemon=True).start()
    return future


def _outcome(agent: str, seconds: float) -> tuple[float, WorkError | None]:
    began, failure = time.monotonic(), None
    try:
        model = model_for(agent)
        if hasattr(model, "try_out"):
            return model.try_out(seconds)
        # Another provider class has no call for this: it gets a small assignment.
        phase, output = "discovery", "agent_output"
        small = Assignment("check", agent, "check", phase, 1, "Answer: ok", "", (output,))
        reply = model.produce(
            small, artifact_type=output, output_type=ShortAnswer, instructions="Answer: ok"
        )
        if iscoroutine(reply):
            asyncio.run(reply)
    except WorkError as error:
        failure = error
    except Exception as error:
        # The message may quote a key.
        failure = PermanentError("internal_error", f"{type(error).__name__} in the provider.")
    return time.monotonic() - began, failure
