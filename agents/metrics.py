from django.db import transaction
from prometheus_client import Counter, Histogram

from agents.protocols import Usage
from agents.providers import EXTERNAL
from core.metrics import LONG_BUCKETS, SHORT_BUCKETS
from projects.agent_types import agent_types

ATTEMPT_SECONDS = Histogram(
    "paraph_attempt_seconds",
    "From claim to end of an attempt; `lost` where another worker took over.",
    ["agent_type", "outcome"],
    buckets=LONG_BUCKETS,
)
QUEUE_WAIT_SECONDS = Histogram(
    "paraph_queue_wait_seconds",
    "From the moment a task was due to its claim.",
    ["agent_type"],
    buckets=SHORT_BUCKETS,
)
RETRIES = Counter(
    "paraph_retries", "Tasks that were put back into the queue.", ["agent_type", "cause"]
)
# A series that begins at one has not grown for Prometheus: the first lost workers would go unseen.
for agent_type in agent_types.shipped:
    RETRIES.labels(agent_type, "worker_lost")

MESSAGES_LOST = Counter(
    "paraph_messages_lost", "Jobs that could not be put into the queue.", ["queue"]
)
MODEL_CALLS = Counter("paraph_model_calls", "Calls to model providers.", ["provider", "model"])
MODEL_TOKENS = Counter(
    "paraph_model_tokens",
    "Tokens that providers counted: input, or output.",
    ["provider", "model", "direction"],
)
# OpenTelemetry's metrics of clients of generative AI, as Prometheus writes their names.
GEN_AI_TOKENS = Histogram(
    "gen_ai_client_token_usage",
    "Tokens of one request to a provider: input, or output.",
    ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"],
    buckets=[4**power for power in range(14)],
)
GEN_AI_SECONDS = Histogram(
    "gen_ai_client_operation_duration_seconds",
    "From one request to a provider to its answer, or to its failure with that error.",
    ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type"],
    buckets=[0.01 * 2**power for power in range(14)],
)
MODEL_COST = Counter(
    "paraph_model_cost_micros",
    "Micro-units of the currency that prices are in; of calls whose price and tokens are known.",
    ["provider", "model"],
)
MODEL_CALLS_OF_UNKNOWN_COST = Counter(
    "paraph_model_calls_of_unknown_cost",
    "Calls whose price or tokens are not known.",
    ["provider", "model"],
)
BREAKERS_OPENED = Counter(
    "paraph_model_breakers_opened",
    "How often a model was left alone for a while, because it failed again and again.",
    ["provider", "model"],
)
BUDGET_REFUSALS = Counter(
    "paraph_budget_refusals", "Calls that did not fit into a budget.", ["limit"]
)
for limit in ("hard", "soft"):
    BUDGET_REFUSALS.labels(limit)


def count_retry(agent_type: str, cause: str) -> None:
    """Once the caller's transaction has committed."""
    retries = RETRIES.labels(str(agent_type), cause)
    transaction.on_commit(lambda: retries.inc(), robust=True)


def count_call(
    provider: str, model: str, tokens: tuple[int, int, int] | None, cost: int | None, calls: int = 1
) -> None:
    """One request to a provider, or what somebody else reports of several."""
    MODEL_CALLS.labels(provider, model).inc(calls)
    if tokens is not None:
        MODEL_TOKENS.labels(provider, model, "input").inc(tokens[0])
        MODEL_TOKENS.labels(provider, model, "output").inc(tokens[1])
    if cost is None:
        MODEL_CALLS_OF_UNKNOWN_COST.labels(provider, model).inc(calls)
    else:
        MODEL_COST.labels(provider, model).inc(cost)


def count_usage(usage: Usage | None) -> None:
    """Of models that do not count each of their requests."""
    if usage is None or not usage.provider or usage.is_counted:
        return
    # What a worker that runs elsewhere calls its models is no label: there is no end of names.
    model = "" if usage.provider == EXTERNAL else usage.model
    tokens = (usage.input_tokens or 0, usage.output_tokens or 0, 0)
    count_call(usage.provider, model, tokens, usage.cost_micros, usage.calls)
