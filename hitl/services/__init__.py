"""Every write to requests and decisions. `decide` is the only door for a decision."""

from hitl.services.claims import claim_request, reassign_request, release_request
from hitl.services.comments import add_comment
from hitl.services.deadlines import (
    apply_deadlines,
    resume_deadlines,
    suspend_deadlines,
    sync_deadlines,
)
from hitl.services.decisions import decide
from hitl.services.delegations import delegate_decisions, end_delegation
from hitl.services.integrity import note_change, record_change
from hitl.services.policies import change_policy
from hitl.services.proposals import confirm_loosening, decline_loosening
from hitl.services.requests import cancel_requests, open_request, supersede_request

__all__ = [
    "add_comment",
    "apply_deadlines",
    "cancel_requests",
    "change_policy",
    "claim_request",
    "confirm_loosening",
    "decide",
    "decline_loosening",
    "delegate_decisions",
    "end_delegation",
    "note_change",
    "open_request",
    "reassign_request",
    "record_change",
    "release_request",
    "resume_deadlines",
    "supersede_request",
    "suspend_deadlines",
    "sync_deadlines",
]
