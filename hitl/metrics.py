from prometheus_client import Counter, Histogram

from api.metrics import HUMAN_BUCKETS

DECISIONS = Counter("countersign_decisions", "Decisions by people.", ["action", "channel"])
DECISION_SECONDS = Histogram(
    "countersign_decision_seconds",
    "From the opening of a request to the decision.",
    ["kind"],
    buckets=HUMAN_BUCKETS,
)
REQUESTS_CLOSED = Counter(
    "countersign_requests_closed",
    "Requests that ended without a decision: expired, superseded, cancelled.",
    ["kind", "status"],
)
