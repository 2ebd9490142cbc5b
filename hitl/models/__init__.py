from hitl.models.comments import Comment
from hitl.models.decisions import Decision
from hitl.models.policies import Policy
from hitl.models.requests import HitlRequest

__all__ = ["Comment", "Decision", "HitlRequest", "Policy"]
