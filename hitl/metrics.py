from prometheus_client import Counter, Histogram

from agents.enums import RequestKind
from core.metrics import HUMAN_BUCKETS
from hitl.enums import RequestStatus

DECISIONS = Counter("paraph_decisions", "Decisions by people.", ["action", "channel"])
DECISION_SECONDS = Histogram(
    "paraph_decision_seconds",
    "From the opening of a request to the decision.",
    ["kind"],
    buckets=HUMAN_BUCKETS,
)
REQUESTS_CLOSED = Counter(
    "paraph_requests_closed",
    "Requests that ended without a decision: expired, superseded, cancelled.",
    ["kind", "status"],
)
UNDECIDED = (RequestStatus.EXPIRED, RequestStatus.SUPERSEDED, RequestStatus.CANCELLED)

# Prometheus sees no growth in a series that begins at one, so every series begins at zero.
for kind in RequestKind.values:
    for status in UNDECIDED:
        REQUESTS_CLOSED.labels(kind, str(status))
