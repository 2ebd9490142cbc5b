"""Every write to requests and decisions. `decide` is the only door for a decision."""

from hitl.services.claiming import claim_request, reassign_request, release_request
from hitl.services.commenting import add_comment
from hitl.services.deciding import decide
from hitl.services.policies import change_policy
from hitl.services.requesting import cancel_requests, open_request, supersede_request
from hitl.services.timing import apply_deadlines, hold_clocks, keep_clocks, release_clocks

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
