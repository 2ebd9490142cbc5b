from prometheus_client import Counter, Histogram

from core.metrics import SHORT_BUCKETS

NOTIFICATIONS = Counter(
    "paraph_notifications",
    "Attempts to tell somebody, by channel: sent, failed, dead or dropped.",
    ["channel", "result"],
)
NOTIFICATION_SECONDS = Histogram(
    "paraph_notification_seconds",
    "Duration of an attempt, by channel.",
    ["channel"],
    buckets=SHORT_BUCKETS,
)
