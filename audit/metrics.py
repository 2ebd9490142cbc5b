from prometheus_client import Counter, Gauge

EVENTS = Counter("paraph_events", "Events that were appended.", ["event_type"])
HINTS = Counter("paraph_hints", "Hints to listeners: sent, or failed.", ["result"])
CONNECTIONS = Gauge(
    "paraph_stream_connections",
    "Listeners of the stream now: websocket, or sse.",
    ["kind"],
    multiprocess_mode="livesum",
)
DELIVERIES = Counter("paraph_stream_deliveries", "Events that were sent to listeners.")
