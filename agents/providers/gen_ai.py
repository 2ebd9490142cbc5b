"""Names of OpenTelemetry's conventions for generative AI, as of schema 1.44, all in one place.

They are still in development there: a new release changes this module, and nothing else.
"""

from collections.abc import Sequence

from agents.protocols import Usage
from core.tracing import Facts

CHAT, INVOKE_AGENT = "chat", "invoke_agent"
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
AGENT_NAME = "gen_ai.agent.name"
CONVERSATION = "gen_ai.conversation.id"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
REQUEST_TEMPERATURE = "gen_ai.request.temperature"
REQUEST_SEED = "gen_ai.request.seed"
RESPONSE_ID = "gen_ai.response.id"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
CACHED_TOKENS = "gen_ai.usage.cache_read.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
SERVER_ADDRESS = "server.address"
# Of what an endpoint speaks; of others their own name.
PROVIDERS = {
    "openai-chat": "openai",
    "openai-responses": "openai",
    "google": "gcp.gemini",
}


def span_name(operation: str, subject: str) -> str:
    return f"{operation} {subject}".strip()


def provider_name(kind: str) -> str:
    return PROVIDERS.get(kind, kind)


def agent_facts(agent_type: str, task: str) -> Facts:
    """Of the work of an agent on one artifact."""
    return {OPERATION: INVOKE_AGENT, AGENT_NAME: agent_type, CONVERSATION: task}


def usage_facts(usage: Usage | None) -> Facts:
    """What that took, all requests together."""
    if usage is None:
        return {}
    return {
        PROVIDER: provider_name(usage.provider),
        REQUEST_MODEL: usage.model or None,
        INPUT_TOKENS: usage.input_tokens,
        OUTPUT_TOKENS: usage.output_tokens,
        "paraph.model_calls": usage.calls,
    }


def request_facts(
    *,
    kind: str,
    model: str,
    host: str | None,
    max_tokens: int | None,
    temperature: float | None,
    seed: int | None,
) -> Facts:
    """Of one request to a provider, before it."""
    return {
        OPERATION: CHAT,
        PROVIDER: provider_name(kind),
        REQUEST_MODEL: model,
        REQUEST_MAX_TOKENS: max_tokens,
        REQUEST_TEMPERATURE: temperature,
        REQUEST_SEED: seed,
        SERVER_ADDRESS: host,
    }


def response_facts(
    *,
    response_id: str | None,
    model: str | None,
    finish_reasons: Sequence[str],
    tokens: tuple[int, int, int] | None,
) -> Facts:
    """Of its answer; never what it says."""
    input_tokens, output_tokens, cached_tokens = tokens or (None, None, None)
    return {
        RESPONSE_ID: response_id,
        RESPONSE_MODEL: model,
        FINISH_REASONS: list(finish_reasons) or None,
        INPUT_TOKENS: input_tokens,
        OUTPUT_TOKENS: output_tokens,
        CACHED_TOKENS: cached_tokens or None,
    }
