"""Every write to requests and decisions. `decide` is the only door for a decision."""

from hitl.services.deciding import decide
from hitl.services.requesting import cancel_requests, open_request, supersede_request

__all__ = ["cancel_requests", "decide", "open_request", "supersede_request"]
