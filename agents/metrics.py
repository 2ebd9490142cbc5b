from django.db import transaction
from prometheus_client import Counter, Histogram

from agents.protocols import Usage
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
for agent_type in agent_types.values:
    RETRIES.labels(agent_type, "worker_lost")

MESSAGES_LOST = Counter(
    "paraph_messages_lost", "Jobs that could not be put into the queue.", ["queue"]
)
MODEL_CALLS = Counter("paraph_model_calls", "Calls to model providers.", ["provider"])
MODEL_TOKENS = Counter(
    "paraph_model_tokens",
    "Tokens that providers counted: input, or output.",
    ["provider", "direction"],
)


def count_retry(agent_type: str, cause: str) -> None:
    """Once the caller's transaction has committed."""
    retries = RETRIES.labels(str(agent_type), cause)
    transaction.on_commit(lambda: retries.inc(), robust=True)


def count_usage(usage: Usage | None) -> None:
    if usage is None or not usage.provider:
        return
    MODEL_CALLS.labels(usage.provider).inc(usage.calls)
    MODEL_TOKENS.labels(usage.provider, "input").inc(usage.input_tokens or 0)
    MODEL_TOKENS.labels(usage.provider, "output").inc(usage.output_tokens or 0)
