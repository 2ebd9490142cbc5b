from prometheus_client import Counter, Histogram

from api.metrics import SHORT_BUCKETS

RESUME_SECONDS = Histogram(
    "countersign_resume_seconds",
    "From the decision or result that a step waited for to the step's task.",
    buckets=SHORT_BUCKETS,
)
ENGINE_FAILURES = Counter("countersign_engine_failures", "Advances that failed.")
SWEEP_SECONDS = Histogram(
    "countersign_sweep_seconds", "Duration of a round of recovery.", buckets=SHORT_BUCKETS
)
SWEEP_REPAIRS = Counter("countersign_sweep_repairs", "What rounds of recovery repaired.", ["kind"])
