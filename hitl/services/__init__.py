"""Every write to requests and decisions. `decide` is the only door for a decision."""

from hitl.services.claims import claim_request, reassign_request, release_request
from hitl.services.comments import add_comment
from hitl.services.deadlines import apply_deadlines, hold_clocks, keep_clocks, release_clocks
from hitl.services.decide import decide
from hitl.services.policies import change_policy
from hitl.services.requests import cancel_requests, open_request, supersede_request

__all__ = [
    "add_comment",
    "apply_deadlines",
    "cancel_requests",
    "change_policy",
    "claim_request",
    "decide",
    "hold_clocks",
    "keep_clocks",
    "open_request",
    "reassign_request",
    "release_clocks",
    "release_request",
    "supersede_request",
]
