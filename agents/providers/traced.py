from typing import Any

from agents.protocols import Model, Reply, Usage, WorkError
from core.tracing import Facts, span


class Traced:
    """A model whose every call is a span: who served it and how much, never what was said."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def produce(self, *arguments: Any, artifact_type: str, **wanted: Any) -> Reply:
        with span("model call", {"paraph.artifact_type": artifact_type}) as call:
            try:
                reply = self.model.produce(*arguments, artifact_type=artifact_type, **wanted)
            except WorkError as error:
                call.add(used(error.usage))
                raise
            call.add(used(reply.usage))
            return reply


def used(usage: Usage | None) -> Facts:
    """In the words of OpenTelemetry, where it has them."""
    if usage is None:
        return {}
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": usage.provider,
        "gen_ai.request.model": usage.model or None,
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "paraph.model_calls": usage.calls,
    }
