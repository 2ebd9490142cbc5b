from prometheus_client import Counter, Gauge

EVENTS = Counter("countersign_events", "Events that were appended.", ["event_type"])
HINTS = Counter("countersign_hints", "Hints to listeners: sent, or failed.", ["result"])
CONNECTIONS = Gauge(
    "countersign_stream_connections",
    "Listeners of the stream now: websocket, or sse.",
    ["kind"],
    multiprocess_mode="livesum",
)
DELIVERIES = Counter("countersign_stream_deliveries", "Events that were sent to listeners.")
