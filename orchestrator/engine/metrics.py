from prometheus_client import Counter, Histogram

from core.metrics import SHORT_BUCKETS

RESUME_SECONDS = Histogram(
    "paraph_resume_seconds",
    "From the decision or result that a step waited for to the step's task.",
    buckets=SHORT_BUCKETS,
)
ENGINE_FAILURES = Counter("paraph_engine_failures", "Advances that failed.")
SWEEP_SECONDS = Histogram(
    "paraph_sweep_seconds", "Duration of a round of recovery.", buckets=SHORT_BUCKETS
)
SWEEP_REPAIRS = Counter("paraph_sweep_repairs", "What rounds of recovery repaired.", ["kind"])
